"""Which files on its host are a domain's own, beside its volumes: found, in the order in which they are to go. Changes nothing.

What a snapshot or a revert has put over a volume is the domain's; the volume below, which an inventory lists or the manifest
names, is not: it has a wipe of its own, or is an image that others share.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import libvirt
import platformdirs

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.snapshots.choosing import root_of
from reconciler.host.drivers.snapshots.ground import Ground
from reconciler.host.drivers.snapshots.sweeping import overlays_of, places_of, sources, states
from reconciler.host.drivers.step import Step
from reconciler.host.inventory import survey
from reconciler.host.reading.snapshots import read_snapshots
from reconciler.kinds.spellings import location
from reconciler.model.snapshot import Snapshot
from reconciler.xmltree.chains import disks
from reconciler.xmltree.document import Element, parse

_SYSTEM = "/var/lib/libvirt"
_ABSENT = "No such file or directory"


@dataclass(frozen=True, slots=True)
class Belonging:
    """A file, and what it is in words. `ours`: nothing else deletes it (libvirt deletes the others with the definition)."""

    path: str
    what: str
    ours: bool


def of_snapshots(step: Step, domain: libvirt.virDomain, places: Places) -> tuple[Belonging, ...]:
    """Overlays and memory images, those of reverts and of all branches, too. The lowest overlay first: the one above it still
    says that it was there. Raises HostError if there is one of which it is not known whether it is the domain's own.
    """
    taken = read_snapshots(step.session, domain)
    here = [disk.path for root in _definitions(step, domain) for disk in disks(root) if disk.type == "file" and disk.path]
    ground = Ground.read(step, places, places_of(taken, here))
    kept = _kept(step, ground)
    overlays = overlays_of(taken)
    tops = {top for tops in sources(step, domain, ground).values() for top in tops} | {top for _, _, top in states(taken, ground)}
    for top in tops:
        overlays |= _above(ground.chain(top), kept)
    bases = {file for top in tops for file in ground.chain(top)}
    snapshots = [each.value for each in taken]
    for path, below in ground.backing.items():
        if (below or path in bases) and _named_after(path, snapshots) & bases:  # one that is wiped already stands on nothing
            overlays.add(path)
    _refuse_strays(step, ground, bases | overlays, overlays | kept)
    found = [
        Belonging(path, "overlay", ours=True)
        for path in sorted(overlays - kept, key=lambda path: (len(ground.chain(path)), path))
    ]
    images = {location(each.value.memory_file) for each in taken if each.value.memory_file}
    return (*found, *(Belonging(path, "memory image", ours=True) for path in sorted(images - kept)))


def _named_after(path: str, snapshots: Collection[Snapshot]) -> set[str]:
    """The first file of the disk, if this one is named after it as overlays of these snapshots are."""
    root = root_of(path, snapshots)
    return {root} - {path}


def _refuse_strays(step: Step, ground: Ground, bases: Collection[str], known: Collection[str]) -> None:
    """Overlays named after a file of the domain that no domain names may hold what its guest wrote, or somebody's own data."""
    for base in sorted(bases):
        stray = [
            path for path in sorted(ground.over(base) - set(known)) if path.startswith(f"{base}.") and path not in ground.named
        ]
        if stray:
            raise HostError(
                f"{step.id}: {stray[0]} stands on its file {base}, and no snapshot tells whose it is, so nothing was done to it",
                hint="if nobody needs it, delete it yourself (virsh vol-delete; that wipes nothing), and apply again",
            )


def _kept(step: Step, ground: Ground) -> set[str]:
    """What is not the domain's own: files that any project's inventory lists, and those that the domain was declared with."""
    listed = (mark for marks in survey(step.session).marks.values() for mark in marks.values() if mark.id.pool)
    declared = disks(parse(step.intent)) if step.intent else ()
    if step.plan.desired is not None:
        wanted = step.desired.declared or step.desired.xml
        declared = (*declared, *disks(parse(wanted)))
    files = {location(mark.uuid) for mark in listed if mark.uuid}
    return files | {path for disk in declared if (path := ground.path(disk))}


def _above(chain: Iterable[str], kept: set[str]) -> set[str]:
    """What stands over the first file that is kept; nothing if none is: then it is not known what the domain began with."""
    found: set[str] = set()
    for path in chain:
        if path in kept:
            return found
        found.add(path)
    return set()


def of_libvirt(step: Step, domain: libvirt.virDomain, places: Places) -> tuple[Belonging, ...]:
    """Managed save image, NVRAM, TPM state: libvirt deletes them with the definition. Raises HostError if one cannot be found."""
    root = parse(step.call("virDomainGetXMLDesc", domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
    return (*_saved(step, domain, places), *_nvram(root, places), *tpm_state(step, root, places))


def _saved(step: Step, domain: libvirt.virDomain, places: Places) -> Iterator[Belonging]:
    if not step.call("virDomainHasManagedSaveImage", domain.hasManagedSaveImage, 0):
        return
    path = f"{_state(step)}/qemu/save/{domain.name()}.save"
    if look(places, path) is None:
        raise HostError(
            f"{step.id}: its managed save image is not where libvirt usually keeps it, so it cannot be wiped",
            detail=f"looked for {path}",
            hint=f"delete it yourself (virsh managedsave-remove {domain.name()}; that wipes nothing), and apply again",
        )
    yield Belonging(path, "managed save image", ours=False)


def _nvram(root: Element, places: Places) -> Iterator[Belonging]:
    source = root.find("os/nvram/source")
    path = (root.findtext("os/nvram") or "").strip() or ("" if source is None else source.get("file") or "")
    if path.startswith("/") and look(places, path) is not None:
        yield Belonging(location(path), "NVRAM", ours=False)


def tpm_state(step: Step, root: Element, places: Places) -> Iterator[Belonging]:
    """What the emulators of the definition's TPMs have written; nothing if they never ran."""
    uuid = root.findtext("uuid") or ""
    for backend in root.iterfind("devices/tpm/backend[@type='emulator']"):
        version = "tpm1.2" if backend.get("version") == "1.2" else "tpm2"
        folder = f"{_state(step)}/swtpm/{uuid}/{version}"
        for name in names_in(places, folder):
            yield Belonging(f"{folder}/{name}", "TPM state", ours=False)


def _state(step: Step) -> str:
    """Where the host's libvirt keeps what belongs to domains: by its documentation, as no call tells it."""
    address = urlsplit(step.session.spec.uri)
    if address.path != "/session":
        return _SYSTEM
    if address.hostname:
        raise HostError(
            f"{step.id}: where a session on another machine keeps its files is not known, so they cannot be wiped",
            hint="apply on that machine, with qemu:///session",
        )
    return posixpath.join(platformdirs.user_config_dir("libvirt", appauthor=False))


def look(places: Places, path: str) -> libvirt.virStorageVol | None:
    """The file; None if it, or its folder, is not there. Raises HostError if the folder cannot be looked into."""
    try:
        return places.find(path)
    except LibvirtCallError as error:
        if _ABSENT in error.detail:
            return None
        raise


def names_in(places: Places, folder: str) -> tuple[str, ...]:
    """The files of a folder; none if it is not there."""
    try:
        return tuple(sorted(places.pool(folder).listVolumes()))
    except LibvirtCallError as error:
        if _ABSENT in error.detail:
            return ()
        raise


def _definitions(step: Step, domain: libvirt.virDomain) -> Iterator[Element]:
    for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
        yield parse(step.call("virDomainGetXMLDesc", domain.XMLDesc, flags))
