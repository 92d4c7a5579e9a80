"""Whose an observed object is: by the mark in its own XML, else by the inventories on its host. Pure; it calls nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.host.inventory import Survey
from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark, Observed
from reconciler.xmltree import mark as marks


@dataclass(frozen=True, slots=True)
class Claim:
    """An object with this project's mark on it, if it is this project's; `foreign` is another project that owns it, or ""."""

    observed: Observed
    foreign: str = ""


def claim(observed: Observed, project: str, survey: Survey) -> Claim:
    """Whose `observed` is.

    The mark in a domain's own metadata counts first; one that names another UUID was copied with the domain (details: clone_of).
    An inventory's entry counts if it is for this very object: of the same UUID, or of a creation that was not finished. A domain
    that carries our mark under another name was renamed (details: renamed_from). One of which the mark and the inventory do not
    both know is to be written down anew (details: half_marked, which of them).
    """
    own = _own_mark(observed)
    details: dict[str, Any] = dict(observed.details)
    if own is not None and own.uuid != observed.uuid:
        details["clone_of"] = own.uuid
        own = None
    if own is not None and own.project != project:
        return Claim(replace(observed, details=details), own.project)
    listed = survey.marks.get(project, {})
    entry = None if own is None else listed.get(own.id)
    if own is not None and entry is not None:
        own = replace(own, wiping=entry.wiping, snapshots=entry.snapshots, reverted=entry.reverted)
    if own is not None and (entry is None or entry.pending):
        details["half_marked"] = "the inventory does not list it as done"
    elif own is None and (own := _listed(observed, listed)) is not None and KINDS[observed.id.kind].marked and not own.pending:
        details["half_marked"] = "its metadata carries no mark that can be read"
    if own is not None:
        if own.id != observed.id:
            details["renamed_from"] = own.id.name
        return Claim(replace(observed, mark=own, details=details))
    owners = (name for name, listed in survey.marks.items() if name != project and _listed(observed, listed) is not None)
    return Claim(replace(observed, details=details), next(owners, ""))


def _own_mark(observed: Observed) -> Mark | None:
    """The mark in the object's XML: in the persistent definition, else in the live one (a redefinition may have dropped it)."""
    for text in (observed.persistent, observed.live):
        if text is not None and marks.NAMESPACE in text:
            found = marks.read(text, observed.id.host)
            if found is not None:
                return found
    return None


def _listed(observed: Observed, listed: Mapping[ResourceId, Mark]) -> Mark | None:
    mark = listed.get(observed.id)
    if mark is None:
        return None
    unfinished = mark.pending and not mark.uuid
    return mark if unfinished or mark.uuid == observed.uuid else None
