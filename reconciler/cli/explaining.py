"""`vireo explain`: why a resource is as it is in the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli import options as o
from reconciler.cli import work
from reconciler.cli.screen import Shape
from reconciler.errors import EXIT_FAILURE, EXIT_OK

Name = Annotated[str, typer.Argument(metavar="KIND/NAME", help="The resource.", show_default=False)]
Rest = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH...]",
        help="Manifests (default: this folder), and a path of the definition to explain, such as memory or devices/disk[vda].",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(explain)


def explain(
    context: typer.Context,
    name: Name,
    rest: Rest = None,
    *,
    output: o.ShapeOutput = Shape.TEXT,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Tell of each difference: its columns, cause, impact, who declares it and where, what is done and why not more gently."""
    from reconciler.cli.printers import explained
    from reconciler.engine import explain as engine
    from reconciler.engine import pipeline

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    wanted = o.engine_options(context, connect=connect)
    paths, pattern = _sorted_out(rest or ())
    with work.prepared(paths, wanted, screen) as (ready, _hosts):
        found = engine.explain(ready, pipeline.load(paths, wanted), name, pattern)
    if screen.json:
        screen.data(explained.to_json(found))
    else:
        screen.result(explained.lines(found))
    return EXIT_OK if all(host.reachable for host in ready.plan.hosts) else EXIT_FAILURE


def _sorted_out(words: Sequence[str]) -> tuple[list[str], str]:
    """What is there as a file is a manifest; another word is a path of the definition."""
    files = [word for word in words if Path(word).exists()]
    others = [word for word in words if word not in files]
    return files or ["."], others[-1] if others else ""
