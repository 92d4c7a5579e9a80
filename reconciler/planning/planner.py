"""All resources of all hosts -> one Plan: decisions, guards, order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.errors import InvalidManifestsError, Problem
from reconciler.kinds import KINDS
from reconciler.model.plan import HostPlan, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import Project, ResourceId
from reconciler.model.state import Desired, HostState, Mark
from reconciler.planning.allowance import Policy
from reconciler.planning.case import RANK, Case
from reconciler.planning.decide import decide, in_sync
from reconciler.planning.holding import NEEDY, hold_back, limit
from reconciler.planning.identity import Settling, settle
from reconciler.planning.ignoring import patterns_of, salted_digest
from reconciler.planning.references import Places, needed
from reconciler.planning.removal import inherited_policy, remove
from reconciler.planning.result import resource_plan
from reconciler.planning.scope import all_different, all_matched, targeted, with_needs
from reconciler.planning.step import Step
from reconciler.planning.subject import Decision, Subject
from reconciler.planning.wiring import actions


def plan(
    project: Project,
    wanted: Sequence[Desired],
    states: Sequence[HostState],
    policy: Policy,
    created: str,
    volume_paths: Mapping[tuple[str, str], ResourceId],
) -> Plan:
    """The plan for everything that `wanted` asks and everything that the project owns on the hosts.

    `volume_paths` says where declared volumes will be: (host, path) -> volume.

    Raises InvalidManifestsError where a manifest refers to what neither the manifests nor the host has, CycleError, and
    UsageError for a target that selects nothing and for two hosts that are one.
    """
    all_different(states)
    by_host: dict[str, list[Desired]] = {state.facts.name: [] for state in states}
    for desired in wanted:
        salted = salted_digest(desired.digest, project.ignore)
        by_host.setdefault(desired.id.host, []).append(replace(desired, digest=salted))
    cases: dict[ResourceId, Case] = {}
    problems: list[Problem] = []
    for state in states:
        if state.reachable:
            here, wrong = _plan_host(project, by_host[state.facts.name], state, policy, _on(volume_paths, state.facts.name))
            cases |= here
            problems += wrong
    if problems:
        raise InvalidManifestsError(problems)
    all_matched(policy.targets or (), {*cases, *(d.id for d in wanted)}, states)
    ordered_actions = actions(cases)
    unreachable = {state.facts.name: state.error for state in states if not state.reachable}
    resources = [resource_plan(case) for case in cases.values()]
    resources += [
        ResourcePlan(d.id, Status.UNREACHABLE, d.state, "unknown", desired=d, note=unreachable[d.id.host])
        for d in wanted
        if d.id.host in unreachable
    ]
    hosts = tuple(HostPlan(s.facts.name, s.facts.uri, s.facts.uuid, s.reachable, s.error) for s in states)
    resources.sort(key=lambda r: (r.id.host, RANK[r.id.kind], r.id))
    return Plan(project.name, created, hosts, tuple(resources), tuple(ordered_actions))


def _plan_host(
    project: Project, wanted: Iterable[Desired], state: HostState, policy: Policy, paths: Mapping[str, ResourceId]
) -> tuple[dict[ResourceId, Case], list[Problem]]:
    declared = {desired.id: desired for desired in wanted}
    places = Places.of(state, paths)
    cases = {} if policy.destroy else {id_: _declared_case(project, d, state, policy) for id_, d in declared.items()}
    problems = [problem for case in cases.values() for problem in _settle_needs(case, places, declared, state)]
    if policy.targets is not None:
        chosen = with_needs({id_ for id_ in cases if targeted(id_, policy.targets)}, cases)
        cases = {id_: case for id_, case in cases.items() if id_ in chosen}
    cases |= _leftover(declared, state, policy)
    hold_back(cases, state, places, policy, limit(project, state, len(declared)))
    return cases, problems


def _on(paths: Mapping[tuple[str, str], ResourceId], host: str) -> dict[str, ResourceId]:
    return {path: id_ for (name, path), id_ in paths.items() if name == host}


def _known_mark(id_: ResourceId, state: HostState) -> Mark | None:
    seen = state.resources.get(id_)
    return (seen.mark if seen is not None else None) or state.inventory.get(id_)


def _subject(id_: ResourceId, desired: Desired | None, state: HostState, policy: Policy) -> Subject:
    mark = _known_mark(id_, state)
    observed = state.resources.get(id_)
    foreign = state.foreign_marks.get(id_, "")
    if not foreign and observed is not None and observed.mark is None and mark is not None and mark.uuid in ("", observed.uuid):
        observed = replace(observed, mark=mark)
    return Subject(
        kind=KINDS[id_.kind],
        id=id_,
        desired=desired,
        observed=observed,
        mark=mark,
        foreign=foreign,
        adopt=policy.adopt,
        unseen=_unseen(id_, state),
    )


def _renamed(state: HostState) -> dict[ResourceId, ResourceId]:
    """What our objects were called when they were last applied -> what they are called now."""
    return {seen.mark.id: id_ for id_, seen in state.resources.items() if seen.mark is not None and seen.mark.id != id_}


def _unseen(id_: ResourceId, state: HostState) -> str:
    pool = state.resources.get(ResourceId("Pool", id_.pool, id_.host)) if id_.pool else None
    if not id_.pool or (pool is not None and pool.live is not None):
        return ""
    return f"its pool {id_.pool} is not active, so the host cannot tell"


def _declared_case(project: Project, desired: Desired, state: HostState, policy: Policy) -> Case:
    subject = _subject(desired.id, desired, state, policy)
    observed, mark = subject.observed, subject.mark
    now = None if observed is not None else _renamed(state).get(desired.id)
    if now is not None and desired.state != subject.kind.lifecycle.absent:
        why = f"it was renamed to {now.name} outside of Vireo: rename it back, or rename it in the manifest"
        return Case(subject, desired, Decision(note=why), [Step(Verb.DEFINE, "the host has it by another name", blocked=why)])
    settling = Settling(project.name, desired.id, subject.kind, state.facts.machines, project.ignore)
    host_xml = None if observed is None else observed.persistent or observed.live
    if observed is not None and not subject.foreign and in_sync(subject, desired, observed):
        return Case(subject, desired)
    before = mark.xml if mark is not None and mark.xml else None  # of a pending one: what libvirt was given
    settled = replace(desired, xml=settle(desired.xml, (before, host_xml), settling))
    intent = settle(before, (host_xml,), settling, derive=False) if before else None
    subject = replace(subject, desired=settled, intent=intent, ignored=patterns_of(project.ignore, subject.kind))
    decision = decide(subject, settled)
    return Case(subject, settled, decision, list(decision.steps))


def _settle_needs(case: Case, places: Places, declared: Mapping[ResourceId, Desired], state: HostState) -> Iterable[Problem]:
    """Fill in what the case needs; whatever neither side has, and it cannot be made or started without, is a problem."""
    if case.desired is None or not case.steps:
        return
    case.needs = needed(case.subject.kind, (case.desired.xml,), places, case.id) | _copied(case, case.desired)
    bringing = case.subject.observed is None or any(step.verb in NEEDY for step in case.steps)
    if case.desired.state == case.subject.kind.lifecycle.absent or not bringing:
        return
    for other in sorted(case.needs):
        pool_unknown = bool(other.pool) and _unseen(other, state) != ""
        if (
            other in declared
            or other in state.resources
            or (pool_unknown and ResourceId("Pool", other.pool, other.host) in declared)
        ):
            continue
        if pool_unknown and ResourceId("Pool", other.pool, other.host) in state.resources:
            continue
        source = case.desired.source
        yield Problem(
            source.file,
            source.line,
            source.column,
            f"{case.id}",
            f"refers to {other}, which neither the manifests nor {other.host} has",
            "declare it, or make it on the host",
        )


def _copied(case: Case, desired: Desired) -> frozenset[ResourceId]:
    """What a new object is copied from, and where that is: nothing more once it is made."""
    given = desired.options.get(case.subject.kind.copied_from)
    if not given or all(step.verb is not Verb.CREATE for step in case.steps):
        return frozenset()
    pool = str(given.get("pool") or case.id.pool)
    return frozenset({ResourceId(case.id.kind, str(given["volume"]), case.id.host, pool), ResourceId("Pool", pool, case.id.host)})


def _leftover(declared: Mapping[ResourceId, Desired], state: HostState, policy: Policy) -> dict[ResourceId, Case]:
    """What the project owns and no manifest names."""
    owned = {id_ for id_, seen in state.resources.items() if seen.mark is not None} | set(state.inventory)
    renamed = {} if policy.destroy else {now: before for before, now in _renamed(state).items() if before in declared}
    gone = sorted(id_ for id_ in owned if policy.destroy or (id_ not in declared and id_ not in renamed))
    if policy.targets is not None:
        gone = [id_ for id_ in gone if targeted(id_, policy.targets)]
    asked = "everything of the project goes" if policy.destroy else "no manifest names it any more" if policy.prune else ""
    subjects = {id_: _subject(id_, None, state, policy) for id_ in gone}
    uuids = {(id_.kind, seen.uuid) for id_, seen in state.resources.items() if id_ in declared and seen.mark is not None}
    places = Places.of(state, {})
    inherited: dict[ResourceId, str] = {}
    for subject in subjects.values():
        policy_word = inherited_policy(subject.mark.options) if subject.mark is not None else ""
        if policy_word and subject.observed is not None:
            for other in needed(subject.kind, (subject.observed.persistent, subject.observed.live), places, subject.id):
                inherited[other] = policy_word
    out = {}
    for id_, subject in subjects.items():
        moved = subject.observed is None and subject.mark is not None and (id_.kind, subject.mark.uuid) in uuids
        decision = remove(subject, asked="it has another name now" if moved else asked, inherited=inherited.get(id_, ""))
        seen = subject.observed
        wants = (
            needed(subject.kind, (seen.persistent, seen.live), places, id_)
            if seen is not None and decision.steps
            else frozenset()
        )
        out[id_] = Case(subject, None, decision, list(decision.steps), wants)
    return out
