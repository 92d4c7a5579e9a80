"""An explanation as text and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from reconciler.cli.printers.style import printable, resource, value

if TYPE_CHECKING:
    from reconciler.engine.explain import Explanation, Row

FORMAT = "vireo-explain/1"


def lines(found: Explanation) -> list[Text]:
    """A heading, then a block for each path."""
    plan = found.plan
    out = [Text.assemble((resource(plan.id), "bold"), f" on {printable(plan.id.host)}: {plan.status.value}")]
    out.append(Text(f"  state: {plan.desired_state} is wanted, {plan.observed_state} is observed"))
    if plan.note:
        out.append(Text(f"  {printable(plan.note)}"))
    for row in found.rows:
        out += [Text(), Text(printable(row.path), "bold"), *_block(plan.id.kind, row)]
    if not found.rows:
        out.append(Text("  Nothing differs; name a path to see its values."))
    return out


def _block(kind: str, row: Row) -> Iterator[Text]:
    for name, column in (("desired", row.desired), ("persistent", row.persistent), ("live", row.live)):
        yield _line(name, "(present)" if column == "" and "/@" not in row.path else value(kind, row.path, column))
    entries = {
        "cause": row.cause,
        "impact": row.impact,
        "declared by": row.owner + (f", {row.declared_at}" if row.declared_at else ""),
        "how it changes": row.how,
        "why not gentler": row.why_not_gentler,
        "what is done": row.outcome,
    }
    yield from (_line(name, text) for name, text in entries.items() if text)


def _line(name: str, text: str) -> Text:
    return Text.assemble((f"  {name + ':':17}", "dim"), printable(text))


def to_json(found: Explanation) -> dict[str, Any]:
    """Plain data, one object for each path."""
    plan = found.plan
    identity = {"kind": plan.id.kind, "name": plan.id.name, "host": plan.id.host, "status": plan.status.value, "note": plan.note}
    return {"format": FORMAT, **identity, "paths": [dataclasses.asdict(row) for row in found.rows]}
