"""The newest data of a disk may be in another file than the one that is named: nobody leaves it behind without a word.

Only looks at cases and raises the impact of their steps, or blocks them; the guards hold back what is above the ceiling.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from reconciler.model.difference import Cause, Impact
from reconciler.model.plan import Verb
from reconciler.model.resource import ResourceId
from reconciler.model.snapshot import Snapshot
from reconciler.planning.case import Case
from reconciler.planning.chains import Layers, by_target
from reconciler.xmltree.document import Element, attributes, parse

_STARTING = frozenset({Verb.CREATE, Verb.START, Verb.START_PAUSED})
_MAKING = _STARTING | {Verb.DEFINE}
_WRITABLE = frozenset({"disk", "lun"})


def hold(case: Case, layers: Layers, declared: Collection[ResourceId]) -> None:
    """Raise to data-loss whatever of a case would go on without what a guest wrote; block what cannot reach the guest.

    Volumes that are `declared` stand where the manifests want them: they are no overlays of snapshots.
    """
    if case.desired is None or case.desired.state == case.subject.kind.lifecycle.absent:
        return
    _hold_growing(case, layers, declared)
    if case.subject.kind.layered and not _hold_switch(case, layers):
        _hold_beginning(case, layers, declared)


def _hold_switch(case: Case, layers: Layers) -> bool:
    """A disk that somebody made go on in another file is not switched back: that one has what was written since."""
    subject, desired, observed = case.subject, case.desired, case.subject.observed
    found = re.compile(rf"{re.escape(subject.kind.layered)}\[([^\]]+)\](/@type|/source(/.*)?)")
    drifted = {
        d.path: match[1]
        for d in case.decision.differences
        if d.cause is Cause.DRIFT and (match := found.fullmatch(d.path)) is not None
    }
    text = None if observed is None else observed.live or observed.persistent
    if not drifted or desired is None or text is None:
        return False
    wanted, there = by_target(subject.kind, parse(desired.xml)), by_target(subject.kind, parse(text))
    left = {
        target: _named(there[target], layers)
        for target in sorted(set(drifted.values()))
        if target in wanted and target in there and _writable(wanted[target]) and _differ(wanted[target], there[target], layers)
    }
    paths = {path for path, target in drifted.items() if target in left}
    if not paths:
        return False
    case.decision = replace(
        case.decision,
        differences=tuple(replace(d, impact=Impact.DATA_LOSS) if d.path in paths else d for d in case.decision.differences),
    )
    told = "; ".join(f"the newest data of {target} is in {name}, and would be left behind" for target, name in left.items())
    advice = "name that file in the manifest, or bring the disk back with virsh"
    case.steps = [
        replace(step, impact=Impact.DATA_LOSS, consented=False, reason=f"{step.reason}; {told}: {advice}")
        if paths & set(step.paths)
        else step
        for step in case.steps
    ]
    return True


def _hold_beginning(case: Case, layers: Layers, declared: Collection[ResourceId]) -> None:
    """A guest does not begin to write to a file on which an overlay stands: it would lose that one's data, and ruin it."""
    verbs = _MAKING if case.subject.observed is None else _STARTING
    if case.desired is None or not any(step.verb in verbs for step in case.steps):
        return
    over = dict(_overlaid(case, case.desired.xml, layers, declared))
    if not over:
        return
    told = "; ".join(f"{top} stands on {file}: what is in it would be lost" for file, top in over.items())
    advice = "name the newest file in the manifest, or merge it first (virsh blockcommit, qemu-img commit)"
    case.steps = [
        replace(step, impact=Impact.DATA_LOSS, reason=f"{step.reason}; {told}: {advice}") if step.verb in verbs else step
        for step in case.steps
    ]


def _overlaid(case: Case, text: str, layers: Layers, declared: Collection[ResourceId]) -> Iterator[tuple[str, str]]:
    """Each file that the guest would write to, with what stands on it."""
    for disk in by_target(case.subject.kind, parse(text)).values():
        file = layers.path(disk.find("source")) if _writable(disk) else ""
        over = layers.above(file, declared) if file else ()
        if over:
            yield file, ", ".join(over)


def _hold_growing(case: Case, layers: Layers, declared: Collection[ResourceId]) -> None:
    """A file below an overlay does not grow: the guest would see nothing of it."""
    if case.subject.observed is None or all(step.verb is not Verb.RESIZE for step in case.steps):
        return
    over = layers.above(case.subject.observed.uuid, declared)
    if over:
        why = f"{', '.join(over)} stands on it, and the guest sees the size of that: delete the snapshot first, which merges them"
        case.steps = [replace(step, blocked=step.blocked or why) if step.verb is Verb.RESIZE else step for step in case.steps]


def kept_by(snapshot: Snapshot, case: Case, layers: Layers) -> str:
    """The overlay of a snapshot whose data nothing would have any more if it were deleted; "" if the disk is still of its chain.

    An overlay that a later revert left is of the disk's chain as well: what is in it was given up then.
    """
    if case.desired is None:
        return ""
    disks = by_target(case.subject.kind, parse(case.desired.xml))
    for target, overlay in sorted(snapshot.overlays.items()):
        disk = disks.get(target)
        file = "" if disk is None else layers.path(disk.find("source"))
        if not file or not _of_one_chain(file, overlay, layers):
            return overlay
    return ""


def _of_one_chain(file: str, overlay: str, layers: Layers) -> bool:
    bases = {file, *layers.below(file)}
    return bool(bases & {overlay, *layers.below(overlay)}) or any(overlay.startswith(f"{base}.") for base in bases)


def _writable(disk: Element) -> bool:
    return disk.get("device", "disk") in _WRITABLE and disk.find("readonly") is None


def _named(disk: Element, layers: Layers) -> str:
    source = disk.find("source")
    return layers.path(source) or ("no file" if source is None else " ".join(attributes(source).values()))


def _differ(one: Element, other: Element, layers: Layers) -> bool:
    return _named(one, layers) != _named(other, layers)
