"""A slow migration, and something dies in the middle of it: one guest afterwards, that goes on, and a true word about it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import libvirt
import pytest

from reconciler.errors import HostError
from reconciler.host.drivers.migration import healing
from reconciler.host.drivers.migration.standing import Standing
from reconciler.model.migration import Moved
from tests.driving import domain_xml
from tests.lab.waiting import wait_until
from tests.migrating import UUID, Road

SLOW = 1 << 20  # bytes a second, of which the guest writes many more

CLIENT = """
import sys, time
from reconciler.host.drivers.migration import choosing, moving, preflight
from reconciler.host.drivers.migration.move import Move
from reconciler.host.session import Session
from reconciler.model.migration import MigrationSpec, Mode
from reconciler.model.resource import HostSpec
one, two, uuid, mode, uri = sys.argv[1:]
a, b = Session.open(HostSpec("one", one)), Session.open(HostSpec("two", two))
spec = MigrationSpec(mode=Mode(mode), uri=uri, unsafe=True, bandwidth=1 << 20)
route = choosing.choose(spec, preflight.examine(a, b, uuid, spec))
never = lambda: False
moving.migrate(Move(a, b, uuid, spec, route, lambda progress: None, time.monotonic, time.sleep, never))
"""


@pytest.fixture(scope="module")
def restless(long_road: Road, dirty_guest_image: Path) -> Road:
    """A guest that writes to its memory faster than it can be copied, until it is helped."""
    long_road.start(dirty_guest_image)
    long_road.spec["bandwidth"] = SLOW
    return long_road


@pytest.fixture
def stays(restless: Road) -> Iterator[Road]:
    """It must be where it was afterwards, executing, and nothing of it anywhere else."""
    here, before = restless.at, restless.counter(restless.at)
    yield restless
    for session in restless.sessions.values():
        session.reconnect()
    wait_until(lambda: restless.standing(here) is Standing.AT_SOURCE)
    assert not restless.has(3 - here)
    restless.assert_counting(here, before)


def pid(road: Road, node: int) -> int:
    """The guest's QEMU process on that node."""
    return int((road.lab.directory / f"node{node}" / "run" / "libvirt" / "qemu" / "mover.pid").read_text())


def failure(future: Future[Moved]) -> HostError:
    """How the migration ended."""
    error = future.exception()
    assert isinstance(error, HostError)
    return error


def test_the_destinations_daemon_is_killed(stays: Road) -> None:
    road, here = stays, stays.at
    with road.migrating() as future:
        road.lab.kill_daemon(3 - here)
        wait_until(lambda: not road.domain(here).jobStats().get("type"))  # given up, although its memory still flows
        road.lab.ensure(3 - here)
        error = failure(future)
    assert f"the connection to node{3 - here} is gone" in error.summary
    assert f"it goes on running at node{here}" in error.detail


def test_the_destinations_daemon_is_killed_and_stays_away(stays: Road) -> None:
    road, here = stays, stays.at
    road.patience = 1
    with road.migrating() as future:
        road.lab.kill_daemon(3 - here)
        error = failure(future)
    road.patience = 20
    road.lab.ensure(3 - here)
    assert f"node{here}: it is running; node{3 - here}: the host does not answer" in error.detail
    assert "nothing is done until then" in error.hint


def test_the_sources_daemon_is_killed(stays: Road) -> None:
    road, here = stays, stays.at
    with road.migrating() as future:
        road.lab.kill_daemon(here)
        road.lab.ensure(here)
        error = failure(future)
    assert f"it goes on running at node{here}" in error.detail


def test_the_destinations_guest_process_is_killed(stays: Road) -> None:
    road, here = stays, stays.at
    with road.migrating() as future:
        os.kill(pid(road, 3 - here), signal.SIGKILL)
        error = failure(future)
    assert f"it goes on running at node{here}" in error.detail
    assert "QEMU" in error.hint


def test_a_client_that_is_killed_takes_a_direct_migration_with_it(stays: Road) -> None:
    road, here = stays, stays.at
    with client(road, "direct", "") as process:
        process.kill()
    wait_until(lambda: not road.domain(here).jobStats().get("type"))


def test_a_client_that_is_killed_at_the_very_end_leaves_a_halted_guest_which_goes_on_when_it_is_mended(stays: Road) -> None:
    road, here = stays, stays.at
    one, two = road.sessions[here], road.sessions[3 - here]
    with client(road, "direct", "") as process:
        process.send_signal(signal.SIGSTOP)
        road.domain(here).migrateSetMaxSpeed(1000)
        status = road.lab.directory / f"node{here}" / "run" / "libvirt" / "qemu" / "mover.xml"
        wait_until(lambda: "perform3_done" in status.read_text())  # all is copied, and nobody says that it may go on there
        process.kill()
    wait_until(lambda: road.standing(here) is Standing.CUT_OFF)
    assert road.domain(here).state() == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION]
    assert "halted by a migration" in road.check("state").detail
    assert healing.heal(one, two, UUID) == (Standing.AT_SOURCE, f"the guest goes on at node{here}")


def test_a_client_that_is_killed_leaves_a_peer_to_peer_migration_to_the_source(restless: Road) -> None:
    road, here, before = restless, restless.at, restless.counter(restless.at)
    with client(road, "p2p", f"qemu+tcp://node{3 - here}/system") as process:
        process.kill()
    assert road.standing(here) is Standing.UNDER_WAY
    road.domain(here).migrateSetMaxSpeed(1000)
    wait_until(lambda: road.standing(here) is Standing.AT_DESTINATION)
    road.assert_counting(3 - here, before)


def client(road: Road, mode: str, uri: str) -> subprocess.Popen[bytes]:
    """Another process that moves the guest, and is in the middle of it."""
    here = road.at
    argv = [sys.executable, "-c", CLIENT, road.lab.uri(here), road.lab.uri(3 - here), UUID, mode, uri]
    process = subprocess.Popen(argv)
    domain = road.domain(here)
    wait_until(lambda: domain.jobStats().get("memory_processed"))
    return process


def test_a_connection_that_breaks_does_not_stop_a_peer_to_peer_migration(restless: Road) -> None:
    road, here, before = restless, restless.at, restless.counter(restless.at)
    with road.migrating(mode="p2p", uri=f"qemu+tcp://node{3 - here}/system") as future:
        disconnect(road, here)
        road.sessions[here].reconnect()
        seen = len(road.reports)
        wait_until(lambda: len(road.reports) > seen + 5)  # it is still being watched
        road.domain(here).migrateSetMaxSpeed(1000)
        moved = future.result()
    assert moved.notes
    road.assert_counting(3 - here, before)


def disconnect(road: Road, node: int) -> None:
    """Ends all connections to the node's daemon."""
    admin = ["virt-admin", "-c", "libvirtd:///system"]
    listed = road.lab.run(node, [*admin, "client-list", "libvirtd"]).stdout.splitlines()[2:]
    for number in (line.split()[0] for line in listed if line.strip()):
        road.lab.run(node, [*admin, "client-disconnect", "libvirtd", "--client", number], check=False)


def test_the_sources_guest_process_is_killed(road: Road, dirty_guest_image: Path) -> None:
    road.start(dirty_guest_image)
    with road.migrating(bandwidth=SLOW) as future:
        os.kill(pid(road, 1), signal.SIGKILL)
        error = failure(future)
    assert "node1: it is stopped; node2: it is not there" in error.detail


def test_what_an_unfinished_end_leaves_is_taken_away(road: Road, guest_image: Path) -> None:
    live, keep = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_UNSAFE, libvirt.VIR_MIGRATE_PERSIST_DEST
    one, two = road.sessions[1], road.sessions[2]
    road.start(guest_image)
    road.domain(1).migrate3(two.conn, {}, live)  # transient there, its definition is left here
    assert healing.heal(one, two, UUID)[0] is Standing.AT_DESTINATION
    assert road.domain(2).isPersistent()
    assert not road.has(1)
    road.domain(2).migrate3(one.conn, {}, live | keep)  # defined on both
    assert road.standing(1) is Standing.LEFT_THERE
    standing, done = healing.heal(one, two, UUID)
    assert standing is Standing.AT_SOURCE
    assert done == "the old definition at node2 was taken away"
    before = road.counter(1)
    road.assert_counting(1, before)


def test_two_running_guests_are_never_touched(road: Road, guest_image: Path) -> None:
    road.start(guest_image, transient=True)
    road.conn(2).createXML(domain_xml("mover", UUID))
    assert healing.heal(road.sessions[1], road.sessions[2], UUID) == (Standing.SPLIT, "")
    assert road.domain(1).isActive()
    assert road.domain(2).isActive()
    assert road.check("name").forbids
