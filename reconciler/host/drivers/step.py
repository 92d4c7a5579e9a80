"""What a driver is given: one action, the plan of its resource, and the way to libvirt. No libvirt calls of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeAlias, TypeVar

from reconciler.errors import HostError
from reconciler.host.session import Session
from reconciler.kinds import KINDS
from reconciler.kinds.kind import Rules
from reconciler.model.plan import Action, ResourcePlan
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, Mark

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One action to be carried out on one host.

    `intent` is the XML that was last applied, "" if none. `report` takes a short message and a fraction (0..1, or None) and may
    be called often. `clock` gives monotonic seconds, `sleep` waits for seconds. `record` writes a mark into the project's
    inventory at once (through the one Inventory that the apply holds: two would overwrite each other). `refuse` tells, of a path
    that cannot be changed while the guest runs and waits for its next start, the reason. `source` is the other host, where a
    migration begins, `bandwidth` the most that it may send, in bytes a second (0: no limit). `stopping` says that the user wants
    to end: who can give up cleanly does.
    """

    session: Session
    project: str
    action: Action
    plan: ResourcePlan
    intent: str
    report: Callable[[str, float | None], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    record: Callable[[Mark], None]
    refuse: Callable[[str, str], None]
    source: Session | None = None
    stopping: Callable[[], bool] = bool
    bandwidth: int = 0

    @property
    def id(self) -> ResourceId:
        return self.plan.id

    @property
    def desired(self) -> Desired:
        """What the manifest asks for. Raises HostError for a resource that no manifest names: it can only be taken away."""
        if self.plan.desired is None:
            raise HostError(f"{self.id}: no manifest describes it", hint="plan again: the manifests changed under this plan")
        return self.plan.desired

    @property
    def options(self) -> Mapping[str, Any]:
        """The manifest's options; of a resource that no manifest names any more, those of its mark."""
        return self.plan.options if self.plan.desired is None else self.plan.desired.options

    @property
    def rules(self) -> Rules:
        return KINDS[self.id.kind].rules

    def call(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One libvirt call by its libvirt name; see Session.call for the errors."""
        return self.session.call(name, function, *args, **kwargs)


Driver: TypeAlias = Callable[[Step], None]
"""Carries out one verb. Does nothing if its effect is there already. Raises HostError."""
