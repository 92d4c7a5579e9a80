"""The table of what was asked before a migration: each check, what was found, and what to do about it."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from reconciler.cli.printers import style
from reconciler.cli.printers.layout import blocks, hang
from reconciler.cli.printers.style import Symbols
from reconciler.engine.migrating import Table
from reconciler.model.migration import Check

FORMAT = "vireo-preflight/1"


def lines(table: Table, symbols: Symbols, width: int | None) -> list[Text]:
    """The checks in their order, a remedy below what failed or is in doubt, and at the end whether and how it would travel."""
    name, source, to = (style.printable(text) for text in (table.domain, table.source, table.to))
    text = [Text(f"Domain/{name}: {source} {symbols.arrow} {to}", "bold")]
    rows = blocks(([_mark(check, symbols), Text(style.printable(check.detail))] for check in table.checks), indent=2, width=width)
    for check, row in zip(table.checks, rows, strict=True):
        text += row
        if check.remedy and check.ok is not True:
            text += hang(Text("      "), Text(style.printable(check.remedy), "cyan"), width)
    text.append(Text())
    if table.fits:
        text.append(Text("It can be moved.", "bold green"))
        text += [line for reason in table.reasons for line in hang(Text("  "), Text(style.printable(reason)), width)]
    else:
        count = sum(check.forbids for check in table.checks)
        text.append(Text(f"It cannot be moved: {style.plural(count, 'check')} failed.", "bold red"))
    return text


def _mark(check: Check, symbols: Symbols) -> Text:
    symbol, look = (
        (symbols.done, "bold green")
        if check.ok
        else (symbols.failed, "bold red")
        if check.forbids
        else (symbols.skipped, "bold yellow")
    )
    return Text.assemble((symbol, look), " ", style.printable(check.name))


def to_json(table: Table) -> dict[str, Any]:
    """``vireo-preflight/1``."""
    return {
        "format": FORMAT,
        "domain": table.domain,
        "from": table.source,
        "to": table.to,
        "fits": table.fits,
        "checks": [
            {"name": c.name, "ok": c.ok, "fatal": c.fatal, "detail": c.detail, "remedy": c.remedy if c.ok is not True else ""}
            for c in table.checks
        ],
        "reasons": list(table.reasons),
    }
