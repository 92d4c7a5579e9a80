"""The two streams of a command: results on standard output, everything else on standard error. Knows no plan and no host."""

from __future__ import annotations

import enum
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from reconciler.cli.printers.style import Symbols


class Format(enum.StrEnum):
    """What `plan` and `drift` can print."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class Shape(enum.StrEnum):
    """What commands can print whose result nobody pastes into a pull request."""

    TEXT = "text"
    JSON = "json"


def is_terminal(console: Console) -> bool:
    """Whether a person looks at it; unlike Rich's own answer not changed by FORCE_COLOR."""
    return console.file.isatty()


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a command writes. `json`: errors are written as JSON objects to standard output, too."""

    out: Console
    err: Console
    symbols: Symbols
    quiet: bool
    json: bool

    @classmethod
    def open(cls, *, quiet: bool = False, no_color: bool = False, json: bool = False) -> Screen:
        """On the process's own streams. Colours only on a terminal, and never with NO_COLOR or TERM=dumb."""
        plain = no_color or bool(os.environ.get("NO_COLOR"))
        out, err = (
            Console(file=file, no_color=plain, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False)
            for file in (sys.stdout, sys.stderr)
        )
        return cls(out, err, Symbols.for_encoding(sys.stdout.encoding), quiet, json)

    @property
    def width(self) -> int | None:
        """Cells of a line; None where nobody looks at a terminal: a line in a file or a pipe is as long as it is."""
        return self.out.width if is_terminal(self.out) else None

    @property
    def live(self) -> bool:
        """True if progress may move on the screen."""
        return is_terminal(self.err) and not self.err.is_dumb_terminal

    @property
    def can_ask(self) -> bool:
        """True if there is a person who can answer a question."""
        return sys.stdin.isatty() and is_terminal(self.err)

    def result(self, lines: Iterable[Text | str]) -> None:
        """Lines of the result, never cut and never wrapped again."""
        for line in lines:
            self.out.print(line, soft_wrap=True)

    def data(self, value: Mapping[str, Any], *, indent: int | None = 2) -> None:
        """A JSON object as the result; without `indent` on one line, flushed for the program that reads it."""
        self.out.file.write(json.dumps(value, indent=indent) + "\n")
        self.out.file.flush()

    def raw(self, text: str) -> None:
        """Text for programs (XML, Markdown), byte for byte."""
        self.out.file.write(text if text.endswith("\n") else text + "\n")

    def note(self, line: Text | str) -> None:
        """Progress for a person; nothing with --quiet."""
        if not self.quiet:
            self.err.print(line, soft_wrap=True)

    def warn(self, line: Text | str) -> None:
        """Something a person must see even with --quiet."""
        self.err.print(line, soft_wrap=True)

    def ask(self, question: str) -> str:
        """The answer typed on the terminal; empty at its end (Ctrl-D)."""
        self.err.print(question, end=" ", soft_wrap=True)
        try:
            return input().strip()
        except EOFError:
            self.err.print()
            return ""

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """A spinner on a terminal while something takes its time; silent elsewhere."""
        if self.quiet or not self.live:
            yield
            return
        with self.err.status(Text(what)):
            yield
