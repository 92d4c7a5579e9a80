"""Each way in which a guest can travel, with one that is really executing: it goes on counting where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.guest_image import count
from tests.lab.waiting import wait_until
from tests.migrating import DISK, Road

PEER = {1: "qemu+tcp://node1/system", 2: "qemu+tcp://node2/system"}

MODES: dict[str, dict[str, Any]] = {
    "auto": {},
    "standard": {"mode": "standard"},
    "peer to peer": {"mode": "p2p", "uri": PEER},
    "tunnelled": {"mode": "tunnelled", "uri": PEER},
    "direct, to an address and port": {"mode": "direct", "uri": {1: "tcp://node1:49210", 2: "tcp://node2:49210"}},
    "several connections": {"parallel": 2},
    "compressed": {"compressed": True},
}


@pytest.fixture(scope="module")
def traveller(long_road: Road, guest_image: Path) -> Road:
    """A guest that goes to and fro between two hosts, and is never started again."""
    long_road.start(guest_image).setAutostart(1)
    return long_road


@pytest.mark.parametrize("mode", MODES)
def test_a_guest_goes_on_counting_at_the_destination(traveller: Road, mode: str) -> None:
    road, here = traveller, traveller.at
    there = 3 - here
    spec = {name: value[there] if isinstance(value, dict) else value for name, value in MODES[mode].items()}
    with road.without_a_gap():
        moved = road.migrate(**spec)
    assert not road.has(here)
    domain = road.domain(there)
    assert domain.isPersistent()
    assert domain.autostart()
    assert moved.notes == ()
    assert moved.downtime is not None
    assert moved.transferred > 0


def test_a_paused_guest_stays_paused(traveller: Road) -> None:
    road, here = traveller, traveller.at
    road.domain(here).suspend()
    before = road.counter(here)
    road.migrate()
    assert road.domain(3 - here).state() == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER]
    assert road.counter(3 - here) == before
    road.domain(3 - here).resume()
    seen = count(road.lab.images / DISK)
    wait_until(lambda: count(road.lab.images / DISK) > seen)  # it writes to the disk that both hosts share
    road.assert_counting(3 - here, before)


def test_what_waits_for_the_next_start_and_the_metadata_travel_too(traveller: Road) -> None:
    road, here = traveller, traveller.at
    domain = road.domain(here)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "moved", None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    element, both = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE
    domain.setMetadata(element, "<mark/>", "m", "urn:test:mark", both)
    road.migrate()
    arrived = road.domain(3 - here)
    assert "<title>moved</title>" in arrived.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert "<title>" not in arrived.XMLDesc(0)
    assert "urn:test:mark" in arrived.XMLDesc(0)
    assert "urn:test:mark" in arrived.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
