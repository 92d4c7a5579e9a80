"""One resource as the decisions see it, and what a decision is. Values."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kinds.kind import Kind
from reconciler.model.difference import Difference
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, Mark, Observed
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


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for one resource, in order; `note` is what a person should know beside it."""

    differences: tuple[Difference, ...] = ()
    steps: tuple[Step, ...] = ()
    note: str = ""
    not_ours: bool = False
