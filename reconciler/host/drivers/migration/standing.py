"""Where a domain that is, or was, on its way stands: what each host has of it, and what both together mean. Looking only."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

import libvirt

from reconciler.errors import ConnectionLostError, HostUnreachableError, LibvirtCallError
from reconciler.host import failures
from reconciler.host.session import Session

ATTEMPTS = 10  # looks at a domain that does not hold still


class Seen(enum.Enum):
    """What one host has of a domain. HALTED: stopped by a migration, at either end of it. BROKEN: its post-copy failed."""

    ABSENT = "it is not there"
    STOPPED = "it is stopped"
    RUNNING = "it is running"
    PAUSED = "it is paused"
    HALTED = "it is halted for a migration"
    POST_COPY = "it is in the middle of a post-copy"
    BROKEN = "its post-copy has failed"
    UNKNOWN = "the host does not answer"


class Standing(enum.Enum):
    """What both hosts together mean. The source is the host that the domain comes from."""

    AT_SOURCE = "it is at the source"
    AT_DESTINATION = "it is at the destination"
    UNDER_WAY = "it is being moved"
    LEFT_HERE = "it is active at the destination, and still defined at the source"
    LEFT_THERE = "it is active at the source, and a definition of it is at the destination"
    TWICE_STOPPED = "it is stopped, and defined on both hosts"
    HALF_ARRIVED = "it is at the source, and what has arrived at the destination is of no use"
    UNCONFIRMED = "it goes on at the destination, and the source still holds it back"
    CUT_OFF = "it is halted at the source, and never went on at the destination"
    UNDECIDED = "it is halted, and whether it went on at the destination is not known"
    SPLIT = "it is active on both hosts"
    POST_COPY_FAILED = "its memory is on both hosts, because post-copy was cut off"
    LOST = "its memory was lost, because the destination failed during post-copy"
    GONE = "it is on neither host"
    UNKNOWN = "a host does not answer"


@dataclass(frozen=True, slots=True)
class Sight:
    """One host's part. `moving` says that a migration away from it is under way."""

    seen: Seen
    persistent: bool = False
    moving: bool = False

    @property
    def alive(self) -> bool:
        return self.seen in (Seen.RUNNING, Seen.PAUSED)


_REASONS = MappingProxyType(
    {
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION): Seen.HALTED,
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP): Seen.HALTED,
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY): Seen.POST_COPY,
        (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY): Seen.POST_COPY,
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED): Seen.BROKEN,
        (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED): Seen.BROKEN,
    }
)
_STATES = MappingProxyType({libvirt.VIR_DOMAIN_SHUTOFF: Seen.STOPPED, libvirt.VIR_DOMAIN_PAUSED: Seen.PAUSED})


def look(source: Session, destination: Session, uuid: str) -> tuple[Standing, Sight, Sight]:
    """Asks the source, the destination, and the source once more: a migration that ends in between would look like a loss.

    The source's answer counts if it is the same both times; else both are asked again.
    """
    here = see(source, uuid)
    for _ in range(ATTEMPTS):
        there, again = see(destination, uuid), see(source, uuid)
        if here == again:
            return judge(here, there), here, there
        here = again
    return Standing.UNDER_WAY, here, see(destination, uuid)


def see(session: Session, uuid: str) -> Sight:
    """One host's part: virDomainGetState and virDomainGetJobStats. A host that does not answer is an answer, too."""
    try:
        domain = session.call("virDomainLookupByUUIDString", session.conn.lookupByUUIDString, uuid)
        state, reason = session.call("virDomainGetState", domain.state)
        persistent = bool(session.call("virDomainIsPersistent", domain.isPersistent))
        seen = _REASONS.get((state, reason)) or _STATES.get(state, Seen.RUNNING)
        return Sight(seen, persistent, moving=seen is not Seen.STOPPED and outgoing(session, domain))
    except LibvirtCallError as error:
        return Sight(Seen.ABSENT if error.code in failures.ABSENT else Seen.UNKNOWN)
    except (ConnectionLostError, HostUnreachableError):
        return Sight(Seen.UNKNOWN)


def outgoing(session: Session, domain: libvirt.virDomain) -> bool:
    """Whether the domain is being migrated away. libvirt counts at the source only, and refuses to at the destination."""
    try:
        stats = session.call("virDomainGetJobStats", domain.jobStats)
    except LibvirtCallError:
        return False
    out: int = libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
    return bool(stats.get("type")) and stats.get(libvirt.VIR_DOMAIN_JOB_OPERATION) == out


def judge(here: Sight, there: Sight) -> Standing:
    """What both parts mean. Pure."""
    if Seen.UNKNOWN in (here.seen, there.seen):
        return Standing.UNKNOWN
    if here.seen is not Seen.BROKEN and (here.moving or here.seen is Seen.POST_COPY):
        return Standing.UNDER_WAY
    match here.seen:
        case Seen.RUNNING | Seen.PAUSED:
            return _ALIVE_HERE[there.seen]
        case Seen.HALTED:
            return _halted_here(here, there)
        case Seen.BROKEN:
            return Standing.LOST if there.seen in (Seen.ABSENT, Seen.STOPPED) else Standing.POST_COPY_FAILED
        case Seen.STOPPED:
            return _STOPPED_HERE[there.seen]
        case Seen.ABSENT:
            return _ABSENT_HERE[there.seen]
        case Seen.POST_COPY | Seen.UNKNOWN:
            return Standing.UNKNOWN
    assert_never(here.seen)


def _halted_here(here: Sight, there: Sight) -> Standing:
    """libvirt defines a persistent domain at the destination before it lets it go on there, so that no definition tells much."""
    if there.alive:
        return Standing.UNCONFIRMED
    return Standing.CUT_OFF if here.persistent and there.seen is Seen.ABSENT else Standing.UNDECIDED


_ALIVE_HERE = MappingProxyType(
    {
        Seen.ABSENT: Standing.AT_SOURCE,
        Seen.STOPPED: Standing.LEFT_THERE,
        Seen.HALTED: Standing.HALF_ARRIVED,
        Seen.RUNNING: Standing.SPLIT,
        Seen.PAUSED: Standing.SPLIT,
        Seen.POST_COPY: Standing.SPLIT,
        Seen.BROKEN: Standing.SPLIT,
    }
)
_STOPPED_HERE = MappingProxyType(
    {
        Seen.ABSENT: Standing.AT_SOURCE,
        Seen.STOPPED: Standing.TWICE_STOPPED,
        Seen.HALTED: Standing.UNDECIDED,
        Seen.RUNNING: Standing.LEFT_HERE,
        Seen.PAUSED: Standing.LEFT_HERE,
        Seen.POST_COPY: Standing.LOST,
        Seen.BROKEN: Standing.LOST,
    }
)
_ABSENT_HERE = MappingProxyType(
    {
        Seen.ABSENT: Standing.GONE,
        Seen.STOPPED: Standing.AT_DESTINATION,
        Seen.HALTED: Standing.UNDECIDED,
        Seen.RUNNING: Standing.AT_DESTINATION,
        Seen.PAUSED: Standing.AT_DESTINATION,
        Seen.POST_COPY: Standing.LOST,
        Seen.BROKEN: Standing.LOST,
    }
)
