"""Which other resources a document names, found by the kind's table of references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Kind, Reference
from reconciler.kinds.spellings import location
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState
from reconciler.xmltree.document import Element, parse


@dataclass(frozen=True, slots=True)
class Places:
    """Which volume a file's path belongs to, on one host."""

    host: str
    volumes: Mapping[str, ResourceId] = field(default_factory=dict)

    @classmethod
    def of(cls, state: HostState, declared: Mapping[str, ResourceId]) -> Places:
        """All volumes that the host has (a volume's key is its path), and those that manifests declare by their future paths."""
        observed = {location(seen.uuid): id_ for id_, seen in state.resources.items() if id_.pool and seen.uuid}
        return cls(state.facts.name, {**{location(path): id_ for path, id_ in declared.items()}, **observed})


def references(
    kind: Kind, texts: Iterable[str | None], places: Places, me: ResourceId, *, below: bool = False
) -> frozenset[ResourceId]:
    """The resources on the same host that the documents name, and the pools of the volumes among them, without `me`.

    `below`: what is in the folders that they name, too.
    """
    found = {named for text in texts if text and kind.references for named in _named(kind, parse(text), places, below=below)}
    pools = {ResourceId("Pool", id_.pool, id_.host) for id_ in found if id_.pool}
    return frozenset((found | pools) - {me})


def needed(kind: Kind, texts: Iterable[str | None], places: Places, me: ResourceId) -> frozenset[ResourceId]:
    """What must be there before `me` can be: what it names, and a volume's own pool."""
    own = {ResourceId("Pool", me.pool, me.host)} if me.pool else set()
    return references(kind, texts, places, me) | own


def own_data(kind: Kind, texts: Iterable[str | None], places: Places) -> frozenset[ResourceId]:
    """The volumes in which the object keeps its own data: no media, nothing that it only reads, no backing file."""
    out: set[ResourceId] = set()
    for text in texts:
        if text:
            root = parse(text)
            lent = [element for path in kind.lent for element in root.iterfind(path)]
            for reference in kind.references:
                if reference.own:
                    mine = (element for element in root.iterfind(reference.path) if element not in lent)
                    out.update(named for element in mine for named in _of_element(reference, element, places))
    return frozenset(out)


def _named(kind: Kind, root: Element, places: Places, *, below: bool) -> Iterator[ResourceId]:
    for reference in kind.references:
        if below or not reference.below:
            for element in root.iterfind(reference.path):
                yield from _of_element(reference, element, places)


def _of_element(reference: Reference, element: Element, places: Places) -> Iterator[ResourceId]:
    value = element.get(reference.name) if reference.name else (element.text or "").strip()
    if not value:
        return
    if not reference.by_path:
        pool = element.get(reference.pool) or "" if reference.pool else ""
        yield ResourceId(reference.kind, value, places.host, pool)
    elif reference.below:
        folder = location(value).rstrip("/") + "/"
        yield from (id_ for path, id_ in places.volumes.items() if path.startswith(folder))
    elif location(value) in places.volumes:
        yield places.volumes[location(value)]


def users(state: HostState, places: Places) -> dict[ResourceId, frozenset[ResourceId]]:
    """Who uses what on a host, foreign objects included: resource -> those whose persistent or live definition names it."""
    out: dict[ResourceId, set[ResourceId]] = {}
    for id_, seen in state.resources.items():
        for used in references(KINDS[id_.kind], (seen.persistent, seen.live), places, id_, below=True):
            if used != ResourceId("Pool", id_.pool, id_.host):  # a volume is in its pool, it does not use it
                out.setdefault(used, set()).add(id_)
    return {id_: frozenset(names) for id_, names in out.items()}
