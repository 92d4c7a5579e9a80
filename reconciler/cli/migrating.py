"""`vireo migrate`: a domain to another host, by the same locks and events as apply; `--check` asks and does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli import options as o
from reconciler.cli import work
from reconciler.cli.applying import Run
from reconciler.cli.printers.style import printable
from reconciler.cli.screen import Screen, Shape
from reconciler.errors import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from reconciler.engine.migrating import Table

Output = Annotated[Shape, typer.Option("-o", "--output", help="Form of the result; json is one event a line.")]


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(migrate)


def migrate(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The domain; HOST/NAME where several hosts have it.", show_default=False)
    ],
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="The project's manifests; left out: this folder.", show_default=False),
    ] = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="HOST", help="The host that it moves to.", show_default=False)],
    check: Annotated[bool, typer.Option("--check", help="Only ask whether it can be moved; nothing is touched.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Afterwards change `host:` in the manifest, and nothing else.")] = False,
    output: Output = Shape.TEXT,
    allow: o.Allow = None,
    wait: o.Wait = "1m",
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Move a domain to another host, live if it runs. Ctrl-C gives it up: the guest goes on where it was."""
    from reconciler.engine import migrating as engine
    from reconciler.engine import pipeline

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    run = Run(screen, 1, o.duration(wait, "--wait"))
    folders, wanted = paths or ["."], o.engine_options(context, connect=connect, allow=allow)
    request = engine.Request(name, to)
    with work.prepared(folders, wanted, screen) as (ready, hosts):
        if check:
            with screen.busy("Asking both hosts"):
                table = engine.check(ready, hosts, request)
            return _show(table, screen)
        small = engine.prepare(ready, request)
        if not small.plan.actions:
            screen.note(f"{printable(name)} is on {printable(to)} already.")
        for action in small.plan.blocked:
            screen.warn(f"Blocked: {printable(action.blocked or '')}")
        code = run.carry_out(small, hosts, None, engine.again(request))
    if code == EXIT_OK:
        manifests = pipeline.load(folders, wanted)
        short = small.plan.resources[0].id.name
        where = engine.rewrite(manifests, short, to) if write else engine.names_other(manifests, short, to)
        if where is not None:
            said = f"now names {to}" if write else f"still names another host: the next apply would move {short} back"
            screen.warn(printable(f"{where}: the manifest {said}"))
            if not write:
                screen.warn(f"  Change it to `host: {printable(to)}`; or --write does so.")
    return code


def _show(table: Table, screen: Screen) -> int:
    from reconciler.cli.printers import preflight as printer

    if screen.json:
        screen.data(printer.to_json(table))
    else:
        screen.result(printer.lines(table, screen.symbols, screen.width))
    return EXIT_OK if table.fits else EXIT_FAILURE
