"""`vireo init`: a small project that plans and applies as it is. Copies the files of init/; overwrites nothing."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from reconciler.cli import options as o
from reconciler.errors import EXIT_OK, UsageError

_NAME = "PROJECT_NAME"
_IMAGES = "IMAGES_PATH"
_URI = "HOST_URI"
_HOSTS = "hosts.yaml"
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
    connect: Annotated[
        str | None,
        typer.Option(
            "-c", "--connect", metavar="URI", show_default=False, help="The project's host. Without it, every command says it."
        ),
    ] = None,
    quiet: o.Quiet = False,
) -> int:
    """Write a small project to begin with: a pool, a volume and a domain."""
    said = o.invocation(context)
    screen = said.open(quiet=quiet, no_color=False)
    target, uri = Path(folder), connect or said.connect
    project = _project_name(target)
    known = uri or os.environ.get("VIREO_CONNECT") or os.environ.get("LIBVIRT_DEFAULT_URI") or ""
    values = {_NAME: project, _IMAGES: json.dumps(_images(known, project)), _URI: json.dumps(uri)}
    texts = {name: _filled(text, values) for name, text in _sources().items() if uri or name != _HOSTS}
    taken = sorted(name for name in texts if os.path.lexists(target / name))
    if taken:
        message = f"{target}: already there: {', '.join(taken)}; nothing was written"
        raise UsageError(message, hint="choose another folder: vireo init DIR")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (target / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", hint="choose another folder: vireo init DIR") from error
    screen.result(f"wrote {target / name}" for name in texts)
    screen.note(f"Next: vireo plan {folder}, then vireo apply {folder}")
    return EXIT_OK


def _sources() -> dict[str, str]:
    """The files of the project, by the names that they will have."""
    found = [item for item in files("reconciler.cli").joinpath("init").iterdir() if item.is_file()]
    return {_RENAMED.get(item.name, item.name): item.read_text(encoding="utf-8") for item in sorted(found, key=lambda i: i.name)}


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _project_name(folder: Path) -> str:
    """A name that the Project's schema accepts, from the folder's."""
    name = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-")
    return name or "homelab"


def _images(uri: str, project: str) -> str:
    """Where libvirt keeps disks: the system's daemon in its own folder, a user's in the user's home."""
    parts = urlsplit(uri)
    if parts.path != "/session":
        return f"/var/lib/libvirt/images/{project}"
    # A user's home on another machine is not known here.
    return f"/var/tmp/{project}" if parts.netloc else str(Path.home() / ".local/share/libvirt/images" / project)  # noqa: S108
