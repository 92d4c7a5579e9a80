"""Every error a user may see, grouped by who must act.

An error has a summary (one line), an optional detail (what libvirt or the parser said), a hint (what to do next) and the
process's exit code. Nothing here knows how an error is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_CHANGES = 2
EXIT_INVALID = 3
EXIT_REFUSED = 4
EXIT_BLOCKED = 5


class VireoError(Exception):
    """Base of all errors that are shown to a user; never raised itself."""

    exit_code: ClassVar[int] = EXIT_FAILURE

    def __init__(self, summary: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.hint = hint

    @property
    def more(self) -> str:
        """The lines of the detail that the summary does not hold already: libvirt's messages are often in both."""
        lines = (line.strip() for line in self.detail.splitlines())
        return "\n".join(line for line in lines if line and line not in self.summary)


# --- the author of the manifests or of the command line must act ---------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a manifest, at ``file:line:column`` (1-based), at a path such as ``spec.disks[0].bus``.

    `refers_to` is the kind, name and pool (or "") of another object by which the line may be found that it is about.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = field(default="", compare=False)
    refers_to: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{where}: {what}" + (f" ({self.hint})" if self.hint else "")


class InvalidManifestsError(VireoError):
    """Some manifests are wrong: all problems of all files together; nothing was touched."""

    exit_code = EXIT_INVALID

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the manifests; nothing was touched")


class UsageError(VireoError):
    """The command line, or a file named on it, cannot be used as it is."""

    exit_code = EXIT_INVALID


# --- the operator of a host must act --------------------------------------------------------------------------


class HostError(VireoError):
    """A libvirt host could not do what was asked of it."""


class HostUnreachableError(HostError):
    """The host's libvirt daemon does not answer."""


class ConnectionLostError(HostError):
    """The connection broke during a call: whether the call took effect is not known until the host is observed again."""


class LibvirtCallError(HostError):
    """A libvirt call failed: `call` is the API's name, `code` libvirt's VIR_ERR_ number, the detail is libvirt's message."""

    def __init__(self, summary: str, *, call: str, code: int, detail: str = "", hint: str = "") -> None:
        super().__init__(summary, detail=detail, hint=hint)
        self.call = call
        self.code = code


class GuestTimeoutError(HostError):
    """A guest did not do in time what only it can do (shut down, release a device)."""


class NotOursError(HostError):
    """The object that was to be changed is not this project's any more: looked up again right before acting."""


# --- somebody else was faster ---------------------------------------------------------------------------------


class LockedError(VireoError):
    """Another apply holds the project's lock on a host."""

    exit_code = EXIT_REFUSED


class StalePlanError(VireoError):
    """A saved plan does not fit the hosts any more; nothing was done."""

    exit_code = EXIT_REFUSED
