"""The lab keeps what the other tests rely on: real guests, clean hosts, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import libvirt
import pytest

from tests.lab import guest_image as guest
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until

DOMAIN = """
<domain type='qemu'>
  <name>counter</name>
  <memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='{machine}'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def start(lab: Lab, connection: libvirt.virConnect, image: Path, machine: str = "pc") -> tuple[libvirt.virDomain, Path]:
    disk = Path(shutil.copy(image, lab.images / "counter.img"))
    domain = connection.defineXML(DOMAIN.format(image=disk, machine=machine))
    domain.create()
    return domain, disk


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_a_guest_counts_on_its_disk_and_obeys_the_power_button(lab: Lab, host_uri: str, guest_image: Path, machine: str) -> None:
    connection = libvirt.open(host_uri)
    domain, disk = start(lab, connection, guest_image, machine)
    wait_until(lambda: guest.count(disk) > 8)
    domain.shutdown()
    wait_until(lambda: not domain.isActive())
    assert domain.state()[1] == libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN
    connection.close()


def test_a_stubborn_guest_ignores_the_power_button(lab: Lab, host_uri: str, stubborn_guest_image: Path) -> None:
    connection = libvirt.open(host_uri)
    domain, disk = start(lab, connection, stubborn_guest_image)
    wait_until(lambda: guest.count(disk) > 8)
    domain.shutdown()
    before = guest.count(disk)
    wait_until(lambda: guest.count(disk) > before + 16)
    assert domain.isActive()
    connection.close()


def test_a_guest_goes_on_when_its_daemon_is_killed(lab: Lab, host_uri: str, guest_image: Path) -> None:
    connection = libvirt.open(host_uri)
    _domain, disk = start(lab, connection, guest_image)
    wait_until(lambda: guest.count(disk) > 8)
    lab.kill_daemon()
    with pytest.raises(libvirt.libvirtError):
        libvirt.open(host_uri)
    before = guest.count(disk)
    lab.restart()
    again = libvirt.open(host_uri)
    assert again.lookupByName("counter").isActive()
    wait_until(lambda: guest.count(disk) > before)
    again.close()
    connection.close()


def test_a_cleaned_host_is_empty(lab: Lab, host_uri: str, guest_image: Path) -> None:
    connection = libvirt.open(host_uri)
    start(lab, connection, guest_image)
    connection.networkCreateXML("<network><name>n</name><bridge name='vbrtest'/></network>")
    pool = connection.storagePoolDefineXML(f"<pool type='dir'><name>p</name><target><path>{lab.images}</path></target></pool>")
    pool.create()
    connection.secretDefineXML("<secret><usage type='ceph'><name>s</name></usage></secret>")
    lab.clean()
    things = (connection.listAllDomains, connection.listAllNetworks, connection.listAllStoragePools, connection.listAllSecrets)
    assert [thing() for thing in things] == [[], [], [], []]
    assert list(lab.images.iterdir()) == []
    connection.close()


def test_two_nodes_reach_each_other_and_share_their_images(lab: Lab, host_uri: str) -> None:
    (lab.images / "shared").write_text("seen")
    assert lab.uri(2) != host_uri
    assert lab.run(2, ["cat", "/var/lib/libvirt/images/shared"]).stdout == "seen"
    assert lab.run(1, ["virsh", "-c", "qemu+tcp://node2/system", "hostname"]).stdout.strip() == "node2"


@pytest.mark.usefixtures("lab")  # skips where no lab can be
def test_a_lab_is_gone_when_its_owner_is_killed() -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from tests.lab.nodes import Lab; import time; x = Lab(); print(x.uri(), flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    uri = owner.stdout.readline()
    directory = Path(re.sub(r".*socket=(/tmp/vl-[^/]+)/.*\n", r"\1", uri))
    mark = f"lab-{re.findall('LAB_ID=(.*)', (directory / 'lab.env').read_text())[0]}-"
    assert processes_with(mark)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not directory.exists())
    assert processes_with(mark) == []


def processes_with(mark: str) -> list[str]:
    found = []
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if mark in mounts.read_text():
                found.append(mounts.parent.name)
        except (OSError, UnicodeDecodeError):  # it has just ended
            continue
    return found
