"""`vireo import`: manifests of what a host has already. Reads the host; writes files only where there are none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli import options as o
from reconciler.cli.printers.style import plural, printable
from reconciler.cli.screen import Screen
from reconciler.errors import EXIT_FAILURE, EXIT_OK, UsageError

if TYPE_CHECKING:
    from reconciler.engine.importing import Result, Selection

_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(name="import")(import_)


def import_(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME...]", show_default=False, help="Names, KIND/NAME or Volume/POOL/NAME of what the host has."
        ),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that no project owns.")] = False,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", show_default=False, help="Only this kind. May be given several times."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output-dir", metavar="DIR", show_default=False, help="One file for each object, instead of standard output."
        ),
    ] = None,
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Write manifests of what the host has already. The host is only read; `vireo apply --adopt` takes the objects over."""
    from reconciler.engine import importing, pipeline

    screen = o.invocation(context).open(quiet=quiet, no_color=no_color)
    selection = _selection(names or [], kinds or [], everything=everything)
    options = o.engine_options(context, connect=connect)
    with screen.busy("Reading the host"), pipeline.connected(pipeline.load((), options)) as hosts:
        found = importing.read(hosts, selection)
    texts = {name: manifest.text for name, manifest in importing.file_names(found.manifests).items()}
    if folder is None:
        screen.raw("---\n".join(texts.values())) if texts else None
    else:
        _write(folder, texts)
        screen.result(f"wrote {printable(str(folder / name))}" for name in texts)
    return _say(found, folder, screen, asked=not everything)


def _selection(names: list[str], kinds: list[str], *, everything: bool) -> Selection:
    """What is asked for. Raises UsageError."""
    from reconciler.engine.importing import Selection
    from reconciler.kinds import KINDS

    if bool(names) == everything:
        message = "name what is to be imported, or say --all" if not names else "--all and names exclude each other"
        raise UsageError(message, hint="examples: vireo import web1, vireo import --all --kind Domain -o manifests")
    known = {kind.lower(): kind for kind in KINDS}
    unknown = [kind for kind in kinds if kind.lower() not in known]
    if unknown:
        raise UsageError(f"--kind {unknown[0]}: there is no such kind to import", hint=f"kinds are: {', '.join(KINDS)}")
    return Selection(tuple(names), frozenset(known[kind.lower()] for kind in kinds) or frozenset(KINDS), everything)


def _write(folder: Path, texts: dict[str, str]) -> None:
    """All files, or none if one of them is there already. Raises UsageError."""
    taken = [name for name in texts if os.path.lexists(folder / name)]
    if taken:
        more = f" and {len(taken) - _SHOWN} more" if len(taken) > _SHOWN else ""
        message = f"{folder}: {', '.join(taken[:_SHOWN])}{more} is there already; nothing was written"
        raise UsageError(message, hint="choose an empty folder: -o DIR")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}", hint="choose another folder: -o DIR") from error


def _say(found: Result, folder: Path | None, screen: Screen, *, asked: bool) -> int:
    """What was passed over and what could not be imported; the exit code that it makes."""
    for identity, project in found.owned.items():
        line = f"{printable(str(identity))} was passed over: it belongs to the project {printable(project)}"
        screen.warn(line) if asked else screen.note(line)
    for item in found.refused:
        screen.warn(f"{printable(str(item.observed.id))} cannot be imported: {printable(item.reason)}")
    for manifest in found.manifests:
        if manifest.inexact:
            paths = ", ".join(manifest.inexact[:_SHOWN])
            screen.warn(f"{printable(str(manifest.observed.id))}: the manifest is not the same as the host at {printable(paths)}")
    if not found.manifests:
        screen.note("Nothing was imported.")
    elif folder is not None:
        screen.note(f"{plural(len(found.manifests), 'manifest')}. Next: vireo plan {printable(str(folder))} --adopt")
    wrong = found.refused or (asked and found.owned) or any(manifest.inexact for manifest in found.manifests)
    return EXIT_FAILURE if wrong else EXIT_OK
