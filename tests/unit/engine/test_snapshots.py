"""The small plans of `vireo snapshot`: what they are about, what they refuse, and that they do only what was agreed to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from reconciler.engine import pipeline
from reconciler.engine.hosts import Hosts
from reconciler.engine.pipeline import Prepared
from reconciler.engine.snapshots import Request, again, counted, found, listings, prepare
from reconciler.errors import HostError, StalePlanError, UsageError
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.model.resource import ResourceId
from reconciler.model.snapshot import Snapshot, SnapshotSpec
from reconciler.model.state import Desired, HostState, Observed
from reconciler.planning.allowance import Policy
from tests.unit.planning.building import CREATED, FACTS, PROJECT, desired, host, mark, minimal, observed, rid

WEB = rid("Domain/web1")
S1 = Snapshot(
    "s1", 5, "running", overlays={"vda": "/srv/images/web1.s1"}, memory_file="/srv/images/web1.s1.memory", has_memory=True
)
MINE = Snapshot("mine", 6, "running", "s1")


def web(*snapshots: Snapshot, state: str = "running", id_: ResourceId = WEB, **options: Any) -> tuple[Desired, Observed]:
    want = desired(id_, state=state, **options)
    seen = observed(id_, state, owned=mark(want, snapshots={"s1": "5"}))
    return want, replace(seen, details={"snapshots": snapshots})


def ready(wanted: Iterable[Desired], *states: HostState, **policy: Any) -> Prepared:
    return pipeline.replan(PROJECT, tuple(wanted), states, Policy(**policy), {}, CREATED)


def one(*snapshots: Snapshot, read_only: bool = False, options: dict[str, Any] | None = None, **policy: Any) -> Prepared:
    want, seen = web(*snapshots, **(options or {}))
    return ready([want], host(seen, read_only=read_only), **policy)


def request(verb: Verb, name: str = "s1", domain: str = "web1") -> Request:
    return Request(verb, domain, SnapshotSpec(name))


def told(prepared: Prepared) -> list[tuple[str, str, bool]]:
    return [(a.verb.value, a.snapshot.name if a.snapshot else "", a.blocked is not None) for a in prepared.plan.actions]


def test_the_plan_is_about_one_domain_and_leaves_what_differs_alone() -> None:
    want, seen = web(S1)
    other = desired(rid("Domain/web2"))
    small = prepare(ready([replace(want, xml=minimal(WEB).replace("65536", "131072")), other], host(seen)), request(Verb.REVERT))
    assert [r.id.name for r in small.plan.resources] == ["web1"]
    assert {a.verb for a in small.plan.actions} == {Verb.REVERT}
    assert small.aside


def test_a_revert_needs_leave_for_a_loss_of_data_and_a_deletion_does_not() -> None:
    assert told(prepare(one(S1), request(Verb.REVERT))) == [("revert", "s1", True)]
    assert told(prepare(one(S1, allow=Impact.DATA_LOSS), request(Verb.REVERT))) == [("revert", "s1", False)]
    assert told(prepare(one(S1), request(Verb.DELETE_SNAPSHOT))) == [("delete-snapshot", "s1", False)]


def test_a_deletion_by_hand_is_no_deletion_by_policy() -> None:
    """Else its driver would refuse what other people took."""
    (action,) = prepare(one(MINE), request(Verb.DELETE_SNAPSHOT, "mine")).plan.actions
    assert not action.consented


def test_the_snapshot_that_protects_from_a_loss_of_data_is_taken_before_a_revert() -> None:
    protected = {"snapshotBefore": ["data-loss"]}
    plan = prepare(one(S1, options=protected, allow=Impact.DATA_LOSS), request(Verb.REVERT)).plan
    assert [(a.verb, a.needs) for a in plan.actions] == [(Verb.SNAPSHOT, ()), (Verb.REVERT, ("1",))]
    assert told(prepare(one(S1, options=protected), request(Verb.REVERT))) == [("revert", "s1", True)]


@pytest.mark.parametrize("verb", [Verb.SNAPSHOT, Verb.REVERT, Verb.DELETE_SNAPSHOT])
def test_nothing_is_done_over_a_read_only_connection(verb: Verb) -> None:
    name = "new" if verb is Verb.SNAPSHOT else "s1"
    small = prepare(one(S1, read_only=True, allow=Impact.DATA_LOSS), request(verb, name))
    assert [blocked for *_, blocked in told(small)] == [True]


@pytest.mark.parametrize(
    "asked",
    [
        request(Verb.SNAPSHOT, "s1"),
        request(Verb.SNAPSHOT, "a/b"),
        request(Verb.SNAPSHOT, ".a"),
        request(Verb.SNAPSHOT, "a\nb"),
        request(Verb.SNAPSHOT, "x" * 201),
        request(Verb.REVERT, "s9"),
        request(Verb.DELETE_SNAPSHOT, "s9"),
        request(Verb.REVERT, "s1", "web9"),
    ],
    ids=["taken", "slash", "dot", "line", "long", "no such", "none to delete", "no such domain"],
)
def test_what_cannot_be_meant_is_an_error_of_the_command_line(asked: Request) -> None:
    with pytest.raises(UsageError):
        prepare(one(S1, allow=Impact.DATA_LOSS), asked)


def test_a_domain_that_is_not_there_or_not_ours_has_no_snapshots_of_ours() -> None:
    want, seen = web(S1)
    with pytest.raises(UsageError, match="the host does not have it"):
        listings(ready([want], host()), "web1")
    with pytest.raises(UsageError, match="nobody, or to another project"):
        prepare(ready([want], host(replace(seen, mark=None))), request(Verb.DELETE_SNAPSHOT))


def test_a_host_that_does_not_answer_is_no_error_of_the_command_line() -> None:
    want, _ = web()
    with pytest.raises(HostError, match="not reachable"):
        prepare(ready([want], HostState(FACTS, error="no route")), request(Verb.REVERT))


def test_a_domain_on_several_hosts_is_named_with_its_host() -> None:
    here, there = web(S1), web(S1, id_=replace(WEB, host="other"))
    states = (host(here[1], uuid="a"), replace(host(there[1]), facts=replace(FACTS, name="other", uuid="b")))
    both = ready([here[0], there[0]], *states)
    with pytest.raises(UsageError, match="several hosts") as error:
        listings(both, "web1")
    assert "other/web1" in error.value.hint
    assert [listing.id.host for listing in listings(both, "other/web1")] == ["other"]
    assert len(listings(both)) == 2


def test_a_domain_that_left_the_manifests_still_has_its_snapshots() -> None:
    _, seen = web(S1)
    (listing,) = listings(ready([], host(seen)), "Domain/web1")
    assert found(listing, "s1").ours


def test_sizes_are_those_of_the_files_that_a_pool_knows() -> None:
    want, seen = web(S1, MINE, snapshots=[{"name": "s1"}])
    volumes = []
    for name, size in (("web1.s1", 3), ("web1.s1.memory", 4)):
        id_ = rid(f"Volume/images/{name}")
        volumes.append(observed(id_, "present", minimal(id_).replace("<target>", f"<allocation>{size}</allocation><target>")))
    (listing,) = listings(ready([want], host(seen, *volumes)), "web1")
    assert [(row.snapshot.name, row.size, row.ours, row.declared) for row in listing.rows] == [
        ("s1", 7, True, True),
        ("mine", None, False, False),
    ]


def test_counts_are_of_our_domains_only() -> None:
    want, seen = web(S1, MINE)
    foreign = replace(seen, id=rid("Domain/other"), mark=None)
    assert counted(ready([want], host(seen, foreign)).states) == {WEB: (2, 1)}


@dataclass
class Moved:
    """Hosts as they are when the lock is held."""

    state: HostState

    def observe(self) -> tuple[HostState, ...]:
        return (self.state,)


def test_what_was_agreed_to_is_looked_at_again_before_it_is_done() -> None:
    asked = request(Verb.REVERT)
    want, seen = web(S1)
    small = prepare(ready([want], host(seen), allow=Impact.DATA_LOSS), asked)
    look = again(asked)
    assert look(small, cast("Hosts", Moved(host(seen)))).plan == small.plan
    for now in (web(S1, MINE)[1], web(MINE)[1], web(replace(S1, created=9))[1]):
        with pytest.raises(StalePlanError):
            look(small, cast("Hosts", Moved(host(now))))


def test_who_waited_for_the_lock_takes_his_snapshot_among_those_that_others_took_meanwhile() -> None:
    want, seen = web(S1)
    for asked in (request(Verb.SNAPSHOT, "new"), request(Verb.DELETE_SNAPSHOT)):
        small = prepare(ready([want], host(seen)), asked)
        now = again(asked)(small, cast("Hosts", Moved(host(web(S1, MINE)[1]))))
        assert told(now) == [(asked.verb.value, asked.spec.name, False)]
    asked = request(Verb.SNAPSHOT, "mine")
    with pytest.raises(StalePlanError) as error:
        again(asked)(prepare(ready([want], host(seen)), asked), cast("Hosts", Moved(host(web(S1, MINE)[1]))))
    assert "has a snapshot mine already" in error.value.detail


def test_while_a_revert_is_not_finished_no_snapshot_is_taken_or_deleted() -> None:
    want, seen = web(S1, snapshotBefore=["data-loss"])
    half = replace(seen, mark=mark(want, snapshots={"s1": "5"}, reverted="reverting/s1"))
    there = ready([want], host(half), allow=Impact.DATA_LOSS)
    (listing,) = listings(there)
    assert (listing.reverted, listing.reverting) == ("", "s1")
    for asked in (request(Verb.SNAPSHOT, "new"), request(Verb.DELETE_SNAPSHOT)):
        (action,) = prepare(there, asked).plan.actions
        assert "`vireo snapshot revert web1 s1` finishes it" in (action.blocked or "")
    assert told(prepare(there, request(Verb.REVERT))) == [("revert", "s1", False)]
