"""From what is asked for and what was found to the way that a domain travels, with the reasons. Pure: no host is asked."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import HostError
from reconciler.host.drivers.migration.reaching import names_stream
from reconciler.model.guest import Disk, Guest, Sharing
from reconciler.model.migration import MigrationSpec, Mode, OnTimeout, Preflight, Route, Storing

_MIB = 1 << 20


def choose(spec: MigrationSpec, found: Preflight) -> Route:
    """The route. Raises HostError with all that forbids the migration, and what to do about the first of it."""
    if found.failures:
        raise refused(found)
    guest = found.guest
    if not guest.active:
        return Route(
            flags=("offline", *(("peer2peer",) if spec.peer_to_peer else ()), "persist-dest", "undefine-source"),
            peer=found.peer if spec.peer_to_peer else "",
            reasons=("offline: the domain does not run, so that only its definition moves",),
        )
    copies = _copies(spec, guest)
    return Route(
        flags=tuple(_flags(spec, guest, copies)),
        parameters=dict(_parameters(spec, found, copies)),
        peer=found.peer if spec.peer_to_peer else "",
        copies=copies,
        reasons=tuple(_reasons(spec, guest, copies)),
    )


def resuming(spec: MigrationSpec, found: Preflight) -> Route:
    """The route for a post-copy that was cut off, whatever the checks say: its guest runs at the destination already."""
    chosen = {
        "live": True,
        "peer2peer": spec.peer_to_peer,
        "persist-dest": found.guest.persistent,
        "undefine-source": found.guest.persistent,
        "postcopy": True,
        "postcopy-resume": True,
        "unsafe": spec.unsafe,
        "tls": spec.tls,
    }
    return Route(
        flags=tuple(name for name, wanted in chosen.items() if wanted),
        parameters=dict(_parameters(spec, found, ())),
        peer=found.peer if spec.peer_to_peer else "",
        reasons=("post-copy: it was cut off, and goes on where it was",),
    )


def refused(found: Preflight) -> HostError:
    """The error for a migration that the checks forbid: nothing was touched."""
    first = found.failures[0]
    return HostError(
        f"{found.guest.name} cannot be moved: {first.name}: {first.detail}",
        detail="\n".join(f"{check.name}: {check.detail}; {check.remedy}" for check in found.failures),
        hint=first.remedy,
    )


def _live(spec: MigrationSpec) -> bool:
    return spec.live and spec.mode is not Mode.STANDARD


def _copies(spec: MigrationSpec, guest: Guest) -> tuple[Disk, ...]:
    if spec.storage in (Storing.NONE, Storing.SHARED):
        return ()
    return tuple(disk for disk in guest.disks if disk.sharing is Sharing.SEPARATE and not disk.readonly)


def _flags(spec: MigrationSpec, guest: Guest, copies: tuple[Disk, ...]) -> Iterator[str]:
    chosen = {
        "live": _live(spec),
        "abort-on-error": True,
        "peer2peer": spec.peer_to_peer,
        "tunnelled": spec.through_daemons,
        "persist-dest": guest.persistent,
        "undefine-source": guest.persistent,
        "non-shared-disk": bool(copies) and spec.storage is not Storing.INCREMENTAL,
        "non-shared-inc": bool(copies) and spec.storage is Storing.INCREMENTAL,
        "auto-converge": spec.auto_converge,
        "postcopy": spec.post_copy or spec.on_timeout is OnTimeout.POST_COPY,
        "parallel": spec.parallel > 0,
        "compressed": spec.compressed,
        "unsafe": spec.unsafe,
        "tls": spec.tls,
    }
    return (name for name, wanted in chosen.items() if wanted)


def _parameters(spec: MigrationSpec, found: Preflight, copies: tuple[Disk, ...]) -> Iterator[tuple[str, object]]:
    """By libvirt's names; a bandwidth in MiB a second, rounded up, since 0 would be none."""
    address = spec.uri if names_stream(spec.uri) else found.address
    if address and not spec.through_daemons:
        yield "migrate_uri", address
    if spec.bandwidth:
        yield "bandwidth", -(-spec.bandwidth // _MIB)
        if spec.post_copy or spec.on_timeout is OnTimeout.POST_COPY:
            yield "bandwidth.postcopy", -(-spec.bandwidth // _MIB)
    if spec.parallel:
        yield "parallel.connections", spec.parallel
    if copies:
        yield "migrate_disks", [disk.target for disk in copies]


def _reasons(spec: MigrationSpec, guest: Guest, copies: tuple[Disk, ...]) -> Iterator[str]:
    if _live(spec):
        yield (
            "live: the guest goes on while its memory is copied" if not guest.paused else "live: the guest is paused and stays so"
        )
    else:
        yield "standard: the guest stands still while its memory is copied"
    if spec.through_daemons:
        yield "tunnelled: the memory goes through both daemons, as asked for"
    elif spec.peer_to_peer:
        yield "peer-to-peer: the source's daemon leads, as asked for, and goes on if this program ends"
    else:
        yield "direct: this program leads, so that a migration that it cannot watch any more is given up by both hosts"
    if copies:
        yield f"copied: {', '.join(disk.target for disk in copies)}, which the destination does not see"
    elif spec.storage is not Storing.NONE and any(disk.sharing is Sharing.SHARED for disk in guest.disks):
        yield "shared: both hosts see the same disks, so that none is copied"
    if not guest.persistent:
        yield "transient: it is transient at the destination, too"
