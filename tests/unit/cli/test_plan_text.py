"""Plans as text, against golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from reconciler.cli.printers import plan_text
from reconciler.cli.printers.style import Symbols
from reconciler.model.plan import Plan

from .conftest import NODE1, Golden, plain


@pytest.mark.parametrize("width", [80, None, 40])
def test_a_plan_shows_every_kind_of_change(everything: Plan, golden: Golden, width: int | None) -> None:
    golden(f"everything-{width or 'wide'}.txt", plain(plan_text.lines(everything, Symbols(), width)))


def test_a_plan_can_be_shown_in_plain_ascii(everything: Plan, golden: Golden) -> None:
    text = plain(plan_text.lines(everything, Symbols.ascii_only(), 80))
    assert text.isascii()
    golden("everything-ascii.txt", text)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_is_wider_than_the_terminal(everything: Plan, width: int) -> None:
    lines = plain(plan_text.lines(everything, Symbols(), width)).splitlines()
    assert [line for line in lines if cell_len(line) > width] == []


def test_an_empty_plan_is_one_line(empty: Plan) -> None:
    assert plain(plan_text.lines(empty, Symbols(), 80)) == "Nothing to do: 2 resources in sync.\n"


def test_what_waits_for_a_restart_is_shown_although_there_is_nothing_to_do(pending: Plan, golden: Golden) -> None:
    golden("pending.txt", plain(plan_text.lines(pending, Symbols(), 80)))


def test_an_unreachable_host_is_never_nothing_to_do(empty: Plan) -> None:
    plan = replace(empty, hosts=(replace(NODE1, reachable=False, error="no route"),))
    text = plain(plan_text.lines(plan, Symbols(), 80))
    assert "not reachable: no route" in text
    assert "Nothing to do" not in text


def test_a_terminal_is_never_sent_control_characters_of_a_guest(everything: Plan) -> None:
    text = plain(plan_text.lines(everything, Symbols(), None))
    assert "\x1b" not in text
    assert r"\x1b[31m" in text


def test_secrets_are_hidden_in_both_columns(everything: Plan) -> None:
    text = plain(plan_text.lines(everything, Symbols(), None))
    assert "(secret) → (secret)" in text
    assert "vireo-secret" not in text
