"""Reverting to an external snapshot by hand, as libvirt 9.0 does not: fresh overlays over the files that hold its state.

The order, and what is there if it ends at that point:
1. everything is looked up, nothing is touched;
2. a fresh, empty overlay is made over each file that holds the state: some files more, which nothing names;
3. the inventory is told that the revert has begun; a transient domain is made persistent, as its snapshots would go with it;
4. the guest is ended: its disks and its definition are as they were, with all that was written since;
5. the definition of that time is given, with the fresh overlays, in one call: from here on the disks are reverted;
6. the snapshot is told of its fresh overlays and made the current one: libvirt can delete it as any other;
7. the memory is restored, if the snapshot has it; a transient domain is transient again;
8. overlays that neither the domain nor another snapshot needs any more are removed.
Run again at any point it does the same once more, and takes fresh overlays that were left over away.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping
from xml.sax.saxutils import escape

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host import failures
from reconciler.host.drivers import marking
from reconciler.host.drivers.calls import reach
from reconciler.host.drivers.finding import capacity_of
from reconciler.host.drivers.ownership import check_marked
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.snapshots.choosing import root_of
from reconciler.host.drivers.snapshots.ground import Ground
from reconciler.host.drivers.snapshots.sweeping import offshoots, overlays_of, places_of, sources, sweep
from reconciler.host.drivers.states import is_active
from reconciler.host.drivers.step import Step
from reconciler.host.reading.snapshots import Taken
from reconciler.xmltree.chains import bases, disks, switched
from reconciler.xmltree.document import parse
from reconciler.xmltree.snapshot import definition, placed

_SECURE = libvirt.VIR_DOMAIN_XML_SECURE
_INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
_NOW_CURRENT = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT

NAMES = 100  # for a fresh overlay: more are never tried
CANNOT = failures.UNSUPPORTED | {libvirt.VIR_ERR_CONFIG_UNSUPPORTED}


def revert(step: Step, domain: libvirt.virDomain, one: Taken, taken: Collection[Taken], announce: Callable[[], None]) -> None:
    """See above; by virDomainRevertToSnapshot where the host's libvirt can do it itself. `announce` is step 3."""
    with Places(step) as places:
        ground = Ground.read(step, places, places_of(taken))
        states = _states(step, one, ground)
        _check(step, domain, one, places)
        if step.call("virDomainIsPersistent", domain.isPersistent):
            announce()
            if _by_libvirt(step, domain, one):
                return
        names = {target: _names(one, taken, base) for target, base in states.items()}
        strays = left_by(one, taken, ground)
        fresh = {target: _make(step, places, one, target, states[target], tried) for target, tried in names.items()}
        left = offshoots(ground, (top for tops in sources(step, domain, ground).values() for top in tops))
        announce()
        _switch(step, domain, one, taken, fresh)
        sweep(step, domain, places, overlays_of(taken) | strays | left)


def _by_libvirt(step: Step, domain: libvirt.virDomain, one: Taken) -> bool:
    """Whether the host's own libvirt did it: one that cannot says so before it does anything."""
    try:
        step.call("virDomainRevertToSnapshot", domain.revertToSnapshot, one.handle, 0)
    except LibvirtCallError as error:
        if error.code in CANNOT and "not supported" in error.detail:
            return False
        raise
    return True


def _states(step: Step, one: Taken, ground: Ground) -> dict[str, str]:
    """Target -> the file that holds the disk's state. Raises HostError if one is gone."""
    root = definition(one.text)
    found = {disk.target: ground.path(disk) for disk in (() if root is None else disks(root))}
    for target in one.value.overlays:
        if found.get(target, "") not in ground.backing:
            raise _lost(step, one, found.get(target) or f"the file of disk {target}")
    return {target: found[target] for target in one.value.overlays}


def _check(step: Step, domain: libvirt.virDomain, one: Taken, places: Places) -> None:
    if not one.value.memory_file:
        return
    if places.find(one.value.memory_file) is None:
        raise _lost(step, one, one.value.memory_file)
    root = definition(one.text)
    name = None if root is None else root.findtext("name")
    if name != domain.name():
        raise HostError(
            f"{step.id}: the domain was named {name} when {one.value.name} was taken, and its memory fits only that name",
            hint=f"rename it back first: virsh domrename {domain.name()} {name}",
        )


def _lost(step: Step, one: Taken, what: str) -> HostError:
    return HostError(
        f"{step.id}: it cannot be reverted to {one.value.name}: {what} is not there any more",
        detail="nothing was changed",
        hint=f"bring the file back, or give the snapshot up: vireo snapshot delete {step.id.name} {one.value.name}",
    )


def left_by(one: Taken, taken: Collection[Taken], ground: Ground) -> set[str]:
    """The files that reverts to this snapshot made, finished or not: overlays of its names on the files of its state."""
    root = definition(one.text)
    bases = {ground.path(disk) for disk in (() if root is None else disks(root)) if disk.target in one.value.overlays}
    return {path for base in bases if base for path in _names(one, taken, base) if ground.backing.get(path) == base}


def _names(one: Taken, taken: Collection[Taken], base: str) -> tuple[str, ...]:
    """The names that a fresh overlay of the snapshot may have, best first."""
    first = f"{root_of(base, [each.value for each in taken])}.{one.value.name}"
    return (first, *(f"{first}.r{number}" for number in range(1, NAMES)))


def _make(step: Step, places: Places, one: Taken, target: str, base: str, names: Collection[str]) -> str:
    """By virStorageVolCreateXML, an empty overlay over `base` under the first name that is free; its path."""
    below, root = places.find(base), definition(one.text)
    path = next((name for name in names if places.find(name) is None), "")
    form = next((disk.format for disk in (() if root is None else disks(root)) if disk.target == target), "")
    if below is None or not path:
        raise _lost(step, one, base)
    folder, name = posixpath.split(path)
    text = (
        f"<volume><name>{escape(name)}</name><capacity unit='bytes'>{capacity_of(step, below)}</capacity>"
        "<target><format type='qcow2'/><compat>1.1</compat></target>"
        f"<backingStore><path>{escape(base)}</path><format type='{escape(form)}'/></backingStore></volume>"
    )
    step.call("virStorageVolCreateXML", places.pool(folder).createXML, text, 0)
    return path


def _switch(step: Step, domain: libvirt.virDomain, one: Taken, taken: Collection[Taken], fresh: Mapping[str, str]) -> None:
    conn, mark = step.session.conn, check_marked(step, domain)
    transient = not step.call("virDomainIsPersistent", domain.isPersistent)
    flags = _SECURE if is_active(step, domain) else _SECURE | _INACTIVE
    present = step.call("virDomainGetXMLDesc", domain.XMLDesc, flags)
    if transient:
        step.call("virDomainDefineXML", conn.defineXML, present)
    step.report("ending the guest", None)
    reach(step.session, lambda: not is_active(step, domain), "virDomainDestroy", domain.destroy)
    known = bases(each.text for each in taken)

    def now(*, inactive: bool) -> str:
        root = definition(one.text, inactive=inactive)
        if root is None:
            raise _lost(step, one, "its definition of that time")
        name = root.find("name")
        if name is not None:
            name.text = domain.name()
        return marking.embed(switched(root, fresh, known, parse(present)), mark)

    step.call("virDomainDefineXML", conn.defineXML, now(inactive=True))
    text = placed(one.text, one.value.parent, fresh)
    step.call("virDomainSnapshotCreateXML", domain.snapshotCreateXML, text, _NOW_CURRENT)
    if one.value.memory_file:
        step.report("restoring the guest's memory", None)
        kept = libvirt.VIR_DOMAIN_SAVE_PAUSED if one.value.state == "paused" else libvirt.VIR_DOMAIN_SAVE_RUNNING
        step.call("virDomainRestoreFlags", conn.restoreFlags, one.value.memory_file, now(inactive=False), kept)
    if transient:
        reach(step.session, lambda: is_active(step, domain), "virDomainCreate", domain.create)
        step.call("virDomainUndefine", domain.undefine)
