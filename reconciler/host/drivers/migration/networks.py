"""Checks of the guest's network cards: what they are plugged into must be at the destination, and be the same there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host import failures
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.migration.pair import Pair
from reconciler.model.migration import Check
from reconciler.xmltree.document import Element, parse


def networks(pair: Pair) -> Iterator[Check]:
    """Each network, bridge and device that an interface names, once. A stopped domain is only warned."""
    for name in sorted({str(source.get("network")) for source in _sources(pair, "network")}):
        yield _network(pair, name)
    for name in sorted({str(source.get("bridge")) for source in _sources(pair, "bridge")}):
        yield _device(pair, "bridge", name)
    for name in sorted({str(source.get("dev")) for source in _sources(pair, "direct")}):
        yield _device(pair, "device", name)


def _sources(pair: Pair, kind: str) -> Iterator[Element]:
    return pair.root.iterfind(f"devices/interface[@type='{kind}']/source")


def _network(pair: Pair, name: str) -> Check:
    line, fatal = f"network {name}", not pair.offline
    there = find(pair.destination, "virNetworkLookupByName", pair.destination.conn.networkLookupByName, name)
    if there is None:
        return Check.fails(line, "the destination has none of this name", "declare it for the destination, too", fatal=fatal)
    if not pair.there("virNetworkIsActive", there.isActive):
        return Check.fails(line, "it is not active at the destination", f"start it there: virsh net-start {name}", fatal=fatal)
    here = find(pair.source, "virNetworkLookupByName", pair.source.conn.networkLookupByName, name)
    if here is None:
        return Check.doubts(line, "the source has lost it, so that nothing can be compared")
    mine = _essence(parse(pair.here("virNetworkGetXMLDesc", here.XMLDesc, 0)))
    theirs = _essence(parse(pair.there("virNetworkGetXMLDesc", there.XMLDesc, 0)))
    for what, value in mine.items():
        if value != theirs[what]:
            detail = f"{what}: {value or 'none'} here, {theirs[what] or 'none'} there"
            return Check.fails(line, detail, "declare the network alike on both hosts: the guest keeps its address", fatal=fatal)
    return Check.passes(line, "it is active at the destination, and the same")


def _essence(root: Element) -> dict[str, str]:
    """What a guest notices of a network: not its UUID, MAC, bridge and physical device, which may differ between hosts."""
    forward, port = root.find("forward"), root.find("virtualport")
    return {
        "forward mode": "isolated" if forward is None else forward.get("mode") or "nat",
        "addresses": ", ".join(sorted(_address(ip) for ip in root.iterfind("ip"))),
        "virtual port": "" if port is None else port.get("type") or "",
        "VLAN tags": ", ".join(str(tag.get("id")) for tag in root.iterfind("vlan/tag")),
        "port groups": ", ".join(sorted(str(group.get("name")) for group in root.iterfind("portgroup"))),
    }


def _address(ip: Element) -> str:
    text = f"{ip.get('address')}/{ip.get('prefix') or ip.get('netmask') or ''}".rstrip("/")
    try:
        return str(ipaddress.ip_interface(text))
    except ValueError:
        return text


def _device(pair: Pair, word: str, name: str) -> Check:
    """By virInterfaceLookupByName; not every host can answer that."""
    line, fatal = f"{word} {name}", not pair.offline
    try:
        pair.there("virInterfaceLookupByName", pair.destination.conn.interfaceLookupByName, name)
    except LibvirtCallError as error:
        if error.code == libvirt.VIR_ERR_NO_INTERFACE:
            return Check.fails(line, "the destination has none of this name", "set it up there, or use a network", fatal=fatal)
        if error.code in failures.UNSUPPORTED:
            return Check.doubts(line, "the destination cannot tell whether it has one")
        raise
    return Check.passes(line, "the destination has one of this name")
