"""A step: an action before it has a place in the graph."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.model.snapshot import SnapshotSpec


@dataclass(frozen=True, slots=True)
class Step:
    """`consented`: the manifest or a switch asked for just this loss. `blocked` says why it is not to be run.

    `snapshot` is what the snapshot verbs are about, `source` the host that a migration begins at.
    """

    verb: Verb
    reason: str
    impact: Impact = Impact.NONE
    paths: tuple[str, ...] = ()
    consented: bool = False
    blocked: str | None = None
    snapshot: SnapshotSpec | None = None
    source: str = ""
