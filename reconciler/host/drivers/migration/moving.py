"""Moving one domain by the route that was chosen, to the end: exactly one guest afterwards, and a true word about where.

Whatever the call says, both hosts are looked at afterwards, and what counts is what they have. What can be mended is mended here.
"""

from __future__ import annotations

from typing import NoReturn

import libvirt

from reconciler.errors import HostError, HostUnreachableError
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.migration import healing, refusals, storage
from reconciler.host.drivers.migration.carrying import Carrier, flags_of
from reconciler.host.drivers.migration.move import Move
from reconciler.host.drivers.migration.pair import Pair
from reconciler.host.drivers.migration.standing import Standing, look
from reconciler.host.drivers.migration.watching import GLANCE, Watch
from reconciler.model.guest import Guest
from reconciler.model.migration import Moved

__all__ = ["Move", "migrate", "recover"]

PAUSE = 0.5  # seconds between two attempts to go on with a post-copy

_UNNOTICED = "migration is still running"  # QEMU has not seen yet that the stream is cut
_ARRIVED = frozenset({Standing.AT_DESTINATION, Standing.LEFT_HERE, Standing.UNCONFIRMED})
_PASSING = frozenset({Standing.UNDER_WAY, Standing.UNDECIDED, Standing.HALF_ARRIVED})
_SAFE_TO_CLEAN = frozenset({Standing.AT_SOURCE, Standing.LEFT_THERE})


def migrate(move: Move) -> Moved:
    """Makes the volumes that are to be filled, moves the domain, and sees that all is as it was, at the destination.

    A guest that was paused stays so, a transient one stays transient, autostart is set again. Raises HostError if the domain is
    not at the destination afterwards; its detail says where it is, and its hint what to do.
    """
    begin = move.clock()
    guest = Pair.of(move.source, move.destination, move.uuid, move.spec).guest
    if guest.active == move.route.offline:
        raise HostError(f"{guest.name} has been started or stopped since its move was planned", hint="plan again")
    flags_of(move.route)
    made = storage.prepare(move.destination, move.route.copies, incremental="non-shared-inc" in move.route.flags)
    watch = Watch(move)
    carrier = Carrier(move.source, move.destination, move.uuid, move.route)
    try:
        watch.follow(carrier)
    except BaseException:
        watch.give_up(carrier)
        if look(move.source, move.destination, move.uuid)[0] in _SAFE_TO_CLEAN:
            storage.remove(move.destination, made)
        raise
    standing = _settled(move)
    if standing not in _ARRIVED:
        _fail(move, guest, watch, carrier.error, made)
    notes = [] if carrier.error is None else [f"libvirt said: {carrier.error.detail or carrier.error.summary}"]
    notes.extend(_set_right(move, guest))
    downtime, transferred = _completed(move)
    return Moved(
        seconds=move.clock() - begin,
        downtime=downtime,
        transferred=transferred or watch.last.transferred,
        copied=tuple(disk.source for disk in move.route.copies),
        made=made,
        notes=tuple(notes),
    )


def recover(move: Move) -> None:
    """Goes on with a post-copy that was cut off, by the route that choosing.resuming gives. Raises HostError."""
    deadline = move.clock() + move.patience
    while True:
        carrier = Carrier(move.source, move.destination, move.uuid, move.route)
        while not carrier.done:
            move.sleep(GLANCE)
        standing = _settled(move)
        if standing in _ARRIVED:
            healing.heal(move.source, move.destination, move.uuid)
            return
        error = carrier.error or HostError(standing.value)
        if _UNNOTICED not in error.detail or move.clock() >= deadline:
            break
        move.sleep(PAUSE)
    raise HostError(
        f"the post-copy could not go on: {error.detail or error.summary}",
        detail=standing.value,
        hint=healing.BY_HAND.get(standing, "plan again").replace("NAME", move.uuid),
    )


def _settled(move: Move) -> Standing:
    """How it stands when both daemons have finished with it. Lost connections are opened again, as long as patience lasts."""
    deadline = move.clock() + move.patience
    while True:
        for session in (move.source, move.destination):
            try:
                session.reconnect(patience=max(0.0, deadline - move.clock()))
            except HostUnreachableError:
                continue
        standing, _, _ = look(move.source, move.destination, move.uuid)
        if standing not in _PASSING or move.clock() >= deadline:
            return standing
        move.sleep(GLANCE)


def _fail(move: Move, guest: Guest, watch: Watch, error: HostError | None, made: tuple[str, ...]) -> NoReturn:
    """Cleans up what can be, then raises."""
    standing, done = healing.heal(move.source, move.destination, move.uuid)
    left: tuple[str, ...] = ()
    if standing in _SAFE_TO_CLEAN:
        left = storage.remove(move.destination, made)
        if watch.suspended and not guest.paused:
            _resume(move)
    standing, here, there = look(move.source, move.destination, move.uuid)
    reason = watch.given_up or (error.detail or error.summary if error else "libvirt reported no error")
    parts = [healing.told(standing, here, there, move.source.spec.name, move.destination.spec.name), done]
    parts.append(f"half-made volumes stay at {move.destination.spec.name}: {', '.join(left)}" if left else "")
    hint = healing.BY_HAND.get(standing, "") or (refusals.advice(error) if error and not watch.given_up else "")
    raise HostError(
        f"{guest.name} was not moved to {move.destination.spec.name}: {reason}",
        detail="; ".join(part for part in parts if part),
        hint=hint.replace("NAME", guest.name),
    )


def _resume(move: Move) -> None:
    """A guest that we have suspended, so that it would get through, goes on at the source."""
    domain = find(move.source, "virDomainLookupByUUIDString", move.source.conn.lookupByUUIDString, move.uuid)
    if domain is not None and move.source.call("virDomainGetState", domain.state)[0] == libvirt.VIR_DOMAIN_PAUSED:
        move.source.call("virDomainResume", domain.resume)


def _set_right(move: Move, guest: Guest) -> list[str]:
    """What libvirt does not carry over, and what a confirmation that was lost has left. What fails here is only told."""
    notes: list[str] = []
    try:
        standing, done = healing.heal(move.source, move.destination, move.uuid)
        notes.extend([done] if done else [])
        if standing is not Standing.AT_DESTINATION:
            notes.append(standing.value)
        domain = move.destination.call("virDomainLookupByUUIDString", move.destination.conn.lookupByUUIDString, move.uuid)
        if guest.autostart:
            move.destination.call("virDomainSetAutostart", domain.setAutostart, 1)
    except HostError as error:
        notes.append(error.summary)
    return notes


def _completed(move: Move) -> tuple[float | None, int]:
    """Downtime in seconds and bytes, as the destination counted them; None where it tells nothing."""
    conn, completed = move.destination.conn, libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED
    try:
        domain = move.destination.call("virDomainLookupByUUIDString", conn.lookupByUUIDString, move.uuid)
        stats = move.destination.call("virDomainGetJobStats", domain.jobStats, completed)
    except HostError:
        return None, 0
    downtime = stats.get(libvirt.VIR_DOMAIN_JOB_DOWNTIME)
    return None if downtime is None else downtime / 1000, int(stats.get(libvirt.VIR_DOMAIN_JOB_DATA_PROCESSED, 0))
