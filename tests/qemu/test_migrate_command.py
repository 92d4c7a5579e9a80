"""`vireo migrate` on two real hosts, with a guest that goes on counting."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reconciler.host import lock
from tests.fleet import PROJECT, Fleet
from tests.lab.waiting import wait_until
from tests.migrating import DISK, NAME, SHARED, Road


@pytest.fixture
def fleet(road: Road, tmp_path: Path) -> Fleet:
    return Fleet.over(road, tmp_path / "project")


@pytest.fixture
def running(fleet: Fleet, guest_image: Path) -> Fleet:
    fleet.boot(guest_image)
    return fleet


def test_a_running_guest_is_moved_and_both_inventories_are_right_afterwards(running: Fleet) -> None:
    with running.road.without_a_gap():
        result = running("migrate", NAME, "--to", "node2")
    assert result.code == 0, result.err
    assert not running.road.has(1)
    assert running.listed(1) == {}
    assert running.listed(2) == {NAME: False}
    assert "still names another host" in result.err
    assert "Change it to `host: node2`; or --write does so." in result.err
    running.resources[f"Domain/{NAME}"]["spec"]["host"] = "node2"
    running.assert_in_sync()


def test_progress_is_told_as_events(running: Fleet) -> None:
    result = running("migrate", NAME, "--to", "node2", "-o", "json")
    kinds = [event["event"] for event in result.events]
    assert kinds[0] == "apply-started"
    assert kinds[-1] == "apply-finished"
    (begun,) = (event for event in result.events if event["event"] == "action-started")
    assert (begun["verb"], begun["from"], begun["host"]) == ("migrate", "node1", "node2")
    assert any(event["event"] == "action-progress" and "live" in event["message"] for event in result.events)


def test_a_check_moves_nothing_and_says_whether_it_would(running: Fleet) -> None:
    result = running("migrate", NAME, "--to", "node2", "--check")
    assert result.code == 0, result.err
    assert "It can be moved." in result.out
    assert running.road.at == 1
    assert running.listed(2) == {}
    running.declare(migration={"mode": "direct", "p2p": True})
    result = running("migrate", NAME, "--to", "node2", "--check", "-o", "json")
    assert result.code == 1
    assert not result.json["fits"]
    failed = [check for check in result.json["checks"] if check["ok"] is False and check["fatal"]]
    assert failed
    assert all(check["remedy"] for check in failed)


@pytest.mark.parametrize(
    "migration, says",
    [({"mode": "direct", "p2p": True}, "cannot be moved: options"), ({}, "was not moved to node2: Unsafe migration")],
    ids=["by the preflight", "by libvirt"],
)
def test_a_move_that_is_refused_leaves_everything_as_it_was(running: Fleet, migration: dict[str, Any], says: str) -> None:
    running.declare(migration=migration)
    before = running.road.counter(1)
    result = running("migrate", NAME, "--to", "node2")
    assert result.code == 1
    assert says in result.err
    assert running.listed(1) == {NAME: False}
    assert running.listed(2) == {}
    running.road.assert_counting(1, before)


def test_write_changes_the_host_and_keeps_the_comments(running: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    running.write()
    file = running.folder / "project.yaml"
    text = file.read_text().replace("  host: node1\n", "  host: node1   # in the attic\n")
    assert "attic" in text
    file.write_text(text)
    monkeypatch.setattr(running, "write", lambda: None)
    result = running("migrate", NAME, "--to", "node2", "--write")
    assert result.code == 0, result.err
    assert file.read_text() == text.replace("  host: node1   #", "  host: node2   #")
    running.assert_in_sync()
    again = running("migrate", NAME, "--to", "node2", "--write")
    assert again.code == 0
    assert "on node2 already" in again.err


def test_a_stopped_domain_moves_as_a_definition(fleet: Fleet, guest_image: Path) -> None:
    fleet.boot(guest_image, state="stopped", autostart=True)
    result = fleet("migrate", NAME, "--to", "node2")
    assert result.code == 0, result.err
    assert fleet.road.domain(2).autostart()
    assert not fleet.road.has(1)
    fleet.declare(host="node2", state="stopped", autostart=True)
    fleet.assert_in_sync()


def test_drift_is_still_seen_after_a_move(running: Fleet) -> None:
    running.road.domain(1).setMetadata(1, "changed by hand", None, None, 3)
    running.declare(title="as declared")
    assert running("migrate", NAME, "--to", "node2").code == 0
    running.declare(host="node2", title="as declared")
    (domain,) = (r for r in running.plan()["resources"] if r["name"] == NAME)
    assert [d["path"] for d in domain["differences"]] == ["title"]


@pytest.mark.parametrize(
    "name, to, says",
    [("nobody", "node2", "no domain|no host has a domain nobody"), (NAME, "node9", "the project has no host node9")],
)
def test_what_is_not_there_is_said(running: Fleet, name: str, to: str, says: str) -> None:
    result = running("migrate", name, "--to", to)
    assert result.code == 3
    assert any(part in result.err for part in says.split("|"))


def test_a_destination_that_does_not_answer_is_said(running: Fleet) -> None:
    running.hosts["node2"]["uri"] = "qemu+unix:///system?socket=/nowhere/libvirt-sock"
    result = running("migrate", NAME, "--to", "node2")
    assert result.code == 1
    assert "node2 is not reachable" in result.err
    assert running.road.at == 1


def test_ctrl_c_gives_it_up_and_the_guest_goes_on_where_it_was(fleet: Fleet, dirty_guest_image: Path) -> None:
    fleet.boot(dirty_guest_image, migration={"unsafe": True, "bandwidth": "1MiB/s"})
    domain, before = fleet.road.domain(1), fleet.road.counter(1)

    def interrupt() -> None:
        wait_until(lambda: domain.jobStats().get("memory_processed"))
        os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(max_workers=1) as pool:
        interrupted = pool.submit(interrupt)
        result = fleet("migrate", NAME, "--to", "node2")
        interrupted.result()
    assert result.code == 1
    assert "was not moved to node2: interrupted" in result.err
    assert fleet.listed(1) == {NAME: False}
    assert fleet.listed(2) == {}
    assert not fleet.road.has(2)
    fleet.road.assert_counting(1, before)
    fleet.assert_in_sync()


@pytest.mark.parametrize("node", [1, 2])
def test_another_apply_on_either_host_holds_it_off(running: Fleet, node: int) -> None:
    with lock.hold(running.road.sessions[node], PROJECT):
        result = running("migrate", NAME, "--to", "node2", "--wait", "0")
    assert result.code == 4
    assert running.road.at == 1


def test_the_disk_is_used_by_one_guest_only(running: Fleet) -> None:
    assert running("migrate", NAME, "--to", "node2").code == 0
    assert f"{SHARED}/{DISK}" in running.road.domain(2).XMLDesc()
    assert running.road.at == 2
