"""One resource: what is done for each wanted state, each state that it is in, and each thing that is known of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from reconciler.kinds import KINDS
from reconciler.model.difference import Cause, Impact
from reconciler.model.plan import Plan, Status, Verb
from reconciler.model.state import Mark
from reconciler.xmltree.mark import digest
from tests.unit.planning.building import PROJECT, UUID, desired, domain, host, mark, minimal, observed, planned, rid

NAMES = {"Domain": "Domain/d", "Network": "Network/n", "Pool": "Pool/p", "Volume": "Volume/p/v"}
LOSS = {Verb.DELETE, Verb.DISCARD_SAVED}
KNOWN = ("ours", "nobody", "pending", "another")
TABLE = [
    (kind, wanted, there, known)
    for kind in KINDS
    for wanted, there in itertools.product(KINDS[kind].lifecycle.states, repeat=2)
    for known in KNOWN
]


def surroundings(kind: str) -> list[Any]:
    return [observed(rid("Pool/p"), "active")] if kind == "Volume" else []


def known_mark(kind: str, known: str, wanted: str) -> Mark | None:
    id_ = rid(NAMES[kind])
    uuid = observed(id_, KINDS[kind].lifecycle.states[1]).uuid
    full = mark(desired(id_, state=wanted), uuid=uuid)
    found: dict[str, Mark | None] = {
        "ours": full,
        "nobody": None,
        "pending": Mark(PROJECT.name, id_, uuid, pending=True),
        "another": replace(full, uuid="another"),
    }
    return found[known]


def of(kind: str, wanted: str, there: str, known: str, **policy: Any) -> Plan:
    """The plan for a resource that is wanted in one state, is in another, and of which something is known."""
    id_ = rid(NAMES[kind])
    found = known_mark(kind, known, wanted)
    absent = KINDS[kind].lifecycle.absent
    seen = [] if there == absent else [observed(id_, there, owned=found if known in {"ours", "pending"} else None)]
    return planned(
        desired(id_, state=wanted), state=host(*surroundings(kind), *seen, listed=[found] if found is not None else []), **policy
    )


@pytest.mark.parametrize("kind, wanted, there, known", TABLE)
def test_the_way_leads_from_what_is_there_to_what_is_wanted(kind: str, wanted: str, there: str, known: str) -> None:
    lifecycle = KINDS[kind].lifecycle
    plan = of(kind, wanted, there, known, allow=Impact.DATA_LOSS)
    (found,) = (r for r in plan.resources if r.id == rid(NAMES[kind]))
    if there != lifecycle.absent and known in {"nobody", "another"}:
        assert plan.runnable == ()
        assert found.status is Status.NOT_OURS
        return
    state = there
    for action in plan.runnable:
        step = next(
            (s for s in lifecycle.transitions if s.verb is action.verb and s.source == state and s.only != "transient"), None
        )
        state = state if step is None else step.target
    assert state == wanted
    if wanted == there and known == "ours":
        assert plan.actions in ((), tuple(a for a in plan.actions if a.verb is Verb.FORGET))
    if found.status is Status.IN_SYNC:
        assert plan.actions == ()


@pytest.mark.parametrize("kind, wanted, there, known", TABLE)
def test_without_leave_nothing_is_lost(kind: str, wanted: str, there: str, known: str) -> None:
    plan = of(kind, wanted, there, known)
    for action in plan.runnable:
        assert action.impact <= Impact.LIVE or action.consented
        assert action.verb not in LOSS


@pytest.mark.parametrize("kind, wanted, there, known", TABLE)
def test_every_action_has_a_reason_and_a_place(kind: str, wanted: str, there: str, known: str) -> None:
    plan = of(kind, wanted, there, known)
    names = [action.id for action in plan.actions]
    assert names == [str(number) for number in range(1, len(names) + 1)]
    for action in plan.actions:
        assert action.reason
        assert all(int(other) < int(action.id) for other in action.needs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("there", ["first", "second"])
def test_what_no_manifest_names_is_removed_by_prune_if_it_is_ours(kind: str, there: str) -> None:
    id_ = rid(NAMES[kind])
    state = KINDS[kind].lifecycle.states[1 if there == "first" else -1]
    ours = observed(id_, state, owned=mark(desired(id_, state=state, onDelete="delete"), uuid=observed(id_, state).uuid))
    plan = planned(state=host(*surroundings(kind), ours), prune=True, allow=Impact.DATA_LOSS)
    lifecycle = KINDS[kind].lifecycle
    assert next(s.target for s in lifecycle.transitions if s.verb is plan.runnable[-1].verb) == lifecycle.absent
    foreign = planned(state=host(*surroundings(kind), replace(ours, mark=None)), prune=True)
    assert foreign.actions == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_gone_and_not_wanted_is_forgotten(kind: str) -> None:
    id_ = rid(NAMES[kind])
    plan = planned(state=host(*surroundings(kind), listed=[mark(desired(id_))]), prune=True)
    assert [action.verb for action in plan.runnable] == [Verb.FORGET]


# --- what is not a state ----------------------------------------------------------------------------------------

ID = rid("Domain/d")


def decided(want: Any, there: Any, **policy: Any) -> tuple[list[Verb], dict[str, Cause], Status]:
    plan = planned(want, state=host(there), **policy)
    (found,) = plan.resources
    return [action.verb for action in plan.runnable], {d.path: d.cause for d in found.differences}, found.status


def test_what_is_as_it_should_be_is_in_sync() -> None:
    want = desired(ID, state="running")
    assert decided(want, observed(ID, "running", owned=mark(want))) == ([], {}, Status.IN_SYNC)


def test_the_fast_path_looks_at_nothing_and_a_moved_definition_ends_it() -> None:
    want = desired(ID, "<broken", "running")
    known = mark(want, readback=digest(minimal(ID)), live=digest(minimal(ID)))
    assert decided(want, observed(ID, "running", owned=known)) == ([], {}, Status.IN_SYNC)
    right = desired(ID, state="running")
    known = replace(known, xml=right.xml, digest=right.digest)
    moved = minimal(ID).replace("65536", "99999")
    verbs, causes, _ = decided(right, observed(ID, "running", moved, owned=known))
    assert (verbs, causes) == ([Verb.DEFINE], {"memory": Cause.DRIFT})


def test_autostart_is_compared_only_where_it_is_declared() -> None:
    there = observed(ID, "stopped", owned=mark(desired(ID)), autostart=True)
    assert decided(desired(ID), there) == ([], {}, Status.IN_SYNC)
    verbs, causes, _ = decided(desired(ID, autostart=False), there)
    assert (verbs, causes) == ([Verb.AUTOSTART], {"autostart": Cause.MANIFEST})
    want = desired(ID, autostart=False)
    assert decided(want, replace(there, mark=mark(want)))[1] == {"autostart": Cause.DRIFT}


def test_a_stopped_guest_that_should_run_was_stopped_by_somebody() -> None:
    want = desired(ID, state="running")
    verbs, causes, _ = decided(want, observed(ID, "stopped", owned=mark(want)))
    assert (verbs, causes) == ([Verb.START], {"state": Cause.DRIFT})


def test_a_definition_that_is_gone_under_a_running_guest_is_made_again() -> None:
    want = desired(ID, state="running")
    verbs, causes, _ = decided(want, observed(ID, "running", persistent=False, owned=mark(want)))
    assert Verb.DEFINE in verbs
    assert Verb.SHUTDOWN not in verbs
    assert causes == {"persistent": Cause.DRIFT}


def test_a_transient_domain_is_created_and_ends_without_a_definition() -> None:
    want = desired(ID, state="running", persistent=False)
    assert [a.verb for a in planned(want, state=host()).runnable] == [Verb.CREATE]
    assert decided(want, observed(ID, "running", persistent=False, owned=mark(want)))[0] == []
    gone = desired(ID, state="undefined", persistent=False)
    assert decided(gone, observed(ID, "running", persistent=False, owned=mark(want)))[0] == [Verb.SHUTDOWN]


def test_a_transient_domain_cannot_be_stopped_and_the_plan_says_so() -> None:
    want = desired(ID, state="stopped", persistent=False)
    plan = planned(want, state=host())
    assert plan.runnable == ()
    assert "transient" in (plan.blocked[0].blocked or "")


def test_a_transient_domain_is_not_told_to_start_by_itself() -> None:
    want = desired(ID, state="running", persistent=False, autostart=True)
    assert [a.verb for a in planned(want, state=host()).runnable] == [Verb.CREATE]


def test_a_definition_that_changes_while_the_guest_runs_leaves_it_running() -> None:
    before = desired(ID, minimal(ID), "running")
    want = desired(ID, minimal(ID).replace("65536", "131072"), "running")
    verbs, causes, _ = decided(want, observed(ID, "running", owned=mark(before)))
    assert (verbs, causes) == ([Verb.DEFINE], {"memory": Cause.MANIFEST})


@pytest.mark.parametrize(
    "update, allow, verbs",
    [
        ("never", Impact.DATA_LOSS, [Verb.DEFINE]),
        ("allowed", Impact.LIVE, [Verb.DEFINE]),
        ("allowed", Impact.RESTART, [Verb.DEFINE, Verb.RESTART]),
    ],
)
def test_a_restart_needs_the_manifest_and_the_ceiling(update: str, allow: Impact, verbs: list[Verb]) -> None:
    before = desired(ID, state="running", update={"restart": update})
    want = desired(ID, minimal(ID).replace("65536", "131072"), "running", update={"restart": update})
    assert decided(want, observed(ID, "running", owned=mark(before)), allow=allow)[0] == verbs


def test_a_restart_on_request_happens_for_a_new_value_only() -> None:
    first, second = (desired(ID, state="running", restartedAt=value) for value in ("one", "two"))
    there = observed(ID, "running", owned=mark(first))
    assert decided(first, there)[0] == []
    assert decided(second, there)[0] == [Verb.RESTART]


def test_a_policy_that_changed_is_only_written_down() -> None:
    want = desired(ID, shutdown={"timeout": "5s", "force": True})
    verbs, causes, status = decided(
        want, observed(ID, "stopped", owned=mark(desired(ID, shutdown={"timeout": "9s", "force": True})))
    )
    assert (verbs, causes, status) == ([Verb.RECORD], {"options/shutdown/timeout": Cause.MANIFEST}, Status.UPDATE)
    assert decided(desired(ID, protect=True), observed(ID, "stopped", owned=mark(desired(ID))))[0] == [Verb.RECORD]


def test_a_domain_to_be_undefined_is_not_redefined_first() -> None:
    want = desired(ID, minimal(ID).replace("65536", "131072"), "undefined")
    assert decided(want, observed(ID, "running", owned=mark(desired(ID, state="running"))))[0] == [Verb.SHUTDOWN, Verb.UNDEFINE]


def test_a_title_goes_to_the_running_guest_and_other_paths_wait() -> None:
    before = desired(ID, domain(uuid=observed(ID, "stopped").uuid, machine="pc-i440fx-7.2"), "running")
    want = desired(ID, before.xml.replace("<memory>65536", "<title>t</title><memory>131072"), "running")
    plan = planned(want, state=host(observed(ID, "running", before.xml, owned=mark(before))))
    assert {action.verb: action.paths for action in plan.runnable} == {Verb.DEFINE: ("memory", "title"), Verb.UPDATE: ("title",)}
    assert "next start" in plan.resources[0].note


TITLED = domain(uuid=UUID, machine="pc-i440fx-7.2").replace("<memory>65536", "<title>t</title><memory>131072")


@pytest.mark.parametrize(
    "allow, changed, actions",
    [
        (Impact.RESTART, TITLED, {Verb.DEFINE: ("memory", "title"), Verb.RESTART: ("memory", "title")}),
        (Impact.LIVE, TITLED, {Verb.DEFINE: ("memory", "title"), Verb.UPDATE: ("title",)}),
        (Impact.RESTART, TITLED.replace("131072", "65536"), {Verb.DEFINE: ("title",), Verb.UPDATE: ("title",)}),
    ],
)
def test_what_a_restart_brings_is_not_brought_into_the_running_guest_before(
    allow: Impact, changed: str, actions: dict[Verb, tuple[str, ...]]
) -> None:
    before = desired(ID, domain(uuid=UUID, machine="pc-i440fx-7.2"), "running", update={"restart": "allowed"})
    want = desired(ID, changed, "running", update={"restart": "allowed"})
    plan = planned(want, state=host(observed(ID, "running", before.xml, owned=mark(before))), allow=allow)
    assert {action.verb: action.paths for action in plan.runnable} == actions


def test_where_the_definition_is_blocked_a_restart_brings_nothing_and_the_running_guest_is_changed() -> None:
    before = desired(ID, domain(uuid=UUID, machine="pc-i440fx-7.2"), "running", restartedAt="one")
    other = desired(ID, TITLED.replace(UUID, UUID.replace("1", "2")), "running", restartedAt="two")
    plan = planned(other, state=host(observed(ID, "running", before.xml, owned=mark(before))))
    assert [a.verb for a in plan.runnable] == [Verb.UPDATE, Verb.RESTART]


def test_a_waiting_restart_is_a_status_and_no_action() -> None:
    want = desired(ID, state="running")
    there = replace(observed(ID, "running", owned=mark(want)), live=minimal(ID).replace("65536", "131072"))
    assert decided(want, there) == ([], {"memory": Cause.PENDING_RESTART}, Status.PENDING_RESTART)


def test_a_volume_grows_in_place() -> None:
    id_ = rid("Volume/p/v")
    want = desired(id_, minimal(id_).replace("1048576", "2097152"))
    state = host(observed(rid("Pool/p"), "active"), observed(id_, "present", owned=mark(desired(id_), uuid="/srv/p/v")))
    assert [(a.verb, a.impact) for a in planned(want, state=state).runnable] == [(Verb.RESIZE, Impact.NONE)]


def test_what_is_needed_is_made_first_and_what_is_used_goes_last() -> None:
    nic = "<interface type='network'><source network='n'/></interface>"
    disk = "<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>"
    wanted = [desired(rid(name)) for name in ("Network/n", "Pool/p", "Volume/p/v")]
    wanted.append(desired(ID, domain(devices=disk + nic), "running"))
    plan = planned(*reversed(wanted), state=host())
    order = [(a.verb.value, str(a.resource)) for a in plan.runnable]
    assert order.index(("start", "Pool/p")) < order.index(("create", "Volume/p/v")) < order.index(("define", "Domain/d"))
    assert order.index(("start", "Network/n")) < order.index(("define", "Domain/d"))
    assert plan == planned(*wanted, state=host())


def test_targets_take_along_what_they_need_and_nothing_else() -> None:
    disk = "<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>"
    wanted = [desired(rid(name)) for name in ("Network/n", "Pool/p", "Volume/p/v")] + [desired(ID, domain(devices=disk))]
    plan = planned(*wanted, state=host(), targets=frozenset({"Domain/d"}))
    assert {str(a.resource) for a in plan.actions} == {"Pool/p", "Volume/p/v", "Domain/d"}
