"""A plan for people: what differs and why, what will be done in which order, what is blocked, and a summary line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.text import Text

from reconciler.cli.printers import style
from reconciler.cli.printers.layout import blocks, columns, hang
from reconciler.cli.printers.style import STATE, Symbols
from reconciler.model.difference import Difference, Impact
from reconciler.model.plan import Action, HostPlan, Plan, ResourcePlan, Status
from reconciler.model.resource import ResourceId


def lines(plan: Plan, symbols: Symbols, width: int | None) -> list[Text]:
    """The whole plan; one line if there is nothing to say. `width` in cells, None for no limit."""
    shown = [r for r in plan.resources if style.is_news(r)]
    unreachable = [host for host in plan.hosts if not host.reachable]
    if not shown and not plan.actions and not unreachable:
        return [Text(nothing_to_do(plan))]
    text = _heading(plan, symbols, width)
    text += _resources(plan, shown, symbols, width)
    if plan.runnable:
        text += [Text(), Text("Actions, in this order", "bold"), *_actions(plan, width)]
    if plan.blocked:
        text += [Text(), Text("Blocked", "bold magenta"), *_blocked(plan, width)]
    last = Text(nothing_to_do(plan)) if not plan.actions and not unreachable else Text(summary(plan), "bold")
    return [*text, Text(), *hang(Text(), last, width)]


def nothing_to_do(plan: Plan) -> str:
    """The one line of an empty plan."""
    in_sync = sum(r.status is Status.IN_SYNC for r in plan.resources)
    others = _others(plan)
    return f"Nothing to do: {style.plural(in_sync, 'resource')} in sync" + (f"; {', '.join(others)}" if others else "") + "."


def summary(plan: Plan) -> str:
    """``Plan: 3 to create, 1 to change, 0 to delete, 12 unchanged; 1 blocked``."""
    count = plan.summary()
    words = {"create": "to create", "update": "to change", "delete": "to delete", "unchanged": "unchanged"}
    main = "Plan: " + ", ".join(f"{count[key]} {word}" for key, word in words.items())
    others = ([f"{count['blocked']} blocked"] if count["blocked"] else []) + _others(plan)
    return main + (f"; {', '.join(others)}" if others else "")


def _others(plan: Plan) -> list[str]:
    """What the four usual counts do not say."""
    words = {Status.PENDING_RESTART: "waiting for a restart", Status.NOT_OURS: "not ours", Status.UNREACHABLE: "not reachable"}
    counts = [(sum(r.status is status for r in plan.resources), word) for status, word in words.items()]
    return [f"{count} {word}" for count, word in counts if count]


def _heading(plan: Plan, symbols: Symbols, width: int | None) -> list[Text]:
    project = Text.assemble("Project ", (style.printable(plan.project), "bold"))
    if len(plan.hosts) == 1:
        return hang(Text(), Text.assemble(project, " on ", _host(plan.hosts[0], symbols)), width)
    return [project]


def _host(host: HostPlan, symbols: Symbols) -> Text:
    error = f" {symbols.dot} not reachable: {style.printable(host.error)}" if not host.reachable else ""
    uri = f" {symbols.dot} {style.printable(host.uri)}"
    return Text.assemble((style.printable(host.name), "bold"), (uri, "dim"), (error, "bold red"))


def _resources(plan: Plan, shown: Sequence[ResourcePlan], symbols: Symbols, width: int | None) -> list[Text]:
    """The resources, by host if there are several."""
    said_below = {(action.resource, action.blocked or "") for action in plan.blocked}
    if len(plan.hosts) == 1:
        return [Text(), *_of_host(shown, said_below, symbols, width)] if shown else []
    text: list[Text] = []
    for host in plan.hosts:
        mine = [item for item in shown if item.id.host == host.name]
        if mine or not host.reachable:
            text += [Text(), *hang(Text(), _host(host, symbols), width), *_of_host(mine, said_below, symbols, width)]
    return text


def _of_host(
    shown: Sequence[ResourcePlan], said_below: Collection[tuple[ResourceId, str]], symbols: Symbols, width: int | None
) -> list[Text]:
    """A header for each resource, and below it its note, unless it stands with what is blocked, and its differences."""
    heads = blocks(([_name(item, symbols), _what(item, symbols)] for item in shown), indent=0, width=width)
    text: list[Text] = []
    for item, head in zip(shown, heads, strict=True):
        text += head
        if item.note and item.status is not Status.UNREACHABLE and (item.id, item.note) not in said_below:
            text += hang(Text("    "), Text(style.printable(item.note), "dim"), width)
        text += columns((_difference(item, d, symbols) for d in item.differences if d.path != STATE), indent=4, width=width)
    return text


def _name(item: ResourcePlan, symbols: Symbols) -> Text:
    return Text.assemble(style.status_mark(item.status, symbols), " ", (style.resource(item.id), "bold"))


def _what(item: ResourcePlan, symbols: Symbols) -> Text:
    """The state, and where it goes."""
    match item.status:
        case Status.UNREACHABLE:
            return Text("its host is not reachable", "red")
        case Status.NOT_OURS:
            return Text("not ours", "magenta")
        case _:
            return style.state(item, symbols)


def _difference(item: ResourcePlan, difference: Difference, symbols: Symbols) -> list[Text]:
    old, new, remark = style.change(item.id.kind, difference)
    body = Text.assemble((old, "red"), f" {symbols.arrow} ", (new, "green"), f"  {remark}" if remark else "")
    impact = difference.impact.label if difference.impact > Impact.NONE else "no impact"
    tail = Text.assemble("  (", (difference.cause.value, "cyan"), ", ", (impact, style.impact_style(difference.impact)), ")")
    return [Text(style.printable(difference.path) + ":"), body + tail]


def _actions(plan: Plan, width: int | None) -> list[Text]:
    several = len(plan.hosts) > 1
    size = max(len(action.id) for action in plan.actions)
    rows: list[list[Text]] = []
    said: set[tuple[ResourceId, str]] = set()
    for action in plan.runnable:
        number, verb = Text(action.id.rjust(size), "dim"), Text(action.verb.value, style.impact_style(action.impact))
        rows.append([number, verb, *_where(action, several=several), _why(action, said)])
        said.add((action.resource, action.reason))
    return columns(rows, indent=2, width=width)


def _why(action: Action, said: set[tuple[ResourceId, str]]) -> Text:
    """The reason, unless it was said of this resource already; a loud impact; what must be done before."""
    parts = [Text(style.printable(action.reason))] if (action.resource, action.reason) not in said else []
    if action.impact > Impact.LIVE:
        parts.append(Text(f"[{action.impact.label}]", style.impact_style(action.impact)))
    if action.needs:
        parts.append(Text(f"after {', '.join(action.needs)}", "dim"))
    return Text("  ").join(parts)


def _where(action: Action, *, several: bool) -> Iterable[Text]:
    name = Text(style.resource(action.resource))
    return (name, Text(style.printable(action.resource.host), "dim")) if several else (name,)


def _blocked(plan: Plan, width: int | None) -> list[Text]:
    text: list[Text] = []
    for action in plan.blocked:
        where = f" on {style.printable(action.resource.host)}" if len(plan.hosts) > 1 else ""
        head = Text.assemble(("! ", "bold magenta"), action.verb.value, " ", (style.resource(action.resource), "bold"), where)
        text += hang(Text("  "), head + Text(f": {style.printable(action.reason)}"), width)
        text += hang(Text("    "), Text(style.printable(action.blocked or "")), width)
    return text
