"""What an apply left: the mark to write down for a resource that was observed again, and what still differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Kind
from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.resource import Project
from reconciler.model.state import Desired, Mark, Observed
from reconciler.planning import taken
from reconciler.planning.chains import Layers, raised
from reconciler.planning.compare import leftovers, normalisations, way_for
from reconciler.planning.decide import decide
from reconciler.planning.identity import Settling, settle
from reconciler.planning.ignoring import patterns_of, without
from reconciler.planning.repairs import awaited
from reconciler.planning.running import run_of, unbrought
from reconciler.planning.subject import STATE, Subject


@dataclass(frozen=True, slots=True)
class Verdict:
    """`mark` is what is now known of the resource, None if it is not there; `leftover` the paths that still differ."""

    mark: Mark | None
    leftover: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What was done: `defined` if libvirt took a definition, `withheld` the paths of blocked steps, `before` the old mark.

    `refused` are the paths that the running object could not take, with the reasons. `layers` are the host's volumes.
    `planned` are the differences that the plan had, `run` is the run that it had before it.
    """

    defined: bool
    withheld: Collection[str]
    before: Mark | None
    refused: Mapping[str, str] = field(default_factory=dict)
    layers: Layers = field(default_factory=lambda: Layers({}))
    planned: tuple[Difference, ...] = ()
    run: str = ""


def verify(
    project: Project, desired: Desired, observed: Observed | None, machines: Mapping[tuple[str, str], str], work: Work
) -> Verdict:
    """Compare what a resource should be now with what was observed of it after its last action.

    What libvirt made of a definition that it has just taken is no difference, now or later: it is kept in the mark.
    """
    kind = KINDS[desired.id.kind]
    if observed is None:
        return Verdict(None, () if desired.state == kind.lifecycle.absent else (STATE,))
    settling = Settling(project.name, desired.id, kind, machines, project.ignore)
    host_xml = observed.persistent or observed.live
    declared = settle(desired.declared or desired.xml, (host_xml,), settling, derive=False)
    settled = replace(desired, xml=raised(kind, declared, None, observed, work.layers)[0])
    refused = {**(foregone(kind, work.planned) if run_of(observed) == work.run else {}), **work.refused}
    known = work.before.normalised if work.before is not None else {}
    listed = observed.mark or work.before
    mark = Mark(
        project=project.name,
        id=desired.id,
        uuid=observed.uuid,
        digest=desired.digest,
        xml=_intent(work) or without(declared, project.ignore, kind),
        state=desired.state,
        autostart=desired.autostart,
        options=desired.options,
        refused=_refused(kind, work.before, settled, observed) | refused,
        retired=_retired(kind, work.before, settled, observed, refused)
        | taken.remembered(desired.options, observed, work.before),
        run=run_of(observed),
        normalised=normalisations(kind, settled.xml, host_xml, work.withheld) if work.defined else known,
        protect=desired.protect,
        snapshots=taken.listed(desired.options, observed, listed),
        reverted="" if listed is None else listed.reverted,
    )
    leftover, waiting, differing = _rest(project, settled, replace(observed, mark=mark), mark, work.withheld)
    mark = replace(mark, waiting=tuple(path for path in differing if path not in _drifted(work, refused)))
    if leftover or waiting or work.withheld or any(awaited(kind, observed)):
        mark = replace(mark, digest="")  # no fast path: the next plan must look, and say so
    if not leftover and not work.withheld:
        mark = replace(mark, reverted="")  # the host is as it is declared: nothing is left that the revert changed
    return Verdict(mark, leftover)


def _intent(work: Work) -> str:
    """What was applied before, if a part of the new wish was withheld: else that part would look as if it had been applied."""
    return work.before.xml if work.withheld and work.before is not None else ""


def interrupted(desired: Desired, observed: Observed | None, work: Work) -> Mark | None:
    """The mark of a resource of which an action failed: what its running object refused is known all the same."""
    known = None if observed is None else observed.mark
    if observed is None or known is None:
        return None
    kind, defined = KINDS[desired.id.kind], known.digest == desired.digest
    refused = {**(foregone(kind, work.planned) if defined and run_of(observed) == work.run else {}), **work.refused}
    if not refused:
        return None
    return replace(
        known,
        digest="",
        run=run_of(observed),
        refused={**_refused(kind, work.before, desired, observed), **refused},
        retired=_retired(kind, work.before, desired, observed, refused),
        waiting=known.waiting if known.live and known.run == run_of(observed) else None,
    )


def foregone(kind: Kind, planned: Iterable[Difference]) -> dict[str, str]:
    """What was known before not to come into the running object, and why, of what libvirt does not give back."""
    found = (d for d in planned if d.impact is Impact.RESTART and d.cause is not Cause.PENDING_RESTART)
    return {d.path: way.fixed for d in found if (way := way_for(kind, d.path)).fixed}


def _drifted(work: Work, refused: Collection[str]) -> Collection[str]:
    """What was changed in the running object alone and not brought back: it is still that, and waits for nothing."""
    outside = (d for d in work.planned if d.cause is Cause.DRIFT and d.persistent == d.desired)
    return {d.path for d in outside if d.path not in refused}


def _refused(kind: Kind, before: Mark | None, desired: Desired, observed: Observed) -> dict[str, str]:
    """What this run of the object could not take before; of values that libvirt does not give back, not those since replaced."""
    if before is None or before.run != run_of(observed):
        return {}
    replaced = unbrought(kind, before, desired.xml, before.run)
    return {path: reason for path, reason in before.refused.items() if path not in replaced}


def _retired(kind: Kind, before: Mark | None, desired: Desired, observed: Observed, refused: Collection[str]) -> dict[str, str]:
    """What left the manifest and is still in the running object, now and before."""
    if before is None or observed.live is None:
        return {}
    known = before.retired if before.run == run_of(observed) else {}
    known = {path: value for path, value in known.items() if not path.startswith(f"{taken.DECLARED}[")}
    hidden = unbrought(kind, before, desired.xml, run_of(observed))
    return {**known, **leftovers(kind, before, desired.xml, observed), **{p: v for p, v in hidden.items() if v and p in refused}}


def _rest(
    project: Project, desired: Desired, observed: Observed, mark: Mark, withheld: Collection[str]
) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """The paths that should not differ any more, whether something waits for a restart, and where the running one differs."""
    kind = KINDS[desired.id.kind]
    patterns = patterns_of(project.ignore, kind)
    subject = Subject(kind, desired.id, desired, observed, mark, intent=desired.xml, ignored=patterns)
    all_of_it = decide(subject, desired).differences
    found = [d for d in all_of_it if d.path not in withheld]
    made_for_good = observed.persistent is None
    waiting = [d for d in found if d.impact is Impact.RESTART and (d.cause is Cause.PENDING_RESTART or made_for_good)]
    lacking = (path for spec in taken.missing(desired.options, observed) if (path := taken.path_of(spec.name)) not in withheld)
    leftover = (*(d.path for d in found if d not in waiting), *lacking)
    return leftover, bool(waiting), tuple(d.path for d in all_of_it if d.cause is Cause.PENDING_RESTART)
