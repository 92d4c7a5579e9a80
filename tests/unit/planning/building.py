"""Small values to plan with: what is wanted, what a host has, and what was applied before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from reconciler.kinds import KINDS
from reconciler.model.difference import Difference
from reconciler.model.plan import Plan
from reconciler.model.resource import Ignore, Location, Project, ResourceId
from reconciler.model.state import Desired, HostFacts, HostState, Mark, Observed
from reconciler.planning import planner
from reconciler.planning.allowance import Policy
from reconciler.planning.compare import Sides, compare
from reconciler.planning.identity import Settling, settle
from reconciler.planning.verify import Work, verify
from reconciler.xmltree.merge import merge

HOST = "host"
PROJECT = Project("shop")
UUID = "11111111-2222-4333-8444-555555555555"
CREATED = "2026-01-01T00:00:00Z"
MACHINES = {("x86_64", "pc"): "pc-i440fx-7.2", ("x86_64", "q35"): "pc-q35-7.2"}
FACTS = HostFacts(HOST, "test:///default", virt_types={"x86_64": ("qemu",)}, machines=MACHINES)

DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a.img'/>"
    "<target dev='vda' bus='virtio'/></disk>"
)


def nic(network: str, model: str = "virtio", mac: str = "") -> str:
    address = f"<mac address='{mac}'/>" if mac else ""
    return f"<interface type='network'>{address}<source network='{network}'/><model type='{model}'/></interface>"


def domain(
    inner: str = "",
    devices: str = "",
    *,
    machine: str = "pc",
    os: str = "",
    memory: str = "<memory>65536</memory>",
    uuid: str = "",
) -> str:
    """A domain's XML as a template would render it."""
    return (
        f"<domain type='qemu'><name>d</name>{f'<uuid>{uuid}</uuid>' if uuid else ''}{memory}"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type>{os}</os>{inner}<devices>{devices}</devices></domain>"
    )


def network(inner: str = "", *, uuid: str = "") -> str:
    return f"<network><name>d</name>{f'<uuid>{uuid}</uuid>' if uuid else ''}{inner}</network>"


def rid(text: str, host: str = HOST) -> ResourceId:
    """``Domain/web1`` or ``Volume/pool/name`` as an identity."""
    kind, *rest = text.split("/")
    return ResourceId(kind, rest[-1], host, rest[0] if len(rest) > 1 else "")


def settling(kind: str = "Domain", ignore: Iterable[str] = ()) -> Settling:
    rules = tuple(Ignore(path, "because") for path in ignore)
    return Settling(PROJECT.name, ResourceId(kind, "d", HOST), KINDS[kind], MACHINES, rules)


def desired(id_: ResourceId, xml: str = "", state: str = "", **more: Any) -> Desired:
    """What a manifest asks for; what is no field of Desired becomes an option."""
    fields = {name: more.pop(name) for name in ("autostart", "protect", "adopt", "secrets", "labels") if name in more}
    text = xml or minimal(id_)
    digest = repr((text, state, fields.get("autostart"), sorted(more.items(), key=str)))
    first = {"Domain": "stopped", "Volume": "present"}.get(id_.kind, "active")
    fields.setdefault("autostart", None)
    return Desired(id=id_, xml=text, state=state or first, options=more, digest=digest, source=Location("a.yaml"), **fields)


def minimal(id_: ResourceId) -> str:
    """The least XML of a kind."""
    uuid = "" if id_.kind == "Volume" else f"<uuid>{UUID}</uuid>"
    inner = {
        "Domain": "<memory>65536</memory><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><devices/>",
        "Volume": "<capacity unit='bytes'>1048576</capacity><target><format type='raw'/></target>",
        "Pool": f"<target><path>/srv/{id_.name}</path></target>",
        "Network": "<ip address='10.7.0.1' prefix='24'/>",
    }[id_.kind]
    root = KINDS[id_.kind].root
    attributes = {"Domain": " type='qemu'", "Pool": " type='dir'"}.get(id_.kind, "")
    return f"<{root}{attributes}><name>{id_.name}</name>{uuid}{inner}</{root}>"


def mark(want: Desired, *, project: str = PROJECT.name, **changes: Any) -> Mark:
    """What an apply of `want` leaves on the host."""
    known = Mark(
        project=project,
        id=want.id,
        uuid=UUID,
        digest=want.digest,
        xml=want.xml,
        state=want.state,
        autostart=want.autostart,
        options=want.options,
        protect=want.protect,
    )
    return replace(known, **changes)


def observed(
    id_: ResourceId,
    state: str,
    xml: str = "",
    *,
    persistent: bool = True,
    owned: Mark | None = None,
    autostart: bool | None = False,
) -> Observed:
    """An object of a host in the given state, its running definition equal to the persistent one."""
    text = xml or minimal(id_)
    active = state in KINDS[id_.kind].lifecycle.active
    return Observed(
        id=id_,
        uuid=f"/srv/{id_.pool}/{id_.name}" if id_.kind == "Volume" else UUID,
        state=state,
        persistent=text if persistent else None,
        live=text if active else None,
        autostart=autostart,
        mark=owned,
    )


def host(*seen: Observed, listed: Iterable[Mark] = (), foreign: dict[ResourceId, str] | None = None, **facts: Any) -> HostState:
    """A host that has these objects, and these entries in the project's inventory."""
    return HostState(
        facts=replace(FACTS, **facts),
        resources={each.id: each for each in seen},
        inventory={each.id: each for each in listed},
        foreign_marks=foreign or {},
    )


def planned(
    *wanted: Desired,
    state: HostState,
    project: Project = PROJECT,
    paths: Mapping[tuple[str, str], ResourceId] | None = None,
    **policy: Any,
) -> Plan:
    """`paths` are the future paths of declared volumes, by host and path."""
    return planner.plan(project, wanted, [state], Policy(**policy), CREATED, paths or {})


def differences(
    now: str, host_xml: str, before: str | None = None, kind: str = "Domain", live: str | None = None
) -> list[Difference]:
    """What compare says of a manifest now, the manifest applied before, and the host."""
    want = settle(now, (before, host_xml), settling(kind))
    intent = settle(before, (host_xml,), settling(kind), derive=False) if before else None
    return list(compare(KINDS[kind], Sides(want, intent, host_xml, live), None))


def paths(*args: Any, **more: Any) -> list[str]:
    return [difference.path for difference in differences(*args, **more)]


def redefined(now: str, host_xml: str, before: str | None = None, kind: str = "Domain") -> str:
    """What a redefinition hands to libvirt."""
    return merge(settle(now, (before, host_xml), settling(kind)), host_xml, before, KINDS[kind].rules)


def applied(want: Desired, result: Observed, before: Mark | None = None, withheld: Iterable[str] = ()) -> Mark:
    """The mark that an apply writes down after it looked at its result."""
    found = verify(PROJECT, want, result, MACHINES, Work(defined=True, withheld=set(withheld), before=before)).mark
    assert found is not None
    return found
