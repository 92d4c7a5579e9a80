"""Migrations that do not get through by themselves: watched, aborted, pressed, cut off. One guest, which never notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from reconciler.errors import HostError
from reconciler.host.drivers.migration import moving
from reconciler.host.drivers.migration.standing import Standing
from reconciler.model.migration import Progress
from tests.lab.waiting import wait_until
from tests.migrating import Road

PAUSED = libvirt.VIR_DOMAIN_PAUSED
SLOW = 1 << 20  # bytes a second, of which the guest writes many more


@pytest.fixture(scope="module")
def restless(long_road: Road, dirty_guest_image: Path) -> Road:
    """A guest that writes to its memory faster than it can be copied."""
    long_road.start(dirty_guest_image)
    long_road.spec["bandwidth"] = SLOW
    long_road.patience = 3
    return long_road


@pytest.fixture
def stays(restless: Road) -> Iterator[Road]:
    """It must be where it was afterwards, executing, and nothing of it anywhere else."""
    here, before = restless.at, restless.counter(restless.at)
    yield restless
    assert restless.standing(here) is Standing.AT_SOURCE
    assert not restless.has(3 - here)
    restless.assert_counting(here, before)


def test_a_migration_tells_how_far_it_is_and_can_be_stopped(stays: Road) -> None:
    road, here = stays, stays.at
    with road.migrating(maxDowntime=0.02, until=lambda: road.reports and road.reports[-1].rate) as future:
        assert road.domain(here).migrateGetMaxSpeed() == SLOW >> 20
        wait_until(lambda: road.domain(here).migrateGetMaxDowntime() == 20)
        progress = road.reports[-1]
        road.stopping.set()
        with pytest.raises(HostError, match="interrupted") as failed:
            future.result()
    assert f"it goes on running at node{here}" in failed.value.detail
    assert progress.phase == "copying memory"
    assert progress.total > progress.transferred > 0
    assert progress.remaining > 0
    assert progress.fraction is not None
    assert progress.rate > 0


def test_what_is_not_through_in_time_is_aborted(stays: Road) -> None:
    with pytest.raises(HostError, match="not through within 1 s"):
        stays.migrate(timeout=1)


def test_ctrl_c_in_the_middle_aborts(stays: Road) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.transferred:
            raise KeyboardInterrupt

    move = replace(stays.move(), report=interrupt)
    with pytest.raises(KeyboardInterrupt):
        moving.migrate(move)


def test_a_pulled_cable_ends_it_when_patience_is_over(stays: Road) -> None:
    road, there = stays, 3 - stays.at
    with road.migrating() as future:
        road.lab.run(there, ["ip", "link", "set", "eth0", "down"])
        with pytest.raises(HostError, match=r"nothing has been transferred for 3 s"):
            future.result()
    road.lab.run(there, ["ip", "link", "set", "eth0", "up"])


@pytest.mark.parametrize("way", ["suspend", "force-converge"])
def test_a_guest_that_is_pressed_at_the_timeout_gets_through(restless: Road, way: str) -> None:
    road, here, before = restless, restless.at, restless.counter(restless.at)
    moved = road.migrate(timeout=1, onTimeout=way, bandwidth=2 << 20)
    assert not road.has(here)
    road.assert_counting(3 - here, before)
    assert moved.notes == ()


def test_a_guest_that_was_suspended_to_get_through_goes_on_if_it_does_not(stays: Road) -> None:
    road, here = stays, stays.at
    with road.migrating(timeout=0.5, onTimeout="suspend", until=lambda: road.domain(here).state()[0] == PAUSED) as future:
        road.stopping.set()
        with pytest.raises(HostError, match="interrupted"):
            future.result()


def test_help_for_restless_guests_is_asked_of_qemu(stays: Road) -> None:
    road, here = stays, stays.at
    with road.migrating(autoConverge=True, compressed=True):
        asked = ["virsh", "qemu-monitor-command", "mover", '{"execute": "query-migrate-capabilities"}']
        answer = json.loads(road.lab.run(here, asked).stdout)["return"]
        road.stopping.set()
    assert {each["capability"] for each in answer if each["state"]} >= {"auto-converge", "xbzrle"}


def test_what_libvirt_refuses_comes_with_what_to_do(stays: Road) -> None:
    with pytest.raises(HostError, match="without shared storage is unsafe") as refused:
        stays.migrate(unsafe=False)
    assert "unsafe: true" in refused.value.hint
    with pytest.raises(HostError, match="Unable to resolve address 'nowhere'") as lost:
        stays.migrate(uri="tcp://nowhere")
    assert "DNS" in lost.value.hint


def test_post_copy_is_refused_in_words_where_the_kernel_does_not_allow_it(stays: Road) -> None:
    with pytest.raises(HostError, match="Postcopy is not supported") as failed:
        stays.migrate(postCopy=True)
    assert "vm.unprivileged_userfaultfd=1" in failed.value.hint
