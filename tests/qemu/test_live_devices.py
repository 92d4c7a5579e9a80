"""Devices of a running guest come, go and change: its QEMU process stays, and live and persistent definitions agree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from reconciler.errors import GuestTimeoutError, LibvirtCallError
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec
from tests.driving import Hands
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until
from tests.living import INACTIVE, Living, wanted

IMAGES = "/var/lib/libvirt/images"
SCSI = "<controller type='scsi' index='0' model='virtio-scsi'/>"
NIC1, NIC2 = (f"<interface type='user'><mac address='52:54:00:00:00:0{n}'/><model type='virtio'/></interface>" for n in (1, 2))


@pytest.fixture
def living(lab: Lab, host_uri: str) -> Iterator[Living]:
    for name in ("a.img", "b.img", "c.img", "d.img"):
        (lab.images / name).write_bytes(bytes(1 << 20))
    for name in ("one", "two"):
        xml = f"<network><name>{name}</name><bridge name='vlb-{name}'/></network>"
        with_network(host_uri, xml)
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Living(Hands(session), lab)


@pytest.fixture
def boot(living: Living, guest_image: Path) -> Path:
    """A disk whose guest shows that the firmware has handed over to it."""
    return Path(shutil.copy(guest_image, living.lab.images / "boot.img"))


def with_network(uri: str, xml: str) -> None:
    connection = libvirt.open(uri)
    connection.networkCreateXML(xml)
    connection.close()


def disk(dev: str, bus: str, image: str = "a.img", inner: str = "") -> str:
    source = f"<driver name='qemu' type='raw'/><source file='{IMAGES}/{image}'/>"
    return f"<disk type='file' device='disk'>{source}<target dev='{dev}' bus='{bus}'/>{inner}</disk>"


def cdrom(image: str = "", bus: str = "ide", dev: str = "hdc") -> str:
    source = f"<driver name='qemu' type='raw'/><source file='{IMAGES}/{image}'/>" if image else ""
    return f"<disk type='file' device='cdrom'>{source}<target dev='{dev}' bus='{bus}'/><readonly/></disk>"


def floppy(image: str = "") -> str:
    source = f"<driver name='qemu' type='raw'/><source file='{IMAGES}/{image}'/>" if image else ""
    return f"<disk type='file' device='floppy'>{source}<target dev='fda' bus='fdc'/></disk>"


def nic(source: str = "<source network='one'/>", inner: str = "", sort: str = "network") -> str:
    return f"<interface type='{sort}'><mac address='52:54:00:00:00:07'/>{source}<model type='virtio'/>{inner}</interface>"


RNG1, RNG2 = (f"<rng model='virtio'><backend model='random'>{path}</backend></rng>" for path in ("/dev/urandom", "/dev/random"))
VDA = disk("vda", "virtio")
BOOT = disk("vda", "virtio", "boot.img")  # firmware that looks for a medium moves a drive's tray behind libvirt's back
WATCHDOG = "<watchdog model='i6300esb' action='reset'/>"
SHMEM = "<shmem name='vireo'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"
PCI_SERIAL = "<serial type='pty'><target type='pci-serial' port='1'/></serial>"
KEYBOARD = "<input type='keyboard' bus='virtio'/>"
TABLET = "<input type='tablet' bus='usb'/>"
REDIRDEV = "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4711'/></redirdev>"
CHANNEL = "<channel type='unix'><target type='virtio' name='org.example.1'/></channel>"
FILTERED = "<filterref filter='no-mac-spoofing'/>"
FILESYSTEM = f"<filesystem type='mount'><source dir='{IMAGES}'/><target dir='t'/></filesystem>"
COALESCED = "<coalesce><rx><frames max='7'/></rx></coalesce>"
LEASE = f"<lease><lockspace>a</lockspace><key>b</key><target path='{IMAGES}/lease'/></lease>"
SATA = "<controller type='sata' index='0'/>"

# Each guest's devices, one step after the other: what the step shows, and what is declared then.
STEPS: dict[str, list[tuple[str, str]]] = {
    "virtio": [
        ("nothing is there", ""),
        ("a disk comes", VDA),
        ("a random number generator comes", VDA + RNG1),
        ("a second one comes", VDA + RNG1 + RNG2),
        ("an interface comes", VDA + RNG1 + RNG2 + NIC1),
        ("a watchdog comes", VDA + RNG1 + RNG2 + NIC1 + WATCHDOG),
        ("a shared memory comes", VDA + RNG1 + RNG2 + NIC1 + WATCHDOG + SHMEM),
        ("a pci serial port comes", VDA + RNG1 + RNG2 + NIC1 + WATCHDOG + SHMEM + PCI_SERIAL),
        ("a keyboard comes", VDA + RNG1 + RNG2 + NIC1 + WATCHDOG + SHMEM + PCI_SERIAL + KEYBOARD),
    ],
    "scsi": [
        ("nothing is there", ""),
        ("a scsi disk comes with the controller that it needs", SCSI + disk("sda", "scsi")),
        ("a second disk comes", SCSI + disk("sda", "scsi") + disk("sdb", "scsi", "b.img")),
        ("the first one goes", SCSI + disk("sdb", "scsi", "b.img")),
        ("a drive comes", SCSI + disk("sdb", "scsi", "b.img") + cdrom("c.img", "scsi", "sdc")),
    ],
    "scsi without a controller": [
        ("nothing is there", ""),
        ("a disk comes with a controller that nobody declared", disk("sda", "scsi")),
    ],
    "usb": [
        ("nothing is there", ""),
        ("a disk comes", disk("sda", "usb")),
        ("a tablet comes", disk("sda", "usb") + TABLET),
        ("both go", ""),
        ("a redirected device comes", REDIRDEV),
        ("it goes", ""),
    ],
    "media": [
        ("drives are empty", BOOT + cdrom() + cdrom("", "sata", "sda") + floppy()),
        ("media come", BOOT + cdrom("a.img") + cdrom("b.img", "sata", "sda") + floppy("c.img")),
        ("media are changed", BOOT + cdrom("b.img") + cdrom("a.img", "sata", "sda") + floppy("d.img")),
        ("media are ejected", BOOT + cdrom() + cdrom("", "sata", "sda") + floppy()),
    ],
    "links": [
        ("it is up", nic()),
        ("it goes down", nic(inner="<link state='down'/>")),
        ("it comes up", nic(inner="<link state='up'/>")),
        ("it goes down again", nic(inner="<link state='down'/>")),
        ("its state is not declared any more", nic()),
        ("it moves to another network", nic("<source network='two'/>")),
        ("it moves to a bridge", nic("<source bridge='vlb-one'/>", sort="bridge")),
        ("it gets a filter", nic("<source bridge='vlb-one'/>", inner=FILTERED, sort="bridge")),
        ("it loses its filter", nic("<source bridge='vlb-one'/>", sort="bridge")),
        ("it moves to a network", nic()),
        ("it coalesces", nic(inner=COALESCED)),
        ("it is isolated", nic(inner=COALESCED + "<port isolated='yes'/>")),
        ("a lease comes", nic(inner=COALESCED + "<port isolated='yes'/>") + LEASE),
        ("it goes", nic(inner=COALESCED + "<port isolated='yes'/>")),
    ],
}  # fmt: skip

WAITING = {
    "a sata disk comes": (SATA, SATA + disk("sda", "sata"), "devices/disk[sda]"),
    "an ide disk goes": (disk("hda", "ide"), "", "devices/disk[hda]"),
    "a channel comes without a controller": ("", CHANNEL, "devices/channel[org.example.1]"),
    "a 9p filesystem comes": ("", FILESYSTEM, "devices/filesystem[t]"),
    "an isa serial port comes": ("", PCI_SERIAL.replace("pci", "isa"), "devices/serial[0]"),
    "a first password": ("<graphics type='vnc'/>", "<graphics type='vnc' passwd='secret12'/>", "devices/graphics[vnc]/@passwd"),
    "a user interface becomes another": (nic("", sort="user"), nic(), "devices/interface[52:54:00:00:00:07]/@type"),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_running_guest_takes_it_without_a_restart(living: Living, boot: Path, name: str) -> None:
    (_, first), *steps = STEPS[name]
    living.start(wanted(first), booted=boot if BOOT in first else None)
    for claim, devices in steps:
        assert living.change(wanted(devices)) == {}, claim
        assert living.left() == (), claim
        assert living.addresses(0) == living.addresses(INACTIVE), claim


@pytest.mark.parametrize("name", WAITING)
def test_what_libvirt_refuses_waits_for_the_next_start_and_says_why(living: Living, name: str) -> None:
    before, after, path = WAITING[name]
    living.start(wanted(before))
    refused = living.change(wanted(after))
    assert path in refused
    assert all(refused.values())
    assert "secret12" not in str(refused)
    assert set(living.left()) <= set(refused)


def test_a_limit_of_bandwidth_comes_where_the_host_has_traffic_control_for_it(living: Living) -> None:
    living.start(wanted(nic()))
    refused = living.change(wanted(nic(inner="<bandwidth><inbound average='1000'/></bandwidth>")))
    assert set(living.left()) == set(refused)
    assert all("tc " in why for why in refused.values())  # a kernel without the queues that libvirt wants
    assert living.change(wanted(nic())) == {}
    assert living.left() == ()


def test_live_and_restart_parts_in_one_change_the_live_ones_are_done(living: Living) -> None:
    living.start(wanted(nic()))
    want = wanted(nic(inner="<link state='down'/>").replace("virtio", "e1000") + disk("sda", "usb") + FILESYSTEM)
    assert set(living.change(want)) == {"devices/filesystem[t]"}
    assert living.left() == ("devices/filesystem[t]", "devices/interface[52:54:00:00:00:07]/model/@type")
    assert "<link state='down'/>" in living.domain.XMLDesc(0)
    assert living.change(wanted(nic() + disk("sda", "usb"))) == {}
    assert living.left() == ()


def test_a_device_that_the_guest_does_not_release_is_never_called_gone(living: Living) -> None:
    living.start(wanted(NIC1 + TABLET))
    with pytest.raises(GuestTimeoutError, match="52:54:00:00:00:01"):
        living.change(wanted(disk("sda", "usb")))
    assert any(message.startswith("waiting for the guest") for message, _ in living.hands.reports)
    assert living.left() == ("devices/interface[52:54:00:00:00:01]",)  # the others were done
    assert living.hands.refused == {}
    with pytest.raises(GuestTimeoutError):
        living.again()
    living.domain.reset()
    wait_until(lambda: living.left() == ())
    living.again()


def test_a_device_that_takes_the_place_of_one_that_has_not_gone_comes_when_the_guest_answers(living: Living) -> None:
    living.start(wanted(NIC1))
    with pytest.raises(GuestTimeoutError):
        living.change(wanted(NIC2))
    assert living.hands.refused == {}
    living.domain.reset()
    wait_until(lambda: "52:54:00:00:00:01" not in living.domain.XMLDesc(0))
    living.again()
    assert living.left() == ()
    assert living.addresses(0) == living.addresses(INACTIVE)


def test_a_medium_that_is_missing_is_a_failure_and_holds_nothing_else_back(living: Living, boot: Path) -> None:
    living.start(wanted(BOOT + cdrom()), booted=boot)
    with pytest.raises(LibvirtCallError, match=r"missing\.img"):
        living.change(wanted(BOOT + cdrom("missing.img") + TABLET))
    assert living.left() == ("devices/disk[hdc]/source",)
    (living.lab.images / "missing.img").write_bytes(bytes(1 << 20))
    living.again()
    assert living.left() == ()


def test_a_transient_guest_changes_likewise(living: Living, boot: Path) -> None:
    living.start(wanted(BOOT + cdrom(), persistent=False), booted=boot)
    assert living.change(wanted(BOOT + cdrom("a.img") + TABLET, "<title>t</title>", persistent=False)) == {}
    assert living.left() == ()
    assert set(living.change(wanted(BOOT + cdrom("b.img") + FILESYSTEM, persistent=False))) == {"devices/filesystem[t]"}
    assert living.left() == ("devices/filesystem[t]",)


def test_a_guest_on_q35_takes_one_device_more_than_it_has(living: Living) -> None:
    machine = living.hands.session.facts.machines["x86_64", "q35"]
    living.start(wanted(NIC1, machine=machine))
    assert living.change(wanted(NIC1 + NIC2, machine=machine)) == {}
    refused = living.change(wanted(NIC1 + NIC2 + VDA, machine=machine))
    assert set(refused) == {"devices/disk[vda]"}
