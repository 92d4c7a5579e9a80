"""How much may happen at once on each host: pure, asked by the executor before it starts an action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.model.plan import Action, Verb
from reconciler.model.resource import HostLimits, HostSpec

STARTING = frozenset({Verb.START, Verb.START_PAUSED, Verb.CREATE, Verb.RESTORE, Verb.RESTORE_PAUSED, Verb.RESTART})
"""Verbs that bring an object to life; those of a pool or network count as well."""


@dataclass(frozen=True, slots=True)
class Room:
    """`parallel` is how many actions may be under way on one host."""

    parallel: int
    limits: Mapping[str, HostLimits]

    @classmethod
    def of(cls, parallel: int, specs: Sequence[HostSpec]) -> Room:
        """With the limits that the manifests give each host."""
        return cls(parallel, {spec.name: spec.limits for spec in specs})

    def has(self, action: Action, busy: Sequence[Action]) -> bool:
        """Whether the action may begin beside those that are under way. In one pool only one thing is done at a time."""
        host, pool = action.resource.host, action.resource.pool
        here = [other for other in busy if other.resource.host == host]
        if len(here) >= self.parallel or (pool and any(other.resource.pool == pool for other in here)):
            return False
        limits = self.limits.get(host, HostLimits())
        if action.source:
            coming = sum(bool(other.source) for other in here)
            going = sum(other.source == action.source for other in busy)
            away = self.limits.get(action.source, HostLimits())
            return _below(coming, limits.migrations_in) and _below(going, away.migrations_out)
        starts = sum(other.verb in STARTING for other in here)
        return action.verb not in STARTING or _below(starts, limits.parallel_starts)

    def bandwidth(self, action: Action) -> int:
        """The most that a migration may send, in bytes a second; 0 for no limit. What a host has is shared among all that may."""
        shares = [
            max(1, limits.bandwidth // (count or self.parallel))
            for name, count in self._ends(action)
            if (limits := self.limits.get(name, HostLimits())).bandwidth
        ]
        return min(shares, default=0)

    def _ends(self, action: Action) -> tuple[tuple[str, int], ...]:
        there, here = action.resource.host, action.source
        return (
            (there, self.limits.get(there, HostLimits()).migrations_in),
            (here, self.limits.get(here, HostLimits()).migrations_out),
        )


def _below(count: int, limit: int) -> bool:
    return not limit or count < limit
