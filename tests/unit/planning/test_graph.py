"""The order of nodes that need each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.planning.graph import CycleError, ordered


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, set[int]]:
    """A graph without rings, its nodes in any order."""
    count = draw(st.integers(0, 12))
    names = draw(st.permutations(range(count)))
    return {
        names[n]: {names[other] for other in draw(st.sets(st.integers(0, max(n - 1, 0)), max_size=4)) if other < n}
        for n in draw(st.permutations(range(count)))
    }


@given(graphs())
def test_every_edge_is_respected_and_no_node_is_lost(needs: dict[int, set[int]]) -> None:
    order = ordered(needs, dict.fromkeys(needs, 0))
    assert sorted(order) == sorted(needs)
    place = {node: number for number, node in enumerate(order)}
    assert all(place[other] < place[node] for node, others in needs.items() for other in others)


@given(graphs(), st.randoms())
def test_the_order_does_not_depend_on_how_the_graph_is_written(needs: dict[int, set[int]], random: object) -> None:
    shuffled = dict(sorted(needs.items(), key=lambda _: random.random()))  # type: ignore[attr-defined]
    priority = {node: node % 3 for node in needs}
    unique = {node: (priority[node], node) for node in needs}
    assert ordered(shuffled, unique) == ordered(needs, unique)


def test_among_the_possible_ones_the_least_priority_is_next() -> None:
    assert ordered({"a": set(), "b": set(), "c": {"b"}}, {"a": 3, "b": 1, "c": 2}) == ["b", "c", "a"]


def test_what_is_not_in_the_graph_is_not_waited_for() -> None:
    assert ordered({"a": {"elsewhere"}}, {"a": 0}) == ["a"]


@given(graphs(), st.integers(2, 4))
def test_a_ring_is_named_and_nobody_who_is_not_stuck(needs: dict[int, set[int]], length: int) -> None:
    ring = [f"ring{n}" for n in range(length)]
    mixed: dict[object, set[object]] = {node: set(others) for node, others in needs.items()}
    mixed |= {name: {ring[(n + 1) % length]} for n, name in enumerate(ring)}
    with pytest.raises(CycleError) as caught:
        ordered(mixed, dict.fromkeys(mixed, 0))
    assert all(name in caught.value.summary for name in ring)
    assert "break the ring" in caught.value.hint


def test_who_only_needs_a_ring_is_not_named_as_part_of_it() -> None:
    with pytest.raises(CycleError) as caught:
        ordered({"a": {"b"}, "b": {"a"}, "innocent": {"a"}}, dict.fromkeys(("a", "b", "innocent"), 0))
    assert "innocent" not in caught.value.summary


def test_a_node_that_needs_itself_is_a_ring() -> None:
    with pytest.raises(CycleError, match="a"):
        ordered({"a": {"a"}}, {"a": 0})
