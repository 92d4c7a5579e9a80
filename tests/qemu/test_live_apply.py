"""Changes of a running guest through the command line: applied, the guest's process is the same, and the next plan is empty."""

from __future__ import annotations

import copy
import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import libvirt
import pytest

from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until
from tests.qemu.conftest import DOMAIN, NETWORK, VOLUME, Vireo

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


def _another_disk(spec: Spec) -> None:
    spec["disks"].append({"target": "sda", "bus": "scsi", "volume": {"pool": "images", "name": "data.img"}, "format": "raw"})


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
    spec["description"], spec["update"] = "held back by nothing", {"restart": "allowed"}
    rich.apply(code=5)  # the restart is above the ceiling
    assert "<description>held back by nothing</description>" in rich.domain().XMLDesc(0)
    assert pid(lab) == process
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


def test_memory_that_the_guest_does_not_give_back_is_told_by_every_plan_until_it_does(
    quick: Vireo, lab: Lab, helpful: Path
) -> None:
    spec = quick.spec("Domain/web1")
    process = pid(lab)
    spec["memory"] = {"size": "24MiB", "max": "32MiB"}
    assert "its balloon driver has not answered" in quick.apply().err
    for _ in range(2):
        found = quick.resource("Domain/web1")
        assert (found["status"], found["differences"]) == ("in-sync", [])
        told = "currentMemory is 32MiB, and 24MiB is asked for: its balloon driver has not done it"
        assert found["note"] == f"waiting for the guest: {told}"
    assert pid(lab) == process
    shutil.copyfile(helpful, lab.images / "helpful.img")
    spec["disks"] = [{"target": "vda", "bus": "virtio", "file": "/var/lib/libvirt/images/helpful.img", "format": "raw"}]
    spec["update"] = {"restart": "allowed"}
    quick.apply("--allow", "restart")  # another disk while it runs is refused, and
    quick.apply("--allow", "restart")  # comes with a restart then
    wait_until(lambda: "<currentMemory unit='KiB'>24576<" in quick.domain().XMLDesc())
    assert "note" not in quick.resource("Domain/web1")
    quick.assert_in_sync()


def test_processors_that_the_guest_does_not_release_are_never_called_gone(quick: Vireo, lab: Lab) -> None:
    spec = quick.spec("Domain/web1")
    spec["vcpus"], spec["update"] = {"count": 1, "max": 2}, {"restart": "allowed"}
    quick.apply("--allow", "restart")
    process, spec["vcpus"] = pid(lab), {"count": 2, "max": 2}
    quick.apply()
    quick.assert_in_sync()
    spec["vcpus"] = {"count": 1, "max": 2}
    modern = ["qemu-monitor-command", "web1", "--hmp", "o /1x 0xaf00 0"]  # what a guest's system does that can release them
    lab.run(1, ["virsh", *modern])
    assert "waiting for the guest" in quick.apply(code=1).err
    assert [a["verb"] for a in quick.plan()["actions"]] == ["update"]
    assert "<vcpu placement='static'>2<" in quick.domain().XMLDesc()
    spec["vcpus"] = {"count": 2, "max": 2}
    quick.apply()
    quick.assert_in_sync()
    assert pid(lab) == process


def test_what_a_restart_brings_is_not_brought_live_before(quick: Vireo, lab: Lab) -> None:
    spec = quick.spec("Domain/web1")
    process = pid(lab)
    spec["title"], spec["memory"], spec["update"] = "new", "48MiB", {"restart": "allowed"}
    spec["interfaces"][0]["link"] = "down"
    assert [a["verb"] for a in quick.plan("--allow", "restart")["actions"]] == ["define", "restart"]
    quick.apply("--allow", "restart")
    quick.assert_in_sync()
    assert pid(lab) != process


def test_a_label_without_a_model_is_the_hosts_own_and_stays_so(vireo: Vireo, lab: Lab) -> None:
    """Where the host has no security driver libvirt makes another one of it, and refuses two."""
    domain = copy.deepcopy(DOMAIN)
    del domain["spec"]["disks"], domain["spec"]["interfaces"]
    domain["spec"] |= {"state": "stopped", "xml": "<domain><seclabel type='dynamic'/></domain>"}
    vireo.add(domain)
    for title in ("one", "two"):
        domain["spec"]["title"] = title
        vireo.add(domain)
        vireo.apply()
        vireo.assert_in_sync()
    assert vireo.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).count("<seclabel") == 1


SCREEN = "devices/graphics[vnc]/@passwd"


def _asks(vireo: Vireo, lab: Lab) -> bool:
    """Whether the guest's screen asks for a password (RFB's security type 2)."""
    port = ElementTree.fromstring(vireo.domain().XMLDesc()).find("devices/graphics").get("port")  # type: ignore[union-attr]
    code = f"import socket; s = socket.create_connection(('127.0.0.1', {port}), 9); s.send(s.recv(12)); print(s.recv(9)[1])"
    return lab.run(1, [sys.executable, "-c", code]).stdout.strip() == "2"


def _told(vireo: Vireo) -> tuple[str, list[tuple[str, str, str]]]:
    found = vireo.resource("Domain/web1")
    return found["status"], [(d["path"], d["cause"], d["impact"]) for d in found["differences"]]


def test_a_first_password_and_its_end_wait_for_a_restart_and_every_plan_says_so(quick: Vireo, lab: Lab) -> None:
    spec = quick.spec("Domain/web1")
    for screen in ({"type": "vnc", "password": "pw1"}, {"type": "vnc"}):
        asked = _asks(quick, lab)
        spec["graphics"], spec["update"] = [screen], {"restart": "never"}
        assert (SCREEN, "manifest", "restart") in _told(quick)[1]
        quick.apply()
        for _ in range(2):
            assert _told(quick) == ("pending-restart", [(SCREEN, "pending-restart", "restart")])
        assert quick("drift").code == 0
        assert _asks(quick, lab) is asked
        spec["update"] = {"restart": "allowed"}
        quick.apply("--allow", "restart")
        quick.assert_in_sync()
        assert _asks(quick, lab) is not asked


def test_what_a_guest_refused_is_not_tried_again_while_another_change_fails(quick: Vireo, lab: Lab) -> None:
    spec = quick.spec("Domain/web1")
    spec["vcpus"], spec["update"] = {"count": 2, "max": 2}, {"restart": "allowed"}
    quick.apply("--allow", "restart")
    process, spec["update"], spec["vcpus"] = pid(lab), {"restart": "never"}, {"count": 1, "max": 2}
    spec["disks"].append({"target": "vdb", "bus": "virtio", "file": "/var/lib/libvirt/images/missing.img", "format": "raw"})
    assert "vcpu/@current waits for the next start" in quick.apply(code=1).err
    assert [(a["verb"], a["paths"]) for a in quick.plan()["actions"]] == [("update", ["devices/disk[vdb]"])]
    del spec["disks"][1]
    quick.apply()
    assert _told(quick) == ("pending-restart", [("vcpu/@current", "pending-restart", "restart")])
    assert pid(lab) == process
