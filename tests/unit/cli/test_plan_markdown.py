"""Plans as Markdown, against golden files."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reconciler.cli.printers import plan_markdown
from reconciler.cli.printers.markdown import escape
from reconciler.model.difference import Impact
from reconciler.model.plan import Action, Plan, ResourcePlan, Status, Verb

from .conftest import Golden, rid


def test_a_plan_for_a_pull_request(everything: Plan, golden: Golden) -> None:
    golden("everything.md", plan_markdown.document(everything))


def test_an_empty_plan_is_a_title_and_a_line(empty: Plan) -> None:
    assert plan_markdown.document(empty).splitlines()[2:] == ["**Nothing to do: 2 resources in sync.**"]


def test_a_long_plan_fits_in_a_comment_and_says_what_it_left_out(empty: Plan) -> None:
    many = tuple(ResourcePlan(rid(f"Domain/web{n}"), Status.CREATE, "running", "undefined") for n in range(2000))
    start = Action("1", Verb.START, many[0].id, "state: running", Impact.NONE)
    text = plan_markdown.document(replace(empty, resources=many, actions=(start,)))
    assert len(text) < 65_536
    folds = text.count("<details>")
    assert 0 < folds < 2000
    assert f"{2000 - folds} more resources did not fit here" in text
    assert "2000 to create" in text


@pytest.mark.parametrize(
    "text", ["a|b", "`c`", "<img src=x>", "*b*", "@you", "[x](y)", "~~z~~", "a\nb", "\x1b[0m", "#12", "&lt;"]
)
def test_values_cannot_become_markup(text: str) -> None:
    bare = re.sub(r"&#\d+;", "", escape(text))
    assert not set(bare) & set("|`<>*@[]~#&\n\x1b")
