"""The tables of `status` and `inventory show`."""

from __future__ import annotations

from reconciler.cli.printers import tables
from reconciler.cli.printers.style import Symbols
from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Plan, ResourcePlan, Status
from reconciler.model.state import Mark

from .conftest import CREATED, NODE1, Golden, plain, rid

MARKS = {
    "node1": (
        Mark(
            "homelab", rid("Domain/web1"), "22222222-0000-4000-8000-000000000002", state="running", protect=True, xml="<domain/>"
        ),
        Mark("homelab", rid("Volume/images/web1.qcow2"), "/srv/images/web1.qcow2", state="present", pending=True),
    )
}


def test_status_is_a_table_with_a_note_for_what_differs(everything: Plan, golden: Golden) -> None:
    golden("status.txt", plain(tables.status(everything, Symbols(), 100)))


def test_status_on_a_narrow_terminal(everything: Plan, golden: Golden) -> None:
    golden("status-60.txt", plain(tables.status(everything, Symbols(), 60)))


def test_a_note_does_not_hide_what_drifted_beside_it() -> None:
    waiting = Difference("vcpu", "2", "2", "1", Cause.PENDING_RESTART, Impact.RESTART)
    moved = Difference("title", "a", "b", "b", Cause.DRIFT, Impact.NONE)
    told = "takes effect at the next start: vcpu"
    item = ResourcePlan(rid("Domain/web1"), Status.UPDATE, "running", "running", (waiting, moved), note=told)
    text = plain(tables.status(Plan("homelab", CREATED, (NODE1,), (item,), ()), Symbols(), 200))
    assert f"{told}; drift: title\n" in text


def test_status_as_json_counts_each_status(everything: Plan) -> None:
    body = tables.status_json(everything)
    assert body["format"] == "vireo-status/1"
    assert body["summary"]["pending-restart"] == 1
    assert len(body["resources"]) == len(everything.resources)
    assert "actions" not in body


def test_the_inventory_says_what_is_unfinished_and_protected(golden: Golden) -> None:
    golden("inventory.txt", plain(tables.inventory(MARKS, 120)))


def test_the_inventory_never_gives_away_the_intent() -> None:
    assert "<domain/>" not in str(tables.inventory_json(MARKS))


def test_an_empty_inventory_says_so() -> None:
    assert plain(tables.inventory({"node1": ()}, 80)) == "Nothing is owned by a project there.\n"
