"""Takes a snapshot (virDomainSnapshotCreateXML), and writes down that it is ours.

The order, so that nothing is lost wherever it ends: the form is chosen and every file's name is found free; the name is written
down without a time (taken, if it is there, by a call of ours that was interrupted); the snapshot is taken, by one call;
libvirt's time of it is written down; a stopped domain's definition gets the chain below its overlays. A name that is there
already and was not written down is somebody else's: it is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.ownership import check_marked, listed
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.snapshots.choosing import Choice, Guest, choose, layout
from reconciler.host.drivers.states import is_active, is_paused
from reconciler.host.drivers.step import Step
from reconciler.host.reading.snapshots import Taken, read_snapshots
from reconciler.kinds.spellings import location
from reconciler.model.snapshot import SnapshotSpec, noted, taken_at, way_of
from reconciler.model.state import Mark
from reconciler.xmltree.chains import Disk, bases, with_chains
from reconciler.xmltree.document import parse
from reconciler.xmltree.snapshot import Layout, write

SECURE = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE


CLOSED = (
    "QEMU keeps the disks closed of a guest whose memory was written out while it was paused: resume it (and pause it again, if "
    "you like), then try again"
)


def explained(error: LibvirtCallError, summary: str, hints: Mapping[str, str]) -> LibvirtCallError:
    """The error in our words, with the hint of the first pattern that its detail holds."""
    hint = next((text for pattern, text in hints.items() if pattern in error.detail), error.hint)
    return LibvirtCallError(summary, call=error.call, code=error.code, detail=error.detail, hint=hint)


def wanted(step: Step) -> SnapshotSpec:
    """What the action is about. Raises HostError if it names no snapshot."""
    if step.action.snapshot is None:
        raise HostError(f"{step.id}: the plan names no snapshot", hint="plan again; if this stays, it is a bug")
    return step.action.snapshot


def note(step: Step, mark: Mark, **changes: object) -> None:
    """Writes the inventory's entry anew with these changes; `mark` is the domain's own, for one that is not listed."""
    step.record(replace(listed(step) or mark, **changes))  # type: ignore[arg-type]


def known(step: Step) -> dict[str, str]:
    """The snapshots that the inventory says are ours: name -> time and way."""
    entry = listed(step)
    return {} if entry is None else dict(entry.snapshots)


def take(step: Step) -> None:
    """By virDomainSnapshotCreateXML. Does nothing if the domain has a snapshot of that name."""
    spec = wanted(step)
    domain = definitions.expect(step)
    mark = check_marked(step, domain)
    ours = known(step)
    there = find(step.session, "virDomainSnapshotLookupByName", domain.snapshotLookupByName, spec.name)
    if there is None:
        note(step, mark, snapshots={**ours, spec.name: noted("", spec.way)})
        try:
            _take(step, domain, spec)
        except HostError:
            _forget_untaken(step, domain, mark, spec.name)
            raise
    elif spec.name not in ours or taken_at(ours[spec.name]):
        return
    taken = read_snapshots(step.session, domain)
    made = next((each.value for each in taken if each.value.name == spec.name), None)
    if made is not None:
        ours = known(step)
        way = way_of(ours.get(spec.name, noted("", spec.way)))
        note(step, mark, snapshots={**ours, spec.name: noted(str(made.created), way)})
    complete(step, domain)


def _forget_untaken(step: Step, domain: libvirt.virDomain, mark: Mark, name: str) -> None:
    """Over a broken connection the note stays, and the next try finds out what became of it."""
    try:
        if find(step.session, "virDomainSnapshotLookupByName", domain.snapshotLookupByName, name) is None:
            note(step, mark, snapshots={key: value for key, value in known(step).items() if key != name})
    except HostError as error:
        step.report(f"whether the snapshot {name} was taken is not known: {error.summary}", None)


def _take(step: Step, domain: libvirt.virDomain, spec: SnapshotSpec) -> None:
    active = is_active(step, domain)
    taken = read_snapshots(step.session, domain)
    root = parse(step.call("virDomainGetXMLDesc", domain.XMLDesc, 0 if active else libvirt.VIR_DOMAIN_XML_INACTIVE))
    guest = Guest(str(step.id), root, active, tuple(each.value for each in taken))
    choice = choose(guest, spec)
    if not choice.internal:
        refuse_saved(step, domain, f"the snapshot {spec.name} cannot be external")
    with Places(step) as places:
        plan = Layout(internal=tuple(disk.target for disk in choice.chosen))
        if not choice.internal:
            plan = layout(choice, spec, _paths(step, choice.chosen), guest.taken)
            _check_free(step, places, plan)
        _create(step, domain, spec, choice, write(spec, plan))


def refuse_saved(step: Step, domain: libvirt.virDomain, what: str) -> None:
    """Raises HostError if the guest is saved: its image names the disks as they are, and fits nothing but their content now."""
    persistent = step.call("virDomainIsPersistent", domain.isPersistent)
    if persistent and step.call("virDomainHasManagedSaveImage", domain.hasManagedSaveImage, 0):
        raise HostError(
            f"{step.id}: {what}: the guest is saved, and its saved state belongs to the disks as they are now",
            hint="start it first (or give its saved state up: virsh managedsave-remove)",
        )


def _paths(step: Step, chosen: Collection[Disk]) -> Mapping[str, str]:
    """Target -> file of each disk. Raises HostError for a volume that is not there."""
    found = {}
    for disk in chosen:
        if disk.path:
            found[disk.target] = location(disk.path)
            continue
        pool = step.call("virStoragePoolLookupByName", step.session.conn.storagePoolLookupByName, disk.pool)
        volume = step.call("virStorageVolLookupByName", pool.storageVolLookupByName, disk.volume)
        if step.call("virStorageVolGetInfo", volume.info)[0] != libvirt.VIR_STORAGE_VOL_FILE:
            raise HostError(
                f"{step.id}: the volume of disk {disk.target} is no file, so there is no place for an overlay",
                hint="name the other disks in the snapshot's `disks`, or use qcow2 on it and `mode: internal`",
            )
        found[disk.target] = location(step.call("virStorageVolGetPath", volume.path))
    return found


def _check_free(step: Step, places: Places, plan: Layout) -> None:
    for path in plan.files:
        if places.find(path) is not None:
            raise HostError(
                f"{step.id}: {path} is there already, and a snapshot of this name would need it",
                hint="look what it is, and move it away; or give the snapshot another name",
            )


def _create(step: Step, domain: libvirt.virDomain, spec: SnapshotSpec, choice: Choice, text: str) -> None:
    def create(flags: int) -> None:
        try:
            step.call("virDomainSnapshotCreateXML", domain.snapshotCreateXML, text, flags)
        except LibvirtCallError as error:
            hints = {"paused due to previous migration": CLOSED}
            raise explained(error, f"{step.id}: the snapshot {spec.name} could not be taken", hints) from error

    step.report(f"taking the snapshot {spec.name}" + (" with the guest's memory" if choice.memory else ""), None)
    if choice.internal or choice.memory:
        create(0)
        return
    flags, quiet = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    if not choice.alone or spec.quiesce == "false":
        create(flags)
    elif spec.quiesce == "true":
        create(flags | quiet)
    elif is_paused(step, domain):
        create(flags)
    else:
        try:
            create(flags | quiet)
        except LibvirtCallError as error:
            if find(step.session, "virDomainSnapshotLookupByName", domain.snapshotLookupByName, spec.name) is None:
                step.report(f"not quiesced, as after a power cut: the guest's agent does not do it ({error.detail})", None)
                create(flags)


def complete(step: Step, domain: libvirt.virDomain, taken: Collection[Taken] | None = None) -> None:
    """Puts the chain below its overlays into the persistent definition, where libvirt left it out; a running guest has it."""
    if not step.call("virDomainIsPersistent", domain.isPersistent):
        return
    secure = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
    text = step.call("virDomainGetXMLDesc", domain.XMLDesc, secure)
    every = read_snapshots(step.session, domain) if taken is None else taken
    whole = with_chains(text, bases(each.text for each in every))
    if whole is not None:
        step.call("virDomainDefineXML", step.session.conn.defineXML, whole)
