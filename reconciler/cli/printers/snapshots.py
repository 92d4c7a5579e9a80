"""Snapshots as a tree, one by one, and as JSON; and what a revert loses, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from reconciler.cli.printers import style
from reconciler.cli.printers.layout import columns, hang
from reconciler.cli.printers.style import printable

if TYPE_CHECKING:
    from reconciler.engine.snapshots import Listing, Row

FORMAT = "vireo-snapshots/1"
_STEPS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_STATES = {"running": "running", "paused": "paused"}  # of a snapshot; one of disks only leaves the domain stopped
_KINDS = ("internal", "external", "internal and external")


def listing(found: Sequence[Listing], width: int | None) -> list[Text]:
    """A tree for each domain that has snapshots; children stand below their parents."""
    out: list[Text] = []
    for one in found:
        head = Text.assemble(
            (style.resource(one.id), "bold"), f" on {printable(one.id.host)}: {printable(one.plan.observed_state)}"
        )
        reverted = f"; reverted to {printable(one.reverted)}" if one.reverted else ""
        reverted = f"; the revert to {printable(one.reverting)} is not finished" if one.reverting else reverted
        out += [Text()] if out else []
        if not one.rows:
            out.append(head + Text(", no snapshots"))
            continue
        out.append(head + Text(f", {style.plural(len(one.rows), 'snapshot')}{reverted}"))
        titles = [Text(word, "bold") for word in ("SNAPSHOT", "TAKEN", "STATE", "KIND", "SIZE", "BY", "DESCRIPTION")]
        out += columns([titles, *_rows(one.rows)], indent=2, width=width)
    return out or [Text("The project has no domains.")]


def _rows(rows: Sequence[Row]) -> Iterator[list[Text]]:
    names = {row.snapshot.name for row in rows}

    def below(parent: str, depth: int) -> Iterator[list[Text]]:
        for row in rows:
            if (row.snapshot.parent if row.snapshot.parent in names else "") == parent:
                yield _row(row, depth)
                yield from below(row.snapshot.name, depth + 1)

    yield from below("", 0)


def _row(row: Row, depth: int) -> list[Text]:
    snapshot = row.snapshot
    name = Text.assemble("  " * depth, (printable(snapshot.name), "bold" if snapshot.current else ""))
    return [
        name + Text(" (current)" if snapshot.current else "", "cyan"),
        *map(Text, (_time(snapshot.created), printable(snapshot.state), kind(row), _size(row), _by(row))),
        Text(printable(snapshot.description), "dim"),
    ]


def kind(row: Row) -> str:
    """``internal``, ``external`` or both, and whether the guest's memory is in it."""
    snapshot = row.snapshot
    word = _KINDS[2] if snapshot.internal and snapshot.overlays else _KINDS[bool(snapshot.overlays or snapshot.memory_file)]
    return f"{word}, memory" if snapshot.has_memory else word


def _size(row: Row) -> str:
    return "" if row.size is None else style.amount(row.size)


def _by(row: Row) -> str:
    """Whose it is, and whether the manifest asks for it."""
    return ("vireo" if row.ours else "others") + (", declared" if row.declared else "")


def _time(created: int) -> str:
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def show(one: Listing, row: Row) -> list[Text]:
    """Everything that is known of one snapshot."""
    snapshot = row.snapshot
    facts = {
        "domain": f"{style.resource(one.id)} on {printable(one.id.host)}",
        "taken": _time(snapshot.created),
        "state": printable(snapshot.state),
        "kind": kind(row),
        "current": "yes" if snapshot.current else "no",
        "parent": printable(snapshot.parent),
        "by": _by(row),
        "description": printable(snapshot.description),
        "disks": ", ".join(sorted({*snapshot.internal, *snapshot.overlays})),
        "overlays": ", ".join(f"{target}: {printable(path)}" for target, path in snapshot.overlays.items()),
        "memory image": printable(snapshot.memory_file),
        "size": _size(row),
    }
    rows = ([Text(f"{name}:", "dim"), Text(value)] for name, value in facts.items() if value)
    return [Text(printable(snapshot.name), "bold"), *columns(rows, indent=2, width=None)]


def loss(one: Listing, row: Row, later: Sequence[str], now: float, width: int | None) -> list[Text]:
    """What a revert to this snapshot takes away. `now` is in seconds since the epoch."""
    snapshot = row.snapshot
    when = f"{_time(snapshot.created)}, {ago(now - snapshot.created)} ago"
    head = f"{style.resource(one.id)} goes back to snapshot {printable(snapshot.name)} of {when}."
    disks = ", ".join(sorted({*snapshot.internal, *snapshot.overlays})) or "none"
    active = one.plan.observed_state in {"running", "paused"}
    memory = " The guest is cut off, and what is in its memory now is lost." if active else ""
    told = [f"Lost: everything that was written since then to the disks in it ({disks}).{memory}"]
    if later:
        told.append(f"Taken since, and kept: {', '.join(map(printable, later))}. What they hold can be reverted to again.")
    told.append(f"It is {_STATES.get(snapshot.state, 'stopped')} afterwards.")
    told.append("Its definition becomes the one of then; apply does not undo that unless it is told to (--correct-reverted).")
    return [Text(head, "bold"), *(line for text in told for line in hang(Text("  "), Text(text), width))]


def deletion(one: Listing, row: Row, *, done: bool) -> str:
    """That a snapshot goes, or is `done`, and what a person should know of it."""
    by = "" if row.ours else " It was not taken by Vireo."
    again = " The manifest declares it: the next apply takes it anew." if row.declared else ""
    what = f"napshot {printable(row.snapshot.name)} of {printable(str(one.id))}"
    return f"S{what} is deleted.{by}{again}" if done else f"This deletes s{what}.{by}{again}"


def ago(seconds: float) -> str:
    """A span of time in its two largest units: ``3 days 2 hours``."""
    rest, parts = max(0, int(seconds)), []
    for size, word in _STEPS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(style.plural(count, word))
    return " ".join(parts[:2]) or "0 seconds"


def to_json(found: Sequence[Listing]) -> dict[str, Any]:
    """``vireo-snapshots/1``: plain data."""
    return {"format": FORMAT, "domains": [_domain_json(one) for one in found]}


def _domain_json(one: Listing) -> dict[str, Any]:
    return {
        "name": one.id.name,
        "host": one.id.host,
        "state": one.plan.observed_state,
        "reverted": one.reverted or None,
        "reverting": one.reverting or None,
        "snapshots": [row_json(row) for row in one.rows],
    }


def row_json(row: Row) -> dict[str, Any]:
    """One snapshot."""
    snapshot = row.snapshot
    return {
        "name": snapshot.name,
        "created": snapshot.created,
        "state": snapshot.state,
        "parent": snapshot.parent or None,
        "current": snapshot.current,
        "description": snapshot.description,
        "internal": list(snapshot.internal),
        "overlays": dict(snapshot.overlays),
        "memory": snapshot.has_memory,
        "memory_file": snapshot.memory_file or None,
        "size": row.size,
        "by": "vireo" if row.ours else "others",
        "declared": row.declared,
    }
