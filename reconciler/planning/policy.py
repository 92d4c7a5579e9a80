"""What a policy gives leave for: data is destroyed only where a manifest says so, and emptied first where it says that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.kinds.kind import Belonging
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.model.snapshot import Snapshot
from reconciler.model.state import Observed
from reconciler.planning.step import Step
from reconciler.planning.subject import Subject
from reconciler.xmltree.document import parse

RETAIN = "retain"
DELETE = "delete"
WIPE = "wipe"
GIVEN_UP = frozenset({DELETE, WIPE})
INHERITED = "inherited"  # an option that a mark may have: {policy, from} of the domain that went


def data_policy(options: Mapping[str, Any]) -> str:
    """What is to become of the data: a volume's ``onDelete``, a domain's ``onDelete.volumes``; "" if nothing is said."""
    given = options.get("onDelete")
    return str((given.get("volumes") if isinstance(given, Mapping) else given) or "")


def inherited_policy(options: Mapping[str, Any]) -> str:
    """The same with what a domain that went has left it, where the object says nothing itself."""
    return data_policy(options) or str((options.get(INHERITED) or {}).get("policy") or "")


def by_policy(subject: Subject, steps: Iterable[Step], policy: str) -> tuple[Step, ...]:
    """The way to the removal, as far as the policy gives leave for it; what empties the object goes before its last step.

    What was begun to be wiped is wiped again, whatever the policy says now.
    """
    word = WIPE if subject.wiping else policy
    holds_data = subject.kind.remade is Impact.DATA_LOSS
    out = []
    for step in steps:
        blocked, consented = step.blocked, step.consented
        if step.impact is Impact.DATA_LOSS:
            consented = word in GIVEN_UP
            if word == RETAIN:
                blocked = "onDelete: retain keeps its data"
        reason = f"{step.reason} (onDelete: {word})" if holds_data and word else step.reason
        out.append(replace(step, reason=reason, consented=consented, blocked=blocked))
    if not out or subject.observed is None:
        return tuple(out)
    verb = subject.kind.emptied_by.get(word)
    empties = verb is Verb.WIPE or (verb is not None and bool(files_of(subject.observed)))
    what = _belongings(subject, subject.observed, word)
    told = f" (onDelete.volumes: {word})" if not holds_data and word in GIVEN_UP and (empties or what) else ""
    last = out[-1] = replace(out[-1], reason="; ".join([out[-1].reason + told, *what]))
    if word in GIVEN_UP and subject.observed.persistent is None:
        return tuple(_ends_at_once(subject, subject.observed, out))
    if verb is None or not empties:
        return tuple(out)
    return (*out[:-1], replace(last, verb=verb, impact=Impact.DATA_LOSS, consented=True), last)


def _ends_at_once(subject: Subject, observed: Observed, steps: list[Step]) -> Iterator[Step]:
    """A transient object is gone when it ends: what it has in files of its own could not be emptied between."""
    left = [each.word for each in subject.kind.belongings if each.beside and _has(each, observed)]
    left += [f"the file {path}" for path in files_of(observed)]
    why = f"it is transient: {', '.join(left)} would stay when it has ended; make it persistent first (persistent: true)"
    yield from (replace(step, blocked=step.blocked or (why if left else None)) for step in steps)


def files_of(observed: Observed) -> tuple[str, ...]:
    """The paths of the overlays and memory images that the object's snapshots have made."""
    found = observed.details.get("snapshots") or ()
    snapshots = [each for each in found if isinstance(each, Snapshot)] if isinstance(found, tuple) else []
    return tuple(path for each in snapshots for path in (*each.overlays.values(), each.memory_file) if path)


def _belongings(subject: Subject, observed: Observed, word: str) -> list[str]:
    """What goes with it, or what stays of it, in words."""
    out = []
    for each in subject.kind.belongings:
        if _has(each, observed):
            named = f"{each.word}{_named(observed.details.get(each.detail))}"
            if word in GIVEN_UP:
                out.append(f"with it: {named}")
            elif each.retained:
                out.append(f"{named}: {each.retained}")
    return out


def _has(belonging: Belonging, observed: Observed) -> bool:
    if belonging.detail:
        return bool(observed.details.get(belonging.detail))
    text = observed.live or observed.persistent or ""
    return text != "" and parse(text).find(belonging.path) is not None


def _named(value: object) -> str:
    match value:
        case str():
            return f" {value}"
        case tuple():
            return " " + ", ".join(each.name if isinstance(each, Snapshot) else str(each) for each in value)
        case _:
            return ""
