"""Storage volumes (virStorageVol*): grown, deleted, never shrunk. How they are made is in making.py, wiped in wiping/."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import libvirt

from reconciler.errors import HostError, NotOursError, UsageError
from reconciler.host.drivers import growing
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.finding import capacity_of, lookup, pool_of, size_in
from reconciler.host.drivers.making import create
from reconciler.host.drivers.ownership import check_listed
from reconciler.host.drivers.step import Driver, Step
from reconciler.host.drivers.users import refuse_in_use
from reconciler.host.drivers.wiping.volumes import refuse_unfinished, wipe
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.state import Mark
from reconciler.xmltree.document import parse
from reconciler.xmltree.mark import digest
from reconciler.xmltree.quantity import round_up

_GRAIN = 1024  # bytes: qemu-img gets capacities in KiB from libvirt, rounded up


def _expect(step: Step) -> libvirt.virStorageVol:
    volume = lookup(step, pool_of(step, step.id.pool), step.id.name)
    if volume is None:
        raise HostError(f"{step.id} is not there any more", hint="plan again")
    check_listed(step, volume.key())
    return volume


def resize(step: Step) -> None:
    """To the manifest's capacity; only ever to a larger one. A running guest that uses the volume sees it grow (growing.py)."""
    volume = _expect(step)
    wanted = size_in(parse(step.desired.xml), "capacity")
    there = capacity_of(step, volume)
    if wanted is None or round_up(wanted, _GRAIN) == round_up(there, _GRAIN):
        return
    if wanted < there:
        raise UsageError(
            f"{step.id}: it has {there} bytes, the manifest wants {wanted}: a volume is never made smaller",
            hint="raise the capacity in the manifest",
        )
    growing.grow(step, volume, wanted)


def delete(step: Step) -> None:
    """By virStorageVolDelete of the very volume that the inventory lists, if nobody uses it.

    Never of one whose wiping was begun and is not finished.
    """
    volume = lookup(step, pool_of(step, step.id.pool), step.id.name)
    if volume is None:
        return
    if step.plan.uuid and volume.key() != step.plan.uuid:
        raise NotOursError(f"{step.id}: another volume has this name now", detail=f"its key is {volume.key()}", hint="plan again")
    check_listed(step, volume.key())
    refuse_in_use(step, volume)
    refuse_unfinished(step, volume)
    step.call("virStorageVolDelete", volume.delete, 0)


def adopt(step: Step) -> None:
    """Nothing to do on the host but to see that the volume is there: it carries no mark, the inventory lists it."""
    if lookup(step, pool_of(step, step.id.pool), step.id.name) is None:
        raise HostError(f"{step.id} is not there any more", hint="plan again")


def settle(session: Session, mark: Mark) -> Mark:
    """`mark` with the volume's key, and the digest of its XML as libvirt has it now; unchanged if it cannot be seen."""
    pool = find(session, "virStoragePoolLookupByName", session.conn.storagePoolLookupByName, mark.id.pool)
    if pool is None or not session.call("virStoragePoolIsActive", pool.isActive):
        return mark
    volume = find(session, "virStorageVolLookupByName", pool.storageVolLookupByName, mark.id.name)
    if volume is None:
        return mark
    return replace(mark, uuid=volume.key(), readback=digest(session.call("virStorageVolGetXMLDesc", volume.XMLDesc, 0)))


DRIVERS: MappingProxyType[Verb, Driver] = MappingProxyType(
    {Verb.CREATE: create, Verb.RESIZE: resize, Verb.DELETE: delete, Verb.ADOPT: adopt, Verb.WIPE: wipe}
)
