"""A disk that goes on in the overlay of an external snapshot: no drift, no way back to the base by accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.kinds import KINDS
from reconciler.model.difference import Cause
from reconciler.model.plan import Plan, Verb
from reconciler.model.snapshot import Snapshot
from reconciler.model.state import Desired, Observed
from reconciler.planning import planner
from reconciler.planning.allowance import Policy
from reconciler.planning.chains import Layers
from reconciler.planning.verify import Work, verify
from reconciler.xmltree.merge import merge
from tests.unit.planning.building import CREATED, MACHINES, PROJECT, desired, host, mark, minimal, observed, rid

WEB, POOL = rid("Domain/web1"), rid("Pool/images")
BASE, TOP, OTHER = "/srv/images/web1.qcow2", "/srv/images/web1.s1", "/srv/images/other.qcow2"
BY_FILE = f"<source file='{BASE}'/>"
BY_VOLUME = "<source pool='images' volume='web1.qcow2'/>"


def disk(source: str, backing: str = "", kind: str = "file") -> str:
    return (
        f"<disk type='{kind}' device='disk'><driver name='qemu' type='qcow2' cache='none'/>{source}{backing}"
        "<target dev='vda' bus='virtio'/></disk>"
    )


def below(*paths: str) -> str:
    inner = "<backingStore/>"
    for path in reversed(paths):
        inner = f"<backingStore type='file'><format type='qcow2'/><source file='{path}'/>{inner}</backingStore>"
    return inner


def xml(devices: str, memory: str = "65536") -> str:
    return minimal(WEB).replace("<devices/>", f"<devices>{devices}</devices>").replace("65536", memory)


def wish(source: str = BY_FILE, memory: str = "65536") -> Desired:
    return desired(WEB, xml(disk(source, kind="volume" if "pool" in source else "file"), memory), "stopped")


def seen(applied: Desired, top: str, *, backing: str = "", overlays: tuple[str, ...] = ()) -> Observed:
    found = observed(WEB, "stopped", xml(disk(f"<source file='{top}'/>", backing)), owned=mark(applied))
    snapshots = tuple(Snapshot(f"s{n}", 5, "shutoff", overlays={"vda": path}) for n, path in enumerate(overlays))
    return replace(found, details={"snapshots": snapshots})


def volume(name: str, backing: str = "") -> Observed:
    text = minimal(rid(f"Volume/images/{name}"))
    if backing:
        text = text.replace("</volume>", f"<backingStore><path>{backing}</path></backingStore></volume>")
    return observed(rid(f"Volume/images/{name}"), "present", text)


POOL_WITH_CHAIN = (observed(POOL, "active"), volume("web1.qcow2"), volume("web1.s1", BASE), volume("other.qcow2"))


def planned(want: Desired, *there: Observed) -> Plan:
    return planner.plan(PROJECT, [want], [host(*there)], Policy(), CREATED, {})


def web(plan: Plan) -> tuple[list[Verb], list[str]]:
    (resource,) = (r for r in plan.resources if r.id == WEB)
    return [a.verb for a in plan.actions], [d.path for d in resource.differences]


@pytest.mark.parametrize("source", [BY_FILE, BY_VOLUME], ids=["by file", "by volume"])
@pytest.mark.parametrize(
    "backing, overlays, others",
    [
        (below(BASE), (), POOL_WITH_CHAIN[:2]),
        ("", (), POOL_WITH_CHAIN),
        ("", (TOP,), POOL_WITH_CHAIN[:2]),
        (below("/srv/images/web1.s0", BASE), (TOP,), POOL_WITH_CHAIN),
    ],
    ids=["the definition names the base", "the pool knows the base", "only the snapshot knows the overlay", "two overlays"],
)
def test_an_overlay_on_the_declared_file_is_no_drift(
    source: str, backing: str, overlays: tuple[str, ...], others: tuple[Observed, ...]
) -> None:
    want = wish(source)
    assert web(planned(want, seen(want, TOP, backing=backing, overlays=overlays), *others)) == ([], [])


def test_a_disk_that_was_switched_to_another_file_is_still_drift() -> None:
    want = wish()
    verbs, paths = web(planned(want, seen(want, OTHER, overlays=(TOP,)), *POOL_WITH_CHAIN))
    assert (verbs, paths) == ([Verb.DEFINE], ["devices/disk[vda]/source/@file"])


def test_an_overlay_on_another_base_is_drift() -> None:
    want = wish()
    verbs, _ = web(planned(want, seen(want, TOP, backing=below(OTHER), overlays=(TOP,))))
    assert verbs == [Verb.DEFINE]


def test_another_file_in_the_manifest_is_a_change() -> None:
    plan = planned(wish(f"<source file='{OTHER}'/>"), seen(wish(), TOP, backing=below(BASE)), *POOL_WITH_CHAIN)
    (resource,) = (r for r in plan.resources if r.id == WEB)
    assert [(d.path, d.desired, d.cause) for d in resource.differences] == [
        ("devices/disk[vda]/source/@file", OTHER, Cause.MANIFEST)
    ]


def test_going_back_to_the_base_of_a_declared_overlay_is_a_change_of_the_manifest() -> None:
    """Both are files of the manifest's own: here the overlay is no snapshot's."""
    plan = planned(wish(), seen(wish(f"<source file='{TOP}'/>"), TOP, backing=below(BASE)), *POOL_WITH_CHAIN)
    assert web(plan)[0] == [Verb.DEFINE]


@pytest.mark.parametrize("source", [BY_FILE, BY_VOLUME], ids=["by file", "by volume"])
def test_a_redefinition_keeps_the_overlay_and_writes_the_declared_file_down(source: str) -> None:
    before, want = wish(source), wish(source, memory="131072")
    there = seen(before, TOP, backing=below(BASE), overlays=(TOP,))
    plan = planned(want, there, *POOL_WITH_CHAIN)
    assert web(plan) == ([Verb.DEFINE], ["memory"])
    (resource,) = (r for r in plan.resources if r.id == WEB)
    assert resource.desired is not None
    given = merge(resource.desired.xml, there.persistent, before.xml, KINDS["Domain"].rules)
    assert f'<source file="{TOP}"/>' in given
    assert "volume=" not in given
    assert source.replace("'", '"') in resource.desired.declared
    after = replace(there, persistent=given)
    layers = Layers({each.id: each for each in POOL_WITH_CHAIN})
    verdict = verify(PROJECT, resource.desired, after, MACHINES, Work(True, (), there.mark, layers=layers))
    assert verdict.leftover == ()
    assert verdict.mark is not None
    assert source.replace("'", '"') in verdict.mark.xml
    assert web(planned(want, replace(after, mark=replace(verdict.mark, digest="")), *POOL_WITH_CHAIN)) == ([], [])


def test_an_apply_that_took_the_snapshot_itself_finds_nothing_left_over() -> None:
    want = wish()
    after = seen(want, TOP, overlays=(TOP,))
    verdict = verify(PROJECT, want, after, MACHINES, Work(False, (), after.mark))
    assert verdict.leftover == ()
    assert verdict.mark is not None
    assert BASE in verdict.mark.xml


def test_one_that_is_adopted_keeps_its_overlay() -> None:
    there = replace(seen(wish(), TOP, backing=below(BASE)), mark=None)
    plan = planner.plan(PROJECT, [replace(wish(), adopt=True)], [host(there)], Policy(), CREATED, {})
    assert web(plan) == ([Verb.ADOPT], [])


def test_the_base_of_a_chain_is_in_use_by_the_domain() -> None:
    base = rid("Volume/images/web1.qcow2")
    gone = desired(base, minimal(base), "absent", onDelete="delete")
    web1 = seen(wish(), TOP, backing=below(BASE), overlays=(TOP,))
    pool, held, *rest = POOL_WITH_CHAIN
    plan = planner.plan(
        PROJECT, [wish(), gone], [host(web1, pool, replace(held, mark=mark(gone, uuid=BASE)), *rest)], Policy(), CREATED, {}
    )
    (delete,) = plan.actions
    assert delete.verb is Verb.DELETE
    assert "Domain/web1" in (delete.blocked or "")


def test_a_definition_that_forgot_the_overlay_of_the_running_guest_is_drift() -> None:
    """At its next start the guest would go on without what it wrote since the snapshot."""
    want = replace(wish(), state="running")
    there = replace(
        observed(WEB, "running", xml(disk(BY_FILE)), owned=mark(want)), live=xml(disk(f"<source file='{TOP}'/>", below(BASE)))
    )
    plan = planned(want, there)
    (resource,) = plan.resources
    assert [(d.path, d.desired, d.persistent, d.cause) for d in resource.differences] == [
        ("devices/disk[vda]/source/@file", TOP, BASE, Cause.DRIFT)
    ]
    assert web(plan)[0] == [Verb.DEFINE]
