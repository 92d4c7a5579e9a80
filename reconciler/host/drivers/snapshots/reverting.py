"""Reverts a domain to a snapshot (virDomainRevertToSnapshot): what came after it, on its disks and in its memory, is lost.

The inventory learns first that the domain is being reverted ("reverting/NAME"). Then libvirt does it; an external snapshot, which
libvirt 9.0 cannot revert to, is done by hand (see switching.py). Then our mark, as it was before, is put back: a revert brings
back the whole definition of that time, live and persistent. At last the inventory learns that it is done, so that no later apply
undoes it without a word. Interrupted anywhere, the domain is not started on what may be the old disks: the same revert, done
again, finishes it.
"""

from __future__ import annotations

from collections.abc import Collection

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers import marking
from reconciler.host.drivers.ownership import check_marked
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.snapshots import switching
from reconciler.host.drivers.snapshots.ground import Ground
from reconciler.host.drivers.snapshots.sweeping import places_of, states
from reconciler.host.drivers.snapshots.taking import SECURE, note, refuse_saved, wanted
from reconciler.host.drivers.states import is_active
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.users import refuse_in_use
from reconciler.host.reading.snapshots import Taken, read_snapshots
from reconciler.model.snapshot import REVERTING


def revert(step: Step) -> None:
    """By virDomainRevertToSnapshot, or by hand for an external snapshot. The guest is afterwards as the
    snapshot has it; one of disks only leaves it stopped (a transient one: booted anew).
    """
    name = wanted(step).name
    domain = definitions.expect(step)
    mark = check_marked(step, domain)
    taken = read_snapshots(step.session, domain, SECURE)
    one = next((each for each in taken if each.value.name == name), None)
    if one is None:
        raise HostError(
            f"{step.id}: there is no snapshot {name}", hint=f"`vireo snapshot list {step.id.name}` shows what there is"
        )
    refuse_saved(step, domain, f"it cannot be reverted to {name}")
    external = bool(one.value.overlays or one.value.memory_file)
    if external:
        switching.revert(step, domain, one, taken, lambda: note(step, mark, reverted=REVERTING + name))
    else:
        _check_alone(step, domain, one, taken)
        note(step, mark, reverted=REVERTING + name)
        step.report(f"reverting to {name}", None)
        _revert(step, domain, one)
    again = definitions.lookup(step)
    if again is not None:
        marking.put(step.session, again, mark)
    note(step, mark, reverted=name)


def _revert(step: Step, domain: libvirt.virDomain, one: Taken) -> None:
    try:
        step.call("virDomainRevertToSnapshot", domain.revertToSnapshot, one.handle, 0)
    except LibvirtCallError as error:
        if error.code != libvirt.VIR_ERR_SNAPSHOT_REVERT_RISKY:
            raise
        step.call("virDomainRevertToSnapshot", domain.revertToSnapshot, one.handle, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)


def _check_alone(step: Step, domain: libvirt.virDomain, one: Taken, taken: Collection[Taken]) -> None:
    """An internal snapshot brings its file back to what it was: everything that stands on that file would be destroyed."""
    with Places(step) as places:
        ground = Ground.read(step, places, places_of(taken))
        files = {top: target for _, target, top in states([one], ground) if target in one.value.internal}
        for file, target in files.items():
            if ground.over(file):
                later = [
                    each.value.name
                    for each, at, top in states(taken, ground)
                    if at == target and top == file and each.value.overlays
                ]
                who = (
                    f"the later snapshot{'s' if len(later) > 1 else ''} {', '.join(later)}"
                    if later
                    else "nothing that Vireo knows"
                )
                raise HostError(
                    f"{step.id}: it cannot be reverted to {one.value.name}: {', '.join(sorted(ground.over(file)))} stands on "
                    f"{file}, which would change below it",
                    detail=f"it belongs to {who}",
                    hint=f"delete the external snapshot {later[-1]} first" if later else "delete what stands on it first",
                )
            volume = places.find(file)
            if volume is not None:
                refuse_in_use(step, volume, own=domain.UUIDString(), written=is_active(step, domain))
