"""Why a resource is as it is in the plan: each path with its three columns, who declares it and what is done about it, or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from reconciler.engine.pipeline import Prepared
from reconciler.errors import UsageError
from reconciler.kinds import KINDS
from reconciler.manifest import catalogue, words
from reconciler.manifest.provenance import declarations
from reconciler.model.difference import Difference, Impact
from reconciler.model.plan import Action, ResourcePlan, Status, Verb
from reconciler.model.resource import Location, ManifestSet, Resource
from reconciler.model.state import HostState, Observed
from reconciler.planning.compare import way_for
from reconciler.planning.subject import AUTOSTART, PERSISTENT, STATE
from reconciler.planning.taken import DECLARED
from reconciler.xmltree.canonical import canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.paths import matches, without_keys

SHOWN = 20
"""How many names a hint lists."""
NOT_DECLARED = "nobody here: libvirt's own, or somebody else's"


@dataclass(frozen=True, slots=True)
class Row:
    """One path. `cause` and `impact` are empty where nothing differs; `how` says how such a path changes at all.

    `why_not_gentler` says of a change that the running object does not take up why it does not.
    """

    path: str
    desired: str | None
    persistent: str | None
    live: str | None
    cause: str
    impact: str
    owner: str
    declared_at: str
    how: str
    why_not_gentler: str
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
        hint = _meant(name, [str(r.id) for r in prepared.plan.resources])
        raise UsageError(f"{name} is neither in the manifests nor owned by the project", hint=hint)
    plan = found[0]
    state = next(s for s in prepared.states if s.facts.name == plan.id.host)
    resource = next((r for r in manifests.resources if r.id == plan.id), None)
    where = {} if resource is None else _declared(resource, manifests, state)
    actions = tuple(a for a in prepared.plan.actions if a.resource == plan.id)
    case = _Case(plan, state.resources.get(plan.id), manifests.project.name, resource, where, actions)
    rows = tuple(_rows(case, pattern))
    if pattern and not rows:
        hint = "name a path as plans show them, such as memory or devices/disk[vda]; * and ** stand for any part"
        raise UsageError(f"{plan.id} has nothing at {pattern}, and nothing is declared there", hint=hint)
    return Explanation(plan, rows)


def _meant(name: str, known: Sequence[str]) -> str:
    """The name that is nearest, else those of its kind, else all; as many as can be read."""
    kind, _, rest = name.partition("/")
    alike = {other.partition("/")[2]: other for other in known if other.partition("/")[0].lower() == kind.lower()}
    if near := words.nearest(rest, alike):
        return f"did you mean {alike[near]}?"
    listed = list(alike.values()) or known
    return f"there are: {', '.join(listed[:SHOWN])}{', ...' if len(listed) > SHOWN else ''}" if listed else ""


@dataclass(frozen=True, slots=True)
class _Case:
    """All that the rows of one resource are made from. `where` has the places of its XML's paths."""

    plan: ResourcePlan
    seen: Observed | None
    project: str
    resource: Resource | None
    where: Mapping[str, Location]
    actions: tuple[Action, ...]


def _declared(resource: Resource, manifests: ManifestSet, state: HostState) -> dict[str, Location]:
    host = catalogue.of(state.facts.name, manifests.resources, state.resources)
    return declarations(resource, manifests.project, state.facts, host)


def _rows(case: _Case, pattern: str) -> Iterator[Row]:
    told = set()
    for difference in case.plan.differences:
        if not pattern or _asked(pattern, difference.path):
            told.add(difference.path)
            yield _row(case, difference)
    if pattern:
        for path, columns in sorted(_columns(case).items()):
            if path not in told and _asked(pattern, path):
                yield _quiet(case, path, columns)


def _asked(pattern: str, path: str) -> bool:
    return any(matches(pattern, text) or text.startswith(f"{pattern}/") for text in (path, without_keys(path)))


def _row(case: _Case, difference: Difference) -> Row:
    mine = [action for action in case.actions if difference.path in action.paths]
    declared = difference.desired is not None
    return Row(
        path=difference.path,
        desired=difference.desired,
        persistent=difference.persistent,
        live=difference.live,
        cause=difference.cause.value,
        impact=difference.impact.label,
        owner=_owner(case) if declared else NOT_DECLARED,
        declared_at=_place(case, difference.path) if declared else "",
        how=_how(case, difference.path),
        why_not_gentler=_why_not_gentler(case, difference),
        outcome="; ".join(map(_outcome, mine)) or _waiting(case, difference),
    )


_Columns = tuple[str | None, str | None, str | None]


def _columns(case: _Case) -> dict[str, _Columns]:
    """The three columns of everything that anybody has, state and autostart too."""
    plan, seen, rules = case.plan, case.seen, KINDS[case.plan.id.kind].rules
    texts = (_wanted(case), seen.persistent if seen else None, seen.live if seen else None)
    maps = [canonical(parse(text), rules) if text else {} for text in texts]
    out: dict[str, _Columns] = {path: (maps[0].get(path), maps[1].get(path), maps[2].get(path)) for one in maps for path in one}
    wanted, there = None if plan.desired is None else plan.desired.autostart, None if seen is None else seen.autostart
    return out | {STATE: (plan.desired_state, plan.observed_state, None), AUTOSTART: (_word(wanted), _word(there), None)}


def _wanted(case: _Case) -> str | None:
    """What is declared, with what was derived from the name: of what is in sync the plan has not worked that out again."""
    mark = None if case.seen is None else case.seen.mark
    if case.plan.status is Status.IN_SYNC and mark is not None and mark.xml:
        return mark.xml
    return None if case.plan.desired is None else case.plan.desired.xml


def _word(value: bool | None) -> str | None:  # noqa: FBT001  a value, not a switch
    return None if value is None else "yes" if value else "no"


def _quiet(case: _Case, path: str, columns: _Columns) -> Row:
    declared = columns[0] is not None
    owner, place = (_owner(case), _place(case, path)) if declared else (NOT_DECLARED, "")
    return Row(path, *columns, "", "", owner, place, _how(case, path), "", "nothing differs that is declared")


def _owner(case: _Case) -> str:
    if case.plan.desired is None:
        return NOT_DECLARED
    foreign = case.plan.status is Status.NOT_OURS
    return f"the manifest of project {case.project}" + (", which does not own the object" if foreign else "")


def _place(case: _Case, path: str) -> str:
    """Where the path is declared, or the nearest element around it; a default stands nowhere."""
    if path in _STANDING or path.startswith(OPTIONS):
        field = ("metadata", "protect") if path == f"{OPTIONS}protect" else ("spec", *path.removeprefix(OPTIONS).split("/"))
        written = case.resource is not None and field in case.resource.document.positions
        return str(case.resource.document.locate(field)) if case.resource is not None and written else "a default"
    if path.startswith(_SNAPSHOTS) and case.resource is not None:
        return str(case.resource.document.locate(("spec", DECLARED)))
    here = path
    while here and here not in case.where:
        here = here.rpartition("/")[0]
    return str(case.where[here]) if here else "a default of the template, or derived from the name"


def _how(case: _Case, path: str) -> str:
    if path.startswith(OPTIONS):
        return "it only says how Vireo treats the object, and is written down with what it knows of it"
    if path in _STANDING:
        return _STANDING[path]
    if path.startswith(_SNAPSHOTS):
        return "a snapshot is taken before anything else is done to the domain; one that left the manifest goes with --prune"
    way = way_for(KINDS[case.plan.id.kind], path)
    return way.refusal or way.how or _NEXT_START


def _why_not_gentler(case: _Case, difference: Difference) -> str:
    """Nothing where the change is made while the object runs, or where nothing runs."""
    if difference.path.startswith(OPTIONS) or difference.path in _STANDING:
        return ""
    way = way_for(KINDS[case.plan.id.kind], difference.path)
    if way.refusal:
        return "there is no way at all"
    if difference.impact is not Impact.RESTART:
        return ""
    if way.verb is not Verb.UPDATE:
        return "libvirt has no call that changes it while the object runs"
    mark = None if case.seen is None else case.seen.mark
    refused = mark.refused.get(difference.path, "") if mark is not None else ""
    if refused:
        return f"libvirt refused it while the object runs: {refused}"
    above = f"above what the object has at most since its last start ({way.within})"
    return way.fixed or (above if way.within else "the object still has it from its last start")


def _waiting(case: _Case, difference: Difference) -> str:
    if difference.path.startswith(OPTIONS):
        return "written down with the next change"
    late = difference.impact is Impact.RESTART
    return f"nothing now: {_NEXT_START}" if late else case.plan.note or "nothing is done about it now"


def _outcome(action: Action) -> str:
    """The verb, and the reason without the paths that it is about: those are many."""
    reason = action.reason.removesuffix(f": {', '.join(action.paths)}")
    told = f"{action.verb.value} ({reason}; impact {action.impact.label})"
    return f"{told}, blocked: {action.blocked}" if action.blocked else told


OPTIONS: Final = "options/"
_SNAPSHOTS: Final = f"{DECLARED}["
_NEXT_START: Final = "in effect from the next start"
_STANDING: Final = MappingProxyType(
    {
        STATE: "by the way from state to state that the guest feels least",
        AUTOSTART: "set at any time, without an effect on what runs",
        PERSISTENT: "a definition is added or taken away, without an effect on what runs",
    }
)
