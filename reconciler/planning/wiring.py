"""Steps of all resources -> actions in a graph: what is needed comes first, what is used goes last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from reconciler.model.plan import Action
from reconciler.model.resource import ResourceId
from reconciler.planning.case import RANK, Case
from reconciler.planning.graph import ordered
from reconciler.planning.step import Step

Node: TypeAlias = tuple[ResourceId, int]


def actions(cases: Mapping[ResourceId, Case]) -> list[Action]:
    """The actions in an order that respects their needs. Raises CycleError."""
    nodes = {(id_, number): step for id_, case in cases.items() for number, step in enumerate(case.steps)}
    needs: dict[Node, set[Node]] = {node: set() for node in nodes}
    first = {id_: (id_, 0) for id_, case in cases.items() if case.steps}
    last = {id_: (id_, len(case.steps) - 1) for id_, case in cases.items() if case.steps}
    for id_, number in nodes:
        if number:
            needs[id_, number].add((id_, number - 1))
    for id_, case in cases.items():
        if id_ not in first:
            continue
        for other in case.needs & last.keys():
            if cases[other].removing:
                needs[first[other]].add(last[id_])
            else:
                needs[first[id_]].add(last[other])
    _reverse_for_removal(cases, first, last, needs)
    _hand_over(cases, first, last, needs)
    removing = {id_ for id_, case in cases.items() if case.removing}
    priority = {
        (id_, number): (id_ in removing, -RANK[id_.kind] if id_ in removing else RANK[id_.kind], id_, number)
        for id_, number in nodes
    }
    order = ordered(needs, priority)
    names = {node: str(number) for number, node in enumerate(order, 1)}
    return [_action(node, nodes[node], names, needs) for node in order]


def _reverse_for_removal(
    cases: Mapping[ResourceId, Case],
    first: Mapping[ResourceId, Node],
    last: Mapping[ResourceId, Node],
    needs: dict[Node, set[Node]],
) -> None:
    """What is used goes after its users: by kind, which is enough, as users always are of a later kind or of the same pool."""
    removing = [id_ for id_ in first if cases[id_].removing]
    for id_ in removing:
        for other in removing:
            if other.host == id_.host and RANK[other.kind] > RANK[id_.kind]:
                needs[first[id_]].add(last[other])


def _hand_over(
    cases: Mapping[ResourceId, Case],
    first: Mapping[ResourceId, Node],
    last: Mapping[ResourceId, Node],
    needs: dict[Node, set[Node]],
) -> None:
    """What takes over a volume or the UUID of one that goes (a renamed domain) waits until that is gone."""
    going = {id_: {other for other in cases[id_].needs if other.pool} for id_ in first if cases[id_].removing}
    for id_ in first:
        for other, held in going.items():
            shares = held & cases[id_].needs or other in cases[id_].after
            if RANK[other.kind] == RANK[id_.kind] and not cases[id_].removing and shares:
                needs[first[id_]].add(last[other])


def _action(
    node: Node,
    step: Step,
    names: Mapping[Node, str],
    needs: Mapping[Node, set[Node]],
) -> Action:
    return Action(
        id=names[node],
        verb=step.verb,
        resource=node[0],
        reason=step.reason,
        impact=step.impact,
        needs=tuple(sorted((names[other] for other in needs[node]), key=int)),
        blocked=step.blocked,
        paths=step.paths,
        consented=step.consented,
        snapshot=step.snapshot,
        source=step.source,
    )
