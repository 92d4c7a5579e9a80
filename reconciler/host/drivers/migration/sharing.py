"""Whether the two hosts see the very same disks: by a marker, an empty volume that one host makes and the other looks for.

The marker is gone again when the answer is there; a pool that had to be made for it is transient, and goes, too. Where a pool
over the folder is there already, that one is used. Nothing here decides what the answer means.
"""

from __future__ import annotations

import contextlib
import posixpath
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.migration.pair import Pair
from reconciler.host.session import Session
from reconciler.kinds.spellings import location
from reconciler.model.guest import Disk, Sharing
from reconciler.xmltree.document import Element, parse, serialize

_MARKER = "vireo-marker-"


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found out about a folder; `names` are the files that the destination has in it."""

    sharing: Sharing
    why: str
    names: frozenset[str] = frozenset()


def disks(pair: Pair) -> tuple[Disk, ...]:
    """The guest's disks, in the order of its definition, and where each of them stands."""
    elements = list(pair.root.iterfind("devices/disk"))
    paths = [_path(pair, element) for element in elements]
    chains = [_backing(element) for element in elements]
    folders = {posixpath.dirname(path): Folder(Sharing.UNKNOWN, "") for path in (*paths, *(p for p, _ in chains if p)) if path}
    looked = {folder: look(pair, folder) for folder in folders}
    return tuple(_disk(pair, *each, looked) for each in zip(elements, paths, chains, strict=True))


def _path(pair: Pair, disk: Element) -> str:
    """The path of a disk that is a file, also by its pool; "" for any other."""
    source = disk.find("source")
    if source is None:
        return ""
    if disk.get("type") == "file":
        return location(source.get("file") or "")
    if disk.get("type") != "volume":
        return ""
    pool = find(pair.source, "virStoragePoolLookupByName", pair.source.conn.storagePoolLookupByName, source.get("pool") or "")
    if pool is None:
        return ""
    volume = find(pair.source, "virStorageVolLookupByName", pool.storageVolLookupByName, source.get("volume") or "")
    if volume is None or pair.here("virStorageVolGetInfo", volume.info)[0] != libvirt.VIR_STORAGE_VOL_FILE:
        return ""
    return location(pair.here("virStorageVolGetPath", volume.path))


def _backing(disk: Element) -> tuple[str, str]:
    """Path and format of the file that the disk is an overlay of, as far as libvirt tells: of a running guest only."""
    source, form = disk.find("backingStore/source"), disk.find("backingStore/format")
    path = "" if source is None else source.get("file") or ""
    return location(path), "raw" if form is None else form.get("type") or "raw"


def _disk(pair: Pair, element: Element, path: str, backing: tuple[str, str], folders: Mapping[str, Folder]) -> Disk:
    target, form, source = element.find("target"), element.find("driver"), element.find("source")
    name = "" if target is None else target.get("dev") or ""
    kind = element.get("type") or ""
    if source is None:
        return Disk(name, "", Sharing.EMPTY)
    folder = posixpath.dirname(path)
    found = folders[folder] if path else _elsewhere(kind)
    there = posixpath.basename(path) in found.names
    below = folders.get(posixpath.dirname(backing[0]))
    if found.sharing is Sharing.SHARED and below is not None and below.sharing is Sharing.SEPARATE:
        found = Folder(Sharing.UNKNOWN, f"its backing file {backing[0]} is not the same at the destination: {below.why}")
    sizes = _sizes(pair, name) if path else (0, 0)
    return Disk(
        target=name,
        source=path or " ".join(str(value) for value in source.attrib.values()),
        sharing=found.sharing,
        why=found.why,
        folder=folder,
        format="raw" if form is None else form.get("type") or "raw",
        cache="" if form is None else form.get("cache") or "",
        readonly=element.find("readonly") is not None,
        optional=source.get("startupPolicy") in ("optional", "requisite"),
        there=there,
        labelled=source.find("seclabel[@relabel='no']") is not None,
        backing=backing if backing[0] else None,
        capacity=sizes[0],
        allocation=sizes[1],
    )


def _elsewhere(kind: str) -> Folder:
    if kind == "network":
        return Folder(Sharing.SHARED, "it comes over the network")
    return Folder(Sharing.UNKNOWN, f"a disk of type `{kind}` cannot be compared")


def _sizes(pair: Pair, target: str) -> tuple[int, int]:
    """virDomainGetBlockInfo: what the guest sees, and what is written of it."""
    try:
        capacity, allocation, _ = pair.here("virDomainGetBlockInfo", pair.domain.blockInfo, target)
    except LibvirtCallError:  # the file is missing, even here: the other checks tell
        return 0, 0
    return int(capacity), int(allocation)


def look(pair: Pair, folder: str) -> Folder:
    """Asks both hosts about one folder."""
    with contextlib.ExitStack() as stack:
        try:
            here = stack.enter_context(pool(pair.source, folder))
            marker = stack.enter_context(_marker(pair.source, here))
        except LibvirtCallError as error:
            return Folder(Sharing.UNKNOWN, f"{pair.source.spec.name}: {error.detail}")
        try:
            there = stack.enter_context(pool(pair.destination, folder))
        except LibvirtCallError as error:
            sharing = Sharing.SEPARATE if error.code == libvirt.VIR_ERR_SYSTEM_ERROR else Sharing.UNKNOWN
            return Folder(sharing, f"{pair.destination.spec.name}: {error.detail}")
        names = frozenset(pair.there("virStoragePoolListVolumes", there.listVolumes))
        if marker in names:
            return Folder(
                Sharing.SHARED, f"what {pair.source.spec.name} writes to {folder}, {pair.destination.spec.name} sees", names
            )
        return Folder(Sharing.SEPARATE, f"{folder} is another folder at {pair.destination.spec.name}", names)


@contextlib.contextmanager
def pool(session: Session, folder: str) -> Iterator[libvirt.virStoragePool]:
    """The active pool over the folder, refreshed: one that is there, or a transient one as long as it is needed."""
    there = find(session, "virStoragePoolLookupByTargetPath", session.conn.storagePoolLookupByTargetPath, folder)
    if there is not None and session.call("virStoragePoolIsActive", there.isActive):
        session.call("virStoragePoolRefresh", there.refresh, 0)
        yield there
        session.call("virStoragePoolRefresh", there.refresh, 0)
        return
    root = parse("<pool type='dir'><name/><target><path/></target></pool>")
    for path, text in (("name", f"{_MARKER}{uuid.uuid4().hex}"), ("target/path", folder)):
        element = root.find(path)
        if element is not None:
            element.text = text
    made = session.call("virStoragePoolCreateXML", session.conn.storagePoolCreateXML, serialize(root), 0)
    try:
        yield made
    finally:
        session.call("virStoragePoolDestroy", made.destroy)


@contextlib.contextmanager
def _marker(session: Session, where: libvirt.virStoragePool) -> Iterator[str]:
    name = f"{_MARKER}{uuid.uuid4().hex}"
    xml = f"<volume><name>{name}</name><capacity>0</capacity><target><format type='raw'/></target></volume>"
    volume = session.call("virStorageVolCreateXML", where.createXML, xml, 0)
    try:
        yield name
    finally:
        with contextlib.suppress(HostError):  # an empty file stays: better than a check that fails after its answer
            session.call("virStorageVolDelete", volume.delete, 0)
