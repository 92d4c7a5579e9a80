"""`vireo snapshot`: create, list, show, revert, delete. Of the domains of a project, by the same lock and events as apply."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reconciler.cli import options as o
from reconciler.cli import work
from reconciler.cli.applying import Run, must_be_able_to_ask
from reconciler.cli.printers.style import printable
from reconciler.cli.screen import Screen, Shape
from reconciler.errors import EXIT_FAILURE, EXIT_OK
from reconciler.model.plan import Plan, Verb
from reconciler.model.snapshot import SnapshotSpec

if TYPE_CHECKING:
    from reconciler.engine.pipeline import Options, Prepared
    from reconciler.engine.snapshots import Listing, Row

snapshot = typer.Typer(help="Snapshots of domains: taken, shown, reverted to, deleted.", no_args_is_help=True)

Mode = Literal["auto", "internal", "external"]
Switch = Literal["auto", "true", "false"]

Domain = Annotated[
    str, typer.Argument(metavar="NAME", help="The domain; HOST/NAME where several hosts have it.", show_default=False)
]
SomeDomain = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="The domain; left out: every domain of the project. A folder with a / is a PATH.",
        show_default=False,
    ),
]
Which = Annotated[str, typer.Argument(metavar="SNAPSHOT", help="The snapshot's name.", show_default=False)]
MaybeNew = Annotated[
    str | None,
    typer.Argument(
        metavar="[SNAPSHOT]", help="Its name; left out: made from the time. With a / it is a PATH.", show_default=False
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH...]", help="The project's manifests; left out: this folder.", show_default=False),
]
Output = Annotated[Shape, typer.Option("-o", "--output", help="Form of the result; json is one event a line.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(snapshot, name="snapshot")


@snapshot.command()
def create(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    name: Domain,
    new: MaybeNew = None,
    paths: Where = None,
    *,
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="What for.", show_default=False)] = "",
    mode: Annotated[Mode, typer.Option("--mode", help="Within the disks' own files, or by overlays on top of them.")] = "auto",
    memory: Annotated[Switch, typer.Option("--memory", help="Whether a running guest's memory is in it.")] = "auto",
    quiesce: Annotated[Switch, typer.Option("--quiesce", help="Whether the guest's agent freezes its file systems.")] = "auto",
    disks: Annotated[
        list[str] | None,
        typer.Option("--disk", metavar="TARGET", help="A disk that is in it. Left out: all.", show_default=False),
    ] = None,
    output: Output = Shape.TEXT,
    allow: o.Allow = None,
    wait: o.Wait = "1m",
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Take a snapshot of a domain."""
    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    run = Run(screen, 1, o.duration(wait, "--wait"))
    folders, called = _sorted_out(new, paths)

    def ask_for(ready: Prepared) -> SnapshotSpec:
        from reconciler.planning.taken import stamped

        known = called or stamped("manual", ready.plan.created)
        return SnapshotSpec(known, description, mode, memory, quiesce, tuple(disks or ()), way="hand")

    return _carry_out(run, folders, o.engine_options(context, connect=connect, allow=allow), (Verb.SNAPSHOT, name, ask_for))


@snapshot.command(name="list")
def list_(
    context: typer.Context,
    name: SomeDomain = None,
    paths: Where = None,
    *,
    output: o.ShapeOutput = Shape.TEXT,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Show the snapshots that domains have, as a tree: also those that other people took."""
    from reconciler.cli.printers import snapshots as printer
    from reconciler.engine import snapshots as engine

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    folders, called = list(paths or ()), name or ""
    if called in {".", ".."} or ("/" in called and Path(called).exists()):
        folders, called = [called, *folders], ""
    with work.prepared(folders or ["."], o.engine_options(context, connect=connect), screen) as (ready, _hosts):
        found = engine.listings(ready, called)
    if screen.json:
        screen.data(printer.to_json(found))
    else:
        screen.result(printer.listing(found, screen.width))
    return EXIT_OK if all(host.reachable for host in ready.plan.hosts) else EXIT_FAILURE


@snapshot.command()
def show(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    name: Domain,
    which: Which,
    paths: Where = None,
    *,
    output: o.ShapeOutput = Shape.TEXT,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Show everything that is known of one snapshot."""
    from reconciler.cli.printers import snapshots as printer
    from reconciler.engine import snapshots as engine

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    with work.prepared(paths or ["."], o.engine_options(context, connect=connect), screen) as (ready, _hosts):
        [one] = engine.listings(ready, name)
        row = engine.found(one, which)
    if screen.json:
        screen.data({"format": printer.FORMAT, "domain": one.id.name, "host": one.id.host, **printer.row_json(row)})
    else:
        screen.result(printer.show(one, row))
    return EXIT_OK


@snapshot.command()
def revert(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    name: Domain,
    which: Which,
    paths: Where = None,
    *,
    yes: o.Yes = False,
    output: Output = Shape.TEXT,
    allow: o.Allow = None,
    wait: o.Wait = "1m",
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Bring a domain back to a snapshot. What was written since is lost: it needs --allow data-loss."""
    from reconciler.cli.printers import snapshots as printer
    from reconciler.engine import snapshots as engine

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    run = Run(screen, 1, o.duration(wait, "--wait"))
    must_be_able_to_ask(screen, "snapshot revert", yes=yes, instead="--yes")

    def tell(one: Listing, row: Row) -> None:
        later = engine.later(one, row)
        screen.result(printer.loss(one, row, later, time.time(), screen.width))

    wanted, agree = o.engine_options(context, connect=connect, allow=allow), None if yes else _agree("Revert it? [y/N]")
    return _carry_out(run, paths or ["."], wanted, (Verb.REVERT, name, lambda _: SnapshotSpec(which)), tell, agree)


@snapshot.command()
def delete(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    name: Domain,
    which: Which,
    paths: Where = None,
    *,
    yes: o.Yes = False,
    output: Output = Shape.TEXT,
    wait: o.Wait = "1m",
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Delete a snapshot of a domain, whoever took it. The domain goes on as it is."""
    from reconciler.cli.printers import snapshots as printer

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    run = Run(screen, 1, o.duration(wait, "--wait"))
    must_be_able_to_ask(screen, "snapshot delete", yes=yes, instead="--yes")
    told: list[str] = []

    def tell(one: Listing, row: Row) -> None:
        told.append(printer.deletion(one, row, done=True))
        if not yes:
            screen.result([printer.deletion(one, row, done=False)])

    wanted, agree = o.engine_options(context, connect=connect), None if yes else _agree("Delete it? [y/N]")
    asked = (Verb.DELETE_SNAPSHOT, name, lambda _: SnapshotSpec(which, way="hand"))
    code = _carry_out(run, paths or ["."], wanted, asked, tell, agree)
    screen.result(told if code == EXIT_OK else [])
    return code


def _sorted_out(new: str | None, paths: Sequence[str] | None) -> tuple[list[str], str]:
    """The manifests and the name. No snapshot's name has a / in it, or is a dot."""
    is_path = new is not None and ("/" in new or new in {".", ".."})
    folders = [new, *(paths or ())] if is_path and new is not None else list(paths or ())
    return folders or ["."], "" if is_path or new is None else new


def _agree(question: str) -> Callable[[Plan, Screen], bool]:
    def ask(_plan: Plan, screen: Screen) -> bool:
        return screen.ask(question).lower() in ("y", "yes")

    return ask


def _carry_out(
    run: Run,
    paths: Sequence[str],
    wanted: Options,
    asked: tuple[Verb, str, Callable[[Prepared], SnapshotSpec]],
    tell: Callable[[Listing, Row], None] | None = None,
    agree: Callable[[Plan, Screen], bool] | None = None,
) -> int:
    """Make the small plan, `tell` what it means, and do it. The exit code."""
    from reconciler.engine import snapshots as engine

    verb, name, spec = asked
    with work.prepared(paths, wanted, run.screen) as (ready, hosts):
        request = engine.Request(verb, name, spec(ready))
        small = engine.prepare(ready, request)
        if tell is not None and not run.screen.json:
            [one] = engine.listings(ready, name)
            tell(one, engine.found(one, request.spec.name))
        for action in small.plan.blocked:
            run.screen.warn(f"Blocked: {printable(action.blocked or '')}")
        return run.carry_out(small, hosts, agree, engine.again(request))
