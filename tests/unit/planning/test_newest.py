"""The newest data of a disk in another file than the one that is named: nothing goes on without it by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.difference import Cause, Impact
from reconciler.model.plan import Action, Plan, Verb
from reconciler.model.resource import ResourceId
from reconciler.model.snapshot import Snapshot
from reconciler.model.state import Desired, Mark, Observed
from tests.unit.planning.building import desired, host, mark, minimal, observed, planned, rid

WEB, POOL = rid("Domain/web1"), rid("Pool/images")
BASE, OVERLAY, OTHER = "/srv/images/a.raw", "/srv/images/a.raw.s1", "/srv/images/n.raw"


def domain(path: str, *, readonly: str = "", chain: str = "", memory: str = "65536") -> str:
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/>{chain}"
        f"<target dev='vda' bus='virtio'/>{readonly}</disk>"
    )
    return minimal(WEB).replace("<devices/>", f"<devices>{disk}</devices>").replace("65536", memory)


def wish(path: str = BASE, state: str = "running", **more: Any) -> Desired:
    memory, readonly = more.pop("memory", "65536"), more.pop("readonly", "")
    return desired(WEB, domain(path, memory=memory, readonly=readonly), state, **more)


def volume(name: str, backing: str = "", capacity: str = "1048576", owned: Mark | None = None) -> Observed:
    id_ = rid(f"Volume/images/{name}")
    text = minimal(id_).replace("1048576", capacity)
    if backing:
        text = text.replace("</volume>", f"<backingStore><path>{backing}</path></backingStore></volume>")
    return observed(id_, "present", text, owned=owned)


POOL_WITH_OVERLAY = (observed(POOL, "active"), volume("a.raw"), volume("a.raw.s1", BASE), volume("n.raw"))


def seen(applied: Desired, path: str, state: str = "running", *, overlays: tuple[str, ...] = (), **owned: Any) -> Observed:
    found = observed(WEB, state, domain(path), owned=mark(applied, **owned))
    return replace(found, details={"snapshots": tuple(Snapshot("s1", 5, "shutoff", overlays={"vda": each}) for each in overlays)})


def the(plan: Plan, verb: Verb, id_: ResourceId = WEB) -> Action:
    (action,) = [a for a in plan.actions if a.verb is verb and a.resource == id_]
    return action


# --- made anew below an overlay ---------------------------------------------------------------------------------


@pytest.mark.parametrize("persistent, verb", [(True, Verb.START), (False, Verb.CREATE)], ids=["defined", "transient"])
def test_a_domain_that_is_made_anew_does_not_start_below_an_overlay(persistent: bool, verb: Verb) -> None:
    want = wish(persistent=persistent)
    state = host(*POOL_WITH_OVERLAY, listed=[mark(want)])
    action = the(planned(want, state=state), verb)
    assert "data-loss permits it" in (action.blocked or "")
    assert OVERLAY in action.reason
    allowed = planned(want, state=state, allow=Impact.DATA_LOSS)
    assert all(a.blocked is None for a in allowed.actions)


def test_a_stopped_domain_does_not_start_below_an_overlay() -> None:
    plan = planned(wish(), state=host(seen(wish(), BASE, "stopped"), *POOL_WITH_OVERLAY))
    assert OVERLAY in the(plan, Verb.START).reason
    assert the(plan, Verb.START).blocked


def test_a_running_guest_tells_what_it_uses_below_its_overlay() -> None:
    """The pool does not know of the files."""
    chain = f"<backingStore type='file'><format type='raw'/><source file='{BASE}'/><backingStore/></backingStore>"
    other = rid("Domain/other")
    theirs = observed(other, "running", domain(OVERLAY, chain=chain))
    plan = planned(wish(), state=host(theirs))
    assert OVERLAY in the(plan, Verb.START).reason


def test_who_only_reads_a_base_image_starts() -> None:
    plan = planned(wish(readonly="<readonly/>"), state=host(*POOL_WITH_OVERLAY))
    assert the(plan, Verb.START).blocked is None


def test_a_declared_volume_on_the_file_is_no_overlay() -> None:
    clone = desired(rid("Volume/images/a.raw.s1"))
    there = [each for each in POOL_WITH_OVERLAY if each.id != clone.id]
    plan = planned(wish(), state=host(*there, volume("a.raw.s1", BASE), listed=[mark(clone, uuid=OVERLAY)]))
    assert the(plan, Verb.START).blocked is None


def test_a_domain_goes_on_in_the_overlay_of_its_own_snapshot() -> None:
    want = wish(persistent=False)
    state = host(*POOL_WITH_OVERLAY, listed=[mark(want, snapshots={"s1": "5"})])
    plan = planned(want, state=state)
    assert the(plan, Verb.CREATE).blocked is None
    (resource,) = (r for r in plan.resources if r.id == WEB)
    assert resource.desired is not None
    assert f'file="{OVERLAY}"' in resource.desired.xml
    assert 'type="qcow2"' in resource.desired.xml
    assert f'file="{BASE}"' in resource.desired.declared


def test_it_does_not_choose_between_two_overlays() -> None:
    want = wish(persistent=False)
    state = host(*POOL_WITH_OVERLAY, volume("a.raw.s1.r1", BASE), listed=[mark(want, snapshots={"s1": "5"})])
    assert the(planned(want, state=state), Verb.CREATE).blocked


# --- another file, by somebody else -----------------------------------------------------------------------------


@pytest.mark.parametrize("state, path", [("stopped", BASE), ("running", BASE)])
def test_a_disk_that_somebody_switched_is_not_switched_back(state: str, path: str) -> None:
    want = wish(path, state)
    there = seen(want, OTHER, state)
    plan = planned(want, state=host(there))
    define = the(plan, Verb.DEFINE)
    assert "data-loss permits it" in (define.blocked or "")
    assert OTHER in define.reason
    (difference,) = plan.resources[0].differences
    assert (difference.cause, difference.impact) == (Cause.DRIFT, Impact.DATA_LOSS)
    assert the(planned(want, state=host(there), allow=Impact.DATA_LOSS), Verb.DEFINE).blocked is None


@pytest.mark.parametrize("defined", [BASE, OTHER])
def test_a_running_guest_is_not_brought_back_to_the_file_before(defined: str) -> None:
    want = wish(update={"restart": "allowed"})
    before = mark(want, waiting=(), run="7", live="read back")
    live = domain(OTHER).replace("<domain ", "<domain id='7' ")
    plan = planned(want, state=host(replace(seen(want, defined), mark=before, live=live)), allow=Impact.RESTART)
    assert plan.actions
    assert all("data-loss permits it" in (action.blocked or "") for action in plan.actions)


def test_another_file_in_the_manifest_is_used() -> None:
    plan = planned(wish(OTHER, "stopped"), state=host(seen(wish(BASE, "stopped"), BASE, "stopped")))
    assert the(plan, Verb.DEFINE).blocked is None


def test_the_same_file_by_another_name_is_no_loss() -> None:
    by_volume = wish(state="stopped").xml.replace("type='file' d", "type='volume' d")
    want = desired(WEB, by_volume.replace(f"file='{BASE}'", "pool='images' volume='a.raw'"), "stopped")
    plan = planned(want, state=host(seen(want, BASE, "stopped"), *POOL_WITH_OVERLAY[:2]))
    assert the(plan, Verb.DEFINE).blocked is None


def test_a_medium_that_was_changed_is_changed_back() -> None:
    want = desired(WEB, wish(state="stopped").xml.replace("device='disk'", "device='cdrom'"), "stopped")
    there = seen(want, OTHER, "stopped")
    there = replace(there, persistent=(there.persistent or "").replace("device='disk'", "device='cdrom'"))
    assert the(planned(want, state=host(there)), Verb.DEFINE).blocked is None


# --- deleting snapshots -----------------------------------------------------------------------------------------

S1 = [{"name": "s1", "mode": "external"}]


def pruning(now: Desired, path: str, overlay: str = OVERLAY, **policy: Any) -> Action:
    before = wish(state="stopped", snapshots=S1)
    there = seen(before, path, "stopped", overlays=(overlay,), snapshots={"s1": "5"})
    plan = planned(now, state=host(there, *POOL_WITH_OVERLAY), prune=True, **policy)
    return the(plan, Verb.DELETE_SNAPSHOT)


@pytest.mark.parametrize("there", [OVERLAY, OTHER], ids=["at the same time", "before"])
def test_an_overlay_of_a_disk_that_was_pointed_elsewhere_is_not_deleted(there: str) -> None:
    action = pruning(wish(OTHER, "stopped"), there)
    assert "data-loss permits it" in (action.blocked or "")
    assert OVERLAY in action.reason
    assert pruning(wish(OTHER, "stopped"), there, allow=Impact.DATA_LOSS).blocked is None


def test_an_overlay_that_the_disk_goes_on_in_is_merged() -> None:
    assert pruning(wish(state="stopped"), OVERLAY).blocked is None


def test_an_overlay_that_a_revert_left_is_deleted() -> None:
    assert pruning(wish(state="stopped"), BASE, "/srv/images/a.raw.gone").blocked is None


# --- growing ----------------------------------------------------------------------------------------------------


def test_a_file_below_an_overlay_does_not_grow() -> None:
    base = rid("Volume/images/a.raw")
    small, large = desired(base), desired(base, minimal(base).replace("1048576", "4194304"))
    there = [each for each in POOL_WITH_OVERLAY if each.id != base]
    plan = planned(large, state=host(*there, volume("a.raw", owned=mark(small, uuid=BASE))))
    assert f"{OVERLAY} stands on it" in (the(plan, Verb.RESIZE, base).blocked or "")


# --- options ----------------------------------------------------------------------------------------------------


def test_the_order_in_which_an_option_was_written_is_no_difference() -> None:
    want = wish(snapshots=[{"name": "s1", "mode": "external"}], memory="131072")
    before = wish(snapshots=[{"mode": "external", "name": "s1"}], memory="131072")
    there = replace(seen(before, BASE, overlays=(OVERLAY,), snapshots={"s1": "5"}), persistent=want.xml, live=want.xml)
    assert planned(want, state=host(there)).actions == ()
