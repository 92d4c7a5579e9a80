"""Which seeds give documents that libvirt takes: found once on a real libvirt, kept in seeds.json.

    python -m tests.corpus.search CONNECTION-URI

It defines and undefines domains by the thousands: use a lab.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import libvirt

from tests.corpus import domains, networks

SEEDS = Path(__file__).with_name("seeds.json")
PARTS = 15  # accepted seeds to be found for each part, times its weight and one
DOMAINS = 1200
NETWORKS = 120
_SECONDS = 20.0  # at most for one part


def _accepts_network(connection: libvirt.virConnect, xml: str) -> bool:
    try:
        connection.networkDefineXMLFlags(xml, libvirt.VIR_NETWORK_DEFINE_VALIDATE).undefine()
    except libvirt.libvirtError:
        return False
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


def main(uri: str) -> None:
    """Write seeds.json anew."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open(uri)
    parts = dict(_parts(connection))
    wanted = _wanted(DOMAINS, lambda seed: accepts(connection, domains.document(seed, parts)))
    lans = _wanted(NETWORKS, lambda seed: _accepts_network(connection, networks.network(seed)))
    SEEDS.write_text(json.dumps({"parts": parts, "domains": wanted, "networks": lans}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
