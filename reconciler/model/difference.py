"""One path whose values disagree, with its cause and what changing it does to the guest."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Impact(enum.IntEnum):
    """What an action does to the guest, from nothing to the loss of data."""

    NONE = 0
    LIVE = 1
    RESTART = 2
    RECREATE = 3
    DATA_LOSS = 4

    @property
    def label(self) -> str:
        """The word used in manifests, options and JSON: ``none``, ``live``, ``restart``, ``recreate``, ``data-loss``."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, label: str) -> Impact:
        """The impact with that label. Raises ValueError."""
        for impact in cls:
            if impact.label == label:
                return impact
        raise ValueError(label)


class Cause(enum.StrEnum):
    """Why two values disagree."""

    MANIFEST = "manifest"
    DRIFT = "drift"
    PENDING_RESTART = "pending-restart"


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """The three columns of one path; None is absent. `live` is None too where nothing runs."""

    path: str
    desired: str | None
    persistent: str | None
    live: str | None
    cause: Cause
    impact: Impact
