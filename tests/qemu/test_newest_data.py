"""What a guest wrote since a snapshot is in the overlay: no apply goes on without it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import EXIT_BLOCKED
from tests.lab.nodes import Lab
from tests.qemu.conftest import POOL, Vireo, manifest
from tests.qemu.test_snapshots import RAW, names, small, source, take

S1 = [{"name": "s1", "mode": "external", "memory": False}]
OTHER = manifest("Volume", "other.raw", {"pool": "images", "capacity": "4MiB", "format": "raw"})


def applied(vireo: Vireo, **spec: Any) -> Vireo:
    vireo.add(POOL, RAW, small("web1.raw", **spec))
    vireo.apply()
    return vireo


def live(vireo: Vireo) -> str:
    return str(vireo.domain().XMLDesc(0)).partition("<source ")[2].partition("/>")[0]


def blocked(vireo: Vireo, *options: str) -> dict[str, str]:
    return {a["verb"]: a["blocked"] for a in vireo.plan(*options)["actions"] if a["blocked"]}


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "by hand"])
def test_a_transient_guest_that_ended_goes_on_in_its_overlay(vireo: Vireo, declared: bool) -> None:
    applied(vireo, persistent=False, **({"snapshots": S1} if declared else {}))
    if not declared:
        take(vireo, "s1", "--memory", "false")
    for _ in range(2):
        assert "web1.raw.s1" in live(vireo)
        vireo.domain().destroy()
        vireo.apply()
    assert "web1.raw.s1" in live(vireo)
    vireo.assert_in_sync()


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "by hand"])
def test_a_guest_that_was_undefined_does_not_come_back_below_its_overlay(vireo: Vireo, declared: bool) -> None:
    applied(vireo, **({"snapshots": S1} if declared else {}))
    if not declared:
        take(vireo, "s1", "--memory", "false")
    spec = vireo.spec("Domain/web1")
    spec["state"] = "undefined"
    vireo.apply("--allow", "data-loss")
    spec["state"] = "running"
    result = vireo("apply", "--yes")
    if result.code == 0:
        assert "web1.raw.s1" in live(vireo)
        vireo.assert_in_sync()
    else:
        assert result.code == EXIT_BLOCKED
        assert "data-loss permits it" in blocked(vireo)["define"]


def test_a_guest_is_not_started_below_an_overlay_that_nobody_knows(vireo: Vireo, lab: Lab) -> None:
    applied(vireo, state="stopped")
    base = "/var/lib/libvirt/images/pool/web1.raw"
    lab.run(1, ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", f"{base}.theirs"])
    vireo.connection.storagePoolLookupByName("images").refresh()
    vireo.spec("Domain/web1")["state"] = "running"
    vireo.apply(code=EXIT_BLOCKED)
    assert not vireo.domain().isActive()
    assert "data-loss permits it" in blocked(vireo)["start"]


def test_an_overlay_of_a_disk_that_was_pointed_elsewhere_is_not_pruned(vireo: Vireo, lab: Lab) -> None:
    applied(vireo, state="stopped", snapshots=S1)
    vireo.add(OTHER, small("other.raw", state="stopped"))
    vireo.apply("--prune", code=EXIT_BLOCKED)
    assert "other.raw" in source(vireo)
    assert (lab.images / "pool" / "web1.raw.s1").exists()
    assert names(vireo) == {"s1"}
    vireo.apply("--prune", code=EXIT_BLOCKED)
    vireo.apply("--prune", "--allow", "data-loss")
    assert names(vireo) == set()


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_volume_below_an_overlay_does_not_grow(vireo: Vireo, state: str) -> None:
    applied(vireo, state=state, snapshots=S1)
    vireo.spec("Volume/web1.raw")["capacity"] = "8MiB"
    vireo.apply(code=EXIT_BLOCKED)
    assert "web1.raw.s1 stands on it" in blocked(vireo)["resize"]
    assert vireo("snapshot delete web1 s1", "--yes").code == 0
    vireo.spec("Domain/web1").pop("snapshots")
    vireo.apply()
    vireo.assert_in_sync()


def test_a_disk_that_somebody_switched_stays_there(vireo: Vireo) -> None:
    applied(vireo, state="stopped")
    vireo.add(OTHER)
    vireo.apply()
    text = str(vireo.domain().XMLDesc(2)).replace("volume='web1.raw'", "volume='other.raw'")
    vireo.connection.defineXML(text)
    vireo.apply(code=EXIT_BLOCKED)
    assert "other.raw" in source(vireo)
    vireo.apply("--allow", "data-loss")
    assert "web1.raw" in source(vireo)


def test_options_in_another_order_are_in_sync(vireo: Vireo) -> None:
    applied(vireo, state="stopped", snapshots=S1)
    vireo.spec("Domain/web1")["vcpus"] = 2
    vireo.apply()
    vireo.assert_in_sync()
