"""One resource on its way through the planner: what is known of it, what was decided, what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired
from reconciler.planning.decide import Decision, Subject
from reconciler.planning.guard import DESTROYING
from reconciler.planning.step import Step

RANK = {name: number for number, name in enumerate(KINDS)}


@dataclass(slots=True)
class Case:
    """`steps` change as guards look at them; `needs` are the resources that must be there before."""

    subject: Subject
    desired: Desired | None
    decision: Decision = field(default_factory=Decision)
    steps: list[Step] = field(default_factory=list)
    needs: frozenset[ResourceId] = frozenset()

    @property
    def id(self) -> ResourceId:
        return self.subject.id

    @property
    def removing(self) -> bool:
        return any(step.verb in DESTROYING for step in self.steps) and (
            self.desired is None or self.desired.state == self.subject.kind.lifecycle.absent
        )
