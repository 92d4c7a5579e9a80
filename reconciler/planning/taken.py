"""Which snapshots an object has, whose they are, and which of them a manifest asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reconciler.model.snapshot import Snapshot, SnapshotSpec, taken_at, way_of
from reconciler.model.state import Mark, Observed

DECLARED, SCHEDULE, BEFORE = "snapshots", "snapshotPolicy", "snapshotBefore"  # options of a manifest
_STAMP = "%Y%m%dT%H%M%SZ"
_FOR_A_MANIFEST = frozenset({"declared", "schedule"})  # ways: the others stay until somebody deletes them by hand


def path_of(name: str) -> str:
    """The path under which a declared snapshot is compared."""
    return f"{DECLARED}[{name}]"


def stamped(prefix: str, created: str) -> str:
    """``PREFIX-YYYYMMDDTHHMMSSZ`` of the time at which a plan was made."""
    return f"{prefix}-{time_of(created).strftime(_STAMP)}"


def held(observed: Observed | None) -> tuple[Snapshot, ...]:
    """The snapshots that the object has on its host, whoever took them."""
    return () if observed is None else tuple(observed.details.get("snapshots") or ())


def ours(observed: Observed | None, mark: Mark | None) -> tuple[Snapshot, ...]:
    """Those of them that Vireo took: of a name and a time of creation that it wrote down."""
    known = {} if mark is None else mark.snapshots
    return tuple(snapshot for snapshot in held(observed) if taken_at(known.get(snapshot.name, "")) == str(snapshot.created))


def of_schedule(observed: Observed | None, mark: Mark | None) -> tuple[Snapshot, ...]:
    """Those that Vireo took because a schedule asked for them, whatever their names look like."""
    known = {} if mark is None else mark.snapshots
    return tuple(snapshot for snapshot in ours(observed, mark) if way_of(known[snapshot.name]) == "schedule")


def unfinished(observed: Observed | None, mark: Mark | None) -> tuple[str, ...]:
    """The names of those that are there, and of which an interrupted run could not write down when they were taken."""
    known = {} if mark is None else mark.snapshots
    return tuple(s.name for s in held(observed) if s.name in known and not taken_at(known[s.name]))


def declared(options: Mapping[str, Any]) -> tuple[SnapshotSpec, ...]:
    """What a manifest asks for by name."""
    return tuple(map(SnapshotSpec.of, options.get(DECLARED) or ()))


def missing(options: Mapping[str, Any], observed: Observed | None) -> tuple[SnapshotSpec, ...]:
    """What a manifest asks for by name, and the host does not have."""
    there = {snapshot.name for snapshot in held(observed)}
    return tuple(spec for spec in declared(options) if spec.name not in there)


def retired(options: Mapping[str, Any], observed: Observed | None, mark: Mark | None) -> tuple[Snapshot, ...]:
    """Those that Vireo took because a manifest asked for them, and that it does not ask for any more."""
    if mark is None:
        return ()
    before = {spec.name for spec in declared(mark.options)}
    return tuple(
        snapshot
        for snapshot in ours(observed, mark)
        if snapshot.name in before or path_of(snapshot.name) in mark.retired or scheduled(snapshot.name, mark.options)
        if (way := way_of(mark.snapshots[snapshot.name])) in _FOR_A_MANIFEST and not _asked_for(snapshot.name, way, options)
    )


def remembered(options: Mapping[str, Any], observed: Observed, mark: Mark | None) -> dict[str, str]:
    """Those that are retired, as they are kept in a mark: path -> time. Only they may be deleted because nobody asks for them."""
    known = mark if mark is None or observed.mark is None else replace(mark, snapshots=observed.mark.snapshots)
    return {path_of(snapshot.name): str(snapshot.created) for snapshot in retired(options, observed, known)}


def listed(options: Mapping[str, Any], observed: Observed, mark: Mark | None) -> dict[str, str]:
    """What a mark has of snapshots that Vireo took, without those that are gone and that nobody misses or goes on in."""
    known = {} if mark is None else mark.snapshots
    there = {snapshot.name for snapshot in held(observed)} | {spec.name for spec in declared(options)}
    return {name: created for name, created in known.items() if name in there or _goes_on_in(name, observed)}


def _goes_on_in(name: str, observed: Observed) -> bool:
    """Whether a disk is in the overlay of a snapshot by that name: one that is forgotten still says whose the file is."""
    text = f"{observed.persistent or ''}{observed.live or ''}"
    return re.search(rf"\.{re.escape(name)}(\.r\d+)?['\"]", text) is not None


def _asked_for(name: str, way: str, options: Mapping[str, Any]) -> bool:
    by_schedule = way == "schedule" and scheduled(name, options) is not None
    return by_schedule or name in {spec.name for spec in declared(options)}


def scheduled(name: str, options: Mapping[str, Any]) -> datetime | None:
    """The time in the name of a snapshot of the schedule; None if it is none of them."""
    schedule = options.get(SCHEDULE)
    found = re.fullmatch(rf"{re.escape(str(schedule['prefix']))}-(\d{{8}}T\d{{6}}Z)", name) if schedule else None
    try:
        return None if found is None else datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def time_of(created: str) -> datetime:
    """The time at which a plan was made."""
    return datetime.fromisoformat(created)
