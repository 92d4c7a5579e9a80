"""UUIDs that another object of the host has already: what would be made under one is held back, or waits until that one is gone.

libvirt refuses a second object of one UUID, but only when it is defined: by then others may have been changed. Who has it may be
the object itself by its old name, and only a removal frees it. Volumes have no UUIDs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState
from reconciler.planning.case import Case
from reconciler.xmltree.document import parse


def hold(cases: Mapping[ResourceId, Case], state: HostState) -> None:
    """Block each new object whose UUID stays another's; one whose UUID becomes free comes `after` the one that goes.

    Before the guards, so that what builds on it is held back as well, and after them, as they may keep the one that was to go.
    """
    coming = [case for case in cases.values() if _is_coming(case)]
    owners = {(id_.kind, _plain(seen.uuid)): id_ for id_, seen in state.resources.items()} if coming else {}
    for case in coming:
        given = _uuid(case)
        owner = owners.get((case.id.kind, _plain(given))) if given else None
        if owner is None or owner == case.id:
            continue
        other = cases.get(owner)
        going = other is not None and other.removing
        held = next((step.blocked for step in other.steps if step.blocked), None) if other is not None and going else None
        if going and held is None:
            case.after |= {owner}
            continue
        why = f"{_whose(owner, state)} has its UUID {given}{_advice(owner, state, other, held)}"
        case.steps = [replace(step, blocked=step.blocked or why) for step in case.steps]


def _is_coming(case: Case) -> bool:
    desired, kind = case.desired, case.subject.kind
    new = kind.has_uuid and case.subject.observed is None and desired is not None and desired.state != kind.lifecycle.absent
    return new and any(step.blocked is None for step in case.steps)


def _uuid(case: Case) -> str:
    return (parse(case.desired.xml).findtext("uuid") or "").strip() if case.desired is not None else ""


def _plain(uuid: str) -> str:
    return uuid.replace("-", "").lower()


def _whose(owner: ResourceId, state: HostState) -> str:
    if state.resources[owner].mark is not None:
        return str(owner)
    project = state.foreign_marks.get(owner)
    return f"{owner} of the project {project}" if project else f"{owner}, which nobody owns,"


def _advice(owner: ResourceId, state: HostState, other: Case | None, held: str | None) -> str:
    """What to do about it, by who has it."""
    if held is not None:
        return f", and its removal is blocked: {held}"
    if state.resources[owner].mark is None:
        return ": give this one another, or leave `uuid` out"
    if other is not None and other.desired is not None:
        return ", and is declared as well: give one of them another"
    return ": --prune removes that one first, or give this one its name back"
