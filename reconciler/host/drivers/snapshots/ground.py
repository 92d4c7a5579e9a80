"""What stands on what on a host: backing files of all volumes, and the files that domains name. A picture of one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import libvirt

from reconciler.host.drivers.calls import find
from reconciler.host.drivers.ownership import uuid_of
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.step import Step
from reconciler.host.reading.bulk import each
from reconciler.kinds.spellings import location
from reconciler.xmltree.chains import Disk, disks
from reconciler.xmltree.document import parse


@dataclass(frozen=True, slots=True)
class Ground:
    """`backing`: file -> the file that it stands on, "" for none. `named`: file -> names of other domains that name it.

    `volumes`: (pool, volume) -> file.
    """

    backing: Mapping[str, str]
    named: Mapping[str, frozenset[str]]
    volumes: Mapping[tuple[str, str], str]

    @classmethod
    def read(cls, step: Step, places: Places, folders: Iterable[str]) -> Self:
        """Of all active pools, and of `folders`, in a pool or not. `step` is about the domain that does not count as another."""
        conn, active = step.session.conn, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
        passing = [places.pool(folder) for folder in dict.fromkeys(folders)]
        pools = step.call("virConnectListAllStoragePools", conn.listAllStoragePools, active)
        backing: dict[str, str] = {}
        volumes: dict[tuple[str, str], str] = {}
        for pool in (*pools, *passing):
            found = find(step.session, "virStoragePoolListAllVolumes", pool.listAllVolumes, 0) or []

            def read(volume: libvirt.virStorageVol) -> tuple[str, str, str]:
                root = parse(step.call("virStorageVolGetXMLDesc", volume.XMLDesc, 0))
                stands_on = location(root.findtext("backingStore/path") or "")
                return volume.name(), location(root.findtext("target/path") or volume.key()), stands_on

            for name, path, stands_on in each(step.session, read, found):
                backing[path] = stands_on
                volumes[pool.name(), name] = path
        return cls(backing, _named(step, volumes), volumes)

    def path(self, disk: Disk) -> str:
        """The file behind a disk; "" if it has none that is known."""
        return location(disk.path) if disk.path else self.volumes.get((disk.pool, disk.volume), "")

    def chain(self, path: str) -> tuple[str, ...]:
        """The file and all that it stands on, from the top."""
        found: list[str] = []
        while path and path not in found:
            found.append(path)
            path = self.backing.get(path, "")
        return tuple(found)

    def over(self, path: str) -> frozenset[str]:
        """The files that stand right on it."""
        return frozenset(top for top, base in self.backing.items() if base == path)


def _named(step: Step, volumes: Mapping[tuple[str, str], str]) -> dict[str, frozenset[str]]:
    """The files that the definitions of other domains name, running or not."""
    found: dict[str, set[str]] = {}
    mine = uuid_of(step)
    for domain in step.call("virConnectListAllDomains", step.session.conn.listAllDomains, 0):
        if domain.UUIDString() == mine:
            continue
        for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
            text = find(step.session, "virDomainGetXMLDesc", domain.XMLDesc, flags)
            for disk in () if text is None else disks(parse(text)):
                path = location(disk.path) if disk.path else volumes.get((disk.pool, disk.volume), "")
                found.setdefault(path, set()).add(domain.name())
    return {path: frozenset(names) for path, names in found.items() if path}
