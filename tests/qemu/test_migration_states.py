"""What a domain is when it moves, and what it is afterwards: stopped, transient."""

from __future__ import annotations

from pathlib import Path

from tests.migrating import Road


def test_a_stopped_guest_moves_as_a_definition(road: Road, guest_image: Path) -> None:
    domain = road.start(guest_image, booted=False)
    domain.setAutostart(1)
    domain.destroy()
    route = road.route()
    assert route.flags == ("offline", "persist-dest", "undefine-source")
    road.migrate()
    assert not road.has(1)
    assert not road.domain(2).isActive()
    assert road.domain(2).autostart()
    assert "peer2peer" in road.route(p2p=True, uri="qemu+tcp://node1/system").flags
    road.migrate(p2p=True, uri="qemu+tcp://node1/system")
    assert not road.has(2)
    assert road.domain(1).autostart()


def test_a_transient_guest_stays_transient(road: Road, guest_image: Path) -> None:
    road.start(guest_image, transient=True)
    with road.without_a_gap():
        road.migrate()
    assert not road.has(1)
    assert not road.domain(2).isPersistent()
