"""Reads networks: inactive and live definition, whether they run, autostart."""

from __future__ import annotations

import libvirt

from reconciler.host.reading.bulk import chosen, each, inactive_xml, supported, unless_gone
from reconciler.host.session import Session
from reconciler.model.resource import ResourceId
from reconciler.model.state import Observed

KIND = "Network"


def read_all(session: Session) -> list[Observed]:
    """All networks of the host: one XML for an inactive one, two for an active one. Empty if the driver has no networks."""
    call, function = "virConnectListAllNetworks", session.conn.listAllNetworks
    networks: list[libvirt.virNetwork] = supported(session, call, function, 0, otherwise=[])
    active = chosen(session, call, function, libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
    transient = chosen(session, call, function, libvirt.VIR_CONNECT_LIST_NETWORKS_TRANSIENT)
    autostart = chosen(session, call, function, libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART)

    def read(network: libvirt.virNetwork) -> Observed:
        uuid = network.UUIDString()
        return _read(session, network, active=uuid in active, persistent=uuid not in transient, autostart=uuid in autostart)

    return each(session, read, networks)


def read_one(session: Session, identity: ResourceId, uuid: str) -> Observed | None:
    """The network of that UUID, else the one of that name; None if there is neither."""
    conn = session.conn
    found = unless_gone(session.call, "virNetworkLookupByUUIDString", conn.networkLookupByUUIDString, uuid) if uuid else None
    if found is None:
        found = unless_gone(session.call, "virNetworkLookupByName", conn.networkLookupByName, identity.name)
    return None if found is None else unless_gone(_read_single, session, found)


def _read_single(session: Session, network: libvirt.virNetwork) -> Observed:
    persistent = bool(session.call("virNetworkIsPersistent", network.isPersistent))
    return _read(
        session,
        network,
        active=bool(session.call("virNetworkIsActive", network.isActive)),
        persistent=persistent,
        autostart=persistent and bool(session.call("virNetworkGetAutostart", network.autostart)),
    )


def _read(session: Session, network: libvirt.virNetwork, *, active: bool, persistent: bool, autostart: bool) -> Observed:
    call, xml = "virNetworkGetXMLDesc", network.XMLDesc
    return Observed(
        id=ResourceId(KIND, network.name(), session.facts.name),
        uuid=network.UUIDString(),
        state="active" if active else "inactive",
        persistent=inactive_xml(session, call, xml, libvirt.VIR_NETWORK_XML_INACTIVE) if persistent else None,
        live=session.call(call, xml, 0) if active else None,
        autostart=autostart if persistent else None,
    )
