"""Volumes at the destination for disks that are copied: made before the migration, taken away again when it fails.

libvirt would make them by itself in the same pool, but fully allocated and always of its own choice; and would leave them behind.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers.calls import find
from reconciler.host.session import Session
from reconciler.model.guest import Disk
from reconciler.xmltree.document import Element, parse, serialize


def place(destination: Session, folder: str) -> libvirt.virStoragePool | None:
    """The active pool over that folder, if there is one."""
    pool = find(destination, "virStoragePoolLookupByTargetPath", destination.conn.storagePoolLookupByTargetPath, folder)
    return pool if pool is not None and destination.call("virStoragePoolIsActive", pool.isActive) else None


def prepare(destination: Session, copies: Sequence[Disk], *, incremental: bool) -> tuple[str, ...]:
    """Makes an empty volume for each disk, of its format and size (virStorageVolCreateXML); their keys.

    `incremental`: over the backing file that the source's has. A volume that is there already is never touched: HostError, and
    what was made by then is taken away again.
    """
    made: list[str] = []
    try:
        made.extend(_make(destination, disk, incremental=incremental) for disk in copies)
    except BaseException:
        remove(destination, made)
        raise
    return tuple(made)


def _make(destination: Session, disk: Disk, *, incremental: bool) -> str:
    pool, name = place(destination, disk.folder), posixpath.basename(disk.source)
    if pool is None:
        raise HostError(
            f"{destination.spec.name} has no active pool over {disk.folder}, where the disk {disk.target} is to be copied to",
            hint="declare a pool with this folder there",
        )
    if find(destination, "virStorageVolLookupByName", pool.storageVolLookupByName, name) is not None:
        raise HostError(
            f"{destination.spec.name} has a file {disk.source} already: copying would write over it",
            hint=f"see what it is, then delete it there: virsh vol-delete {disk.source}",
        )
    volume = destination.call("virStorageVolCreateXML", pool.createXML, _volume_xml(disk, name, incremental=incremental), 0)
    return str(volume.key())


def _volume_xml(disk: Disk, name: str, *, incremental: bool) -> str:
    root = parse("<volume><target/></volume>")
    _child(root, "name", name)
    _child(root, "capacity", str(disk.capacity))
    _child(root, "allocation", "0")
    target = root.find("target")
    if target is not None:
        target.append(parse(f"<format type='{disk.format}'/>"))
    if incremental and disk.backing:
        path, form = disk.backing
        store = parse(f"<backingStore><format type='{form}'/></backingStore>")
        _child(store, "path", path)
        root.append(store)
    return serialize(root)


def _child(parent: Element, name: str, text: str) -> None:
    element = parse(f"<{name}/>")
    element.text = text
    parent.append(element)


def remove(destination: Session, keys: Sequence[str]) -> tuple[str, ...]:
    """Deletes volumes that `prepare` made (virStorageVolDelete); those that could not be deleted, and stay."""
    left: list[str] = []
    for key in keys:
        try:
            volume = find(destination, "virStorageVolLookupByKey", destination.conn.storageVolLookupByKey, key)
            if volume is not None:
                destination.call("virStorageVolDelete", volume.delete, 0)
        except HostError:
            left.append(key)
    return tuple(left)
