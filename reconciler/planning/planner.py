"""All resources of all hosts -> one Plan: decisions, guards, order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.errors import InvalidManifestsError, Problem
from reconciler.kinds import KINDS
from reconciler.model.difference import Cause, Impact
from reconciler.model.plan import Action, HostPlan, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import Project, ResourceId
from reconciler.model.state import Desired, HostState, Mark, Observed
from reconciler.planning.decide import STATE, Decision, Subject, decide, in_sync
from reconciler.planning.graph import ordered
from reconciler.planning.guard import DESTROYING, Situation, guard
from reconciler.planning.identity import Settling, settle
from reconciler.planning.references import Places, needed, users
from reconciler.planning.removal import inherited_policy, remove
from reconciler.planning.step import Step
from reconciler.xmltree.mark import digest

RANK = {name: number for number, name in enumerate(KINDS)}
LEAST_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """What the person, or the project, gives leave for in this run."""

    allow: Impact = Impact.LIVE
    prune: bool = False
    destroy: bool = False
    adopt: bool = False
    allow_mass_delete: bool = False
    targets: frozenset[str] | None = None  # Kind/name; None: everything


@dataclass(slots=True)
class _Case:
    """One resource on its way through the planner."""

    subject: Subject
    desired: Desired | None
    decision: Decision = field(default_factory=Decision)
    steps: list[Step] = field(default_factory=list)
    needs: frozenset[ResourceId] = frozenset()

    @property
    def id(self) -> ResourceId:
        return self.subject.id

    @property
    def removing(self) -> bool:
        return any(step.verb in DESTROYING for step in self.steps) and (
            self.desired is None or self.desired.state == self.subject.kind.lifecycle.absent
        )


def plan(  # noqa: PLR0913  the six inputs of every plan
    project: Project,
    wanted: Sequence[Desired],
    states: Sequence[HostState],
    policy: Policy,
    created: str,
    volume_paths: Mapping[tuple[str, str], ResourceId],
) -> Plan:
    """The plan for everything that `wanted` asks and everything that the project owns on the hosts.

    `volume_paths` says where declared volumes will be: (host, path) -> volume.

    Raises InvalidManifestsError where a manifest refers to what neither the manifests nor the host has, CycleError.
    """
    by_host: dict[str, list[Desired]] = {state.facts.name: [] for state in states}
    for desired in wanted:
        by_host.setdefault(desired.id.host, []).append(desired)
    cases: dict[ResourceId, _Case] = {}
    problems: list[Problem] = []
    for state in states:
        if state.reachable:
            here, wrong = _plan_host(project, by_host[state.facts.name], state, policy, _on(volume_paths, state.facts.name))
            cases |= here
            problems += wrong
    if problems:
        raise InvalidManifestsError(problems)
    actions = _actions(cases)
    unreachable = {state.facts.name: state.error for state in states if not state.reachable}
    resources = [_resource_plan(case, actions) for case in cases.values()]
    resources += [
        ResourcePlan(d.id, Status.UNREACHABLE, d.state, "unknown", desired=d, note=unreachable[d.id.host])
        for d in wanted
        if d.id.host in unreachable
    ]
    hosts = tuple(HostPlan(s.facts.name, s.facts.uri, s.facts.uuid, s.reachable, s.error) for s in states)
    resources.sort(key=lambda r: (r.id.host, RANK[r.id.kind], r.id))
    return Plan(project.name, created, hosts, tuple(resources), tuple(actions))


def _plan_host(
    project: Project, wanted: Iterable[Desired], state: HostState, policy: Policy, paths: Mapping[str, ResourceId]
) -> tuple[dict[ResourceId, _Case], list[Problem]]:
    declared = {desired.id: desired for desired in wanted}
    places = Places.of(state, paths)
    cases = {} if policy.destroy else {id_: _declared_case(project, d, state, policy) for id_, d in declared.items()}
    problems = [problem for case in cases.values() for problem in _settle_needs(case, places, declared, state)]
    if policy.targets is not None:
        chosen = _closure({id_ for id_ in cases if _targeted(id_, policy.targets)}, cases)
        cases = {id_: case for id_, case in cases.items() if id_ in chosen}
    cases |= _leftover(declared, state, policy)
    _guard(cases, state, places, policy, _limit(project, state, len(declared)))
    return cases, problems


def _targeted(id_: ResourceId, targets: frozenset[str]) -> bool:
    return f"{id_.kind}/{id_.name}" in targets or str(id_) in targets


def _closure(ids: set[ResourceId], cases: Mapping[ResourceId, _Case]) -> set[ResourceId]:
    todo, done = list(ids), set()
    while todo:
        id_ = todo.pop()
        if id_ in cases and id_ not in done:
            done.add(id_)
            todo += cases[id_].needs
    return done


def _on(paths: Mapping[tuple[str, str], ResourceId], host: str) -> dict[str, ResourceId]:
    return {path: id_ for (name, path), id_ in paths.items() if name == host}


def _known_mark(id_: ResourceId, state: HostState) -> Mark | None:
    seen = state.resources.get(id_)
    return (seen.mark if seen is not None else None) or state.inventory.get(id_)


def _subject(id_: ResourceId, desired: Desired | None, state: HostState, policy: Policy) -> Subject:
    mark = _known_mark(id_, state)
    observed = state.resources.get(id_)
    if observed is not None and observed.mark is None and mark is not None and (not mark.uuid or mark.uuid == observed.uuid):
        observed = replace(observed, mark=mark)
    return Subject(
        kind=KINDS[id_.kind],
        id=id_,
        desired=desired,
        observed=observed,
        mark=mark,
        foreign=state.foreign_marks.get(id_, ""),
        adopt=policy.adopt,
        unseen=_unseen(id_, state),
    )


def _unseen(id_: ResourceId, state: HostState) -> str:
    pool = state.resources.get(ResourceId("Pool", id_.pool, id_.host)) if id_.pool else None
    if not id_.pool or (pool is not None and pool.live is not None):
        return ""
    return f"its pool {id_.pool} is not active, so the host cannot tell"


def _declared_case(project: Project, desired: Desired, state: HostState, policy: Policy) -> _Case:
    subject = _subject(desired.id, desired, state, policy)
    observed, mark = subject.observed, subject.mark
    settling = Settling(project.name, desired.id, subject.kind, state.facts.machines, project.ignore)
    host_xml = None if observed is None else observed.persistent or observed.live
    if observed is not None and not subject.foreign and in_sync(subject, desired, observed):
        return _Case(subject, desired)
    before = mark.xml if mark is not None and mark.xml and not mark.pending else None
    settled = replace(desired, xml=settle(desired.xml, (before, host_xml), settling))
    intent = settle(before, (host_xml,), settling, derive=False) if before else None
    subject = replace(subject, desired=settled, intent=intent)
    decision = decide(subject, settled)
    return _Case(subject, settled, decision, list(decision.steps))


def _settle_needs(
    case: _Case, places: Places, declared: Mapping[ResourceId, Desired], state: HostState
) -> Iterable[Problem]:
    """Fill in what the case needs; whatever neither side has is a problem of its manifest."""
    if case.desired is None or not case.steps:
        return
    case.needs = needed(case.subject.kind, (case.desired.xml,), places, case.id)
    if case.desired.state == case.subject.kind.lifecycle.absent:
        return
    for other in sorted(case.needs):
        pool_unknown = bool(other.pool) and _unseen(other, state) != ""
        if other in declared or other in state.resources or (pool_unknown and ResourceId("Pool", other.pool, other.host) in declared):
            continue
        if pool_unknown and ResourceId("Pool", other.pool, other.host) in state.resources:
            continue
        source = case.desired.source
        yield Problem(source.file, source.line, source.column, f"{case.id}", f"refers to {other}, which neither the manifests nor {other.host} has")


def _leftover(
    declared: Mapping[ResourceId, Desired], state: HostState, policy: Policy
) -> dict[ResourceId, _Case]:
    """What the project owns and no manifest names."""
    owned = {id_ for id_, seen in state.resources.items() if seen.mark is not None} | set(state.inventory)
    gone = sorted(id_ for id_ in owned if policy.destroy or id_ not in declared)
    if policy.targets is not None:
        gone = [id_ for id_ in gone if _targeted(id_, policy.targets)]
    subjects = {id_: _subject(id_, None, state, policy) for id_ in gone}
    places = Places.of(state, {})
    inherited: dict[ResourceId, str] = {}
    for subject in subjects.values():
        policy_word = inherited_policy(subject.mark.options) if subject.mark is not None else ""
        if policy_word and subject.observed is not None:
            for other in needed(subject.kind, (subject.observed.persistent, subject.observed.live), places, subject.id):
                inherited[other] = policy_word
    out = {}
    for id_, subject in subjects.items():
        decision = remove(subject, asked=policy.prune or policy.destroy, inherited=inherited.get(id_, ""))
        seen = subject.observed
        wants = needed(subject.kind, (seen.persistent, seen.live), places, id_) if seen is not None and decision.steps else frozenset()
        out[id_] = _Case(subject, None, decision, list(decision.steps), wants)
    return out


def _limit(project: Project, state: HostState, declared: int) -> int:
    return project.prune_limit if project.prune_limit is not None else max(LEAST_LIMIT, max(declared, len(state.inventory)) // 4)


def _guard(cases: Mapping[ResourceId, _Case], state: HostState, places: Places, policy: Policy, limit: int) -> None:
    removals = [case for case in cases.values() if case.removing]
    used = users(state, places) if any(s.verb in case.subject.kind.held for case in cases.values() for s in case.steps) else {}
    leaving = {case.id for case in removals}
    too_many = ""
    pruned = [case for case in removals if case.desired is None]
    if len(pruned) > limit and not (policy.allow_mass_delete or policy.destroy):
        too_many = f"{len(pruned)} deletions are more than the limit of {limit}: --allow-mass-delete permits them"
    for case in cases.values():
        by = tuple(id_ for id_ in used.get(case.id, ()) if id_ not in leaving)
        active = tuple(id_ for id_ in by if (seen := state.resources.get(id_)) is not None and seen.live is not None)
        mark = case.subject.mark
        situation = Situation(
            kind=case.subject.kind,
            ceiling=policy.allow if case.subject.ours or case.subject.observed is None else min(policy.allow, Impact.LIVE),
            read_only=state.facts.read_only,
            protected=(case.desired is not None and case.desired.protect) or (mark is not None and mark.protect),
            users=by,
            active_users=active,
            removing=case.desired is None,
            too_many=too_many,
        )
        case.steps = _chained([replace(step, blocked=guard(step, situation)) for step in case.steps], case)
    _hold_dependents(cases)


def _chained(steps: list[Step], case: _Case) -> list[Step]:
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


def _hold_dependents(cases: Mapping[ResourceId, _Case]) -> None:
    """Whoever needs what is blocked from being brought here is blocked too."""
    changed = True
    while changed:
        changed = False
        missing = {
            id_: step
            for id_, case in cases.items()
            if case.desired is not None and not case.removing and case.subject.observed is None
            for step in case.steps
            if step.blocked
        }
        for case in cases.values():
            lacking = sorted(case.needs & missing.keys())
            if lacking and not case.removing and any(step.blocked is None for step in case.steps):
                why = f"needs {lacking[0]}, whose {missing[lacking[0]].verb.value} is blocked"
                case.steps = [replace(step, blocked=step.blocked or why) for step in case.steps]
                changed = True


def _actions(cases: Mapping[ResourceId, _Case]) -> list[Action]:
    nodes = {(id_, number): step for id_, case in cases.items() for number, step in enumerate(case.steps)}
    needs: dict[tuple[ResourceId, int], set[tuple[ResourceId, int]]] = {node: set() for node in nodes}
    first = {id_: (id_, 0) for id_, case in cases.items() if case.steps}
    last = {id_: (id_, len(case.steps) - 1) for id_, case in cases.items() if case.steps}
    for id_, number in nodes:
        if number:
            needs[id_, number].add((id_, number - 1))
    for id_, case in cases.items():
        if id_ not in first:
            continue
        for other in case.needs & last.keys():
            if cases[other].removing:
                needs[first[other]].add(last[id_])
            else:
                needs[first[id_]].add(last[other])
    _reverse_for_removal(cases, first, last, needs)
    removing = {id_ for id_, case in cases.items() if case.removing}
    priority = {
        (id_, number): (id_ in removing, -RANK[id_.kind] if id_ in removing else RANK[id_.kind], id_, number) for id_, number in nodes
    }
    order = ordered(needs, priority)
    names = {node: str(number) for number, node in enumerate(order, 1)}
    return [_action(node, nodes[node], names, needs) for node in order]


def _reverse_for_removal(
    cases: Mapping[ResourceId, _Case],
    first: Mapping[ResourceId, tuple[ResourceId, int]],
    last: Mapping[ResourceId, tuple[ResourceId, int]],
    needs: dict[tuple[ResourceId, int], set[tuple[ResourceId, int]]],
) -> None:
    """What is used goes after its users: by kind, which is enough, as users always are of a later kind or of the same pool."""
    removing = [id_ for id_ in first if cases[id_].removing]
    for id_ in removing:
        for other in removing:
            if other.host == id_.host and RANK[other.kind] > RANK[id_.kind]:
                needs[first[id_]].add(last[other])


def _action(
    node: tuple[ResourceId, int],
    step: Step,
    names: Mapping[tuple[ResourceId, int], str],
    needs: Mapping[tuple[ResourceId, int], set[tuple[ResourceId, int]]],
) -> Action:
    return Action(
        id=names[node],
        verb=step.verb,
        resource=node[0],
        reason=step.reason,
        impact=step.impact,
        needs=tuple(sorted((names[other] for other in needs[node]), key=int)),
        blocked=step.blocked,
        paths=step.paths,
        consented=step.consented,
    )


def _resource_plan(case: _Case, actions: Sequence[Action]) -> ResourcePlan:
    subject = case.subject
    options = case.desired.options if case.desired is not None else subject.mark.options if subject.mark is not None else {}
    absent = subject.kind.lifecycle.absent
    wanted = case.desired.state if case.desired is not None else absent if case.steps else subject.state
    return ResourcePlan(
        id=case.id,
        status=_status(case),
        desired_state=wanted,
        observed_state=subject.state if not subject.unseen or subject.mark is None else subject.mark.state,
        differences=case.decision.differences,
        desired=case.desired,
        uuid="" if subject.observed is None else subject.observed.uuid,
        options=options,
        observed_digest=observed_digest(subject.observed),
        note=case.decision.note,
    )


def _status(case: _Case) -> Status:
    if case.decision.not_ours:
        runnable = [step for step in case.steps if step.blocked is None]
        return Status.UPDATE if runnable else Status.NOT_OURS
    if any(step.blocked is None for step in case.steps):
        if case.removing:
            return Status.DELETE
        return Status.CREATE if case.subject.observed is None and case.desired is not None else Status.UPDATE
    late = any(d.cause is Cause.PENDING_RESTART or d.impact is Impact.RESTART for d in case.decision.differences)
    if late and all(step.verb is Verb.RESTART for step in case.steps):
        return Status.PENDING_RESTART
    if case.steps:
        return Status.BLOCKED
    return Status.IN_SYNC


def observed_digest(observed: Observed | None) -> str:
    """Changes whenever what the plan was made from changes; not with a running guest's own numbers."""
    if observed is None:
        return ""
    seen = [observed.uuid, observed.state, observed.autostart, digest(observed.persistent or observed.live or ""), observed.mark is not None]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]
