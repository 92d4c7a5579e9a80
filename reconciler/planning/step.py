"""A step: an action before it has a place in the graph."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.difference import Impact
from reconciler.model.plan import Verb


@dataclass(frozen=True, slots=True)
class Step:
    """`consented`: the manifest or a switch asked for just this loss. `blocked` says why it is not to be run."""

    verb: Verb
    reason: str
    impact: Impact = Impact.NONE
    paths: tuple[str, ...] = ()
    consented: bool = False
    blocked: str | None = None
