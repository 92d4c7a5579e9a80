"""From the paths that a user names to the manifest files behind them, and their text.

Knows folders, names and sizes; nothing of YAML. A path that cannot be read is a problem, never an empty set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import Problem

LIMIT = 4 * 1024 * 1024  # bytes of one file: about a hundred times the largest manifest that a person keeps
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class File:
    """A manifest file: `name` is how it is shown to people, `path` how it is opened."""

    name: str
    path: str


def find(paths: Sequence[str], problems: list[Problem]) -> list[File]:
    """The manifest files under `paths`, each once, folders recursively and sorted; what is wrong is added to `problems`."""
    found: dict[str, File] = {}
    for path in paths:
        name = display_name(path)
        if Path(path).is_dir():
            files = list(_walk(path, problems))
            if not files:
                hint = "manifests are files named *.yaml or *.yml"
                problems.append(Problem(name, 1, 1, "", "no manifest in this folder", hint))
        elif Path(path).exists():
            files = [path]
        else:
            problems.append(Problem(name, 1, 1, "", "no such file or folder", "check the path"))
            files = []
        for file in files:
            found.setdefault(os.path.realpath(file), File(display_name(file), file))
    return list(found.values())


def read(file: File) -> str:
    """The text of `file`. Raises ProblemError with what is wrong: unreadable, larger than LIMIT, not UTF-8."""
    try:
        with Path(file.path).open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise ProblemError(Problem(file.name, 1, 1, "", f"cannot be read: {error.strerror or error}")) from None
    if len(data) > LIMIT:
        message = f"larger than {LIMIT // 1024 // 1024} MiB: not read"
        raise ProblemError(Problem(file.name, 1, 1, "", message, "is this a manifest? split it into several files"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise ProblemError(Problem(file.name, line, column, "", message, "save the file as UTF-8")) from None


class ProblemError(Exception):
    """Carries one Problem up to whoever collects them; users never see this."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def display_name(path: str) -> str:
    """`path` as it is shown: relative to the current directory if it lies below it, else as it was given."""
    if Path(path).is_absolute():
        below = os.path.relpath(path)
        return path if below.startswith(os.pardir) else below
    return os.path.normpath(path)


def absolute(path: str, manifest: str) -> str:
    """`path` as written in the file `manifest`: a relative one starts from that file's folder."""
    folder = Path(os.path.abspath(manifest)).parent  # noqa: PTH100  symbolic links stay as they are named
    return os.path.normpath(folder / path)


def _walk(folder: str, problems: list[Problem]) -> Iterator[str]:
    """The manifest files below `folder`, sorted; hidden ones are passed over, and a folder is entered once only."""

    def unreadable(error: OSError) -> None:
        name = display_name(str(error.filename or folder))
        problems.append(Problem(name, 1, 1, "", f"cannot be read: {error.strerror or error}"))

    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(files) if not name.startswith(".")):
            if path.name.lower().endswith(SUFFIXES):
                yield str(path)
            elif path.is_symlink() and not path.exists():  # it may have been a folder of manifests
                problems.append(
                    Problem(display_name(str(path)), 1, 1, "", "a link to what is not there", "mount it, or remove the link")
                )
