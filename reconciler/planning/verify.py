"""What an apply left: the mark to write down for a resource that was observed again, and what still differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Kind
from reconciler.model.difference import Cause, Impact
from reconciler.model.resource import Project
from reconciler.model.state import Desired, Mark, Observed
from reconciler.planning import taken
from reconciler.planning.chains import Layers, raised
from reconciler.planning.compare import leftovers, normalisations, run_of
from reconciler.planning.decide import decide
from reconciler.planning.identity import Settling, settle
from reconciler.planning.ignoring import patterns_of, without
from reconciler.planning.repairs import awaited
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
    """

    defined: bool
    withheld: Collection[str]
    before: Mark | None
    refused: Mapping[str, str] = field(default_factory=dict)
    layers: Layers = field(default_factory=lambda: Layers({}))


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
        refused=_refused(work, observed),
        retired={**_retired(kind, work.before, settled, observed), **taken.remembered(desired.options, observed, work.before)},
        run=run_of(observed),
        normalised=normalisations(kind, settled.xml, host_xml, work.withheld) if work.defined else known,
        protect=desired.protect,
        snapshots=taken.listed(desired.options, observed, listed),
        reverted="" if listed is None else listed.reverted,
    )
    leftover, waiting = _rest(project, settled, replace(observed, mark=mark), mark, work.withheld)
    if leftover or waiting or work.withheld or any(awaited(kind, observed)):
        mark = replace(mark, digest="")  # no fast path: the next plan must look, and say so
    if not leftover and not work.withheld:
        mark = replace(mark, reverted="")  # the host is as it is declared: nothing is left that the revert changed
    return Verdict(mark, leftover)


def _intent(work: Work) -> str:
    """What was applied before, if a part of the new wish was withheld: else that part would look as if it had been applied."""
    return work.before.xml if work.withheld and work.before is not None else ""


def _refused(work: Work, observed: Observed) -> Mapping[str, str]:
    """What this run of the object could not take, now and before."""
    known = work.before.refused if work.before is not None and work.before.run == run_of(observed) else {}
    return {**known, **work.refused}


def _retired(kind: Kind, before: Mark | None, desired: Desired, observed: Observed) -> Mapping[str, str]:
    """What left the manifest and is still in the running object, now and before."""
    if before is None or observed.live is None:
        return {}
    known = before.retired if before.run == run_of(observed) else {}
    known = {path: value for path, value in known.items() if not path.startswith(f"{taken.DECLARED}[")}
    return {**known, **leftovers(kind, before, desired.xml, observed)}


def _rest(
    project: Project, desired: Desired, observed: Observed, mark: Mark, withheld: Collection[str]
) -> tuple[tuple[str, ...], bool]:
    """The paths that should not differ any more, and whether something waits for a restart."""
    kind = KINDS[desired.id.kind]
    patterns = patterns_of(project.ignore, kind)
    subject = Subject(kind, desired.id, desired, observed, mark, intent=desired.xml, ignored=patterns)
    found = [d for d in decide(subject, desired).differences if d.path not in withheld]
    made_for_good = observed.persistent is None
    waiting = [d for d in found if d.impact is Impact.RESTART and (d.cause is Cause.PENDING_RESTART or made_for_good)]
    lacking = (path for spec in taken.missing(desired.options, observed) if (path := taken.path_of(spec.name)) not in withheld)
    return (*(d.path for d in found if d not in waiting), *lacking), bool(waiting)
