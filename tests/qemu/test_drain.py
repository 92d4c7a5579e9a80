"""A host is drained and used again: its guests leave by their preferences, some at a time, and come back."""

from __future__ import annotations

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.fleet import Fleet, document, guest
from tests.lab.waiting import wait_until
from tests.migrating import SHARED, Road

GUESTS = 10
RUNNING = libvirt.VIR_DOMAIN_RUNNING


@pytest.fixture
def fleet(road: Road, tmp_path: Path, guest_image: Path) -> Fleet:
    """Guests on node1 that may be on node2 as well, one that is to stop and one that is to stay."""
    fleet = Fleet.over(road, tmp_path / "project")
    for number in range(GUESTS):
        add(fleet, guest_image, f"guest{number}", hosts=["node1", "node2"])
    add(fleet, guest_image, "stops", hosts=["node1", "node2"], onDrain="stop")
    add(fleet, guest_image, "stays", hosts=["node1", "node2"], onDrain="ignore")
    fleet.apply()
    return fleet


def add(fleet: Fleet, image: Path, name: str, **spec: Any) -> None:
    shutil.copy(image, fleet.road.lab.images / f"{name}.img")
    disks = [{"target": "vda", "bus": "virtio", "file": f"{SHARED}/{name}.img", "format": "raw"}]
    whole = guest(disks=disks, **spec)
    for field in ("uuid", "xml", "host"):
        del whole[field]
    fleet.resources[f"Domain/{name}"] = document("Domain", name, whole)


def running(fleet: Fleet, node: int) -> set[str]:
    return {domain.name() for domain in fleet.road.conn(node).listAllDomains(1)}


def most_at_once(events: list[dict[str, Any]]) -> int:
    """How many migrations were under way at once."""
    now = most = 0
    for event in events:
        if event.get("verb") == "migrate":
            now += {"action-started": 1, "action-done": -1}.get(event["event"], 0)
            most = max(most, now)
    return most


def test_a_host_is_drained_two_at_a_time_and_filled_again(fleet: Fleet) -> None:
    guests = {f"guest{number}" for number in range(GUESTS)}
    fleet.hosts["node1"]["state"] = "drain"
    result = fleet.apply("-o", "json")
    assert running(fleet, 1) == {"stays"}
    assert running(fleet, 2) == guests
    assert most_at_once(result.events) == 2
    fleet.assert_in_sync()
    fleet.hosts["node1"]["state"] = "active"
    fleet.hosts["node1"]["limits"] = {"migrationsIn": 1}
    result = fleet.apply("-o", "json")
    assert running(fleet, 1) == guests | {"stays", "stops"}
    assert running(fleet, 2) == set()
    assert most_at_once(result.events) == 1
    fleet.assert_in_sync()


def test_a_drain_that_is_interrupted_leaves_each_guest_once_and_goes_on_later(fleet: Fleet) -> None:
    guests = {f"guest{number}" for number in range(GUESTS)}
    fleet.hosts["node1"]["state"] = "drain"

    def interrupt() -> None:
        wait_until(lambda: any(domain.state()[0] == RUNNING for domain in fleet.road.conn(2).listAllDomains(1)))
        os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(max_workers=1) as pool:
        interrupted = pool.submit(interrupt)
        result = fleet("apply", "--yes")
        interrupted.result()
    assert result.code == 1
    assert "interrupted" in result.out
    here, there = running(fleet, 1), running(fleet, 2)
    assert here & there == set()
    assert here | there >= guests
    assert guests & here
    for node, has in ((1, here), (2, there)):
        assert not any(fleet.listed(node).get(name) for name in has)
        assert set(fleet.listed(node)) & guests == has & guests
    fleet.apply()
    assert running(fleet, 2) == guests
    fleet.assert_in_sync()


def test_a_guest_with_nowhere_to_go_is_told_and_left(fleet: Fleet) -> None:
    fleet.resources["Domain/guest0"]["spec"]["hosts"] = ["node1"]
    fleet.hosts["node1"]["state"] = "drain"
    (alone,) = (r for r in fleet.plan()["resources"] if r["name"] == "guest0")
    assert (alone["host"], alone["status"]) == ("node1", "in-sync")
    assert "nowhere to go" in alone["note"]


def test_a_host_that_is_ignored_is_left_alone(fleet: Fleet) -> None:
    fleet.hosts["node1"] = {"uri": "qemu+unix:///system?socket=/nowhere/libvirt-sock", "state": "ignore"}
    plan = fleet.plan("--prune")
    assert plan["actions"] == []
    assert [host["name"] for host in plan["hosts"]] == ["node2"]
