"""What stays of the data of an object that gives its data up: said in the plan, and nothing of a disk that stays is taken away.

An overlay holds the newest data of the volume that it stands on, so it follows what is said of that volume. Pure; only looks at
cases, tells, and blocks their steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from reconciler.kinds.spellings import location
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState
from reconciler.planning.case import Case
from reconciler.planning.chains import Layers, by_target
from reconciler.planning.policy import GIVEN_UP, RETAIN, data_policy, files_of
from reconciler.planning.taken import held
from reconciler.xmltree.document import Element, attributes, parse

_WRITABLE = frozenset({"disk", "lun"})


@dataclass(frozen=True, slots=True)
class Around:
    """The cases of a host, what lies on what there, its volumes by their files, and those that others are declared to use."""

    cases: Mapping[ResourceId, Case]
    layers: Layers
    volumes: Mapping[str, ResourceId]
    shared: Collection[ResourceId]

    @classmethod
    def of(cls, cases: Mapping[ResourceId, Case], layers: Layers, state: HostState, shared: Collection[ResourceId]) -> Around:
        """`shared` stay because of others: what a guest has over them is its own."""
        listed = {location(mark.uuid): id_ for id_, mark in state.inventory.items() if id_.pool and mark.uuid}
        return cls(cases, layers, listed, shared)

    def goes(self, id_: ResourceId) -> bool:
        """Whether the plan takes the volume away, as far as is known before the guards are asked."""
        case = self.cases.get(id_)
        if case is None or not case.removing or _protected(case):
            return False
        return not any(step.blocked for step in case.steps)

    def stays(self, id_: ResourceId) -> str:
        """Why a volume of the project stays."""
        case = self.cases.get(id_)
        if case is not None and _protected(case):
            return "it is protected"
        if id_ in self.shared:
            return "others use it, too"
        options = [] if case is None else [one.options for one in (case.desired, case.subject.mark) if one is not None]
        if case is None or RETAIN in map(data_policy, options):
            return "onDelete: retain"
        return "a manifest declares it" if case.desired is not None else "it does not go with it"


def hold(case: Case, around: Around) -> None:
    """Name each disk of a case that stays; block the case if overlays would go whose volume stays."""
    observed, subject = case.subject.observed, case.subject
    says = case.desired or subject.mark
    if says is None or observed is None or data_policy(says.options) not in GIVEN_UP:
        return
    if not (subject.kind.layered and subject.ours and case.removing):
        return
    texts = (observed.live, observed.persistent, None if subject.mark is None else subject.mark.xml)
    overlays = {location(path) for path in files_of(observed)}
    taken = {target for one in held(observed) for target in one.overlays}
    notes: dict[str, str] = {}
    for target, disk in _disks(case, texts):
        file, base = _files(disk, around, overlays)
        id_ = around.volumes.get(base)
        if not file or (id_ is not None and around.goes(id_)):
            continue
        name, why = (str(id_), around.stays(id_)) if id_ is not None else (base, "not a volume of the project")
        notes.setdefault(f"{name} ({target})", why)
        over = file != base or target in taken
        if id_ is not None and over and id_ not in around.shared:
            newest = file if file != base else "an overlay of a snapshot"
            words = (
                f"{id_} stays ({why}), and {newest} has its newest data: delete the snapshots first, which merges them "
                f"(vireo snapshot delete {case.id.name} NAME), or let the volume go, too (onDelete)"
            )
            case.steps = [replace(step, blocked=step.blocked or words) for step in case.steps]
    if notes:
        told = "stays: " + ", ".join(f"{name}: {why}" for name, why in notes.items())
        case.decision = replace(case.decision, note="; ".join(filter(None, (case.decision.note, told))))
        last = case.steps[-1].reason  # what empties the object has the same one
        case.steps = [replace(step, reason=f"{last}; {told}") if step.reason == last else step for step in case.steps]


def _protected(case: Case) -> bool:
    mark = case.subject.mark
    return (case.desired is not None and case.desired.protect) or (mark is not None and mark.protect)


def _disks(case: Case, texts: Collection[str | None]) -> Iterator[tuple[str, Element]]:
    """The disks that can be written to, by the running definition, the persistent one, and the one that was applied."""
    for text in texts:
        for target, disk in by_target(case.subject.kind, parse(text)).items() if text else ():
            if disk.get("device", "disk") in _WRITABLE and disk.find("readonly") is None:
                yield target, disk


def _files(disk: Element, around: Around, overlays: Collection[str]) -> tuple[str, str]:
    """The disk's file, and the first one of its chain that a project's inventory lists, or that no snapshot made; "" for none."""
    named = [around.layers.path(source) for source in disk.iter("source")]
    source = disk.find("source")
    if source is None or not named[0]:
        words = "" if source is None else " ".join(attributes(source).values())
        return words, words
    chain = list(dict.fromkeys([named[0], *around.layers.below(named[0]), *filter(None, named)]))
    base = next((file for file in chain if file in around.volumes), None)
    return named[0], base or next((file for file in chain if file not in overlays), named[0])
