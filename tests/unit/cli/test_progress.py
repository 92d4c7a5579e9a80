"""What is seen while a plan is applied."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from reconciler.cli.printers.progress import JsonLines, Lines, Live, Reporter
from reconciler.cli.printers.style import Symbols
from reconciler.cli.screen import Screen
from reconciler.model import event as e
from reconciler.model.plan import Plan

from .conftest import Golden


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def screen(*, out: io.StringIO | None = None, err: io.StringIO | None = None, quiet: bool = False) -> Screen:
    first, second = (Console(file=file or io.StringIO(), width=80, color_system=None, highlight=False) for file in (out, err))
    return Screen(first, second, Symbols(), quiet, json=False)


def play(report: Reporter, plan: Plan) -> None:
    one, two, three, *_ = plan.runnable
    for event in (
        e.ApplyStarted(plan),
        e.Notice("node1", "waiting for the lock that root on attic holds"),
        e.ActionStarted(one),
        e.ActionDone(one, 0.12),
        e.ActionStarted(two),
        e.ActionProgress(two, "building", None),
        e.ActionProgress(two, "building", None),
        e.ActionProgress(two, "copying", 0.1),
        e.ActionProgress(two, "copying", 0.2),
        e.ActionProgress(two, "copying", 0.6),
        e.ActionFailed(two, "cannot open [/dev/sdb]: no such device", "attach the disk first", 65.0),
        e.ActionSkipped(three, "start Pool/images failed"),
        e.Verified(one.resource, ("memory", "title")),
        e.ApplyFinished(done=1, failed=1, skipped=1, blocked=1, seconds=12.3),
    ):
        report(event)


def test_each_action_is_announced_before_and_reported_after(everything: Plan, golden: Golden) -> None:
    out, err = io.StringIO(), io.StringIO()
    play(Lines(screen(out=out, err=err)), replace(everything, hosts=everything.hosts[:1]))
    golden("progress.txt", f"{err.getvalue()}--- standard output\n{out.getvalue()}")


def test_quiet_shows_failures_and_the_summary_only(everything: Plan) -> None:
    out, err = io.StringIO(), io.StringIO()
    play(Lines(screen(out=out, err=err, quiet=True)), everything)
    assert [line.split()[0] for line in err.getvalue().splitlines()] == ["✗", "attach", "✗"]
    assert out.getvalue().splitlines()[-1] == "Apply: 1 done, 1 failed, 1 skipped; 1 blocked (12 s)"


def test_on_a_terminal_nothing_is_lost_and_the_cursor_comes_back(everything: Plan) -> None:
    out, err = Terminal(), Terminal()
    first, second = (Console(file=file, width=100, force_terminal=True, color_system=None) for file in (out, err))
    report = Live(Screen(first, second, Symbols(), quiet=False, json=False))
    try:
        play(report, everything)
    finally:
        report.close()
    assert "✓ define Pool/images on node1 (0.1 s)" in err.getvalue()
    assert "cannot open [/dev/sdb]: no such device" in err.getvalue()
    assert err.getvalue().rindex("\x1b[?25h") > err.getvalue().rindex("\x1b[?25l")


def test_programs_get_one_json_object_a_line(everything: Plan) -> None:
    out = io.StringIO()
    play(JsonLines(screen(out=out)), everything)
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [event["event"] for event in events[:3]] == ["apply-started", "notice", "action-started"]
    assert events[0]["plan"]["format"] == "vireo-plan/1"
    assert events[-1] | {"seconds": 0} == {
        "event": "apply-finished", "done": 1, "failed": 1, "skipped": 1, "blocked": 1, "seconds": 0, "interrupted": False,
    }  # fmt: skip


@pytest.mark.parametrize("make", [Lines, JsonLines])
def test_a_reader_that_goes_away_does_not_stop_the_apply(everything: Plan, make: type[Lines | JsonLines]) -> None:
    play(make(screen(out=Closed(), err=Closed())), everything)
