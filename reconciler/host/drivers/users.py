"""Who uses a volume, looked for on the host right before its content is given up. Nothing here changes a host.

libvirt deletes and wipes a volume under a running guest without a word. So all definitions of all domains are read, those in
managed save images and in snapshots too, and all files that stand on other files: volumes of pools, and what domains name outside
of them. A link to the volume's file is known by the file's times; a file whose times change while all others are looked at is in
use by somebody. What cannot be looked at counts as a user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, Self

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host import failures
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.step import Step
from reconciler.host.reading.bulk import each, inactive_xml, supported
from reconciler.kinds.spellings import location
from reconciler.xmltree.document import Element, parse
from reconciler.xmltree.naming import Named, named

_PLAN_AGAIN = "plan again; it stays as long as it is in use"
_BUSY = (
    "find out which guest or program has the file open, under another name perhaps (on the host: lsof); end it, and plan again"
)
_DEVICES = "/dev/"
_NOT_FILES = (_DEVICES, "/proc/", "/sys/")  # nothing there is to be opened for a look


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as libvirt shows it: its path, what it stands on ("" for nothing), what tells it from others ("" if unknown)."""

    path: str
    base: str
    face: str

    @classmethod
    def of(cls, root: Element) -> Self:
        """From a volume's XML. Two names of one file have one face: its length and the times of its last changes."""
        times = [root.findtext(f"target/timestamps/{name}") or "" for name in ("mtime", "ctime")]
        face = " ".join([root.findtext("physical") or "", *times]) if all(times) else ""
        base = location(root.findtext("backingStore/path") or "")
        return cls(location(root.findtext("target/path") or root.findtext("key") or ""), base, face)


class InUseError(HostError):
    """Somebody uses the volume; `why` says who, and as what."""

    def __init__(self, step: Step, me: Seen, why: str, hint: str) -> None:
        super().__init__(f"{step.id}: {why}, so nothing was done to it", detail=f"its file is {me.path}", hint=hint)
        self.why = why


def why_in_use(step: Step, volume: libvirt.virStorageVol, own: str, going: Collection[str], *, written: bool = False) -> str:
    """Who uses the volume, "" for nobody; see refuse_in_use."""
    try:
        refuse_in_use(step, volume, own=own, going=going, written=written)
    except InUseError as error:
        return error.why
    return ""


def refuse_in_use(
    step: Step,
    volume: libvirt.virStorageVol,
    which: int = 0,
    own: str = "",
    going: Collection[str] = frozenset(),
    *,
    written: bool = False,
) -> None:
    """Raises InUseError if anybody uses the volume. `which` are VIR_CONNECT_LIST_DOMAINS_ flags.

    `own` is the UUID of a domain that does not count, as it goes or knows of it; `going` are files that go before this one.
    `written`: it may be written to while it is looked at, by that domain or by the daemon.
    """
    me = _seen(step, volume)
    guests = list(_guests(step, which, own))
    for name, names in guests:
        _refuse_named(step, me, name, names)
    if step.session.world:
        return  # its volumes are no files
    with Places(step) as places:
        known = _volumes(step)
        paths = {seen.path: seen for seen in known.values() if seen.path not in going}
        search = _Search(step, me, paths, places)
        for (pool, name), other in known.items():
            if other.base and other.path not in going:
                if other.base == me.path:
                    _refuse(step, me, f"the volume {pool}/{name} stands on it")
                search.through(f"the volume {pool}/{name}", {other.base} - paths.keys(), frozenset())
        for name, names in guests:
            hidden = next(iter(sorted(names.layered - known.keys())), None)
            if hidden is not None:
                _refuse_hidden(step, me, f"the domain {name}", f"the volume {'/'.join(hidden)}", "is in no active pool")
            volumes = {known[volume].path for volume in names.volumes if volume in known}
            if me.path in volumes:
                _refuse(step, me, f"the domain {name} uses it")
            search.through(f"the domain {name}", names.files | volumes, names.standing | volumes)
    if not written and _seen(step, volume).face != me.face:
        _refuse(step, me, "somebody wrote to it while its users were looked for", _BUSY)


def _refuse(step: Step, me: Seen, why: str, hint: str = _PLAN_AGAIN) -> NoReturn:
    raise InUseError(step, me, why, hint)


def _refuse_hidden(step: Step, me: Seen, who: str, what: str, why: str) -> NoReturn:
    _refuse(
        step,
        me,
        f"{who} uses {what}, which {why}, and that may stand on it",
        f"make it visible to libvirt on the host, or remove {who}, and plan again",
    )


def _refuse_named(step: Step, me: Seen, name: str, names: Named) -> None:
    if me.path in map(location, names.paths) or (step.id.pool, step.id.name) in names.volumes:
        _refuse(step, me, f"the domain {name} uses it")
    folder = next((folder for folder in names.folders if me.path.startswith(location(folder).rstrip("/") + "/")), None)
    if folder is not None:
        _refuse(step, me, f"the domain {name} uses it: it has the folder {folder}")


@dataclass(frozen=True, slots=True)
class _Search:
    """Looking at what files are and what they stand on; `known` are those that are volumes of pools."""

    step: Step
    me: Seen
    known: Mapping[str, Seen]
    places: Places

    def through(self, who: str, files: Collection[str], standing: Collection[str]) -> None:
        """From these files as far down as it goes. Of `standing` it must be seen what they stand on."""
        left, looked = {location(path) for path in files}, set[str]()
        needed = {location(path) for path in standing}
        while left:
            path = left.pop()
            if path in looked:
                continue
            looked.add(path)
            seen = self.known.get(path) or self._look(who, path, needed=path in needed)
            if seen is None:
                continue
            if seen.path != self.me.path and seen.face and seen.face == self.me.face:
                _refuse(self.step, self.me, f"{who} uses it as {path}", "if that is another file: touch it, and plan again")
            if seen.base == self.me.path:
                _refuse(self.step, self.me, f"{who} uses {path}, which stands on it")
            if seen.base.startswith("/"):
                left.add(seen.base)

    def _look(self, who: str, path: str, *, needed: bool) -> Seen | None:
        """A file outside of all pools; None if it does not matter that it cannot be seen."""
        if path.startswith(_DEVICES) and self.me.path.startswith(_DEVICES):
            return self._look_at_device(who, path)
        why = "is no file"
        if not path.startswith(_NOT_FILES):
            try:
                volume = self.places.find(path)
            except LibvirtCallError as error:
                why = f"cannot be looked at ({error.detail})"
            else:
                if volume is not None:
                    return _seen(self.step, volume)
                why = "is not there"
        if needed:
            _refuse_hidden(self.step, self.me, who, path, why)
        return None

    def _look_at_device(self, who: str, path: str) -> Seen:
        """One device has many names, of which libvirt knows those of its pools' volumes. Any other may be the volume."""
        conn = self.step.session.conn
        volume = find(self.step.session, "virStorageVolLookupByPath", conn.storageVolLookupByPath, path)
        if volume is None:
            hint = f"let a pool have that device, so that libvirt knows it, or remove {who}, and plan again"
            _refuse(self.step, self.me, f"{who} uses the device {path}, which may be this one under another name", hint)
        seen = _seen(self.step, volume)
        if seen.path == self.me.path:
            _refuse(self.step, self.me, f"{who} uses it as {path}")
        return seen


def _seen(step: Step, volume: libvirt.virStorageVol) -> Seen:
    return Seen.of(parse(step.call("virStorageVolGetXMLDesc", volume.XMLDesc, 0)))


def _volumes(step: Step) -> dict[tuple[str, str], Seen]:
    """All volumes of all active pools, as they are now."""
    conn, active = step.session.conn, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    found: dict[tuple[str, str], Seen] = {}
    for pool in step.call("virConnectListAllStoragePools", conn.listAllStoragePools, active):
        volumes = find(step.session, "virStoragePoolListAllVolumes", pool.listAllVolumes, 0) or []
        for name, seen in each(step.session, lambda volume: (volume.name(), _seen(step, volume)), volumes):
            found[pool.name(), name] = seen
    return found


def _guests(step: Step, which: int, own: str) -> Iterator[tuple[str, Named]]:
    """The domains of the host, each with what its definitions name: the running one, the persistent one, saved ones."""
    domains = step.call("virConnectListAllDomains", step.session.conn.listAllDomains, which)

    def read(domain: libvirt.virDomain) -> tuple[str, list[Named]]:
        return domain.name(), [named(parse(text)) for text in _definitions(step, domain)]

    for name, found in each(step.session, read, [domain for domain in domains if domain.UUIDString() != own]):
        for names in found:
            yield name, names


def _definitions(step: Step, domain: libvirt.virDomain) -> Iterator[str]:
    session = step.session
    yield step.call("virDomainGetXMLDesc", domain.XMLDesc, 0)
    try:
        yield inactive_xml(session, "virDomainGetXMLDesc", domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
        if step.call("virDomainHasManagedSaveImage", domain.hasManagedSaveImage, 0):
            call = "virDomainManagedSaveGetXMLDesc"
            yield supported(session, call, domain.managedSaveGetXMLDesc, 0, otherwise="<domain/>")
    except LibvirtCallError as error:
        if error.code in failures.ABSENT:
            return
        raise
    taken: list[libvirt.virDomainSnapshot] = supported(
        session, "virDomainListAllSnapshots", domain.listAllSnapshots, 0, otherwise=[]
    )
    for snapshot in taken:
        text = find(session, "virDomainSnapshotGetXMLDesc", snapshot.getXMLDesc, 0)
        if text is not None:
            yield text
