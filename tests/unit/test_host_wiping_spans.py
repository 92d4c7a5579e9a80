"""Where data lie, as spans: gaps between them, fewer of them, and what a reading keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.host.drivers.wiping.content import BLOCK, Span, Survey, gaps, joined

LENGTH = 1000


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    edges = sorted(draw(st.sets(st.integers(0, LENGTH), max_size=30)))
    return list(zip(edges[::2], edges[1::2], strict=False))


def covered(some: list[Span] | tuple[Span, ...]) -> set[int]:
    return {byte for begin, end in some for byte in range(begin, end)}


@given(spans())
def test_gaps_are_what_the_spans_leave(some: list[Span]) -> None:
    assert covered(gaps(some, LENGTH)) == set(range(LENGTH)) - covered(some)


@given(spans(), st.integers(1, 10))
def test_joined_spans_are_not_too_many_and_leave_nothing_out(some: list[Span], most: int) -> None:
    fewer = joined(some, most)
    assert len(fewer) <= most or len(fewer) == len(some) <= most
    assert covered(fewer) >= covered(some)
    assert list(fewer) == sorted(fewer)


def test_joining_takes_the_smallest_gaps_in() -> None:
    assert joined([(0, 10), (12, 20), (100, 110), (111, 120)], 2) == ((0, 20), (100, 120))


def test_a_survey_puts_pieces_together_and_samples_blocks_that_are_not_zero() -> None:
    found = Survey(64 * BLOCK)
    found.add(BLOCK, bytes(BLOCK) + b"x" * BLOCK)
    found.add(3 * BLOCK, b"y" * BLOCK)
    found.add(10 * BLOCK, b"z" * 100)
    assert found.spans == [(BLOCK, 4 * BLOCK), (10 * BLOCK, 10 * BLOCK + 100)]
    assert found.total == 3 * BLOCK + 100
    assert found.sampled == ((2 * BLOCK, 3 * BLOCK), (3 * BLOCK, 4 * BLOCK))
    assert found.is_still((2 * BLOCK, 3 * BLOCK), b"x" * BLOCK)
    assert not found.is_still((2 * BLOCK, 3 * BLOCK), bytes(BLOCK))
