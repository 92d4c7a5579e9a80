"""Changing a domain's `host:` and applying, on two real hosts: it moves; what is left over or unclear is dealt with, or told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.app import run
from tests.fleet import Fleet, document
from tests.lab.waiting import wait_until
from tests.migrating import LOCAL, NAME, SHARED, Road

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fleet(road: Road, tmp_path: Path) -> Fleet:
    return Fleet.over(road, tmp_path / "project")


@pytest.fixture
def running(fleet: Fleet, guest_image: Path) -> Fleet:
    fleet.boot(guest_image)
    return fleet


def test_another_host_in_the_manifest_moves_a_running_guest(running: Fleet) -> None:
    running.declare(host="node2")
    assert running.verbs("--prune") == [("migrate", "node2", False)]
    with running.road.without_a_gap():
        running.apply("--prune")
    assert not running.road.has(1)
    assert running.listed(1) == {}
    assert running.listed(2) == {NAME: False}
    running.assert_in_sync()
    with running.road.without_a_gap():
        running.declare(host="node1")
        running.apply()
    running.assert_in_sync()


def test_what_else_changed_is_applied_where_it_has_come_to(running: Fleet) -> None:
    running.declare(host="node2", title="moved", state="paused", autostart=True)
    running.apply()
    domain = running.road.domain(2)
    assert domain.metadata(1, None) == "moved"
    assert domain.autostart()
    assert running.plan()["resources"][0]["state"]["observed"] == "paused"
    running.assert_in_sync()


def test_a_definition_that_stayed_behind_is_taken_off(running: Fleet) -> None:
    left = running.road.domain(1).XMLDesc(2)
    running.declare(host="node2")
    running.apply()
    running.road.conn(1).defineXML(left)
    assert running.verbs() == [("undefine", "node1", False)]
    running.apply()
    assert not running.road.has(1)
    assert running.road.at == 2
    running.assert_in_sync()


def test_a_stopped_domain_that_is_defined_twice_is_kept_where_it_is_declared(fleet: Fleet, guest_image: Path) -> None:
    fleet.boot(guest_image, state="stopped")
    fleet.road.conn(2).defineXML(fleet.road.domain(1).XMLDesc(2))
    fleet.declare(state="stopped", host="node2")
    fleet.apply()
    assert not fleet.road.has(1)
    assert fleet.road.has(2)
    fleet.assert_in_sync()


def test_a_host_that_does_not_answer_keeps_what_it_may_have(running: Fleet) -> None:
    running.declare(host="node2")
    good = running.hosts["node1"]["uri"]
    running.hosts["node1"]["uri"] = "qemu+unix:///system?socket=/nowhere/libvirt-sock"
    result = running("apply", "--yes", "--prune")
    assert result.code == 1
    assert "node1 does not answer, and may have it" in result.out + result.err
    assert not running.road.has(2)
    running.hosts["node1"]["uri"] = good
    running.apply()
    assert running.road.at == 2
    running.assert_in_sync()


def test_a_move_that_fails_is_tried_again_by_the_next_apply(running: Fleet) -> None:
    running.declare(host="node2", migration={})
    result = running.apply(code=1)
    assert "Unsafe migration" in result.err
    assert running.road.at == 1
    assert (running.listed(1), running.listed(2)) == ({NAME: False}, {})
    running.declare(host="node2")
    running.apply()
    assert running.road.at == 2
    running.assert_in_sync()


def test_a_saved_plan_moves_what_it_said(running: Fleet, tmp_path: Path) -> None:
    running.declare(host="node2")
    saved = str(tmp_path / "plan.json")
    running.plan("--out", saved)
    running.write()
    assert run(["apply", "--plan", saved]) == 0
    assert running.road.at == 2
    running.assert_in_sync()


def test_what_is_elsewhere_is_explained_and_shown(running: Fleet) -> None:
    running.declare(host="node2")
    assert "it is on node1" in running("explain", f"Domain/{NAME}").out
    assert running("status").code == 0
    assert running("drift").code in (0, 2)


def test_a_transient_guest_moves_too(fleet: Fleet, guest_image: Path) -> None:
    fleet.boot(guest_image, persistent=False)
    fleet.declare(persistent=False, host="node2")
    with fleet.road.without_a_gap():
        fleet.apply()
    assert not fleet.road.domain(2).isPersistent()
    fleet.assert_in_sync()


def with_volume(fleet: Fleet, image: Path, host: str, folder: str) -> None:
    """The guest's disk as a declared volume of a pool that both hosts have; the volume goes where the guest goes."""
    spec = {"type": "dir", "path": folder, "state": "active"}
    fleet.resources.clear()
    for name in ("node1", "node2"):
        fleet.resources[f"Pool/{name}"] = document("Pool", "disks", {"host": name} | spec)
    upload = {"upload": {"path": str(image)}}
    volume = {"host": host, "pool": "disks", "capacity": "1MiB", "format": "raw", "onDelete": "delete", **upload}
    fleet.resources["Volume"] = document("Volume", "guest.img", volume)
    fleet.declare(
        host=host,
        disks=[{"target": "vda", "bus": "virtio", "volume": {"pool": "disks", "name": "guest.img"}}],
        onDelete={"volumes": "delete"},
    )


@pytest.mark.parametrize("folder", [f"{SHARED}/disks", f"{LOCAL}/disks"], ids=["seen by both hosts", "copied"])
def test_a_declared_volume_goes_along_with_its_guest(fleet: Fleet, guest_image: Path, folder: str) -> None:
    road = fleet.road
    for node in (1, 2):
        road.local(node)
    with_volume(fleet, guest_image, "node1", folder)
    fleet.apply()
    road.assert_counting(1, 0)
    with_volume(fleet, guest_image, "node2", folder)
    with road.without_a_gap():
        fleet.apply("--prune")
    fleet.assert_in_sync()
    plan = fleet.plan("--prune")
    assert plan["actions"] == []
    pools = {node: road.conn(node).storagePoolLookupByName("disks") for node in (1, 2)}
    for pool in pools.values():
        pool.refresh()
        assert pool.listVolumes() == ["guest.img"]


def test_a_killed_client_leaves_one_guest_and_the_next_apply_finishes(fleet: Fleet, dirty_guest_image: Path) -> None:
    road = fleet.road
    fleet.boot(dirty_guest_image, migration={"unsafe": True, "bandwidth": "1MiB/s"})
    before = road.counter(1)
    fleet.declare(host="node2", migration={"unsafe": True, "bandwidth": "1MiB/s"})
    fleet.write()
    client = subprocess.Popen([sys.executable, "-m", "reconciler", "apply", "--yes", str(fleet.folder)], cwd=ROOT)
    wait_until(lambda: road.domain(1).jobStats().get("memory_processed"))
    client.kill()
    client.wait()
    wait_until(lambda: not road.has(2))
    road.assert_counting(1, before)
    assert fleet.listed(2) == {NAME: True}
    fleet.declare(host="node2", migration={"unsafe": True, "timeout": "1s", "onTimeout": "force-converge"})
    fleet.apply()
    assert road.at == 2
    assert not road.has(1)
    road.assert_counting(2, before)
    fleet.assert_in_sync()
    assert (fleet.listed(1), fleet.listed(2)) == ({}, {NAME: False})
