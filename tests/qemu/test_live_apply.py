"""Changes of a running guest through the command line: applied, the guest's process is the same, and the next plan is empty."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.nodes import Lab
from tests.qemu.conftest import NETWORK, VOLUME, Vireo

Spec = dict[str, Any]
MIB = 1 << 20


def pid(lab: Lab) -> str:
    return (lab.directory / "node1" / "run" / "libvirt" / "qemu" / "web1.pid").read_text()


@pytest.fixture
def rich(quick: Vireo, lab: Lab) -> Vireo:
    """The guest with an empty drive, room for processors and memory, a second network to move to, and a password."""
    second = copy.deepcopy(NETWORK)
    second["metadata"]["name"] = "dmz"
    second["spec"]["addresses"] = [{"address": "10.8.0.1", "prefix": 24}]
    raw = copy.deepcopy(VOLUME)
    raw["metadata"]["name"], raw["spec"]["format"] = "data.img", "raw"
    quick.add(second, raw)
    spec = quick.spec("Domain/web1")
    spec["vcpus"] = {"count": 1, "max": 3}
    spec["disks"].append({"target": "hdc", "bus": "ide", "device": "cdrom"})
    spec["graphics"] = [{"type": "vnc", "password": "first"}]
    spec["controllers"] = [{"type": "scsi", "index": 0, "model": "virtio-scsi"}]
    spec["update"] = {"restart": "allowed"}
    quick.apply("--allow", "restart")
    spec["update"] = {"restart": "never"}
    quick.apply()
    return quick


def _titled(spec: Spec) -> None:
    spec["title"], spec["description"] = "Web & more", "the first one"


def _more_processors(spec: Spec) -> None:
    spec["vcpus"] = {"count": 2, "max": 3}


def _another_disk(spec: Spec) -> None:
    spec["disks"].append({"target": "sda", "bus": "scsi", "volume": {"pool": "images", "name": "data.img"}, "format": "raw"})


def _no_other_disk(spec: Spec) -> None:
    spec["disks"] = [disk for disk in spec["disks"] if disk["target"] != "sda"]


def _a_medium(spec: Spec) -> None:
    spec["disks"][1]["volume"] = {"pool": "images", "name": "data.img"}


def _no_medium(spec: Spec) -> None:
    del spec["disks"][1]["volume"]


def _another_network(spec: Spec) -> None:
    spec["interfaces"][0]["network"] = "dmz"


def _link_down(spec: Spec) -> None:
    spec["interfaces"][0]["link"] = "down"


def _another_password(spec: Spec) -> None:
    spec["graphics"][0]["password"] = "second"  # noqa: S105  a test's


def _another_interface(spec: Spec) -> None:
    spec["interfaces"].append({"network": "lan", "model": "virtio"})


CHANGES: tuple[Callable[[Spec], None], ...] = (
    _titled,
    _more_processors,
    _another_disk,
    _no_other_disk,
    _a_medium,
    _no_medium,
    _another_network,
    _link_down,
    _another_password,
    _another_interface,
)


def test_every_change_with_a_live_way_is_made_on_the_running_guest_and_the_next_plan_is_empty(rich: Vireo, lab: Lab) -> None:
    process = pid(lab)
    for change in CHANGES:
        change(rich.spec("Domain/web1"))
        rich.apply()
        assert pid(lab) == process, change.__name__
        plan = rich.plan()
        assert plan["actions"] == [], change.__name__
        assert {r["status"] for r in plan["resources"]} == {"in-sync"}, f"{change.__name__}: {json.dumps(plan['resources'])}"


def test_the_restart_part_of_a_change_waits_and_the_live_part_does_not(rich: Vireo, lab: Lab) -> None:
    process, spec = pid(lab), rich.spec("Domain/web1")
    before = copy.deepcopy(spec)
    spec["title"], spec["memory"] = "later bigger", "48MiB"
    spec["disks"].append({"target": "sda", "bus": "ide", "volume": {"pool": "images", "name": "data.img"}, "format": "raw"})
    rich.apply()
    assert pid(lab) == process
    assert "<title>later bigger</title>" in rich.domain().XMLDesc(0)
    plan = rich.plan()
    assert plan["actions"] == []
    domain = next(r for r in plan["resources"] if r["kind"] == "Domain")
    assert domain["status"] == "pending-restart"
    assert {d["path"] for d in domain["differences"]} >= {"memory", "devices/disk[sda]"}
    assert "hotplug" in domain["note"]
    spec.clear()
    spec.update(before)
    rich.apply()
    rich.assert_in_sync()
    assert pid(lab) == process


def test_a_device_that_the_guest_keeps_fails_the_apply_and_the_next_one_tries_again(rich: Vireo, lab: Lab) -> None:
    rich.spec("Domain/web1")["interfaces"] = []
    result = rich.apply(code=1)
    assert "waiting for the guest" in result.err
    assert [a["verb"] for a in rich.plan()["actions"]] == ["update"]
    rich.domain().reset()
    rich.apply()
    rich.assert_in_sync()


@pytest.mark.parametrize("name", ["web1.qcow2", "data.img"])
def test_a_volume_grows_under_a_running_guest_which_sees_it(rich: Vireo, lab: Lab, name: str) -> None:
    _another_disk(rich.spec("Domain/web1"))
    rich.apply()
    process, target = pid(lab), "vda" if name == "web1.qcow2" else "sda"
    assert rich.domain().blockInfo(target)[0] == 8 * MIB
    rich.spec(f"Volume/{name}")["capacity"] = "12MiB"
    rich.apply()
    assert rich.domain().blockInfo(target)[0] == 12 * MIB
    rich.assert_in_sync()
    assert pid(lab) == process
    assert rich.connection.storagePoolLookupByName("images").storageVolLookupByName(name).info()[1] == 12 * MIB
