"""Addresses of a network that cannot be together: libvirt would refuse them too, but only after other things were touched.

Which values are an address with its DHCP ranges is written in the schema (`x-vireo: subnet`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from reconciler.model.resource import Path

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def faults(value: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """What is wrong within one `address, prefix or netmask, dhcp`: the path below it, and a sentence."""
    address = ipaddress.ip_address(value["address"])
    if isinstance(address, ipaddress.IPv6Address) and "netmask" in value:
        yield ("netmask",), "an IPv6 address has a prefix, no netmask"
        return
    if value.get("prefix", 0) > address.max_prefixlen:
        yield ("prefix",), f"an IPv{address.version} address has at most {address.max_prefixlen} bits"
        return
    length = value.get("netmask", value.get("prefix"))
    if length is None:
        return
    try:
        subnet = ipaddress.ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        yield ("netmask",), f'"{length}" is not a netmask'
        return
    for index, entry in enumerate(value.get("dhcp", {}).get("ranges", ())):
        yield from _range_faults(entry, subnet, ("dhcp", "ranges", index))


def _range_faults(entry: Mapping[str, Any], subnet: Network, path: Path) -> Iterator[tuple[Path, str]]:
    ends = {name: ipaddress.ip_address(entry[name]) for name in ("start", "end")}
    outside = [name for name, end in ends.items() if end not in subnet]
    for name in outside:
        yield (*path, name), f"{ends[name]} is not in the subnet {subnet}"
    if not outside and int(ends["start"]) > int(ends["end"]):
        yield path, f"the range begins at {ends['start']}, behind its end {ends['end']}"
