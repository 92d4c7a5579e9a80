"""Objects of a host -> manifests that, adopted, change nothing.

The loop is closed here: each spec is rendered and settled as a plan would do it, and compared with what the host has. What a
field cannot say goes into `xml:`, what it says too much is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import InvalidManifestsError, Problem
from reconciler.kinds import KINDS
from reconciler.manifest import catalogue, check, crosscheck, render, shape, writer
from reconciler.manifest.importing.draft import Draft, draft
from reconciler.manifest.importing.kinds import IMPORTERS, Surroundings
from reconciler.manifest.importing.residual import missing, overlay_for
from reconciler.manifest.importing.volume import files_in_use
from reconciler.manifest.schema import API_VERSION
from reconciler.model.resource import Document, Project, Resource, ResourceId
from reconciler.model.state import HostState, Observed
from reconciler.planning.compare import Sides, compare
from reconciler.planning.identity import Settling, settle
from reconciler.planning.references import Places, needed
from reconciler.xmltree.document import XmlError, parse

_ROUNDS = 40  # of a spec against its schema and its rendering; each gives something up
_PROJECT = Project("import")
_COMMENTS = {
    "xml": "What has no field of its own.",
    "validate": "libvirt's own schema refuses this definition, although libvirt has it.",
    "allowMissing": "The host does not have it: the domain is defined, and could not be started.",
    "persistent": "libvirt forgets this domain when it ends; Vireo makes it again.",
}
_GUARDED = "A screen of this domain has a password on the host. It is not written here: put it in as `password: ...`."


@dataclass(frozen=True, slots=True)
class Imported:
    """The manifest of one object. `inexact` are paths at which it does not say what the host has: none, as far as is known."""

    observed: Observed
    data: Mapping[str, Any]
    comments: Mapping[str, str] = field(default_factory=dict)
    inexact: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The YAML document."""
        heading = f"Not the same as on the host: {', '.join(self.inexact)}" if self.inexact else ""
        return writer.document(self.data, self.comments, heading)


@dataclass(frozen=True, slots=True)
class Refused:
    """An object that no manifest can speak of, and why."""

    observed: Observed
    reason: str


class Host:
    """One host whose objects are imported: what must be known of all of them to write the manifest of one."""

    def __init__(self, state: HostState, guarded: Collection[ResourceId] = ()) -> None:
        self.state = state
        self.guarded = guarded  # domains that have a password
        self._catalogue = catalogue.of(state.facts.name, (), state.resources)
        self._volumes = {seen.uuid: (id_.pool, id_.name) for id_, seen in state.resources.items() if id_.pool}
        self._used = files_in_use((seen.live for seen in state.resources.values()), self._volumes)
        self._shared = _shared_macs(state)
        self._places = Places.of(state, {})

    def convert(self, observed: Observed) -> Imported | Refused:
        """The manifest of an object that was observed on this host."""
        text = observed.persistent or observed.live
        if text is None:
            return Refused(observed, "libvirt shows no definition of it")
        try:
            return _One(self, observed, text).result()
        except XmlError as error:
            return Refused(observed, f"libvirt itself writes its definition in a form that cannot be read: {error}")

    def surroundings(self, observed: Observed) -> Surroundings:
        return Surroundings(
            self.state.facts.emulators, self._volumes, self._used, observed.id.pool, live=observed.persistent is None
        )

    def rendered(self, resource: Resource) -> str:
        """What a plan would compare. Raises InvalidManifestsError."""
        return render.render(resource, _PROJECT, self.state.facts, self._catalogue).xml

    def dangling(self, observed: Observed) -> list[str]:
        """What a definition names although the host does not have it, as far as it can be known of a pool at rest."""
        if observed.live is not None:
            return []
        resources = self.state.resources
        named = needed(KINDS[observed.id.kind], (observed.persistent,), self._places, observed.id) - resources.keys()
        pools = {ResourceId("Pool", id_.pool, id_.host) for id_ in named if id_.pool}
        at_rest = {id_.name for id_ in pools & resources.keys() if resources[id_].live is None}
        return sorted(str(id_) for id_ in named if not (id_.pool and id_.pool in at_rest))

    def is_shared(self, mac: str) -> bool:
        """Whether several cards of the host have this address: manifests must not declare it twice."""
        return self._shared[mac.lower()] > 1


class _One:
    """One object on its way into a manifest."""

    def __init__(self, host: Host, observed: Observed, text: str) -> None:
        self.host, self.observed, self.text = host, observed, text
        self.kind = KINDS[observed.id.kind]
        importer, around = IMPORTERS[observed.id.kind], host.surroundings(observed)
        self.settling = Settling(_PROJECT.name, observed.id, self.kind, host.state.facts.machines)
        self.whole = settle(importer.clean(text, around), (), self.settling, derive=False)
        self.kept = importer.kept
        self.dangling = host.dangling(observed) if _marks(observed.id.kind, "allowMissing") else []
        self.known: dict[str, str] = {}
        self.draft: Draft = draft(self.whole, importer.table(around), self.kind.rules)
        for unit in self.draft.units:
            if isinstance(unit.value, dict) and unit.listed and host.is_shared(str(unit.value.get("mac", ""))):
                unit.value = None

    def result(self) -> Imported | Refused:
        self._fit()
        extra = self._overlay()
        data, inexact = self._judged(extra)
        if inexact:
            for unit in self.draft.units:
                if unit.field not in self.kept:
                    unit.value = None
            other, remaining = self._judged(self._overlay())
            if len(remaining) < len(inexact):
                data, inexact = other, remaining
        errors = check.errors(self.observed.id.kind, data)
        if errors:
            where = ".".join(map(str, errors[0].absolute_path))
            said = errors[0].schema.get("x-vireo-message") if isinstance(errors[0].schema, dict) else None
            return Refused(self.observed, f"a manifest cannot say its {where}: {said or errors[0].message}")
        comments = {name: text for name, text in _COMMENTS.items() if name in data["spec"]}
        if self.observed.id in self.host.guarded:
            comments["graphics" if "graphics" in data["spec"] else "xml"] = _GUARDED
        return Imported(self.observed, data, comments, inexact)

    def _fit(self) -> None:
        """Give up what the schema does not take, then what the rendering says beyond the host's definition."""
        for _ in range(_ROUNDS):
            if not (self._reject() or self._reduce()):
                return

    def _reject(self) -> bool:
        data = self._document({})
        paths = [tuple(error.absolute_path)[1:] for error in check.errors(self.observed.id.kind, data)]
        if not paths:
            problems: list[Problem] = []
            crosscheck.resources([self._resource(data)], problems)
            paths = [(problem.path.split(".")[1].partition("[")[0],) for problem in problems if "." in problem.path]
        done = [self.draft.reject(path) for path in sorted(paths, key=str, reverse=True) if path]
        return any(done)

    def _reduce(self) -> bool:
        try:
            found = self._differences({"validate": False})
        except InvalidManifestsError:
            return False
        done = [self.draft.give_up(path) for path in found]
        return any(done)

    def _overlay(self) -> dict[str, Any]:
        try:
            said = self._alone({"validate": False})
        except InvalidManifestsError:
            return {"xml": self.whole}
        over = overlay_for(self.whole, said, self.kind.rules)
        return {} if over is None else {"xml": f"{over}\n"}

    def _judged(self, extra: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The document with its overlay, and at which paths it is not what the host has."""
        try:
            self._alone(extra)
        except InvalidManifestsError:
            extra = {**extra, "validate": False}
        try:
            said = self._alone(extra)
        except InvalidManifestsError as error:
            return self._document(extra), tuple(problem.message for problem in error.problems)
        inexact = {*self._differences(extra), *missing(self.whole, said, self.kind.rules)}
        return self._document(extra), tuple(sorted(inexact))

    def _differences(self, extra: Mapping[str, Any]) -> list[str]:
        """Where a plan would see a difference between the manifest and the host."""
        settled = self._settled(extra, self.text)
        found = compare(self.kind, Sides(settled, None, self.text, None), None)
        return [difference.path for difference in found if difference.desired is not None]

    def _alone(self, extra: Mapping[str, Any]) -> str:
        """What the manifest says by itself, without what a plan takes from the host: a serial, for example."""
        return self._settled(extra, None)

    def _settled(self, extra: Mapping[str, Any], source: str | None) -> str:
        return settle(self._rendered(self._document(extra)), (source,), self.settling, derive=False)

    def _rendered(self, data: dict[str, Any]) -> str:
        """What the document asks for; the same one is asked about several times."""
        name = repr(data)
        if name not in self.known:
            self.known[name] = self.host.rendered(self._resource(data))
        return self.known[name]

    def _resource(self, data: dict[str, Any]) -> Resource:
        spec = shape.of(self.observed.id.kind).filled(data["spec"], ("spec",))
        return Resource(self.observed.id, spec, Document("import", data, {}))

    def _document(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        seen = self.observed
        spec: dict[str, Any] = {"pool": seen.id.pool} if seen.id.pool else {"state": seen.state}
        if seen.autostart:
            spec["autostart"] = True
        if seen.persistent is None and "option" in _marks(seen.id.kind, "persistent"):
            spec["persistent"] = False
        if self.dangling:
            spec["allowMissing"] = self.dangling
        spec |= self.draft.spec()
        return {
            "apiVersion": API_VERSION,
            "kind": seen.id.kind,
            "metadata": {"name": seen.id.name},
            "spec": {**spec, **extra},
        }


def _marks(kind: str, name: str) -> list[str]:
    """What the schema marks a field of the spec with."""
    return [str(schema.get("x-vireo")) for schema in shape.of(kind).field(("spec", name))]


def _shared_macs(state: HostState) -> Counter[str]:
    """How often each MAC address is used on the host."""
    return Counter(mac for seen in state.resources.values() for mac in _macs(seen))


def _macs(seen: Observed) -> Iterator[str]:
    text, cards = seen.persistent or seen.live, KINDS[seen.id.kind].rules.derived_mac
    if text and cards and "<mac " in text:
        for mac in parse(text).iterfind(f"{cards}/mac"):
            yield (mac.get("address") or "").lower()
