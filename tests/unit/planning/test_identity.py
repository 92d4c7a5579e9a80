"""UUID, MAC addresses, serials and machine types that a manifest leaves out: stable, and never at another's cost."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.planning.identity import Settling, derived_mac, derived_uuid, settle
from reconciler.xmltree.document import parse
from tests.unit.planning.building import DISK, MACHINES, UUID, domain, network, nic, paths, redefined, settling

names = st.text(min_size=1, max_size=10)
OTHER = "99999999-2222-4333-8444-555555555555"


def macs(text: str) -> dict[str, str]:
    """Source -> MAC address of each interface."""
    out = {}
    for each in parse(text).iterfind("devices/interface"):
        source, mac = each.find("source"), each.find("mac")
        assert source is not None
        assert mac is not None
        out["".join(map(str, source.attrib.values()))] = str(mac.get("address"))
    return out


def settled(text: str, *sources: str | None, kind: str = "Domain", ignore: Iterable[str] = ()) -> str:
    return settle(text, sources, settling(kind, ignore))


# --- derived --------------------------------------------------------------------------------------------------


@given(names, names, names)
def test_derived_values_are_the_same_everywhere(project: str, name: str, device: str) -> None:
    assert derived_uuid(project, "Domain", name) == derived_uuid(project, "Domain", name)
    assert derived_uuid(project, "Domain", name).version == 5
    mac = derived_mac(project, "Domain", name, device)
    assert mac == derived_mac(project, "Domain", name, device)
    assert mac.startswith("52:54:00:")
    assert len(mac) == 17


def test_derived_values_never_change_between_versions() -> None:
    assert str(derived_uuid("shop", "Domain", "web1")) == "bb8c7f53-ac2d-548e-9a86-8cc17e7225d4"
    assert derived_mac("shop", "Domain", "web1", "network+lan#0") == "52:54:00:9f:ba:32"


def test_other_names_give_other_values() -> None:
    seen = {derived_uuid(project, kind, name) for project in "ab" for kind in ("Domain", "Network") for name in "cd"}
    assert len(seen) == 8


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_interfaces_on_different_networks_does_not_matter(order: list[str]) -> None:
    first = settled(domain(devices="".join(map(nic, "abcd"))))
    assert macs(settled(domain(devices="".join(map(nic, order))))) == macs(first)


def test_two_interfaces_on_one_network_get_two_addresses() -> None:
    found = parse(settled(domain(devices=nic("a") * 3)))
    assert len({each.get("address") for each in found.iterfind("devices/interface/mac")}) == 3


def test_settling_twice_changes_nothing() -> None:
    once = settled(domain(devices=nic("a") * 2 + DISK))
    assert settled(once) == once
    assert settled(domain(devices=nic("a") * 2 + DISK), once) == once


def test_a_drive_for_media_gets_no_serial() -> None:
    found = parse(settled(domain(devices=DISK.replace("'disk'", "'cdrom'"))))
    assert found.find("devices/disk/serial") is None


def test_a_disk_of_a_domain_that_names_its_uuid_gets_no_serial() -> None:
    assert "serial" in settled(domain(devices=DISK))
    assert "serial" not in settled(domain(devices=DISK, uuid=UUID))


def test_a_disk_that_is_there_without_a_serial_gets_none() -> None:
    assert "serial" not in settled(domain(devices=DISK), domain(devices=DISK, uuid=UUID))
    assert "serial" in settled(domain(devices=DISK), domain(uuid=UUID))


def test_a_kind_whose_objects_have_no_uuid_gets_none() -> None:
    me = Settling("shop", ResourceId("Volume", "v", "h", "p"), KINDS["Volume"], {})
    assert "uuid" not in settle("<volume><name>v</name></volume>", (), me)


# --- who counts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared, sources, wanted",
    [
        (UUID, [OTHER, OTHER], UUID),
        ("", [UUID, OTHER], UUID),
        ("", ["", UUID], UUID),
        ("", [], str(derived_uuid("shop", "Domain", "d"))),
    ],
)
def test_declared_counts_before_applied_before_the_host_before_derived(declared: str, sources: list[str], wanted: str) -> None:
    found = settled(domain(uuid=declared), *(domain(uuid=each) for each in sources))
    assert parse(found).findtext("uuid") == wanted
    assert str(uuid.UUID(wanted)) == wanted


def test_an_interface_takes_the_address_that_was_applied_then_the_hosts() -> None:
    host, before = domain(devices=nic("a", mac="52:54:00:00:00:02")), domain(devices=nic("a", mac="52:54:00:00:00:01"))
    assert macs(settled(domain(devices=nic("a", mac="52:54:00:00:00:03")), before, host)) == {"a": "52:54:00:00:00:03"}
    assert macs(settled(domain(devices=nic("a")), before, host)) == {"a": "52:54:00:00:00:01"}
    assert macs(settled(domain(devices=nic("a")), None, host)) == {"a": "52:54:00:00:00:02"}


def test_an_address_that_is_declared_elsewhere_is_not_taken() -> None:
    host = domain(devices=nic("a", mac="52:54:00:00:00:01"))
    now = domain(devices=nic("a") + nic("a", mac="52:54:00:00:00:01"))
    found = [each.get("address") for each in parse(settled(now, host)).iterfind("devices/interface/mac")]
    assert found[1] == "52:54:00:00:00:01"
    assert found[0] != found[1]


def test_the_serial_of_the_host_is_kept() -> None:
    host = domain(devices=DISK.replace("</disk>", "<serial>abc</serial></disk>"))
    assert parse(settled(domain(devices=DISK), host)).findtext("devices/disk/serial") == "abc"


# --- interfaces without a MAC address, one of several gone ---------------------------------------------------------

FIRST, SECOND, THIRD = (f"52:54:00:00:00:0{n}" for n in (1, 2, 3))


def test_an_interface_removed_from_the_middle_is_the_one_that_goes() -> None:
    before = domain(devices=nic("a", mac=FIRST) + nic("b", mac=SECOND) + nic("c", mac=THIRD), uuid=UUID)
    assert macs(settled(domain(devices=nic("a") + nic("c")), before, before)) == {"a": FIRST, "c": THIRD}


def test_of_two_interfaces_on_one_network_the_like_one_stays() -> None:
    before = domain(devices=nic("a", "virtio", FIRST) + nic("a", "e1000", SECOND), uuid=UUID)
    assert macs(settled(domain(devices=nic("a", "e1000")), before, before)) == {"a": SECOND}


def test_of_like_interfaces_on_one_network_any_goes_and_the_others_stay() -> None:
    before = domain(devices=nic("a", mac=FIRST) + nic("a", mac=SECOND) + nic("a", mac=THIRD), uuid=UUID)
    now = domain(devices=nic("a") * 2)
    found = parse(redefined(now, before, before)).findall("devices/interface/mac")
    assert [each.get("address") for each in found] == [FIRST, SECOND]


def test_an_interface_that_moves_to_another_network_or_bridge_keeps_its_address() -> None:
    before = domain(devices=nic("a", mac=FIRST) + nic("b", mac=SECOND), uuid=UUID)
    assert macs(settled(domain(devices=nic("a") + nic("c")), before, before)) == {"a": FIRST, "c": SECOND}
    bridged = "<interface type='bridge'><source bridge='br0'/></interface>"
    assert macs(settled(domain(devices=nic("a") + bridged), before, before)) == {"a": FIRST, "br0": SECOND}


def test_a_new_interface_does_not_take_the_address_of_one_that_somebody_plugged_in() -> None:
    before = domain(devices=nic("a", mac=FIRST), uuid=UUID)
    host = domain(devices=nic("a", mac=FIRST) + nic("x", mac=THIRD), uuid=UUID)
    assert macs(settled(domain(devices=nic("a") + nic("b")), before, host))["b"] not in {FIRST, THIRD}


def test_controllers_and_channels_without_a_number_or_name_are_found_again() -> None:
    now = domain(devices="<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='qemu-xhci'/>")
    host = domain(
        devices="<controller type='usb' index='0' model='qemu-xhci'/><controller type='scsi' index='0' model='virtio-scsi'/>",
        uuid=UUID,
        machine="pc-i440fx-7.2",
    )
    assert paths(now, host, now) == []


def test_a_security_label_without_a_model_is_the_one_of_its_type() -> None:
    host = domain("<seclabel type='dynamic' model='dac' relabel='yes'/>", uuid=UUID, machine="pc-i440fx-7.2")
    now = domain("<seclabel type='dynamic'/>")
    assert paths(now, host, now) == []
    assert len(parse(redefined(now, host, now)).findall("seclabel")) == 1


# --- machine types --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared, there, wanted",
    [
        ("pc", None, "pc-i440fx-7.2"),
        ("pc", "pc-i440fx-6.2", "pc-i440fx-6.2"),
        ("q35", "pc-i440fx-6.2", "pc-q35-7.2"),
        ("pc", "pc-q35-7.2", "pc-i440fx-7.2"),
        ("pc-i440fx-7.1", "pc-i440fx-6.2", "pc-i440fx-7.1"),
        ("unknown", "pc-i440fx-6.2", "unknown"),
    ],
)
def test_a_machine_alias_means_the_version_that_the_domain_has(declared: str, there: str | None, wanted: str) -> None:
    host = None if there is None else domain(machine=there, uuid=UUID)
    found = parse(settled(domain(machine=declared), None, host)).find("os/type")
    assert found is not None
    assert found.get("machine") == wanted
    assert ("x86_64", "pc") in MACHINES


# --- paths that the project ignores -----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["domain/devices/disk[vda]/driver/@cache", "devices/disk/driver/@cache", "devices/*/driver/@c*"])
def test_an_ignored_path_is_left_alone_by_compare_and_merge(rule: str) -> None:
    now = domain(devices=DISK.replace("'raw'", "'raw' cache='none'"))
    host = domain(devices=DISK.replace("'raw'", "'raw' cache='unsafe'"), uuid=UUID, machine="pc-i440fx-7.2")
    assert 'cache="unsafe"' in settled(now, host, ignore=[rule])
    assert "cache" not in settled(now, host.replace(" cache='unsafe'", ""), ignore=[rule])
    assert 'cache="none"' in settled(now, ignore=[rule])
    assert 'cache="none"' in settled(now, host)


def test_an_ignored_device_is_neither_added_nor_removed() -> None:
    extra = DISK.replace("vda", "vdb")
    both, one = domain(devices=DISK + extra, uuid=UUID), domain(devices=DISK, uuid=UUID)
    assert "vdb" in settled(domain(devices=DISK), both, ignore=["domain/devices/disk[vdb]"])
    assert "vdb" not in settled(domain(devices=DISK + extra), one, ignore=["domain/devices/disk[vdb]"])


def test_an_ignored_path_of_another_kind_does_nothing() -> None:
    now, host = network("<mtu size='9000'/>"), network("<mtu size='1500'/>", uuid=UUID)
    assert "9000" in settled(now, host, kind="Network", ignore=["domain/mtu/@size"])
    assert "1500" in settled(now, host, kind="Network", ignore=["network/mtu/@size"])
