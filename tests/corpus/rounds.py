"""Four claims about many documents at once, on a real host: what Vireo imports, adopts, makes and changes stays what it was.

adopted    defined by others, imported, adopted: the plan has nothing else to do, before and after, and nothing changed
made       applied to a host without them: the definitions are what they were
in sync    the plan after that is empty
changed    with another title: nothing but the title changed
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import libvirt

from reconciler.engine import executor, importing, pipeline
from reconciler.engine.converting import Imported
from reconciler.engine.importing import Selection
from reconciler.engine.pipeline import Options, Prepared
from reconciler.errors import InvalidManifestsError
from reconciler.kinds import KINDS
from reconciler.model.event import ActionFailed, Event, Verified
from reconciler.model.plan import Verb
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import parse

PROJECT = "apiVersion: vireo/v1\nkind: Project\nmetadata: {name: corpus}\nspec: {}\n"
PARTS = ("adopted", "made", "in sync", "changed")


@dataclass(frozen=True, slots=True)
class Shelf:
    """How objects of a kind are put on a host, read and removed, without Vireo: `define` takes XML, the others a name."""

    kind: str
    define: Callable[[libvirt.virConnect, str], object]
    read: Callable[[libvirt.virConnect, str], str]
    remove: Callable[[libvirt.virConnect, str], object]
    retitle: Callable[[dict[str, Any]], str]  # changes one field of a spec, and says which path of the XML that is


@dataclass
class Report:
    """What was found, by claim: the object's name and what is wrong with it. `refused` are documents that this libvirt, another
    one than the seeds were found on, does not take.
    """

    documents: int = 0
    refused: int = 0
    wrong: dict[str, dict[str, str]] = field(default_factory=lambda: {part: {} for part in PARTS})

    def add(self, part: str, name: str, what: str) -> None:
        self.wrong[part].setdefault(name, what)

    def counts(self) -> dict[str, int]:
        """How many objects there were, and how many of them kept each promise."""
        kept = {part: self.documents - len(self.wrong[part]) for part in PARTS}
        return {"accepted": self.documents, "refused by libvirt": self.refused, **kept}

    def told(self) -> str:
        """Everything that is wrong."""
        return "\n".join(f"{part}: {name}: {what}" for part, names in self.wrong.items() for name, what in names.items())


class Round:
    """One lot of documents on one host. `documents` are XML by name."""

    def __init__(self, shelf: Shelf, uri: str, folder: Path, documents: Mapping[str, str]) -> None:
        self.shelf, self.uri, self.folder, self.documents = shelf, uri, folder, dict(documents)
        self.connection = libvirt.open(uri)
        self.report = Report()
        self.manifests: dict[str, Imported] = {}

    def all(self) -> Report:
        """Check the four claims; the host has nothing of it afterwards."""
        self._define()
        original = self._read()
        self._import()
        self._adopt()
        self._same("adopted", original, self._read())
        self._remove()
        self._apply("made")
        made = self._read()
        self._same("made", original, made)
        self._nothing_to_do("in sync")
        changes = {name: self._changed(name) for name in self.manifests}
        self._apply("changed")
        self._same("changed", made, self._read(), changes)
        self._remove()
        self.connection.close()
        return self.report

    def _define(self) -> None:
        for name, xml in tuple(self.documents.items()):
            try:
                self.shelf.define(self.connection, xml)
            except libvirt.libvirtError:
                del self.documents[name]
                self.report.refused += 1
        self.report.documents = len(self.documents)

    def _changed(self, name: str) -> str:
        data = copy.deepcopy(dict(self.manifests[name].data))
        path = self.shelf.retitle(data["spec"])
        self.manifests[name] = replace(self.manifests[name], data=data)
        return path

    def _read(self) -> dict[str, str]:
        out = {}
        for name in self.documents:
            try:
                out[name] = self.shelf.read(self.connection, name)
            except libvirt.libvirtError:
                continue
        return out

    def _remove(self) -> None:
        for name in self._read():
            self.shelf.remove(self.connection, name)
        for secret in self.connection.listAllSecrets():
            secret.undefine()

    def _import(self) -> None:
        with pipeline.connected(pipeline.load((), self._options())) as hosts:
            found = importing.read(hosts, Selection(kinds=frozenset({self.shelf.kind}), everything=True))
        for manifest in found.manifests:
            name = manifest.observed.id.name
            if name in self.documents:
                self.manifests[name] = manifest
                if manifest.inexact:
                    self.report.add("adopted", name, f"imported inexactly: {', '.join(manifest.inexact)}")
        for item in found.refused:
            self._lose(item.observed.id.name, f"not imported: {item.reason}")

    def _lose(self, name: str, why: str) -> None:
        for part in PARTS:
            self.report.add(part, name, why)
        self.manifests.pop(name, None)

    def _options(self, *, adopt: bool = False) -> Options:
        return Options(connect=self.uri, adopt=adopt)

    def _prepared(self, *, adopt: bool = False) -> Iterator[tuple[Any, Prepared]]:
        """The plan for all that can be planned; what cannot is lost."""
        while True:
            (self.folder / "project.yaml").write_text(PROJECT)
            for name, manifest in self.manifests.items():
                (self.folder / f"{name}.yaml").write_text(manifest.text)
            options = self._options(adopt=adopt)
            try:
                manifests = pipeline.load([str(self.folder)], options)
                with pipeline.connected(manifests) as hosts:
                    yield hosts, pipeline.prepare(manifests, hosts, options)
            except InvalidManifestsError as error:
                for problem in error.problems:
                    name = Path(problem.file).stem
                    self._lose(name, f"its manifest is refused: {problem.path} {problem.message}")
                    (self.folder / f"{name}.yaml").unlink(missing_ok=True)
            else:
                return

    def _adopt(self) -> None:
        for hosts, prepared in self._prepared(adopt=True):
            self._planned("adopted", prepared, frozenset({Verb.ADOPT}))
            self._execute("adopted", prepared, hosts)
        self._nothing_to_do("adopted")

    def _apply(self, part: str) -> None:
        for hosts, prepared in self._prepared():
            self._execute(part, prepared, hosts)

    def _nothing_to_do(self, part: str) -> None:
        for _, prepared in self._prepared():
            self._planned(part, prepared, frozenset())

    def _planned(self, part: str, prepared: Prepared, allowed: frozenset[Verb]) -> None:
        for resource in prepared.plan.resources:
            if resource.differences:
                differences = "; ".join(f"{d.path}: {d.persistent!r} -> {d.desired!r}" for d in resource.differences)
                self.report.add(part, resource.id.name, f"the plan would change {differences}")
        for action in prepared.plan.actions:
            if action.verb not in allowed or action.blocked:
                self.report.add(
                    part, action.resource.name, f"the plan has {action.verb.value}: {action.blocked or action.reason}"
                )

    def _execute(self, part: str, prepared: Prepared, hosts: Any) -> None:
        def heard(event: Event) -> None:
            if isinstance(event, ActionFailed):
                self.report.add(part, event.action.resource.name, f"{event.action.verb.value} failed: {event.error}")
            elif isinstance(event, Verified) and event.leftover:
                self.report.add(part, event.resource.name, f"still differs: {', '.join(event.leftover)}")

        executor.execute(prepared, hosts, emit=heard, parallel=2)

    def _same(
        self, part: str, before: Mapping[str, str], after: Mapping[str, str], changes: Mapping[str, str] | None = None
    ) -> None:
        for name in self.manifests:
            if name not in after:
                self.report.add(part, name, "it is not there")
                continue
            own = (changes or {}).get(name)
            found = differing(self.shelf.kind, before[name], after[name])
            wrong = [line for path, line in found if own is None or not path.startswith(own)]
            if wrong:
                self.report.add(part, name, "the definition changed: " + "; ".join(wrong))


def differing(kind: str, one: str, other: str) -> Iterable[tuple[str, str]]:
    """The paths at which two definitions are not equivalent, each with the two values."""
    first, second = _canonical(kind, one), _canonical(kind, other)
    for path in sorted(first.keys() | second.keys()):
        if first.get(path) != second.get(path):
            yield path, f"{path}: {first.get(path)!r} -> {second.get(path)!r}"


def _canonical(kind: str, text: str) -> Canonical:
    """Without an empty <metadata>: that is where our mark was."""
    found = canonical(parse(text), KINDS[kind].rules)
    return {path: value for path, value in found.items() if path != "metadata"}
