"""Devices of the host in a guest: one that is declared by what it is has an address of its own while the guest runs."""

from __future__ import annotations

import pytest

from tests.unit.planning.building import UUID, differences, domain

IDS = "<vendor id='0x1234'/><product id='0xbeef'/>"
USB = "<hostdev mode='subsystem' type='usb' managed='no'><source>{}</source></hostdev>"
PCI = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address {}/></source></hostdev>"


def host(devices: str) -> str:
    return domain(devices=devices, machine="pc-i440fx-7.2", uuid=UUID)


@pytest.mark.parametrize(
    "declared, persistent, live",
    [
        (USB.format(IDS), USB.format(IDS), USB.format(f"{IDS}<address bus='1' device='5'/>")),
        (USB.format("<address bus='1' device='5'/>"),) * 3,
        (USB.format(f"{IDS}<address bus='1' device='5'/>"),) * 3,
        (
            PCI.format("bus='3' slot='0' function='1'"),
            *(PCI.format("domain='0x0000' bus='0x03' slot='0x00' function='0x1'"),) * 2,
        ),
    ],
    ids=["by vendor and product", "by address", "by both", "without a domain"],
)
def test_it_is_the_same_one_in_each_definition(declared: str, persistent: str, live: str) -> None:
    want, there, running = (host(text) for text in (declared, persistent, live))
    assert differences(want, there, want, live=running) == []


def test_another_one_that_somebody_plugged_in_is_drift() -> None:
    want = host(USB.format(IDS))
    other = USB.format("<vendor id='0x1234'/><product id='0xcafe'/><address bus='1' device='6'/>")
    running = host(USB.format(f"{IDS}<address bus='1' device='5'/>") + other)
    assert [d.path for d in differences(want, want, want, live=running)] == ["devices/hostdev[4660+51966]"]
