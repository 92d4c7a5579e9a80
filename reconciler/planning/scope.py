"""What a plan is about: the hosts, each once, and the targets that were named with all that they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from urllib.parse import urlsplit

from reconciler.errors import UsageError
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState
from reconciler.planning.case import Case


def all_different(states: Sequence[HostState]) -> None:
    """Raises UsageError for a host that is declared twice: what one of the two declares would be pruned on the other.

    Not every machine has a UUID of its own: what they have must be the same, too.
    """
    known: dict[tuple[str, str, frozenset[tuple[str, str]]], str] = {}
    for state in states:
        has = frozenset((id_.kind, seen.uuid) for id_, seen in state.resources.items())
        key = (state.facts.uuid, urlsplit(state.facts.uri).path, has)
        if state.facts.uuid and has and known.setdefault(key, state.facts.name) != state.facts.name:
            raise UsageError(
                f"the hosts {known[key]} and {state.facts.name} are one and the same libvirt host",
                detail=f"both have the UUID {state.facts.uuid} and the same objects",
                hint="declare it once; machines that really share a UUID get their own by host_uuid in libvirtd.conf",
            )


def all_matched(targets: Iterable[str], known: Iterable[ResourceId], states: Sequence[HostState]) -> None:
    """Raises UsageError for a target that selects nothing, unless a host cannot be asked for it."""
    names = {name for id_ in known for name in (f"{id_.kind}/{id_.name}", str(id_))}
    wrong = sorted(set(targets) - names)
    if wrong and all(state.reachable for state in states):
        raise UsageError(
            f"--target {wrong[0]}: neither the manifests nor the project's inventory has it",
            hint="vireo status PATH lists what there is",
        )


def targeted(id_: ResourceId, targets: AbstractSet[str]) -> bool:
    """Whether one of `targets` (``Kind/name``) means it."""
    return f"{id_.kind}/{id_.name}" in targets or str(id_) in targets


def with_needs(ids: set[ResourceId], cases: Mapping[ResourceId, Case]) -> set[ResourceId]:
    """`ids` and all that they need."""
    todo, done = list(ids), set()
    while todo:
        id_ = todo.pop()
        if id_ in cases and id_ not in done:
            done.add(id_)
            todo += cases[id_].needs
    return done
