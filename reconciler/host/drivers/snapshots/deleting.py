"""Deletes a snapshot (virDomainSnapshotDelete): what was written since goes on, in the file below.

libvirt 9.0 does it for external ones if the tree is of one kind, the definition has the chain, and nobody else stands on the
base; it does not look whether anybody does. So: users of the base are looked for first, and if there are any, only the record
goes and the files stay (an overlay is then a part of the disk as any other). The chain is put into the definition of a stopped
domain. A parent of the other kind is taken off the record for the time of the call, and its children are put back below it.
At last the memory image and overlays that nobody needs are removed, and the inventory forgets the snapshot. Each step can be
repeated, and none loses what another snapshot or the guest has.
"""

from __future__ import annotations

from collections.abc import Collection

import libvirt

from reconciler.errors import HostError, LibvirtCallError, NotOursError
from reconciler.host import failures
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers.ownership import check_marked
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.snapshots.ground import Ground
from reconciler.host.drivers.snapshots.sweeping import offshoots, overlays_of, places_of, sources, states, sweep
from reconciler.host.drivers.snapshots.switching import left_by
from reconciler.host.drivers.snapshots.taking import CLOSED, SECURE, complete, explained, known, note, refuse_saved, wanted
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.users import why_in_use
from reconciler.host.reading.snapshots import Taken, read_snapshots
from reconciler.kinds.spellings import location
from reconciler.model.snapshot import taken_at, way_of
from reconciler.model.state import Mark
from reconciler.xmltree.snapshot import placed

_REDEFINE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
_CURRENT = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
_METADATA = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY


def delete(step: Step) -> None:
    """By virDomainSnapshotDelete. One that no hand asked for (by schedule, by prune) takes only what we took for a manifest."""
    name = wanted(step).name
    domain = definitions.ours(step)
    if domain is None:
        return
    mark = check_marked(step, domain)
    taken = read_snapshots(step.session, domain, SECURE)
    one = next((each for each in taken if each.value.name == name), None)
    if one is not None:
        if wanted(step).way != "hand":
            _check_ours(step, one)
        _delete(step, domain, one, taken)
    _forget(step, mark, name)


def _check_ours(step: Step, one: Taken) -> None:
    noted = known(step).get(one.value.name, "")
    why = "was not taken by Vireo" if taken_at(noted) != str(one.value.created) else ""
    if not why and way_of(noted) not in ("declared", "schedule"):
        why = "was not taken for a manifest"
    if why:
        raise NotOursError(
            f"{step.id}: the snapshot {one.value.name} {why}",
            hint=f"nothing was done to it; `vireo snapshot delete {step.id.name} {one.value.name}` deletes it all the same",
        )


def _forget(step: Step, mark: Mark, name: str) -> None:
    ours = known(step)
    if name in ours:
        note(step, mark, snapshots={key: value for key, value in ours.items() if key != name})


def _delete(step: Step, domain: libvirt.virDomain, one: Taken, taken: Collection[Taken]) -> None:
    others = [each for each in taken if each is not one]
    memory = {location(one.value.memory_file)} if one.value.memory_file else set()
    if not one.value.overlays:
        _call(step, one, 0)
    else:
        refuse_saved(step, domain, f"the snapshot {one.value.name} cannot be deleted")
    with Places(step) as places:
        left: set[str] = set()
        if one.value.overlays:
            ground = Ground.read(step, places, places_of(taken))
            if stray := left_by(one, taken, ground) - overlays_of(
                taken
            ):  # of reverts that were given up: they would keep the base
                sweep(step, domain, places, stray)
                ground = Ground.read(step, places, places_of(taken))
            left = offshoots(ground, (top for _, _, top in states([one], ground)))
            if _merges(step, domain, one, others, ground) and not _others_stand(step, domain, one, ground, places):
                complete(step, domain, taken)
                _merge(step, domain, one, others)
            else:
                _strike(step, domain, one, others)
        if one.value.overlays or memory:
            sweep(step, domain, places, overlays_of(taken) | memory | left)


def _strike(step: Step, domain: libvirt.virDomain, one: Taken, others: Collection[Taken]) -> None:
    """Takes its record away. Its children go below its parent before: libvirt would rewrite them as if it had merged files."""
    for each in others:
        if each.value.parent == one.value.name:
            _redefine(step, domain, placed(each.text, one.value.parent), current=each.value.current)
    _call(step, one, _METADATA)


def _call(step: Step, one: Taken, flags: int) -> None:
    try:
        step.call("virDomainSnapshotDelete", one.handle.delete, flags)
    except LibvirtCallError as error:
        if error.code not in failures.ABSENT:
            raise _explained(step, one, error) from error


def _explained(step: Step, one: Taken, error: LibvirtCallError) -> HostError:
    """The error, with what to do about what libvirt 9.0 cannot do."""
    hints = {
        "not the same as disk image currently used": "delete the later external snapshots first, or stop the guest",
        "disk source are not the same": "stop the guest first: for a stopped one the snapshot can be deleted",
        "could not find base disk source": "stop the guest first: for a stopped one the snapshot can be deleted",
        "Block node is read-only": CLOSED,
    }
    return explained(error, f"{step.id}: the snapshot {one.value.name} could not be deleted", hints)


def _merges(step: Step, domain: libvirt.virDomain, one: Taken, others: Collection[Taken], ground: Ground) -> bool:
    """Whether its overlays are to be merged into what they stand on; else only its record goes.

    Raises HostError if an internal snapshot would go down with an overlay.
    """
    now = sources(step, domain, ground)
    for target, overlay in one.value.overlays.items():
        path = location(overlay)
        base = ground.backing.get(path, "")
        chains = [ground.chain(top) for top in now.get(target, ())]
        if not chains or not all(path in chain for chain in chains):
            return False
        inside = [
            other.value.name for other, at, top in states(others, ground) if (at, top) == (target, path) and other.value.internal
        ]
        if inside:
            raise HostError(
                f"{step.id}: the snapshot {one.value.name} cannot be deleted: {', '.join(inside)} is inside of {path}",
                hint=f"delete {inside[0]} first",
            )
        used = _users(others, ground, target, path, base, {file for chain in chains for file in chain})
        below = _descendants(one, others)
        used |= {
            o.value.name for o, at, top in states(others, ground) if (at, top) == (target, path) and o.value.name not in below
        }
        if used:
            step.report(
                f"{path} stays as a part of the disk {target}: {', '.join(sorted(used))} stands on what is below it", None
            )
            return False
    return True


def _others_stand(step: Step, domain: libvirt.virDomain, one: Taken, ground: Ground, places: Places) -> bool:
    """Whether anybody uses what a merge would change: the overlay, or what it stands on; links and files of no pool, too."""
    now = sources(step, domain, ground)
    for target, overlay in one.value.overlays.items():
        path = location(overlay)
        mine = {file for top in now.get(target, ()) for file in ground.chain(top)}
        for file in (path, ground.backing.get(path, "")):
            volume = places.find(file) if file else None
            if volume is not None and (why := why_in_use(step, volume, domain.UUIDString(), mine - {file}, written=file == path)):
                step.report(f"{path} stays as a part of the disk {target}: of {file}, {why}", None)
                return True
    return False


def _descendants(one: Taken, others: Collection[Taken]) -> set[str]:
    """The snapshots below it: of those libvirt knows that what they name is merged."""
    found = {one.value.name}
    for each in others:  # parents come first
        if each.value.parent in found:
            found.add(each.value.name)
    return found


def _users(others: Collection[Taken], ground: Ground, target: str, path: str, base: str, mine: Collection[str]) -> set[str]:
    """Who else needs the base, or the overlay itself, to stay as it is."""
    found = {
        other.value.name for other, at, top in states(others, ground) if at == target and top == base and other.value.overlays
    }
    for file in (ground.over(base) - {path}) | (ground.over(path) - set(mine)):
        found.add(file)
    return found | set(ground.named.get(base, ())) | set(ground.named.get(path, ()))


def _merge(step: Step, domain: libvirt.virDomain, one: Taken, others: Collection[Taken]) -> None:
    step.report(f"merging what was written since {one.value.name} into what is below it", None)
    parent = next((each for each in others if each.value.name == one.value.parent), None)
    if parent is None or not parent.value.internal:
        _call(step, one, 0)
        return
    _redefine(step, domain, placed(one.text, ""), current=one.value.current)
    try:
        _call(step, one, 0)
    except LibvirtCallError:
        _redefine(step, domain, one.text, current=one.value.current)
        raise
    children = {each.value.name for each in others if each.value.parent == one.value.name}
    for each in read_snapshots(step.session, domain, SECURE):
        if each.value.name in children:
            _redefine(step, domain, placed(each.text, parent.value.name), current=each.value.current)
    if one.value.current:
        _redefine(step, domain, parent.text, current=True)


def _redefine(step: Step, domain: libvirt.virDomain, text: str, *, current: bool) -> None:
    flags = _REDEFINE | (_CURRENT if current else 0)
    step.call("virDomainSnapshotCreateXML", domain.snapshotCreateXML, text, flags)
