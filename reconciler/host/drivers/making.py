"""Making volumes (virStorageVolCreateXML): empty ones, copies, and ones filled from a local file.

libvirt cannot make a filled volume in one step. So that one that was interrupted is told from a complete one, its mark stays
pending from before it exists until it is filled; only such a half-made one of ours is ever made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import libvirt

from reconciler.errors import HostError, LibvirtCallError, NotOursError, UsageError
from reconciler.host.drivers import upload
from reconciler.host.drivers.calls import flag, with_flags
from reconciler.host.drivers.finding import capacity_of, lookup, pool_of, size_in
from reconciler.host.drivers.options import Clone, Upload
from reconciler.host.drivers.ownership import listed
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.users import refuse_in_use
from reconciler.model.state import Mark
from reconciler.xmltree.document import Element, parse, serialize

_PATIENCE = 600.0  # seconds that a copy which nobody wants any more may take to end
_BLANK = 1 << 20  # bytes: a volume in which less is allocated has not been written to


def create(step: Step) -> None:
    """By virStorageVolCreateXML, or CreateXMLFrom for a clone; filled by an upload if the manifest says so.

    A volume of this name that is there already is left alone, unless it is ours and half made: then it is made again.
    """
    pool = pool_of(step, step.id.pool)
    there = lookup(step, pool, step.id.name)
    if there is not None and not _half_made(step, there):
        return
    source, clone = Upload.of(step.options), Clone.of(step.options)
    if source is not None:
        root = parse(step.desired.xml)
        form = root.find("target/format")
        with upload.checked(step, source, "raw" if form is None else form.get("type") or "raw") as image:
            _remove_half(step, there)
            _fill(step, _with_capacity(step, root, image.capacity), lambda xml: _make(step, pool, xml), image)
    elif clone is not None:
        original = _original(step, clone)
        xml = _with_capacity(step, parse(step.desired.xml), capacity_of(step, original))
        _remove_half(step, there)
        _fill(step, xml, lambda xml: _copy(step, pool, xml, original), None)
    else:
        _make(step, pool, step.desired.xml)


def _half_made(step: Step, volume: libvirt.virStorageVol) -> bool:
    """Whether the volume must be made again; False if it is complete. Raises NotOursError."""
    mark = listed(step)
    if mark is None:
        raise NotOursError(
            f"{step.id}: a volume of this name is there, and it is not ours", hint="rename yours, or take it over with --adopt"
        )
    if mark.uuid and mark.uuid != volume.key():
        raise NotOursError(f"{step.id}: another volume has this name now", detail=f"its key is {volume.key()}", hint="plan again")
    if not mark.pending:
        return False
    filled = bool(step.options.get("upload") or step.options.get("clone"))
    if not mark.uuid and not _looks_new(step, volume):
        raise NotOursError(
            f"{step.id}: a volume of this name came up before ours was made",
            hint="look what it is; then rename yours, delete it (virsh vol-delete), or take it over with --adopt",
        )
    return filled


def _looks_new(step: Step, volume: libvirt.virStorageVol) -> bool:
    """Whether it can be what our own interrupted call has made: nothing in it, or (a clone) of the form that we want."""
    there = parse(step.call("virStorageVolGetXMLDesc", volume.XMLDesc, 0)).find("target/format")
    wanted = parse(step.desired.xml).find("target/format")
    same = wanted is None or (there is not None and there.get("type") == wanted.get("type"))
    allocated = int(step.call("virStorageVolGetInfo", volume.info)[2])
    return same and (not step.options.get("upload") or allocated < _BLANK)


def _remove_half(step: Step, volume: libvirt.virStorageVol | None) -> None:
    if volume is None:
        return
    refuse_in_use(step, volume, libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE, written=True)
    deadline = step.clock() + _PATIENCE
    while True:
        step.report("removing what an interrupted apply has left", None)
        try:
            step.call("virStorageVolDelete", volume.delete, 0)
        except LibvirtCallError as error:
            # The daemon goes on copying for a client that is gone, and refuses until it has finished.
            if error.code != libvirt.VIR_ERR_OPERATION_INVALID or step.clock() > deadline:
                raise
            step.sleep(1.0)
        else:
            return


def _with_capacity(step: Step, root: Element, least: int) -> str:
    """The XML to create from, of at least `least` bytes: what goes into it must have room."""
    wanted = size_in(root, "capacity")
    if wanted is not None and wanted < least:
        raise UsageError(
            f"{step.id}: {wanted} bytes are too small for what is to be in it ({least} bytes)",
            hint="raise the volume's capacity, or leave it out",
        )
    if wanted is None:
        capacity = parse("<capacity unit='bytes'/>")
        capacity.text = str(least)
        root.append(capacity)
    return serialize(root)


def _make(step: Step, pool: libvirt.virStoragePool, xml: str) -> libvirt.virStorageVol:
    form = parse(xml).find("target/format")
    prealloc = 0
    if form is not None and form.get("type") == "qcow2" and step.options.get("preallocate") in ("metadata", "full"):
        prealloc = libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA
    tries = (prealloc | flag("VIR_STORAGE_VOL_CREATE_VALIDATE"), prealloc, 0)
    return with_flags(step.session, "virStorageVolCreateXML", pool.createXML, xml, tries=tries)


def _copy(step: Step, pool: libvirt.virStoragePool, xml: str, original: libvirt.virStorageVol) -> libvirt.virStorageVol:
    step.report(f"copying {original.name()}", None)
    return step.call("virStorageVolCreateXMLFrom", pool.createXMLFrom, xml, original, 0)


def _original(step: Step, clone: Clone) -> libvirt.virStorageVol:
    pool = pool_of(step, clone.pool or step.id.pool)
    original = lookup(step, pool, clone.volume)
    if original is None:
        raise HostError(
            f"{step.id}: the volume {clone.volume} to be cloned is not in the pool {clone.pool or step.id.pool}",
            hint="plan again",
        )
    return original


def _fill(step: Step, xml: str, make: Callable[[str], libvirt.virStorageVol], image: upload.Image | None) -> None:
    """Makes the volume, fills it, brings it to its size; takes it away again if anything of that fails."""
    mark = replace(listed(step) or Mark(project=step.project, id=step.id, uuid=""), uuid="", pending=True)
    step.record(mark)
    volume = make(xml)
    mine = replace(mark, uuid=volume.key())
    try:
        step.record(mine)
        if image is not None:
            upload.send(step, image, volume)
        wanted = size_in(parse(xml), "capacity") or 0
        if capacity_of(step, volume) < wanted:
            step.call("virStorageVolResize", volume.resize, wanted, 0)
    except BaseException:
        _take_away(step, volume)
        raise
    step.record(replace(mine, pending=False))


def _take_away(step: Step, volume: libvirt.virStorageVol) -> None:
    """As well as possible: over a broken connection the volume stays, pending, and the next apply makes it again."""
    try:
        step.call("virStorageVolDelete", volume.delete, 0)
    except HostError:
        step.report("the half-made volume could not be removed; the next apply does it", None)
