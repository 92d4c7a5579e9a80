"""`vireo status`: what there is, in a table."""

from __future__ import annotations

import typer

from reconciler.cli import options as o
from reconciler.cli import ownership, work
from reconciler.cli.screen import Shape
from reconciler.errors import EXIT_FAILURE, EXIT_OK


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(status)


def status(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    paths: o.SomePaths = None,
    *,
    output: o.ShapeOutput = Shape.TEXT,
    labels: o.Labels = None,
    targets: o.Targets = None,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Show each resource with its state. Without manifests: what any project owns on the connected host."""
    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    wanted = o.engine_options(context, connect=connect, labels=labels, targets=targets)
    if not paths:
        return ownership.print_inventory((), wanted, screen)
    from reconciler.cli.printers import tables

    with work.prepared(paths, wanted, screen) as (ready, _hosts):
        from reconciler.engine import snapshots

        plan, counts = ready.plan, snapshots.counted(ready.states)
    if screen.json:
        screen.data(tables.status_json(plan, counts))
    else:
        screen.result(tables.status(plan, screen.symbols, screen.width, counts))
    return EXIT_OK if all(host.reachable for host in plan.hosts) else EXIT_FAILURE
