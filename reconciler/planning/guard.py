"""Reasons not to act, one small function each. What a guard holds back is shown with its reason; the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.kinds.kind import Kind
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.model.resource import ResourceId
from reconciler.planning.step import Step

DESTROYING = frozenset({Verb.UNDEFINE, Verb.DELETE, Verb.WIPE, Verb.DISCARD_SAVED})


@dataclass(frozen=True, slots=True)
class Situation:
    """What the guards look at beside the step itself.

    `users` are those that keep using the resource after this plan, `active_users` the running ones among them. `too_many` says
    that the plan's deletions are more than the limit (and which), empty if they are not. `ending` is the verb after which the
    object is gone, if it is to go: of a transient one its end. `shared_with` is another project that lists the object, too.
    """

    kind: Kind
    ceiling: Impact
    read_only: bool = False
    protected: bool = False
    users: tuple[ResourceId, ...] = ()
    active_users: tuple[ResourceId, ...] = ()
    removing: bool = False
    too_many: str = field(default="")
    ending: Verb | None = None
    shared_with: str = ""

    def destroys(self, step: Step) -> bool:
        """Whether the step ends what the object is."""
        return step.verb in DESTROYING or step.verb is self.ending


def _read_only(step: Step, situation: Situation) -> str | None:
    return f"{step.verb.value} needs a read-write connection, and this one is read-only" if situation.read_only else None


def _protected(step: Step, situation: Situation) -> str | None:
    return "metadata.protect: true protects it" if situation.protected and situation.destroys(step) else None


def _in_use(step: Step, situation: Situation) -> str | None:
    counting = situation.kind.held.get(step.verb)
    users = {"any": situation.users, "active": situation.active_users}[counting] if counting else ()
    return f"in use by {', '.join(map(str, sorted(users)))}" if users else None


def _shared(step: Step, situation: Situation) -> str | None:
    if not situation.shared_with or step.verb not in situation.kind.held or not situation.destroys(step):
        return None
    return f"in use by the project {situation.shared_with}, whose inventory lists it as well: one of the two must forget it"


def _mass_deletion(step: Step, situation: Situation) -> str | None:
    return situation.too_many if situation.removing and situation.too_many and situation.destroys(step) else None


def _ceiling(step: Step, situation: Situation) -> str | None:
    others = step.verb in situation.kind.interrupts and situation.active_users  # who consents does not consent for them
    if (step.consented and not others) or step.impact <= situation.ceiling:
        return None
    return (
        f"its impact is {step.impact.label}, above the ceiling {situation.ceiling.label}: --allow {step.impact.label} permits it"
    )


GUARDS: tuple[Callable[[Step, Situation], str | None], ...] = (
    _read_only,
    _protected,
    _in_use,
    _shared,
    _mass_deletion,
    _ceiling,
)


def guard(step: Step, situation: Situation) -> str | None:
    """Why the step must not be run now, or None. A reason that the decision gave already stays."""
    if step.blocked is not None:
        return step.blocked
    return next((reason for check in GUARDS if (reason := check(step, situation)) is not None), None)
