"""What `xml:` makes of the rendered device that has the same key: its settings win, and another sort of device is that."""

from __future__ import annotations

import pytest

from reconciler.kinds import KINDS
from reconciler.xmltree.canonical import canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.merge import overlay

RULES = KINDS["Domain"].rules
MAC = "<mac address='52:54:00:00:00:01'/>"
DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='/a'/>"
    "<target dev='vda' bus='virtio'/></disk>"
)
NBD = "<source protocol='nbd' name='x'><host name='h'/></source>"
EGD = "<backend model='egd' type='udp'><source mode='bind' service='1234'/></backend>"
NIC = (
    f"<interface type='network'>{MAC}<source network='lan' portgroup='p'/><model type='virtio'/><link state='down'/></interface>"
)
VNC = "<graphics type='vnc' port='5901' autoport='no'><listen type='address' address='127.0.0.1'/></graphics>"
RNG = "<rng model='virtio'><backend model='random'>/dev/random</backend><rate bytes='10'/></rng>"


def laid(device: str, over: str) -> dict[str, str]:
    base, top = (f"<domain><devices>{text}</devices></domain>" for text in (device, over))
    return canonical(parse(overlay(base, top, RULES)), RULES)


def same(result: dict[str, str], device: str) -> bool:
    return result == canonical(parse(f"<domain><devices>{device}</devices></domain>"), RULES)


@pytest.mark.parametrize(
    "device, over, result",
    [
        (
            NIC,
            f"<interface type='bridge'>{MAC}<source bridge='br0'/></interface>",
            f"<interface type='bridge'>{MAC}<source bridge='br0'/><model type='virtio'/><link state='down'/></interface>",
        ),
        (
            NIC,
            f"<interface type='user'>{MAC}</interface>",
            f"<interface type='user'>{MAC}<model type='virtio'/><link state='down'/></interface>",
        ),
        (
            DISK,
            "<disk type='block'><source dev='/dev/sdb'/><target dev='vda'/></disk>",
            DISK.replace("type='file'", "type='block'").replace("file='/a'", "dev='/dev/sdb'"),
        ),
        (
            DISK,
            f"<disk type='network'>{NBD}<target dev='vda'/></disk>",
            DISK.replace("type='file'", "type='network'").replace("<source file='/a'/>", NBD),
        ),
        (RNG, f"<rng model='virtio'>{EGD}</rng>", f"<rng model='virtio'>{EGD}<rate bytes='10'/></rng>"),
        (
            VNC,
            "<graphics type='vnc'><listen type='socket' socket='/run/x'/></graphics>",
            VNC.replace("type='address' address='127.0.0.1'", "type='socket' socket='/run/x'"),
        ),
        (VNC, "<graphics type='spice'/>", f"{VNC}<graphics type='spice'/>"),
    ],
    ids=["bridge", "user", "block", "network disk", "backend", "listen", "another screen"],
)
def test_another_sort_of_the_same_device_leaves_nothing_of_the_old_one(device: str, over: str, result: str) -> None:
    assert same(laid(device, over), result)


@pytest.mark.parametrize(
    "device, over, result",
    [
        (NIC, f"<interface>{MAC}<mtu size='1400'/></interface>", NIC.replace("</interface>", "<mtu size='1400'/></interface>")),
        (NIC, f"<interface type='network'>{MAC}<source portgroup='q'/></interface>", NIC.replace("='p'", "='q'")),
        (DISK, "<disk><target dev='vda'/><driver cache='unsafe'/></disk>", DISK.replace("'none'", "'unsafe'")),
    ],
    ids=["no sort named", "the same sort", "a part"],
)
def test_the_same_sort_of_device_keeps_what_the_overlay_does_not_name(device: str, over: str, result: str) -> None:
    assert same(laid(device, over), result)
