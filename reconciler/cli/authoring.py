"""`vireo validate`, `render` and `schema`: for the author of manifests; no host is touched, most of it works without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli import options as o
from reconciler.cli import work
from reconciler.cli.printers.style import plural
from reconciler.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from reconciler.model.state import Desired

_SHOWN = 20  # names in a hint


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(validate)
    app.command()(render)
    app.command()(schema)


def validate(
    context: typer.Context,
    paths: o.OwnPaths = None,
    *,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Check manifests without any host: YAML, schema, references, templates, and libvirt's own XML schemas."""
    from reconciler.engine import pipeline

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color)
    manifests = pipeline.load(paths or o.HERE, o.engine_options(context, connect=connect))
    desired = pipeline.check(manifests)
    files = {item.source.file for item in desired}
    screen.result([f"OK: {plural(len(desired), 'resource')} in {plural(len(files), 'file')}"])
    return EXIT_OK


def render(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH... [NAME]",
            show_default=False,
            help="Manifests; then NAME, KIND/NAME or Volume/POOL/NAME for one resource only.",
        ),
    ],
    *,
    live: Annotated[bool, typer.Option("--live", help="Ask the hosts what they offer, instead of assuming a usual one.")] = False,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Print the libvirt XML that manifests ask for. Secret values are never in it."""
    from reconciler.engine import pipeline

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color)
    files, name = _split(paths)
    options = o.engine_options(context, connect=connect)
    if live:
        with work.prepared(files, options, screen) as (ready, _hosts):
            desired: Sequence[Desired] = [item.desired for item in ready.plan.resources if item.desired is not None]
    else:
        desired = pipeline.check(pipeline.load(files, options))
    chosen = [item for item in desired if name in (None, item.id.name, str(item.id), f"{item.id.kind}/{item.id.name}")]
    if not chosen:
        known = [str(item.id) for item in desired]
        more = ", ..." if len(known) > _SHOWN else ""
        raise UsageError(
            f"no manifest declares {name or 'a resource'}", hint=f"there are: {', '.join(known[:_SHOWN])}{more}" if known else ""
        )
    for item in chosen:
        if len(chosen) > 1:
            comment = f"{item.id} on {item.id.host}, from {item.source}".replace("--", "- -")
            screen.raw(f"<!-- {comment} -->")
        screen.raw(item.xml)
    return EXIT_OK


def _split(words: Sequence[str]) -> tuple[list[str], str | None]:
    """PATH... and NAME: the last word is a name if it is not the only one and no file is called so."""
    if len(words) > 1 and not Path(words[-1]).exists():
        return list(words[:-1]), words[-1]
    return list(words), None


def schema(
    context: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", show_default=False, help="Without it: the kinds that there are.")
    ] = None,
) -> int:
    """Print the JSON Schema of a kind, for editors and checks in CI."""
    from reconciler.manifest import schema as schemas
    from reconciler.manifest import shape

    screen = o.invocation(context).open(quiet=False, no_color=False)
    kinds = {name.lower(): name for name in shape.kinds()}
    if kind is None:
        screen.result(kinds.values())
        return EXIT_OK
    if kind.lower() not in kinds:
        raise UsageError(f"there is no kind {kind}", hint=f"kinds are: {', '.join(kinds.values())}")
    screen.data(schemas.document(kinds[kind.lower()]))
    return EXIT_OK
