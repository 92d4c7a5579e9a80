"""What can only be wrong between documents or items: names, UUIDs, targets and addresses used twice, unknown hosts, cycles.

Which fields must be unique or name a base volume is written in the schemas (`x-vireo`), not here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.errors import Problem
from reconciler.manifest import shape, subnet
from reconciler.manifest.places import dotted
from reconciler.manifest.words import did_you_mean
from reconciler.model.resource import Document, Location, Path, Resource, ResourceId

_NAME: Path = ("metadata", "name")
_HOST: Path = ("spec", "host")


def one_project(documents: Sequence[Document], problems: list[Problem]) -> None:
    """A second Project document is a problem."""
    for document in documents[1:]:
        message = f"a second Project (the first is at {documents[0].locate()})"
        problems.append(_at(document, ("kind",), message, "keep one of them, or apply the folders apart"))


def host_names(documents: Sequence[Document], problems: list[Problem]) -> None:
    """Two hosts of one name are a problem."""
    seen: dict[str, Location] = {}
    for document in documents:
        name = document.data["metadata"]["name"]
        if name in seen:
            message = f'a second Host "{name}" (the first is at {seen[name]})'
            problems.append(_at(document, _NAME, message, "give it another name"))
        seen.setdefault(name, document.locate(_NAME))


def host_of(document: Document, named: str | None, hosts: Sequence[str], broken: set[str], problems: list[Problem]) -> str:
    """The host that a document means: the one it names, or the only one."""
    if named is None:
        if len(hosts) + len(broken) > 1:
            message = 'the field "host" is missing, and the project has several hosts'
            problems.append(_at(document, ("spec",), message, f"one of: {', '.join(sorted({*hosts, *broken}))}"))
        return hosts[0] if hosts else ""
    if named not in hosts and named not in broken:
        hint = did_you_mean(named, hosts) or f"declared: {', '.join(sorted(hosts))}"
        problems.append(_at(document, _HOST, f'there is no Host "{named}"', hint))
    return named


def hosts_of(
    document: Document, spec: Mapping[str, Any], hosts: Sequence[str], broken: set[str], problems: list[Problem]
) -> list[str]:
    """The hosts that a document names in order of preference: at least one."""
    listed = spec.get("hosts")
    if listed is None:
        return [host_of(document, spec.get("host"), hosts, broken, problems)]
    if "host" in spec:
        problems.append(_at(document, _HOST, 'there are both "host" and "hosts"', "write one of them"))
    for number, name in enumerate(listed):
        if name not in hosts and name not in broken:
            hint = did_you_mean(name, hosts) or f"declared: {', '.join(sorted(hosts))}"
            problems.append(_at(document, ("spec", "hosts", number), f'there is no Host "{name}"', hint))
    return list(listed)


def resources(found: Sequence[Resource], problems: list[Problem]) -> None:
    """Everything that can be wrong between resources."""
    _identities(found, problems)
    _unique_fields(found, problems)
    _distinct_fields(found, problems)
    _subnets(found, problems)
    _cycles(found, problems)


def _identities(found: Sequence[Resource], problems: list[Problem]) -> None:
    seen: dict[ResourceId, Resource] = {}
    for resource in found:
        first = seen.setdefault(resource.id, resource)
        if first is not resource:
            message = f"{resource.id} is declared twice on {resource.id.host} (first at {first.document.locate(_NAME)})"
            problems.append(_at(resource.document, _NAME, message, "give one of them another name"))


def _unique_fields(found: Sequence[Resource], problems: list[Problem]) -> None:
    seen: dict[tuple[str, str, str, str], tuple[Resource, Path]] = {}
    for resource in found:
        for path, marks, value in shape.of(resource.id.kind).marks(resource.document.data):
            if "unique" not in marks:
                continue
            key = (resource.id.host, resource.id.kind, str(path[-1]), str(value).lower())
            first, place = seen.setdefault(key, (resource, path))
            if place is not path:
                where = first.document.locate(place)
                message = f'"{value}" is used twice on {resource.id.host} (first by {first.id} at {where})'
                problems.append(_at(resource.document, path, message, "each needs its own; left out, one is made up"))


def _distinct_fields(found: Sequence[Resource], problems: list[Problem]) -> None:
    for resource in found:
        seen: dict[tuple[Path, str, str], Path] = {}
        for path, marks, value in shape.of(resource.id.kind).marks(resource.document.data):
            if "distinct" not in marks:
                continue
            first = seen.setdefault((path[:-2], str(path[-1]), str(value)), path)
            if first is not path:
                message = f'"{value}" is there twice (first at {resource.document.locate(first)})'
                problems.append(_at(resource.document, path, message, "give one of them another"))


def _subnets(found: Sequence[Resource], problems: list[Problem]) -> None:
    for resource in found:
        for path, marks, value in shape.of(resource.id.kind).marks(resource.document.data):
            if "subnet" in marks:
                problems += [_at(resource.document, (*path, *below), message) for below, message in subnet.faults(value)]


def _cycles(found: Sequence[Resource], problems: list[Problem]) -> None:
    """Volumes that are made from themselves, over whatever detour."""
    bases: dict[ResourceId, dict[ResourceId, Path]] = {}
    by_id = {resource.id: resource for resource in found}
    for resource in found:
        for path, marks, value in shape.of(resource.id.kind).marks(resource.document.data):
            if "base" in marks and isinstance(value, Mapping) and "volume" in value:
                bases.setdefault(resource.id, {})[_base(resource.id, value)] = path
    done: set[ResourceId] = set()
    for start in bases:
        if start not in done:
            _follow(start, bases, done, by_id, problems)


def _follow(
    here: ResourceId,
    bases: Mapping[ResourceId, Mapping[ResourceId, Path]],
    done: set[ResourceId],
    by_id: Mapping[ResourceId, Resource],
    problems: list[Problem],
) -> None:
    """Depth first, without recursion: a chain of backing files may be long."""
    waiting = [(here, iter(bases.get(here, {})))]
    trail = [here]
    while waiting:
        current, rest = waiting[-1]
        base = next(rest, None)
        if base is None:
            done.add(current)
            waiting.pop()
            trail.pop()
        elif base in trail:
            loop = [*trail[trail.index(base) :], base]
            message = "a cycle of volumes: " + " -> ".join(identity.name for identity in loop)
            problems.append(_at(by_id[current].document, bases[current][base], message, "one of them must stand on its own"))
        elif base not in done:
            waiting.append((base, iter(bases.get(base, {}))))
            trail.append(base)


def _base(identity: ResourceId, value: Mapping[str, Any]) -> ResourceId:
    return ResourceId(identity.kind, str(value["volume"]), identity.host, str(value.get("pool", identity.pool)))


def _at(document: Document, path: Path, message: str, hint: str = "") -> Problem:
    where = document.locate(path)
    return Problem(where.file, where.line, where.column, dotted(path), message, hint)
