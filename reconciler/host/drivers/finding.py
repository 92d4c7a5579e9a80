"""Finding volumes, and who uses them. Nothing here changes a host."""

from __future__ import annotations

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.step import Step
from reconciler.xmltree.document import Element
from reconciler.xmltree.quantity import amount


def pool_of(step: Step, name: str) -> libvirt.virStoragePool:
    """The active pool of that name. Raises HostError."""
    pool = step.call("virStoragePoolLookupByName", step.session.conn.storagePoolLookupByName, name)
    if not step.call("virStoragePoolIsActive", pool.isActive):
        raise HostError(f"{step.id}: the pool {name} is not active", hint=f"start it: virsh pool-start {name}")
    return pool


def lookup(step: Step, pool: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol | None:
    """The pool's volume of that name, whoever's it is; None if it is not there."""
    return find(step.session, "virStorageVolLookupByName", pool.storageVolLookupByName, name)


def size_in(root: Element, path: str) -> int | None:
    """The amount at `path` below `root` in bytes; None if it is not there."""
    element = root.find(path)
    return None if element is None else int(amount(element.text or "", element.get("unit") or "bytes"))


def capacity_of(step: Step, volume: libvirt.virStorageVol) -> int:
    """Bytes that a guest sees, read from the host now."""
    return int(step.call("virStorageVolGetInfo", volume.info)[1])
