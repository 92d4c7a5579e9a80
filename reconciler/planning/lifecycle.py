"""The way from one state to another, found in the kind's table of transitions."""

from __future__ import annotations

import heapq
from itertools import count

from reconciler.kinds.kind import Lifecycle, Transition


def route(
    lifecycle: Lifecycle, source: str, target: str, *, persistent: bool = True, given_up: bool = False
) -> tuple[Transition, ...] | None:
    """The gentlest and then cheapest way: the least impact of its worst step, then the least cost; None if there is no way.

    Of what is `given_up` nothing needs to be kept: the cheapest way, and among equals the gentlest.
    """
    kind = "persistent" if persistent else "transient"
    order = count()
    queue: list[tuple[tuple[int, int], int, str, tuple[Transition, ...]]] = [((0, 0), next(order), source, ())]
    done: set[str] = set()
    while queue:
        _, _, state, steps = heapq.heappop(queue)
        if state == target:
            return steps
        if state in done:
            continue
        done.add(state)
        for step in lifecycle.transitions:
            if step.source == state and step.only in {"", kind}:
                way = (*steps, step)
                impact, cost = max(int(each.impact) for each in way), sum(each.cost for each in way)
                price = (cost, impact) if given_up else (impact, cost)
                heapq.heappush(queue, (price, next(order), step.target, way))
    return None
