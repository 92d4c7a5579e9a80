"""Guests whose disks one host has for itself: they are copied while the guest writes to them, or nothing happens at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import HostError
from reconciler.host.drivers.migration.standing import Standing
from tests.lab.guest_image import count
from tests.lab.waiting import wait_until
from tests.migrating import DISK, LOCAL, SHARED, Road, definition

EXTRA = 8 << 20


def overlay(road: Road, node: int, image: Path) -> None:
    """On both nodes the same base image, and on the first an overlay over it."""
    for each in (1, 2):
        (road.local(each) / "base.img").write_bytes(image.read_bytes())
    road.lab.run(node, ["qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{LOCAL}/base.img", "-F", "raw", f"{LOCAL}/{DISK}"])


def described(image: Path) -> str:
    return subprocess.run(["qemu-img", "info", "-U", str(image)], capture_output=True, text=True, check=True).stdout


def test_a_disk_that_the_destination_does_not_see_is_copied_and_written_on(road: Road, guest_image: Path) -> None:
    road.pool(2)
    shared = f"<disk type='file' device='disk'><source file='{SHARED}/data.img'/><target dev='vdb' bus='virtio'/></disk>"
    (road.lab.images / "data.img").write_bytes(bytes(1 << 20))
    road.start(guest_image, local=True, devices=shared)
    route = road.route()
    assert [disk.target for disk in route.copies] == ["vda"]
    with road.without_a_gap():
        moved = road.migrate()
    assert moved.copied == (f"{LOCAL}/{DISK}",)
    arrived = count(road.local(2) / DISK)
    wait_until(lambda: count(road.local(2) / DISK) > arrived)
    assert count(road.local(1) / DISK) <= arrived  # the old copy stays, and rests
    with pytest.raises(HostError, match=f"the destination has another file {LOCAL}/{DISK}"):
        road.migrate()


def test_an_overlay_is_copied_alone_where_both_hosts_have_its_base(road: Road, guest_image: Path) -> None:
    road.pool(2)
    overlay(road, 1, guest_image)
    domain = road.conn(1).defineXML(definition(f"{LOCAL}/{DISK}", driver="name='qemu' type='qcow2'"))
    domain.create()
    wait_until(lambda: road.counter(1))
    with road.without_a_gap():
        road.migrate(storage="copy-incremental")
    assert f"backing file: {LOCAL}/base.img" in described(road.local(2) / DISK)
    (road.local(1) / DISK).unlink()
    road.pool(1)
    with road.without_a_gap():
        road.migrate()
    assert "file format: qcow2" in described(road.local(1) / DISK)
    assert "backing file" not in described(road.local(1) / DISK)  # the whole disk


def test_an_aborted_copy_leaves_nothing_at_the_destination(road: Road, guest_image: Path) -> None:
    road.pool(2)
    (road.local(1) / "data.img").write_bytes(os.urandom(EXTRA))
    extra = f"<disk type='file' device='disk'><source file='{LOCAL}/data.img'/><target dev='vdb' bus='virtio'/></disk>"
    road.start(guest_image, local=True, devices=extra)
    before = road.counter(1)
    with road.migrating(bandwidth=1 << 20) as future:
        assert (road.local(2) / "data.img").exists()
        assert road.reports[-1].phase == "copying disks"
        road.stopping.set()
        with pytest.raises(HostError, match="interrupted"):
            future.result()
    assert list(road.local(2).iterdir()) == []
    assert road.standing() is Standing.AT_SOURCE
    road.assert_counting(1, before)


def test_a_volume_that_is_there_is_never_written_over(road: Road, guest_image: Path) -> None:
    pool = road.pool(2)
    road.start(guest_image, local=True, booted=False)
    (road.local(2) / DISK).write_bytes(b"precious")
    found = road.check("disk vda")
    assert not found.ok
    assert "delete it there" in found.remedy
    pool.refresh()
    with pytest.raises(HostError, match="the destination has another file"):
        road.migrate()
    assert (road.local(2) / DISK).read_bytes() == b"precious"


def test_no_copy_without_a_pool_or_leave_to_copy(road: Road, guest_image: Path) -> None:
    road.start(guest_image, local=True, booted=False)
    road.local(2)
    assert "no active pool of the destination" in road.check("disk vda").detail
    road.pool(2)
    assert road.check("disk vda").ok
    assert road.check("disk vda", storage="shared").forbids
    assert road.check("disk vda", mode="tunnelled", uri="qemu+tcp://node2/system").forbids
    road.domain(1).destroy()
    assert "an offline migration copies nothing" in road.check("disk vda").detail
