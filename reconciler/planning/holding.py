"""Holding back: the guards asked for every step, and whatever builds on a blocked step blocked with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from reconciler.kinds.spellings import location
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.model.resource import Project, ResourceId
from reconciler.model.state import HostState
from reconciler.planning.allowance import Policy
from reconciler.planning.case import Case
from reconciler.planning.guard import Situation, guard
from reconciler.planning.policy import files_of
from reconciler.planning.references import Places, users
from reconciler.planning.repairs import in_one_go
from reconciler.planning.step import Step
from reconciler.planning.subject import STATE

LEAST_LIMIT = 5
NEEDY = frozenset({Verb.CREATE, Verb.START, Verb.START_PAUSED})
"""Verbs that work only while what the object needs is active."""


def limit(project: Project, state: HostState, declared: int) -> int:
    """How many resources one run may remove: the project's word, else 5 or a quarter of it."""
    return project.prune_limit if project.prune_limit is not None else max(LEAST_LIMIT, max(declared, len(state.inventory)) // 4)


@dataclass(frozen=True, slots=True)
class Limits:
    """`removals`: how many resources may go without a word of their own. `wanted_by`: pairs of a resource and who will use it."""

    removals: int
    wanted_by: AbstractSet[tuple[ResourceId, ResourceId]] = frozenset()


def hold_back(cases: Mapping[ResourceId, Case], state: HostState, places: Places, policy: Policy, limits: Limits) -> None:
    """Ask the guards for each step of each case."""
    removals = [case for case in cases.values() if case.removing]
    used = _used(cases, state, places, limits) if any(_asks_for_users(case) for case in cases.values()) else {}
    leaving = {case.id for case in removals}
    too_many = ""
    pruned = [case for case in removals if case.desired is None]
    if len(pruned) > limits.removals and not (policy.allow_mass_delete or policy.destroy):
        too_many = f"{len(pruned)} deletions are more than the limit of {limits.removals}: --allow-mass-delete permits them"
    while True:
        gone = leaving | _emptied_files(cases, leaving, places)
        for case in cases.values():
            situation = _situation(case, state, policy, [id_ for id_ in used.get(case.id, ()) if id_ not in gone], too_many)
            case.steps = _chained([replace(step, blocked=guard(step, situation)) for step in case.steps], case)
        _hold_heirs(cases)
        staying = leaving & {case.id for case in removals if any(step.blocked for step in case.steps)}
        if not staying:
            break
        leaving -= staying  # what is held back goes on using what it uses
    _hold_dependents(cases)
    for case in cases.values():
        case.steps = in_one_go(case.steps)
        _tell_interrupted(case, _active(state, used.get(case.id, frozenset()) - leaving))


def _used(
    cases: Mapping[ResourceId, Case], state: HostState, places: Places, limits: Limits
) -> dict[ResourceId, frozenset[ResourceId]]:
    """Who uses what on the host now; and who will use what is to go."""
    found = users(state, places)
    for other, id_ in limits.wanted_by:
        if other in cases and cases[other].removing and other != ResourceId("Pool", id_.pool, id_.host):
            found[other] = found.get(other, frozenset()) | {id_}
    return found


def _emptied_files(cases: Mapping[ResourceId, Case], leaving: Collection[ResourceId], places: Places) -> set[ResourceId]:
    """The overlays and memory images of snapshots that go with those who leave and give their data up."""
    verbs = {id_: set(cases[id_].subject.kind.emptied_by.values()) for id_ in leaving}
    giving = [cases[id_] for id_ in leaving if any(step.verb in verbs[id_] for step in cases[id_].steps)]
    paths = [path for case in giving if case.subject.observed is not None for path in files_of(case.subject.observed)]
    return {places.volumes[location(path)] for path in paths if location(path) in places.volumes}


def _hold_heirs(cases: Mapping[ResourceId, Case]) -> None:
    """What goes with a domain stays where that one stays."""
    for case in cases.values():
        giver = None if case.heir is None else cases.get(case.heir.giver)
        held = None if giver is None else next((step for step in giver.steps if step.blocked), None)
        if giver is not None and held is not None:
            why = f"goes with {giver.id}, whose {held.verb.value} is blocked"
            case.steps = [replace(step, blocked=step.blocked or why) for step in case.steps]
            case.inherits = False


def _asks_for_users(case: Case) -> bool:
    kind = case.subject.kind
    return any(step.verb in kind.held for step in case.steps) or (bool(kind.interrupts) and _late(case))


def _late(case: Case) -> bool:
    return any(difference.impact is Impact.RESTART for difference in case.decision.differences)


def _active(state: HostState, by: Collection[ResourceId]) -> tuple[ResourceId, ...]:
    return tuple(id_ for id_ in by if (seen := state.resources.get(id_)) is not None and seen.live is not None)


def _tell_interrupted(case: Case, active: Collection[ResourceId]) -> None:
    """Say whom a restart cuts off for a moment: where it is planned, and where it is waited for."""
    verbs = case.subject.kind.interrupts
    if not active or not verbs:
        return
    who = ", ".join(map(str, sorted(active)))
    if any(step.verb in verbs for step in case.steps):
        told = f"cuts off for a moment and plugs in again: {who}"
        case.steps = [replace(s, reason=f"{s.reason}; {told}") if s.verb in verbs else s for s in case.steps]
    elif _late(case) and case.decision.note:
        told = f"a restart (update.restart: allowed, --allow restart) would cut off for a moment and plug in again: {who}"
        case.decision = replace(case.decision, note=f"{case.decision.note}; {told}")


def _situation(case: Case, state: HostState, policy: Policy, by: Collection[ResourceId], too_many: str) -> Situation:
    mark = case.subject.mark
    return Situation(
        kind=case.subject.kind,
        ceiling=policy.allow if case.subject.ours or case.subject.observed is None else min(policy.allow, Impact.LIVE),
        read_only=state.facts.read_only,
        protected=(case.desired is not None and case.desired.protect) or (mark is not None and mark.protect),
        users=tuple(by),
        active_users=_active(state, by),
        removing=case.desired is None,
        too_many=too_many,
        shared_with=state.shared.get(case.id, ""),
        ending=case.steps[-1].verb if case.removing else None,
    )


def _chained(steps: list[Step], case: Case) -> list[Step]:
    """Steps that belong together are blocked together: the way from one state to another is gone wholly or not at all.

    Where the object is not there, or not ours, everything builds on its first step.
    """
    whole = case.subject.observed is None or any(step.verb is Verb.ADOPT for step in steps)
    together = [step for step in steps if whole or step.paths == (STATE,)]
    held = next((step for step in together if step.blocked), None)
    if held is None:
        return steps
    why = f"{held.verb.value} is blocked: {held.blocked}"
    return [replace(step, blocked=step.blocked or why) if step in together else step for step in steps]


def _hold_dependents(cases: Mapping[ResourceId, Case]) -> None:
    """Whoever needs what is blocked from being brought here is blocked too."""
    changed = True
    while changed:
        changed = False
        missing = {
            id_: step
            for id_, case in cases.items()
            if case.desired is not None and not case.removing and (case.subject.observed is None or case.subject.wiping)
            for step in case.steps
            if step.blocked
        }
        for case in cases.values():
            case.steps = [_with_what_it_needs(step, case, cases) for step in case.steps]
            lacking = sorted(case.needs & missing.keys())
            if lacking and not case.removing and any(step.blocked is None for step in case.steps):
                why = f"needs {lacking[0]}, whose {missing[lacking[0]].verb.value} is blocked"
                case.steps = [replace(step, blocked=step.blocked or why) for step in case.steps]
                changed = True


def _with_what_it_needs(step: Step, case: Case, cases: Mapping[ResourceId, Case]) -> Step:
    """A step that cannot work while something that it needs is declared not to be active."""
    if step.blocked or step.verb not in NEEDY:
        return step
    for other in sorted(case.needs & cases.keys()):
        active = cases[other].subject.kind.lifecycle.active
        desired = cases[other].desired
        if active and desired is not None and desired.state not in active:
            return replace(step, blocked=f"needs {other}, which is declared {desired.state}")
    return step
