"""What the hosts did behind Vireo's back: differences whose cause is drift, states included. Not what the manifests changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.text import Text

from reconciler.cli.printers import style
from reconciler.cli.printers.layout import columns, hang
from reconciler.cli.printers.markdown import code, table
from reconciler.model.difference import Cause, Difference
from reconciler.model.plan import Plan, ResourcePlan, Status

FORMAT = "vireo-drift/1"


def drifted(plan: Plan) -> tuple[ResourcePlan, ...]:
    """The resources that moved, with those differences only whose cause is drift."""
    found: list[ResourcePlan] = []
    for item in plan.resources:
        differences = tuple(d for d in item.differences if d.cause is Cause.DRIFT)
        if differences and item.status not in (Status.NOT_OURS, Status.UNREACHABLE):
            found.append(replace(item, differences=differences))
    return tuple(found)


def lines(plan: Plan, found: Sequence[ResourcePlan], width: int | None) -> list[Text]:
    """For people: every path with what is there and what was applied."""
    text: list[Text] = []
    for item in found:
        where = f" on {style.printable(item.id.host)}" if len(plan.hosts) > 1 else ""
        text += hang(Text("~ ", "bold yellow"), Text.assemble((style.resource(item.id), "bold"), where), width)
        text += columns((_row(item, d) for d in item.differences), indent=4, width=width)
    missing = [host for host in plan.hosts if not host.reachable]
    for host in missing:
        error = f"{style.printable(host.name)} is not reachable: {style.printable(host.error)}"
        text += hang(Text("? ", "bold red"), Text(error), width)
    return [*text, *([Text()] if text else []), *hang(Text(), Text(summary(plan, found), "bold"), width)]


def summary(plan: Plan, found: Sequence[ResourcePlan]) -> str:
    """The last line."""
    unseen = sum(r.status is Status.UNREACHABLE for r in plan.resources)
    rest = len(plan.resources) - len(found) - unseen
    tail = f"; {unseen} not reachable" if unseen else ""
    if not found:
        return f"No drift: {style.plural(rest, 'resource')} looked at{tail}."
    return f"Drift: {style.plural(len(found), 'resource')} moved, {rest} did not{tail}."


def _row(item: ResourcePlan, difference: Difference) -> list[Text]:
    there, applied = _two(item, difference)
    return [
        Text(style.printable(difference.path) + ":"),
        Text.assemble("is ", (there, "red"), ", was applied as ", (applied, "green")),
    ]


def _two(item: ResourcePlan, difference: Difference) -> tuple[str, str]:
    there, applied, _ = style.change(item.id.kind, difference)
    return there, applied


def to_json(plan: Plan, found: Sequence[ResourcePlan]) -> dict[str, Any]:
    """``vireo-drift/1``: the plan's hosts, and the resources that moved."""
    full = replace(plan, resources=tuple(found), actions=()).to_json()
    counts = {"resources": len(plan.resources), "drifted": len(found)}
    kept = {key: full[key] for key in ("project", "created", "hosts", "resources")}
    return {"format": FORMAT, **kept, "summary": counts}


def markdown(plan: Plan, found: Sequence[ResourcePlan]) -> str:
    """One table, for an issue or a chat."""
    text = [f"### Vireo drift: {code(plan.project)}", "", f"**{summary(plan, found)}**"]
    if found:
        rows = [
            [code(str(item.id)), code(item.id.host), code(d.path), *(code(value) for value in _two(item, d))]
            for item in found
            for d in item.differences
        ]
        text += ["", *table(["Resource", "Host", "Path", "Is", "Was applied as"], rows)]
    text += [f"\n- {code(host.name)} is not reachable: {code(host.error)}" for host in plan.hosts if not host.reachable]
    return "\n".join(text) + "\n"
