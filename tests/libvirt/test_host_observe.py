from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator

import libvirt
import pytest

from reconciler.host.inventory import Inventory
from reconciler.host.observe import observe, observe_one
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec, ResourceId
from reconciler.model.state import HostState, Mark
from reconciler.xmltree import mark as marks

PROJECT = "demo"


@pytest.fixture
def session(test_uri: str) -> Iterator[Session]:
    with Session.open(HostSpec("node1", test_uri)) as opened:
        yield opened


def identity(kind: str, name: str, pool: str = "") -> ResourceId:
    return ResourceId(kind, name, "node1", pool)


def mark(kind: str, name: str, of: str, *, project: str = PROJECT, pool: str = "", pending: bool = False) -> Mark:
    return Mark(project, identity(kind, name, pool), of, digest="d" * 32, xml="<x/>", pending=pending)


def domain_xml(name: str, *, own: str = "", metadata: str = "") -> str:
    return (
        f"<domain type='test'><name>{name}</name><uuid>{own or uuid.uuid4()}</uuid><metadata>{metadata}</metadata>"
        "<memory unit='MiB'>8</memory><os><type>hvm</type></os></domain>"
    )


def pool_xml(name: str) -> str:
    return f"<pool type='dir'><name>{name}</name><target><path>/srv/{name}</path></target></pool>"


def make_stopped(conn: libvirt.virConnect) -> None:
    conn.defineXML(domain_xml("web1"))


def make_running(conn: libvirt.virConnect) -> None:
    conn.defineXML(domain_xml("web1")).create()


def make_paused(conn: libvirt.virConnect) -> None:
    domain = conn.defineXML(domain_xml("web1"))
    domain.create()
    domain.suspend()


def make_saved(conn: libvirt.virConnect) -> None:
    domain = conn.defineXML(domain_xml("web1"))
    domain.create()
    domain.managedSave()


STATES: dict[str, Callable[[libvirt.virConnect], None]] = {
    "stopped": make_stopped,
    "running": make_running,
    "paused": make_paused,
    "saved": make_saved,
}


@pytest.mark.parametrize("state", STATES)
def test_a_domains_state_is_one_of_ours_and_bulk_and_single_reads_agree(session: Session, state: str) -> None:
    STATES[state](session.conn)
    found = observe(session, PROJECT).resources[identity("Domain", "web1")]
    assert found.state == state
    assert found.persistent is not None
    assert (found.live is not None) == (state in {"running", "paused"})
    assert found.autostart is False
    assert found.details["managed_save"] == (state == "saved")
    assert observe_one(session, PROJECT, found.id, found.uuid) == found


def test_why_a_domain_is_paused_is_told(session: Session) -> None:
    make_paused(session.conn)
    assert observe(session, PROJECT).resources[identity("Domain", "web1")].details["reason"] == "user"


def test_a_transient_domain_has_a_live_definition_only(session: Session) -> None:
    session.conn.createXML(domain_xml("web1"))
    found = observe(session, PROJECT).resources[identity("Domain", "web1")]
    assert (found.state, found.persistent, found.autostart) == ("running", None, None)
    assert found.live is not None


def test_everything_on_the_host_is_observed_with_its_autostart(session: Session) -> None:
    conn = session.conn
    conn.networkDefineXML("<network><name>lan</name></network>").setAutostart(1)
    conn.networkCreateXML("<network><name>passing</name></network>")
    pool = conn.storagePoolDefineXML(pool_xml("images"))
    pool.setAutostart(1)
    pool.create()
    pool.createXML("<volume><name>a.img</name><capacity unit='MiB'>1</capacity></volume>")
    conn.storagePoolDefineXML(pool_xml("off"))
    state = observe(session, PROJECT)
    seen = {
        found.id: (found.state, found.autostart, found.persistent is None, found.live is None)
        for found in state.resources.values()
    }
    assert seen == {
        identity("Network", "lan"): ("inactive", True, False, True),
        identity("Network", "passing"): ("active", None, True, False),
        identity("Pool", "images"): ("active", True, False, False),
        identity("Pool", "off"): ("inactive", False, False, True),
        identity("Volume", "a.img", "images"): ("present", None, False, True),
    }
    for found in state.resources.values():
        assert observe_one(session, PROJECT, found.id, found.uuid) == found


@pytest.mark.parametrize("kind", ["Domain", "Network", "Pool", "Volume"])
def test_what_is_not_there_is_none(session: Session, kind: str) -> None:
    assert observe_one(session, PROJECT, identity(kind, "ghost", "ghosts" if kind == "Volume" else ""), str(uuid.uuid4())) is None


# --- whose it is ----------------------------------------------------------------------------------------------


def marked_domain(session: Session, name: str, *, project: str = PROJECT, named: str = "", of: str = "") -> str:
    """Defines a domain whose mark names `project`, the name `named` and the UUID `of` (by default the domain's own)."""
    own = str(uuid.uuid4())
    text = marks.write(mark("Domain", named or name, of or own, project=project))
    session.conn.defineXML(domain_xml(name, own=own, metadata=text))
    return own


def test_a_domain_with_our_mark_is_ours(session: Session) -> None:
    own = marked_domain(session, "web1")
    state = observe(session, PROJECT)
    found = state.resources[identity("Domain", "web1")]
    assert found.mark == mark("Domain", "web1", own)
    assert found.details["snapshots"] == ()
    assert state.inventory[found.id] == found.mark
    assert state.foreign_marks == {}


def test_a_domain_with_another_projects_mark_is_theirs(session: Session) -> None:
    marked_domain(session, "web1", project="other")
    state = observe(session, PROJECT)
    assert state.resources[identity("Domain", "web1")].mark is None
    assert state.foreign_marks == {identity("Domain", "web1"): "other"}
    assert state.inventory == {}


def test_a_clone_that_carries_the_originals_mark_is_nobodys(session: Session) -> None:
    original = marked_domain(session, "web1")
    marked_domain(session, "copy", named="web1", of=original)
    state = observe(session, PROJECT)
    copy = state.resources[identity("Domain", "copy")]
    assert copy.mark is None
    assert copy.details["clone_of"] == original
    assert identity("Domain", "copy") not in state.foreign_marks
    assert state.inventory[identity("Domain", "web1")].uuid == original


def test_a_renamed_domain_stays_ours_and_says_its_old_name(session: Session) -> None:
    marked_domain(session, "new", named="old")
    found = observe(session, PROJECT).resources[identity("Domain", "new")]
    assert found.mark is not None
    assert found.details["renamed_from"] == "old"


def test_a_transient_domain_with_our_mark_is_ours(session: Session) -> None:
    own = str(uuid.uuid4())
    session.conn.createXML(domain_xml("web1", own=own, metadata=marks.write(mark("Domain", "web1", own))))
    assert observe(session, PROJECT).resources[identity("Domain", "web1")].mark is not None


def test_a_domain_that_lost_its_mark_is_known_by_the_inventory(session: Session) -> None:
    domain = session.conn.defineXML(domain_xml("web1"))
    Inventory.open(session, PROJECT).write([mark("Domain", "web1", domain.UUIDString())])
    found = observe(session, PROJECT).resources[identity("Domain", "web1")]
    assert found.mark is not None
    assert found.mark.uuid == domain.UUIDString()


def test_the_mark_on_the_domain_counts_more_than_the_inventory(session: Session) -> None:
    own = marked_domain(session, "web1")
    Inventory.open(session, PROJECT).write([Mark(PROJECT, identity("Domain", "web1"), own, digest="older")])
    state = observe(session, PROJECT)
    found = state.resources[identity("Domain", "web1")]
    assert found.mark is not None
    assert found.mark.digest == "d" * 32
    assert state.inventory[found.id].digest == "d" * 32


def listed(session: Session, kind: str, *, project: str, uuid_of: str | None = None, pending: bool = False) -> HostState:
    """A pool, volume or network that `project` lists in its inventory, as this project observes the host."""
    pool = session.conn.storagePoolDefineXML(pool_xml("images"))
    pool.create()
    volume = pool.createXML("<volume><name>a.img</name><capacity unit='MiB'>1</capacity></volume>")
    network = session.conn.networkDefineXML("<network><name>lan</name></network>")
    uuids = {"Pool": pool.UUIDString(), "Volume": volume.key(), "Network": network.UUIDString()}
    of = uuids[kind] if uuid_of is None else uuid_of
    entry = mark(kind, NAMES[kind].name, of, project=project, pool=NAMES[kind].pool, pending=pending)
    Inventory.open(session, project).write([entry])
    return observe(session, PROJECT)


NAMES = {
    "Pool": identity("Pool", "images"),
    "Volume": identity("Volume", "a.img", "images"),
    "Network": identity("Network", "lan"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_what_our_inventory_lists_is_ours_and_nothing_else_is(session: Session, kind: str) -> None:
    state = listed(session, kind, project=PROJECT)
    assert [found.id for found in state.resources.values() if found.mark is not None] == [NAMES[kind]]
    assert list(state.inventory) == [NAMES[kind]]


@pytest.mark.parametrize("kind", NAMES)
def test_what_another_inventory_lists_is_theirs(session: Session, kind: str) -> None:
    state = listed(session, kind, project="other")
    assert state.resources[NAMES[kind]].mark is None
    assert state.foreign_marks == {NAMES[kind]: "other"}


@pytest.mark.parametrize("kind", NAMES)
def test_what_two_inventories_list_is_ours_and_the_other_project_is_named(session: Session, kind: str) -> None:
    assert listed(session, kind, project=PROJECT).shared == {}
    name = NAMES[kind]
    (own,) = (found for found in observe(session, PROJECT).resources.values() if found.id == name)
    elsewhere = mark(kind, "by another name", own.uuid, project="other", pool=name.pool and "elsewhere")
    Inventory.open(session, "other").write([elsewhere])
    state = observe(session, PROJECT)
    assert state.resources[name].mark is not None
    assert state.shared == {name: "other"}


@pytest.mark.parametrize("kind", NAMES)
def test_an_entry_for_another_object_of_that_name_is_void_but_kept(session: Session, kind: str) -> None:
    state = listed(session, kind, project=PROJECT, uuid_of="somebody elses")
    assert state.resources[NAMES[kind]].mark is None
    assert state.inventory[NAMES[kind]].uuid == "somebody elses"


def test_a_creation_that_was_not_finished_is_ours_before_its_uuid_is_known(session: Session) -> None:
    assert listed(session, "Volume", project=PROJECT, uuid_of="", pending=True).resources[NAMES["Volume"]].mark is not None


def test_an_entry_whose_object_is_gone_stays_in_the_inventory(session: Session) -> None:
    gone = mark("Network", "lan", str(uuid.uuid4()))
    Inventory.open(session, PROJECT).write([gone])
    state = observe(session, PROJECT)
    assert state.resources == {}
    assert state.inventory == {gone.id: gone}


def test_objects_that_come_and_go_during_the_pass_do_no_harm(session: Session) -> None:
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            domains = [session.conn.defineXML(domain_xml(f"d{number}")) for number in range(20)]
            for domain in domains:
                domain.create()
            for domain in domains:
                domain.destroy()
            for domain in domains:
                domain.undefine()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        passes = [observe(session, PROJECT) for _ in range(200)]
    finally:
        done.set()
        thread.join()
    seen = [found for state in passes for found in state.resources.values()]
    assert {found.state for found in seen} == {"running", "stopped"}
    for found in seen:
        assert (found.live is not None) == (found.state == "running")
        assert found.live is None or " id='" in found.live.splitlines()[0]
