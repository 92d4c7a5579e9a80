"""Events while a plan is applied: moving bars on a terminal, plain lines elsewhere, JSON lines for programs.

Called from several threads; one lock keeps their lines whole. A reader that went away (a closed pipe) never stops the apply.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Protocol, assert_never

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from reconciler.cli.printers import style
from reconciler.cli.screen import Screen
from reconciler.model import event as e
from reconciler.model.plan import Action


class Reporter(Protocol):
    """Takes the events of one apply; `close` gives the terminal back."""

    def __call__(self, event: e.Event) -> None: ...

    def close(self) -> None: ...


def reporter(screen: Screen) -> Reporter:
    """The right one for this screen."""
    if screen.json:
        return JsonLines(screen)
    return Live(screen) if screen.live and not screen.quiet else Lines(screen)


class JsonLines:
    """One JSON object a line on standard output."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()

    def __call__(self, event: e.Event) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError, SystemExit):
            self._screen.data(e.to_json(event), indent=None)

    def close(self) -> None:
        """Nothing to give back."""


class Lines:
    """Each action announced before and reported after, a line each, on standard error; the summary on standard output."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._hosts = 1
        self._failed: list[str] = []
        self._said: dict[str, tuple[str, int]] = {}

    def __call__(self, event: e.Event) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError, SystemExit):
            self._take(event)

    def close(self) -> None:
        """Nothing to give back."""

    def started(self, action: Action) -> None:
        self._screen.note(Text.assemble((f"{self._screen.symbols.ellipsis} ", "dim"), self.name(action)))

    def moved(self, action: Action, message: str, fraction: float | None) -> None:
        now = (message, int((fraction or 0.0) * 4))
        if self._said.get(action.id) != now:
            self._said[action.id] = now
            share = f" ({fraction:.0%})" if fraction is not None else ""
            self._screen.note(Text(f"  {self.name(action)}: {style.printable(message)}{share}", "dim"))

    def ended(self, action: Action) -> None:
        """Called before the line that says how an action ended."""

    def planned(self, actions: int) -> None:
        """Called once, with the number of actions that will be run."""

    def name(self, action: Action) -> str:
        what = f" {style.printable(action.snapshot.name)} of" if action.snapshot is not None else ""
        where = f" on {style.printable(action.resource.host)}" if self._hosts > 1 else ""
        where = f" from {style.printable(action.source)} to {style.printable(action.resource.host)}" if action.source else where
        return f"{action.verb.value}{what} {style.resource(action.resource)}{where}"

    def _take(self, event: e.Event) -> None:
        match event:
            case e.ApplyStarted(plan):
                self._hosts = len(plan.hosts)
                self.planned(len(plan.runnable))
            case e.ActionStarted(action):
                self.started(action)
            case e.ActionProgress(action, message, fraction):
                self.moved(action, message, fraction)
            case e.ActionDone() | e.ActionFailed() | e.ActionSkipped():
                self.ended(event.action)
                self._end(event)
            case e.Verified(resource, leftover):
                if leftover:
                    paths = ", ".join(style.printable(path) for path in leftover)
                    self._warn(f"{style.resource(resource)} still differs after its last action: {paths}", "")
            case e.Notice(host, message):
                self._screen.note(style.printable(f"{host}: {message}" if host else message))
            case e.ApplyFinished():
                self.close()
                self._screen.result(self._summary(event))
            case _:
                assert_never(event)

    def _end(self, event: e.ActionDone | e.ActionFailed | e.ActionSkipped) -> None:
        name, symbols = self.name(event.action), self._screen.symbols
        match event:
            case e.ActionDone(_, seconds):
                self._screen.note(Text.assemble((f"{symbols.done} ", "bold green"), f"{name} ({style.seconds(seconds)})"))
            case e.ActionFailed(_, error, hint, seconds):
                self._failed.append(name)
                self._warn(f"{name}: {style.printable(error)} (after {style.seconds(seconds)})", hint)
            case e.ActionSkipped(_, reason):
                self._screen.note(Text.assemble((f"{symbols.skipped} ", "bold yellow"), f"{name}: {style.printable(reason)}"))
            case _:
                assert_never(event)

    def _warn(self, text: str, hint: str) -> None:
        self._screen.warn(Text.assemble((f"{self._screen.symbols.failed} ", "bold red"), text))
        if hint:
            self._screen.warn(Text(f"    {style.printable(hint)}", "cyan"))

    def _summary(self, end: e.ApplyFinished) -> list[Text]:
        counts = f"{end.done} done, {end.failed} failed, {end.skipped} skipped" + (
            f"; {end.blocked} blocked" if end.blocked else ""
        )
        word = "Apply, interrupted" if end.interrupted else "Apply"
        look = "bold red" if end.failed or end.interrupted else "bold"
        text = [Text(f"Failed: {', '.join(self._failed)}", "red")] if self._failed else []
        return [*text, Text(f"{word}: {counts} ({style.seconds(end.seconds)})", look)]


class Live(Lines):
    """As `Lines`, with the actions under way as moving lines at the foot of the terminal instead of announcements."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            console=screen.err,
            transient=True,
        )
        self._all: TaskID | None = None

    def planned(self, actions: int) -> None:
        self._progress.start()
        self._all = self._progress.add_task(f"{style.plural(actions, 'action')}", total=actions)

    def started(self, action: Action) -> None:
        self._bars[action.id] = self._progress.add_task(self.name(action), total=None)

    def moved(self, action: Action, message: str, fraction: float | None) -> None:
        if action.id in self._bars:
            text = f"{self.name(action)}: {style.printable(message)}"
            total = None if fraction is None else 1.0
            self._progress.update(self._bars[action.id], description=text, total=total, completed=fraction or 0.0)

    def ended(self, action: Action) -> None:
        if action.id in self._bars:
            self._progress.remove_task(self._bars.pop(action.id))
        if self._all is not None:
            self._progress.advance(self._all)

    def close(self) -> None:
        self._progress.stop()
