from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from reconciler.host.inventory import Inventory
from reconciler.host.observe import observe, observe_one
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec, ResourceId
from reconciler.model.state import Mark, Observed
from reconciler.xmltree import mark as marks
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until

UUID = "4dea22b3-1d52-4d8f-a3b7-7f2a4b1b9d10"


@pytest.fixture
def session(host_uri: str) -> Iterator[Session]:
    with Session.open(HostSpec("node1", host_uri)) as opened:
        yield opened


def domain_xml(metadata: str = "", devices: str = "") -> str:
    return (
        f"<domain type='qemu'><name>web1</name><uuid>{UUID}</uuid><metadata>{metadata}</metadata><memory unit='MiB'>16</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{devices}</devices></domain>"
    )


def web1(session: Session) -> Observed:
    """The domain as the bulk pass sees it; a read of it alone must say the same."""
    found = observe(session, "demo").resources[ResourceId("Domain", "web1", "node1")]
    assert observe_one(session, "demo", found.id, found.uuid) == found
    return found


def test_a_domain_is_seen_through_all_its_states(session: Session) -> None:
    domain = session.conn.defineXML(domain_xml())
    assert (web1(session).state, web1(session).live) == ("stopped", None)
    domain.setAutostart(1)
    domain.create()
    running = web1(session)
    assert (running.state, running.autostart) == ("running", True)
    assert running.live
    assert " id='" in running.live.splitlines()[0]
    domain.suspend()
    paused = web1(session)
    assert (paused.state, paused.details["reason"]) == ("paused", "user")
    domain.managedSave()
    saved = web1(session)
    assert (saved.state, saved.live, saved.details["managed_save"]) == ("saved", None, True)
    domain.managedSaveRemove()
    assert web1(session).state == "stopped"


def test_a_persistent_domain_that_was_undefined_while_running_is_transient(session: Session) -> None:
    domain = session.conn.defineXML(domain_xml())
    domain.create()
    domain.undefine()
    found = web1(session)
    assert (found.state, found.persistent, found.autostart) == ("running", None, None)


def test_a_guest_whose_qemu_was_killed_says_that_it_crashed(session: Session, lab: Lab) -> None:
    domain = session.conn.defineXML(domain_xml())
    domain.create()
    pid = (lab.directory / "node1/run/libvirt/qemu/web1.pid").read_text(encoding="ascii")
    lab.run(1, ["kill", "-9", pid])
    wait_until(lambda: not domain.isActive())
    found = web1(session)
    assert (found.state, found.details["reason"]) == ("stopped", "crashed")


@pytest.fixture
def folder(lab: Lab) -> Path:
    path = lab.images / "pool"
    path.mkdir()
    return path


def make_pool(session: Session, folder: Path) -> libvirt.virStoragePool:
    pool = session.conn.storagePoolDefineXML(f"<pool type='dir'><name>images</name><target><path>{folder}</path></target></pool>")
    pool.create()
    return pool


def test_snapshots_of_an_owned_domain_are_read_parents_first(session: Session, folder: Path) -> None:
    mark = Mark("demo", ResourceId("Domain", "web1", "node1"), UUID)
    make_pool(session, folder).createXML(
        "<volume><name>a.qcow2</name><capacity unit='MiB'>1</capacity><target><format type='qcow2'/></target></volume>"
    )
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{folder}/a.qcow2'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    domain = session.conn.defineXML(domain_xml(marks.write(mark), disk))
    assert web1(session).details["snapshots"] == ()
    domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
    domain.snapshotCreateXML("<domainsnapshot><name>another</name><description>d</description></domainsnapshot>")
    found = web1(session)
    one, another = found.details["snapshots"]
    assert (one.name, one.parent, one.current, one.internal, one.state) == ("one", "", False, ("vda",), "shutoff")
    assert (another.name, another.parent, another.current, another.description) == ("another", "one", True, "d")
    assert one.created > 0
    assert found.details["checkpoints"] == 0
    assert found.mark == mark


POOL = ResourceId("Pool", "images", "node1")
VOLUME = ResourceId("Volume", "a.img", "node1", "images")


def test_a_file_that_was_removed_behind_libvirts_back_is_no_volume_any_more(session: Session, folder: Path) -> None:
    pool = make_pool(session, folder)
    volume = pool.createXML("<volume><name>a.img</name><capacity unit='MiB'>1</capacity></volume>")
    found = observe(session, "demo").resources[VOLUME]
    assert (found.uuid, found.state) == (volume.key(), "present")
    assert observe_one(session, "demo", VOLUME, found.uuid) == found
    (folder / "a.img").unlink()
    assert observe_one(session, "demo", VOLUME, found.uuid) is None
    assert VOLUME not in observe(session, "demo").resources


def test_a_file_that_was_put_there_behind_libvirts_back_is_a_volume(session: Session, folder: Path) -> None:
    make_pool(session, folder)
    (folder / "a.img").write_bytes(b"x" * 4096)
    assert observe(session, "demo").resources[VOLUME].state == "present"


def test_a_pool_whose_folder_is_gone_is_inactive_and_says_why(session: Session, folder: Path) -> None:
    make_pool(session, folder)
    shutil.rmtree(folder)
    found = observe(session, "demo").resources[POOL]
    assert (found.state, found.live) == ("inactive", None)
    assert "No such file or directory" in found.details["refresh"]


def test_reading_over_a_read_only_connection_refreshes_nothing(session: Session, folder: Path, host_uri: str) -> None:
    make_pool(session, folder)
    shutil.rmtree(folder)
    with Session.open(HostSpec("node1", f"{host_uri}-ro")) as reader:
        assert observe(reader, "demo").resources[POOL].state == "active"


def test_a_pool_made_anew_under_our_name_is_not_ours(session: Session, folder: Path) -> None:
    pool = make_pool(session, folder)
    mark = Mark("demo", POOL, pool.UUIDString())
    Inventory.open(session, "demo").write([mark])
    assert observe(session, "demo").resources[POOL].mark == mark
    pool.destroy()
    pool.undefine()
    make_pool(session, folder)
    state = observe(session, "demo")
    assert state.resources[POOL].mark is None
    assert state.inventory[POOL] == mark


def test_networks_have_both_definitions_while_they_run(session: Session) -> None:
    network = session.conn.networkDefineXML(
        "<network><name>lan</name><bridge name='virbr77'/><ip address='10.77.0.1' prefix='24'/></network>"
    )
    identity = ResourceId("Network", "lan", "node1")
    network.create()
    found = observe(session, "demo").resources[identity]
    assert (found.state, found.autostart) == ("active", False)
    assert found.persistent
    assert found.live
    assert observe_one(session, "demo", identity, found.uuid) == found
    network.undefine()
    assert observe(session, "demo").resources[identity].persistent is None
