"""Plans that would lose or disturb something: each was found by attacking real hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.errors import InvalidManifestsError, UsageError
from reconciler.model.difference import Impact
from reconciler.model.plan import Action, Plan, Status, Verb
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState, Observed
from reconciler.planning import planner
from reconciler.planning.allowance import Policy
from tests.unit.planning.building import (
    CREATED,
    PROJECT,
    UUID,
    desired,
    domain,
    host,
    mark,
    minimal,
    network,
    observed,
    planned,
    rid,
)

LAN, POOL, DOMAIN = rid("Network/lan"), rid("Pool/p"), rid("Domain/d")
VOLUME, COPY = rid("Volume/p/z.raw"), rid("Volume/p/a.raw")
ON_LAN = domain(devices="<interface type='network'><source network='lan'/></interface>", uuid=UUID)


def actions(plan: Plan, id_: ResourceId) -> list[Action]:
    return [action for action in plan.actions if action.resource == id_]


def owned(id_: ResourceId, state: str, xml: str = "", *, persistent: bool = True, protect: bool = False) -> Observed:
    listed = mark(desired(id_, xml, state, protect=protect, persistent=persistent))
    return observed(id_, state, xml, persistent=persistent, owned=replace(listed, uuid=UUID))


def on(path: str) -> str:
    return domain(devices=f"<disk type='file'><source file='{path}'/><target dev='vda'/></disk>")


def over(more: str) -> str:
    return domain(devices=f"<disk type='file'><source file='/x'/>{more}<target dev='vda'/></disk>")


# --- what is copied comes after what it is copied from ---------------------------------------------------------


def test_a_clone_is_made_after_its_source_whatever_their_names_are() -> None:
    plan = planned(desired(COPY, clone={"volume": "z.raw"}), desired(VOLUME), desired(POOL), state=host())
    (source,), (copy,) = actions(plan, VOLUME), actions(plan, COPY)
    assert source.id in copy.needs


def test_a_clone_of_another_pool_waits_for_its_source_there() -> None:
    far = rid("Volume/q/z.raw")
    wanted = [desired(COPY, clone={"volume": "z.raw", "pool": "q"}), desired(far), desired(POOL), desired(rid("Pool/q"))]
    plan = planned(*wanted, state=host())
    assert actions(plan, far)[0].id in actions(plan, COPY)[0].needs


def test_a_clone_of_what_nobody_has_is_an_error_of_the_manifest() -> None:
    with pytest.raises(InvalidManifestsError):
        planned(desired(COPY, clone={"volume": "nobody"}), desired(POOL), state=host(owned(POOL, "active")))


def test_a_clone_that_is_made_needs_its_source_no_more() -> None:
    wish = desired(COPY, clone={"volume": "z.raw"})
    seen = replace(observed(COPY, "present"), mark=mark(wish, uuid="/srv/p/a.raw"))
    plan = planned(wish, desired(POOL), state=host(owned(POOL, "active"), seen))
    assert not actions(plan, COPY)


# --- a transient domain goes when it ends ----------------------------------------------------------------------


def test_the_end_of_a_transient_domain_is_a_deletion_and_comes_before_what_it_uses_goes() -> None:
    state = host(owned(LAN, "active"), owned(DOMAIN, "running", ON_LAN, persistent=False))
    plan = planned(state=state, destroy=True)
    (end,) = actions(plan, DOMAIN)
    assert [r.status for r in plan.resources if r.id == DOMAIN] == [Status.DELETE]
    stop, undefine = actions(plan, LAN)
    assert (stop.verb, stop.blocked, undefine.blocked) == (Verb.STOP, None, None)
    assert end.id in stop.needs


def test_a_protected_transient_domain_is_not_ended() -> None:
    plan = planned(state=host(owned(DOMAIN, "running", persistent=False, protect=True)), destroy=True)
    assert all("protect" in (action.blocked or "") for action in plan.actions)


def test_transient_domains_count_for_the_limit_of_deletions() -> None:
    seen = [owned(rid(f"Domain/d{n}"), "running", persistent=False) for n in range(6)]
    plan = planned(state=host(*seen), prune=True)
    assert plan.actions
    assert all("--allow-mass-delete" in (action.blocked or "") for action in plan.actions)


# --- what is held back goes on using what it uses --------------------------------------------------------------


@pytest.mark.parametrize("persistent", [True, False])
def test_the_network_of_a_protected_domain_stays(persistent: bool) -> None:
    state = host(owned(LAN, "active"), owned(DOMAIN, "running", ON_LAN, persistent=persistent, protect=True))
    plan = planned(state=state, destroy=True)
    assert {action.resource for action in plan.blocked} == {LAN, DOMAIN}
    assert not plan.runnable


# --- other spellings of a path, other places in a definition ---------------------------------------------------


@pytest.mark.parametrize(
    "xml",
    [
        on("/srv/p//z.raw"),
        on("//srv/p/z.raw"),
        on("/srv/p/../p/./z.raw"),
        domain(devices="<memory model='nvdimm'><source><path>/srv/p/z.raw</path></source></memory>"),
        over("<mirror><source file='/srv/p/z.raw'/></mirror>"),
        over("<backingStore><source dev='/srv/p/z.raw'/></backingStore>"),
        over("<backingStore><source pool='p' volume='z.raw'/></backingStore>"),
    ],
)
def test_a_volume_that_a_foreign_domain_uses_is_never_deleted_however_it_is_named(xml: str) -> None:
    listed = mark(desired(VOLUME, onDelete="delete"), uuid="/srv/p/z.raw")
    state = host(
        owned(POOL, "active"), observed(VOLUME, "present", owned=listed), observed(rid("Domain/foreign"), "stopped", xml)
    )
    assert all("in use by Domain/foreign" in (a.blocked or "") for a in planned(state=state, destroy=True).actions)


# --- names that changed ----------------------------------------------------------------------------------------


def renamed() -> HostState:
    was = mark(desired(DOMAIN))
    seen = observed(rid("Domain/other"), "stopped", minimal(rid("Domain/other")), owned=was)
    return host(seen, listed=[was])


@pytest.mark.parametrize("prune", [False, True])
def test_a_domain_that_was_renamed_on_the_host_is_neither_made_again_nor_pruned(prune: bool) -> None:
    plan = planned(desired(DOMAIN), state=renamed(), prune=prune)
    assert not plan.runnable
    assert "renamed to other" in (plan.blocked[0].blocked or "")


def test_a_domain_renamed_on_the_host_and_in_the_manifest_leaves_no_entry_behind() -> None:
    new = rid("Domain/other")
    plan = planned(desired(new, minimal(new)), state=renamed())
    assert [action.verb for action in actions(plan, DOMAIN)] == [Verb.FORGET]


def test_a_renamed_domain_is_still_destroyed_with_its_project() -> None:
    plan = planned(desired(DOMAIN), state=renamed(), destroy=True)
    assert [action.verb for action in actions(plan, rid("Domain/other"))] == [Verb.UNDEFINE]
    assert [action.verb for action in actions(plan, DOMAIN)] == [Verb.FORGET]


def test_what_another_project_took_over_is_only_forgotten() -> None:
    listed = mark(desired(DOMAIN))
    state = host(observed(DOMAIN, "stopped"), listed=[listed], foreign={DOMAIN: "other"})
    assert [action.verb for action in planned(state=state, destroy=True).actions] == [Verb.FORGET]


NEW = rid("Domain/new")


def named_anew(state: HostState, *, prune: bool = False) -> Plan:
    """The manifest's domain has another name now, and the UUID that the old one has."""
    return planned(desired(NEW, minimal(NEW), "running"), state=state, prune=prune)


def test_a_uuid_that_our_unpruned_domain_has_blocks_the_new_name_before_anything_is_touched() -> None:
    plan = named_anew(host(owned(DOMAIN, "running")))
    assert not plan.runnable
    said = f"Domain/{DOMAIN.name} has its UUID {UUID}: --prune removes that one first, or give this one its name back"
    assert actions(plan, NEW)[0].blocked == said


def test_with_prune_the_new_name_comes_when_the_old_one_is_gone() -> None:
    plan = named_anew(host(owned(DOMAIN, "stopped")), prune=True)
    (last,) = (action.id for action in actions(plan, DOMAIN))
    first, *_ = actions(plan, NEW)
    assert plan.blocked == ()
    assert last in first.needs


def test_a_new_name_whose_old_one_may_not_go_is_blocked_too() -> None:
    plan = named_anew(host(owned(DOMAIN, "stopped", protect=True)), prune=True)
    assert not plan.runnable
    assert f"Domain/{DOMAIN.name} has its UUID {UUID}, and its removal is blocked" in (actions(plan, NEW)[0].blocked or "")


@pytest.mark.parametrize(
    "foreign, said",
    [
        ({DOMAIN: "other"}, "of the project other has its UUID"),
        ({}, "which nobody owns, has its UUID"),
    ],
)
def test_a_uuid_that_a_foreign_domain_has_is_told_with_whose_it_is(foreign: dict[ResourceId, str], said: str) -> None:
    plan = named_anew(host(observed(DOMAIN, "stopped"), foreign=foreign), prune=True)
    assert not plan.runnable
    assert said in (actions(plan, NEW)[0].blocked or "")


def test_a_uuid_that_is_written_otherwise_is_the_same_one() -> None:
    xml = minimal(NEW).replace(UUID, UUID.replace("-", "").upper())
    assert not planned(desired(NEW, xml), state=host(owned(DOMAIN, "stopped"))).runnable


def test_what_an_apply_never_finished_making_is_not_said_to_have_another_name() -> None:
    never = mark(desired(NEW, minimal(NEW)), pending=True)
    plan = planned(desired(DOMAIN), state=host(owned(DOMAIN, "stopped"), listed=[never]))
    assert [action.reason for action in actions(plan, NEW)] == ["no apply finished making it, and it is not there"]


# --- what a plan is about --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [Policy(prune=True), Policy(destroy=True), Policy()])
def test_a_target_that_selects_nothing_is_refused(how: Policy) -> None:
    state = host(owned(LAN, "active"))
    with pytest.raises(UsageError, match="Domain/nope"):
        planner.plan(PROJECT, [desired(DOMAIN)], [state], replace(how, targets=frozenset({"Domain/nope"})), CREATED, {})


@pytest.mark.parametrize("target", ["Network/lan", "Domain/d"])
def test_a_target_may_be_declared_or_owned(target: str) -> None:
    planned(desired(DOMAIN), state=host(owned(LAN, "active")), targets=frozenset({target}), destroy=True)


def test_a_host_that_is_declared_twice_is_refused() -> None:
    one = host(observed(LAN, "active", network(uuid=UUID)), uuid="host", uri="qemu:///system")
    two = replace(one, facts=replace(one.facts, name="two", uri="qemu+ssh://localhost/system"))
    with pytest.raises(UsageError, match="one and the same"):
        planner.plan(PROJECT, [], [one, two], Policy(), CREATED, {})
    session = replace(two, facts=replace(two.facts, uri="qemu:///session"))
    planner.plan(PROJECT, [], [one, session], Policy(), CREATED, {})


# --- a domain of which only one side says that it is ours ------------------------------------------------------


def test_a_domain_that_is_marked_on_one_side_only_is_written_down_anew() -> None:
    wish = desired(DOMAIN)
    seen = replace(observed(DOMAIN, "stopped", owned=mark(wish)), details={"half_marked": "no mark"})
    assert [action.verb for action in planned(wish, state=host(seen)).actions] == [Verb.RECORD]


# --- a file of the same name that is not the one that was made --------------------------------------------------


def qcow2(capacity: int = 1 << 20, form: str = "qcow2") -> str:
    return (
        f"<volume><name>z.raw</name><capacity unit='bytes'>{capacity}</capacity><target><format type='{form}'/></target></volume>"
    )


@pytest.mark.parametrize("how", ["destroy", "prune", "absent", "resize"])
def test_a_file_of_another_format_under_an_owned_name_is_not_touched(how: str) -> None:
    listed = mark(desired(VOLUME, qcow2(), onDelete="delete"), uuid="/srv/p/z.raw")
    state = host(owned(POOL, "active"), observed(VOLUME, "present", qcow2(4096, "raw"), owned=listed))
    wanted = [desired(VOLUME, qcow2(), state="absent" if how == "absent" else "", onDelete="delete")]
    plan = planned(*(wanted if how in {"absent", "resize"} else ()), state=state, prune=how == "prune", destroy=how == "destroy")
    assert actions(plan, VOLUME)
    assert all(action.blocked for action in actions(plan, VOLUME))


@pytest.mark.parametrize("how", ["destroy", "prune"])
def test_the_file_that_was_made_goes_whatever_it_has_grown_to(how: str) -> None:
    listed = mark(desired(VOLUME, qcow2(), onDelete="delete"), uuid="/srv/p/z.raw")
    state = host(owned(POOL, "active"), observed(VOLUME, "present", qcow2(1 << 30), owned=listed))
    (delete,) = actions(planned(state=state, prune=how == "prune", destroy=how == "destroy"), VOLUME)
    assert (delete.verb, delete.blocked) == (Verb.DELETE, None)


# --- leaving as a transient domain -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state, persistent, verbs",
    [
        ("stopped", True, [Verb.UNDEFINE]),
        ("running", True, [Verb.SHUTDOWN, Verb.UNDEFINE]),
        ("running", False, [Verb.SHUTDOWN]),
    ],
)
@pytest.mark.parametrize("wished", [True, False])
def test_a_domain_goes_as_it_is_whatever_the_manifest_says_of_persistence(
    state: str, persistent: bool, verbs: list[Verb], wished: bool
) -> None:
    wish = desired(DOMAIN, state="undefined", persistent=wished)
    plan = planned(wish, state=host(owned(DOMAIN, state, persistent=persistent)))
    assert [action.verb for action in plan.actions] == verbs


def test_a_pool_is_not_restarted_under_a_running_guest() -> None:
    wish = desired(
        POOL, "<pool type='dir'><name>p</name><target><path>/srv/new</path></target></pool>", update={"restart": "allowed"}
    )
    user = observed(rid("Domain/foreign"), "running", on("/srv/p/z.raw"))
    volume = observed(VOLUME, "present")
    plan = planned(wish, state=host(owned(POOL, "active"), volume, user), allow=Impact.RESTART)
    assert [a.verb for a in plan.runnable] == [Verb.DEFINE]
    assert any("in use by Domain/foreign" in (a.blocked or "") for a in plan.blocked)


# --- an apply that failed half-way -----------------------------------------------------------------------------


def test_what_a_failed_apply_defined_and_the_manifest_no_more_has_is_taken_back() -> None:
    bad = domain("<cpu mode='custom'><model>nosuchcpu</model></cpu>", uuid=UUID)
    was = mark(desired(DOMAIN, bad, "running"), pending=True, digest="", state="")
    plan = planned(desired(DOMAIN, domain(uuid=UUID), "running"), state=host(observed(DOMAIN, "stopped", bad, owned=was)))
    assert [action.verb for action in plan.actions] == [Verb.DEFINE, Verb.START]
