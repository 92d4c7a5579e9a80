"""Making sure that what was uploaded into a file has reached the disk, by libvirt alone.

libvirt writes an upload without fsync, and has no call for it. But it grows a qcow2 volume by `qemu-img resize`, which ends with
fdatasync on the file; that brings all of the file's pages to the disk, whoever wrote them. So a file whose content is given up
gets the smallest qcow2 image at its beginning, and is grown. What was at its beginning is overwritten by it.
"""

from __future__ import annotations

import struct

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.wiping.content import size_of, write

_BITS = 16
CLUSTER = 1 << _BITS  # bytes: large enough for the tables of a disk of terabytes, small beside what lies in a file with holes
HEADER = 4 * CLUSTER
_BUSY = "asynchronous jobs"
_PATIENCE = 600.0  # seconds that other work in the pool may take


def image() -> bytes:
    """A qcow2 image (version 2) of 512 bytes without content: header, table of reference counts, its block, table of the data."""
    numbers = (2, 0, 0, _BITS, 512, 0, 1, 3 * CLUSTER, CLUSTER, 1, 0, 0)
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", *numbers)
    parts = (header, struct.pack(">Q", 2 * CLUSTER), struct.pack(">4H", 1, 1, 1, 1), b"")
    return b"".join(part.ljust(CLUSTER, b"\0") for part in parts)


def flush(step: Step, pool: libvirt.virStoragePool, volume: libvirt.virStorageVol) -> None:
    """Brings all that was written into the volume's file to the disk. Its first 256 KiB are overwritten.

    Raises HostError if it cannot be done: then nothing is known of what the disk has.
    """
    write(step, volume, 0, [image()], HEADER)
    refresh(step, pool)  # libvirt takes the volume for what its file begins with
    size = size_of(step, volume)
    step.call("virStorageVolResize", volume.resize, max(size.length, size.allocated) + CLUSTER, 0)


def refresh(step: Step, pool: libvirt.virStoragePool) -> None:
    """By virStoragePoolRefresh, once nothing else is made in the pool."""
    deadline = step.clock() + _PATIENCE
    while True:
        try:
            step.call("virStoragePoolRefresh", pool.refresh, 0)
        except LibvirtCallError as error:
            if _BUSY not in error.detail or step.clock() > deadline:
                raise
            step.sleep(0.5)
        else:
            return


def available(step: Step, pool: libvirt.virStoragePool) -> int:
    """Bytes that are free in the pool, after a look at it. Raises HostError."""
    refresh(step, pool)
    return int(step.call("virStoragePoolGetInfo", pool.info)[3])
