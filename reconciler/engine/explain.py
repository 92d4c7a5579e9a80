"""Why a resource is as it is in the plan: each path with its three columns, who declares it and what is done about it, or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.engine.pipeline import Prepared
from reconciler.errors import UsageError
from reconciler.kinds import KINDS
from reconciler.manifest import catalogue
from reconciler.manifest.provenance import declarations
from reconciler.model.difference import Difference
from reconciler.model.plan import Action, ResourcePlan
from reconciler.model.resource import Location, ManifestSet, Resource
from reconciler.model.state import Desired, HostState
from reconciler.planning.compare import way_for
from reconciler.xmltree.canonical import canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.paths import matches, without_keys

NOT_DECLARED = "nobody here: libvirt's own, or somebody else's"


@dataclass(frozen=True, slots=True)
class Row:
    """One path. `cause` and `impact` are empty where nothing differs; `how` says how such a path changes at all."""

    path: str
    desired: str | None
    persistent: str | None
    live: str | None
    cause: str
    impact: str
    owner: str
    declared_at: str
    how: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that can be said of one resource."""

    plan: ResourcePlan
    rows: tuple[Row, ...]


def explain(prepared: Prepared, manifests: ManifestSet, name: str, pattern: str = "") -> Explanation:
    """What the plan says of the resource `name` (``Kind/name``), and why; with `pattern` also of paths that do not differ.

    Raises UsageError for a resource that is not in the plan.
    """
    found = [r for r in prepared.plan.resources if name in {str(r.id), f"{r.id.kind}/{r.id.name}"}]
    if not found:
        known = ", ".join(str(r.id) for r in prepared.plan.resources[:8])
        hint = f"there are: {known}" if known else ""
        raise UsageError(f"{name} is neither in the manifests nor owned by the project", hint=hint)
    plan = found[0]
    state = next(s for s in prepared.states if s.facts.name == plan.id.host)
    resource = next((r for r in manifests.resources if r.id == plan.id), None)
    where = {} if resource is None else _declared(resource, manifests, state)
    actions = [a for a in prepared.plan.actions if a.resource == plan.id]
    return Explanation(plan, tuple(_rows(plan, state, actions, where, pattern)))


def _declared(resource: Resource, manifests: ManifestSet, state: HostState) -> dict[str, Location]:
    host = catalogue.of(state.facts.name, manifests.resources, state.resources)
    return declarations(resource, manifests.project, state.facts, host)


def _rows(plan: ResourcePlan, state: HostState, actions: list[Action], where: dict[str, Location], pattern: str) -> Iterator[Row]:
    told = set()
    for difference in plan.differences:
        if not pattern or _asked(pattern, difference.path):
            told.add(difference.path)
            yield _row(plan, difference, actions, where)
    if pattern:
        for path in sorted(_columns(plan, state)):
            if path not in told and _asked(pattern, path):
                yield _quiet(plan, state, path, where)


def _asked(pattern: str, path: str) -> bool:
    return any(matches(pattern, text) or text.startswith(f"{pattern}/") for text in (path, without_keys(path)))


def _row(plan: ResourcePlan, difference: Difference, actions: list[Action], where: dict[str, Location]) -> Row:
    mine = [action for action in actions if difference.path in action.paths]
    declared = difference.desired is not None
    return Row(
        path=difference.path,
        desired=difference.desired,
        persistent=difference.persistent,
        live=difference.live,
        cause=difference.cause.value,
        impact=difference.impact.label,
        owner=_owner(plan.desired) if declared else NOT_DECLARED,
        declared_at=_place(where, difference.path) if declared else "",
        how=_how(plan, difference.path),
        outcome="; ".join(_outcome(action) for action in mine) or plan.note or "nothing is done about it now",
    )


def _columns(plan: ResourcePlan, state: HostState) -> dict[str, tuple[str | None, str | None, str | None]]:
    rules = KINDS[plan.id.kind].rules
    seen = state.resources.get(plan.id)
    texts = (plan.desired.xml if plan.desired else None, seen.persistent if seen else None, seen.live if seen else None)
    maps = [canonical(parse(text), rules) if text else {} for text in texts]
    return {path: (maps[0].get(path), maps[1].get(path), maps[2].get(path)) for one in maps for path in one}


def _quiet(plan: ResourcePlan, state: HostState, path: str, where: dict[str, Location]) -> Row:
    desired, persistent, live = _columns(plan, state)[path]
    owner = NOT_DECLARED if desired is None else _owner(plan.desired)
    place = "" if desired is None else _place(where, path)
    return Row(path, desired, persistent, live, "", "", owner, place, _how(plan, path), "nothing differs that is declared")


def _owner(desired: Desired | None) -> str:
    return "the manifest" if desired is not None else NOT_DECLARED


def _place(where: dict[str, Location], path: str) -> str:
    """Where the path is declared, or the nearest element around it; a template's own default stands nowhere."""
    here = path
    while here and here not in where:
        here = here.rpartition("/")[0]
    return str(where[here]) if here else "a default of the template, or derived from the name"


def _how(plan: ResourcePlan, path: str) -> str:
    way = way_for(KINDS[plan.id.kind], path)
    return way.refusal or way.grows_only or way.how or f"{way.verb.value}: in effect from the next start"


def _outcome(action: Action) -> str:
    return f"{action.verb.value}, blocked: {action.blocked}" if action.blocked else f"{action.verb.value} ({action.reason})"
