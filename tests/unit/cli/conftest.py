"""Hand-made plans, and golden files for what the printers make of them (`--regenerate` writes the files again)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from rich.text import Text

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Action, HostPlan, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import ResourceId

CASES = Path(__file__).parents[2] / "cases" / "cli"
CREATED = "2026-01-01T00:00:00Z"

Golden = Callable[[str, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with tests/cases/cli/NAME."""

    def check(name: str, text: str) -> None:
        file = CASES / name
        if request.config.getoption("--regenerate", default=False):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return check


def plain(lines: Iterable[Text | str]) -> str:
    """Lines as a terminal without colours shows them."""
    return "".join(f"{line.plain if isinstance(line, Text) else line}\n" for line in lines)


NODE1 = HostPlan("node1", "qemu:///system", "11111111-0000-4000-8000-000000000001", reachable=True)
NODE2 = HostPlan("node2", "qemu+ssh://root@node2/system", "", reachable=False, error="no answer within 10 s")


def rid(text: str, host: str = "node1") -> ResourceId:
    """``Domain/web1`` or ``Volume/pool/name`` as an identity."""
    kind, *rest = text.split("/")
    return ResourceId(kind, rest[-1], host, rest[0] if len(rest) > 1 else "")


@pytest.fixture
def empty() -> Plan:
    return Plan(
        "homelab",
        CREATED,
        (NODE1,),
        (
            ResourcePlan(rid("Pool/images"), Status.IN_SYNC, "active", "active"),
            ResourcePlan(rid("Domain/web1"), Status.IN_SYNC, "running", "running"),
        ),
        (),
    )


@pytest.fixture
def pending() -> Plan:
    waiting = Difference("vcpu", "2", "2", "1", Cause.PENDING_RESTART, Impact.RESTART)
    return Plan(
        "homelab",
        CREATED,
        (NODE1,),
        (
            ResourcePlan(rid("Pool/images"), Status.IN_SYNC, "active", "active"),
            ResourcePlan(rid("Domain/web1"), Status.PENDING_RESTART, "running", "running", (waiting,)),
        ),
        (),
    )


@pytest.fixture
def everything() -> Plan:
    """One resource of each status, on two hosts of which one does not answer."""
    gib = 1024**3
    web1 = (
        Difference("devices/disk[vda]/driver/@cache", "writeback", None, None, Cause.DRIFT, Impact.RESTART),
        Difference(
            "devices/graphics[vnc]/@passwd", "vireo-secret-0a1b2c", "vireo-secret-ffff00", None, Cause.MANIFEST, Impact.LIVE
        ),
        Difference("memory", str(2 * gib), str(gib), str(gib // 2), Cause.MANIFEST, Impact.RESTART),
        Difference("title", "the web \x1b[31m| server", "", "", Cause.MANIFEST, Impact.NONE),
    )
    resources = (
        ResourcePlan(rid("Pool/images"), Status.CREATE, "active", "absent"),
        ResourcePlan(rid("Volume/images/a-rather-long-volume-name-of-somebody.qcow2"), Status.CREATE, "present", "absent"),
        ResourcePlan(rid("Network/lan"), Status.IN_SYNC, "active", "active"),
        ResourcePlan(rid("Domain/web1"), Status.UPDATE, "running", "stopped", web1),
        ResourcePlan(
            rid("Domain/web2"),
            Status.PENDING_RESTART,
            "running",
            "running",
            (Difference("vcpu", "2", "2", "1", Cause.PENDING_RESTART, Impact.RESTART),),
        ),
        ResourcePlan(rid("Domain/db"), Status.BLOCKED, "running", "running", web1[2:3]),
        ResourcePlan(rid("Domain/old"), Status.DELETE, "undefined", "running", note="no manifest names it any more"),
        ResourcePlan(rid("Domain/other"), Status.NOT_OURS, "running", "running", note="it belongs to the project lab2"),
        ResourcePlan(rid("Domain/far", "node2"), Status.UNREACHABLE, "running", "running", note="no answer within 10 s"),
    )
    actions = (
        Action("1", Verb.DEFINE, rid("Pool/images"), "the host does not have it", Impact.NONE),
        Action("2", Verb.START, rid("Pool/images"), "absent, wanted active", Impact.NONE, ("1",)),
        Action("3", Verb.CREATE, resources[1].id, "the pool does not have it", Impact.NONE, ("2",)),
        Action("4", Verb.DEFINE, rid("Domain/web1"), "4 differences in its definition", Impact.NONE, ("3",)),
        Action("5", Verb.RESTART, rid("Domain/web1"), "memory and devices/disk[vda]/driver/@cache", Impact.RESTART, ("4",)),
        Action(
            "6",
            Verb.RESTART,
            rid("Domain/db"),
            "memory",
            Impact.RESTART,
            blocked="its impact, restart, is above the ceiling, live; allow it with --allow restart",
        ),
        Action("7", Verb.SHUTDOWN, rid("Domain/old"), "running, wanted undefined", Impact.RESTART, consented=True),
        Action("8", Verb.UNDEFINE, rid("Domain/old"), "no manifest names it any more", Impact.RECREATE, ("7",), consented=True),
    )
    return Plan("homelab", CREATED, (NODE1, NODE2), resources, actions)
