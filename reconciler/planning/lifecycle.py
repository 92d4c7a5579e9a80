"""The way from one state to another, found in the kind's table of transitions."""

from __future__ import annotations

import heapq
from itertools import count

from reconciler.kinds.kind import Lifecycle, Transition


def route(lifecycle: Lifecycle, source: str, target: str, *, persistent: bool = True) -> tuple[Transition, ...] | None:
    """The gentlest and then cheapest way: the least impact of its worst step, then the least cost; None if there is no way."""
    kind = "persistent" if persistent else "transient"
    order = count()
    queue: list[tuple[int, int, int, str, tuple[Transition, ...]]] = [(0, 0, next(order), source, ())]
    done: set[str] = set()
    while queue:
        impact, cost, _, state, steps = heapq.heappop(queue)
        if state == target:
            return steps
        if state in done:
            continue
        done.add(state)
        for step in lifecycle.transitions:
            if step.source == state and step.only in {"", kind}:
                entry = (max(impact, step.impact), cost + step.cost, next(order), step.target, (*steps, step))
                heapq.heappush(queue, entry)
    return None
