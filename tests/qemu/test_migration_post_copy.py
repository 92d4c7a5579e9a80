"""Post-copy: the guest goes on at the destination before its memory is there, which cannot be undone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.errors import HostError
from reconciler.host.drivers.migration import choosing, moving, preflight
from reconciler.host.drivers.migration.standing import Standing
from tests.lab.guest_image import SOURCES
from tests.migrating import UUID, Road

SLOW = 2 << 20
ENVIRONMENT = (
    "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    "<qemu:env name='LD_PRELOAD' value='/var/lib/libvirt/images/uffd.so'/></qemu:commandline>"
)


@pytest.fixture
def restless(road: Road, dirty_guest_image: Path) -> Road:
    """A guest that never gets through on a slow line, and whose QEMU can do post-copy."""
    library = road.lab.images / "uffd.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(SOURCES / "uffd.c"), "-ldl"], check=True)
    road.start(dirty_guest_image, inner=ENVIRONMENT)
    road.spec |= {"bandwidth": SLOW, "postCopy": True}
    return road


def test_a_restless_guest_goes_on_at_the_destination_and_its_memory_follows(restless: Road) -> None:
    road, before = restless, restless.counter(1)
    moved = road.migrate()
    assert not road.has(1)
    assert road.domain(2).isPersistent()
    assert moved.notes == ()
    assert "post-copy" in {progress.phase for progress in road.reports}
    road.assert_counting(2, before)


def test_a_post_copy_that_is_cut_off_is_told_as_what_it_is_and_goes_on_when_asked_again(restless: Road) -> None:
    road, before = restless, restless.counter(1)
    with road.migrating(until=lambda: road.standing() is Standing.UNDER_WAY and road.domain(1).state() == [3, 12]) as future:
        road.lab.run(1, ["virsh", "qemu-monitor-command", "mover", '{"execute": "migrate-pause"}'])
        with pytest.raises(HostError, match="post-copy") as failed:
            future.result()
    assert "its post-copy goes on" in failed.value.hint
    assert road.standing() is Standing.POST_COPY_FAILED
    one, two, spec = road.sessions[1], road.sessions[2], road.wish({"bandwidth": 0})
    route = choosing.resuming(spec, preflight.examine(one, two, UUID, spec))
    moving.recover(road.by(route, one, two))
    assert road.standing() is Standing.AT_DESTINATION
    road.assert_counting(2, before)
