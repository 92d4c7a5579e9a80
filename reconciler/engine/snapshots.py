"""`vireo snapshot`: what a domain has, and small plans of their own that take, delete and revert to snapshots.

Such a plan is carried out as any other, by the same lock, executor and events; but it is about snapshots only: what differs from
the manifests is left as it is, and neither applied nor written down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.engine import pipeline
from reconciler.engine.hosts import Hosts
from reconciler.engine.pipeline import Prepared
from reconciler.errors import HostError, StalePlanError, UsageError
from reconciler.kinds import KINDS
from reconciler.kinds.spellings import location
from reconciler.model.difference import Impact
from reconciler.model.plan import Action, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import ResourceId
from reconciler.model.snapshot import Snapshot, SnapshotSpec, reverting
from reconciler.model.state import HostState, Observed
from reconciler.planning import taken
from reconciler.planning.guard import Situation, guard
from reconciler.planning.snapshots import before
from reconciler.planning.step import Step
from reconciler.xmltree.document import parse

KIND = "Domain"
_NAME = re.compile(r"[^/\\.\s-]([^/\x00-\x1f\x7f]*[^/\s\x00-\x1f\x7f])?")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One snapshot. `ours`: Vireo took it; `declared`: the manifest asks for it by name. `size`: bytes that its files take on the
    host (overlays, memory image), as far as pools know them; None where all of it is within the disks.
    """

    snapshot: Snapshot
    ours: bool
    declared: bool
    size: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A domain and its snapshots, parents before children. `reverted` is the one that it was reverted to, if it still is;
    `reverting` the one of a revert that was begun and not finished.
    """

    plan: ResourcePlan
    rows: tuple[Row, ...]
    reverted: str = ""
    reverting: str = ""

    @property
    def id(self) -> ResourceId:
        return self.plan.id


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: a verb of snapshots, of the domain of that name (or ``HOST/NAME``)."""

    verb: Verb
    domain: str
    spec: SnapshotSpec


def listings(prepared: Prepared, name: str = "") -> tuple[Listing, ...]:
    """The project's domains that there are, or the one of that name. Raises UsageError, HostError."""
    if name:
        return (_listing(prepared, _named(prepared, name)),)
    plans = (plan for plan in prepared.plan.resources if plan.id.kind == KIND)
    return tuple(_listing(prepared, plan) for plan in plans if _mine(prepared, plan.id) is not None)


def counted(states: Sequence[HostState]) -> dict[ResourceId, tuple[int, int]]:
    """How many snapshots the project's domains have, and how many of them Vireo did not take; none are left out."""
    found = {id_: seen for state in states for id_, seen in state.resources.items() if seen.mark is not None and taken.held(seen)}
    return {id_: (all_ := len(taken.held(seen)), all_ - len(taken.ours(seen, seen.mark))) for id_, seen in found.items()}


def _named(prepared: Prepared, name: str) -> ResourcePlan:
    """The one domain of the project that `name` means."""
    host, slash, short = name.partition("/")
    if host == KIND:
        slash = ""
    domains = [plan for plan in prepared.plan.resources if plan.id.kind == KIND]
    found = [plan for plan in domains if plan.id.name == (short or name) and (not slash or plan.id.host == host)]
    if not found:
        names = ", ".join(sorted({plan.id.name for plan in domains}))
        raise UsageError(
            f"the project has no domain {name}", hint=f"it has: {names}" if names else "PATH is where its manifests are"
        )
    if len(found) > 1:
        hosts = ", ".join(f"{plan.id.host}/{plan.id.name}" for plan in found)
        raise UsageError(f"there is a domain {name} on several hosts", hint=f"name one of: {hosts}")
    [plan] = found
    if plan.status is Status.UNREACHABLE:
        raise HostError(f"{plan.id}: its host {plan.id.host} is not reachable", detail=plan.note)
    if _mine(prepared, plan.id) is None:
        why = "it belongs to nobody, or to another project" if plan.uuid else "the host does not have it"
        raise UsageError(f"{plan.id} cannot have snapshots: {why}", hint="vireo plan shows what apply would do about it")
    return plan


def _state(prepared: Prepared, id_: ResourceId) -> HostState:
    return next(state for state in prepared.states if state.facts.name == id_.host)


def _mine(prepared: Prepared, id_: ResourceId) -> Observed | None:
    seen = _state(prepared, id_).resources.get(id_)
    return seen if seen is not None and seen.mark is not None else None


def _listing(prepared: Prepared, plan: ResourcePlan) -> Listing:
    state, seen = _state(prepared, plan.id), _mine(prepared, plan.id)
    mark = None if seen is None else seen.mark
    ours = {snapshot.name for snapshot in taken.ours(seen, mark)}
    options = plan.desired.options if plan.desired is not None else {}
    declared = {spec.name for spec in taken.declared(options)}
    sizes = _sizes(state)
    rows = tuple(Row(s, s.name in ours, s.name in declared, _size(s, sizes)) for s in taken.held(seen))
    noted = "" if mark is None else mark.reverted
    begun = reverting(noted)
    return Listing(plan, rows, "" if begun else noted, begun)


def _sizes(state: HostState) -> Callable[[str], int | None]:
    """What a file takes on its host, if a pool knows it."""
    volumes = {location(seen.uuid): seen for id_, seen in state.resources.items() if id_.pool}

    def size(path: str) -> int | None:
        seen = volumes.get(location(path))
        text = parse(seen.persistent).findtext("allocation") if seen is not None and seen.persistent else None
        return None if text is None else int(text)

    return size


def _size(snapshot: Snapshot, sizes: Callable[[str], int | None]) -> int | None:
    files = [*snapshot.overlays.values(), *([snapshot.memory_file] if snapshot.memory_file else [])]
    known = [size for path in files if (size := sizes(path)) is not None]
    return sum(known) if known else None


def found(listing: Listing, name: str) -> Row:
    """The snapshot of that name. Raises UsageError."""
    row = next((row for row in listing.rows if row.snapshot.name == name), None)
    if row is None:
        names = ", ".join(row.snapshot.name for row in listing.rows)
        raise UsageError(f"{listing.id} has no snapshot {name}", hint=f"it has: {names}" if names else "it has none")
    return row


def later(listing: Listing, row: Row) -> tuple[str, ...]:
    """The snapshots that were taken after this one."""
    mine = (row.snapshot.created, listing.rows.index(row))
    return tuple(other.snapshot.name for n, other in enumerate(listing.rows) if (other.snapshot.created, n) > mine)


def prepare(ready: Prepared, request: Request) -> Prepared:
    """The small plan. Raises UsageError where the domain or the snapshot is not there, or one to be taken is."""
    plan = _named(ready, request.domain)
    listing = _listing(ready, plan)
    if request.verb is Verb.SNAPSHOT:
        _check_new(listing, request.spec.name)
    else:
        found(listing, request.spec.name)
    steps = list(_steps(ready, listing, request))
    last = str(len(steps))
    actions = tuple(_action(plan, step, str(n), tuple(str(m) for m in range(1, n))) for n, step in enumerate(steps, 1))
    if any(action.blocked for action in actions if action.id == last):
        actions = actions[-1:]
    hosts = tuple(host for host in ready.plan.hosts if host.name == plan.id.host)
    status = plan.status if plan.status is Status.IN_SYNC else Status.UPDATE
    return replace(
        ready, plan=Plan(ready.plan.project, ready.plan.created, hosts, (replace(plan, status=status),), actions), aside=True
    )


def _check_new(listing: Listing, name: str) -> None:
    if _NAME.fullmatch(name) is None or len(name) > _LONGEST:
        raise UsageError(
            f"{name!r} is no name for a snapshot", hint="no '/', no line break, no dot, dash or blank at the beginning"
        )
    if any(row.snapshot.name == name for row in listing.rows):
        raise UsageError(
            f"{listing.id} has a snapshot {name} already", hint=f"vireo snapshot delete {listing.id.name} {name} removes it"
        )


def _steps(ready: Prepared, listing: Listing, request: Request) -> Iterator[Step]:
    """The request as steps, guarded; before a revert the snapshot that the manifest asks for before a loss of data.

    While a revert is not finished nothing but a revert is done, and no snapshot is taken of what it left.
    """
    plan, begun = listing.plan, listing.reverting
    read_only = _state(ready, plan.id).facts.read_only
    asked = "asked for by hand"
    ceilings = {Verb.DELETE_SNAPSHOT: Impact.DATA_LOSS}  # the guest loses nothing: who names a snapshot to be deleted means it
    situation = Situation(KINDS[KIND], ceilings.get(request.verb, ready.policy.allow), read_only)
    active = plan.observed_state in KINDS[KIND].lifecycle.active
    impact = (Impact.LIVE if active else Impact.NONE) if request.verb is Verb.SNAPSHOT else Impact.DATA_LOSS
    step = Step(request.verb, asked, impact, snapshot=request.spec)
    step = replace(step, blocked=guard(step, situation))
    if begun and request.verb is not Verb.REVERT:
        why = f"the revert to {begun} was begun and not finished: `vireo snapshot revert {plan.id.name} {begun}` finishes it"
        step = replace(step, blocked=step.blocked or why)
    if request.verb is Verb.REVERT and not begun and impact.label in (plan.options.get(taken.BEFORE) or ()):
        spec = before(request.verb, impact, ready.plan.created)
        yield Step(Verb.SNAPSHOT, f"snapshotBefore: {impact.label} asks for {spec.name}", Impact.LIVE, snapshot=spec)
    yield step


def _action(plan: ResourcePlan, step: Step, number: str, needs: tuple[str, ...]) -> Action:
    return Action(number, step.verb, plan.id, step.reason, step.impact, needs, step.blocked, snapshot=step.snapshot)


def again(request: Request) -> Callable[[Prepared, Hosts], Prepared]:
    """How the executor looks again before it acts. Raises StalePlanError where it is not what was agreed to any more."""

    def look(prepared: Prepared, hosts: Hosts) -> Prepared:
        states = hosts.observe()
        whole = pipeline.replan(
            prepared.project, prepared.desired, states, prepared.policy, prepared.volume_paths, prepared.plan.created
        )
        try:
            fresh = prepare(whole, request)
        except UsageError as error:
            raise StalePlanError("the host changed meanwhile; nothing was done", detail=error.summary, hint=error.hint) from None
        if _agreed(fresh, request) != _agreed(prepared, request):
            raise StalePlanError("the host changed meanwhile; nothing was done", hint="look again: vireo snapshot list")
        return fresh

    return look


def _agreed(prepared: Prepared, request: Request) -> tuple[object, ...]:
    """What a person agreed to: the actions, and which snapshots there are, as far as it matters to what is asked for."""
    listing = _listing(prepared, _named(prepared, request.domain))
    actions = tuple((action.verb, action.blocked) for action in prepared.plan.actions)
    matters = {Verb.SNAPSHOT: set[str](), Verb.DELETE_SNAPSHOT: {request.spec.name}}
    names = matters.get(request.verb, {row.snapshot.name for row in listing.rows})
    rows = tuple((row.snapshot.name, row.snapshot.created) for row in listing.rows if row.snapshot.name in names)
    return actions, listing.plan.uuid, rows
