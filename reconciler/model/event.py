"""What happens while a plan is applied: one stream feeds the terminal, JSON lines, logs and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from reconciler.model.plan import Action, Plan
from reconciler.model.resource import ResourceId


@dataclass(frozen=True, slots=True)
class ApplyStarted:
    plan: Plan


@dataclass(frozen=True, slots=True)
class ActionStarted:
    action: Action


@dataclass(frozen=True, slots=True)
class ActionProgress:
    """`fraction` is 0..1, or None where there is no measure."""

    action: Action
    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class ActionDone:
    action: Action
    seconds: float


@dataclass(frozen=True, slots=True)
class ActionFailed:
    action: Action
    error: str
    hint: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ActionSkipped:
    """Not run: `reason` says which failure, block or interruption is the cause."""

    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A resource was observed again after its last action; `leftover` are the paths that still differ."""

    resource: ResourceId
    leftover: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know and that is no action: waiting for a lock, a connection opened again."""

    host: str
    message: str


@dataclass(frozen=True, slots=True)
class ApplyFinished:
    done: int
    failed: int
    skipped: int
    blocked: int
    seconds: float
    interrupted: bool = False


Event: TypeAlias = (
    ApplyStarted | ActionStarted | ActionProgress | ActionDone | ActionFailed | ActionSkipped | Verified | Notice | ApplyFinished
)


def to_json(event: Event) -> dict[str, Any]:
    """One JSON object an event, with its name under ``event``: the lines of ``apply -o json``."""
    match event:
        case ApplyStarted(plan):
            return {"event": "apply-started", "project": plan.project, "plan": plan.to_json()}
        case ActionStarted(action):
            return {"event": "action-started", **_action(action)}
        case ActionProgress(action, message, fraction):
            return {"event": "action-progress", **_action(action), "message": message, "fraction": fraction}
        case ActionDone(action, seconds):
            return {"event": "action-done", **_action(action), "seconds": round(seconds, 3)}
        case ActionFailed(action, error, hint, seconds):
            return {"event": "action-failed", **_action(action), "error": error, "hint": hint, "seconds": round(seconds, 3)}
        case ActionSkipped(action, reason):
            return {"event": "action-skipped", **_action(action), "reason": reason}
        case Verified(resource, leftover):
            return {
                "event": "verified",
                "kind": resource.kind,
                "name": resource.name,
                "host": resource.host,
                "leftover": list(leftover),
            }
        case Notice(host, message):
            return {"event": "notice", "host": host, "message": message}
        case ApplyFinished(done, failed, skipped, blocked, seconds, interrupted):
            return {
                "event": "apply-finished",
                "done": done,
                "failed": failed,
                "skipped": skipped,
                "blocked": blocked,
                "seconds": round(seconds, 3),
                "interrupted": interrupted,
            }


def _action(action: Action) -> dict[str, Any]:
    resource = action.resource
    identity = {"kind": resource.kind, "name": resource.name, "host": resource.host}
    snapshot = {"snapshot": action.snapshot.name} if action.snapshot is not None else {}
    source = {"from": action.source} if action.source else {}
    return {"id": action.id, "verb": action.verb.value, **identity, **snapshot, **source}
