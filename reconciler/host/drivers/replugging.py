"""Running guests of a network that stops and starts again: libvirt forgets their taps, so they are plugged in anew.

An interface's tap joins a bridge only when libvirt moves the interface to another network. So each one is moved to a network of
our own, which leads nowhere and is there for as long as that takes, and back (virDomainUpdateDeviceFlags). Nothing here starts
or stops the network itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.step import Step
from reconciler.xmltree.document import Element, parse, serialize, unset

_LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
_RUN_TIME = ("portid", "bridge")  # what libvirt tells of a connection to a network


@dataclass(frozen=True, slots=True)
class Plug:
    """One interface of a running guest, as it is to be plugged in."""

    domain: libvirt.virDomain
    interface: Element

    def __str__(self) -> str:
        mac = self.interface.find("mac")
        return f"{self.domain.name()} ({'no MAC address' if mac is None else mac.get('address')})"

    def via(self, detour: str) -> Element:
        """The same interface, connected to the network `detour`."""
        moved = deepcopy(self.interface)
        moved.set("type", "network")
        source = moved.find("source")
        if source is not None:
            unset(source, "bridge")
            source.set("network", detour)
        return moved


@contextmanager
def plugged_again(step: Step, network: libvirt.virNetwork) -> Iterator[None]:
    """Around whatever (re)starts a network: plugs in afterwards all interfaces of running guests that are on it.

    Raises HostError that names the guests which could not be plugged in.
    """
    detour = f"vireo-plug-{network.UUIDString()[:8]}"
    before = find(step.session, "virNetworkLookupByName", step.session.conn.networkLookupByName, detour)
    plugs = list(_plugs(step, network.name(), _bridge(step, network), detour))
    if not plugs and before is None:
        yield
        return
    conn = step.session.conn
    xml = f"<network><name>{detour}</name></network>"
    aside = before or step.call("virNetworkCreateXML", conn.networkCreateXML, xml)
    try:
        yield
        _plug(step, plugs, detour, leads=_bridge(step, network))
    finally:
        step.call("virNetworkDestroy", aside.destroy)


def _plug(step: Step, plugs: list[Plug], detour: str, *, leads: str) -> None:
    """A network without a bridge has no taps: its guests keep the devices of the host that they have."""
    failed: list[str] = []
    for number, plug in enumerate(plugs if leads else ()):
        step.report(f"plugging in {plug}", number / len(plugs))
        for device in (plug.via(detour), plug.interface):
            try:
                step.call("virDomainUpdateDeviceFlags", plug.domain.updateDeviceFlags, serialize(device), _LIVE)
            except LibvirtCallError as error:
                if find(step.session, "virDomainIsActive", plug.domain.isActive):
                    failed.append(f"{plug}: {error.detail}")
                break
    if failed:
        raise HostError(
            f"{step.id}: it runs again, but {len(failed)} interfaces of running guests could not be plugged in: they are cut off",
            detail="; ".join(failed),
            hint="restart these guests, or detach and attach their interfaces (virsh detach-interface, attach-interface)",
        )


def _bridge(step: Step, network: libvirt.virNetwork) -> str:
    """The host's bridge that a network has now, or will have; "" if it is of a sort without one."""
    bridge = parse(step.call("virNetworkGetXMLDesc", network.XMLDesc, 0)).find("bridge")
    return "" if bridge is None else str(bridge.get("name") or "")


def _plugs(step: Step, name: str, bridge: str, detour: str) -> Iterator[Plug]:
    """The interfaces on this network, by its name or its bridge; also such as an interrupted restart has left on the detour."""
    conn = step.session.conn
    domains = step.call("virConnectListAllDomains", conn.listAllDomains, libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    for domain in domains:
        text = find(step.session, "virDomainGetXMLDesc", domain.XMLDesc, 0)
        root = None if text is None else parse(text)
        if root is None or root.get("type") == "test":  # the test driver's guests have no taps
            continue
        for interface in root.iterfind("devices/interface"):
            source = interface.find("source")
            if source is None:
                continue
            if interface.get("type") == "network" and source.get("network") in (name, detour):
                source.set("network", name)
                for attribute in _RUN_TIME:
                    unset(source, attribute)
                yield Plug(domain, interface)
            elif interface.get("type") == "bridge" and bridge and source.get("bridge") == bridge:
                yield Plug(domain, interface)
