from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import platformdirs
import pytest

from reconciler.errors import HostError
from reconciler.host.filestore import Entry, FileStore
from reconciler.host.inventory import Inventory, projects
from reconciler.host.rebuild import rebuild
from reconciler.host.session import Session
from reconciler.host.shards import Record, encode, key_of
from reconciler.host.store import Store, store_of
from reconciler.model.resource import HostSpec, ResourceId
from reconciler.model.state import Mark

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


def mark(name: str, *, kind: str = "Network", project: str = "demo", digest: str = "d") -> Mark:
    return Mark(project, ResourceId(kind, name, "node1"), f"uuid-{name}", digest=digest, xml="<network/>", normalised={"a": None})


def open_session(uri: str) -> Session:
    return Session.open(HostSpec("node1", uri))


def files() -> list[Path]:
    return sorted(path for path in Path(platformdirs.user_state_dir("vireo")).rglob("*.json") if path.name != "process.json")


def test_marks_are_kept_until_they_are_forgotten(test_uri: str) -> None:
    with open_session(test_uri) as session:
        inventory = Inventory.open(session, "demo")
        inventory.write([mark("a"), mark("b")])
        inventory.write([mark("b", digest="new")])
        assert Inventory.open(session, "demo").marks == inventory.marks
        assert [kept.digest for kept in inventory.marks.values()] == ["d", "new"]
        inventory.forget([mark("a").id, mark("never there").id])
        assert list(Inventory.open(session, "demo").marks) == [mark("b").id]


def test_projects_do_not_see_each_others_marks(test_uri: str) -> None:
    with open_session(test_uri) as session:
        Inventory.open(session, "demo").write([mark("a")])
        Inventory.open(session, "demo2").write([mark("b", project="demo2")])
        assert list(Inventory.open(session, "demo").marks) == [mark("a").id]
        assert projects(session) == ["demo", "demo2"]
        Inventory.open(session, "demo2").forget([mark("b").id])
        assert projects(session) == ["demo"]


def test_of_a_domain_only_identity_and_digest_are_kept(test_uri: str) -> None:
    with open_session(test_uri) as session:
        Inventory.open(session, "demo").write([mark("a", kind="Domain"), mark("a")])
        kept = Inventory.open(session, "demo").marks
        domain, network = kept[mark("a", kind="Domain").id], kept[mark("a").id]
    assert (domain.uuid, domain.digest, domain.xml, domain.normalised) == ("uuid-a", "d", "", {})
    assert network == mark("a")


def test_writing_what_is_there_already_writes_nothing(test_uri: str) -> None:
    with open_session(test_uri) as session:
        Inventory.open(session, "demo").write([mark("a")])
        (path,) = files()
        before = path.stat()
        Inventory.open(session, "demo").write([mark("a")])
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_inventory_is_used_from_many_threads(test_uri: str) -> None:
    with open_session(test_uri) as session:
        inventory = Inventory.open(session, "demo")
        threads = [threading.Thread(target=lambda n=n: inventory.write([mark(f"n{n}")])) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(Inventory.open(session, "demo").marks) == 16


def test_a_writer_that_slept_does_not_write_over_what_another_wrote_meanwhile(test_uri: str) -> None:
    with open_session(test_uri) as session:
        Inventory.open(session, "demo").write([mark("a"), mark("b")])
        sleeper = Inventory.open(session, "demo")
        other = Inventory.open(session, "demo")
        other.write([mark("new")])
        other.forget([mark("b").id])
        sleeper.write([mark("a", digest="late")])
        kept = Inventory.open(session, "demo").marks
        assert {id_.name: known.digest for id_, known in kept.items()} == {"a": "late", "new": "d"}
        assert kept == sleeper.marks


def test_files_are_private_and_a_damaged_one_is_an_error(test_uri: str) -> None:
    with open_session(test_uri) as session:
        Inventory.open(session, "demo").write([mark("a")])
        (path,) = files()
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        path.write_text("{", encoding="utf-8")
        with pytest.raises(HostError, match="cannot use"):
            Inventory.open(session, "demo")


def test_a_damaged_text_is_named_and_rebuild_is_the_way_out(test_uri: str) -> None:
    with open_session(test_uri) as session:
        network = session.conn.networkDefineXML("<network><name>lan</name></network>")
        kept = Mark("demo", ResourceId("Network", "lan", "node1"), network.UUIDString())
        Inventory.open(session, "demo").write([mark("a")])
        (path,) = files()
        data = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**data, "text": "damaged"}), encoding="utf-8")
        with pytest.raises(HostError, match="vireo/demo/inventory/0") as caught:
            Inventory.open(session, "demo")
        assert "inventory rebuild" in caught.value.hint
        assert rebuild(session, "demo", [kept]) == [kept]
        assert Inventory.open(session, "demo").marks == {kept.id: kept}


def test_rebuild_keeps_entries_whose_objects_exist_and_drops_the_rest(test_uri: str) -> None:
    with open_session(test_uri) as session:
        network = session.conn.networkDefineXML("<network><name>lan</name></network>")
        session.conn.networkDefineXML("<network><name>other</name></network>")
        here = Mark("demo", ResourceId("Network", "lan", "node1"), network.UUIDString())
        replaced = Mark("demo", ResourceId("Network", "other", "node1"), "another uuid")
        Inventory.open(session, "demo").write([here, replaced, mark("gone")])
        assert rebuild(session, "demo") == [here]
        assert Inventory.open(session, "demo").marks == {here.id: here}


def test_a_copy_that_a_killed_process_left_is_outdated_and_never_comes_back(test_uri: str) -> None:
    with open_session(test_uri) as session:
        store = store_of(session)
        for number, digest in enumerate(["older", "newer"]):
            text = encode({key_of(mark("a").id): Record(number, mark("a", digest=digest))})
            assert store.create(f"vireo/demo/inventory/{number}", text)
        inventory = Inventory.open(session, "demo")
        assert [kept.digest for kept in inventory.marks.values()] == ["newer"]
        inventory.forget([mark("a").id])
        assert Inventory.open(session, "demo").marks == {}
        assert files() == []


@dataclass(frozen=True)
class Dying:
    """The store of a process that is killed after its first write."""

    store: Store
    writes: list[str] = field(default_factory=list)

    def entries(self, prefix: str) -> list[Entry]:
        return self.store.entries(prefix)

    def create(self, usage: str, text: str) -> Entry | None:
        return self._once(lambda: self.store.create(usage, text))

    def replace(self, entry: Entry, text: str) -> Entry | None:
        return self._once(lambda: self.store.replace(entry, text))

    def remove(self, entry: Entry) -> bool:
        return self._once(lambda: self.store.remove(entry))

    def _once(self, write: Callable[[], T]) -> T:
        if self.writes:
            raise KeyboardInterrupt
        self.writes.append("one")
        return write()


def test_a_kill_while_forgetting_does_not_revive_an_outdated_copy(test_uri: str) -> None:
    with open_session(test_uri) as session:
        store = store_of(session)
        for number, digest in enumerate(["newer", "older"]):
            text = encode({key_of(mark("a").id): Record(-number, mark("a", digest=digest))})
            assert store.create(f"vireo/demo/inventory/{number}", text)
        with pytest.raises(KeyboardInterrupt):
            Inventory(Dying(store), "demo", "node1").forget([mark("a").id])
        assert [kept.digest for kept in Inventory.open(session, "demo").marks.values()] == ["newer"]


# --- files ----------------------------------------------------------------------------------------------------


def test_each_private_host_of_the_test_driver_has_an_inventory_of_its_own(test_uri: str) -> None:
    with open_session(test_uri) as one, open_session(test_uri) as two:
        Inventory.open(one, "demo").write([mark("a")])
        assert Inventory.open(two, "demo").marks == {}


def test_the_shared_host_of_the_test_driver_has_one_inventory() -> None:
    with open_session("test:///default") as one, open_session("test:///default") as two:
        Inventory.open(one, "demo").write([mark("a")])
        assert list(Inventory.open(two, "demo").marks) == [mark("a").id]


def test_what_a_process_owned_in_its_memory_is_void_when_it_has_ended() -> None:
    code = (
        "from reconciler.host.filestore import Entry, FileStore\n"
        "store = FileStore.of_host('test:///default', world='shared')\n"
        "assert store.create('vireo/demo/inventory/0', 'text')\n"
        "print(store.folder)\n"
    )
    folder = Path(
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    )
    assert folder.is_dir()
    assert FileStore.of_host("test:///default", world="shared").entries("vireo/") == []
    assert not folder.exists()


def test_only_one_of_many_processes_creates_an_entry(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from reconciler.host.filestore import Entry, FileStore\n"
        "store = FileStore(Path(sys.argv[1]))\n"
        "sys.stdin.readline()\n"
        "print(sum(store.create(f'vireo/demo/{n}', 'mine') is not None for n in range(50)))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sum(int(process.communicate()[0]) for process in processes) == 50


def test_an_entry_made_again_under_its_name_is_another_one(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first = store.create("vireo/demo/lock", "one")
    assert first
    assert store.create("vireo/demo/lock", "two") is None
    assert store.remove(first)
    second = store.create("vireo/demo/lock", "two")
    assert second
    assert not store.remove(first)
    assert store.replace(first, "three") is None
    assert store.entries("vireo/demo/") == [second]
