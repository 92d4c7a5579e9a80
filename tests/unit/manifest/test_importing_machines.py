"""What an import of a domain leaves out, because libvirt makes it again: only where it would be made just so."""

from __future__ import annotations

import pytest

from reconciler.manifest.importing.generated import ungenerated
from reconciler.manifest.importing.slots import inserted
from reconciler.xmltree.document import Element, parse

SYSTEM = "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
ROOT = "<controller type='pci' index='0' model='pci-root'/>"


def cleaned(devices: str) -> Element:
    return parse(ungenerated(f"<domain type='qemu'>{SYSTEM}<devices>{ROOT}{devices}</devices></domain>", {}))


def serial(index: int, slot: int) -> str:
    place = f"<address type='pci' domain='0x0000' bus='0x00' slot='0x{slot:02x}' function='0x0'/>"
    return f"<controller type='virtio-serial' index='{index}' ports='7'>{place}</controller>"


def test_controllers_are_taken_in_the_order_of_their_indexes_and_a_master_before_its_companions() -> None:
    names = [("scsi", 3), ("usb", 0), ("scsi", 0), ("scsi", 1)]
    said = [f"<controller type='{kind}' index='{index}'/>" for kind, index in names]
    companion = "<controller type='usb' index='0'><master startport='0'/></controller>"
    root = parse(f"<x>{companion}{''.join(said)}</x>")
    found = [(one.get("type"), one.get("index"), one.find("master") is not None) for one in inserted(list(root))]
    assert found == [("usb", "0", False), ("usb", "0", True), ("scsi", "0", False), ("scsi", "1", False), ("scsi", "3", False)]


def test_disks_are_taken_in_the_order_of_their_names_on_each_bus() -> None:
    names = [("vdaa", "virtio"), ("sda", "scsi"), ("hdc", "virtio"), ("vdb", "virtio"), ("xvda", "virtio")]
    disks = [f"<disk><target dev='{name}' bus='{bus}'/></disk>" for name, bus in names]
    root = parse(f"<x>{''.join(disks)}</x>")
    found = [target.get("dev") for disk in inserted(list(root)) for target in disk]
    assert found == ["xvda", "vdb", "hdc", "vdaa", "sda"]


def test_slots_in_the_order_of_the_indexes_go_unsaid() -> None:
    assert cleaned(serial(0, 2) + serial(1, 3)).findall("devices/controller/address") == []
    assert cleaned(serial(1, 3) + serial(0, 2)).findall("devices/controller/address") == []


def test_slots_in_another_order_stay() -> None:
    assert cleaned(serial(1, 2) + serial(0, 3)).findall("devices/controller/address") != []


def test_a_controller_that_libvirt_adds_by_itself_comes_after_those_that_are_said() -> None:
    disk = "<disk type='block' device='disk'><source dev='/a'/><target dev='sda' bus='scsi'/></disk>"
    scsi, usb = (
        f"<controller type='{kind}' index='0' model='{model}'>"
        "<address type='pci' domain='0x0000' bus='0x00' slot='0x0{}' function='0x0'/></controller>"
        for kind, model in (("scsi", "lsilogic"), ("usb", "nec-xhci"))
    )
    assert cleaned(disk + usb.format(2) + scsi.format(3)).findall("devices/controller/address") == []
    assert cleaned(disk + scsi.format(2) + usb.format(3)).findall("devices/controller/address") != []


def test_controllers_that_libvirt_adds_by_itself_come_in_its_own_order() -> None:
    disk = "<disk type='block' device='disk'><source dev='/a'/><target dev='sda' bus='scsi'/></disk>"
    channel = "<channel type='pty'><target type='virtio' name='a'/></channel>"
    scsi = "<controller type='scsi' index='0' model='lsilogic'><address type='pci' slot='0x0{}'/></controller>"
    serial = "<controller type='virtio-serial' index='0'><address type='pci' slot='0x0{}'/></controller>"
    assert cleaned(disk + channel + scsi.format(2) + serial.format(3)).findall("devices/controller") == []
    assert cleaned(disk + channel + serial.format(3) + scsi.format(2)).findall("devices/controller") == []
    assert cleaned(disk + channel + serial.format(2) + scsi.format(3)).findall("devices/controller") != []


@pytest.mark.parametrize(
    "screens, backend",
    [((), "none"), (("vnc",), "none"), (("spice",), "spice"), (("vnc", "spice"), "spice"), (("spice", "vnc"), "none")],
)
def test_the_sound_that_libvirt_adds_for_the_last_screen_goes_unsaid(screens: tuple[str, ...], backend: str) -> None:
    audio = f"<audio id='1' type='{backend}'/>"
    assert cleaned("".join(f"<graphics type='{name}'/>" for name in screens) + audio).find("devices/audio") is None


@pytest.mark.parametrize(
    "screens, backend",
    [
        (("dbus",), "none"),
        (("egl-headless",), "none"),
        (("sdl",), "sdl"),
        (("spice", "sdl"), "none"),
        (("spice", "vnc"), "spice"),
    ],
)
def test_sound_that_libvirt_would_not_add_stays(screens: tuple[str, ...], backend: str) -> None:
    audio = f"<audio id='1' type='{backend}'/>"
    assert cleaned("".join(f"<graphics type='{name}'/>" for name in screens) + audio).find("devices/audio") is not None


def test_the_mouse_that_every_pc_has_goes_unsaid_unless_there_is_another_one_like_it() -> None:
    mouse, named = "<input type='mouse' bus='ps2'/>", "<input type='mouse' bus='ps2'><alias name='ua-one'/></input>"
    assert cleaned(mouse).findall("devices/input") == []
    assert len(cleaned(named + mouse).findall("devices/input")) == 2
    assert len(cleaned(mouse + mouse).findall("devices/input")) == 2
