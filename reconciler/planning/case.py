"""One resource on its way through the planner: what is known of it, what was decided, what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.kinds import KINDS
from reconciler.model.plan import Verb
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired
from reconciler.planning.heirs import Heir
from reconciler.planning.step import Step
from reconciler.planning.subject import Decision, Subject

RANK = {name: number for number, name in enumerate(KINDS)}
WRITING = frozenset({Verb.RECORD, Verb.FORGET, Verb.ADOPT})
"""Verbs that only write down whose an object is."""


@dataclass(slots=True)
class Case:
    """`steps` change as guards look at them; `needs` are the resources that must be there before.

    `after` are others that must be gone before it comes: one of them has its UUID.
    `heir` says with whom a volume goes, if it goes with the domain that used it; it `inherits` unless that one stays.
    """

    subject: Subject
    desired: Desired | None
    decision: Decision = field(default_factory=Decision)
    steps: list[Step] = field(default_factory=list)
    needs: frozenset[ResourceId] = frozenset()
    after: frozenset[ResourceId] = frozenset()
    heir: Heir | None = None
    inherits: bool = True

    @property
    def id(self) -> ResourceId:
        return self.subject.id

    @property
    def removing(self) -> bool:
        """Whether its steps end with the object gone (a transient one is gone when it ends)."""
        leaving = self.desired is None or self.desired.state == self.subject.kind.lifecycle.absent
        return leaving and any(step.verb not in WRITING for step in self.steps)
