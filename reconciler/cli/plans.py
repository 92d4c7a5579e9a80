"""`vireo plan` and `vireo drift`: look, and change nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli import options as o
from reconciler.cli import work
from reconciler.cli.screen import Format, Screen
from reconciler.errors import EXIT_CHANGES, EXIT_FAILURE, EXIT_OK
from reconciler.model.plan import Plan

Output = Annotated[Format, typer.Option("-o", "--output", help="Form of the result; markdown is for pull requests.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(plan)
    app.command()(drift)


def plan(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    paths: o.OwnPaths = None,
    *,
    output: Output = Format.TEXT,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", show_default=False, help="Save the plan, for `vireo apply --plan FILE`."),
    ] = None,
    detailed_exitcode: Annotated[bool, typer.Option("--detailed-exitcode", help="Exit 2 if there is something to do.")] = False,
    labels: o.Labels = None,
    targets: o.Targets = None,
    prune: o.Prune = None,
    adopt: o.Adopt = False,
    allow: o.Allow = None,
    allow_mass_delete: o.AllowMassDelete = False,
    correct_reverted: o.CorrectReverted = False,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Show what apply would do, in order and with reasons. Changes nothing."""
    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Format.JSON)
    wanted = o.engine_options(
        context,
        connect=connect,
        prune=prune,
        allow=allow,
        adopt=adopt,
        allow_mass_delete=allow_mass_delete,
        correct_reverted=correct_reverted,
        labels=labels,
        targets=targets,
    )
    with work.prepared(paths or o.HERE, wanted, screen) as (ready, _hosts):
        if out is not None:
            from reconciler.engine import saved

            saved.save(ready, wanted, paths or o.HERE, out)
    show(ready.plan, output, screen)
    if out is not None:
        screen.note(f"Saved. To do exactly this: vireo apply --plan {out}")
    if not all(host.reachable for host in ready.plan.hosts):
        return EXIT_FAILURE
    return EXIT_CHANGES if detailed_exitcode and ready.plan.actions else EXIT_OK


def show(plan: Plan, output: Format, screen: Screen) -> None:
    """Print a plan in one of its three forms."""
    match output:
        case Format.TEXT:
            from reconciler.cli.printers import plan_text

            screen.result(plan_text.lines(plan, screen.symbols, screen.width))
        case Format.JSON:
            screen.data(plan.to_json())
        case Format.MARKDOWN:
            from reconciler.cli.printers import plan_markdown

            screen.raw(plan_markdown.document(plan))


def drift(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    paths: o.OwnPaths = None,
    *,
    output: Output = Format.TEXT,
    labels: o.Labels = None,
    targets: o.Targets = None,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Show where the hosts moved away from what was last applied. Exit 2 if they did. Changes nothing."""
    from reconciler.cli.printers import drift as printer

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Format.JSON)
    wanted = o.engine_options(context, connect=connect, labels=labels, targets=targets)
    with work.prepared(paths or o.HERE, wanted, screen) as (ready, _hosts):
        pass
    found = printer.drifted(ready.plan)
    match output:
        case Format.TEXT:
            screen.result(printer.lines(ready.plan, found, screen.width))
        case Format.JSON:
            screen.data(printer.to_json(ready.plan, found))
        case Format.MARKDOWN:
            screen.raw(printer.markdown(ready.plan, found))
    if not all(host.reachable for host in ready.plan.hosts):
        return EXIT_FAILURE
    return EXIT_CHANGES if found else EXIT_OK
