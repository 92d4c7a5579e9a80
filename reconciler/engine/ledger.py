"""Settled marks on their way into the inventories: collected, and written now and then, as many of one inventory at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.model.state import Mark

FLUSH = 0.5  # seconds between two writings


class Ledger:
    """`write(host, marks)` writes marks into a host's inventory. Used by one thread."""

    def __init__(self, write: Callable[[str, Sequence[Mark]], None], clock: Callable[[], float]) -> None:
        self._write, self._clock = write, clock
        self._settled: dict[str, list[Mark]] = {}
        self._written = clock()

    def add(self, mark: Mark) -> None:
        """To be written with the next ones."""
        self._settled.setdefault(mark.id.host, []).append(mark)

    def flush(self, *, all_of_it: bool = False) -> None:
        """Write what was added, if it is time.

        What a killed process has not written is still marked as pending, and the next apply writes it.
        """
        if not all_of_it and self._clock() - self._written < FLUSH:
            return
        for host, marks in self._settled.items():
            self._write(host, marks)
        self._settled.clear()
        self._written = self._clock()
