"""Each kind's objects on a host by libvirt's own calls, and what must be there that documents of the corpus refer to."""

from __future__ import annotations

from typing import Any

import libvirt

from tests.corpus.rounds import Shelf

_AROUND = ("lan", "other-net")
_POOL = "<pool type='dir'><name>{0}</name><target><path>/var/lib/libvirt/images/{0}</path></target></pool>"
VOLUMES = "volumes"


def surroundings(connection: libvirt.virConnect) -> None:
    """The networks and the pool that the corpus's domains name, not started, and an active pool for volumes."""
    for name in _AROUND:
        connection.networkDefineXML(f"<network><name>{name}</name><bridge name='vc-{name[:9]}'/></network>")
    connection.storagePoolDefineXML(_POOL.format("images"))
    pool = connection.storagePoolDefineXML(_POOL.format(VOLUMES))
    pool.build()
    pool.create()


def _define_domain(connection: libvirt.virConnect, xml: str) -> object:
    return connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)


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
    spec["capacity"] = "16MiB"
    return "capacity"


def _volumes(connection: libvirt.virConnect) -> libvirt.virStoragePool:
    return connection.storagePoolLookupByName(VOLUMES)


def _read_volume(connection: libvirt.virConnect, name: str) -> str:
    """As it is after a refresh: libvirt tells more of a file that it has looked at than of one that it has made."""
    pool = _volumes(connection)
    pool.refresh()
    return str(pool.storageVolLookupByName(name).XMLDesc())


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
    lambda connection, xml: _volumes(connection).createXML(xml, 0),
    _read_volume,
    lambda connection, name: _volumes(connection).storageVolLookupByName(name).delete(),
    _grown,
)
DOMAIN = Shelf("Domain", _define_domain, _read_domain, _remove_domain, _title)
