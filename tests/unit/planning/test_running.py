"""What a running object has beside its definition: what waits for its start, what was changed behind our back, what is secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.difference import Cause, Impact
from reconciler.model.plan import ResourcePlan, Status, Verb
from reconciler.model.state import Desired, Mark, Observed
from reconciler.planning.verify import Work, interrupted, verify
from tests.unit.planning.building import DISK, MACHINES, PROJECT, UUID, desired, domain, host, mark, observed, planned, rid

ID = rid("Domain/d")
SCREEN = "devices/graphics[vnc]/@passwd"
RUN = "7"
MEDIUM = "<disk type='file' device='cdrom'><source file='/m.iso'/><target dev='hdc' bus='ide'/></disk>"


def wanted(devices: str = "", **more: str) -> Desired:
    return desired(ID, domain(devices=devices, uuid=UUID, machine="pc-i440fx-7.2", **more), "running")


def screen(password: str = "") -> Desired:
    return wanted(f"<graphics type='vnc'{f' passwd={password!r}' if password else ''}/>")


def running(defined: str, live: str, owned: Mark | None, run: str = RUN) -> Observed:
    """A guest as libvirt shows it: without its password."""
    shown = [text.replace(" passwd='one'", "").replace(" passwd='two'", "") for text in (defined, live)]
    started = shown[1].replace("<domain ", f"<domain id='{run}' ")
    return replace(observed(ID, "running", shown[0], owned=owned), live=started)


def left(want: Desired, there: Observed, before: Mark | None, refused: dict[str, str] | None = None) -> Mark:
    """The mark that an apply of what was planned leaves; `there` is what it finds after it."""
    plan = of(want, replace(there, mark=before))
    work = Work(True, (), before, refused or {}, planned=plan.differences, run=RUN)
    found = verify(PROJECT, want, there, MACHINES, work)
    assert found.mark is not None
    assert not found.leftover
    return replace(found.mark, live="read back", readback="read back")


def of(want: Desired, there: Observed) -> ResourcePlan:
    (resource,) = planned(want, state=host(there)).resources
    return resource


def causes(want: Desired, there: Observed) -> dict[str, tuple[Cause, Impact]]:
    return {d.path: (d.cause, d.impact) for d in of(want, there).differences}


def started(want: Desired) -> tuple[Observed, Mark]:
    """A guest that runs as it was last applied."""
    known = left(want, running(want.xml, want.xml, mark(want)), mark(want))
    return running(want.xml, want.xml, known), known


LATE = {SCREEN: (Cause.PENDING_RESTART, Impact.RESTART)}


def test_a_first_password_needs_a_restart_and_waits_for_it() -> None:
    there, known = started(screen())
    assert causes(screen("one"), there) == {SCREEN: (Cause.MANIFEST, Impact.RESTART)}
    plan = planned(screen("one"), state=host(there))
    assert [action.verb for action in plan.runnable] == [Verb.DEFINE]
    known = left(screen("one"), there, known)
    waiting = replace(there, mark=known)
    assert causes(screen("one"), waiting) == LATE
    assert of(screen("one"), waiting).status is Status.PENDING_RESTART
    assert causes(screen("two"), waiting) == {SCREEN: (Cause.MANIFEST, Impact.RESTART)}
    assert causes(screen("one"), running(screen().xml, screen().xml, known, run="8")) == {}


def test_a_password_that_was_refused_waits_for_the_next_start_and_the_one_before_stays() -> None:
    there, known = started(screen("one"))
    assert causes(screen("two"), there) == {SCREEN: (Cause.MANIFEST, Impact.LIVE)}
    refused = left(screen("two"), there, known, {SCREEN: "because"})
    assert causes(screen("two"), replace(there, mark=refused)) == LATE
    assert causes(screen("three"), replace(there, mark=refused)) == {SCREEN: (Cause.MANIFEST, Impact.LIVE)}
    brought = left(screen("three"), there, refused)
    assert causes(screen("three"), replace(there, mark=brought)) == {}


def test_a_password_goes_at_the_next_start_and_another_one_comes_at_once() -> None:
    there, known = started(screen("one"))
    assert causes(screen(), there) == {SCREEN: (Cause.MANIFEST, Impact.RESTART)}
    gone = left(screen(), there, known)
    assert causes(screen(), replace(there, mark=gone)) == LATE
    assert causes(screen("two"), replace(there, mark=gone)) == {SCREEN: (Cause.MANIFEST, Impact.LIVE)}
    back = left(screen("two"), there, gone)
    assert causes(screen("two"), replace(there, mark=back)) == {}
    assert causes(screen(), replace(there, mark=left(screen(), there, back))) == LATE
    assert causes(screen(), running(screen().xml, screen().xml, gone, run="8")) == {}


def test_of_a_guest_that_is_taken_over_nobody_knows_whether_it_has_a_password() -> None:
    plan = planned(screen("one"), state=host(running(screen().xml, screen().xml, None)), adopt=True)
    assert {d.path: d.impact for d in plan.resources[0].differences}[SCREEN] is Impact.LIVE


def memory(mib: int, current: int = 0) -> Desired:
    return wanted(memory=f"<memory>{mib << 10}</memory><currentMemory>{(current or mib) << 10}</currentMemory>")


def test_memory_above_what_the_running_guest_has_at_most_waits_for_its_next_start() -> None:
    there, known = started(memory(64))
    assert causes(memory(128), there) == dict.fromkeys(("currentMemory", "memory"), (Cause.MANIFEST, Impact.RESTART))
    after = running(memory(128).xml, memory(64).xml, known)
    waiting = replace(after, mark=left(memory(128), after, known))
    assert causes(memory(128), waiting) == dict.fromkeys(("currentMemory", "memory"), (Cause.PENDING_RESTART, Impact.RESTART))
    assert "balloon" not in of(memory(128), waiting).note
    assert causes(memory(128, 48), there)["currentMemory"] == (Cause.MANIFEST, Impact.LIVE)


def test_more_processors_than_the_running_guest_can_have_wait_for_its_next_start() -> None:
    few, many = (wanted(inner=f"<vcpu current='{now}'>{most}</vcpu>") for now, most in ((1, 2), (3, 4)))
    there, _ = started(few)
    assert causes(many, there) == dict.fromkeys(("vcpu", "vcpu/@current"), (Cause.MANIFEST, Impact.RESTART))


EJECTED = MEDIUM.replace("<source file='/m.iso'/>", "")


@pytest.mark.parametrize("now, path", [(DISK + EJECTED, "devices/disk[hdc]/source"), (MEDIUM, "devices/disk[vda]")])
def test_what_was_changed_in_the_running_guest_alone_is_drift(now: str, path: str) -> None:
    want = wanted(DISK + MEDIUM)
    there, known = started(want)
    changed = running(want.xml, wanted(now).xml, known)
    assert causes(want, changed) == {path: (Cause.DRIFT, Impact.LIVE)}
    actions = planned(want, state=host(changed)).runnable
    assert [(action.verb, action.paths) for action in actions] == [(Verb.UPDATE, (path,))]
    assert causes(want, replace(changed, mark=replace(known, run="6"))) == {path: (Cause.PENDING_RESTART, Impact.LIVE)}
    assert causes(want, replace(changed, mark=replace(known, waiting=None))) == {path: (Cause.PENDING_RESTART, Impact.LIVE)}
    assert causes(want, there) == {}


def test_what_waited_at_the_last_apply_is_no_drift_and_what_was_refused_is_not() -> None:
    there, known = started(wanted(DISK))
    both = wanted(DISK + MEDIUM)
    path = "devices/disk[hdc]"
    after = running(both.xml, there.persistent or "", known)
    refused = left(both, after, known, {path: "because"})
    assert causes(both, replace(after, mark=refused)) == {path: (Cause.PENDING_RESTART, Impact.RESTART)}


def test_what_was_changed_in_the_running_guest_and_is_withheld_stays_drift() -> None:
    want = wanted(DISK + MEDIUM)
    _, known = started(want)
    there = running(want.xml, wanted(DISK + EJECTED).xml, known)
    found = of(want, there).differences
    work = Work(False, [d.path for d in found], known, planned=found, run=RUN)
    after = verify(PROJECT, want, there, MACHINES, work).mark
    assert causes(want, replace(there, mark=replace(after or known, live="read back"))) == causes(want, there)


def test_what_was_refused_is_known_although_the_action_failed() -> None:
    few, many = (wanted(inner=f"<vcpu current='{now}'>4</vcpu><title>{now}</title>") for now in (1, 3))
    _, known = started(many)
    there = running(few.xml, many.xml, replace(mark(few), run=RUN))  # defined, and then failed
    work = Work(False, (), known, {"vcpu/@current": "because"}, planned=of(few, running(many.xml, many.xml, known)).differences)
    after = interrupted(few, there, work)
    assert after is not None
    plan = planned(few, state=host(replace(there, mark=replace(after, live="read back"))))
    assert [(action.verb, action.paths) for action in plan.runnable] == [(Verb.UPDATE, ("title",))]
    assert {d.path: d.impact for d in plan.resources[0].differences}["vcpu/@current"] is Impact.RESTART
    assert interrupted(few, there, replace(work, refused={})) is None


def test_a_first_password_waits_although_another_change_of_the_same_apply_failed() -> None:
    there, known = started(screen())
    found = of(screen("one"), there).differences
    defined = replace(there, mark=replace(mark(screen("one")), run=RUN))
    after = interrupted(screen("one"), defined, Work(False, (), known, planned=found, run=RUN))
    assert after is not None
    assert causes(screen("one"), replace(there, mark=after)) == LATE
