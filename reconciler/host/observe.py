"""One pass of bulk reads over a host: everything it has, and whose it is. It changes no definition, no state and no mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.host.inventory import Survey, survey
from reconciler.host.ownership import claim
from reconciler.host.reading import domain, network, storage
from reconciler.host.session import Session
from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState, Mark, Observed

READ_ALL: tuple[Callable[[Session], list[Observed]], ...] = (storage.read_all, network.read_all, domain.read_all)

READ_ONE: Mapping[str, Callable[[Session, ResourceId, str], Observed | None]] = {
    domain.KIND: domain.read_one,
    network.KIND: network.read_one,
    storage.POOL: storage.read_pool,
    storage.VOLUME: storage.read_volume,
}


def observe(session: Session, project: str) -> HostState:
    """All objects of the host, with `project`'s marks on those that are its own.

    Active pools of files are refreshed once. Raises HostError: what cannot be read is never taken for absent.
    """
    found = survey(session)
    found.check(project)
    return state_of(session, project, found)


def state_of(session: Session, project: str, found: Survey) -> HostState:
    """The same with the inventories as they were read before; `found` may lack what could not be read."""
    resources: dict[ResourceId, Observed] = {}
    foreign: dict[ResourceId, str] = {}
    shared: dict[ResourceId, str] = {}
    theirs = {
        (mark.id.kind, mark.uuid): name
        for name, marks in found.marks.items()
        for mark in marks.values()
        if name != project and mark.uuid and not KINDS[mark.id.kind].marked
    }
    inventory: dict[ResourceId, Mark] = dict(found.marks.get(project, {}))
    for read in READ_ALL:
        for observed in read(session):
            claimed = claim(observed, project, found)
            resources[observed.id] = claimed.observed
            if claimed.foreign:
                foreign[observed.id] = claimed.foreign
            if claimed.observed.mark is not None:
                inventory[claimed.observed.mark.id] = claimed.observed.mark
                if (observed.id.kind, observed.uuid) in theirs:  # one that somebody removed, and they made again, say
                    shared[observed.id] = theirs[observed.id.kind, observed.uuid]
    return HostState(facts=session.facts, resources=resources, inventory=inventory, foreign_marks=foreign, shared=shared)


def observe_one(
    session: Session,
    project: str,
    identity: ResourceId,
    uuid: str,
    *,
    mark: Mark | None = None,
) -> Observed | None:
    """One object as it is now: that of `uuid` (not for volumes), else the one of that name; None if there is neither.

    `mark` is the inventory's entry for it if the caller has it at hand; otherwise the inventories are read, unless the object
    carries its mark itself.
    """
    observed = READ_ONE[identity.kind](session, identity, uuid)
    if observed is None:
        return None
    listed = Survey({} if mark is None else {project: {mark.id: mark}})
    claimed = claim(observed, project, listed)
    if mark is not None or claimed.observed.mark is not None or claimed.foreign:
        return claimed.observed
    found = survey(session)
    found.check(project)
    return claim(observed, project, found).observed
