"""The straight line: manifests + hosts -> Plan. Every command and the controller use this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.engine import hosts as hosts_module
from reconciler.engine.hosts import Hosts
from reconciler.errors import InvalidManifestsError, Problem, UsageError
from reconciler.host import inventory as inventory_module
from reconciler.host import lock
from reconciler.host import rebuild as rebuild_module
from reconciler.host.session import OPEN_TIMEOUT
from reconciler.kinds import KINDS
from reconciler.manifest import catalogue, referring, render, schema
from reconciler.manifest.project import default_host
from reconciler.model.difference import Impact
from reconciler.model.plan import Plan
from reconciler.model.resource import HostSpec, ManifestSet, Project, ResourceId
from reconciler.model.state import Desired, HostFacts, HostState, Mark
from reconciler.planning import planner
from reconciler.planning.allowance import Policy
from reconciler.planning.identity import Settling, settle

if TYPE_CHECKING:
    from reconciler.host.session import Session

__all__ = ["Hosts", "Options", "Prepared", "check", "connected", "holders", "inventory", "load", "prepare", "rebuild", "unlock"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the paths; None: as the Project says."""

    connect: str | None = None
    prune: bool | None = None
    allow: Impact | None = None
    adopt: bool = False
    allow_mass_delete: bool = False
    destroy: bool = False
    correct_reverted: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()

    def policy(self, manifests: ManifestSet) -> Policy:
        """What this run gives leave for. Raises UsageError for a selection that selects nothing."""
        project = manifests.project
        return Policy(
            allow=Impact.parse(project.allow) if self.allow is None else self.allow,
            prune=project.prune if self.prune is None else self.prune,
            destroy=self.destroy,
            adopt=self.adopt,
            allow_mass_delete=self.allow_mass_delete,
            correct_reverted=self.correct_reverted,
            targets=self._selection(manifests),
        )

    def _selection(self, manifests: ManifestSet) -> frozenset[str] | None:
        """Targets and labels as one set of ``Kind/name``; None if neither is given."""
        if not self.labels:
            return frozenset(self.targets) if self.targets else None
        found = {
            str(r.id) for r in manifests.resources if all(r.labels.get(name) == value for name, value in self.labels.items())
        }
        if not found:
            wanted = ", ".join(f"{name}={value}" for name, value in self.labels.items())
            raise UsageError(f"no resource has the labels {wanted}", hint="labels are in metadata.labels")
        return frozenset(found | set(self.targets))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and what it was made from. `volume_paths` are the future paths of declared volumes, by host name and path.

    `aside`: the plan is about something else than the manifests (a snapshot), and what differs from them stays as it is.
    """

    project: Project
    plan: Plan
    desired: tuple[Desired, ...]
    states: tuple[HostState, ...]
    policy: Policy
    volume_paths: Mapping[tuple[str, str], ResourceId] = field(default_factory=dict)
    aside: bool = False
    hosts: tuple[HostSpec, ...] = ()


def now() -> str:
    """The time as plans carry it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def load(paths: Sequence[str], options: Options) -> ManifestSet:
    """The project under `paths`; without any, no project and the connected host alone. InvalidManifestsError, UsageError."""
    if not paths:
        return ManifestSet(Project(name=""), (default_host(options.connect),), ())
    return schema.load(paths, connect=options.connect)


def check(manifests: ManifestSet) -> tuple[Desired, ...]:
    """Everything rendered and checked without asking any host. Raises InvalidManifestsError."""
    wanted, _ = _render(manifests, {spec.name: HostState(HostFacts(spec.name, spec.uri)) for spec in manifests.hosts})
    return tuple(settled(manifests.project, desired, {}) for desired in wanted)


def settled(project: Project, desired: Desired, machines: Mapping[tuple[str, str], str]) -> Desired:
    """What would be given to libvirt on an empty host: with derived UUID, MAC addresses and serials."""
    settling = Settling(project.name, desired.id, KINDS[desired.id.kind], machines, project.ignore)
    return replace(desired, xml=settle(desired.xml, (), settling))


def connected(manifests: ManifestSet, *, timeout: float = OPEN_TIMEOUT) -> AbstractContextManager[Hosts]:
    """The project's hosts, opened side by side; one that does not answer within `timeout` seconds is recorded, not raised."""
    return hosts_module.connected(manifests.project.name, manifests.hosts, timeout=timeout)


def prepare(manifests: ManifestSet, hosts: Hosts, options: Options, *, clock: Callable[[], str] = now) -> Prepared:
    """Observe the hosts, render for them, compare and plan. Raises InvalidManifestsError."""
    states = hosts.observe()
    wanted, paths = _render(manifests, {state.facts.name: state for state in states})
    try:
        ready = replan(manifests.project, wanted, states, options.policy(manifests), paths, clock())
    except InvalidManifestsError as error:
        raise InvalidManifestsError(referring.located(error.problems, manifests)) from None
    return replace(ready, hosts=manifests.hosts)


def replan(
    project: Project,
    wanted: Iterable[Desired],
    states: tuple[HostState, ...],
    policy: Policy,
    paths: Mapping[tuple[str, str], ResourceId],
    created: str,
) -> Prepared:
    """The plan for the same wishes against hosts as they are now."""
    desired = tuple(wanted)
    plan = planner.plan(project, desired, states, policy, created, paths)
    return Prepared(project, plan, desired, states, policy, paths)


def _render(
    manifests: ManifestSet, states: Mapping[str, HostState]
) -> tuple[tuple[Desired, ...], dict[tuple[str, str], ResourceId]]:
    problems: list[Problem] = []
    wanted: list[Desired] = []
    paths: dict[tuple[str, str], ResourceId] = {}
    known = {name: catalogue.of(name, manifests.resources, state.resources) for name, state in states.items()}
    for resource in manifests.resources:
        state, host = states[resource.id.host], known[resource.id.host]
        volume = host.volume(resource.id.pool, resource.id.name) if resource.id.pool else None
        if volume is not None and volume.path:
            paths[resource.id.host, volume.path] = resource.id
        try:
            wanted.append(render.render(resource, manifests.project, state.facts, host))
        except InvalidManifestsError as error:
            problems += error.problems
    if problems:
        raise InvalidManifestsError(problems)
    return tuple(wanted), paths


def inventory(hosts: Hosts) -> dict[str, tuple[Mark, ...]]:
    """What the project owns on each host; without a project in particular, what any project owns."""

    def read(session: Session) -> tuple[Mark, ...]:
        found = inventory_module.survey(session)
        projects = [hosts.project] if hosts.project else list(found.marks)
        return tuple(mark for project in projects for mark in found.marks.get(project, {}).values())

    return hosts.on_each(read)


def rebuild(hosts: Hosts) -> dict[str, tuple[Mark, ...]]:
    """Write each host's inventory anew from the marks that are still there."""
    return hosts.on_each(lambda session: tuple(rebuild_module.rebuild(session, hosts.project)))


def _projects(hosts: Hosts, session: Session) -> Iterator[str]:
    if hosts.project:
        yield hosts.project
    else:
        yield from inventory_module.projects(session)


def holders(hosts: Hosts) -> dict[str, lock.Holder]:
    """Who holds the project's lock, by host; hosts where nobody does are not in it."""
    found = hosts.on_each(lambda s: next((h for p in _projects(hosts, s) if (h := lock.holder(s, p)) is not None), None))
    return {name: holder for name, holder in found.items() if holder is not None}


def unlock(hosts: Hosts) -> None:
    """Break the project's lock on all hosts."""
    hosts.on_each(lambda session: [lock.break_lock(session, project) for project in _projects(hosts, session)])
