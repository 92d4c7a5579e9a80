"""Telling how far a wipe is: of our own streams what is so, of libvirt's calls, which say nothing, an estimate."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from reconciler.host.drivers.step import Step

MIB = 1 << 20
USUAL = 150 * MIB  # bytes a second: what is assumed of a disk of which nothing was measured yet
LOOK = 1.0  # seconds between two tellings


class Progress:
    """How far one piece of work on `total` bytes is. Tells once a second, and at its end."""

    def __init__(self, step: Step, doing: str, total: int) -> None:
        self._step, self._doing, self._total = step, doing, total
        self._began = self._told = step.clock()
        self.done = self._moved = 0

    def add(self, count: int, *, hole: bool = False) -> None:
        """So many bytes more are done; a hole is done with without being looked at."""
        self.done += count
        self._moved += 0 if hole else count
        now = self._step.clock()
        if now - self._told >= LOOK or self.done == self._total:
            self._told = now
            self._step.report(self._text(), min(1.0, self.done / self._total) if self._total else 1.0)

    @property
    def rate(self) -> float:
        """Bytes a second so far; 0 if that cannot be told."""
        seconds = self._step.clock() - self._began
        return self._moved / seconds if seconds > 0 else 0.0

    def _text(self) -> str:
        text = f"{self._doing}: {self.done // MIB} of {self._total // MIB} MiB"
        if not self._moved or not self.done:
            return text
        left = max(0, self._total - self.done) * (self._step.clock() - self._began) / self.done
        return f"{text}, {self.rate / MIB:.0f} MiB/s, {left:.0f} s left"


def estimated(step: Step, doing: str, total: int, rate: float, call: Callable[[], None]) -> None:
    """A call that overwrites `total` bytes and tells nothing meanwhile, at an assumed `rate` (bytes a second, or 0).

    Raises what the call raises.
    """
    began = step.clock()
    expected = total / (rate or USUAL)
    with ThreadPoolExecutor(1, thread_name_prefix="wipe") as pool:
        future = pool.submit(call)
        while not wait([future], timeout=LOOK).done:
            passed = step.clock() - began
            left = max(0.0, expected - passed)
            text = f"{doing}: {passed:.0f} s, about {left:.0f} s left (an estimate from its size)"
            step.report(text, min(0.99, passed / expected) if expected else None)
        future.result()
