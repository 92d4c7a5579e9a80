"""`vireo audit`: what was wiped from this machine, when, by whom and how."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli import options as o
from reconciler.cli.printers.style import plural
from reconciler.cli.screen import Shape
from reconciler.errors import EXIT_OK

Name = Annotated[
    str | None,
    typer.Argument(metavar="[KIND/NAME]", help="Only of this resource; of a volume also Volume/POOL/NAME.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(audit)


def audit(
    context: typer.Context,
    name: Name = None,
    *,
    output: o.ShapeOutput = Shape.TEXT,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Show the record of all wipes that this machine's user ran: what, where, how, verified, when, by whom. No host is asked."""
    from reconciler.cli.printers import audited
    from reconciler.engine import auditing

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    found, damaged = auditing.records(name or "")
    if damaged:
        screen.warn(f"{plural(damaged, 'line')} of the audit cannot be read")
    if screen.json:
        screen.data(audited.to_json(found))
    else:
        screen.result(audited.lines(found, screen.width))
    return EXIT_OK
