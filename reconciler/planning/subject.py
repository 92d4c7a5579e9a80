"""One resource as the decisions see it, and what a decision is. Values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Kind
from reconciler.model.difference import Difference
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, HostState, Mark, Observed
from reconciler.planning.step import Step

STATE = "state"
AUTOSTART = "autostart"
PERSISTENT = "persistent"
HALF_MARKED = "half_marked"  # a detail of an observed domain: only one of its definitions carries our mark


@dataclass(frozen=True, slots=True)
class Subject:
    """All that is known of one resource. `desired.xml` and `intent` are settled; `mark` is ours, also of an object that is gone.

    `foreign` is the project that owns the object, `adopt` that we may take what nobody owns, `unseen` why the host cannot tell
    now (a volume whose pool is not active). `ignored` are patterns of paths that the project leaves alone.
    """

    kind: Kind
    id: ResourceId
    desired: Desired | None
    observed: Observed | None
    mark: Mark | None
    intent: str | None = None
    foreign: str = ""
    adopt: bool = False
    unseen: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        return self.kind.lifecycle.absent if self.observed is None else self.observed.state

    @property
    def ours(self) -> bool:
        return self.observed is not None and self.observed.mark is not None

    @property
    def wiping(self) -> bool:
        """Whether its wiping was begun: what it held is lost, and what is there may be half of it."""
        return self.ours and self.mark is not None and self.mark.wiping


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for one resource, in order; `note` is what a person should know beside it."""

    differences: tuple[Difference, ...] = ()
    steps: tuple[Step, ...] = ()
    note: str = ""
    not_ours: bool = False


def subject_of(id_: ResourceId, desired: Desired | None, state: HostState, *, adopt: bool) -> Subject:
    """What is known of a resource on its host. A mark in the inventory counts for the very object that it names only."""
    observed = state.resources.get(id_)
    mark = (observed.mark if observed is not None else None) or state.inventory.get(id_)
    foreign = state.foreign_marks.get(id_, "")
    if not foreign and observed is not None and observed.mark is None and mark is not None and mark.uuid in ("", observed.uuid):
        observed = replace(observed, mark=mark)
    return Subject(
        kind=KINDS[id_.kind],
        id=id_,
        desired=desired,
        observed=observed,
        mark=mark,
        foreign=foreign,
        adopt=adopt,
        unseen=unseen(id_, state.resources),
    )


def unseen(id_: ResourceId, resources: Mapping[ResourceId, Observed]) -> str:
    """Why the host cannot tell of a volume now, or ""."""
    pool = resources.get(ResourceId("Pool", id_.pool, id_.host)) if id_.pool else None
    if not id_.pool or (pool is not None and pool.live is not None):
        return ""
    return f"its pool {id_.pool} is not active, so the host cannot tell"
