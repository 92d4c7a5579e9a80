"""The table of changes and the live tests have the same rows: no row without a case, and no case for a row that is gone."""

from __future__ import annotations

from reconciler.kinds import KINDS
from tests.qemu import test_live_networks
from tests.qemu.live_rows import STORIES


def _rows(kind: str) -> set[str]:
    return {way.pattern for way in KINDS[kind].ways}


def test_each_row_of_a_domain_has_a_change_on_a_running_guest() -> None:
    assert {row for story in STORIES.values() for change in story.changes for row in change.rows} == _rows("Domain")


def test_each_row_of_a_network_has_a_change_on_a_running_network() -> None:
    tabled = {row for row, _, _ in test_live_networks.CHANGES.values()}
    others = {row for test in vars(test_live_networks).values() for row in getattr(test, "rows", ())}
    assert tabled | others == _rows("Network")


def test_no_two_rows_have_one_pattern() -> None:
    for kind in KINDS.values():
        assert len({way.pattern for way in kind.ways}) == len(kind.ways)
