"""The plan as a value: actions with their reasons, in a graph. `plan` prints exactly what `apply` runs."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.difference import Difference, Impact
from reconciler.model.resource import ResourceId
from reconciler.model.snapshot import SnapshotSpec
from reconciler.model.state import Desired

FORMAT = "vireo-plan/1"


class Verb(enum.StrEnum):
    """The closed set of what an action can do. Each kind's driver implements those that its tables name."""

    DEFINE = "define"
    CREATE = "create"
    START = "start"
    START_PAUSED = "start-paused"
    RESTORE = "restore"
    RESTORE_PAUSED = "restore-paused"
    RESUME = "resume"
    SUSPEND = "suspend"
    SHUTDOWN = "shutdown"
    STOP = "stop"
    SAVE = "managed-save"
    DISCARD_SAVED = "discard-saved"
    RESTART = "restart"
    UPDATE = "update"
    RESIZE = "resize"
    AUTOSTART = "set-autostart"
    ADOPT = "adopt"
    RECORD = "record"
    FORGET = "forget"
    UNDEFINE = "undefine"
    DELETE = "delete"
    WIPE = "wipe"
    SNAPSHOT = "snapshot"
    DELETE_SNAPSHOT = "delete-snapshot"
    REVERT = "revert"
    MIGRATE = "migrate"


class Status(enum.StrEnum):
    """What a plan has to say of a resource, in a word."""

    IN_SYNC = "in-sync"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PENDING_RESTART = "pending-restart"
    BLOCKED = "blocked"
    NOT_OURS = "not-ours"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Action:
    """One libvirt step. `needs` names the actions that must have succeeded before; `blocked` says why it is not run.

    `paths` are the differences that it repairs. `consented` is true where the manifest itself or a switch asked for just
    this loss (a deletion by policy): the ceiling does not hold it back. `snapshot` is what the snapshot verbs are about (for
    all but taking one, its name counts). `source` is the host that a migration begins at; `resource` is at its end.
    """

    id: str
    verb: Verb
    resource: ResourceId
    reason: str
    impact: Impact
    needs: tuple[str, ...] = ()
    blocked: str | None = None
    paths: tuple[str, ...] = ()
    consented: bool = False
    snapshot: SnapshotSpec | None = None
    source: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it changes."""
        return (self.resource.host, self.source) if self.source else (self.resource.host,)


@dataclass(frozen=True, slots=True)
class ResourcePlan:
    """All that the plan knows of one resource.

    `desired` is None for one that is to be removed because no manifest names it; then `options` come from its mark.
    `uuid` is the object's identity on the host now ("" if absent): destructive calls look it up again by it.
    `observed_digest` changes whenever anything that was observed of it changes.
    """

    id: ResourceId
    status: Status
    desired_state: str
    observed_state: str
    differences: tuple[Difference, ...] = ()
    desired: Desired | None = None
    uuid: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    observed_digest: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class HostPlan:
    name: str
    uri: str
    uuid: str
    reachable: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Resources and actions of one project over all its hosts; `actions` are in an order that respects `needs`."""

    project: str
    created: str
    hosts: tuple[HostPlan, ...]
    resources: tuple[ResourcePlan, ...]
    actions: tuple[Action, ...]

    @property
    def runnable(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.blocked is None)

    @property
    def blocked(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.blocked is not None)

    def summary(self) -> dict[str, int]:
        """Counts of resources by what happens to them, and of actions."""
        count = {status: sum(r.status is status for r in self.resources) for status in Status}
        return {
            "create": count[Status.CREATE],
            "update": count[Status.UPDATE],
            "delete": count[Status.DELETE],
            "unchanged": count[Status.IN_SYNC] + count[Status.PENDING_RESTART],
            "actions": len(self.runnable),
            "blocked": len(self.blocked),
        }

    def to_json(self) -> dict[str, Any]:
        """The contract ``vireo-plan/1``: plain data, no secret, no XML."""
        return {
            "format": FORMAT,
            "project": self.project,
            "created": self.created,
            "hosts": [
                {"name": h.name, "uri": h.uri, "uuid": h.uuid, "reachable": h.reachable} | ({"error": h.error} if h.error else {})
                for h in self.hosts
            ],
            "resources": [_resource_json(r) for r in self.resources],
            "actions": [_action_json(a) for a in self.actions],
            "summary": self.summary(),
        }


def _identity_json(resource: ResourceId) -> dict[str, Any]:
    identity = {"kind": resource.kind, "name": resource.name, "host": resource.host}
    return identity | ({"pool": resource.pool} if resource.pool else {})


def _resource_json(plan: ResourcePlan) -> dict[str, Any]:
    return {
        **_identity_json(plan.id),
        "status": plan.status.value,
        "state": {"desired": plan.desired_state, "observed": plan.observed_state},
        "differences": [
            {
                "path": d.path,
                "desired": d.desired,
                "persistent": d.persistent,
                "live": d.live,
                "cause": d.cause.value,
                "impact": d.impact.label,
            }
            for d in plan.differences
        ],
    } | ({"note": plan.note} if plan.note else {})


def _action_json(action: Action) -> dict[str, Any]:
    more: dict[str, Any] = {"snapshot": action.snapshot.name} if action.snapshot is not None else {}
    more |= {"from": action.source} if action.source else {}
    return {
        "id": action.id,
        "verb": action.verb.value,
        **_identity_json(action.resource),
        "reason": action.reason,
        "impact": action.impact.label,
        "needs": list(action.needs),
        "blocked": action.blocked,
        "paths": list(action.paths),
        **more,
    }
