"""The audit of wipes: one JSON line for each, in the user's state folder on the machine that ran it. Lines are only ever added.

It says what was destroyed, never what was in it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from reconciler.errors import HostError

_FORMAT = 1
_NAME = "audit.jsonl"


@dataclass(frozen=True, slots=True)
class Record:
    """One wipe. `begun` and `ended` are seconds since 1970, `by` is user@machine; `pool` is "" for a file of a domain.

    `bytes` were wiped, `result` is "wiped" or "failed: why"; `verified`: they were read back.
    """

    project: str
    kind: str
    name: str
    host: str
    uri: str
    pool: str
    path: str
    algorithm: str
    passes: int
    verified: bool
    bytes: int
    begun: float
    ended: float
    by: str
    result: str

    @property
    def resource(self) -> str:
        """As on the command line: Kind/name."""
        return f"{self.kind}/{self.name}"

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file: times in ISO 8601, UTC."""
        return {"format": _FORMAT, **asdict(self), "begun": _iso(self.begun), "ended": _iso(self.ended)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Record:
        """A record that was written down. Raises KeyError, TypeError or ValueError if it was not one."""
        values = {field.name: data[field.name] for field in fields(cls)}
        for name in ("begun", "ended"):
            values[name] = datetime.fromisoformat(values[name]).timestamp()
        return cls(**values)


def path() -> Path:
    """Where the audit is: XDG_STATE_HOME, or the user's own state folder."""
    return Path(platformdirs.user_state_dir("vireo", appauthor=False)) / _NAME


def append(record: Record) -> None:
    """Adds a line, and brings it to the disk. Raises HostError: what cannot be recorded must not look as if it were."""
    line = json.dumps(record.to_json(), sort_keys=True) + "\n"
    with _opened() as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = os.fstat(descriptor).st_size
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            line = "\n" + line  # a line that a power cut has left half written stays alone
        os.write(descriptor, line.encode())
        os.fsync(descriptor)


def check() -> None:
    """Whether a line could be added: before anything is destroyed. Raises HostError."""
    with _opened():
        pass


@contextmanager
def _opened() -> Iterator[int]:
    file = path()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise HostError(
            f"cannot write the audit {file}",
            detail=str(error),
            hint="check the file and its rights; XDG_STATE_HOME names another place",
        ) from error


def read() -> tuple[tuple[Record, ...], int]:
    """All records, oldest first, and how many lines cannot be read. Raises HostError if the file cannot be."""
    try:
        text = path().read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return (), 0
    except OSError as error:
        raise HostError(f"cannot read the audit {path()}", detail=str(error), hint="check the file and its rights") from error
    found, damaged = [], 0
    for line in text.splitlines():
        try:
            found.append(Record.from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            damaged += bool(line.strip())
    return tuple(found), damaged


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
