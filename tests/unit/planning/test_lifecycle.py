"""The way from any state to any other: the gentlest, and never through a loss where there is another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Lifecycle, Transition
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.planning.lifecycle import route

PAIRS = [
    (kind, source, target, persistent)
    for kind in KINDS
    for source, target in itertools.product(KINDS[kind].lifecycle.states, repeat=2)
    for persistent in (True, False)
]


def ways(lifecycle: Lifecycle, source: str, target: str, persistent: bool) -> Iterator[tuple[Transition, ...]]:
    """Every way without a loop."""
    allowed = [t for t in lifecycle.transitions if t.only in {"", "persistent" if persistent else "transient"}]

    def onward(steps: tuple[Transition, ...], state: str, seen: frozenset[str]) -> Iterator[tuple[Transition, ...]]:
        if state == target:
            yield steps
            return
        for step in allowed:
            if step.source == state and step.target not in seen:
                yield from onward((*steps, step), step.target, seen | {step.target})

    yield from onward((), source, frozenset({source}))


@pytest.mark.parametrize("kind, source, target, persistent", PAIRS)
def test_the_way_is_the_gentlest_and_then_the_cheapest(kind: str, source: str, target: str, persistent: bool) -> None:
    lifecycle = KINDS[kind].lifecycle
    found = route(lifecycle, source, target, persistent=persistent)
    every = list(ways(lifecycle, source, target, persistent))
    if not every:
        assert found is None
        return
    assert found is not None
    cost = (max((s.impact for s in found), default=Impact.NONE), sum(s.cost for s in found))
    assert cost == min((max((s.impact for s in way), default=Impact.NONE), sum(s.cost for s in way)) for way in every)
    states = [source, *(step.target for step in found)]
    assert [step.source for step in found] == states[:-1]
    assert states[-1] == target


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_of_a_persistent_object_is_reached_from_every_other(kind: str) -> None:
    states = KINDS[kind].lifecycle.states
    assert all(route(KINDS[kind].lifecycle, a, b) is not None for a, b in itertools.product(states, repeat=2))


@pytest.mark.parametrize(
    "source, target, verbs",
    [
        ("undefined", "running", [Verb.DEFINE, Verb.START]),
        ("undefined", "paused", [Verb.DEFINE, Verb.START_PAUSED]),
        ("undefined", "saved", [Verb.DEFINE, Verb.START, Verb.SAVE]),
        ("running", "undefined", [Verb.SHUTDOWN, Verb.UNDEFINE]),
        ("saved", "running", [Verb.RESTORE]),
        ("saved", "paused", [Verb.RESTORE_PAUSED]),
        ("saved", "stopped", [Verb.RESTORE, Verb.SHUTDOWN]),
        ("saved", "undefined", [Verb.RESTORE, Verb.SHUTDOWN, Verb.UNDEFINE]),
        ("paused", "stopped", [Verb.RESUME, Verb.SHUTDOWN]),
        ("running", "saved", [Verb.SAVE]),
        ("running", "running", []),
    ],
)
def test_a_domain_goes_as_a_careful_person_would(source: str, target: str, verbs: list[Verb]) -> None:
    found = route(KINDS["Domain"].lifecycle, source, target)
    assert found is not None
    assert [step.verb for step in found] == verbs


@pytest.mark.parametrize("source, target", [(s, t) for k, s, t, _ in PAIRS if k == "Domain"])
def test_a_saved_state_is_never_thrown_away_on_the_way(source: str, target: str) -> None:
    found = route(KINDS["Domain"].lifecycle, source, target)
    assert found is not None
    assert Verb.DISCARD_SAVED not in {step.verb for step in found}


@pytest.mark.parametrize(
    "source, verbs",
    [
        ("running", [Verb.SHUTDOWN, Verb.UNDEFINE]),
        ("paused", [Verb.RESUME, Verb.SHUTDOWN, Verb.UNDEFINE]),
        ("stopped", [Verb.UNDEFINE]),
        ("saved", [Verb.UNDEFINE]),
    ],
)
def test_what_is_given_up_goes_the_shortest_way_and_writes_no_memory_to_the_disk(source: str, verbs: list[Verb]) -> None:
    found = route(KINDS["Domain"].lifecycle, source, "undefined", given_up=True)
    assert found is not None
    assert [step.verb for step in found] == verbs


@pytest.mark.parametrize("state", ["stopped", "saved"])
def test_a_transient_domain_cannot_be_in_a_state_that_needs_a_definition(state: str) -> None:
    assert route(KINDS["Domain"].lifecycle, "running", state, persistent=False) is None


def test_only_the_deletion_of_a_volume_is_a_loss() -> None:
    found = route(KINDS["Volume"].lifecycle, "present", "absent")
    assert found is not None
    assert [(step.verb, step.impact) for step in found] == [(Verb.DELETE, Impact.DATA_LOSS)]
