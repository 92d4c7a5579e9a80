"""One migration that is to be carried out, with all that it needs. A value: what is done with it is in moving.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.host.session import Session
from reconciler.model.migration import MigrationSpec, Progress, Route


@dataclass(frozen=True, slots=True)
class Move:
    """One migration to be carried out. `report` may be called often; `stopping` says that it is to be given up.

    `clock` gives monotonic seconds, `sleep` waits for seconds. `patience`, in seconds, is for a stream that stands still and for
    hosts that do not answer when it is over.
    """

    source: Session
    destination: Session
    uuid: str
    spec: MigrationSpec
    route: Route
    report: Callable[[Progress], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    stopping: Callable[[], bool]
    patience: float = 60.0
