"""One place turns errors into words: summary, detail, hint on standard error; with `-o json` an object on standard output too."""

from __future__ import annotations

import os
import traceback
from typing import Any

from rich.text import Text

from reconciler.cli.printers.layout import hang
from reconciler.cli.printers.style import printable
from reconciler.cli.screen import Screen, is_terminal
from reconciler.errors import EXIT_FAILURE, InvalidManifestsError, VireoError

DEBUG = "VIREO_DEBUG"


def show(error: VireoError, screen: Screen) -> int:
    """Print an error that a user can act on; its exit code."""
    if screen.json:
        screen.data(to_json(error), indent=None)
    width = screen.err.width if is_terminal(screen.err) else None
    for line in lines(error, width):
        screen.warn(line)
    return error.exit_code


def show_bug(error: Exception, screen: Screen) -> int:
    """Print an error that nobody foresaw: a bug of Vireo. The traceback only where VIREO_DEBUG is set."""
    summary = f"{type(error).__name__}: {printable(str(error))}"
    if screen.json:
        body = {"summary": summary, "detail": "", "hint": "", "exit_code": EXIT_FAILURE, "problems": []}
        screen.data({"event": "error", "error": body}, indent=None)
    screen.warn(Text.assemble(("Error: ", "bold red"), f"this is a bug in Vireo: {summary}"))
    if os.environ.get(DEBUG):
        screen.warn("".join(traceback.format_exception(error)).rstrip())
    else:
        screen.warn(f"  Please report it, with what {DEBUG}=1 prints when you run the same command again.")
    return EXIT_FAILURE


def lines(error: VireoError, width: int | None) -> list[Text]:
    """The problems first, so that what was done about them is the last thing on the screen."""
    text: list[Text] = []
    if isinstance(error, InvalidManifestsError):
        for problem in error.problems:
            text += hang(Text(), Text(printable(str(problem))), width)
    text += hang(Text("Error: ", "bold red"), Text(printable(error.summary), "bold"), width)
    for part, look in ((error.more, ""), (error.hint, "cyan")):
        for row in part.splitlines():
            text += hang(Text("  "), Text(printable(row), look), width)
    return text


def to_json(error: VireoError) -> dict[str, Any]:
    """The error object of `-o json`: ``{"event": "error", "error": {...}}``."""
    found = error.problems if isinstance(error, InvalidManifestsError) else ()
    body: dict[str, Any] = {
        "summary": error.summary,
        "detail": error.detail,
        "hint": error.hint,
        "exit_code": error.exit_code,
        "problems": [
            {"file": p.file, "line": p.line, "column": p.column, "path": p.path, "message": p.message, "hint": p.hint}
            for p in found
        ],
    }
    return {"event": "error", "error": body}
