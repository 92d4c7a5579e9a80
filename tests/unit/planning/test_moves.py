"""Domains that are declared on one host and are on another: planned over two and three hosts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.difference import Impact
from reconciler.model.plan import Action, Plan, Status, Verb
from reconciler.model.state import Desired, HostFacts, HostState, Mark, Observed
from reconciler.planning import planner
from reconciler.planning.allowance import Policy
from tests.unit.planning.building import CREATED, PROJECT, UUID, desired, domain, host, mark, minimal, observed, rid

XML = minimal(rid("Domain/d"))
HERE, THERE, THIRD = (rid("Domain/d", name) for name in ("a", "b", "c"))


def want(state: str = "running", **more: Any) -> Desired:
    """Declared on b."""
    return desired(THERE, XML, state, **more)


def has(id_: Any, state: str = "running", *, owned: bool = True, reason: str = "", **more: Any) -> Observed:
    """A domain of ours on some host, as it was applied there."""
    known = mark(replace(want(), id=id_)) if owned else None
    details = {"reason": reason} if reason else {}
    return replace(observed(id_, state, XML, owned=known, **more), details=details)


def node(name: str, *seen: Observed, listed: Iterable[Mark] = (), **facts: Any) -> HostState:
    return host(*seen, listed=listed, name=name, uuid=f"uuid of {name}", uri=f"qemu+ssh://{name}/system", **facts)


def silent(name: str) -> HostState:
    return HostState(HostFacts(name, f"qemu+tls://{name}/system"), error="no route to host")


def plan(*states: HostState, wanted: Iterable[Desired] | None = None, **policy: Any) -> Plan:
    return planner.plan(PROJECT, tuple(wanted or [want()]), states, Policy(**policy), CREATED, {})


def told(made: Plan) -> list[tuple[str, str, str, bool]]:
    return [(a.verb.value, a.resource.host, a.source, a.blocked is not None) for a in made.actions]


def only(made: Plan) -> Action:
    (action,) = made.actions
    return action


def test_a_domain_that_is_elsewhere_moves_and_is_not_made_again() -> None:
    made = plan(node("a", has(HERE)), node("b"))
    assert told(made) == [("migrate", "b", "a", False)]
    assert only(made).impact.label == "live"
    assert only(made).reason == "declared on b, and it is on a"
    (resource,) = made.resources
    assert (resource.id, resource.status, resource.uuid) == (THERE, Status.UPDATE, UUID)


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_pruning_does_not_touch_what_moves(state: str) -> None:
    want_ = want(state)
    made = plan(node("a", has(HERE, state)), node("b"), wanted=[want_], prune=True)
    assert told(made) == [("migrate", "b", "a", False)]


def test_a_stopped_domain_moves_without_an_impact_and_is_started_there() -> None:
    made = plan(node("a", has(HERE, "stopped")), node("b"))
    assert told(made) == [("migrate", "b", "a", False), ("start", "b", "", False)]
    assert made.actions[0].impact.label == "none"
    assert made.actions[1].needs == ("1",)


def test_what_the_manifest_changed_as_well_is_done_after_the_move() -> None:
    other = replace(want(), xml=XML.replace("65536", "32768"), digest="other")
    made = plan(node("a", has(HERE)), node("b"), wanted=[other])
    assert [a.verb for a in made.actions][:2] == [Verb.MIGRATE, Verb.DEFINE]
    assert "1" in made.actions[1].needs


def test_what_it_needs_there_is_made_before_it_moves() -> None:
    lan = rid("Network/lan", "b")
    on_lan = domain(devices="<interface type='network'><source network='lan'/></interface>", uuid=UUID)
    made = plan(node("a", has(HERE)), node("b"), wanted=[replace(want(), xml=on_lan), desired(lan, state="active")])
    (moving,) = (a for a in made.actions if a.verb is Verb.MIGRATE)
    before = [a for a in made.actions if a.resource == lan]
    assert before[-1].id in moving.needs


def test_a_ceiling_below_live_holds_the_move_back_and_all_that_builds_on_it() -> None:
    other = replace(want(), xml=XML.replace("65536", "32768"), digest="other")
    made = plan(node("a", has(HERE)), node("b"), wanted=[other], allow=Impact.NONE)
    assert all(action.blocked for action in made.actions)


@pytest.mark.parametrize("host_name", ["a", "b"])
def test_a_read_only_connection_to_either_host_holds_it_back(host_name: str) -> None:
    made = plan(node("a", has(HERE), read_only=host_name == "a"), node("b", read_only=host_name == "b"))
    assert "read-only" in (only(made).blocked or "")


def test_a_definition_that_is_left_where_it_came_from_is_taken_off() -> None:
    made = plan(node("a", has(HERE, "stopped")), node("b", has(THERE)))
    assert told(made) == [("undefine", "a", "", False)]
    assert "it is on b now" in only(made).reason


def test_no_data_go_with_a_definition_that_is_left() -> None:
    greedy = {"onDelete": {"domain": "undefine", "volumes": "wipe"}}
    left = has(HERE, "stopped")
    assert left.mark is not None
    left = replace(left, mark=replace(left.mark, options=greedy))
    made = plan(node("a", left), node("b", has(THERE)), prune=True)
    assert told(made) == [("undefine", "a", "", False)]
    (resource,) = (r for r in made.resources if r.id == HERE)
    assert resource.options["onDelete"]["volumes"] == "retain"


def test_a_saved_state_that_is_left_is_not_thrown_away() -> None:
    left = replace(has(HERE, "saved"), details={"managed_save": True})
    assert "saved state" in (only(plan(node("a", left), node("b", has(THERE)))).blocked or "")


def test_an_entry_that_is_left_in_an_inventory_is_forgotten() -> None:
    entry = replace(mark(replace(want(), id=HERE)), uuid=UUID)
    assert told(plan(node("a", listed=[entry]), node("b", has(THERE)))) == [("forget", "a", "", False)]
    pending = replace(mark(want()), uuid=UUID, pending=True)
    declared_here = replace(want(), id=HERE)
    back = plan(node("a", has(HERE)), node("b", listed=[pending]), wanted=[declared_here])
    assert told(back) == [("forget", "b", "", False)]


def test_a_guest_that_runs_twice_is_told_and_touched_by_nobody() -> None:
    made = plan(node("a", has(HERE)), node("b", has(THERE)), prune=True)
    assert all(action.blocked for action in made.actions)
    assert "it is active on" in (only(made).blocked or "")
    (resource,) = made.resources
    assert resource.status is Status.BLOCKED


def test_a_guest_that_runs_on_two_other_hosts_is_not_moved() -> None:
    made = plan(node("a", has(HERE)), node("b"), node("c", has(THIRD)))
    assert all(action.blocked for action in made.actions)


def test_what_is_left_of_an_interrupted_move_is_ended() -> None:
    arriving = has(THERE, "paused", persistent=False, reason="migration")
    assert told(plan(node("a", has(HERE)), node("b", arriving)))[0] == ("migrate", "b", "a", False)
    held_back = has(HERE, "paused", reason="migration")
    assert told(plan(node("a", held_back), node("b", has(THERE)))) == [("migrate", "b", "a", False)]


def test_a_domain_is_never_made_while_a_host_that_may_have_it_does_not_answer() -> None:
    made = plan(silent("a"), node("b"), prune=True)
    assert made.actions
    assert all("a does not answer, and may have it" in (action.blocked or "") for action in made.actions)


def test_a_domain_that_a_host_had_is_made_again_there_whoever_does_not_answer() -> None:
    made = plan(silent("a"), node("b", listed=[mark(want())]))
    assert not any(action.blocked for action in made.actions)


def test_what_is_declared_on_a_host_that_does_not_answer_stays_where_it_is() -> None:
    made = plan(node("a", has(HERE)), silent("b"), prune=True)
    assert made.actions == ()


def test_a_name_that_somebody_else_has_at_the_destination_is_not_taken() -> None:
    stranger = replace(has(THERE, owned=False), uuid="22222222-2222-4333-8444-555555555555")
    made = plan(node("a", has(HERE)), node("b", stranger), adopt=True, prune=True)
    assert made.actions
    assert all(action.blocked for action in made.actions)


@pytest.mark.parametrize(
    "details, says",
    [({"managed_save": True}, "saved state"), ({"snapshots": ("one",)}, "snapshots")],
)
def test_what_libvirt_does_not_take_along_is_said_before(details: dict[str, Any], says: str) -> None:
    seen = replace(has(HERE, "stopped"), details=details)
    made = plan(node("a", seen), node("b"), wanted=[want("stopped")])
    assert says in (made.actions[0].blocked or "")


def test_a_domain_of_another_uuid_is_another_domain() -> None:
    stranger = replace(has(HERE), uuid="22222222-2222-4333-8444-555555555555")
    made = plan(node("a", stranger), node("b"))
    assert {(a.verb, a.resource) for a in made.actions} == {(Verb.DEFINE, THERE), (Verb.START, THERE)}


def test_two_domains_of_one_name_on_two_hosts_stay_two() -> None:
    made = plan(node("a", has(HERE)), node("b"), wanted=[want(), replace(want(), id=HERE)])
    assert Verb.MIGRATE not in {action.verb for action in made.actions}


def test_destroy_removes_it_where_it_is() -> None:
    made = plan(node("a", has(HERE)), node("b"), destroy=True)
    assert {(a.resource.host, a.blocked) for a in made.actions} == {("a", None)}


def test_targets_leave_the_others_where_they_are() -> None:
    other = desired(rid("Network/n", "b"), state="active")
    made = plan(node("a", has(HERE)), node("b"), wanted=[want(), other], targets=frozenset({"Network/n"}), prune=True)
    assert {action.resource.kind for action in made.actions} == {"Network"}


# --- volumes that go along -------------------------------------------------------------------------------------

DISK_PATH = "/srv/p/d.img"
ON_DISK = minimal(rid("Domain/d")).replace(
    "<devices/>",
    f"<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{DISK_PATH}'/>"
    "<target dev='vda' bus='virtio'/></disk></devices>",
)


def disk(host_name: str, *, owned: bool = True, **options: Any) -> Observed:
    id_ = rid("Volume/p/d.img", host_name)
    known = replace(mark(desired(id_, **options)), uuid=DISK_PATH) if owned else None
    return observed(id_, "present", owned=known)


def pool(host_name: str) -> Observed:
    id_ = rid("Pool/p", host_name)
    return observed(id_, "active", owned=mark(desired(id_)))


def with_disk(there: Iterable[Observed] = (), onto: Iterable[Desired] | None = None, **policy: Any) -> Plan:
    """The guest and its disk were on a, and are declared on b."""
    declared = replace(want(), xml=ON_DISK)
    on_a = replace(has(HERE), persistent=ON_DISK, live=ON_DISK, mark=mark(replace(declared, id=HERE)))
    wanted = [declared, desired(rid("Pool/p", "b")), desired(rid("Pool/p", "a"))]
    wanted += [desired(rid("Volume/p/d.img", "b"))] if onto is None else list(onto)
    states = node("a", on_a, pool("a"), disk("a", onDelete="delete")), node("b", pool("b"), *there)
    future = {("b", DISK_PATH): rid("Volume/p/d.img", "b")}
    return planner.plan(PROJECT, tuple(wanted), states, Policy(**policy), CREATED, future)


@pytest.mark.parametrize("there", [(), (disk("b", owned=False),)], ids=["copied", "seen by both"])
def test_a_volume_comes_along_and_is_neither_made_empty_nor_deleted(there: tuple[Observed, ...]) -> None:
    made = with_disk(there, prune=True)
    assert told(made) == [("migrate", "b", "a", False), ("adopt", "b", "", False), ("forget", "a", "", False)]
    assert made.actions[1].needs == ("1",)
    assert "1" in made.actions[2].needs


def test_a_volume_stays_as_it_is_where_its_guest_cannot_move() -> None:
    assert all(action.blocked for action in with_disk(allow=Impact.NONE, prune=True).actions)


def test_a_volume_that_is_not_declared_at_the_destination_is_still_not_deleted_while_its_guest_is_there() -> None:
    made = with_disk((disk("b", owned=False),), onto=(), prune=True)
    (gone,) = (action for action in made.actions if action.verb is Verb.DELETE)
    assert gone.blocked


def test_a_file_that_a_guest_on_another_host_may_use_is_not_deleted() -> None:
    declared = replace(want(), xml=ON_DISK)
    on_b = replace(has(THERE), persistent=ON_DISK, live=ON_DISK, mark=mark(declared))
    wanted = [declared, desired(rid("Pool/p", "a")), desired(rid("Pool/p", "b"))]
    states = node("a", pool("a"), disk("a", onDelete="delete")), node("b", pool("b"), on_b, disk("b", owned=False))
    made = planner.plan(PROJECT, wanted, states, Policy(prune=True), CREATED, {})
    (gone,) = (action for action in made.actions if action.verb is Verb.DELETE)
    assert "Domain/d on b uses a file of this path" in (gone.blocked or "")
