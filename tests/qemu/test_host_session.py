from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import libvirt
import pytest

from reconciler.errors import ConnectionLostError, HostUnreachableError, LibvirtCallError
from reconciler.host.inventory import Inventory
from reconciler.host.observe import observe
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec, ResourceId
from reconciler.model.state import Mark
from tests.lab.nodes import Lab


@pytest.fixture
def session(host_uri: str) -> Iterator[Session]:
    with Session.open(HostSpec("node1", host_uri)) as opened:
        yield opened


@contextmanager
def hanging(lab: Lab) -> Iterator[None]:
    """The node's daemon stopped as if it hung: it accepts connections, and answers nothing."""
    pid = int((lab.directory / "node1/run/libvirtd.pid").read_text(encoding="ascii"))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_facts_tell_what_the_host_can_run(session: Session) -> None:
    facts = session.facts
    assert facts.hypervisor == "QEMU"
    assert facts.virt_types["x86_64"] == ("qemu",)  # the lab has no KVM
    assert facts.machines["x86_64", "pc"].startswith("pc-i440fx-")
    assert facts.machines["x86_64", "q35"].startswith("pc-q35-")
    assert len(facts.uuid) == 36
    assert session.has_secrets
    assert not facts.read_only


def test_over_the_read_only_socket_everything_is_seen_and_nothing_can_be_changed(session: Session, host_uri: str) -> None:
    network = session.conn.networkDefineXML("<network><name>lan</name></network>")
    mark = Mark("demo", ResourceId("Network", "lan", "node1"), network.UUIDString())
    Inventory.open(session, "demo").write([mark])
    with Session.open(HostSpec("node1", f"{host_uri}-ro")) as reader:
        assert reader.facts.read_only
        assert observe(reader, "demo").resources[mark.id].mark == mark
        with pytest.raises(LibvirtCallError, match=r"cannot lock project 'demo': .* read-only"):
            reader.require_write("lock project 'demo'")
        with pytest.raises(LibvirtCallError) as caught:
            reader.call("virNetworkDefineXML", reader.conn.networkDefineXML, "<network><name>two</name></network>")
        assert caught.value.code == libvirt.VIR_ERR_OPERATION_DENIED
        assert "not allowed" in caught.value.summary
        assert "read-only" in caught.value.hint


def test_a_killed_daemon_is_a_lost_connection_and_comes_back(session: Session, lab: Lab) -> None:
    session.conn.networkDefineXML("<network><name>lan</name></network>")
    old = session.conn
    lab.kill_daemon()
    with pytest.raises(ConnectionLostError) as caught:
        session.call("virConnectListAllNetworks", session.conn.listAllNetworks)
    assert "virConnectListAllNetworks" in caught.value.summary
    back = threading.Thread(target=lab.ensure)
    back.start()
    session.reconnect()
    back.join()
    assert [network.name() for network in session.call("virConnectListAllNetworks", session.conn.listAllNetworks)] == ["lan"]
    with pytest.raises(ConnectionLostError):
        session.call("virConnectListAllNetworks", old.listAllNetworks)


def test_calls_under_way_when_the_daemon_is_killed_end_as_lost(session: Session, lab: Lab) -> None:
    for number in range(30):
        session.conn.networkDefineXML(f"<network><name>n{number}</name></network>")
    started = threading.Event()

    def keep_observing() -> Exception:
        try:
            while True:
                observe(session, "demo")
                started.set()
        except Exception as error:  # noqa: BLE001  whatever it is, it is what is asked for
            return error

    with ThreadPoolExecutor(4) as pool:
        watchers = [pool.submit(keep_observing) for _ in range(4)]
        assert started.wait(60)
        lab.restart(kill=True)
        errors = [watcher.result(60) for watcher in watchers]
    assert {type(error) for error in errors} == {ConnectionLostError}
    session.reconnect()
    assert len(observe(session, "demo").resources) == 30


def test_threads_that_notice_the_loss_together_share_one_new_connection(session: Session, lab: Lab) -> None:
    old = session.conn
    lab.restart()
    gate = threading.Barrier(8)

    def reconnect() -> libvirt.virConnect:
        gate.wait()
        session.reconnect()
        return session.conn

    with ThreadPoolExecutor(8) as pool:
        new = [future.result() for future in [pool.submit(reconnect) for _ in range(8)]]
    assert all(conn is session.conn for conn in new)
    assert session.conn is not old
    assert session.call("virConnectGetLibVersion", session.conn.getLibVersion) == session.facts.libvirt_version


def test_reconnecting_a_connection_that_is_well_keeps_it(session: Session) -> None:
    before = session.conn
    session.reconnect()
    assert session.conn is before


def test_patience_with_a_dead_daemon_ends(host_uri: str, lab: Lab) -> None:
    now = [0.0]
    pauses: list[float] = []

    def pass_time(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    with Session.open(HostSpec("node1", host_uri), sleep=pass_time, clock=lambda: now[0]) as session:
        lab.kill_daemon()
        with pytest.raises(HostUnreachableError, match="has not come back within 60 s") as caught:
            session.reconnect(patience=60)
    assert "systemctl start libvirtd" in caught.value.hint
    assert 50 < sum(pauses) <= 60
    assert pauses[0] < 1 < pauses[-1]


def test_a_daemon_that_hangs_does_not_hold_the_opening_for_ever(host_uri: str, lab: Lab) -> None:
    with hanging(lab), pytest.raises(HostUnreachableError) as caught:
        Session.open(HostSpec("node1", host_uri), timeout=1)
    assert "no answer within 1 s" in caught.value.detail


@pytest.mark.slow
def test_a_daemon_that_hangs_during_a_call_is_noticed_by_keepalive(session: Session, lab: Lab) -> None:
    begin = time.monotonic()
    with hanging(lab), pytest.raises(ConnectionLostError) as caught:
        session.call("virConnectListAllDomains", session.conn.listAllDomains)
    assert "keepalive" in caught.value.detail
    assert time.monotonic() - begin < 30
    session.reconnect()


def test_an_ended_guest_is_no_lost_connection(session: Session) -> None:
    domain = session.conn.createXML(
        "<domain type='qemu'><name>brief</name><memory unit='MiB'>16</memory><os><type arch='x86_64'>hvm</type></os></domain>"
    )
    domain.destroy()
    with pytest.raises(LibvirtCallError) as caught:
        session.call("virDomainSuspend", domain.suspend)
    assert caught.value.code == libvirt.VIR_ERR_NO_DOMAIN
