"""Tables of resources: what `status` and `inventory show` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

from rich.text import Text

from reconciler.cli.printers import style
from reconciler.cli.printers.layout import columns, hang
from reconciler.cli.printers.style import Symbols
from reconciler.model.difference import Cause
from reconciler.model.plan import Plan, ResourcePlan, Status
from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark

STATUS_FORMAT = "vireo-status/1"
INVENTORY_FORMAT = "vireo-inventory/1"


Counts: TypeAlias = Mapping[ResourceId, tuple[int, int]]
"""How many snapshots a domain has, and how many of them Vireo did not take."""


def status(plan: Plan, symbols: Symbols, width: int | None, snapshots: Counts = MappingProxyType({})) -> list[Text]:
    """One line a resource: where it is, its state, its status, and what there is to know."""
    head = [Text(word, "bold") for word in ("RESOURCE", "HOST", "STATE", "STATUS", "NOTE")]
    rows = [head, *(_status_row(item, symbols, snapshots.get(item.id)) for item in plan.resources)]
    lines = columns(rows, indent=0, width=width) if plan.resources else [Text("No resources.")]
    for host in plan.hosts:
        if not host.reachable:
            text = f"{style.printable(host.name)} is not reachable: {style.printable(host.error)}"
            lines += hang(Text("? ", "bold red"), Text(text), width)
    return [*lines, Text(), *hang(Text(), Text(_counts(plan), "bold"), width)]


def _status_row(item: ResourcePlan, symbols: Symbols, snapshots: tuple[int, int] | None) -> list[Text]:
    held = "" if snapshots is None else _counted(*snapshots)
    mark = Text.assemble(style.status_mark(item.status, symbols), f" {item.status.value}")
    return [
        Text(style.resource(item.id)),
        Text(style.printable(item.id.host)),
        style.state(item, symbols),
        mark,
        Text("; ".join(filter(None, (held, _note(item)))), "dim"),
    ]


def _counted(count: int, others: int) -> str:
    """``3 snapshots (1 not Vireo's)``."""
    return style.plural(count, "snapshot") + (f" ({others} not Vireo's)" if others else "")


def _note(item: ResourcePlan) -> str:
    """The planner's own words, and the paths that differ besides. Why a host is not reachable is said once, below the table."""
    if item.status is Status.UNREACHABLE:
        return ""
    words = [style.printable(item.note)] if item.note else []
    for cause in Cause:
        if item.note and cause is Cause.PENDING_RESTART:
            continue
        untold = [d.path for d in item.differences if d.cause is cause and d.path != style.STATE and d.path not in item.note]
        paths = list(map(style.printable, untold))
        if paths:
            words.append(f"{cause.value}: {', '.join(paths)}")
    return "; ".join(words)


def _counts(plan: Plan) -> str:
    in_sync = sum(r.status is Status.IN_SYNC for r in plan.resources)
    others = [f"{count} {word.value}" for word in Status if word is not Status.IN_SYNC and (count := _count(plan, word))]
    return f"{in_sync} of {style.plural(len(plan.resources), 'resource')} in sync" + (f"; {', '.join(others)}" if others else "")


def _count(plan: Plan, word: Status) -> int:
    return sum(r.status is word for r in plan.resources)


def status_json(plan: Plan, snapshots: Counts = MappingProxyType({})) -> dict[str, Any]:
    """``vireo-status/1``: the plan without its actions, and how many snapshots there are."""
    full = replace(plan, actions=()).to_json()
    for item, entry in zip(plan.resources, full["resources"], strict=True):
        if item.id in snapshots:
            count, others = snapshots[item.id]
            entry["snapshots"] = {"all": count, "others": others}
    counts = {word.value: _count(plan, word) for word in Status}
    return {
        "format": STATUS_FORMAT,
        **{key: full[key] for key in ("project", "created", "hosts", "resources")},
        "summary": counts,
    }


def inventory(marks: Mapping[str, Sequence[Mark]], width: int | None) -> list[Text]:
    """What projects own on each host, as it was written down there."""
    head = [Text(word, "bold") for word in ("RESOURCE", "HOST", "PROJECT", "APPLIED STATE", "UUID OR KEY")]
    rows = [_mark_row(host, mark) for host, owned in marks.items() for mark in sorted(owned, key=lambda m: (m.project, m.id))]
    if not rows:
        return [Text("Nothing is owned by a project there.")]
    return [*columns([head, *rows], indent=0, width=width), Text(), Text(style.plural(len(rows), "resource") + " owned", "bold")]


def _mark_row(host: str, mark: Mark) -> list[Text]:
    state = f"{mark.state or '(none)'}{' (not finished)' if mark.pending else ''}{', protected' if mark.protect else ''}"
    return [Text(style.printable(text)) for text in (str(mark.id), host, mark.project, state, mark.uuid)]


def inventory_json(marks: Mapping[str, Sequence[Mark]]) -> dict[str, Any]:
    """``vireo-inventory/1``: identities only, never the intent."""
    hosts = [{"name": host, "resources": [_mark_json(mark) for mark in owned]} for host, owned in marks.items()]
    return {"format": INVENTORY_FORMAT, "hosts": hosts}


def _mark_json(mark: Mark) -> dict[str, Any]:
    pool = {"pool": mark.id.pool} if mark.id.pool else {}
    identity = {"kind": mark.id.kind, "name": mark.id.name, **pool}
    return {
        **identity,
        "project": mark.project,
        "uuid": mark.uuid,
        "state": mark.state,
        "pending": mark.pending,
        "protect": mark.protect,
    }
