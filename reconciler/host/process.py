"""Which process this is, told in a way that another process can check, here or elsewhere: whether it is still alive."""

from __future__ import annotations

import functools
import getpass
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `started` is in clock ticks since the boot; the rest tells machines, boots and containers apart.

    A pid alone is given out again; with its start and the boot it is never the same twice.
    """

    pid: int
    started: int
    machine: str
    boot: str
    namespace: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Process:
        """The process that was written down. Raises KeyError, TypeError or ValueError if it was not one."""
        return cls(int(data["pid"]), int(data["started"]), str(data["machine"]), str(data["boot"]), str(data["namespace"]))

    @property
    def is_dead(self) -> bool:
        """Whether it certainly runs no more. False where that cannot be known from here (another machine or container)."""
        here = _place()
        if not self.machine or self.machine != here[0]:
            return False
        if self.boot != here[1]:
            return True
        return self.namespace == here[2] and _started(self.pid) != self.started


def this() -> Process:
    """The process that runs this code."""
    pid = os.getpid()
    machine, boot, namespace = _place()
    return Process(pid, _started(pid) or 0, machine, boot, namespace)


def who() -> str:
    """Who runs this process, for people: ``user@machine``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user that the machine has no name for
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


@functools.cache
def _place() -> tuple[str, str, str]:
    """The machine's id, this boot's id and the pid namespace; each "" if it cannot be read."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return _text("/etc/machine-id"), _text("/proc/sys/kernel/random/boot_id"), namespace


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _started(pid: int) -> int | None:
    """When the process began, in clock ticks since the boot; None if there is none, or if it has ended (a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return None if state in {"Z", "X"} else int(fields[18])
