"""Which files of a domain's snapshots nobody needs any more, and their removal. A file that anything stands on or names stays."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator

import libvirt

from reconciler.host.drivers.calls import find
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.snapshots.choosing import folders
from reconciler.host.drivers.snapshots.ground import Ground
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.users import why_in_use
from reconciler.host.inventory import survey
from reconciler.host.reading.snapshots import Taken, read_snapshots
from reconciler.kinds.spellings import location
from reconciler.xmltree.chains import disks
from reconciler.xmltree.document import parse
from reconciler.xmltree.snapshot import definition


def sources(step: Step, domain: libvirt.virDomain, ground: Ground) -> dict[str, set[str]]:
    """Target -> files that the domain's disks have now, by the running and by the persistent definition."""
    found: dict[str, set[str]] = {}
    for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
        text = find(step.session, "virDomainGetXMLDesc", domain.XMLDesc, flags)
        for disk in () if text is None else disks(parse(text)):
            found.setdefault(disk.target, set()).add(ground.path(disk))
    return found


def states(taken: Iterable[Taken], ground: Ground) -> Iterator[tuple[Taken, str, str]]:
    """(snapshot, target, file) of each disk as it was when the snapshot was taken: the file holds that state, or a part of it."""
    for each in taken:
        root = definition(each.text)
        for disk in () if root is None else disks(root):
            path = ground.path(disk)
            if path:
                yield each, disk.target, path


def needed(step: Step, domain: libvirt.virDomain, taken: Collection[Taken], ground: Ground) -> frozenset[str]:
    """All files that the domain, as it is or as one of these snapshots has it, cannot be without."""
    tops = {path for paths in sources(step, domain, ground).values() for path in paths}
    tops |= {path for _, _, path in states(taken, ground)}
    memory = {location(each.value.memory_file) for each in taken if each.value.memory_file}
    return frozenset(file for top in tops for file in ground.chain(top)) | memory


def places_of(taken: Iterable[Taken], files: Iterable[str] = ()) -> tuple[str, ...]:
    """The folders in which files of these snapshots are, and of `files`."""
    found = list(files)
    for each in taken:
        found += [*each.value.overlays.values(), each.value.memory_file]
        root = definition(each.text)
        found += [disk.path for disk in (() if root is None else disks(root)) if disk.type == "file"]
    return folders(location(path) for path in found if path)


def sweep(step: Step, domain: libvirt.virDomain, places: Places, candidates: Collection[str]) -> None:
    """By virStorageVolDelete of each of these files that is there and that neither the domain, nor a snapshot of it, nor anything
    else on the host needs. What stands on top goes first.
    """
    taken = read_snapshots(step.session, domain)
    ground = Ground.read(step, places, places_of(taken, candidates))
    kept = needed(step, domain, taken, ground) | _listed(step) | set(ground.named)
    left = {location(path) for path in candidates if location(path) in ground.backing} - kept
    gone: set[str] = set()
    while ready := sorted(path for path in left if not ground.over(path) - gone):
        for path in ready:
            volume = places.find(path)
            if volume is not None and (why := why_in_use(step, volume, domain.UUIDString(), gone)):
                step.report(f"{path} stays: {why}", None)
                continue
            if volume is not None:
                step.report(f"removing {posixpath.basename(path)}, which nothing needs any more", None)
                step.call("virStorageVolDelete", volume.delete, 0)
            gone.add(path)
        left -= set(ready)
    for path in sorted(left):
        step.report(f"{path} stays: {', '.join(sorted(ground.over(path) - gone))} stands on it", None)


def _listed(step: Step) -> frozenset[str]:
    """The files of all volumes that any project owns: those have a life of their own."""
    listed = survey(step.session).marks.values()
    return frozenset(location(mark.uuid) for marks in listed for id_, mark in marks.items() if id_.pool and mark.uuid)


def offshoots(ground: Ground, tops: Iterable[str]) -> set[str]:
    """The files of these chains that are named after one that they stand on, as overlays of snapshots are."""
    found = set()
    for top in tops:
        chain = ground.chain(top)
        found |= {path for at, path in enumerate(chain) if any(path.startswith(f"{below}.") for below in chain[at + 1 :])}
    return found


def overlays_of(taken: Iterable[Taken]) -> set[str]:
    """The files that the disks went on in after each of the snapshots."""
    return {location(path) for each in taken for path in each.value.overlays.values() if path}
