"""`vireo migrate`: where a domain is, what speaks against moving it, and a small plan of its own that moves it.

Such a plan is carried out as any other, by the same locks, executor and events; but it is about the move only: what differs from
the manifests is left as it is, and neither applied nor written down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.engine import pipeline
from reconciler.engine.hosts import Hosts
from reconciler.engine.pipeline import Prepared
from reconciler.errors import HostError, StalePlanError, UsageError
from reconciler.host.drivers.migration import choosing, preflight
from reconciler.kinds import KINDS
from reconciler.manifest import editing
from reconciler.model.difference import Impact
from reconciler.model.migration import Check, MigrationSpec
from reconciler.model.plan import Action, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import Location, ManifestSet, Resource, ResourceId
from reconciler.model.state import Desired, HostState, Observed
from reconciler.planning.guard import Situation, guard
from reconciler.planning.step import Step

KIND = "Domain"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: the domain of that name (or ``HOST/NAME``, where it is now) to that host."""

    domain: str
    to: str


@dataclass(frozen=True, slots=True)
class Table:
    """What was found before anything was touched. `reasons` tell how it would travel, empty where it cannot."""

    domain: str
    source: str
    to: str
    checks: tuple[Check, ...]
    reasons: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        return not any(check.forbids for check in self.checks)


def found(prepared: Prepared, request: Request) -> tuple[ResourceId, Observed]:
    """Where the domain is now, active before defined. Raises UsageError where that is not one host, or it is not ours."""
    host, slash, short = request.domain.partition("/")
    name, here = (short, host) if slash and host != KIND else (short or host, "")
    _state(prepared, request.to)
    mine = [
        (id_, seen)
        for state in prepared.states
        for id_, seen in state.resources.items()
        if (id_.kind, id_.name) == (KIND, name) and seen.mark is not None and here in ("", id_.host)
    ]
    if not mine:
        raise _unknown(prepared, name, here)
    active = [entry for entry in mine if entry[1].live is not None]
    chosen = active or mine
    if len(chosen) > 1:
        where = ", ".join(f"{id_.host}/{id_.name}" for id_, _ in chosen)
        raise UsageError(f"there is a domain {name} on several hosts", hint=f"name one of: {where}")
    return chosen[0]


def _unknown(prepared: Prepared, name: str, here: str) -> HostError | UsageError:
    silent = [state for state in prepared.states if not state.reachable and here in ("", state.facts.name)]
    if silent:
        names = ", ".join(state.facts.name for state in silent)
        return HostError(
            f"no host that answers has the domain {name} of this project, and {names} may have it", detail=silent[0].error
        )
    where = f"{here} has no" if here else "no host has a"
    return UsageError(f"{where} domain {name} of this project", hint="vireo status lists what there is, and where")


def _state(prepared: Prepared, host: str) -> HostState:
    """A host that answers. Raises UsageError for one that the project does not have, and HostError."""
    state = next((state for state in prepared.states if state.facts.name == host), None)
    if state is None:
        names = ", ".join(state.facts.name for state in prepared.states)
        raise UsageError(f"the project has no host {host}", hint=f"its hosts: {names}")
    if not state.reachable:
        raise HostError(f"{host} is not reachable", detail=state.error)
    return state


def check(prepared: Prepared, hosts: Hosts, request: Request) -> Table:
    """The preflight alone. Raises UsageError, HostError."""
    id_, seen = found(prepared, request)
    spec = MigrationSpec.of(_options(prepared, id_, seen))
    looked = preflight.examine(hosts.sessions[id_.host], hosts.sessions[request.to], seen.uuid, spec)
    reasons = () if looked.failures else choosing.choose(spec, looked).reasons
    return Table(id_.name, id_.host, request.to, looked.checks, reasons)


def _declared(prepared: Prepared, id_: ResourceId) -> Desired | None:
    """What the manifests say of the domain, wherever they want it."""
    same = [d for d in prepared.desired if (d.id.kind, d.id.name) == (id_.kind, id_.name)]
    return next((d for d in same if d.id.host == id_.host), same[0] if same else None)


def _options(prepared: Prepared, id_: ResourceId, seen: Observed) -> dict[str, object]:
    declared = _declared(prepared, id_)
    return dict(declared.options if declared is not None else seen.mark.options if seen.mark is not None else {})


def prepare(ready: Prepared, request: Request) -> Prepared:
    """The small plan; one without actions where the domain is there already. Raises UsageError, HostError."""
    id_, seen = found(ready, request)
    source, destination = _state(ready, id_.host), _state(ready, request.to)
    there = replace(id_, host=request.to)
    impact = Impact.LIVE if seen.live is not None else Impact.NONE
    read_only = source.facts.read_only or destination.facts.read_only
    step = Step(Verb.MIGRATE, "asked for by hand", impact, source=id_.host)
    blocked = guard(step, Situation(KINDS[KIND], ready.policy.allow, read_only))
    before = next((plan for plan in ready.plan.resources if plan.id == id_), None)
    status = Status.IN_SYNC if before is not None and before.status is Status.IN_SYNC else Status.UPDATE
    plan = ResourcePlan(there, status, seen.state, seen.state, uuid=seen.uuid, options=_options(ready, id_, seen))
    action = Action("1", step.verb, there, step.reason, impact, blocked=blocked, source=id_.host)
    hosts = tuple(host for host in ready.plan.hosts if host.name in (id_.host, request.to))
    moving = id_.host != request.to
    return replace(
        ready, plan=Plan(ready.plan.project, ready.plan.created, hosts, (plan,), (action,) if moving else ()), aside=True
    )


def again(request: Request) -> Callable[[Prepared, Hosts], Prepared]:
    """How the executor looks again before it acts. Raises StalePlanError where it is not what was agreed to any more."""

    def look(prepared: Prepared, hosts: Hosts) -> Prepared:
        whole = pipeline.replan(
            prepared.project, prepared.desired, hosts.observe(), prepared.policy, prepared.volume_paths, prepared.plan.created
        )
        try:
            fresh = prepare(whole, request)
        except UsageError as error:
            raise StalePlanError("the hosts changed meanwhile; nothing was done", detail=error.summary, hint=error.hint) from None
        if [(a.source, a.blocked) for a in fresh.plan.actions] != [(a.source, a.blocked) for a in prepared.plan.actions]:
            raise StalePlanError("the hosts changed meanwhile; nothing was done", hint="look where it is: vireo status")
        return fresh

    return look


def names_other(manifests: ManifestSet, name: str, to: str) -> Location | None:
    """Where the manifest names another host for the domain than `to`; None if it names that one, or there is no manifest."""
    resource = _manifest(manifests, name, to)
    return None if resource is None or resource.id.host == to else resource.document.locate(("spec", "host"))


def rewrite(manifests: ManifestSet, name: str, to: str) -> Location | None:
    """Make the manifest name `to`, in its file, and nothing else; where, None if it does already. Raises UsageError."""
    where = names_other(manifests, name, to)
    resource = _manifest(manifests, name, to)
    if where is not None and resource is not None:
        editing.replace_text(resource.document, ("spec", "host"), to)
    return where


def _manifest(manifests: ManifestSet, name: str, to: str) -> Resource | None:
    same = [r for r in manifests.resources if (r.id.kind, r.id.name) == (KIND, name)]
    return next((r for r in same if r.id.host == to), same[0] if same else None)
