"""What a network's manifest can say, and what libvirt makes of a network by itself."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.network_card import BANDWIDTH, VIRTUALPORT, VLAN
from reconciler.manifest.importing.table import Item, Items, Made, Part, Row, integer, truth
from reconciler.xmltree.document import Element, attributes, parse, serialize, unset

_DNSMASQ: Final = "{http://libvirt.org/schemas/network/dnsmasq/1.0}"
_LEASE_UNITS: Final = {"seconds": "s", "minutes": "m", "hours": "h"}


def ungenerated(text: str, *, live: bool) -> str:
    """The definition without what libvirt adds to it; with `live` also without what it shows of a running one only."""
    root = parse(text)
    unset(root, "connections")
    for bridge in root.findall("bridge"):
        for name, value in (("stp", "on"), ("delay", "0")):
            if bridge.get(name) == value:
                unset(bridge, name)
        if not bridge.attrib:
            root.remove(bridge)
    for forward in root.iterfind("forward"):
        _forward(forward, live=live)
    return serialize(root)


def _forward(forward: Element, *, live: bool) -> None:
    for nat in forward.findall("nat") if live else ():
        for port in nat.findall("port"):
            if attributes(port) == {"start": "1024", "end": "65535"}:
                nat.remove(port)
        if not len(nat) and not nat.attrib:
            forward.remove(nat)
    devices = forward.findall("interface")
    if len(devices) == 1 and devices[0].get("dev") == forward.get("dev"):
        forward.remove(devices[0])


def _mode(network: Element) -> str:
    forward = network.find("forward")
    return "isolated" if forward is None else forward.get("mode") or "nat"


def _bridge(network: Element) -> Any:
    found = network.find("bridge")
    if found is None:
        return None
    out: dict[str, Any] = {str(name): str(value) for name, value in found.attrib.items()}
    for name, convert in (("stp", truth), ("delay", integer)):
        if name in out:
            out[name] = convert(out[name])
    return out["name"] if out.keys() == {"name"} else out


def _domain(network: Element) -> Any:
    found = network.find("domain")
    if found is None:
        return None
    name = found.get("name") or ""
    return name if found.get("localOnly") is None else {"name": name, "localOnly": truth(found.get("localOnly") or "")}


def _lease(entry: Element) -> str | None:
    """In the unit that it has there. No time at all is for ever."""
    lease = entry.find("lease")
    expiry = None if lease is None else integer(lease.get("expiry") or "")
    unit = None if lease is None else _LEASE_UNITS.get(lease.get("unit") or "minutes")
    if expiry is None or unit is None:
        return None
    return f"{expiry}{unit}" if expiry else "0s"


_LEASE: Final = Made("lease", "lease", _lease)
_RECORD: Final[tuple[Item, ...]] = (
    *(Row(name, f"@{name}") for name in ("service", "protocol", "domain", "target")),
    *(Row(name, f"@{name}", integer) for name in ("port", "priority", "weight")),
)
_DHCP: Final[tuple[Item, ...]] = (
    Part("ranges", "range", (Row("start", "@start"), Row("end", "@end"), _LEASE), each=True),
    Part("hosts", "host", (*(Row(name, f"@{name}") for name in ("mac", "id", "name", "ip")), _LEASE), each=True),
    Part("bootp", "bootp", (Row("file", "@file"), Row("server", "@server"))),
)
_PORT: Final[tuple[Item, ...]] = (VIRTUALPORT, BANDWIDTH, VLAN)
_WAY: Final[tuple[Item, ...]] = (Row("address", "@address"), Row("prefix", "@prefix", integer), Row("netmask", "@netmask"))

TABLE: Final[tuple[Item, ...]] = (
    Row("uuid", "uuid"),
    Made("mode", "forward/@mode", _mode),
    Part(
        "forward",
        "forward",
        (
            Row("dev", "@dev"),
            Items("interfaces", "interface", "@dev"),
            Row("pf", "pf/@dev"),
            Row("managed", "@managed", truth),
            Row("driver", "driver/@name"),
        ),
    ),
    Part(
        "nat",
        "forward/nat",
        (
            Part("address", "address", (Row("start", "@start"), Row("end", "@end"))),
            Part("ports", "port", (Row("start", "@start", integer), Row("end", "@end", integer))),
            Row("ipv6", "@ipv6", truth),
        ),
    ),
    Made("bridge", "bridge", _bridge),
    Row("mac", "mac/@address"),
    Row("mtu", "mtu/@size", integer),
    Made("domain", "domain", _domain),
    Part(
        "addresses",
        "ip",
        (
            *_WAY,
            Row("localPtr", "@localPtr", truth),
            Row("tftp", "tftp/@root"),
            Part("dhcp", "dhcp", _DHCP),
        ),
        each=True,
    ),
    Part("routes", "route", (*_WAY, Row("gateway", "@gateway"), Row("metric", "@metric", integer)), each=True),
    Part(
        "dns",
        "dns",
        (
            Row("enable", "@enable", truth),
            Row("forwardPlainNames", "@forwardPlainNames", truth),
            Part("forwarders", "forwarder", (Row("addr", "@addr"), Row("domain", "@domain")), each=True),
            Part("hosts", "host", (Row("ip", "@ip"), Items("names", "hostname")), each=True),
            Part("txt", "txt", (Row("name", "@name"), Row("value", "@value")), each=True),
            Part("srv", "srv", _RECORD, each=True),
        ),
    ),
    *_PORT,
    Row("isolatedPorts", "port/@isolated", truth),
    Part(
        "portgroups",
        "portgroup",
        (
            Row("name", "@name"),
            Row("default", "@default", truth),
            Row("trustGuestRxFilters", "@trustGuestRxFilters", truth),
            *_PORT,
        ),
        each=True,
    ),
    Row("ipv6", "@ipv6", truth),
    Row("trustGuestRxFilters", "@trustGuestRxFilters", truth),
    Items("dnsmasqOptions", f"{_DNSMASQ}options/{_DNSMASQ}option", "@value"),
)
