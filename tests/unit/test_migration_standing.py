"""What two hosts' views of one domain mean, and that nothing dangerous is ever mended."""

from __future__ import annotations

from itertools import product

import pytest

from reconciler.host.drivers.migration.healing import _MENDS, BY_HAND
from reconciler.host.drivers.migration.standing import Seen, Sight, Standing, judge

RUNS = (Seen.RUNNING, Seen.PAUSED)


def standing(here: Seen, there: Seen, *, moving: bool = False) -> Standing:
    return judge(Sight(here, moving=moving), Sight(there))


@pytest.mark.parametrize(
    "here, there, meaning",
    [
        (Seen.RUNNING, Seen.ABSENT, Standing.AT_SOURCE),
        (Seen.STOPPED, Seen.ABSENT, Standing.AT_SOURCE),
        (Seen.ABSENT, Seen.RUNNING, Standing.AT_DESTINATION),
        (Seen.ABSENT, Seen.STOPPED, Standing.AT_DESTINATION),
        (Seen.STOPPED, Seen.RUNNING, Standing.LEFT_HERE),
        (Seen.RUNNING, Seen.STOPPED, Standing.LEFT_THERE),
        (Seen.RUNNING, Seen.HALTED, Standing.HALF_ARRIVED),
        (Seen.HALTED, Seen.RUNNING, Standing.UNCONFIRMED),
        (Seen.HALTED, Seen.ABSENT, Standing.UNDECIDED),
        (Seen.STOPPED, Seen.HALTED, Standing.UNDECIDED),
        (Seen.ABSENT, Seen.HALTED, Standing.UNDECIDED),
        (Seen.RUNNING, Seen.RUNNING, Standing.SPLIT),
        (Seen.PAUSED, Seen.RUNNING, Standing.SPLIT),
        (Seen.BROKEN, Seen.BROKEN, Standing.POST_COPY_FAILED),
        (Seen.BROKEN, Seen.ABSENT, Standing.LOST),
        (Seen.STOPPED, Seen.STOPPED, Standing.TWICE_STOPPED),
        (Seen.ABSENT, Seen.ABSENT, Standing.GONE),
        (Seen.POST_COPY, Seen.POST_COPY, Standing.UNDER_WAY),
        (Seen.UNKNOWN, Seen.RUNNING, Standing.UNKNOWN),
        (Seen.RUNNING, Seen.UNKNOWN, Standing.UNKNOWN),
    ],
)
def test_two_views_have_one_meaning(here: Seen, there: Seen, meaning: Standing) -> None:
    assert standing(here, there) is meaning


def test_a_halted_guest_goes_on_only_where_it_surely_never_ran_elsewhere() -> None:
    halted = Sight(Seen.HALTED, persistent=True)
    assert judge(halted, Sight(Seen.ABSENT)) is Standing.CUT_OFF
    assert judge(halted, Sight(Seen.STOPPED, persistent=True)) is Standing.UNDECIDED  # it may have run, and ended
    assert judge(Sight(Seen.HALTED), Sight(Seen.ABSENT)) is Standing.UNDECIDED


def test_while_the_source_sends_nothing_else_counts() -> None:
    for here, there in product((Seen.RUNNING, Seen.PAUSED, Seen.HALTED), set(Seen) - {Seen.UNKNOWN}):
        assert standing(here, there, moving=True) is Standing.UNDER_WAY


def test_every_pair_of_views_has_a_meaning() -> None:
    for here, there in product(Seen, Seen):
        assert standing(here, there) in Standing


def test_no_guest_is_taken_for_lost_while_one_runs() -> None:
    for here, there in product(Seen, Seen):
        if here in RUNS or there in RUNS:
            assert standing(here, there) not in {Standing.GONE, Standing.LOST, Standing.TWICE_STOPPED}


def test_what_is_not_mended_has_a_word_for_people() -> None:
    calm = {Standing.AT_SOURCE, Standing.AT_DESTINATION}
    assert set(BY_HAND) == set(Standing) - calm - _MENDS
    assert _MENDS.isdisjoint(
        {Standing.SPLIT, Standing.UNDECIDED, Standing.UNKNOWN, Standing.POST_COPY_FAILED, Standing.UNDER_WAY}
    )
