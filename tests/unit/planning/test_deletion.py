"""Volumes go with the domain that gives its data up, emptied before they go; and all that is never taken along."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.difference import Impact
from reconciler.model.plan import Action, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import ResourceId
from reconciler.model.snapshot import Snapshot
from reconciler.model.state import Desired, HostState, Observed
from reconciler.xmltree.mark import digest
from tests.unit.planning.building import UUID, desired, domain, host, mark, minimal, observed, planned, rid

POOL, DOMAIN, OTHER = rid("Pool/p"), rid("Domain/d"), rid("Domain/other")
VOLUME, BASE, OVERLAY = rid("Volume/p/v"), rid("Volume/p/base"), rid("Volume/p/v.snap")
THEIRS = "77777777-2222-4333-8444-555555555555"
WIPE = {"volumes": "wipe"}


def disk(path: str = "/srv/p/v", more: str = "", device: str = "disk", target: str = "vda") -> str:
    return f"<disk type='file' device='{device}'><source file='{path}'/>{more}<target dev='{target}'/></disk>"


def path_of(volume: ResourceId) -> str:
    return f"/srv/{volume.pool}/{volume.name}"


def a_volume(id_: ResourceId = VOLUME, xml: str = "", *, want: Desired | None = None, **changes: Any) -> Observed:
    """A volume of the project."""
    return observed(id_, "present", xml, owned=mark(want or desired(id_), uuid=path_of(id_), **changes))


def a_domain(
    state: str = "stopped", devices: str = disk(), *, volumes: str = "wipe", persistent: bool = True, **details: Any
) -> Observed:
    """The domain of the project that uses the volume."""
    want = desired(DOMAIN, domain(devices=devices, uuid=UUID), state, onDelete={"volumes": volumes})
    return replace(observed(DOMAIN, state, want.xml, persistent=persistent, owned=mark(want)), details=details)


def undefined(devices: str = disk(), volumes: str = "wipe", **more: Any) -> Desired:
    return desired(DOMAIN, domain(devices=devices, uuid=UUID), "undefined", onDelete={"volumes": volumes}, **more)


def somebody(id_: ResourceId, state: str, devices: str, inner: str = "") -> Observed:
    return observed(id_, state, domain(inner, devices, uuid=THEIRS))


def a_host(*seen: Observed, **more: Any) -> HostState:
    return host(observed(POOL, "active"), *seen, listed=[each.mark for each in seen if each.mark is not None], **more)


def plan(*wanted: Desired, state: HostState, paths: dict[tuple[str, str], ResourceId] | None = None, **policy: Any) -> Plan:
    return planned(*wanted, state=state, paths=paths, **policy)


def verbs(plan: Plan, id_: ResourceId) -> list[Verb]:
    return [action.verb for action in plan.runnable if action.resource == id_]


def actions(plan: Plan, id_: ResourceId) -> list[Action]:
    return [action for action in plan.actions if action.resource == id_]


def of(plan: Plan, id_: ResourceId) -> ResourcePlan:
    return next(resource for resource in plan.resources if resource.id == id_)


def why_not(plan: Plan, id_: ResourceId) -> str:
    return "; ".join(action.blocked or "" for action in actions(plan, id_))


# --- the policy says how ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy, how", [("delete", [Verb.DELETE]), ("wipe", [Verb.WIPE, Verb.DELETE]), ("retain", [])])
def test_a_volume_goes_as_its_policy_says_and_by_its_own_consent(policy: str, how: list[Verb]) -> None:
    made = plan(desired(VOLUME, state="absent", onDelete=policy), state=a_host(a_volume()), allow=Impact.NONE)
    assert verbs(made, VOLUME) == how
    left = plan(state=a_host(a_volume(want=desired(VOLUME, onDelete=policy))), allow=Impact.NONE, prune=True)
    assert verbs(left, VOLUME) == how


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    "state, way",
    [
        ("stopped", [Verb.WIPE, Verb.UNDEFINE]),
        ("running", [Verb.SHUTDOWN, Verb.WIPE, Verb.UNDEFINE]),
        ("paused", [Verb.RESUME, Verb.SHUTDOWN, Verb.WIPE, Verb.UNDEFINE]),
        ("saved", [Verb.WIPE, Verb.UNDEFINE]),
    ],
)
def test_a_domain_that_is_given_up_goes_the_short_way_and_is_emptied_before(state: str, way: list[Verb], declared: bool) -> None:
    there = a_host(a_volume(), a_domain(state))
    made = plan(undefined(), state=there) if declared else plan(state=there, prune=True)
    assert verbs(made, DOMAIN) == way
    assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE]
    assert actions(made, DOMAIN)[-1].id in actions(made, VOLUME)[0].needs


def test_a_saved_domain_whose_data_are_kept_is_restored_and_shut_down_before_it_goes() -> None:
    made = plan(undefined(volumes="retain"), state=a_host(a_volume(), a_domain("saved")))
    assert verbs(made, DOMAIN) == [Verb.RESTORE, Verb.SHUTDOWN, Verb.UNDEFINE]
    assert actions(made, VOLUME) == []


def test_nothing_is_to_be_deleted_of_a_domain_that_has_no_files_of_its_own() -> None:
    made = plan(undefined(volumes="delete"), state=a_host(a_volume(), a_domain()))
    assert (verbs(made, DOMAIN), verbs(made, VOLUME)) == ([Verb.UNDEFINE], [Verb.DELETE])


SNAPSHOT = Snapshot("before", 7, "disk-snapshot", overlays={"vda": path_of(OVERLAY)}, memory_file="/srv/p/v.mem")


def snapshotted(volumes: str) -> HostState:
    over = minimal(OVERLAY).replace("</volume>", f"<backingStore><path>{path_of(VOLUME)}</path></backingStore></volume>")
    own = desired(VOLUME, onDelete=volumes)
    return a_host(
        a_volume(want=own),
        observed(OVERLAY, "present", over),
        replace(a_domain(devices=disk(path_of(OVERLAY)), volumes=volumes), details={"snapshots": (SNAPSHOT,)}),
    )


@pytest.mark.parametrize("volumes, first", [("delete", Verb.DELETE), ("wipe", Verb.WIPE)])
def test_the_overlays_of_a_domain_that_goes_do_not_hold_what_is_under_them(volumes: str, first: Verb) -> None:
    made = plan(state=snapshotted(volumes), prune=True)
    assert verbs(made, DOMAIN) == [first, Verb.UNDEFINE]
    assert verbs(made, VOLUME)[-1:] == [Verb.DELETE]
    assert actions(made, OVERLAY) == []


def test_the_overlays_of_a_domain_whose_data_are_kept_hold_what_is_under_them() -> None:
    state = snapshotted("wipe")
    retained = replace(state.resources[DOMAIN], mark=mark(desired(DOMAIN, onDelete={"volumes": "retain"})))
    made = plan(state=replace(state, resources={**state.resources, DOMAIN: retained}), prune=True)
    assert "in use by Volume/p/v.snap" in why_not(made, VOLUME)
    assert verbs(made, DOMAIN) == [Verb.UNDEFINE]


RETAINED = a_volume(want=desired(VOLUME, onDelete="retain"))
PROTECTED = a_volume(want=desired(VOLUME), protect=True)


@pytest.mark.parametrize("volumes", ["delete", "wipe"])
@pytest.mark.parametrize("there, why", [(RETAINED, "onDelete: retain"), (PROTECTED, "it is protected")])
def test_an_overlay_of_a_volume_that_stays_does_not_go_with_the_domain(volumes: str, there: Observed, why: str) -> None:
    state = snapshotted(volumes)
    assert there.mark is not None
    held = replace(state, resources={**state.resources, VOLUME: there}, inventory={**state.inventory, VOLUME: there.mark})
    own = desired(VOLUME, onDelete="retain") if there is RETAINED else desired(VOLUME, protect=True)
    for made in (plan(state=held, prune=True), plan(undefined(disk(), volumes), own, state=held)):
        assert made.runnable == ()
        assert f"Volume/p/v stays ({why}), and /srv/p/v.snap has its newest data" in why_not(made, DOMAIN)


def test_an_overlay_outside_of_all_pools_does_not_go_without_the_volume_below_it_either() -> None:
    store = f"<backingStore type='file'><source file='{path_of(VOLUME)}'/></backingStore>"
    there = replace(a_domain(devices=disk("/away/v.snap", store)), details={"snapshots": (SNAPSHOT,)})
    made = plan(undefined(), desired(VOLUME, onDelete="retain"), state=a_host(RETAINED, there))
    assert made.runnable == ()
    assert "/away/v.snap has its newest data" in why_not(made, DOMAIN)


def test_a_retained_volume_without_overlays_stays_and_is_named() -> None:
    made = plan(undefined(), desired(VOLUME, onDelete="retain"), state=a_host(RETAINED, a_domain()))
    assert verbs(made, DOMAIN) == [Verb.WIPE, Verb.UNDEFINE]
    assert of(made, DOMAIN).note.endswith("stays: Volume/p/v (vda): onDelete: retain")


@pytest.mark.parametrize("declared", [True, False])
def test_a_disk_that_is_no_volume_of_the_project_stays_and_is_named(declared: bool) -> None:
    both = disk() + disk("/away/b", target="vdb") + disk("/ro/c", "<readonly/>", target="vdc")
    copied = disk("/away/copy") + disk("/away/b", target="vdb") + disk("/ro/c", "<readonly/>", target="vdc")
    there = a_domain("running", both)
    there = replace(there, live=there.live and there.live.replace(path_of(VOLUME), "/away/copy"))
    assert there.live == domain(devices=copied, uuid=UUID)
    state = a_host(a_volume(), there)
    made = plan(undefined(both), state=state) if declared else plan(state=state, prune=True)
    told = of(made, DOMAIN).note
    assert "/away/copy (vda): not a volume of the project, /away/b (vdb): not a volume of the project" in told
    assert "/ro/c" not in told
    assert "stays: /away/copy (vda)" in actions(made, DOMAIN)[-1].reason
    assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE]


TPM = "<tpm model='tpm-crb'><backend type='emulator'/></tpm>"


def test_the_plan_names_what_goes_with_a_domain() -> None:
    there = a_domain("saved", disk() + TPM, managed_save=True, nvram="/nv/d.fd", snapshots=(SNAPSHOT,), checkpoints=1)
    told = actions(plan(undefined(disk() + TPM), state=a_host(a_volume(), there)), DOMAIN)[0].reason
    for words in ("managed save image", "NVRAM /nv/d.fd", "TPM state", "snapshots before", "checkpoints"):
        assert f"with it: {words}" in told


def test_the_plan_names_what_stays_of_a_domain_and_what_libvirt_forgets() -> None:
    there = a_domain(devices=disk() + TPM, volumes="retain", nvram="/nv/d.fd", snapshots=(SNAPSHOT,), checkpoints=1)
    for made in (
        plan(undefined(disk() + TPM, "retain"), state=a_host(there)),
        plan(state=a_host(there), prune=True),
    ):
        told = actions(made, DOMAIN)[-1].reason
        assert "NVRAM /nv/d.fd: stays" in told
        assert "TPM state: stays" in told
        assert "snapshots before: libvirt forgets them" in told
        assert "checkpoints: libvirt forgets them" in told


@pytest.mark.parametrize("volumes", ["delete", "wipe"])
def test_a_transient_domain_that_would_leave_a_file_behind_does_not_go(volumes: str) -> None:
    there = a_domain("running", volumes=volumes, persistent=False, nvram="/nv/d.fd")
    made = plan(undefined(volumes=volumes), state=a_host(a_volume(), there))
    assert made.runnable == ()
    assert "NVRAM would stay" in why_not(made, DOMAIN)
    assert "goes with Domain/d" in why_not(made, VOLUME)
    clean = plan(undefined(volumes=volumes), state=a_host(a_volume(), replace(there, details={})))
    assert verbs(clean, DOMAIN) == [Verb.SHUTDOWN]
    assert verbs(clean, VOLUME)[-1:] == [Verb.DELETE]


# --- taken along ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("volumes, how", [("delete", [Verb.DELETE]), ("wipe", [Verb.WIPE, Verb.DELETE]), ("retain", [])])
def test_a_domain_that_is_undefined_takes_the_volumes_along_that_only_it_uses(volumes: str, how: list[Verb]) -> None:
    made = plan(undefined(volumes=volumes), desired(VOLUME), state=a_host(a_volume(), a_domain()))
    assert verbs(made, VOLUME) == how
    if how:
        assert "Domain/d, its only user, is declared undefined" in of(made, VOLUME).note
        assert actions(made, DOMAIN)[-1].id in actions(made, VOLUME)[0].needs


def test_what_was_taken_along_is_not_made_again() -> None:
    made = plan(undefined(), desired(VOLUME), state=a_host(), paths={("host", path_of(VOLUME)): VOLUME})
    assert made.actions == ()
    assert {resource.status for resource in made.resources} == {Status.IN_SYNC}
    assert "not made: Domain/d, its only user" in of(made, VOLUME).note


def test_a_volume_that_no_manifest_names_goes_with_its_undefined_domain_and_without_pruning() -> None:
    made = plan(undefined(), state=a_host(a_volume(), a_domain()))
    assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE]


@pytest.mark.parametrize(
    "own, how", [("retain", []), ("delete", []), ("wipe", [])], ids=["retained", "deleted by its own words", "wiped by them"]
)
def test_a_volume_with_words_of_its_own_stays_as_they_say(own: str, how: list[Verb]) -> None:
    made = plan(
        undefined(), desired(VOLUME, onDelete=own), state=a_host(a_volume(want=desired(VOLUME, onDelete=own)), a_domain())
    )
    assert verbs(made, VOLUME) == how
    absent = desired(VOLUME, state="absent", onDelete="retain")
    assert "retain" in why_not(plan(undefined(), absent, state=a_host(a_volume(), a_domain())), VOLUME)


def test_a_retained_volume_that_no_manifest_names_is_kept_when_its_domain_goes() -> None:
    state = a_host(a_volume(want=desired(VOLUME, onDelete="retain")), a_domain())
    assert actions(plan(undefined(), state=state), VOLUME) == []
    assert actions(plan(state=state, prune=True), VOLUME) == []


def test_a_protected_volume_is_not_taken_along() -> None:
    made = plan(
        undefined(), desired(VOLUME, protect=True), state=a_host(a_volume(want=desired(VOLUME, protect=True)), a_domain())
    )
    assert (verbs(made, DOMAIN), actions(made, VOLUME)) == ([Verb.WIPE, Verb.UNDEFINE], [])
    made = plan(state=a_host(a_volume(protect=True), a_domain()), prune=True)
    assert "protect" in why_not(made, VOLUME)


def test_a_volume_that_is_not_in_the_inventory_is_not_taken_along() -> None:
    state = a_host(observed(VOLUME, "present"), a_domain())
    assert actions(plan(undefined(), state=state), VOLUME) == []
    assert not actions(plan(state=state, prune=True), VOLUME)
    declared = plan(undefined(), desired(VOLUME), state=state)
    assert verbs(declared, VOLUME) == []
    assert of(declared, VOLUME).status is Status.NOT_OURS
    assert verbs(plan(undefined(), desired(VOLUME), state=state, adopt=True), VOLUME) == [Verb.ADOPT]


def test_a_volume_that_is_declared_stays_when_its_domain_is_pruned() -> None:
    made = plan(desired(VOLUME), state=a_host(a_volume(), a_domain()), prune=True)
    assert (verbs(made, DOMAIN), actions(made, VOLUME)) == ([Verb.WIPE, Verb.UNDEFINE], [])


def test_a_volume_that_another_one_is_still_to_be_copied_from_stays() -> None:
    made = plan(undefined(), desired(VOLUME), desired(BASE, clone={"volume": "v"}), state=a_host(a_volume(), a_domain()))
    assert actions(made, VOLUME) == []
    assert "stays: Volume/p/base uses it, too" in of(made, VOLUME).note


def test_a_volume_that_another_declared_domain_uses_stays_and_the_plan_says_by_whom() -> None:
    other = desired(OTHER, domain(devices=disk(), uuid=THEIRS), "running")
    made = plan(undefined(), other, desired(VOLUME), state=a_host(a_volume(), a_domain()))
    assert actions(made, VOLUME) == []
    assert "stays: Domain/other uses it, too" in of(made, VOLUME).note
    unnamed = plan(undefined(), other, state=a_host(a_volume(), a_domain()))
    assert verbs(unnamed, VOLUME) == []


def test_a_volume_that_a_domain_takes_over_is_not_deleted_before_it() -> None:
    """A renamed domain: the old one is pruned and gives its volumes up, the new one is not on the host yet."""
    other = desired(OTHER, domain(devices=disk(), uuid=THEIRS), "running")
    own = desired(VOLUME, onDelete="delete")
    made = plan(other, state=a_host(a_volume(want=own), a_domain(volumes="delete")), prune=True)
    assert "in use by Domain/other" in why_not(made, VOLUME)
    assert verbs(made, OTHER)


def test_a_base_image_that_only_it_was_built_on_is_not_taken_along() -> None:
    over = minimal(VOLUME).replace("</volume>", f"<backingStore><path>{path_of(BASE)}</path></backingStore></volume>")
    chain = disk(more=f"<backingStore type='file'><source file='{path_of(BASE)}'/></backingStore>")
    state = a_host(a_volume(BASE), a_volume(xml=over, want=desired(VOLUME, over)), a_domain("running", chain))
    made = plan(state=state, prune=True)
    assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE]
    assert actions(made, BASE) == []
    assert actions(plan(undefined(), desired(VOLUME, over), desired(BASE), state=state), BASE) == []


@pytest.mark.parametrize(
    "device",
    [
        disk(device="cdrom", target="hdc"),
        disk(device="floppy", target="fda"),
        disk(more="<readonly/>"),
        "<disk type='volume' device='cdrom'><source pool='p' volume='v'/><target dev='hdc'/></disk>",
    ],
    ids=["cdrom", "floppy", "read-only", "cdrom by name"],
)
def test_media_are_not_taken_along(device: str) -> None:
    state = a_host(a_volume(), a_domain(devices=device))
    assert actions(plan(state=state, prune=True), VOLUME) == []
    assert actions(plan(undefined(device), desired(VOLUME), state=state), VOLUME) == []


def test_the_other_disks_that_are_built_on_a_taken_one_count_as_its_users() -> None:
    over = minimal(OVERLAY).replace("</volume>", f"<backingStore><path>{path_of(VOLUME)}</path></backingStore></volume>")
    made = plan(undefined(), desired(VOLUME), desired(OVERLAY, over), state=a_host(a_volume(), a_domain()))
    assert verbs(made, VOLUME) == []
    both = disk() + disk(path_of(OVERLAY), target="vdb")
    paths = {("host", path_of(OVERLAY)): OVERLAY, ("host", path_of(VOLUME)): VOLUME}
    made = plan(undefined(both), desired(VOLUME), desired(OVERLAY, over), state=a_host(), paths=paths)
    assert made.actions == ()


def test_a_target_takes_its_volumes_along_and_nobody_elses() -> None:
    state = a_host(a_volume(), a_volume(BASE, want=desired(BASE, onDelete="delete")), a_domain())
    for made in (
        plan(undefined(), state=state, targets=frozenset({"Domain/d"})),
        plan(state=state, prune=True, targets=frozenset({"Domain/d"})),
    ):
        assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE]
        assert actions(made, BASE) == []
    alone = plan(undefined(), desired(VOLUME), state=state, targets=frozenset({"Volume/v"}))
    assert "in use by Domain/d" in why_not(alone, VOLUME)


# --- who holds it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user",
    [
        somebody(OTHER, "running", disk()),
        somebody(OTHER, "stopped", disk()),
        somebody(OTHER, "stopped", disk(device="cdrom")),
        somebody(OTHER, "stopped", "", "<os><kernel>/srv/p/v</kernel></os>"),
        somebody(OTHER, "stopped", "", "<os><initrd>/srv/p/v</initrd></os>"),
        somebody(OTHER, "stopped", "", "<os><loader>/srv/p/v</loader></os>"),
        somebody(OTHER, "stopped", "", "<os><nvram>/srv/p/v</nvram></os>"),
        somebody(OTHER, "stopped", "", "<os><nvram template='/srv/p/v'>/nv/x</nvram></os>"),
        somebody(OTHER, "stopped", "<filesystem type='mount'><source dir='/srv/p'/><target dir='t'/></filesystem>"),
        somebody(OTHER, "stopped", "<filesystem type='mount'><source dir='/srv/'/><target dir='t'/></filesystem>"),
        somebody(OTHER, "stopped", "<filesystem type='file'><source file='/srv/p/v'/><target dir='t'/></filesystem>"),
        somebody(OTHER, "stopped", "<serial type='file'><source path='/srv/p/v'/></serial>"),
        somebody(OTHER, "stopped", "<memory model='nvdimm'><source><path>/srv/p/v</path></source></memory>"),
        observed(
            rid("Volume/p/top"),
            "present",
            minimal(rid("Volume/p/top")).replace("</volume>", "<backingStore><path>/srv/p/v</path></backingStore></volume>"),
        ),
    ],
    ids=lambda user: str(user.id.kind),
)
def test_what_anybody_uses_is_neither_wiped_nor_deleted_and_the_plan_says_by_whom(user: Observed) -> None:
    for made in (
        plan(desired(VOLUME, state="absent", onDelete="wipe"), state=a_host(a_volume(), user)),
        plan(undefined(), desired(VOLUME), state=a_host(a_volume(), a_domain(), user)),
        plan(state=a_host(a_volume(want=desired(VOLUME, onDelete="wipe")), user), prune=True, allow_mass_delete=True),
    ):
        assert verbs(made, VOLUME) == []
        assert f"in use by {user.id}" in why_not(made, VOLUME)
        assert {action.verb for action in actions(made, VOLUME)} == {Verb.WIPE, Verb.DELETE}


def test_a_folder_that_only_begins_like_another_one_is_not_that_one() -> None:
    user = somebody(OTHER, "stopped", "<filesystem type='mount'><source dir='/sr'/><target dir='t'/></filesystem>")
    made = plan(desired(VOLUME, state="absent", onDelete="wipe"), state=a_host(a_volume(), user))
    assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE]


def test_a_domain_does_not_need_what_happens_to_lie_in_a_folder_that_it_shares() -> None:
    share = "<filesystem type='mount'><source dir='/srv'/><target dir='t'/></filesystem>"
    paths = {("host", path_of(VOLUME)): VOLUME}
    want = desired(DOMAIN, domain(devices=share), "running")
    made = plan(want, desired(VOLUME), state=host(observed(POOL, "active")), paths=paths)
    assert verbs(made, VOLUME) == [Verb.CREATE]
    assert not {a.id for a in actions(made, VOLUME)} & {need for a in actions(made, DOMAIN) for need in a.needs}


def test_what_another_project_lists_as_well_is_neither_wiped_nor_deleted() -> None:
    state = replace(a_host(a_volume()), shared={VOLUME: "theirs"})
    made = plan(desired(VOLUME, state="absent", onDelete="wipe"), state=state)
    assert made.runnable == ()
    assert "in use by the project theirs" in why_not(made, VOLUME)


def test_where_the_domain_stays_its_volumes_stay() -> None:
    made = plan(state=a_host(a_volume(), replace(a_domain(), mark=mark(undefined(), protect=True))), prune=True)
    assert made.runnable == ()
    assert "goes with Domain/d, whose wipe is blocked" in why_not(made, VOLUME)
    assert "inherited" not in of(made, VOLUME).options


def test_a_domain_stays_until_the_volumes_can_be_seen_that_go_with_it() -> None:
    there = a_domain(devices="<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vda'/></disk>")
    for used in (there, a_domain()):
        state = host(observed(POOL, "inactive"), used, listed=[mark(desired(VOLUME), uuid=path_of(VOLUME))])
        for made in (plan(undefined(), desired(VOLUME), state=state), plan(state=state, prune=True)):
            assert made.runnable == ()
            assert "Volume/p/v goes with it (onDelete.volumes: wipe), and its pool p is not active" in why_not(made, DOMAIN)
        retained = [mark(desired(VOLUME, onDelete="retain"), uuid=path_of(VOLUME))]
        made = plan(state=host(observed(POOL, "inactive"), used, listed=retained), prune=True)
        assert verbs(made, DOMAIN) == [Verb.WIPE, Verb.UNDEFINE]


def test_wiping_counts_for_the_limit_of_deletions() -> None:
    volumes = [a_volume(rid(f"Volume/p/v{n}"), want=desired(rid(f"Volume/p/v{n}"), onDelete="wipe")) for n in range(7)]
    made = plan(state=a_host(*volumes), prune=True)
    assert made.runnable == ()
    assert all("7 deletions are more than the limit" in (action.blocked or "") for action in made.actions)
    assert len(plan(state=a_host(*volumes), prune=True, allow_mass_delete=True).runnable) == 14


# --- interrupted ---------------------------------------------------------------------------------------------------


def test_what_a_domain_leaves_is_written_down_with_the_volume() -> None:
    legacy = {"policy": "wipe", "from": "Domain/d"}
    state = a_host(a_volume(), a_domain())
    assert of(plan(state=state, prune=True), VOLUME).options["inherited"] == legacy
    assert of(plan(undefined(), desired(VOLUME), state=state), VOLUME).options["inherited"] == legacy


def legatee(**changes: Any) -> Observed:
    return a_volume(options={"inherited": {"policy": "wipe", "from": "Domain/d"}}, digest="", **changes)


def test_a_volume_whose_domain_is_gone_goes_by_what_was_written_down() -> None:
    assert verbs(plan(state=a_host(legatee()), prune=True), VOLUME) == [Verb.WIPE, Verb.DELETE]
    assert verbs(plan(undefined(), desired(VOLUME), state=a_host(legatee())), VOLUME) == [Verb.WIPE, Verb.DELETE]
    assert verbs(plan(undefined(), state=a_host(legatee())), VOLUME) == [Verb.WIPE, Verb.DELETE]


def test_what_was_written_down_does_not_count_while_the_domain_is_there_and_says_something_else() -> None:
    made = plan(state=a_host(legatee(), a_domain(volumes="retain")), prune=True)
    assert (verbs(made, DOMAIN), actions(made, VOLUME)) == ([Verb.UNDEFINE], [])


def test_a_volume_that_is_declared_again_forgets_what_it_inherited() -> None:
    made = plan(desired(VOLUME), state=a_host(legatee()))
    assert verbs(made, VOLUME) == [Verb.RECORD]


def test_what_was_to_be_wiped_is_left_to_the_next_apply_where_somebody_uses_it_now() -> None:
    made = plan(state=a_host(a_volume(), a_domain(), somebody(OTHER, "stopped", disk())), prune=True)
    assert "in use by Domain/other" in why_not(made, VOLUME)
    assert verbs(made, DOMAIN) == [Verb.WIPE, Verb.UNDEFINE]
    assert of(made, VOLUME).options["inherited"] == {"policy": "wipe", "from": "Domain/d"}


def half_wiped(**changes: Any) -> Observed:
    """libvirt probes a wiped qcow2 as raw."""
    qcow2 = minimal(VOLUME).replace("raw", "qcow2")
    return a_volume(want=desired(VOLUME, qcow2), xml=minimal(VOLUME), wiping=True, **changes)


@pytest.mark.parametrize("policy", ["retain", "delete", "wipe", None])
def test_a_half_wiped_volume_is_wiped_again_before_it_is_deleted_whatever_the_policy_says_now(policy: str | None) -> None:
    words = {"onDelete": policy} if policy else {}
    made = plan(desired(VOLUME, minimal(VOLUME).replace("raw", "qcow2"), "absent", **words), state=a_host(half_wiped()))
    assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE]
    left = half_wiped(options=words)
    assert verbs(plan(state=a_host(left), prune=True), VOLUME) == [Verb.WIPE, Verb.DELETE]


def test_a_half_wiped_volume_that_no_manifest_names_is_told_of_without_pruning() -> None:
    made = plan(state=a_host(half_wiped()))
    assert made.actions == ()
    assert "its wiping was begun and is not finished: --prune goes on with it" in of(made, VOLUME).note


def test_a_half_wiped_volume_that_is_wanted_again_is_not_used_and_made_anew_with_leave_only() -> None:
    want = desired(VOLUME, minimal(VOLUME).replace("raw", "qcow2"))
    user = desired(DOMAIN, domain(devices=disk()), "running")
    made = plan(want, user, state=a_host(half_wiped()))
    assert made.runnable == ()
    assert "--allow data-loss" in why_not(made, VOLUME)
    assert "its wiping was begun" in of(made, VOLUME).note
    assert "needs Volume/p/v" in why_not(made, DOMAIN)
    made = plan(want, user, state=a_host(half_wiped()), allow=Impact.DATA_LOSS)
    assert verbs(made, VOLUME) == [Verb.WIPE, Verb.DELETE, Verb.CREATE]
    assert actions(made, VOLUME)[-1].id in actions(made, DOMAIN)[0].needs


def test_a_half_wiped_volume_is_not_in_sync_however_equal_it_looks() -> None:
    want = desired(VOLUME)
    there = a_volume(want=want, readback=digest(minimal(VOLUME)))
    assert plan(want, state=a_host(there)).actions == ()
    assert there.mark is not None
    assert plan(want, state=a_host(replace(there, mark=replace(there.mark, wiping=True)))).blocked


def test_what_was_wiped_and_deleted_is_made_anew_without_asking_again() -> None:
    state = host(observed(POOL, "active"), listed=[mark(desired(VOLUME), uuid=path_of(VOLUME), wiping=True)])
    made = plan(desired(VOLUME), state=state)
    assert [(action.verb, action.impact) for action in made.runnable] == [(Verb.CREATE, Impact.NONE)]


def test_a_half_wiped_volume_that_is_in_use_is_not_wiped() -> None:
    made = plan(desired(VOLUME), state=a_host(half_wiped(), somebody(OTHER, "running", disk())), allow=Impact.DATA_LOSS)
    assert made.runnable == ()
    assert "in use by Domain/other" in why_not(made, VOLUME)
