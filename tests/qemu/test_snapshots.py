"""Snapshots from the manifest to the host and back, by the commands that people type."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.engine import executor, pipeline
from reconciler.engine.outcome import Outcome
from reconciler.errors import EXIT_BLOCKED, EXIT_FAILURE, EXIT_INVALID, EXIT_REFUSED, HostError
from reconciler.host import lock
from reconciler.host.session import Session
from reconciler.model.difference import Impact
from reconciler.model.event import ActionFailed, ActionSkipped, Event
from reconciler.model.resource import HostSpec
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until
from tests.qemu.conftest import DOMAIN, POOL, VOLUME, Result, Vireo, manifest

RAW = manifest("Volume", "web1.raw", {"pool": "images", "capacity": "4MiB", "format": "raw"})


def small(disk: str = "web1.qcow2", **spec: Any) -> dict[str, Any]:
    """The domain without a network and a screen."""
    kept = {name: value for name, value in DOMAIN["spec"].items() if name not in {"interfaces", "graphics", "disks"}}
    disks = [{"target": "vda", "bus": "virtio", "volume": {"pool": "images", "name": disk}}]
    return manifest("Domain", "web1", {**kept, "disks": disks, **spec})


@pytest.fixture
def snap(vireo: Vireo) -> Vireo:
    """A running domain on a qcow2 volume, applied."""
    vireo.add(POOL, VOLUME, small())
    vireo.apply()
    return vireo


@pytest.fixture
def raw(vireo: Vireo) -> Vireo:
    """A running domain on a raw volume, applied: its snapshots are external ones."""
    vireo.add(POOL, RAW, small("web1.raw"))
    vireo.apply()
    return vireo


def names(vireo: Vireo) -> set[str]:
    return set(vireo.domain().snapshotListNames())


def verbs(result: Result) -> list[str]:
    return [e["verb"] for line in result.out.splitlines() if (e := json.loads(line))["event"] == "action-done"]


def source(vireo: Vireo) -> str:
    """The file of the disk in the definition that stays."""
    return str(vireo.domain().XMLDesc(2)).partition("<source ")[2].partition("/>")[0]


def take(vireo: Vireo, name: str, *options: str) -> None:
    result = vireo(f"snapshot create web1 {name}", *options)
    assert result.code == 0, result.err


def run_at(vireo: Vireo, created: str, **options: Any) -> tuple[Outcome, list[Event]]:
    """An apply of what was written last, as at another time."""
    events: list[Event] = []
    wanted = pipeline.Options(connect=vireo.uri, **options)
    manifests = pipeline.load([str(vireo.folder)], wanted)
    with pipeline.connected(manifests) as hosts:
        ready = pipeline.prepare(manifests, hosts, wanted, clock=lambda: created)
        return executor.execute(ready, hosts, emit=events.append, stop=threading.Event()), events


def test_a_declared_snapshot_is_taken_once_before_the_restart_and_deleted_with_prune_only(snap: Vireo) -> None:
    snap.domain().snapshotCreateXML("<domainsnapshot><name>mine</name></domainsnapshot>")
    snap.spec("Domain/web1").update(snapshots=[{"name": "s1", "description": "x"}], memory="48MiB", update={"restart": "allowed"})
    assert verbs(snap.apply("-o", "json", "--allow", "restart")) == ["snapshot", "define", "restart"]
    assert "<memory unit='KiB'>32768</memory>" in snap.domain().snapshotLookupByName("s1").getXMLDesc()
    snap.assert_in_sync()
    status = snap("status", "-o", "json").json["resources"]
    assert [r["snapshots"] for r in status if r["kind"] == "Domain"] == [{"all": 2, "others": 1}]
    assert "2 snapshots (1 not Vireo's)" in snap("status").out
    del snap.spec("Domain/web1")["snapshots"]
    assert verbs(snap.apply("-o", "json")) == ["record"]
    found = snap.resource("Domain/web1")
    assert (found["status"], "s1; --prune would delete it" in found["note"]) == ("in-sync", True)
    assert verbs(snap.apply("-o", "json", "--prune")) == ["delete-snapshot"]
    assert names(snap) == {"mine"}
    snap.assert_in_sync()


def test_a_schedule_keeps_the_last_ones_and_no_other_is_deleted(snap: Vireo) -> None:
    snap.domain().snapshotCreateXML("<domainsnapshot><name>daily-20200101T000000Z</name></domainsnapshot>")
    take(snap, "by-hand")
    snap.spec("Domain/web1")["snapshotPolicy"] = {"every": "24h", "keep": 2, "prefix": "daily"}
    snap.plan()
    others = {"daily-20200101T000000Z", "by-hand"}
    kept: list[str] = []
    for day in range(1, 5):
        outcome, _ = run_at(snap, f"2026-01-0{day}T00:00:00Z")
        assert (outcome.failed, outcome.done) == (0, 1 if day <= 2 else 2)
        kept = [*kept, f"daily-2026010{day}T000000Z"][-2:]
        assert names(snap) == {*others, *kept}
    outcome, _ = run_at(snap, "2026-01-04T23:59:59Z")
    assert outcome.done == 0


def test_a_schedule_of_external_snapshots_deletes_the_oldest_and_ends_with_an_empty_plan(raw: Vireo) -> None:
    raw.spec("Domain/web1")["snapshotPolicy"] = {"every": "24h", "keep": 2, "prefix": "daily"}
    raw.plan()
    for day in range(1, 5):
        outcome, events = run_at(raw, f"2026-01-0{day}T00:00:00Z")
        assert outcome.failed == 0, [e for e in events if isinstance(e, ActionFailed)]
    assert names(raw) == {"daily-20260103T000000Z", "daily-20260104T000000Z"}
    del raw.spec("Domain/web1")["snapshotPolicy"]
    raw.apply("--prune")
    assert (names(raw), "web1.raw'" in source(raw)) == (set(), True)
    raw.assert_in_sync()


def test_a_restart_waits_for_the_snapshot_before_it_and_is_not_done_without(raw: Vireo, lab: Lab) -> None:
    raw.spec("Domain/web1").update(snapshotBefore=["restart"], memory="48MiB", update={"restart": "allowed"})
    raw.plan()
    taken = lab.images / "pool" / "web1.raw.before-20260101T000000Z"
    taken.write_text("somebody else's")
    uptime = raw.domain().ID()
    outcome, events = run_at(raw, "2026-01-01T00:00:00Z", allow=Impact.RESTART)
    (failed,) = [e for e in events if isinstance(e, ActionFailed)]
    (skipped,) = [e for e in events if isinstance(e, ActionSkipped)]
    assert (outcome.exit_code, failed.action.verb, skipped.action.verb) == (EXIT_FAILURE, "snapshot", "restart")
    assert "snapshot Domain/web1 failed" in skipped.reason
    assert (raw.domain().ID(), taken.read_text()) == (uptime, "somebody else's")
    assert verbs(raw.apply("-o", "json", "--allow", "restart")) == ["snapshot", "restart"]
    assert raw.domain().ID() != uptime
    raw.assert_in_sync()


def test_an_external_snapshot_is_no_drift_and_a_redefinition_keeps_its_overlay(raw: Vireo) -> None:
    take(raw, "s1", "--memory", "false")
    overlay = source(raw)
    assert "s1" in overlay
    raw.assert_in_sync()
    raw.spec("Domain/web1")["memory"] = "48MiB"
    raw.apply()
    assert source(raw) == overlay
    assert {r["status"] for r in raw.plan()["resources"]} == {"in-sync", "pending-restart"}
    raw.spec("Domain/web1")["state"] = "stopped"
    raw.apply()
    raw.assert_in_sync()
    assert raw("snapshot delete web1 s1", "--yes").code == 0
    assert "web1.raw" in source(raw)
    assert names(raw) == set()
    raw.assert_in_sync()


def test_an_external_revert_is_no_drift_either_and_its_deletion_ends_the_chain(raw: Vireo) -> None:
    raw.spec("Domain/web1")["state"] = "stopped"
    raw.apply()
    take(raw, "s1")
    assert raw("snapshot revert web1 s1", "--yes", "--allow", "data-loss").code == 0
    overlay = source(raw)
    assert "web1.raw.s1" in overlay
    raw.assert_in_sync()
    raw.spec("Domain/web1").update(memory="48MiB", state="running")
    raw.apply()
    assert source(raw) == overlay
    raw.assert_in_sync()
    assert raw("snapshot delete web1 s1", "--yes").code == 0
    raw.assert_in_sync()
    assert "s1" not in source(raw)


def test_a_revert_says_what_is_lost_and_is_not_undone_until_somebody_chooses(snap: Vireo) -> None:
    take(snap, "s1")
    snap.spec("Domain/web1")["state"] = "stopped"
    snap.spec("Domain/web1")["title"] = "later"
    snap.apply()
    take(snap, "s2")
    held = snap("snapshot revert web1 s1", "--yes")
    assert (held.code, "--allow data-loss permits it" in held.err) == (EXIT_BLOCKED, True)
    assert snap("snapshot revert web1 s1", "--allow", "data-loss").code == EXIT_INVALID
    assert snap.domain().isActive() == 0
    done = snap("snapshot revert web1 s1", "--yes", "--allow", "data-loss")
    assert (done.code, "everything that was written since" in done.out, "s2" in done.out) == (0, True, True)
    assert snap.domain().isActive() == 1
    found = snap.resource("Domain/web1")
    assert (found["status"], {d["cause"] for d in found["differences"]}) == ("blocked", {"drift"})
    assert "reverted to snapshot s1" in found["note"]
    assert snap("apply", "--yes").code == EXIT_BLOCKED
    assert snap.domain().isActive() == 1
    snap.apply("--correct-reverted")
    assert snap.domain().isActive() == 0
    snap.assert_in_sync()
    assert snap("snapshot revert web1 s1", "--yes", "--allow", "data-loss").code == 0
    snap.spec("Domain/web1")["state"] = "running"
    del snap.spec("Domain/web1")["title"]
    assert verbs(snap.apply("-o", "json")) == ["record"]
    snap.assert_in_sync()
    assert names(snap) == {"s1", "s2"}


def test_a_domain_whose_revert_broke_off_is_not_started_until_somebody_ends_that(
    raw: Vireo, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    take(raw, "s1", "--mode", "external")

    def broken(session: Session, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        answer = call(session, name, function, *args, **kwargs)
        if name == "virDomainDestroy":
            raise HostError("killed here")
        return answer

    call = Session.call
    with monkeypatch.context() as patched:
        patched.setattr(Session, "call", broken)
        assert raw("snapshot revert web1 s1", "--yes", "--allow", "data-loss").code == EXIT_FAILURE
    assert raw.domain().isActive() == 0
    found = raw.resource("Domain/web1")
    assert (found["status"], "the revert to s1 was begun and not finished" in found["note"]) == ("blocked", True)
    held = raw("apply", "--yes")
    assert (held.code, "`vireo snapshot revert web1 s1` finishes it" in held.out + held.err) == (EXIT_BLOCKED, True)
    assert raw("snapshot delete web1 s1", "--yes").code == EXIT_BLOCKED
    assert "; the revert to s1 is not finished" in raw("snapshot list web1").out
    assert raw("snapshot revert web1 s1", "--yes", "--allow", "data-loss").code == 0
    assert raw.domain().isActive() == 1
    assert verbs(raw.apply("-o", "json")) == ["record"]
    raw.assert_in_sync()
    assert raw("snapshot delete web1 s1", "--yes").code == 0
    assert sorted(path.name for path in (lab.images / "pool").iterdir()) == ["web1.raw"]


def test_a_snapshot_by_hand_is_kept_by_every_schedule_and_by_prune(snap: Vireo) -> None:
    by_hand = "daily-20200101T000000Z"
    take(snap, by_hand)
    take(snap, "base")
    snap.spec("Domain/web1").update(snapshots=[{"name": "base"}], snapshotPolicy={"every": "24h", "keep": 1, "prefix": "daily"})
    snap.apply()
    assert {by_hand, "base"} < names(snap)
    for option in ("snapshots", "snapshotPolicy"):
        del snap.spec("Domain/web1")[option]
    snap.apply("--prune")
    assert names(snap) == {by_hand, "base"}
    told = snap("snapshot delete web1 base", "--yes").out
    assert "Snapshot base of Domain/web1 is deleted." in told


def test_that_a_snapshot_is_deleted_is_not_said_of_one_that_is_still_there(raw: Vireo) -> None:
    take(raw, "s1", "--memory", "false")
    raw.domain().managedSave()
    refused = raw("snapshot delete web1 s1", "--yes")
    assert (refused.code, "is deleted" in refused.out, names(raw)) == (EXIT_FAILURE, False, {"s1"})


def test_who_waits_for_the_lock_to_take_a_snapshot_takes_it_afterwards(snap: Vireo) -> None:
    snap("validate")
    command = [sys.executable, "-m", "reconciler", "snapshot", "create", "web1"]
    rest = [str(snap.folder), "-c", snap.uri]
    running = [
        subprocess.Popen([*command, name, *rest], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two", "three")
    ]
    ended = [(process.communicate()[1], process.returncode) for process in running]
    assert [code for _, code in ended] == [0, 0, 0], ended
    assert names(snap) == {"one", "two", "three"}


def test_a_revert_that_changed_no_definition_leaves_an_empty_plan_and_takes_the_snapshot_before(snap: Vireo) -> None:
    snap.spec("Domain/web1")["snapshotBefore"] = ["data-loss"]
    snap.apply()
    take(snap, "s1")
    done = snap("snapshot revert web1 s1", "--yes", "--allow", "data-loss", "-o", "json")
    assert (done.code, verbs(done)) == (0, ["snapshot", "revert"])
    assert len(names(snap)) == 2
    snap.assert_in_sync()


def test_the_commands_tell_what_there_is_and_what_cannot_be(snap: Vireo) -> None:
    nothing = snap("snapshot list", "-o", "json")
    assert nothing.json["domains"][0]["snapshots"] == []
    take(snap, "s1", "--description", "for a test")
    take(snap, "s2")
    snap.domain().snapshotCreateXML("<domainsnapshot><name>mine</name></domainsnapshot>")
    (domain,) = snap("snapshot list web1", "-o", "json").json["domains"]
    told = {s["name"]: (s["by"], s["parent"], s["current"], s["memory"]) for s in domain["snapshots"]}
    assert told == {
        "s1": ("vireo", None, False, True),
        "s2": ("vireo", "s1", False, True),
        "mine": ("others", "s2", True, True),
    }
    tree = snap("snapshot list web1").out.splitlines()
    assert [line.partition("20")[0].rstrip() for line in tree[2:]] == ["  s1", "    s2", "      mine (current)"]
    shown = snap("snapshot show web1 s1", "-o", "json").json
    assert (shown["description"], shown["internal"]) == ("for a test", ["vda"])
    assert "for a test" in snap("snapshot show web1 s1").out
    snap.spec("Domain/web1")["snapshots"] = [{"name": "s1"}, {"name": "s9"}]
    rows = {row["path"]: row for row in snap("explain Domain/web1", "-o", "json").json["paths"]}
    assert (rows["snapshots[s9]"]["outcome"].partition(" ")[0], "project.yaml" in rows["snapshots[s9]"]["declared_at"]) == (
        "snapshot",
        True,
    )
    del snap.spec("Domain/web1")["snapshots"]
    for wrong in ("snapshot show web1 s9", "snapshot list web9", "snapshot create web1 s1", "snapshot create web1 .s"):
        assert snap(wrong).code == EXIT_INVALID, wrong
    assert snap("snapshot delete web1 s9", "--yes").code == EXIT_INVALID
    assert snap("snapshot delete web1 s1").code == EXIT_INVALID
    session = Session.open(HostSpec("localhost", snap.uri))
    with lock.hold(session, "quick"):
        locked = snap("snapshot create web1 s3", "--wait", "0", "-o", "json")
    session.close()
    assert (locked.code, json.loads(locked.out.splitlines()[-1])["event"]) == (EXIT_REFUSED, "error")
    gone = snap("snapshot delete web1 mine", "--yes", "-o", "json")
    assert (gone.code, verbs(gone)) == (0, ["delete-snapshot"])
    assert names(snap) == {"s1", "s2"}
    snap.assert_in_sync()


def test_a_command_about_snapshots_applies_nothing_of_the_manifest(snap: Vireo) -> None:
    snap.spec("Domain/web1").update(title="not applied yet", onDelete={"volumes": "delete"})
    before = snap.resource("Domain/web1")["differences"]
    take(snap, "s1")
    assert "not applied yet" not in snap.domain().XMLDesc()
    assert snap.resource("Domain/web1")["differences"] == before
    assert snap("snapshot delete web1 s1", "--yes").code == 0
    assert snap.resource("Domain/web1")["differences"] == before


def test_killed_as_soon_as_the_snapshot_is_there_the_next_apply_knows_that_it_is_ours(snap: Vireo) -> None:
    snap.spec("Domain/web1").update(snapshots=[{"name": "s1"}], state="stopped")
    snap("validate")
    command = [sys.executable, "-m", "reconciler", "apply", "--yes", str(snap.folder), "-c", snap.uri]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: snap.domain().snapshotNum() or process.poll() is not None)
    process.kill()
    process.communicate()
    snap.apply()
    snap.assert_in_sync()
    (domain,) = snap("snapshot list web1", "-o", "json").json["domains"]
    assert [(s["name"], s["by"], s["declared"], s["state"]) for s in domain["snapshots"]] == [("s1", "vireo", True, "running")]
    assert snap.domain().isActive() == 0
