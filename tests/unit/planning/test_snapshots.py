"""Snapshots in plans: taken when they are declared or due, deleted only where Vireo took them and somebody asked for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.model.difference import Cause, Impact
from reconciler.model.plan import Action, Plan, Status, Verb
from reconciler.model.snapshot import REVERTING, Snapshot, noted, taken_at, way_of
from reconciler.model.state import Desired, Mark, Observed
from reconciler.planning import planner
from reconciler.planning.allowance import Policy
from reconciler.planning.verify import Work, verify
from tests.unit.planning.building import CREATED, MACHINES, PROJECT, desired, host, mark, minimal, observed, rid

WEB = rid("Domain/web1")
BEFORE_UPGRADE = {"name": "before-upgrade", "description": "clean install"}
EVERY_DAY = {"every": 86400, "keep": 3, "prefix": "daily"}
WAYS = {"daily": "schedule", "by-hand": "hand", "before": "before"}  # beginnings of names, in these tests
SCHEDULED = "daily-20260101T000000Z"
START = datetime(2026, 1, 1, tzinfo=UTC)


def want(state: str = "running", xml: str = "", **options: Any) -> Desired:
    return desired(WEB, xml, state, **options)


def seen(
    state: str = "running",
    *,
    applied: Desired | None = None,
    there: dict[str, int] | None = None,
    others: tuple[str, ...] = (),
    **m: Any,
) -> Observed:
    """A domain of ours; `there` are the snapshots that Vireo took, `others` those of other people."""
    taken = {name: noted(str(created), WAYS.get(name.partition("-2")[0], "declared")) for name, created in (there or {}).items()}
    known = mark(applied or want(state), **{"snapshots": taken, **m})
    snapshots = [Snapshot(name, created, "running") for name, created in (there or {}).items()]
    snapshots += [Snapshot(name, 7, "running") for name in others]
    return replace(observed(WEB, state, owned=known), details={"snapshots": tuple(snapshots)})


def planned(wish: Desired, there: Observed | None, *, created: str = CREATED, read_only: bool = False, **policy: Any) -> Plan:
    state = host(*([] if there is None else [there]), read_only=read_only)
    return planner.plan(PROJECT, [wish], [state], Policy(**policy), created, {})


def told(plan: Plan) -> list[str]:
    """Each action as ``verb`` or ``verb snapshot``, a blocked one with ! before it."""
    return [
        ("!" if a.blocked else "") + " ".join([a.verb.value, *([a.snapshot.name] if a.snapshot else [])]) for a in plan.actions
    ]


def the(plan: Plan, verb: Verb) -> Action:
    (action,) = [a for a in plan.actions if a.verb is verb]
    return action


def bigger(**options: Any) -> Desired:
    """The domain with more memory, restarted for it."""
    return want(xml=minimal(WEB).replace("65536", "131072"), update={"restart": "allowed"}, **options)


# --- declared ---------------------------------------------------------------------------------------------------


def test_a_declared_snapshot_is_taken_and_the_rest_is_written_down_along() -> None:
    plan = planned(want(snapshots=[BEFORE_UPGRADE]), seen())
    assert told(plan) == ["snapshot before-upgrade"]
    action = plan.actions[0]
    assert (action.impact, action.snapshot and action.snapshot.description) == (Impact.LIVE, "clean install")
    assert action.paths == ("snapshots[before-upgrade]", "options/snapshots")
    assert plan.resources[0].status is Status.UPDATE


def test_one_that_is_there_is_not_taken_again_whoever_took_it() -> None:
    wish = want(snapshots=[BEFORE_UPGRADE])
    assert told(planned(wish, seen(applied=wish, there={"before-upgrade": 5}))) == []
    assert told(planned(wish, seen(applied=wish, others=("before-upgrade",)))) == []


def test_one_that_was_deleted_outside_is_drift_and_taken_again() -> None:
    wish = want(snapshots=[BEFORE_UPGRADE])
    plan = planned(wish, seen(applied=wish, snapshots={"before-upgrade": "5"}))
    assert told(plan) == ["snapshot before-upgrade"]
    assert [d.cause for d in plan.resources[0].differences] == [Cause.DRIFT]


def test_it_is_taken_before_anything_else_is_done_to_the_domain() -> None:
    wish = bigger(snapshots=[BEFORE_UPGRADE])
    plan = planned(wish, seen(), allow=Impact.RESTART)
    assert told(plan) == ["snapshot before-upgrade", "define", "restart"]
    assert the(plan, Verb.DEFINE).needs == (the(plan, Verb.SNAPSHOT).id,)


def test_of_a_domain_that_is_made_now_it_is_taken_last() -> None:
    assert told(planned(want(snapshots=[BEFORE_UPGRADE]), None)) == ["define", "start", "snapshot before-upgrade"]


def test_it_does_not_hold_up_what_a_blocked_creation_already_does() -> None:
    plan = planned(want(snapshots=[BEFORE_UPGRADE]), None, read_only=True)
    assert told(plan) == ["!define", "!start", "!snapshot before-upgrade"]


def test_of_a_stopped_domain_that_will_run_it_has_no_impact() -> None:
    plan = planned(want(snapshots=[BEFORE_UPGRADE]), seen("stopped"))
    assert told(plan) == ["snapshot before-upgrade", "start"]
    assert the(plan, Verb.SNAPSHOT).impact is Impact.NONE


def test_one_with_memory_waits_for_the_guest_to_run() -> None:
    plan = planned(want(snapshots=[BEFORE_UPGRADE | {"memory": True}]), seen("stopped"))
    assert told(plan) == ["start", "snapshot before-upgrade"]


def test_one_with_memory_of_a_stopped_domain_is_refused_in_words() -> None:
    plan = planned(want("stopped", snapshots=[BEFORE_UPGRADE | {"memory": True}]), seen("stopped"))
    assert "needs a running guest" in (the(plan, Verb.SNAPSHOT).blocked or "")


def test_one_of_a_disk_that_is_added_now_comes_after_the_definition() -> None:
    xml = minimal(WEB).replace("<devices/>", "<devices><disk type='file'><source file='/b'/><target dev='vdb'/></disk></devices>")
    plan = planned(want("stopped", xml=xml, snapshots=[BEFORE_UPGRADE | {"disks": ["vdb"]}]), seen("stopped"))
    assert told(plan) == ["define", "snapshot before-upgrade"]


def test_a_saved_domain_is_restored_first() -> None:
    assert told(planned(want(snapshots=[BEFORE_UPGRADE]), seen("saved"))) == ["restore", "snapshot before-upgrade"]


def test_a_domain_that_stays_saved_has_no_snapshot_taken_and_the_plan_says_why() -> None:
    plan = planned(want("saved", snapshots=[BEFORE_UPGRADE]), seen("saved"))
    assert "start it" in (the(plan, Verb.SNAPSHOT).blocked or "")


def test_a_domain_that_is_to_be_saved_has_it_taken_before() -> None:
    assert told(planned(want("saved", snapshots=[BEFORE_UPGRADE]), seen())) == ["snapshot before-upgrade", "managed-save"]


def test_a_domain_that_is_to_go_has_none_taken() -> None:
    assert told(planned(want("undefined", snapshots=[BEFORE_UPGRADE]), seen("stopped"))) == ["undefine"]


def test_what_nobody_owns_has_none_taken_until_it_is_adopted() -> None:
    stranger = replace(seen(), mark=None)
    assert told(planned(want(snapshots=[BEFORE_UPGRADE]), stranger)) == ["!adopt"]
    assert told(planned(want(snapshots=[BEFORE_UPGRADE]), stranger, adopt=True)) == ["adopt", "snapshot before-upgrade"]


def test_a_ceiling_below_live_blocks_one_of_a_running_guest() -> None:
    plan = planned(want(snapshots=[BEFORE_UPGRADE]), seen(), allow=Impact.NONE)
    assert "--allow live" in (the(plan, Verb.SNAPSHOT).blocked or "")


# --- left the manifest ------------------------------------------------------------------------------------------

ASKED = want(snapshots=[BEFORE_UPGRADE])


def test_one_that_left_the_manifest_stays_and_the_plan_says_so() -> None:
    plan = planned(want(), seen(applied=ASKED, there={"before-upgrade": 5}))
    assert told(plan) == ["record"]
    assert "before-upgrade; --prune would delete it" in plan.resources[0].note


def test_with_prune_it_is_deleted_by_consent() -> None:
    plan = planned(want(), seen(applied=ASKED, there={"before-upgrade": 5}), prune=True, allow=Impact.NONE)
    assert told(plan) == ["delete-snapshot before-upgrade"]
    assert (plan.actions[0].impact, plan.actions[0].consented) == (Impact.DATA_LOSS, True)


def test_it_is_remembered_that_it_was_asked_for_once() -> None:
    there = seen(applied=ASKED, there={"before-upgrade": 5})
    after = verify(PROJECT, want(), there, MACHINES, Work(defined=False, withheld=(), before=there.mark)).mark
    assert after is not None
    later = replace(there, mark=after)
    assert "--prune" in planned(want(), later).resources[0].note
    assert told(planned(want(), later, prune=True)) == ["delete-snapshot before-upgrade"]


@pytest.mark.parametrize(
    "there",
    [
        seen(applied=ASKED, others=("before-upgrade",)),
        seen(applied=ASKED, others=("before-upgrade",), snapshots={"before-upgrade": "5"}),
        seen(there={"by-hand": 5}),
        seen(applied=ASKED, others=("before-upgrade",), snapshots={"before-upgrade": "7 hand"}),
        seen(applied=want(snapshotPolicy=EVERY_DAY), others=(SCHEDULED,), snapshots={SCHEDULED: "7 hand"}),
    ],
    ids=["never ours", "another one has its name now", "taken by the command", "later declared", "named as one of the schedule"],
)
def test_prune_never_deletes_what_was_not_taken_for_a_manifest(there: Observed) -> None:
    assert not any(a.verb is Verb.DELETE_SNAPSHOT for a in planned(want(), there, prune=True).actions)


def test_an_apply_keeps_what_is_known_of_snapshots() -> None:
    there = seen(there={"by-hand": 5})
    after = verify(PROJECT, want(), there, MACHINES, Work(defined=False, withheld=(), before=there.mark)).mark
    assert after is not None
    assert after.snapshots == {"by-hand": "5 hand"}


def test_a_note_of_an_older_version_means_a_declared_one() -> None:
    assert [(taken_at(note), way_of(note)) for note in ("5", "5 hand", "", " hand")] == [
        ("5", "declared"),
        ("5", "hand"),
        ("", "declared"),
        ("", "hand"),
    ]
    there = seen(applied=ASKED, others=("before-upgrade",), snapshots={"before-upgrade": "7"})
    assert told(planned(want(), there, prune=True)) == ["delete-snapshot before-upgrade"]


def test_an_apply_that_left_a_declared_snapshot_out_has_failed() -> None:
    there = seen()
    assert verify(PROJECT, ASKED, there, MACHINES, Work(False, (), there.mark)).leftover == ("snapshots[before-upgrade]",)


# --- the schedule -----------------------------------------------------------------------------------------------


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_first_one_of_a_schedule_is_taken_at_once() -> None:
    wish = want(snapshotPolicy=EVERY_DAY)
    assert told(planned(wish, seen(applied=wish))) == ["snapshot daily-20260101T000000Z"]


def test_the_next_one_is_taken_when_the_newest_is_old_enough() -> None:
    wish = want(snapshotPolicy=EVERY_DAY)
    there = seen(applied=wish, there={"daily-20260101T000000Z": 5})
    assert told(planned(wish, there, created=at(23.9))) == []
    assert told(planned(wish, there, created=at(24))) == ["snapshot daily-20260102T000000Z"]


def test_a_schedule_keeps_exactly_the_last_ones_and_deletes_no_other() -> None:
    """Thirty days with an apply every six hours, among snapshots of other people and of other sorts."""
    wish = want(snapshotPolicy=EVERY_DAY, snapshots=[{"name": "daily-20250101T000000Z"}])
    foreign = ("mine", "daily-20250102T000000Z", "daily-x")
    ours = {"daily-20250101T000000Z": 1, "by-hand": 2, "before-20250103T000000Z": 3}
    kept = dict(ours)
    for step in range(120):
        created = at(6 * step)
        plan = planned(wish, seen(applied=wish, there=kept, others=foreign), created=created)
        for action in plan.actions:
            assert action.snapshot is not None
            assert action.blocked is None
            if action.verb is Verb.SNAPSHOT:
                kept[action.snapshot.name] = step
            else:
                del kept[action.snapshot.name]
        daily = sorted(set(kept) - set(ours))
        days = [START + timedelta(days=n) for n in range(step // 4 + 1)][-3:]
        assert daily == [f"daily-{day:%Y%m%d}T000000Z" for day in days]
    assert set(ours) <= set(kept)


@pytest.mark.parametrize("way", ["hand", "before", "declared"])
def test_a_schedule_deletes_only_what_it_took_itself_whatever_its_name(way: str) -> None:
    wish = want(snapshotPolicy=EVERY_DAY | {"keep": 1})
    name = "daily-20200101T000000Z"
    there = seen(applied=wish, others=(name,), snapshots={name: f"7 {way}"})
    assert told(planned(wish, there)) == ["snapshot daily-20260101T000000Z"]


def test_each_snapshot_says_how_it_comes_to_be_taken() -> None:
    wish = bigger(snapshotPolicy=EVERY_DAY, snapshotBefore=["restart"], snapshots=[BEFORE_UPGRADE])
    plan = planned(wish, seen(), allow=Impact.RESTART)
    assert [a.snapshot.way for a in plan.actions if a.snapshot] == ["declared", "before", "schedule"]


def test_the_oldest_goes_only_after_the_new_one_is_there() -> None:
    wish = want(snapshotPolicy=EVERY_DAY | {"keep": 1})
    plan = planned(wish, seen(applied=wish, there={"daily-20260101T000000Z": 5}), created=at(30))
    assert told(plan) == ["snapshot daily-20260102T060000Z", "delete-snapshot daily-20260101T000000Z"]
    assert the(plan, Verb.DELETE_SNAPSHOT).needs == (the(plan, Verb.SNAPSHOT).id,)


def test_a_clock_that_was_set_back_takes_no_second_one() -> None:
    wish = want(snapshotPolicy=EVERY_DAY)
    assert told(planned(wish, seen(applied=wish, there={"daily-20260101T120000Z": 5}), created=at(6))) == []


def test_while_it_is_saved_the_schedule_waits() -> None:
    wish = want("saved", snapshotPolicy=EVERY_DAY)
    assert told(planned(wish, seen("saved", applied=wish))) == []


def test_a_schedule_that_left_the_manifest_leaves_its_snapshots_until_prune() -> None:
    there = seen(applied=want(snapshotPolicy=EVERY_DAY), there={"daily-20260101T000000Z": 5})
    assert "daily-20260101T000000Z; --prune" in planned(want(), there).resources[0].note
    assert told(planned(want(), there, prune=True)) == ["delete-snapshot daily-20260101T000000Z"]


def test_the_one_of_the_schedule_is_taken_after_the_change() -> None:
    plan = planned(bigger(snapshotPolicy=EVERY_DAY), seen(), allow=Impact.RESTART)
    assert told(plan) == ["define", "restart", "snapshot daily-20260101T000000Z"]


# --- before what hurts ------------------------------------------------------------------------------------------


def test_a_snapshot_is_taken_right_before_a_restart() -> None:
    plan = planned(bigger(snapshotBefore=["restart"]), seen(), allow=Impact.RESTART)
    assert told(plan) == ["define", "snapshot before-20260101T000000Z", "restart"]
    assert the(plan, Verb.RESTART).needs == (the(plan, Verb.SNAPSHOT).id,)


def test_also_before_one_that_is_asked_for_by_hand() -> None:
    wish = want(snapshotBefore=["restart"], restartedAt="today")
    plan = planned(wish, seen(applied=want(snapshotBefore=["restart"], restartedAt="yesterday")), allow=Impact.NONE)
    assert told(plan) == ["snapshot before-20260101T000000Z", "restart"]


def test_none_is_taken_before_a_restart_that_is_blocked() -> None:
    assert told(planned(bigger(snapshotBefore=["restart"]), seen())) == ["define", "!restart"]


def test_none_is_taken_before_less_than_what_is_named() -> None:
    plan = planned(bigger(snapshotBefore=["recreate", "data-loss"]), seen(), allow=Impact.RESTART)
    assert told(plan) == ["define", "restart"]


def test_an_interrupted_plan_does_not_take_it_twice() -> None:
    there = seen(there={"before-20260101T000000Z": 5})
    assert told(planned(bigger(snapshotBefore=["restart"]), there, allow=Impact.RESTART)) == ["define", "restart"]


# --- after a revert ---------------------------------------------------------------------------------------------


def reverted(*, memory: str = "131072", state: str = "running", **more: Any) -> Observed:
    there = seen(state, applied=want(), reverted="old", there={"old": 5}, **more)
    xml = minimal(WEB).replace("65536", memory)
    return replace(there, persistent=xml, live=xml if state == "running" else None)


def test_what_a_revert_changed_is_shown_as_drift_and_not_undone() -> None:
    plan = planned(want(), reverted())
    (define,) = plan.actions
    assert "--correct-reverted" in (define.blocked or "")
    assert "reverted to snapshot old" in (define.blocked or "")
    (resource,) = plan.resources
    assert {d.cause for d in resource.differences} == {Cause.DRIFT}
    assert "reverted to snapshot old" in resource.note


def test_its_state_is_not_undone_either() -> None:
    assert told(planned(want(), reverted(memory="65536", state="stopped"))) == ["!start"]


def test_a_restart_would_undo_it_too() -> None:
    wish = want(update={"restart": "allowed"})
    there = replace(reverted(), persistent=minimal(WEB))
    plan = planned(wish, replace(there, mark=mark(wish, reverted="old")), allow=Impact.RESTART)
    assert told(plan) == ["!restart"]
    assert "--correct-reverted" in (plan.actions[0].blocked or "")


def test_it_is_undone_where_that_is_asked_for() -> None:
    assert told(planned(want(), reverted(), correct_reverted=True)) == ["define"]


def test_adopting_the_change_in_the_manifest_forgets_the_revert() -> None:
    wish = want(xml=minimal(WEB).replace("65536", "131072"))
    plan = planned(wish, reverted())
    assert told(plan) == ["record"]
    there = reverted()
    after = verify(PROJECT, wish, there, MACHINES, Work(False, (), there.mark)).mark
    assert after is not None
    assert after.reverted == ""


def test_the_revert_is_remembered_while_its_changes_are_held() -> None:
    there = reverted()
    after = verify(PROJECT, want(), there, MACHINES, Work(False, ("memory",), there.mark)).mark
    assert after is not None
    assert after.reverted == "old"


@pytest.mark.parametrize("state, wish", [("stopped", "running"), ("stopped", "stopped"), ("running", "running")])
def test_nothing_is_done_to_a_domain_whose_revert_was_begun_and_not_finished(state: str, wish: str) -> None:
    there = seen(state, applied=want(wish), reverted=f"{REVERTING}old", there={"old": 5})
    plan = planned(want(wish, snapshots=[BEFORE_UPGRADE], snapshotPolicy=EVERY_DAY), there)
    assert plan.actions
    for action in plan.actions:
        assert "the revert to old was begun and not finished: `vireo snapshot revert web1 old`" in (action.blocked or "")
    assert (plan.resources[0].status, "begun and not finished" in plan.resources[0].note) == (Status.BLOCKED, True)
    assert "was reverted" not in plan.resources[0].note


def test_a_revert_that_was_begun_is_given_up_where_that_is_asked_for_and_the_plan_says_so() -> None:
    there = seen("stopped", applied=want(), reverted=f"{REVERTING}old", there={"old": 5})
    plan = planned(want(), there, correct_reverted=True)
    assert told(plan) == ["start"]
    assert "given up: its disks stay as they are now, reverted or not" in plan.resources[0].note
    there = seen(applied=want(), reverted=f"{REVERTING}old", there={"old": 5})
    assert told(planned(want(), there, correct_reverted=True)) == ["record"]
    after = verify(PROJECT, want(), there, MACHINES, Work(False, (), there.mark)).mark
    assert after is not None
    assert after.reverted == ""


def test_a_snapshot_is_still_taken_of_a_reverted_domain() -> None:
    assert told(planned(want(snapshots=[BEFORE_UPGRADE]), reverted())) == ["snapshot before-upgrade", "!define"]


def test_a_removal_is_not_held_by_a_revert() -> None:
    assert told(planned(want("undefined"), reverted(state="stopped"))) == ["undefine"]


def test_no_mark_says_that_the_domain_was_reverted_once_it_is_corrected() -> None:
    there = replace(reverted(memory="65536"), mark=mark(want(), reverted="old"))
    after = verify(PROJECT, want(), there, MACHINES, Work(True, (), there.mark)).mark
    assert isinstance(after, Mark)
    assert after.reverted == ""


def test_one_that_an_interrupted_apply_took_is_written_down_by_the_next() -> None:
    wish = want(snapshots=[BEFORE_UPGRADE])
    there = seen(applied=wish, others=("before-upgrade",), snapshots={"before-upgrade": " declared"})
    plan = planned(wish, there)
    assert told(plan) == ["snapshot before-upgrade"]
    assert plan.actions[0].impact is Impact.NONE


def test_a_name_is_forgotten_with_its_snapshot() -> None:
    """Else one that somebody takes under that name later could be deleted as if it were ours."""
    there = seen(applied=ASKED, snapshots={"before-upgrade": "5"}, retired={"snapshots[before-upgrade]": "5"})
    after = verify(PROJECT, want(), there, MACHINES, Work(False, (), there.mark)).mark
    assert after is not None
    assert (after.snapshots, after.retired) == ({}, {})
