"""The canonical mapping: equal definitions are equal, whoever wrote them, and different ones differ."""

from __future__ import annotations

import pytest

from reconciler.kinds import KINDS
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.paths import matches, without_keys


def domain(inner: str) -> Canonical:
    return canonical(parse(f"<domain>{inner}</domain>"), KINDS["Domain"].rules)


def network(inner: str) -> Canonical:
    return canonical(parse(f"<network>{inner}</network>"), KINDS["Network"].rules)


def devices(inner: str) -> Canonical:
    return domain(f"<devices>{inner}</devices>")


PCI = "<hostdev type='pci'><source><address domain='{}' bus='{}' slot='{}' function='{}'/></source></hostdev>"


@pytest.mark.parametrize(
    "one, other",
    [
        ("<memory unit='MiB'>64</memory>", "<memory unit='KiB'>65536</memory>"),
        ("<memory>65536</memory>", "<memory unit='b'>67108864</memory>"),
        ("<memory unit='M'>64</memory>", "<memory unit='mib'> 64 </memory>"),
        ("<memory unit='KB'>100000</memory>", "<memory unit='KiB'>97657</memory>"),
        ("<memory unit='b'>104857601</memory>", "<memory>102401</memory>"),
        (
            "<cpu><numa><cell id='0' memory='1' unit='GiB'/></numa></cpu>",
            "<cpu><numa><cell id='0' memory='1048576'/></numa></cpu>",
        ),
        ("<memtune><hard_limit unit='G'>1</hard_limit></memtune>", "<memtune><hard_limit>1048576</hard_limit></memtune>"),
        ("<uuid>ABCDEF00-0000-4000-8000-000000000000</uuid>", "<uuid>abcdef00-0000-4000-8000-000000000000</uuid>"),
        ("<vcpu cpuset='0,1,2,^1'>1</vcpu>", "<vcpu cpuset='0,2'>1</vcpu>"),
        ("<vcpu cpuset='0-3,^2,^3'>1</vcpu>", "<vcpu cpuset='0,1'>1</vcpu>"),
        ("<clock offset='utc'></clock>", "<clock offset='utc'/>"),
        ("<clock><timer name='rtc'/><timer name='pit'/></clock>", "<clock><timer name='pit'/><timer name='rtc'/></clock>"),
        (
            "<memoryBacking><hugepages><page size='2' unit='M'/></hugepages></memoryBacking>",
            "<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages></memoryBacking>",
        ),
        (
            "<sysinfo type='smbios'><system><entry name='a'>1</entry><entry name='b'>2</entry></system></sysinfo>",
            "<sysinfo><system><entry name='b'>2</entry><entry name='a'>1</entry></system></sysinfo>",
        ),
        (
            "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='x'/></q:commandline>",
            "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='x'/></qemu:commandline>",
        ),
    ],
)
def test_equal_spellings_are_equal(one: str, other: str) -> None:
    first, second = domain(one), domain(other)
    assert without_type(first) == without_type(second)


def without_type(mapping: Canonical) -> Canonical:
    """Without the one attribute that a key makes up for, if it is missing."""
    return {path: value for path, value in mapping.items() if path != "sysinfo[smbios]/@type"}


@pytest.mark.parametrize(
    "one, other",
    [
        (PCI.format("0x0000", "0x03", "0x0a", "0x0"), PCI.format("0", "3", "10", "0")),
        (
            "<interface><mac address='52:54:00:AA:BB:CC'/></interface>",
            "<interface><mac address='52:54:00:aa:bb:cc'/></interface>",
        ),
        (
            "<hostdev type='mdev'><source><address uuid='C2177883-F1BB-47F0-914D-32A22E3A8804'/></source></hostdev>",
            "<hostdev type='mdev'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>",
        ),
        (
            "<disk><target dev='b'/></disk><disk><target dev='a'/></disk>",
            "<disk><target dev='a'/></disk><disk><target dev='b'/></disk>",
        ),
    ],
)
def test_equal_devices_are_equal(one: str, other: str) -> None:
    assert devices(one) == devices(other)


@pytest.mark.parametrize(
    "one, other",
    [
        (
            "<ip address='FD00:0::1'><dhcp><range start='fd00:0::5' end='FD00::9'/></dhcp></ip>",
            "<ip address='fd00::1'><dhcp><range start='fd00::5' end='fd00::9'/></dhcp></ip>",
        ),
        (
            "<ip address='10.0.0.1'><dhcp><host mac='52:54:00:AA:00:01' ip='10.0.0.2'/></dhcp></ip>",
            "<ip address='10.0.0.1'><dhcp><host mac='52:54:00:aa:00:01' ip='10.0.0.2'/></dhcp></ip>",
        ),
    ],
)
def test_equal_networks_are_equal(one: str, other: str) -> None:
    assert network(one) == network(other)


@pytest.mark.parametrize(
    "one, other",
    [
        ("<os><boot dev='hd'/><boot dev='cdrom'/></os>", "<os><boot dev='cdrom'/><boot dev='hd'/></os>"),
        ("<features><acpi/></features>", "<features/>"),
        ("<title>a</title>", "<title>A</title>"),
        ("<memory unit='KiB'>1</memory>", "<memory unit='KiB'>1025</memory>"),
        ("<m:x xmlns:m='urn:a'/>", "<m:x xmlns:m='urn:b'/>"),
    ],
)
def test_what_means_something_else_differs(one: str, other: str) -> None:
    assert domain(one) != domain(other)


def test_every_element_has_a_path_of_its_own() -> None:
    found = devices(
        "<disk><target dev='vda'/></disk>" * 3 + "<sound model='a'/><sound model='b'/><interface/><interface/><hub/><hub/>"
    )
    steps = {path.split("/")[1] for path in found if "/" in path}
    assert steps == {
        "disk[vda]",
        "disk[vda#2]",
        "disk[vda#3]",
        "sound[0]",
        "sound[1]",
        "interface[0]",
        "interface[1]",
        "hub[0]",
        "hub[1]",
    }


def test_a_key_with_the_signs_of_paths_stays_one_step() -> None:
    found = domain("<blkiotune><device><path>/dev/[x]/y</path><weight>1</weight></device></blkiotune>")
    assert found["blkiotune/device[|dev|(x)|y]/weight"] == "1"
    assert {without_keys(path) for path in found} >= {"blkiotune/device/weight"}


def test_an_event_device_is_known_by_its_file_and_not_by_its_place() -> None:
    mouse, device = "<input type='mouse' bus='ps2'/>", "<input type='evdev'><source dev='/dev/input/event3'/></input>"
    one, other = (domain(f"<devices>{devices}</devices>") for devices in (mouse + device, device + mouse))
    assert one == other
    assert "devices/input[|dev|input|event3]/source/@dev" in one


def test_a_console_is_known_by_what_it_is_connected_to() -> None:
    found = devices("<console type='pty'/><console type='pty'><target type='virtio'/></console>")
    assert {"devices/console[serial]", "devices/console[virtio]"} <= found.keys()


def test_our_mark_is_in_no_mapping() -> None:
    assert domain("<metadata><vireo:resource xmlns:vireo='urn:vireo:1' name='x'>abc</vireo:resource></metadata>") == domain(
        "<metadata/>"
    )


@pytest.mark.parametrize(
    "pattern, path, covered",
    [
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("metadata/**", "metadata", True),
        ("metadata/**", "metadata/a/b", True),
        ("metadata/**", "metadatax", False),
        ("**/@mac", "@mac", True),
        ("**/@mac", "a/b/@mac", True),
        ("**/@mac", "a/b/@macx", False),
        ("a.c", "abc", False),
        ("devices/graphics/@*ort", "devices/graphics/@autoport", True),
    ],
)
def test_patterns_cover_paths(pattern: str, path: str, covered: bool) -> None:
    assert matches(pattern, path) is covered


LEASE = "<ip address='10.0.0.1'><dhcp><range start='10.0.0.2' end='10.0.0.9'><lease {0}/></range><host name='a' ip='10.0.0.3'>"
LEASE += "<lease {0}/></host></dhcp></ip>"


@pytest.mark.parametrize("same", ["expiry='2' unit='hours'", "expiry='120' unit='minutes'", "expiry='120'"])
def test_a_dhcp_lease_is_one_amount_in_hours_minutes_and_seconds(same: str) -> None:
    found = network(LEASE.format("expiry='7200' unit='seconds'"))
    assert found == network(LEASE.format(same))
    assert found["ip[10.0.0.1]/dhcp/host[a]/lease/@expiry"] == "7200"
    assert found != network(LEASE.format("expiry='120' unit='seconds'"))


@pytest.mark.parametrize("place", ["<ip{} address='10.0.0.1'/>", "<route{} address='10.0.0.0' gateway='10.0.0.1'/>"])
def test_the_family_that_an_address_shows_by_itself_need_not_be_said(place: str) -> None:
    assert network(place.format(" family='ipv4'")) == network(place.format(""))
