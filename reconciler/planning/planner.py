"""All resources of all hosts -> one Plan: decisions, guards, order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.errors import InvalidManifestsError, Problem
from reconciler.model.plan import HostPlan, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import Project, ResourceId
from reconciler.model.state import Desired, HostState
from reconciler.planning import leaving, namesakes, newest, reverted, snapshots
from reconciler.planning.across import Across
from reconciler.planning.allowance import Policy
from reconciler.planning.case import RANK, Case
from reconciler.planning.chains import Layers, raised, resumed
from reconciler.planning.decide import decide, in_sync
from reconciler.planning.heirs import Heir, Heirs
from reconciler.planning.holding import NEEDY, Limits, hold_back, limit
from reconciler.planning.identity import Settling, settle
from reconciler.planning.ignoring import patterns_of, salted_digest
from reconciler.planning.leftover import asked, chosen, leftover, removals, renamed
from reconciler.planning.moves import chain
from reconciler.planning.references import Places, needed
from reconciler.planning.result import resource_plan
from reconciler.planning.scope import all_different, all_matched, targeted, with_needs
from reconciler.planning.step import Step
from reconciler.planning.subject import Decision, subject_of, unseen
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
    across = Across.of(wanted, states, policy, volume_paths)
    by_host: dict[str, list[Desired]] = {state.facts.name: [] for state in states}
    for desired in wanted:
        salted = salted_digest(desired.digest, project.ignore)
        by_host.setdefault(desired.id.host, []).append(replace(across.companions.taken_over(desired), digest=salted))
    cases: dict[ResourceId, Case] = {}
    problems: list[Problem] = []
    for state in map(across.seen, states):
        if state.reachable:
            paths = _on(volume_paths, state.facts.name)
            here, wrong = _plan_host(project, by_host[state.facts.name], state, policy, paths, across)
            for case in here.values():
                snapshots.arrange(case, snapshots.Leave.of(case, policy, created, state))
                chain(case)
            cases |= here
            problems += wrong
    if problems:
        raise InvalidManifestsError(problems)
    across.end(cases, states, policy)
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
    project: Project,
    wanted: Sequence[Desired],
    state: HostState,
    policy: Policy,
    paths: Mapping[str, ResourceId],
    across: Across,
) -> tuple[dict[ResourceId, Case], list[Problem]]:
    named = {desired.id: desired for desired in wanted}
    declared = {} if policy.destroy else named
    places = Places.of(state, paths)
    unnamed = across.unnamed(leftover(named, state, policy))
    going = chosen(unnamed, policy)
    heirs = Heirs.of(declared, going if asked(policy) else {}, state, places)
    layers = Layers(state.resources)
    cases = {id_: _declared_case(project, heirs.rewritten(d), state, policy, layers) for id_, d in declared.items()}
    _tell_heirs(cases, heirs)
    across.begin(cases)
    problems = [problem for case in cases.values() for problem in _settle_needs(case, places, named, state)]
    across.companions.order(cases)
    wanted_by = {(other, id_) for id_, case in cases.items() if not case.removing for other in case.needs}
    if policy.targets is not None:
        about = with_needs({id_ for id_ in cases if targeted(id_, policy.targets)}, cases)
        cases = {id_: case for id_, case in cases.items() if id_ in about}
    givers = {*cases, *going}
    going |= {id_: subject for id_, subject in unnamed.items() if (heir := heirs.going.get(id_)) and heir.giver in givers}
    cases |= removals(going, heirs.going, named, state, policy)
    _wait_for_heirs(cases, heirs.going)
    around = leaving.Around.of(cases, layers, state, heirs.kept)
    for case in cases.values():
        leaving.hold(case, around)
        reverted.hold(case, correct=policy.correct_reverted)
        newest.hold(case, layers, named.keys() | state.inventory.keys())
    namesakes.hold(cases, state)
    hold_back(cases, state, places, policy, Limits(limit(project, state, len(named)), wanted_by))
    namesakes.hold(cases, state)
    return cases, problems


def _tell_heirs(cases: Mapping[ResourceId, Case], heirs: Heirs) -> None:
    """Say of declared volumes why they go with their user, or why they do not."""
    for id_, case in cases.items():
        note = ""
        if (case_heir := heirs.going.get(id_)) is not None:
            case.heir = case_heir
            note = f"{'goes' if case.subject.observed is not None else 'not made'}: {case_heir.asked}"
            told = f"it goes with {case_heir.giver} (onDelete.volumes: {case_heir.policy})"
            case.steps = [replace(step, reason=told) for step in case.steps]
        elif id_ in heirs.kept:
            note = f"stays: {heirs.kept[id_]} uses it, too"
        if note:
            case.decision = replace(case.decision, note="; ".join(filter(None, (note, case.decision.note))))


def _wait_for_heirs(cases: Mapping[ResourceId, Case], heirs: Mapping[ResourceId, Heir]) -> None:
    """Who gives its data up stays until the volumes can be seen that go with it: it is the one that knows of them."""
    for id_, heir in sorted(heirs.items()):
        subject = cases[id_].subject if id_ in cases else None
        if subject is not None and subject.unseen and subject.mark is not None and heir.giver in cases:
            why = f"{id_} goes with it (onDelete.volumes: {heir.policy}), and {subject.unseen}"
            giver = cases[heir.giver]
            giver.steps = [replace(step, blocked=step.blocked or why) for step in giver.steps]


def _on(paths: Mapping[tuple[str, str], ResourceId], host: str) -> dict[str, ResourceId]:
    return {path: id_ for (name, path), id_ in paths.items() if name == host}


def _declared_case(project: Project, desired: Desired, state: HostState, policy: Policy, layers: Layers) -> Case:
    subject = subject_of(desired.id, desired, state, adopt=policy.adopt)
    observed, mark = subject.observed, subject.mark
    now = None if observed is not None else renamed(state).get(desired.id)
    if now is not None and desired.state != subject.kind.lifecycle.absent:
        why = f"it was renamed to {now.name} outside of Vireo: rename it back, or rename it in the manifest"
        return Case(subject, desired, Decision(note=why), [Step(Verb.DEFINE, "the host has it by another name", blocked=why)])
    settling = Settling(project.name, desired.id, subject.kind, state.facts.machines, project.ignore)
    host_xml = None if observed is None else observed.persistent or observed.live
    if observed is not None and not subject.foreign and in_sync(subject, desired, observed):
        return Case(subject, desired)
    before = mark.xml if mark is not None and mark.xml else None  # of a pending one: what libvirt was given
    declared = settle(desired.xml, (before, host_xml), settling)
    intent = settle(before, (host_xml,), settling, derive=False) if before else None
    xml, intent = raised(subject.kind, declared, intent, observed, layers)
    if observed is None and mark is not None:
        xml = resumed(subject.kind, xml, mark.snapshots, layers)
    settled = replace(desired, xml=xml, declared=declared if xml != declared else "")
    subject = replace(subject, desired=settled, intent=intent, ignored=patterns_of(project.ignore, subject.kind))
    decision = decide(subject, settled)
    return Case(subject, settled, decision, list(decision.steps))


def _settle_needs(case: Case, places: Places, declared: Mapping[ResourceId, Desired], state: HostState) -> Iterable[Problem]:
    """Fill in what the case needs; whatever neither side has, and it cannot be made or started without, is a problem."""
    if case.desired is None or not case.steps:
        return
    case.needs = needed(case.subject.kind, (case.desired.xml, case.desired.declared), places, case.id) | _copied(
        case, case.desired
    )
    bringing = case.subject.observed is None or any(step.verb in NEEDY for step in case.steps)
    if case.desired.state == case.subject.kind.lifecycle.absent or not bringing:
        return
    allowed = () if case.desired.state in case.subject.kind.lifecycle.active else case.desired.options.get("allowMissing") or ()
    for other in sorted(case.needs):
        if str(other) in allowed:
            continue
        pool_unknown = bool(other.pool) and unseen(other, state.resources) != ""
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
            (other.kind, other.name, other.pool),
        )


def _copied(case: Case, desired: Desired) -> frozenset[ResourceId]:
    """What a new object is copied from, and where that is: nothing more once it is made."""
    given = desired.options.get(case.subject.kind.copied_from)
    if not given or all(step.verb is not Verb.CREATE for step in case.steps):
        return frozenset()
    pool = str(given.get("pool") or case.id.pool)
    return frozenset({ResourceId(case.id.kind, str(given["volume"]), case.id.host, pool), ResourceId("Pool", pool, case.id.host)})
