"""Making a volume larger: by the storage driver, or by QEMU where a running guest has it open, so that the guest sees it.

Never smaller: virDomainBlockResize shrinks without asking, so that the caller has to have looked.
"""

from __future__ import annotations

from collections.abc import Iterator

import libvirt

from reconciler.host.drivers.calls import find
from reconciler.host.drivers.finding import pool_of
from reconciler.host.drivers.step import Step
from reconciler.kinds.spellings import location
from reconciler.xmltree.document import Element, parse

_WRITABLE = frozenset({"disk", "lun"})


def grow(step: Step, volume: libvirt.virStorageVol, capacity: int) -> None:
    """To `capacity` bytes: by virDomainBlockResize if guests use it, else by virStorageVolResize.

    A block device is made larger by the storage driver first: QEMU cannot do that, it only takes the new size up.
    """
    users = list(_users(step, volume))
    of_its_own = any(disk.get("type") == "block" for _, disk in users)
    if not users or of_its_own:
        step.call("virStorageVolResize", volume.resize, capacity, _allocating(step))
    for domain, disk in users:
        target = disk.find("target")
        name = "" if target is None else str(target.get("dev"))
        step.report(f"{domain.name()} sees its disk {name} grow", None)
        flags = libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
        step.call("virDomainBlockResize", domain.blockResize, name, capacity, flags)
    if users:
        step.call("virStoragePoolRefresh", pool_of(step, step.id.pool).refresh, 0)


def _allocating(step: Step) -> int:
    """A volume that is to have all of its space has that of what it grows by, too: libvirt can do so with raw files."""
    form = parse(step.desired.xml).find("target/format")
    full = step.options.get("preallocate") == "full" and (form is None or form.get("type") == "raw")
    return libvirt.VIR_STORAGE_VOL_RESIZE_ALLOCATE if full else 0


def _users(step: Step, volume: libvirt.virStorageVol) -> Iterator[tuple[libvirt.virDomain, Element]]:
    """Active domains that write to the volume, each with the disk that it is to them."""
    path = location(step.call("virStorageVolGetPath", volume.path))
    active = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
    for domain in step.call("virConnectListAllDomains", step.session.conn.listAllDomains, active):
        text = find(step.session, "virDomainGetXMLDesc", domain.XMLDesc, 0)
        for disk in () if text is None else parse(text).iterfind("devices/disk"):
            source = disk.find("source")
            if source is None or disk.find("readonly") is not None or disk.get("device", "disk") not in _WRITABLE:
                continue
            named = (source.get("pool"), source.get("volume")) == (step.id.pool, step.id.name)
            if named or path in (location(str(source.get(name, ""))) for name in ("file", "dev")):
                yield domain, disk
