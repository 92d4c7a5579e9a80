"""Desired, persistent and live, seen through the intent -> Differences. Only declared paths count.

DeepDiff finds the differences between the canonical mappings; it is not reached where they are equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from deepdiff import DeepDiff

from reconciler.kinds.kind import Kind, Way
from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.state import Mark, Observed
from reconciler.planning import running
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.paths import matches, matches_any, rules_for, without_keys
from reconciler.xmltree.rules import Rules


@dataclass(frozen=True, slots=True)
class Sides:
    """The documents that are compared, each settled; None where there is none."""

    desired: str
    intent: str | None
    persistent: str | None
    live: str | None


def compare(kind: Kind, sides: Sides, mark: Mark | None) -> tuple[Difference, ...]:
    """All differences, ordered by path. Without a persistent definition (a transient object) the live one takes its place."""
    rules = kind.rules
    desired = _declared(sides.desired, rules)
    intent = _declared(sides.intent, rules) if sides.intent else None
    live_map = canonical(parse(sides.live), rules) if sides.live else None
    persistent_map = canonical(parse(sides.persistent), rules) if sides.persistent else (live_map or {})
    run = running.run_in(sides.live)
    scope = {path: bool(desired.get(path) or (intent or {}).get(path)) for path in {*desired, *(intent or {})}}
    persistent = _project(persistent_map, scope, desired, rules)
    live = None
    if live_map is not None:
        live = running.settled(kind, _project(live_map, scope, desired, rules), live_map, persistent)
        live |= running.retired(mark, live_map, desired, persistent_map)
        live |= running.kept(running.in_force(intent or {}, mark, run), live_map, rules)
    persistent |= running.kept(intent or {}, persistent, rules)
    waiting = [] if live is None else _differing(persistent, live)
    _forgive(persistent, desired, intent, mark)
    found = dict.fromkeys(_differing(desired, persistent), Cause.MANIFEST)
    if intent is not None:
        found = {path: Cause.MANIFEST if _moved(path, desired, intent) else Cause.DRIFT for path in found}
    for path in waiting:
        if not any(running.related(path, other) for other in tuple(found)):
            outside = intent is not None and not _moved(path, desired, intent) and running.moved(path, mark, run)
            found[path] = Cause.DRIFT if outside else Cause.PENDING_RESTART
    columns = (desired, persistent, live)
    whole = live_map if intent is not None else None  # of what was not applied before nothing is known
    return tuple(_difference(kind, path, cause, columns, whole) for path, cause in sorted(found.items()))


def _difference(
    kind: Kind, path: str, cause: Cause, columns: tuple[Canonical, Canonical, Canonical | None], whole: Canonical | None
) -> Difference:
    desired, persistent, live = columns
    way = way_for(kind, path)
    reached = live is None or _column(live, path) == _column(desired, path)
    impact = impact_of(way, active=not reached)
    known = impact is Impact.LIVE and live is not None and whole is not None
    if known and running.late(way, desired.get(path), (live or {}).get(path), whole or {}):
        impact = Impact.RESTART
    return Difference(
        path=path,
        desired=_column(desired, path),
        persistent=_column(persistent, path),
        live=None if live is None else _column(live, path),
        cause=cause,
        impact=impact,
    )


def way_for(kind: Kind, path: str) -> Way:
    """How a difference at `path` is repaired: the first Way of the kind that covers it."""
    plain = without_keys(path)
    return next(way for way in kind.ways if matches(way.pattern, plain))


def impact_of(way: Way, *, active: bool) -> Impact:
    """What repairing by `way` does: to something that is not active nothing, unless it is refused at all."""
    return way.impact if active or way.refusal else Impact.NONE


def _declared(text: str, rules: Rules) -> Canonical:
    mapping = canonical(parse(text), rules)
    return {path: value for path, value in mapping.items() if not rules_for(rules, without_keys(path)).create_only}


def _project(mapping: Canonical, scope: Mapping[str, bool], desired: Canonical, rules: Rules) -> Canonical:
    """What of `mapping` is anybody's business: the declared paths, and entries of whole collections.

    `scope` has the declared paths. Where it is False an element was declared without a text: libvirt may have put one there.
    """
    out = {path: mapping[path] if spoken or _is_attribute(path) else "" for path, spoken in scope.items() if path in mapping}
    declared = {_collection(path) for path in desired if path.endswith("]")}
    extra = [path for path in mapping if path.endswith("]") and path not in out and _whole(path, declared, rules)]
    for top in extra:
        out |= {path: value for path, value in mapping.items() if path == top or path.startswith(f"{top}/")}
    return out


def _is_attribute(path: str) -> bool:
    return path.rpartition("/")[2].startswith("@")


def _collection(path: str) -> tuple[str, str]:
    """Where an entry of a collection stands, and the entries' name: ``ip[10.7.0.1]/dhcp``, ``host``."""
    parent, _, step = path.rpartition("/")
    return parent, step.partition("[")[0]


def _whole(path: str, declared: set[tuple[str, str]], rules: Rules) -> bool:
    plain = without_keys(path)
    return plain in rules.owned or (plain in rules.complete and _collection(path) in declared)


def _forgive(persistent: Canonical, desired: Canonical, intent: Canonical | None, mark: Mark | None) -> None:
    """Where libvirt gave back another form of what was declared, the intent speaks for the host."""
    if intent is None or mark is None:
        return
    for path, value in mark.normalised.items():
        if path in desired and desired[path] == intent.get(path) and persistent.get(path) == value:
            persistent[path] = desired[path]


def _differing(one: Canonical, other: Canonical) -> list[str]:
    """The paths at which two mappings differ; of an element that one side lacks, only its own path."""
    if one == other:
        return []
    paths = {str(path[0]) for path in _changes(one, other)}
    absent = {path for path in paths if (path in one) != (path in other)}
    return sorted(path for path in paths if not any(parent in absent for parent in _parents(path)))


def _changes(one: Canonical, other: Canonical) -> Iterator[list[object]]:
    tree = DeepDiff(one, other, view="tree", threshold_to_diff_deeper=0)
    for changes in tree.values():
        for change in changes:
            yield change.path(output_format="list")


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _moved(path: str, desired: Canonical, intent: Canonical) -> bool:
    """Whether the manifest changed at or below `path` since it was applied."""
    below = f"{path}/"
    return {p: v for p, v in desired.items() if p == path or p.startswith(below)} != {
        p: v for p, v in intent.items() if p == path or p.startswith(below)
    }


def _column(mapping: Canonical, path: str) -> str | None:
    """A value for people: of an element without text, what stands in it."""
    value = mapping.get(path)
    if value is None or value:
        return value
    below = f"{path}/"
    parts = [f"{p[len(below) :].replace('/@', '.').lstrip('@')}={v}" for p, v in mapping.items() if p.startswith(below) and v]
    return " ".join(sorted(parts)) or "present"


def leftovers(kind: Kind, before: Mark, desired: str, observed: Observed) -> dict[str, str]:
    """What was declared `before`, is not now, and only the running object still has: topmost paths with their values.

    Also what it still has while it waits for another value: that may leave, too. What it never had is no leftover: it is its own.
    """
    if not before.xml or observed.live is None or observed.persistent is None:
        return {}
    wanted, live, there = (canonical(parse(text), kind.rules) for text in (desired, observed.live, observed.persistent))
    declared = _declared(before.xml, kind.rules)
    had = {path: value for path, value in declared.items() if live.get(path) in (value, before.normalised.get(path, value))}
    gone = {path for path in declared if path in live and path not in wanted and path not in there}
    gone -= {path for path in gone if _is_shell(path, declared, live) or matches_any(kind.rules.live_only, without_keys(path))}
    tops = [path for path in gone if not any(parent in gone for parent in _parents(path))]
    topmost = {path: _column(live, path) or "" for path in tops if path in had and _has_all(path, declared, had)}
    return topmost | {path: live[path] for path, value in had.items() if value and wanted.get(path, value) != value}


def _has_all(path: str, declared: Canonical, had: Canonical) -> bool:
    """Whether the running object has everything that was declared below `path`."""
    return all(other in had for other in declared if other.startswith(f"{path}/"))


def _is_shell(path: str, declared: Canonical, live: Canonical) -> bool:
    """Whether all that made the element what it was is gone, and libvirt only keeps numbers of its own in it."""
    below = f"{path}/"
    return any(p.startswith(below) for p in declared) and not any(p.startswith(below) for p in live) and not live[path]


def normalisations(kind: Kind, desired: str, readback: str | None, withheld: Collection[str]) -> dict[str, str | None]:
    """What libvirt made of declared paths in a definition that it has just taken: path -> the value there, None if dropped.

    Paths at or below `withheld` ones are left out: they were not given to libvirt.
    """
    wanted = _declared(desired, kind.rules)
    there = canonical(parse(readback), kind.rules) if readback else {}
    return {
        path: there.get(path)
        for path, value in wanted.items()
        if there.get(path) != value
        and (value or _is_attribute(path) or path not in there)
        and not rules_for(kind.rules, without_keys(path)).write_only
        and not any(path == other or path.startswith(f"{other}/") for other in withheld)
    }
