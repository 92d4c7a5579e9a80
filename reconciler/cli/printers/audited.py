"""The audit of wipes as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from reconciler.cli.printers.layout import columns
from reconciler.cli.printers.style import printable

if TYPE_CHECKING:
    from reconciler.engine.auditing import Record

FORMAT = "vireo-audit/1"
_TITLES = ("ENDED", "RESOURCE", "HOST", "FILE", "HOW", "SIZE", "RESULT", "BY")
_MIB = 1 << 20


def lines(found: Sequence[Record], width: int | None) -> list[Text]:
    """One row a wipe, oldest first."""
    if not found:
        return [Text("Nothing was wiped from here.")]
    return columns([[Text(title, "bold") for title in _TITLES], *map(_row, found)], indent=0, width=width)


def to_json(found: Sequence[Record]) -> dict[str, Any]:
    """The contract ``vireo-audit/1``."""
    return {"format": FORMAT, "records": [one.to_json() for one in found]}


def _row(one: Record) -> list[Text]:
    ended = datetime.fromtimestamp(one.ended, UTC).strftime("%Y-%m-%d %H:%M:%S")
    passes = f", {one.passes} passes" if one.passes > 1 else ""
    result = one.result + (", read back" if one.verified else "")
    size = f"{one.bytes / _MIB:.1f} MiB"
    words = (ended, one.resource, one.host, one.path, f"{one.algorithm}{passes}", size)
    return [*(Text(printable(word)) for word in words), Text(printable(result), _colour(one)), Text(printable(one.by))]


def _colour(one: Record) -> str:
    return "green" if one.verified else "red" if one.result.startswith("failed") else "yellow"
