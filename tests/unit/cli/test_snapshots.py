"""What people read of snapshots: a tree, and before a revert what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cli.printers import snapshots as printer
from reconciler.cli.printers import tables
from reconciler.cli.printers.style import Symbols
from reconciler.engine.snapshots import Listing, Row, later
from reconciler.model.plan import Plan, ResourcePlan, Status
from reconciler.model.resource import ResourceId
from reconciler.model.snapshot import Snapshot

WEB = ResourceId("Domain", "web1", "node1")
DAY = 86400


def row(
    name: str, created: int, parent: str = "", *, ours: bool = True, declared: bool = False, size: int | None = None, **more: Any
) -> Row:
    return Row(Snapshot(name, created, more.pop("state", "running"), parent, **more), ours, declared, size)


def listing(*rows: Row, state: str = "running", reverted: str = "") -> Listing:
    return Listing(ResourcePlan(WEB, Status.IN_SYNC, state, state), rows, reverted)


FAMILY = listing(
    row("clean", 0, internal=("vda",), has_memory=True, declared=True, description="clean\x1b install"),
    row("mine", 3600, ours=False, internal=("vda",)),
    row("daily", DAY, "clean", overlays={"vda": "/srv/web1.daily"}, size=3 << 20, current=True),
    reverted="clean",
)


def text(lines: list[Any]) -> str:
    return "\n".join(line.plain.rstrip() for line in lines) + "\n"


def test_children_stand_below_their_parents_and_control_characters_do_not_reach_the_terminal() -> None:
    assert text(printer.listing([FAMILY], None)) == (
        "Domain/web1 on node1: running, 3 snapshots; reverted to clean\n"
        "  SNAPSHOT           TAKEN                 STATE    KIND              SIZE  BY               DESCRIPTION\n"
        "  clean              1970-01-01 00:00:00Z  running  internal, memory        vireo, declared  clean\\x1b install\n"
        "    daily (current)  1970-01-02 00:00:00Z  running  external          3MiB  vireo\n"
        "  mine               1970-01-01 01:00:00Z  running  internal                others\n"
    )


def test_a_domain_without_snapshots_is_told_of_as_well() -> None:
    assert text(printer.listing([listing()], None)) == "Domain/web1 on node1: running, no snapshots\n"


def test_a_revert_says_how_much_is_lost() -> None:
    told = text(printer.loss(FAMILY, FAMILY.rows[0], later(FAMILY, FAMILY.rows[0]), 2 * DAY + 7200, None))
    assert "of 1970-01-01 00:00:00Z, 2 days 2 hours ago" in told
    assert "to the disks in it (vda). The guest is cut off" in told
    assert "Taken since, and kept: mine, daily." in told
    assert "It is running afterwards." in told


def test_a_revert_of_a_stopped_domain_to_disks_only_loses_no_memory() -> None:
    one = listing(row("disks", 0, state="disk-snapshot", overlays={"vda": "/x"}), state="stopped")
    told = text(printer.loss(one, one.rows[0], later(one, one.rows[0]), 5, None))
    assert "memory" not in told
    assert "Taken since" not in told
    assert "It is stopped afterwards." in told


def test_of_two_in_one_second_the_child_is_the_later_one() -> None:
    one = listing(row("a", 5), row("b", 5, "a"))
    assert (later(one, one.rows[0]), later(one, one.rows[1])) == (("b",), ())


@pytest.mark.parametrize(
    "seconds, said",
    [(0, "0 seconds"), (61, "1 minute 1 second"), (DAY, "1 day"), (DAY * 3 + 3661, "3 days 1 hour"), (-5, "0 seconds")],
)
def test_a_span_of_time_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert printer.ago(seconds) == said


def test_status_counts_snapshots_and_says_how_many_are_other_peoples() -> None:
    plan = Plan("p", "", (), (FAMILY.plan,), ())
    assert "3 snapshots (1 not Vireo's)" in text(tables.status(plan, Symbols(), None, {WEB: (3, 1)}))
    assert "1 snapshot\n" in text(tables.status(plan, Symbols(), None, {WEB: (1, 0)}))
    assert "snapshot" not in text(tables.status(plan, Symbols(), None))
    assert tables.status_json(plan, {WEB: (3, 1)})["resources"][0]["snapshots"] == {"all": 3, "others": 1}


def test_json_has_every_field_of_a_snapshot() -> None:
    (domain,) = printer.to_json([FAMILY])["domains"]
    assert domain["reverted"] == "clean"
    assert domain["snapshots"][2] == {
        "name": "daily",
        "created": DAY,
        "state": "running",
        "parent": "clean",
        "current": True,
        "description": "",
        "internal": [],
        "overlays": {"vda": "/srv/web1.daily"},
        "memory": False,
        "memory_file": None,
        "size": 3 << 20,
        "by": "vireo",
        "declared": False,
    }
