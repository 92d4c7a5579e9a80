"""Pieces of Markdown (GitHub's and GitLab's), with everything foreign made harmless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.cli.printers.style import printable

_ENTITIES = {ord(char): f"&#{ord(char)};" for char in "\\|`*_[]@#~<>&"}


def code(text: str) -> str:
    """Text in code type. HTML's own element, so that backticks, pipes and angle brackets in it stay what they are."""
    return f"<code>{escape(text)}</code>"


def escape(text: str) -> str:
    """Text that neither ends a table cell nor becomes markup, a link or a mention."""
    return printable(text).translate(_ENTITIES)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose cells are Markdown already."""
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
