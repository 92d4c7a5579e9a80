"""Checks of the disks: shared as they must be, or room to copy them; cache modes that could corrupt them. Judging only."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from types import MappingProxyType

import libvirt

from reconciler.host.drivers.calls import find
from reconciler.host.drivers.migration import storage
from reconciler.host.drivers.migration.pair import Pair
from reconciler.model.guest import Disk, Sharing
from reconciler.model.migration import Check, Storing

_USAGES = MappingProxyType(
    {
        "volume": libvirt.VIR_SECRET_USAGE_TYPE_VOLUME,
        "passphrase": libvirt.VIR_SECRET_USAGE_TYPE_VOLUME,
        "ceph": libvirt.VIR_SECRET_USAGE_TYPE_CEPH,
        "iscsi": libvirt.VIR_SECRET_USAGE_TYPE_ISCSI,
        "tls": libvirt.VIR_SECRET_USAGE_TYPE_TLS,
    }
)
"""The kinds of secrets that disks name, as libvirt looks them up."""
COPYING = frozenset({Storing.AUTO, Storing.COPY, Storing.INCREMENTAL})
COHERENT = frozenset({"none", "directsync"})
"""Cache modes that leave nothing in the source's memory."""


def storing(pair: Pair, disks: tuple[Disk, ...]) -> Iterator[Check]:
    """One line a disk that has something in it."""
    if pair.spec.storage is Storing.NONE:
        yield Check.doubts("disks", "not looked at (storage: none)", "see to it that the destination has them")
        return
    for disk in disks:
        if disk.sharing is Sharing.EMPTY:
            continue
        line = f"disk {disk.target}"
        match disk.sharing:
            case Sharing.SHARED:
                yield Check.passes(line, f"shared: {disk.why}")
            case Sharing.UNKNOWN:
                yield _unknown(pair, disk, line)
            case Sharing.SEPARATE if disk.readonly:
                yield _image(disk, line)
            case Sharing.SEPARATE:
                yield _separate(pair, disk, line)
    yield from _pools(pair)


def _unknown(pair: Pair, disk: Disk, line: str) -> Check:
    if pair.spec.storage is Storing.SHARED:
        return Check.doubts(line, f"taken for shared, as the manifest says: {disk.why}")
    remedy = "if both hosts really have the same one, say so: `migration: {storage: shared}`"
    return Check.fails(line, f"not known to be shared: {disk.why}", remedy)


def _image(disk: Disk, line: str) -> Check:
    """A CD-ROM's image: libvirt copies nothing that is read-only."""
    if disk.there:
        return Check.passes(line, f"the destination has a file {disk.source} of its own")
    if disk.optional:
        return Check.doubts(line, f"the destination has no {disk.source}: the drive will be empty")
    return Check.fails(line, f"the destination has no {disk.source}", "copy the image there, or take it out of the drive")


def _separate(pair: Pair, disk: Disk, line: str) -> Check:
    if pair.spec.storage not in COPYING:
        return Check.fails(line, f"not shared: {disk.why}", "share the storage, or allow copying: `migration: {storage: auto}`")
    if pair.offline:
        remedy = "start the domain and move it then: a running guest's disks can be copied"
        return Check.fails(line, f"not shared ({disk.why}), and an offline migration copies nothing", remedy)
    if pair.spec.through_daemons:
        remedy = "tunnelling cannot copy disks: use another mode, or shared storage"
        return Check.fails(line, f"not shared: {disk.why}", remedy)
    if disk.there:
        remedy = f"copying would write over it: see what it is, then delete it there: virsh vol-delete {disk.source}"
        return Check.fails(line, f"the destination has another file {disk.source}", remedy)
    place = storage.place(pair.destination, disk.folder)
    if place is None:
        return Check.fails(line, f"no active pool of the destination has the folder {disk.folder}", "declare one for it there")
    free = int(pair.there("virStoragePoolGetInfo", place.info)[3])
    needed = disk.capacity if disk.format == "raw" else disk.allocation
    detail = f"{needed >> 20} MiB to be copied, {free >> 20} MiB free in the pool {place.name()}"
    if needed > free:
        return Check.fails(line, detail, "free some space in that pool first")
    return Check.passes(line, detail)


def _pools(pair: Pair) -> Iterator[Check]:
    """A disk that names its pool needs one of that name, over the same folder."""
    for name in sorted({str(source.get("pool")) for source in pair.root.iterfind("devices/disk[@type='volume']/source")}):
        conn = pair.destination.conn
        there = find(pair.destination, "virStoragePoolLookupByName", conn.storagePoolLookupByName, name)
        line = f"pool {name}"
        if there is None:
            yield Check.fails(line, "the destination has none of this name", "declare it for the destination, too")
        elif not pair.there("virStoragePoolIsActive", there.isActive):
            yield Check.fails(line, "it is not active at the destination", f"start it there: virsh pool-start {name}")
        else:
            yield Check.passes(line, "it is active at the destination")


def secrets(pair: Pair) -> Iterator[Check]:
    """What opens encrypted and remote disks: libvirt's secrets belong to a host."""
    for element in pair.root.iterfind("devices/disk//secret"):
        uuid, usage = element.get("uuid") or "", element.get("usage") or ""
        if uuid:
            found = find(pair.destination, "virSecretLookupByUUIDString", pair.destination.conn.secretLookupByUUIDString, uuid)
        else:
            kind = _USAGES.get(element.get("type") or "", libvirt.VIR_SECRET_USAGE_TYPE_NONE)
            found = find(pair.destination, "virSecretLookupByUsage", pair.destination.conn.secretLookupByUsage, kind, usage)
        line = f"secret {uuid or usage}"
        if found is None:
            yield Check.fails(
                line, "the destination has none of this name", "define it there, with its value: virsh secret-define"
            )
        else:
            yield Check.passes(line, "the destination has one")


def caches(pair: Pair, disks: tuple[Disk, ...]) -> Iterator[Check]:
    """Shared disks whose writes may still be in the source's memory when the guest goes on at the destination."""
    if pair.offline:
        return
    if pair.spec.unsafe:
        yield from _owners(disks)
        return
    remedy = "give the disk cache `none` (or directsync), or trust the storage: `migration: {unsafe: true}`"
    for disk in disks:
        if disk.sharing is not Sharing.SHARED or disk.readonly or not posixpath.isabs(disk.source) or disk.cache in COHERENT:
            continue
        line, mode = f"cache of {disk.target}", disk.cache or "writeback"
        if mode == "unsafe":
            yield Check.fails(line, "its cache mode `unsafe` writes nothing in time", remedy)
        else:
            detail = f"its cache mode {mode} is safe on a cluster file system only, which libvirt judges when it begins"
            yield Check.doubts(line, detail, remedy)


def _owners(disks: tuple[Disk, ...]) -> Iterator[Check]:
    """Where libvirt does not know that a file is shared, the source gives it back to root: a paused guest cannot open it then."""
    if any(disk.sharing is Sharing.SHARED and disk.folder and not disk.readonly and not disk.labelled for disk in disks):
        detail = "libvirt may take the shared disks back from the guest if it does not know their file system"
        remedy = "let it leave their owner alone: <seclabel model='dac' relabel='no'/> in the disk's <source>"
        yield Check.doubts("owners", detail, remedy)
