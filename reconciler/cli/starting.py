"""`vireo init`: a small project that plans and applies as it is. Copies the files of init/; overwrites nothing."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli import options as o
from reconciler.errors import EXIT_OK, UsageError

_NAME = "PROJECT_NAME"
_RENAMED = {"gitignore": ".gitignore"}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(init)


def init(
    context: typer.Context,
    folder: Annotated[
        str, typer.Argument(metavar="[DIR]", show_default=False, help="The project's folder; the current one without it.")
    ] = ".",
    *,
    quiet: o.Quiet = False,
) -> int:
    """Write a small project to begin with: a pool, a volume and a domain."""
    screen = o.invocation(context).open(quiet=quiet, no_color=False)
    target = Path(folder)
    sources = sorted(_sources(), key=lambda item: item.name)
    texts = {_RENAMED.get(item.name, item.name): item.read_text(encoding="utf-8") for item in sources}
    taken = sorted(name for name in texts if os.path.lexists(target / name))
    if taken:
        raise UsageError(
            f"{target}: {', '.join(taken)} is there already; nothing was written", hint="choose another folder: vireo init DIR"
        )
    project = _project_name(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (target / name).open("x", encoding="utf-8") as file:
                file.write(text.replace(_NAME, project))
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", hint="choose another folder: vireo init DIR") from error
    screen.result(f"wrote {target / name}" for name in texts)
    screen.note(f"Next: vireo plan {folder}, then vireo apply {folder}")
    return EXIT_OK


def _sources() -> list[Traversable]:
    return [item for item in files("reconciler.cli").joinpath("init").iterdir() if item.is_file()]


def _project_name(folder: Path) -> str:
    """A name that the Project's schema accepts, from the folder's."""
    name = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-")
    return name or "homelab"
