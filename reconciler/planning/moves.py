"""Objects that are declared on one host and are on another: which move, which are left over, which nobody may touch.

Pure. What is said here rests on all hosts of a project together; everything else in planning looks at one host at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from reconciler.kinds import KINDS
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, HostState, Mark, Observed
from reconciler.planning.allowance import Policy
from reconciler.planning.case import Case
from reconciler.planning.scope import targeted
from reconciler.planning.step import Step
from reconciler.planning.subject import Decision, subject_of
from reconciler.xmltree.document import parse

HALTED = frozenset({"migration", "starting-up"})
"""Reasons of a paused state that say: it waits for a migration to end."""
IN_MEMORY = "test"
RETAIN = {"onDelete": {"domain": "undefine", "volumes": "retain"}}


@dataclass(slots=True)
class Moves:
    """`coming`: where it is declared -> what there is of it elsewhere. `mended`: the same for a move that only has to be ended.

    `blocked`: why nothing may be done about a declared object. `held` are objects that no manifest names where they are, and that
    are not removed. Of these, `left` are definitions and entries that have no more use: -> the host where the object is.
    """

    coming: dict[ResourceId, Observed] = field(default_factory=dict)
    mended: dict[ResourceId, str] = field(default_factory=dict)
    blocked: dict[ResourceId, str] = field(default_factory=dict)
    held: set[ResourceId] = field(default_factory=set)
    left: dict[ResourceId, str] = field(default_factory=dict)

    @classmethod
    def of(cls, wanted: Sequence[Desired], states: Sequence[HostState]) -> Moves:
        """What the hosts together say of all declared objects that can move."""
        moves = cls()
        if len(states) == 1:
            return moves
        hosts = {state.facts.name: state for state in states}
        declared = {desired.id for desired in wanted}
        known = _Known.of(states, declared)
        for desired in wanted:
            if KINDS[desired.id.kind].migrates and desired.id.host in hosts:
                moves.judge(desired, hosts, known)
        return moves

    def judge(self, desired: Desired, hosts: Mapping[str, HostState], marked: _Known) -> None:
        """One declared object, and what bears its mark on other hosts."""
        id_, state = desired.id, hosts[desired.id.host]
        absent = desired.state == KINDS[id_.kind].lifecycle.absent
        elsewhere = marked.same_as(desired)
        if not state.reachable:
            self.held.update(seen.id for seen in elsewhere)
            return
        here = state.resources.get(id_)
        if absent:
            return
        if here is not None and here.mark is not None:
            same = [seen for seen in elsewhere if seen.uuid == here.uuid]
            self.held.update(seen.id for seen in same)
            self.left |= dict.fromkeys((entry.id for entry in marked.entries_of(here)), id_.host)
            self._here(here, same)
            return
        self.held.update(seen.id for seen in elsewhere)
        silent = sorted(name for name, other in hosts.items() if not other.reachable and _alike(other, state))
        known = state.inventory.get(id_)
        if elsewhere and here is not None:
            self.blocked[id_] = f"it is on {elsewhere[0].id.host}, and {id_.host} has another object of this name"
        elif elsewhere:
            self._elsewhere(id_, elsewhere)
        elif here is None and silent and (known is None or known.pending):
            self.blocked[id_] = (
                f"{silent[0]} does not answer, and may have it; if that host is gone for good, take it out of the manifests"
            )

    def _here(self, here: Observed, elsewhere: Sequence[Observed]) -> None:
        active = [seen for seen in elsewhere if seen.live is not None]
        if here.live is None and active:
            self._elsewhere(here.id, active)
            return
        for seen in active:
            if _halted(here):
                self.coming[here.id] = seen
            elif _halted(seen):
                self.mended[here.id] = seen.id.host
            else:
                self.blocked[here.id] = _split(here, seen)
        self.left |= {seen.id: here.id.host for seen in elsewhere if seen.live is None}

    def _elsewhere(self, id_: ResourceId, elsewhere: Sequence[Observed]) -> None:
        active = [seen for seen in elsewhere if seen.live is not None]
        chosen = active or elsewhere
        if len(chosen) == 1:
            self.coming[id_] = chosen[0]
        elif active:
            self.blocked[id_] = _split(*active[:2])
        else:
            names = " and ".join(seen.id.host for seen in chosen)
            self.blocked[id_] = f"it is defined on {names}, and on which of them is right nobody can tell: undefine the other"

    def seen(self, state: HostState) -> HostState:
        """The host as it is when what comes to it has arrived: what is compared with the manifests."""
        here = {id_: seen for id_, seen in self.coming.items() if id_.host == state.facts.name}
        if not here:
            return state
        arrived = {id_: replace(seen, id=id_, mark=_as_here(seen, id_)) for id_, seen in here.items()}
        marks = {id_: seen.mark for id_, seen in arrived.items() if seen.mark is not None}
        return replace(state, resources={**state.resources, **arrived}, inventory={**state.inventory, **marks})

    def begin(self, case: Case, read_only: frozenset[str]) -> None:
        """Put the move before all other steps of a case. `read_only` are hosts that cannot be changed."""
        seen, active = self.coming.get(case.id), case.subject.kind.lifecycle.active
        source = seen.id.host if seen is not None else self.mended.get(case.id, "")
        why = self.blocked.get(case.id) or ("" if seen is None else _unfit(seen))
        if not why and source in read_only:
            why = f"it needs a read-write connection to {source}, and this one is read-only"
        if seen is not None:
            impact = Impact.LIVE if seen.state in active else Impact.NONE
            reason = f"declared on {case.id.host}, and it is on {source}"
            case.decision = replace(case.decision, note="; ".join(filter(None, (f"it is on {source}", case.decision.note))))
            case.steps.insert(0, Step(Verb.MIGRATE, reason, impact, blocked=why or None, source=source))
        elif source:
            reason = f"an interrupted move is ended: {source} still holds it back"
            case.steps.insert(0, Step(Verb.MIGRATE, reason, Impact.LIVE, source=source))
        elif why:
            case.steps = case.steps or [Step(Verb.MIGRATE, f"declared on {case.id.host}")]
            case.steps = [replace(step, blocked=step.blocked or why) for step in case.steps]

    def remains(self, state: HostState, policy: Policy) -> Iterator[Case]:
        """What is left on a host of objects that have moved away: taken off it, without a loss to anybody."""
        for id_, host in self.left.items():
            if id_.host != state.facts.name or not (policy.targets is None or targeted(id_, policy.targets)):
                continue
            subject = subject_of(id_, None, state, adopt=False)
            if subject.mark is None:
                continue
            kept = replace(subject, mark=replace(subject.mark, options={**subject.mark.options, **RETAIN}))
            why = f"it is on {host} now"
            if subject.observed is None:
                yield Case(kept, None, Decision(note=why), [Step(Verb.FORGET, why)])
            else:
                step = Step(Verb.UNDEFINE, f"{why}: this definition is left over", blocked=_unfit(subject.observed) or None)
                yield Case(kept, None, Decision(note=why), [step])


def chain(case: Case) -> None:
    """The move comes before everything else of an object, and without it nothing can be done."""
    moving = next((step for step in case.steps if step.verb is Verb.MIGRATE), None)
    if moving is None:
        return
    rest = [step for step in case.steps if step is not moving]
    if moving.blocked:
        why = f"its move is blocked: {moving.blocked}"
        rest = [replace(step, blocked=step.blocked or why) for step in rest]
    case.steps = [moving, *rest]


def _alike(one: HostState, two: HostState) -> bool:
    """Whether an object may have moved between the hosts: those of one driver, but not the test driver's, which cannot."""
    drivers = {state.facts.uri.partition(":")[0].partition("+")[0] for state in (one, two)}
    return len(drivers) == 1 and IN_MEMORY not in drivers


@dataclass(frozen=True, slots=True)
class _Known:
    """By kind and name: objects of ours that no manifest names where they are, and inventory entries of what is not there."""

    objects: Mapping[tuple[str, str], list[Observed]]
    entries: Mapping[tuple[str, str], list[Mark]]

    @classmethod
    def of(cls, states: Sequence[HostState], declared: AbstractSet[ResourceId]) -> _Known:
        objects: dict[tuple[str, str], list[Observed]] = {}
        entries: dict[tuple[str, str], list[Mark]] = {}
        for state in states:
            for id_, seen in state.resources.items():
                if KINDS[id_.kind].migrates and seen.mark is not None and id_ not in declared:
                    objects.setdefault((id_.kind, id_.name), []).append(seen)
            for id_, mark in state.inventory.items():
                if KINDS[id_.kind].migrates and id_ not in state.resources:
                    entries.setdefault((id_.kind, id_.name), []).append(mark)
        return cls(objects, entries)

    def same_as(self, desired: Desired) -> list[Observed]:
        """What can be the declared object. One of another UUID than the declared one is another object."""
        found = self.objects.get((desired.id.kind, desired.id.name), [])
        uuid = (parse(desired.xml).findtext("uuid") or "").strip().lower() if found else ""
        return [seen for seen in found if seen.id.host != desired.id.host and uuid in ("", seen.uuid)]

    def entries_of(self, here: Observed) -> Iterator[Mark]:
        """Where an inventory lists the object without the host having it."""
        for mark in self.entries.get((here.id.kind, here.id.name), ()):
            if mark.id.host != here.id.host and mark.uuid == here.uuid:
                yield mark


def _as_here(seen: Observed, id_: ResourceId) -> Mark | None:
    return None if seen.mark is None else replace(seen.mark, id=id_)


def _halted(seen: Observed) -> bool:
    return seen.live is not None and seen.details.get("reason") in HALTED


def _split(one: Observed, two: Observed) -> str:
    hosts = f"{one.id.host} and {two.id.host}"
    return f"it is active on {hosts}: two guests destroy their disk; find out which is right, and end the other (virsh destroy)"


def _unfit(seen: Observed) -> str:
    """Why libvirt does not take it along, or would lose something of it."""
    if seen.details.get("managed_save"):
        return "it has a saved state, which does not move: start it, or give the state up (virsh managedsave-remove)"
    if snapshots := seen.details.get("snapshots"):
        return f"it has snapshots ({len(snapshots)}), which do not move: delete them first (vireo snapshot delete)"
    return ""
