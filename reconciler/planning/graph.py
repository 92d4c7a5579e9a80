"""The order of actions: a graph over nodes, sorted so that every edge is respected and equal input gives equal output."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from reconciler.errors import VireoError

Node = TypeVar("Node", bound=Hashable)


class CycleError(VireoError):
    """Things that need each other in a ring cannot be put in an order."""


def ordered(needs: Mapping[Node, AbstractSet[Node]], priority: Mapping[Node, Any]) -> list[Node]:
    """All nodes, each after those that it needs; among those that could be next the one of least priority. Raises CycleError."""
    waiting = {node: {other for other in others if other in needs} for node, others in needs.items()}
    dependents: dict[Node, list[Node]] = {}
    for node, others in waiting.items():
        for other in others:
            dependents.setdefault(other, []).append(node)
    ready = [(priority[node], number, node) for number, node in enumerate(waiting) if not waiting[node]]
    heapq.heapify(ready)
    order: list[Node] = []
    numbers = {node: number for number, node in enumerate(waiting)}
    while ready:
        _, _, node = heapq.heappop(ready)
        order.append(node)
        for dependent in dependents.get(node, ()):
            waiting[dependent].discard(node)
            if not waiting[dependent]:
                heapq.heappush(ready, (priority[dependent], numbers[dependent], dependent))
    if len(order) < len(waiting):
        ring = " -> ".join(map(str, _ring(waiting)))
        message = f"these need each other, and none can be first: {ring}"
        raise CycleError(message, hint="break the ring in the manifests")
    return order


def _ring(waiting: Mapping[Node, AbstractSet[Node]]) -> list[Node]:
    """One ring among the nodes that wait for others, its first node also at its end."""
    node = next(node for node, others in waiting.items() if others)
    way: list[Node] = []
    while node not in way:
        way.append(node)
        node = next(other for other in waiting if other in waiting[node])
    return [*way[way.index(node) :], node]
