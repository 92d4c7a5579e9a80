"""Which seeds give documents that libvirt takes: found once on a real libvirt, kept in seeds.json.

    python -m tests.corpus.search CONNECTION-URI [domains|networks]

It searches for both, or for one of them only. It defines and undefines domains by the thousands: use a lab.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import libvirt

from tests.corpus import domains, networks

SEEDS = Path(__file__).with_name("seeds.json")
PARTS = 20  # accepted seeds to be found for each part, times its weight and one
DOMAINS = 2400
NETWORKS = 240
_SECONDS = 12.0  # at most for one part


def _accepts_network(connection: libvirt.virConnect, xml: str) -> bool:
    """Whether libvirt defines this network, and can read what it has made of it."""
    try:
        made = connection.networkDefineXMLFlags(xml, libvirt.VIR_NETWORK_DEFINE_VALIDATE)
    except libvirt.libvirtError:
        return False
    try:
        connection.networkDefineXML(made.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE))
    except libvirt.libvirtError:
        return False  # it writes a quotation mark in a DHCP host's name as it is, and loses the network at its next start
    finally:
        made.undefine()
    return True


def accepts(connection: libvirt.virConnect, xml: str) -> bool:
    """Whether libvirt defines this domain, its schema included."""
    for flags in (0, libvirt.VIR_DOMAIN_DEFINE_VALIDATE):
        try:
            connection.defineXMLFlags(xml, flags).undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        except libvirt.libvirtError:
            return False
    return True


def _parts(connection: libvirt.virConnect) -> Iterator[tuple[str, list[int]]]:
    for name in domains.patterns():
        found: list[int] = []
        began, seed = time.monotonic(), 0
        for seed in count():
            if (
                len(found) == PARTS * (1 + domains.WEIGHTS.get(name, 1))
                or time.monotonic() - began > _SECONDS
                or (seed > 300 and not found)
            ):
                break
            if any((xml := domains.alone(name, seed, base)) and accepts(connection, xml) for base in domains.BASES):
                found.append(seed)
        print(f"{name}: {len(found)} of {seed} in {time.monotonic() - began:.0f} s")  # noqa: T201
        if found:
            yield name, found


def _wanted(number: int, good: Callable[[int], bool]) -> list[int]:
    found: list[int] = []
    for seed in count():
        if good(seed):
            found.append(seed)
        if len(found) == number:
            print(f"{number} accepted of {seed + 1}")  # noqa: T201
            return found
    return found


def _domains(connection: libvirt.virConnect) -> dict[str, Any]:
    parts = dict(_parts(connection))
    return {"parts": parts, "domains": _wanted(DOMAINS, lambda seed: accepts(connection, domains.document(seed, parts)))}


def _networks(connection: libvirt.virConnect) -> dict[str, Any]:
    return {"networks": _wanted(NETWORKS, lambda seed: _accepts_network(connection, networks.network(seed)))}


SEARCHES = {"domains": _domains, "networks": _networks}


def main(uri: str, *kinds: str) -> None:
    """Write seeds.json anew, or what it says of some kinds."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open(uri)
    for kind in kinds or SEARCHES:
        found = SEARCHES[kind](connection)
        known = json.loads(SEEDS.read_text(encoding="utf-8")) if SEEDS.exists() else {}
        SEEDS.write_text(json.dumps(known | found, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
