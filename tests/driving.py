"""Driving single verbs as an apply does: the resource is listed as pending first, then the verb gets its Step."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import libvirt

from reconciler.host.drivers import DRIVERS, Step, settle
from reconciler.host.inventory import Inventory
from reconciler.host.session import Session
from reconciler.model.difference import Impact
from reconciler.model.plan import Action, ResourcePlan, Status, Verb
from reconciler.model.resource import Location, ResourceId
from reconciler.model.state import Desired, Mark

PROJECT = "lab"


def desired(kind: str, name: str, xml: str, **options: Any) -> Desired:
    """What a manifest asks for; `pool`, `state`, `autostart` and `secrets` are taken out of the options."""
    return Desired(
        id=ResourceId(kind, name, "host", options.pop("pool", "")),
        xml=xml,
        state=options.pop("state", ""),
        autostart=options.pop("autostart", None),
        secrets=options.pop("secrets", {}),
        options=options,
        digest="d",
        source=Location("test.yaml"),
    )


@dataclass
class Hands:
    """One host and what was reported while its drivers were at work."""

    session: Session
    project: str = PROJECT
    reports: list[tuple[str, float | None]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def conn(self) -> libvirt.virConnect:
        return self.session.conn

    def inventory(self) -> Inventory:
        return Inventory.open(self.session, self.project)

    def list_as(self, want: Desired, uuid: str = "", *, pending: bool = True) -> Mark:
        """Puts the resource into the inventory, as an apply does before its first call."""
        mark = Mark(project=self.project, id=want.id, uuid=uuid, xml=want.xml, options=want.options, pending=pending)
        self.inventory().write([mark])
        return mark

    def step(self, verb: Verb, want: Desired, *, uuid: str = "", intent: str = "", paths: tuple[str, ...] = ()) -> Step:
        plan = ResourcePlan(want.id, Status.UPDATE, want.state, "", desired=want, uuid=uuid)
        return Step(
            session=self.session,
            project=self.project,
            action=Action("1", verb, want.id, "a test", Impact.NONE, paths=paths),
            plan=plan,
            intent=intent,
            report=lambda message, fraction: self.reports.append((message, fraction)),
            clock=time.monotonic,
            sleep=time.sleep,
            record=lambda mark: self.inventory().write([mark]),
            refuse=self.refused.__setitem__,
        )

    def do(self, verb: Verb, want: Desired, *, uuid: str = "", intent: str = "", paths: tuple[str, ...] = ()) -> None:
        DRIVERS[want.id.kind][verb](self.step(verb, want, uuid=uuid, intent=intent, paths=paths))

    def twice(self, verb: Verb, want: Desired, *, uuid: str = "", intent: str = "", paths: tuple[str, ...] = ()) -> None:
        """A verb, and once more, as after a connection that broke right behind its effect."""
        self.do(verb, want, uuid=uuid, intent=intent, paths=paths)
        self.do(verb, want, uuid=uuid, intent=intent, paths=paths)

    def settle(self, want: Desired, uuid: str = "") -> Mark:
        return settle(self.session, Mark(project=self.project, id=want.id, uuid=uuid, xml=want.xml, state=want.state))


def domain_xml(name: str, uuid: str, kind: str = "qemu", inner: str = "", devices: str = "", memory: int = 32) -> str:
    """A small domain: no disk, so that it sits in its BIOS."""
    return (
        f"<domain type='{kind}'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>{inner}"
        f"<devices>{devices}</devices></domain>"
    )
