"""What happens behind Vireo's back: named by path and cause, repaired by apply, and then nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import libvirt
import pytest

from tests.lab.nodes import Lab
from tests.qemu.conftest import Vireo

CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG


def _memory(vireo: Vireo) -> None:
    domain = vireo.domain()
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    vireo.connection.defineXML(
        text.replace("32768</memory>", "65536</memory>").replace("32768</currentMemory>", "65536</currentMemory>")
    )


def _disk_removed(vireo: Vireo) -> None:
    vireo.domain().detachDeviceFlags("<disk type='file'><target dev='vda'/></disk>", CONFIG)


def _disk_added(vireo: Vireo) -> None:
    vireo.connection.storagePoolLookupByName("images").createXML(
        "<volume><name>extra.img</name><capacity>4096</capacity><target><format type='raw'/></target></volume>"
    )
    xml = (
        "<disk type='file'><driver name='qemu' type='raw'/>"
        "<source file='/var/lib/libvirt/images/pool/extra.img'/><target dev='vdb' bus='virtio'/></disk>"
    )
    vireo.domain().attachDeviceFlags(xml, CONFIG)


def _volume_deleted(vireo: Vireo) -> None:
    vireo.domain().destroy()
    vireo.connection.storagePoolLookupByName("images").storageVolLookupByName("web1.qcow2").delete()


def _network_undefined(vireo: Vireo) -> None:
    network = vireo.connection.networkLookupByName("lan")
    network.destroy()
    network.undefine()


CASES: dict[str, tuple[Callable[[Vireo], object], str, str]] = {
    "memory redefined": (_memory, "Domain/web1", "memory"),
    "disk removed": (_disk_removed, "Domain/web1", "devices/disk[vda]"),
    "disk added": (_disk_added, "Domain/web1", "devices/disk[vdb]"),
    "destroyed": (lambda v: v.domain().destroy(), "Domain/web1", "state"),
    "suspended": (lambda v: v.domain().suspend(), "Domain/web1", "state"),
    "undefined while running": (lambda v: v.domain().undefine(), "Domain/web1", "persistent"),
    "undefined": (lambda v: (v.domain().destroy(), v.domain().undefine()), "Domain/web1", "state"),
    "autostart flipped": (lambda v: v.domain().setAutostart(True), "Domain/web1", "autostart"),
    "network stopped": (lambda v: v.connection.networkLookupByName("lan").destroy(), "Network/lan", "state"),
    "network undefined": (_network_undefined, "Network/lan", "state"),
    "pool stopped": (lambda v: v.connection.storagePoolLookupByName("images").destroy(), "Pool/images", "state"),
}


@pytest.mark.parametrize("case", CASES)
def test_drift_is_named_and_repaired(quick: Vireo, case: str) -> None:
    break_it, resource, path = CASES[case]
    break_it(quick)
    drift = quick("drift", "-o", "json")
    assert drift.code == 2
    found = next(r for r in quick.plan()["resources"] if f"{r['kind']}/{r['name']}" == resource)
    assert [(d["path"], d["cause"]) for d in found["differences"] if d["path"] == path] == [(path, "drift")]
    assert path in drift.out
    quick.apply()
    assert quick.plan()["actions"] == []
    assert quick("drift").code == 0
    quick.assert_in_sync()


def test_a_deleted_volume_is_not_made_again_without_leave(quick: Vireo) -> None:
    _volume_deleted(quick)
    assert quick("drift").code == 2
    result = quick.apply(code=5)
    assert "data-loss" in result.out + result.err
    quick.apply("--allow", "data-loss")
    quick.assert_in_sync()


def test_redefinition_keeps_what_libvirt_and_others_gave(quick: Vireo) -> None:
    before = ElementTree.fromstring(quick.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    quick.spec("Domain/web1")["memory"] = "48MiB"
    quick.spec("Domain/web1")["disks"].append({"target": "hdc", "bus": "ide", "device": "cdrom"})
    quick.apply()
    after = ElementTree.fromstring(quick.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    assert after.findtext("uuid") == before.findtext("uuid")
    for device in ("disk", "interface", "memballoon", "video", "controller"):
        kept = [
            ElementTree.tostring(address)
            for e in before.findall(f"devices/{device}")
            if (address := e.find("address")) is not None
        ]
        now = [
            ElementTree.tostring(address)
            for e in after.findall(f"devices/{device}")
            if (address := e.find("address")) is not None
        ]
        assert now[: len(kept)] == kept
    assert [e.get("address") for e in after.findall(".//mac")] == [e.get("address") for e in before.findall(".//mac")]


def test_a_change_that_needs_a_restart_leaves_the_guest_alone_and_is_pending(quick: Vireo) -> None:
    run = quick.domain().ID()
    quick.spec("Domain/web1")["memory"] = "48MiB"
    quick.apply()
    found = quick.resource("Domain/web1")
    assert found["status"] == "pending-restart"
    paths = dict.fromkeys(("currentMemory", "memory"), "pending-restart")
    assert {d["path"]: d["cause"] for d in found["differences"]} == paths
    assert quick.domain().ID() == run
    assert quick.plan()["actions"] == []
    quick.spec("Domain/web1")["memory"] = "32MiB"
    quick.apply()
    quick.assert_in_sync()


def test_a_restart_happens_only_where_manifest_and_ceiling_allow_it(quick: Vireo) -> None:
    run = quick.domain().ID()
    quick.spec("Domain/web1")["memory"] = "48MiB"
    quick.spec("Domain/web1")["update"] = {"restart": "allowed"}
    quick.apply(code=5)
    assert quick.domain().ID() == run
    quick.apply("--allow", "restart")
    assert quick.domain().ID() != run
    assert quick.domain().maxMemory() == 48 * 1024
    quick.assert_in_sync()


def test_a_description_goes_to_the_running_guest(quick: Vireo) -> None:
    run = quick.domain().ID()
    quick.spec("Domain/web1")["description"] = "a & b <c>"
    quick.apply()
    assert quick.domain().ID() == run
    assert quick.domain().metadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, None, libvirt.VIR_DOMAIN_AFFECT_LIVE) == "a & b <c>"
    quick.assert_in_sync()


def test_what_was_changed_in_the_running_guest_alone_is_drift_and_is_brought_back(quick: Vireo, lab: Lab) -> None:
    (lab.images / "m.iso").write_bytes(bytes(4096))
    spec = quick.spec("Domain/web1")
    spec["disks"].append({"target": "hdc", "bus": "ide", "device": "cdrom", "file": "/var/lib/libvirt/images/m.iso"})
    spec["update"] = {"restart": "allowed"}
    quick.apply("--allow", "restart")  # a drive cannot be plugged in, and
    quick.apply("--allow", "restart")  # comes with a restart then
    quick.assert_in_sync()
    empty = "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>"
    quick.domain().updateDeviceFlags(empty, libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE)
    drift = quick("drift", "-o", "json")
    assert drift.code == 2
    found = quick.resource("Domain/web1")
    assert [(d["path"], d["cause"], d["impact"]) for d in found["differences"]] == [
        ("devices/disk[hdc]/source/@file", "drift", "live")
    ]
    assert [a["verb"] for a in quick.plan()["actions"]] == ["update"]
    quick.apply()
    assert quick("drift").code == 0
    quick.assert_in_sync()
