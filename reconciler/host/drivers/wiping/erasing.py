"""The wipe of one volume, whoever's it is: overwritten where it lies, brought to the disk, wiped by libvirt, read back.

What libvirt's zero algorithm does is measured: a file of which everything is allocated it overwrites, and ends with fdatasync. A
file with holes it only cuts to nothing and makes as long again: the blocks go back to the file system as they are, and what was
written to them but is not on the disk yet never gets there. So a file with holes is overwritten before, in one of two ways:
- little is missing to a full file, or it has space in which nothing can be read (a guest has zeroed it, the old data are still on
  the disk): the holes are filled, and libvirt then overwrites all of it;
- else the data are overwritten in place and brought to the disk (flushing.py), and libvirt's algorithm comes after that.
"""

from __future__ import annotations

from dataclasses import dataclass

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers.options import Wipe
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.wiping.algorithms import NUMBERS, WRITES, ZERO
from reconciler.host.drivers.wiping.content import (
    BLOCK,
    Size,
    Survey,
    first_not_zero,
    gaps,
    joined,
    overwrite,
    size_of,
    survey,
    unchanged,
)
from reconciler.host.drivers.wiping.flushing import HEADER, available, flush
from reconciler.host.drivers.wiping.progress import estimated

_SMALL = 64 << 20  # bytes of holes that are filled without more ado
_PIECES = 256  # uploads of one pass, at most
_TABLES = 256  # of so many bytes of data one may be the file system's own, for its tables; more than that is space without data
_FILE = libvirt.VIR_STORAGE_VOL_FILE
_WIPEABLE = frozenset({_FILE, libvirt.VIR_STORAGE_VOL_BLOCK, libvirt.VIR_STORAGE_VOL_NETWORK})


@dataclass(frozen=True, slots=True)
class Erased:
    """`length`: bytes that were wiped; `verified`: they were read back."""

    length: int
    verified: bool


def erase(step: Step, pool: libvirt.virStoragePool, volume: libvirt.virStorageVol, wipe: Wipe) -> Erased:
    """Destroys the content of the volume. Raises HostError: then nothing is known of it."""
    kind = int(step.call("virStorageVolGetInfo", volume.info)[0])
    if kind not in _WIPEABLE:
        raise HostError(f"{step.id}: libvirt cannot wipe a volume of this type (a folder)", hint="delete what is in it yourself")
    size = size_of(step, volume)
    if wipe.algorithm == ZERO:
        rate = _prepare(step, pool, volume, size, wipe.passes) if kind == _FILE and size.has_holes else 0.0
        _by_libvirt(step, volume, wipe, rate)
        if wipe.verify:
            _expect_zeros(step, volume, size.length)
    else:
        if kind == _FILE and size.has_holes:
            _expect_room(step, size.length - size.allocated, available(step, pool))
        before = survey(step, volume, "taking fingerprints", size.length) if wipe.verify else None
        _by_libvirt(step, volume, wipe, 0.0)
        if before is not None:
            _expect_change(step, volume, before)
    return Erased(size.length, wipe.verify)


def _prepare(step: Step, pool: libvirt.virStoragePool, volume: libvirt.virStorageVol, size: Size, passes: int) -> float:
    """Overwrites a file with holes, so that libvirt's algorithm may give its blocks back; the rate in bytes a second."""
    found = survey(step, volume, "looking for data", size.length)
    hidden = size.allocated - found.total > found.total // _TABLES + BLOCK
    missing, room = size.length - size.allocated, available(step, pool)
    spans = joined(found.spans, _PIECES)
    if hidden or missing <= min(_SMALL, room):
        _expect_room(step, missing, room)
        rate = overwrite(step, volume, joined(gaps(found.spans, size.length), _PIECES), "filling the holes")
        if not size_of(step, volume).has_holes:
            return rate
        spans = ((0, size.length),)  # a file system that keeps zeros in less space than they are
    else:
        _expect_room(step, sum(end - begin for begin, end in spans) - min(found.total, size.allocated) + HEADER, room)
    rate = 0.0
    for number in range(passes):
        rate = overwrite(step, volume, spans, f"overwriting{_of(number, passes)}")
        step.report("bringing it to the disk", None)
        flush(step, pool, volume)
    return rate


def _by_libvirt(step: Step, volume: libvirt.virStorageVol, wipe: Wipe, rate: float) -> None:
    for number in range(wipe.passes):
        size = size_of(step, volume)  # libvirt overwrites as much as it last saw of the file: let it look
        total = (size.allocated if wipe.algorithm == ZERO else size.length) * WRITES[wipe.algorithm]
        began = step.clock()
        doing = f"libvirt wipes by {wipe.algorithm}{_of(number, wipe.passes)}"
        estimated(step, doing, total, rate, lambda: _pass(step, volume, wipe.algorithm))
        seconds = step.clock() - began
        rate = total / seconds if seconds > 1 else rate


def _pass(step: Step, volume: libvirt.virStorageVol, algorithm: str) -> None:
    step.call("virStorageVolWipePattern", volume.wipePattern, NUMBERS[algorithm], 0)


def _of(number: int, passes: int) -> str:
    return f" (pass {number + 1} of {passes})" if passes > 1 else ""


def _expect_room(step: Step, needed: int, free: int) -> None:
    if free < needed:
        raise HostError(
            f"{step.id}: wiping it takes {needed} bytes of room in its pool, and {free} are free",
            hint="make room there, and apply again: it is not deleted before",
        )


def _expect_zeros(step: Step, volume: libvirt.virStorageVol, length: int) -> None:
    at = first_not_zero(step, volume, "reading back", length)
    if at is not None:
        raise HostError(
            f"{step.id}: it is wiped, and still not zero near byte {at}; it is not deleted",
            hint="does anything write to it, or is its disk in order? Apply again",
        )


def _expect_change(step: Step, volume: libvirt.virStorageVol, before: Survey) -> None:
    """The old content is gone: none of the sampled blocks is what it was."""
    step.report("comparing with the fingerprints", None)
    span = unchanged(step, volume, before)
    if span is not None:
        raise HostError(
            f"{step.id}: it is wiped, and bytes {span[0]} to {span[1]} are still what they were; it is not deleted",
            hint="does anything write to it, or is its disk in order? Apply again",
        )
