"""How much may happen at once on each host."""

from __future__ import annotations

from reconciler.engine.room import Room
from reconciler.model.difference import Impact
from reconciler.model.plan import Action, Verb
from reconciler.model.resource import HostLimits, HostSpec, ResourceId


def room(parallel: int = 8, **limits: HostLimits) -> Room:
    return Room.of(parallel, [HostSpec(name, f"qemu+ssh://{name}/system", limits=given) for name, given in limits.items()])


def action(verb: Verb, host: str, source: str = "", pool: str = "") -> Action:
    return Action("1", verb, ResourceId("Volume" if pool else "Domain", "x", host, pool), "", Impact.NONE, source=source)


def move(source: str, to: str) -> Action:
    return action(Verb.MIGRATE, to, source)


def test_of_a_host_no_more_domains_leave_at_once_than_it_allows() -> None:
    busy = [move("a", "b"), move("a", "c")]
    assert room().has(move("a", "b"), busy[:1])
    assert not room().has(move("a", "d"), busy)
    assert room(a=HostLimits(migrations_out=3)).has(move("a", "d"), busy)
    assert room(a=HostLimits(migrations_out=0)).has(move("a", "d"), busy)


def test_to_a_host_no_more_domains_come_at_once_than_it_allows() -> None:
    assert not room(b=HostLimits(migrations_in=1)).has(move("a", "b"), [move("c", "b")])
    assert room(b=HostLimits(migrations_in=1)).has(move("a", "b"), [action(Verb.START, "b")])


def test_starts_are_counted_apart_from_other_work() -> None:
    limits = room(a=HostLimits(parallel_starts=1))
    assert not limits.has(action(Verb.START, "a"), [action(Verb.CREATE, "a")])
    assert limits.has(action(Verb.DEFINE, "a"), [action(Verb.START, "a")])
    assert limits.has(action(Verb.START, "b"), [action(Verb.START, "a")])


def test_one_host_has_no_more_actions_than_asked_and_a_pool_has_one() -> None:
    assert not room(1).has(action(Verb.DEFINE, "a"), [action(Verb.DEFINE, "a")])
    assert room(1).has(action(Verb.DEFINE, "b"), [action(Verb.DEFINE, "a")])
    assert not room().has(action(Verb.CREATE, "a", pool="p"), [action(Verb.CREATE, "a", pool="p")])


def test_the_bandwidth_of_a_host_is_shared_by_all_that_may_move_at_once() -> None:
    both = room(a=HostLimits(migrations_out=2, bandwidth=100), b=HostLimits(migrations_in=4, bandwidth=100))
    assert both.bandwidth(move("a", "b")) == 25
    assert both.bandwidth(move("a", "c")) == 50
    assert both.bandwidth(move("c", "d")) == 0
    assert room(5, a=HostLimits(migrations_out=0, bandwidth=100)).bandwidth(move("a", "b")) == 20
