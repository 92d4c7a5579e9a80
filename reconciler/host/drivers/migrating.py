"""A domain that is to be on this host and is on another: brought here, or what an interrupted move has left is mended.

The step's own host is the destination. What is marked and listed where is not this module's matter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from reconciler.errors import HostError
from reconciler.host.drivers.domain import ours
from reconciler.host.drivers.migration import choosing, healing, moving, preflight
from reconciler.host.drivers.migration.standing import Standing, look
from reconciler.host.drivers.ownership import uuid_of
from reconciler.host.drivers.step import Step
from reconciler.host.session import Session
from reconciler.model.migration import MigrationSpec, Preflight, Progress, Route

PACE = 1.0  # seconds between two reports of the same phase

_ASKING = threading.Lock()
"""One preflight at a time: two that look for their markers in one folder would meet in one pool, and take it from each other."""

_HERE = frozenset({Standing.AT_DESTINATION})
_READY = frozenset({Standing.AT_SOURCE, Standing.LEFT_THERE, Standing.TWICE_STOPPED})


def migrate(step: Step) -> None:
    """By virDomainMigrate3 or virDomainMigrateToURI3, after the whole preflight. Given up when the step says `stopping`.

    Raises HostError if the domain is not here afterwards: it tells where it is.
    """
    source, uuid = _source(step), uuid_of(step)
    standing, done = healing.heal(source, step.session, uuid)
    if done:
        step.report(done, None)
    if standing in _HERE:
        return
    spec = _limited(MigrationSpec.of(step.options), step.bandwidth)
    if standing is Standing.POST_COPY_FAILED:
        route = choosing.resuming(spec, _examined(source, step.session, uuid, spec))
        moving.recover(_move(step, source, spec, route))
        return
    if standing not in _READY:
        raise HostError(
            f"{step.id} cannot be moved from {source.spec.name} to {step.session.spec.name} now: {standing.value}",
            hint=healing.BY_HAND.get(standing, "plan again").replace("NAME", step.id.name),
        )
    ours(replace(step, session=source))
    route = choosing.choose(spec, _examined(source, step.session, uuid, spec))
    for reason in route.reasons:
        step.report(reason, None)
    moved = moving.migrate(_move(step, source, spec, route))
    for note in (*moved.notes, *_left(moved.copied, source)):
        step.report(note, None)


def arrived(step: Step) -> bool:
    """Whether the domain is here, in whatever state, or may be: a host that does not answer cannot tell."""
    standing, _, there = look(_source(step), step.session, uuid_of(step))
    return standing is Standing.UNKNOWN or there.alive or there.persistent


def _source(step: Step) -> Session:
    if step.source is None:
        message = f"{step.id}: a migration without a source"
        raise TypeError(message)
    return step.source


def _examined(source: Session, destination: Session, uuid: str, spec: MigrationSpec) -> Preflight:
    with _ASKING:
        return preflight.examine(source, destination, uuid, spec)


def _limited(spec: MigrationSpec, bandwidth: int) -> MigrationSpec:
    """As slow as the hosts want it, if that is slower than the domain wants it."""
    return replace(spec, bandwidth=min(given for given in (spec.bandwidth or bandwidth, bandwidth))) if bandwidth else spec


def _left(copied: tuple[str, ...], source: Session) -> list[str]:
    """What copied disks leave: nothing deletes them, as a guest that comes back could need them."""
    return [f"the old copy of {path} stays at {source.spec.name}" for path in copied]


def _move(step: Step, source: Session, spec: MigrationSpec, route: Route) -> moving.Move:
    return moving.Move(
        source=source,
        destination=step.session,
        uuid=uuid_of(step),
        spec=spec,
        route=route,
        report=_paced(step),
        clock=step.clock,
        sleep=step.sleep,
        stopping=step.stopping,
    )


def _paced(step: Step) -> Callable[[Progress], None]:
    """Progress as the step's reports: each new phase and pass, and between them one now and then."""
    said: tuple[str, int] = ("", 0)
    at = step.clock() - PACE

    def report(progress: Progress) -> None:
        nonlocal said, at
        now, what = step.clock(), (progress.phase, progress.iteration)
        if what != said or now - at >= PACE:
            said, at = what, now
            step.report(progress.message, progress.fraction)

    return report
