"""How an apply ended. A value."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import EXIT_BLOCKED, EXIT_FAILURE, EXIT_OK


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an apply ended, in numbers of actions; a resource that still differs after its actions counts as one failure."""

    done: int
    failed: int
    skipped: int
    blocked: int
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        if self.failed or self.interrupted:
            return EXIT_FAILURE
        return EXIT_BLOCKED if self.blocked else EXIT_OK
