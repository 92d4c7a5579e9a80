"""A plan as Markdown for a pull request: the summary in sight, every resource behind a fold, what is blocked never folded."""

from __future__ import annotations

from reconciler.cli.printers import plan_text, style
from reconciler.cli.printers.markdown import code, escape, table
from reconciler.model.difference import Impact
from reconciler.model.plan import Action, Plan, ResourcePlan, Status

_LIMIT = 60_000  # characters; a comment on GitHub holds 65,536
_WORDS = {
    Status.IN_SYNC: "in sync",
    Status.CREATE: "create",
    Status.UPDATE: "change",
    Status.DELETE: "delete",
    Status.PENDING_RESTART: "waits for a restart",
    Status.BLOCKED: "blocked",
    Status.NOT_OURS: "not ours",
    Status.UNREACHABLE: "not reachable",
}


def document(plan: Plan) -> str:
    """The whole comment, shorter than a comment may be: folds that do not fit are counted instead."""
    shown = [r for r in plan.resources if style.is_news(r)]
    away = [host for host in plan.hosts if not host.reachable]
    quiet = not plan.actions and not away
    text = [
        f"### Vireo plan: {code(plan.project)}",
        "",
        f"**{plan_text.nothing_to_do(plan) if quiet else plan_text.summary(plan)}**",
    ]
    text += [f"\n:warning: {code(host.name)} is not reachable: {code(host.error)}" for host in away]
    if plan.blocked:
        rows = [
            [_name(action), code(action.verb.value), escape(action.reason), escape(action.blocked or "")]
            for action in plan.blocked
        ]
        text += ["", "**Blocked**", "", *table(["Resource", "Action", "Why it is needed", "Why it is blocked"], rows)]
    length, left = sum(len(line) + 1 for line in text), 0
    for item in shown:
        fold = _fold(plan, item)
        length += len(fold) + 2
        if length > _LIMIT:
            left += 1
        else:
            text += ["", fold]
    if left:
        text += ["", f"{style.plural(left, 'more resource')} did not fit here: see the plan as text."]
    return "\n".join(text) + "\n"


def _fold(plan: Plan, item: ResourcePlan) -> str:
    where = f" on {code(item.id.host)}" if len(plan.hosts) > 1 else ""
    title = f"{_WORDS[item.status]}: <b>{code(str(item.id))}</b>{where} ({style.state(item, style.Symbols()).plain})"
    body = [f"<details><summary>{title}</summary>"]
    if item.note and item.status is not Status.UNREACHABLE:
        body += ["", escape(item.note)]
    differences = [d for d in item.differences if d.path != style.STATE]
    if differences:
        rows = []
        for difference in differences:
            old, new, remark = style.change(item.id.kind, difference)
            cells = [code(difference.path), code(old), code(new) + (f" ({escape(remark)})" if remark else "")]
            rows.append([*cells, difference.cause.value, difference.impact.label])
        body += ["", *table(["Path", "Now", "Wanted", "Cause", "Impact"], rows)]
    mine = [action for action in plan.runnable if action.resource == item.id]
    if mine:
        body += ["", *(f"{index}. {_step(action)}" for index, action in enumerate(mine, 1))]
    return "\n".join([*body, "", "</details>"])


def _step(action: Action) -> str:
    impact = f" **{action.impact.label}**" if action.impact > Impact.LIVE else ""
    return f"{code(action.verb.value)}{impact}: {escape(action.reason)}"


def _name(action: Action) -> str:
    return f"{code(str(action.resource))} on {code(action.resource.host)}"
