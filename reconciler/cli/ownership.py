"""`vireo inventory` and `vireo unlock`: what is written down on the hosts about who owns what, and who is applying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from reconciler.cli import options as o
from reconciler.cli.printers.style import plural, printable
from reconciler.cli.screen import Screen, Shape
from reconciler.errors import EXIT_FAILURE, EXIT_OK, UsageError

if TYPE_CHECKING:
    from reconciler.engine.pipeline import Hosts, Options

inventory = typer.Typer(help="What the project owns on its hosts.", no_args_is_help=False)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(inventory, name="inventory")
    app.command()(unlock)


@inventory.command()
def show(
    context: typer.Context,
    paths: o.SomePaths = None,
    *,
    output: o.ShapeOutput = Shape.TEXT,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Show what is owned on the hosts of the manifests; without manifests, on the connected host."""
    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    return print_inventory(paths or (), o.engine_options(context, connect=connect), screen)


def print_inventory(paths: Sequence[str], wanted: Options, screen: Screen) -> int:
    """The marks of all projects, as text or JSON. Used by `status` without manifests, too."""
    from reconciler.cli.printers import tables
    from reconciler.engine import pipeline

    with pipeline.connected(pipeline.load(paths, wanted)) as hosts:
        marks = pipeline.inventory(hosts)
        code = _say_unreachable(hosts, screen)
    if screen.json:
        screen.data(tables.inventory_json(marks))
    else:
        screen.result(tables.inventory(marks, screen.width))
    return code


def _say_unreachable(hosts: Hosts, screen: Screen) -> int:
    """Name the hosts that do not answer; the exit code that they make."""
    for host, error in hosts.errors.items():
        screen.warn(f"{printable(host)} is not reachable: {printable(error.summary)}")
    return EXIT_FAILURE if hosts.errors else EXIT_OK


@inventory.command()
def rebuild(
    context: typer.Context,
    paths: o.Paths,
    *,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Write the inventory again, from the marks of domains and from the manifests, after it was lost."""
    from reconciler.engine import pipeline

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color)
    with pipeline.connected(pipeline.load(paths, o.engine_options(context, connect=connect))) as hosts:
        found = pipeline.rebuild(hosts)
        code = _say_unreachable(hosts, screen)
    screen.result(f"{printable(host)}: {plural(len(marks), 'resource')} in the inventory" for host, marks in found.items())
    return code


def unlock(
    context: typer.Context,
    paths: o.SomePaths = None,
    *,
    yes: o.Yes = False,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Break the project's lock, after an apply that cannot end any more. First make sure that it does not run."""
    from reconciler.engine import pipeline

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color)
    with pipeline.connected(pipeline.load(paths or (), o.engine_options(context, connect=connect))) as hosts:
        held = pipeline.holders(hosts)
        code = _say_unreachable(hosts, screen)
        if not held:
            screen.result(["Nothing is locked."])
            return code
        for host, holder in held.items():
            screen.warn(f"{printable(host)}: {printable(str(holder))}")
        if not yes:
            if not screen.can_ask:
                raise UsageError("unlock asks before it breaks a lock, and there is no terminal to ask on", hint="use --yes")
            if screen.ask("Break the lock? [y/N]").lower() not in ("y", "yes"):
                screen.warn("Nothing was done.")
                return EXIT_FAILURE
        pipeline.unlock(hosts)
    screen.result([f"Unlocked: {', '.join(printable(host) for host in held)}"])
    return code
