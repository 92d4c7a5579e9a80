"""Texts in files, for hosts whose driver has no secrets: under the user's XDG state folder, one file each, mode 0600.

The test driver's hosts live in the memory of one process only. Such a host has a `world`: its files lie in a folder of their own
that counts for this process (and, for a private host, this connection) alone, and goes when the process has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import platformdirs

from reconciler.errors import HostError
from reconciler.host import process

_OWNER = "process.json"
_GUARD = ".guard"
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A text kept on a host. `usage` is its name; `handle` is this very entry's: one made later under that name has another."""

    usage: str
    handle: str
    text: str


@dataclass(frozen=True, slots=True)
class FileStore:
    """The texts of one host as files in `folder`. Safe against other processes (a lock) and power cuts (write, sync, rename)."""

    folder: Path

    @classmethod
    def of_host(cls, uri: str, *, world: str = "") -> FileStore:
        """The store of the host behind `uri`; `world` names a host that lives in this process's memory, else it is "".

        Folders of such hosts whose process has ended are removed.
        """
        base = Path(platformdirs.user_state_dir("vireo", appauthor=False)) / "hosts" / quote(uri, safe="")
        if not world:
            return cls(base)
        for folder in base.glob(f"*/{_OWNER}"):
            if _is_void(folder):
                shutil.rmtree(folder.parent, ignore_errors=True)
        here = process.this()
        folder = base / f"{here.pid}-{here.started}-{world}"
        if not (folder / _OWNER).exists():
            _make_folder(folder)
            _write(folder / _OWNER, json.dumps(here.to_json()))
        return cls(folder)

    def entries(self, prefix: str) -> list[Entry]:
        """All texts whose names begin with `prefix`."""
        with self._alone():
            found = [_read(path) for path in sorted(self.folder.glob(f"{quote(prefix, safe='')}*{_SUFFIX}"))]
        return [entry for entry in found if entry is not None and entry.usage.startswith(prefix)]

    def create(self, usage: str, text: str) -> Entry | None:
        """Keeps a new text; None if one of that name is there already."""
        entry = Entry(usage, str(uuid.uuid4()), text)
        with self._alone():
            if self._path(usage).exists():
                return None
            self._keep(entry)
        return entry

    def replace(self, entry: Entry, text: str) -> Entry | None:
        """Writes a new text into the very entry; None if it is not there any more."""
        changed = Entry(entry.usage, entry.handle, text)
        with self._alone():
            if not self._has(entry):
                return None
            self._keep(changed)
        return changed

    def remove(self, entry: Entry) -> bool:
        """Removes the very entry, never a later one of the same name; False if it was not there any more."""
        with self._alone():
            if not self._has(entry):
                return False
            self._path(entry.usage).unlink()
        return True

    def _path(self, usage: str) -> Path:
        return self.folder / (quote(usage, safe="") + _SUFFIX)

    def _has(self, entry: Entry) -> bool:
        now = _read(self._path(entry.usage))
        return now is not None and now.handle == entry.handle

    def _keep(self, entry: Entry) -> None:
        _write(self._path(entry.usage), json.dumps(asdict(entry)))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While it lasts no other process or thread reads or writes this folder."""
        _make_folder(self.folder)
        descriptor = os.open(self.folder / _GUARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error


def _write(path: Path, text: str) -> None:
    """Puts `text` in the place of what was there: either the old or the new is found afterwards, whatever happens."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unusable(path, error) from error


def _read(path: Path) -> Entry | None:
    """The entry in a file; None if there is none. Raises HostError if the file is damaged: nothing is guessed."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Entry(str(data["usage"]), str(data["handle"]), str(data["text"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, error) from error


def _is_void(owner: Path) -> bool:
    try:
        return process.Process.from_json(json.loads(owner.read_text(encoding="utf-8"))).is_dead
    except (OSError, ValueError, KeyError, TypeError):
        return False  # gone, or being written at this moment


def _unusable(path: Path, error: Exception) -> HostError:
    return HostError(
        f"cannot use {path}, where what Vireo owns on this host is kept",
        detail=str(error),
        hint="check the file and its rights; XDG_STATE_HOME names another place",
    )
