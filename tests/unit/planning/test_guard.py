"""Each reason not to act, alone and in a whole plan."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import InvalidManifestsError
from reconciler.kinds import KINDS
from reconciler.model.difference import Impact
from reconciler.model.plan import Plan, Status, Verb
from reconciler.model.resource import Project, ResourceId
from reconciler.model.state import Observed
from reconciler.planning.guard import GUARDS, Situation, guard
from reconciler.planning.holding import limit
from reconciler.planning.step import Step
from tests.unit.planning.building import FACTS, PROJECT, UUID, desired, domain, host, mark, minimal, nic, observed, planned, rid

DOMAIN = KINDS["Domain"]
USER = rid("Domain/user")


def situation(kind: str = "Domain", **more: Any) -> Situation:
    return Situation(kind=KINDS[kind], ceiling=more.pop("ceiling", Impact.LIVE), **more)


@pytest.mark.parametrize(
    "step, facts, words",
    [
        (Step(Verb.DEFINE, ""), situation(read_only=True), "read-only"),
        (Step(Verb.UNDEFINE, "", consented=True), situation(protected=True), "protect"),
        (Step(Verb.DELETE, "", Impact.DATA_LOSS, consented=True), situation("Volume", users=(USER,)), "in use by Domain/user"),
        (Step(Verb.UNDEFINE, ""), situation("Pool", users=(USER,)), "in use by Domain/user"),
        (Step(Verb.STOP, ""), situation("Network", active_users=(USER,)), "in use by Domain/user"),
        (Step(Verb.RESTART, "", consented=True), situation("Pool", active_users=(USER,)), "in use by Domain/user"),
        (Step(Verb.RESTART, "", Impact.RESTART, consented=True), situation("Network", active_users=(USER,)), "--allow restart"),
        (Step(Verb.UNDEFINE, ""), situation(removing=True, too_many="7 deletions"), "7 deletions"),
        (Step(Verb.WIPE, "", Impact.DATA_LOSS, consented=True), situation("Volume", protected=True), "protect"),
        (Step(Verb.WIPE, "", Impact.DATA_LOSS, consented=True), situation("Volume", users=(USER,)), "in use by Domain/user"),
        (Step(Verb.WIPE, "", Impact.DATA_LOSS, consented=True), situation("Volume", shared_with="b"), "in use by the project b"),
        (
            Step(Verb.DELETE, "", Impact.DATA_LOSS, consented=True),
            situation("Volume", shared_with="b"),
            "in use by the project b",
        ),
        (Step(Verb.WIPE, "", consented=True), situation(removing=True, too_many="7 deletions"), "7 deletions"),
        (Step(Verb.RESTART, "", Impact.RESTART), situation(), "--allow restart"),
        (Step(Verb.CREATE, "", Impact.DATA_LOSS), situation(ceiling=Impact.RECREATE), "--allow data-loss"),
        (Step(Verb.SHUTDOWN, "", Impact.LIVE), situation(ceiling=Impact.NONE), "--allow live"),
        (Step(Verb.DEFINE, "", blocked="refused before"), situation(read_only=True), "refused before"),
    ],
)
def test_a_guard_holds_a_step_back_and_says_why(step: Step, facts: Situation, words: str) -> None:
    assert words in (guard(step, facts) or "")


@pytest.mark.parametrize(
    "step, facts",
    [
        (Step(Verb.DEFINE, ""), situation()),
        (Step(Verb.DEFINE, ""), situation(protected=True)),
        (Step(Verb.SHUTDOWN, "", Impact.LIVE), situation(protected=True)),
        (Step(Verb.RESIZE, ""), situation("Volume", shared_with="b")),
        (Step(Verb.STOP, ""), situation("Network", users=(USER,))),
        (Step(Verb.DEFINE, ""), situation("Network", users=(USER,), active_users=(USER,))),
        (Step(Verb.UNDEFINE, ""), situation(removing=False, too_many="7 deletions")),
        (Step(Verb.RESTART, "", Impact.RESTART), situation(ceiling=Impact.RESTART)),
        (Step(Verb.RESTART, "", Impact.RESTART, consented=True), situation()),
    ],
)
def test_no_guard_holds_back_what_it_is_not_about(step: Step, facts: Situation) -> None:
    assert guard(step, facts) is None


def test_no_guard_is_there_that_no_test_has_seen() -> None:
    assert len(GUARDS) == 6


def test_the_limit_of_deletions_is_five_or_a_quarter_or_the_projects_word() -> None:
    state = host()
    assert limit(PROJECT, state, 3) == 5
    assert limit(PROJECT, state, 40) == 10
    assert limit(Project("p", prune_limit=0), state, 40) == 0


# --- in a whole plan ------------------------------------------------------------------------------------------


def blocked(plan: Plan) -> dict[str, str]:
    return {action.verb.value: action.blocked or "" for action in plan.blocked}


def owned(name: str, state: str = "stopped", **changes: Any) -> Observed:
    id_ = rid(name)
    return observed(id_, state, owned=mark(desired(id_, state=state), **changes))


def test_a_read_only_connection_plans_and_does_nothing() -> None:
    plan = planned(desired(rid("Domain/d")), state=host(read_only=True))
    assert not plan.runnable
    assert "read-only" in blocked(plan)["define"]


def test_what_nobody_owns_is_left_alone_without_leave() -> None:
    id_ = rid("Domain/d")
    plan = planned(desired(id_, state="running"), state=host(observed(id_, "stopped")))
    assert (plan.resources[0].status, plan.runnable) == (Status.NOT_OURS, ())
    assert "--adopt" in blocked(plan)["adopt"]


@pytest.mark.parametrize("by_manifest", [True, False])
def test_what_nobody_owns_is_taken_over_with_leave(by_manifest: bool) -> None:
    id_ = rid("Domain/d")
    plan = planned(desired(id_, adopt=by_manifest), state=host(observed(id_, "stopped")), adopt=not by_manifest)
    assert [action.verb for action in plan.runnable] == [Verb.ADOPT]


def test_the_first_plan_of_what_was_adopted_does_no_more_than_live() -> None:
    id_ = rid("Domain/d")
    want = desired(id_, domain("<title>t</title>"), "running", restartedAt="now", update={"restart": "allowed"})
    there = observed(id_, "running", minimal(id_))
    plan = planned(want, state=host(there), adopt=True, allow=Impact.DATA_LOSS)
    assert all(action.impact <= Impact.LIVE for action in plan.runnable)


def test_what_another_project_owns_is_not_taken_even_with_leave() -> None:
    id_ = rid("Domain/d")
    plan = planned(desired(id_, state="running"), state=host(observed(id_, "stopped"), foreign={id_: "theirs"}), adopt=True)
    assert plan.runnable == ()
    assert (plan.resources[0].status, "theirs" in plan.resources[0].note) == (Status.NOT_OURS, True)


def test_a_clone_that_carries_our_mark_of_another_is_not_ours() -> None:
    id_ = rid("Domain/d")
    plan = planned(
        desired(id_, state="running"), state=host(observed(id_, "stopped"), listed=[mark(desired(id_), uuid="another")])
    )
    assert plan.runnable == ()
    assert plan.resources[0].status is Status.NOT_OURS


def test_a_protected_domain_is_not_removed_by_prune_nor_by_its_manifest() -> None:
    id_ = rid("Domain/d")
    plan = planned(state=host(owned("Domain/d", protect=True)), prune=True)
    assert "protect" in blocked(plan)["undefine"]
    plan = planned(desired(id_, state="undefined", protect=True), state=host(owned("Domain/d")))
    assert "protect" in blocked(plan)["undefine"]


def test_a_removal_is_blocked_as_a_whole() -> None:
    plan = planned(state=host(owned("Domain/d", "running", protect=True)), prune=True)
    assert [action.verb for action in plan.blocked] == [Verb.SHUTDOWN, Verb.UNDEFINE]
    assert plan.runnable == ()


def test_more_deletions_than_the_limit_need_a_word_of_their_own() -> None:
    state = host(*(owned(f"Domain/d{n}") for n in range(7)))
    plan = planned(state=state, prune=True)
    assert len(plan.blocked) == 7
    assert "--allow-mass-delete" in blocked(plan)["undefine"]
    assert len(planned(state=state, prune=True, allow_mass_delete=True).runnable) == 7
    assert len(planned(state=state, destroy=True).runnable) == 7


def test_what_no_manifest_names_stays_without_prune() -> None:
    plan = planned(state=host(owned("Domain/d")))
    assert plan.actions == ()
    assert "--prune" in plan.resources[0].note


DISK_OF_POOL = "<disk type='file' device='disk'><source file='/srv/p/v'/><target dev='vda' bus='virtio'/></disk>"
VOLUME = rid("Volume/p/v")


def storage(using: str = "", state: str = "stopped") -> list[Observed]:
    pool, users = rid("Pool/p"), []
    if using:
        users.append(observed(rid("Domain/theirs"), state, domain(devices=using, uuid="77777777-2222-4333-8444-555555555555")))
    return [observed(pool, "active"), observed(VOLUME, "present", owned=mark(desired(VOLUME), uuid="/srv/p/v")), *users]


def test_a_volume_that_a_domain_of_nobody_uses_is_not_deleted() -> None:
    plan = planned(desired(VOLUME, state="absent", onDelete="delete"), state=host(*storage(DISK_OF_POOL)))
    assert "in use by Domain/theirs" in blocked(plan)["delete"]
    by_name = "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vda'/></disk>"
    plan = planned(desired(VOLUME, state="absent", onDelete="delete"), state=host(*storage(by_name)))
    assert "in use by Domain/theirs" in blocked(plan)["delete"]


def test_a_volume_under_another_one_is_not_deleted() -> None:
    overlay = rid("Volume/p/top")
    xml = minimal(overlay).replace("</volume>", "<backingStore><path>/srv/p/v</path></backingStore></volume>")
    state = host(*storage(), observed(overlay, "present", xml))
    plan = planned(desired(VOLUME, state="absent", onDelete="delete"), state=state)
    assert "in use by Volume/p/top" in blocked(plan)["delete"]


def test_a_volume_is_deleted_together_with_its_only_user_and_after_it() -> None:
    id_ = rid("Domain/d")
    ours = observed(id_, "stopped", domain(devices=DISK_OF_POOL, uuid=UUID), owned=mark(desired(id_), options={}))
    volume = observed(VOLUME, "present", owned=mark(desired(VOLUME, onDelete="delete"), uuid="/srv/p/v"))
    plan = planned(state=host(observed(rid("Pool/p"), "active"), volume, ours), prune=True)
    assert [action.verb for action in plan.runnable] == [Verb.UNDEFINE, Verb.DELETE]
    assert plan.runnable[1].needs == (plan.runnable[0].id,)


@pytest.mark.parametrize("options, words", [({}, "--allow data-loss"), ({"onDelete": "retain"}, "retain")])
def test_a_volume_is_deleted_only_where_its_manifest_gives_leave(options: dict[str, str], words: str) -> None:
    plan = planned(desired(VOLUME, state="absent", **options), state=host(*storage()))
    assert plan.runnable == ()
    assert words in blocked(plan)["delete"]
    allowed = planned(desired(VOLUME, state="absent", **options), state=host(*storage()), allow=Impact.DATA_LOSS)
    assert bool(allowed.runnable) is (options == {})


def test_a_pruned_volume_is_kept_unless_its_mark_says_otherwise() -> None:
    assert planned(state=host(*storage()), prune=True, allow=Impact.DATA_LOSS).actions == ()


@pytest.mark.parametrize("state, held", [("running", True), ("stopped", False)])
def test_a_network_is_not_stopped_under_a_running_guest(state: str, held: bool) -> None:
    net = rid("Network/lan")
    nic = "<interface type='network'><source network='lan'/></interface>"
    user = observed(rid("Domain/theirs"), state, domain(devices=nic, uuid="77777777-2222-4333-8444-555555555555"))
    there = observed(net, "active", owned=mark(desired(net, state="active")))
    plan = planned(desired(net, state="inactive"), state=host(there, user))
    assert bool(plan.blocked) is held


@pytest.mark.parametrize(
    "update, allow, told",
    [
        ({}, Impact.RESTART, "would cut off for a moment and plug in again: Domain/theirs"),
        ({"update": {"restart": "allowed"}}, Impact.LIVE, "cuts off for a moment and plugs in again: Domain/theirs"),
        ({"update": {"restart": "allowed"}}, Impact.RESTART, "cuts off for a moment and plugs in again: Domain/theirs"),
    ],
)
def test_a_network_is_restarted_under_running_guests_with_leave_only_and_they_are_named(
    update: dict[str, Any], allow: Impact, told: str
) -> None:
    net, uuid = rid("Network/lan"), f"<uuid>{UUID}</uuid>"
    before, after = (f"<network><name>lan</name>{uuid}<domain name='{name}'/></network>" for name in ("a.example", "b.example"))
    user = observed(rid("Domain/theirs"), "running", domain(devices=nic("lan"), uuid="77777777-2222-4333-8444-555555555555"))
    there = observed(net, "active", before, owned=mark(desired(net, before, "active")))
    plan = planned(desired(net, after, "active", **update), state=host(there, user), allow=allow)
    restarts = [action for action in plan.actions if action.verb is Verb.RESTART]
    assert [action.blocked is None for action in restarts] == ([allow is Impact.RESTART] if update else [])
    assert told in "".join([*(action.reason for action in restarts), *(resource.note for resource in plan.resources)])


def test_a_volume_is_not_made_smaller_whatever_is_allowed() -> None:
    want = desired(VOLUME, minimal(VOLUME).replace("1048576", "524288"))
    plan = planned(want, state=host(*storage()), allow=Impact.DATA_LOSS)
    assert "never made smaller" in blocked(plan)["resize"]


@pytest.mark.parametrize("kind", ["Domain", "Network", "Pool"])
def test_a_uuid_is_not_changed_whatever_is_allowed(kind: str) -> None:
    id_ = rid(f"{kind}/d")
    state = KINDS[kind].lifecycle.states[1]
    there = observed(id_, state, owned=mark(desired(id_, state=state)))
    want = desired(id_, minimal(id_).replace(UUID, "99999999-2222-4333-8444-555555555555"), state)
    plan = planned(want, state=host(there), allow=Impact.DATA_LOSS)
    assert plan.runnable == ()
    assert "cannot change" in blocked(plan)["define"]


def test_a_refused_change_does_not_slip_in_with_another_one() -> None:
    id_ = rid("Pool/p")
    there = observed(id_, "active", owned=mark(desired(id_, state="active")))
    want = desired(id_, minimal(id_).replace("type='dir'", "type='netfs'").replace("/srv/p", "/srv/q"), "active")
    plan = planned(want, state=host(there), allow=Impact.DATA_LOSS)
    assert plan.runnable == ()
    assert {path for action in plan.blocked for path in action.paths} == {"@type", "target/path"}


def test_a_volume_that_was_lost_is_not_made_anew_without_leave() -> None:
    state = host(observed(rid("Pool/p"), "active"), listed=[mark(desired(VOLUME), uuid="/srv/p/v")])
    plan = planned(desired(VOLUME), state=state)
    assert "--allow data-loss" in blocked(plan)["create"]
    assert [action.verb for action in planned(desired(VOLUME), state=state, allow=Impact.DATA_LOSS).runnable] == [Verb.CREATE]


def test_who_needs_what_is_blocked_is_blocked_too() -> None:
    state = host(observed(rid("Pool/p"), "active"), listed=[mark(desired(VOLUME), uuid="/srv/p/v")])
    disk = "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vda'/></disk>"
    plan = planned(desired(VOLUME), desired(rid("Domain/d"), domain(devices=disk), "running"), state=state)
    assert plan.runnable == ()
    assert {action.verb for action in plan.blocked} == {Verb.CREATE, Verb.DEFINE, Verb.START}
    assert any("needs Volume/p/v" in (action.blocked or "") for action in plan.blocked)


def test_volumes_of_a_pool_that_is_not_active_are_not_taken_for_lost() -> None:
    state = host(observed(rid("Pool/p"), "inactive"), listed=[mark(desired(VOLUME), uuid="/srv/p/v")])
    plan = planned(desired(VOLUME), state=state, allow=Impact.DATA_LOSS, prune=True)
    assert plan.actions == ()
    assert "not active" in plan.resources[0].note
    kept = planned(state=state, prune=True)
    assert kept.actions == ()
    assert "not active" in kept.resources[0].note


def test_a_reference_to_what_is_nowhere_is_an_error_before_anything_is_done() -> None:
    nic = "<interface type='network'><source network='nowhere'/></interface>"
    with pytest.raises(InvalidManifestsError) as caught:
        planned(desired(rid("Domain/d"), domain(devices=nic)), state=host())
    assert "Network/nowhere" in str(caught.value.problems[0])


def test_a_host_that_does_not_answer_is_planned_without_any_action() -> None:
    state = host()
    silent = type(state)(facts=FACTS, error="no answer")
    plan = planned(desired(ResourceId("Domain", "d", FACTS.name)), state=silent, prune=True)
    assert (plan.resources[0].status, plan.actions) == (Status.UNREACHABLE, ())
