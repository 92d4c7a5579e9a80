"""Checks of the domain itself: its name must be free there, and it must have nothing that cannot travel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host import failures
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.migration.pair import Pair
from reconciler.model.migration import Check, Mode, Storing
from reconciler.xmltree.document import Element, parse

_UNFIT = MappingProxyType(
    {
        libvirt.VIR_DOMAIN_SHUTDOWN: "it is shutting down",
        libvirt.VIR_DOMAIN_CRASHED: "it has crashed",
        libvirt.VIR_DOMAIN_PMSUSPENDED: "it has put itself to sleep",
    }
)
_AGAIN = "plan again: what that migration has left is mended first"
_HALTED = MappingProxyType(
    {
        libvirt.VIR_DOMAIN_PAUSED_MIGRATION: ("it is halted by a migration before", _AGAIN),
        libvirt.VIR_DOMAIN_PAUSED_POSTCOPY: ("it is halted by a migration before", _AGAIN),
        libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: ("it is halted by a migration before", _AGAIN),
        libvirt.VIR_DOMAIN_PAUSED_IOERROR: ("it is halted by an error of its disk", "mend the storage and resume it first"),
    }
)
_LEAVE_IT = "detach it first, or stop the domain and move it offline"
_ROOTED = (
    # path below the definition, what it is
    ("devices/hostdev", "a device of the host"),
    ("devices/interface[@type='hostdev']", "a network card of the host"),
    ("devices/interface/source[@type='vdpa']", "a vDPA device of the host"),
    ("devices/filesystem", "a folder of the host"),
    ("devices/shmem", "memory shared with other guests of the host"),
    ("devices/tpm/backend[@type='passthrough']", "the host's TPM"),
    ("devices/disk[@type='nvme']", "an NVMe device of the host"),
    ("launchSecurity", "memory encrypted by the host's CPU"),
)
"""What ties a running guest to its host."""

_KEPT = (("os/nvram", "its UEFI variables"), ("devices/tpm/backend[@type='emulator']", "what its TPM holds"))


def state(pair: Pair) -> Iterator[Check]:
    """What the domain is doing, and whether the mode that is asked for fits."""
    number, reason = pair.here("virDomainGetState", pair.domain.state)
    guest, mode = pair.guest, pair.spec.mode
    if number in _UNFIT:
        yield Check.fails("state", _UNFIT[number], "wake it up, or wait until it has ended")
    elif number == libvirt.VIR_DOMAIN_PAUSED and reason in _HALTED:
        yield Check.fails("state", *_HALTED[reason])
    elif mode is Mode.OFFLINE and guest.active:
        detail = "the guest runs: an offline migration would leave it here and define a second one there"
        yield Check.fails("state", detail, "use `mode: auto` or `live`, or stop it first")
    elif mode not in (Mode.OFFLINE, Mode.AUTO) and not guest.active:
        yield Check.fails("state", "the domain does not run", "start it, or use `mode: auto` or `offline`")
    else:
        yield Check.passes("state", "paused" if guest.paused else "running" if guest.active else "stopped")


def identity(pair: Pair) -> Iterator[Check]:
    """Name and UUID at the destination. An inactive definition of the same domain is a leftover: it is written over."""
    conn, guest = pair.destination.conn, pair.guest
    named = find(pair.destination, "virDomainLookupByName", conn.lookupByName, guest.name)
    same = find(pair.destination, "virDomainLookupByUUIDString", conn.lookupByUUIDString, guest.uuid)
    if named is not None and named.UUIDString() != guest.uuid:
        detail = f"the destination has another domain {guest.name}, {named.UUIDString()}"
        yield Check.fails("name", detail, "rename or undefine one of the two")
    elif same is not None and same.name() != guest.name:
        yield Check.fails("name", f"the destination has this UUID under the name {same.name()}", "undefine that one")
    elif same is None:
        yield Check.passes("name", "name and UUID are free at the destination")
    elif pair.there("virDomainIsActive", same.isActive):
        detail = "the very same domain is active at the destination"
        yield Check.fails("name", detail, "two of them on one disk destroy it: find out which is right, and destroy the other")
    elif pair.there("virDomainHasManagedSaveImage", same.hasManagedSaveImage):
        detail = "the destination's old definition of it has a saved state, which the next start there would bring back"
        yield Check.fails("name", detail, f"give it up at the destination: virsh managedsave-remove {guest.name}")
    elif pair.there("virDomainSnapshotNum", same.snapshotNum):
        detail = "the destination's old definition of it has snapshots, which would stand for another past"
        yield Check.fails("name", detail, f"delete them at the destination: virsh snapshot-delete --metadata {guest.name} NAME")
    else:
        yield Check.passes("name", "an old definition of it is at the destination, and will be written over")


def past(pair: Pair) -> Iterator[Check]:
    """Snapshots, checkpoints and a saved state belong to the host."""
    count = int(pair.here("virDomainSnapshotNum", pair.domain.snapshotNum))
    if count:
        remedy = "libvirt moves no domain with snapshots: delete them first (vireo snapshot delete)"
        yield Check.fails("snapshots", f"the domain has {count}", remedy)
    else:
        yield Check.passes("snapshots", "none")
    if pair.here("virDomainHasManagedSaveImage", pair.domain.hasManagedSaveImage):
        remedy = f"start it first, then move the running guest: virsh start {pair.guest.name}"
        yield Check.fails("saved state", "the domain's memory is saved here, and would stay here", remedy)
    try:
        checkpoints = len(pair.here("virDomainListAllCheckpoints", pair.domain.listAllCheckpoints))
    except LibvirtCallError as error:
        if error.code not in failures.UNSUPPORTED:
            raise
        return
    if checkpoints:
        detail = f"{checkpoints} backup checkpoints are not carried over"
        yield Check.doubts("checkpoints", detail, "make the next backup a full one")


def jobs(pair: Pair) -> Iterator[Check]:
    """virDomainGetJobInfo, and virDomainGetBlockJobInfo of each disk."""
    if not pair.guest.active:
        return
    if int(pair.here("virDomainGetJobInfo", pair.domain.jobInfo)[0]) != libvirt.VIR_DOMAIN_JOB_NONE:
        remedy = f"wait until it has ended, or abort it: virsh domjobabort {pair.guest.name}"
        yield Check.fails("jobs", "another job of the domain is under way", remedy)
        return
    for target in pair.root.iterfind("devices/disk/target"):
        name = target.get("dev") or ""
        if find(pair.source, "virDomainGetBlockJobInfo", pair.domain.blockJobInfo, name):
            remedy = f"wait until it has ended, or abort it: virsh blockjob {pair.guest.name} {name} --abort"
            yield Check.fails("jobs", f"a block job of the disk {name} is under way", remedy)
            return
    yield Check.passes("jobs", "none is under way")


def devices(pair: Pair) -> Iterator[Check]:
    """What ties a running guest to its host; a stopped one just needs the same at the destination."""
    found = [what for path, what in _ROOTED if pair.root.find(path) is not None]
    if not found:
        yield Check.passes("devices", "none ties the guest to its host")
    elif pair.offline:
        remedy = "see that the destination has the same, under the same address"
        yield Check.doubts("devices", f"the domain uses {', '.join(found)}", remedy)
    else:
        yield Check.fails("devices", f"the guest uses {', '.join(found)}", _LEAVE_IT)


def belongings(pair: Pair) -> Iterator[Check]:
    """What libvirt keeps for a stopped domain beside its disks, and moves with a running guest only."""
    found = [what for path, what in _KEPT if pair.root.find(path) is not None]
    if not found or not pair.offline:
        return
    detail = f"{' and '.join(found)} would stay at the source"
    if pair.spec.storage is Storing.NONE:
        yield Check.doubts("belongings", detail, "see to it that the destination has them")
    else:
        remedy = "start the domain and move it then; or copy them by hand, and say `migration: {storage: none}`"
        yield Check.fails("belongings", detail, remedy)


def displays(pair: Pair) -> Iterator[Check]:
    """Fixed ports of graphics that a guest of the destination has already."""
    if pair.offline:
        return
    wanted = _ports(pair.root.iterfind("devices/graphics[@autoport='no']"))
    if not wanted:
        return
    active = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
    for domain in pair.there("virConnectListAllDomains", pair.destination.conn.listAllDomains, active):
        text = find(pair.destination, "virDomainGetXMLDesc", domain.XMLDesc, 0)
        taken = wanted & _ports(parse(text).iterfind("devices/graphics")) if text else set()
        if taken:
            detail = f"port {min(taken)} of the destination belongs to {domain.name()}"
            yield Check.fails("graphics", detail, "let libvirt choose the port (autoport), or free this one")
            return
    yield Check.passes("graphics", f"port {', '.join(sorted(wanted))} is free at the destination")


def _ports(graphics: Iterable[Element]) -> set[str]:
    named = (element.get(name) for element in graphics for name in ("port", "tlsPort"))
    return {port for port in named if port and not port.startswith("-")}
