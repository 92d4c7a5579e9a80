"""Ctrl-C while a plan is applied: once, the actions under way are ended; twice, the process is. SIGTERM likewise.

Ending at once is safe: the next apply looks at what there is. The lock's lease of a dead process is taken over.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

FIRST = "Ending after the actions under way. Once more ends at once."
SECOND = "Ended at once. The next apply finds out what was done."
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = "\x1b[?25h"
EXIT_INTERRUPTED = 130


class Interrupt:
    """While entered, the first signal sets `stop` and says so by `say`; the second ends the process with code 130."""

    def __init__(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._stop = stop
        self._say = say
        self._before: dict[int, Any] = {}
        self._saying: threading.Thread | None = None

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._take) for number in _SIGNALS}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._saying is not None:
            self._saying.join(timeout=1)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
            os.write(2, f"{cursor}\n{SECOND}\n".encode())
            os._exit(EXIT_INTERRUPTED)
        self._stop.set()
        # Not printed here: this may have interrupted the very thread that is printing.
        self._saying = threading.Thread(target=self._say, args=(FIRST,), daemon=True)
        self._saying.start()
