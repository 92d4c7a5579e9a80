"""Each kind's objects on a host by libvirt's own calls, and what must be there that documents of the corpus refer to."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import libvirt

from reconciler.manifest.quantity import amount
from tests.corpus.rounds import Shelf

_AROUND = ("lan", "other-net")
_POOL = "<pool type='dir'><name>{0}</name><target><path>/var/lib/libvirt/images/{0}</path></target></pool>"
VOLUMES = "volumes"
_TABLES = 1 << 19  # bytes, about
_GROWING = frozenset({"raw", "qcow2", "qed"})


def surroundings(connection: libvirt.virConnect) -> None:
    """The networks and the pool that the corpus's domains name, not started, and an active pool for volumes."""
    for name in _AROUND:
        connection.networkDefineXML(f"<network><name>{name}</name><bridge name='vc-{name[:9]}'/></network>")
    connection.storagePoolDefineXML(_POOL.format("images"))
    pool = connection.storagePoolDefineXML(_POOL.format(VOLUMES))
    pool.build()
    pool.create()


def _define_domain(connection: libvirt.virConnect, xml: str) -> object:
    return connection.defineXML(xml)


def _read_domain(connection: libvirt.virConnect, name: str) -> str:
    return str(connection.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


def _remove_domain(connection: libvirt.virConnect, name: str) -> object:
    return connection.lookupByName(name).undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


def _title(spec: dict[str, Any]) -> str:
    spec["title"] = "another title"
    return "title"


def _ipv6(spec: dict[str, Any]) -> str:
    spec["ipv6"] = not spec.get("ipv6")
    return "@ipv6"


def _mode(spec: dict[str, Any]) -> str:
    spec["permissions"] = {**spec.get("permissions", {}), "mode": "0711"}
    return "target/permissions"


def _grown(spec: dict[str, Any]) -> str:
    """One that libvirt cannot make larger, or not with all of its space, gets another policy only: nothing at all may change."""
    if spec["format"] not in _GROWING or (spec["format"] != "raw" and "preallocate" in spec):
        spec["onDelete"] = "delete"
        return "nothing"
    spec["capacity"] = f"{amount(spec['capacity']) + (1 << 20)}B"
    return "capacity"


def _volumes(connection: libvirt.virConnect) -> libvirt.virStoragePool:
    return connection.storagePoolLookupByName(VOLUMES)


def _create_volume(connection: libvirt.virConnect, xml: str) -> object:
    """A qcow2 of which an allocation is wanted has it only if libvirt is asked for its tables, too."""
    filled = "<allocation" in xml and 'type="qcow2"' in xml
    return _volumes(connection).createXML(xml, libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA if filled else 0)


def _read_volume(connection: libvirt.virConnect, name: str) -> str:
    """As it is after a refresh: libvirt tells more of a file that it has looked at than of one that it has made.

    How full a file is belongs to its data. What can be compared is whether it has all of its space; of a small qcow2 not even
    that, as its tables alone take as much.
    """
    pool = _volumes(connection)
    pool.refresh()
    root = ElementTree.fromstring(pool.storageVolLookupByName(name).XMLDesc())
    filled, wanted = root.find("allocation"), int(root.findtext("capacity") or 0)
    if filled is not None:
        raw = root.find("target/format[@type='raw']") is not None
        filled.text = "all" if (0 if raw else _TABLES) < wanted <= int(filled.text or 0) else "not all"
    return ElementTree.tostring(root, encoding="unicode")


NETWORK = Shelf(
    "Network",
    lambda connection, xml: connection.networkDefineXMLFlags(xml, libvirt.VIR_NETWORK_DEFINE_VALIDATE),
    lambda connection, name: str(connection.networkLookupByName(name).XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)),
    lambda connection, name: connection.networkLookupByName(name).undefine(),
    _ipv6,
)
POOL = Shelf(
    "Pool",
    lambda connection, xml: connection.storagePoolDefineXML(xml, libvirt.VIR_STORAGE_POOL_DEFINE_VALIDATE),
    lambda connection, name: str(connection.storagePoolLookupByName(name).XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)),
    lambda connection, name: connection.storagePoolLookupByName(name).undefine(),
    _mode,
)
VOLUME = Shelf(
    "Volume",
    _create_volume,
    _read_volume,
    lambda connection, name: _volumes(connection).storageVolLookupByName(name).delete(),
    _grown,
)
DOMAIN = Shelf("Domain", _define_domain, _read_domain, _remove_domain, _title)
