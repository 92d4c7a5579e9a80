"""Makes a project's inventory anew from what its host has: after a damage, or when it was lost."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.host import inventory
from reconciler.host.observe import state_of
from reconciler.host.session import Session
from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark


def rebuild(session: Session, project: str, marks: Iterable[Mark] = ()) -> list[Mark]:
    """Writes the inventory anew, and answers what is in it: the marks that domains carry, what can still be read of the old
    inventory and exists, and `marks`.

    Nothing is claimed only because an owned domain uses it. Raises HostError, and then the old inventory is as it was.
    """
    session.require_write("rebuild the inventory")
    state = state_of(session, project, inventory.survey(session))
    found: dict[ResourceId, Mark] = {mark.id: mark for mark in marks}
    found |= {observed.mark.id: observed.mark for observed in state.resources.values() if observed.mark is not None}
    kept = [found[identity] for identity in sorted(found)]
    inventory.restart(session, project, kept)
    return kept
