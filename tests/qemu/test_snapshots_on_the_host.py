"""Snapshots of real guests: each form, state and disk format, through taking, listing, reverting and deleting."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import libvirt
import pytest

from reconciler.cli.app import run
from reconciler.errors import EXIT_FAILURE, EXIT_OK, ConnectionLostError, HostError, LibvirtCallError, NotOursError
from reconciler.host.drivers.places import PREFIX
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec
from reconciler.model.snapshot import REVERTING, taken_at
from reconciler.xmltree import mark as marks
from tests.driving import Hands, domain_xml
from tests.lab.nodes import Lab
from tests.qemu.conftest import DOMAIN, POOL, Result, Vireo, manifest
from tests.snapshotting import INACTIVE, UUID, Album, disk, volume


@pytest.fixture
def album(host_uri: str, lab: Lab) -> Iterator[Album]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Album(Hands(session), lab)


# --- the matrix: by the commands that people type -------------------------------------------------------------------

DISKS = {"qcow2": ("a.qcow2",), "raw": ("a.raw",), "two": ("a.qcow2", "b.raw")}
NAME, TARGETS = "web1", ("vda", "vdb")


def lay_out(vireo: Vireo, state: str, disks: tuple[str, ...], **volume: Any) -> None:
    """A domain in that state, with these volumes as its disks."""
    found = []
    for target, name in zip(TARGETS, disks, strict=False):
        found.append({"target": target, "bus": "virtio", "volume": {"pool": "images", "name": name}})
        form = name.rpartition(".")[2]
        vireo.add(manifest("Volume", name, {"pool": "images", "capacity": "1MiB", "format": form, **volume}))
    kept = {name: value for name, value in DOMAIN["spec"].items() if name not in {"interfaces", "graphics", "disks"}}
    vireo.add(POOL, manifest("Domain", NAME, {**kept, "state": state, "disks": found}))
    vireo.apply()


def snapshot(vireo: Vireo, verb: str, *argv: str) -> Result:
    """`vireo snapshot VERB NAME ... FOLDER`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["snapshot", verb, NAME, *argv, str(vireo.folder), "-c", vireo.uri])
    return Result(code, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("disks", DISKS)
@pytest.mark.parametrize("state", ["running", "stopped", "paused"])
@pytest.mark.parametrize("mode", ["internal", "external"])
def test_each_form_brings_the_data_back_or_says_why_it_cannot_be(
    vireo: Vireo, album: Album, mode: str, state: str, disks: str
) -> None:
    lay_out(vireo, state, DISKS[disks])
    album.uuid = vireo.domain().UUIDString()
    targets = TARGETS[: len(DISKS[disks])]
    album.write_all(0x11, targets)
    made = snapshot(vireo, "create", "one", "--mode", mode)
    if mode == "internal" and disks != "qcow2":
        assert made.code == EXIT_FAILURE
        assert re.search(r"cannot be internal: the disk vd[ab] is raw .*only qcow2 holds snapshots itself", made.err)
        assert "mode: external" in made.err
        assert snapshot(vireo, "list", "-o", "json").json["domains"][0]["snapshots"] == []
        vireo.assert_in_sync()
        return
    assert made.code == EXIT_OK, made.err
    vireo.assert_in_sync()
    [one] = snapshot(vireo, "list", "-o", "json").json["domains"][0]["snapshots"]
    assert (one["name"], one["current"], one["state"]) == ("one", True, {"stopped": "shutoff"}.get(state, state))
    album.write_all(0x22, targets)
    assert [album.read(target) for target in targets] == [0x22 for _ in targets]
    reverted = snapshot(vireo, "revert", "one", "--yes", "--allow", "data-loss")
    assert reverted.code == EXIT_OK, reverted.err
    assert album.state == state
    assert [album.read(target) for target in targets] == [0x11 for _ in targets]
    vireo.assert_in_sync()
    album.write_all(0x33, targets)
    deleted = snapshot(vireo, "delete", "one", "--yes")
    assert deleted.code == EXIT_OK, deleted.err
    assert album.state == state
    assert [album.read(target) for target in targets] == [0x33 for _ in targets]
    assert snapshot(vireo, "list", "-o", "json").json["domains"][0]["snapshots"] == []
    assert album.files("pool") == set(DISKS[disks])
    vireo.assert_in_sync()


# --- trees ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pool(album: Album) -> str:
    """A pool whose volumes the guest's disks name."""
    return pool_over(album)


def pool_over(album: Album) -> str:
    folder = album.image("a.qcow2", "pool").parent
    text = f"<pool type='dir'><name>images</name><target><path>{folder}</path></target></pool>"
    album.hands.conn.storagePoolDefineXML(text).create()
    return "images"


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_tree_of_both_kinds_over_a_volume_is_taken_down_in_any_order_and_names_the_volume_again(
    album: Album, pool: str, state: str
) -> None:
    album.define(volume(pool, "a.qcow2"))
    before = album.disks(INACTIVE)
    album.bring(state)
    album.write(1)
    album.take("in")
    for number, name in enumerate(("one", "two", "three"), 2):
        album.write(number)
        album.take(name, mode="external")
    album.write(9)
    assert album.tree == {"in": "", "one": "in", "two": "one", "three": "two"}
    assert {"a.qcow2.one", "a.qcow2.two", "a.qcow2.three"} < album.files("pool")
    album.delete("two")
    assert (album.tree, album.read()) == ({"in": "", "one": "in", "three": "one"}, 9)
    album.delete("one")
    assert (album.tree, album.current, album.read()) == ({"in": "", "three": "in"}, "three", 9)
    with pytest.raises(HostError, match=r"cannot be reverted to in: .*a\.qcow2\.three stands on") as refused:
        album.revert("in")
    assert refused.value.hint == "delete the external snapshot three first"
    album.revert("three")
    assert album.read() == 4
    album.delete("three")
    assert (album.tree, album.current, album.read(), album.files("pool")) == ({"in": ""}, "in", 4, {"a.qcow2"})
    assert plain(album.disks(INACTIVE)) == plain(before)
    album.revert("in")
    assert (album.read(), album.state) == (1, state)
    album.delete("in")
    assert album.entry.snapshots == {}


def plain(disks: dict[str, str]) -> dict[str, str]:
    return {target: "".join(element.replace("<backingStore/>", "").split()) for target, element in disks.items()}


def test_a_snapshot_that_virsh_took_is_deleted_or_says_what_to_do_first(album: Album, pool: str) -> None:
    album.define(volume(pool, "a.qcow2"))
    before = album.disks(INACTIVE)
    path = album.lab.images / "pool" / "a.virsh"
    text = f"<domainsnapshot><name>theirs</name><disks><disk name='vda'><source file='{path}'/></disk></disks></domainsnapshot>"
    album.domain.snapshotCreateXML(text, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
    album.write(5)
    album.bring("running")
    with pytest.raises(LibvirtCallError) as refused:
        album.delete("theirs")
    assert refused.value.hint == "stop the guest first: for a stopped one the snapshot can be deleted"
    album.domain.destroy()
    album.delete("theirs")
    assert (album.snapshots, album.read(), album.files("pool")) == ({}, 5, {"a.qcow2"})
    assert plain(album.disks(INACTIVE)) == plain(before)


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_shared_base_below_is_read_through_and_never_written_to(vireo: Vireo, album: Album, state: str) -> None:
    vireo.add(manifest("Volume", "base.qcow2", {"pool": "images", "capacity": "1MiB", "format": "qcow2"}))
    lay_out(vireo, "stopped", ("a.qcow2",), backing={"volume": "base.qcow2"})
    album.uuid = vireo.domain().UUIDString()
    base = album.lab.images / "pool" / "base.qcow2"
    album.lab.run(1, ["qemu-io", "-f", "qcow2", "-c", "write -P 0x77 512k 64k", str(base)])
    before = base.read_bytes()
    vireo.spec("Domain/web1")["state"] = state
    vireo.apply()
    for name in ("one", "two"):
        assert snapshot(vireo, "create", name, "--mode", "external").code == EXIT_OK
        album.write(0x22)
    assert snapshot(vireo, "delete", "one", "--yes").code == EXIT_OK
    vireo.assert_in_sync()
    assert snapshot(vireo, "revert", "two", "--yes", "--allow", "data-loss").code == EXIT_OK
    vireo.assert_in_sync()
    assert snapshot(vireo, "delete", "two", "--yes").code == EXIT_OK
    vireo.assert_in_sync()
    assert (album.read(), album.read(at="512k")) == (0x22, 0x77)
    assert (base.read_bytes() == before, album.files("pool")) == (True, {"a.qcow2", "base.qcow2"})


def test_branches_keep_what_they_stand_on_until_the_last_of_them_goes(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")))
    album.write(1)
    album.take("one", mode="external")
    album.write(2)
    album.take("two", mode="external")
    album.write(3)
    album.revert("one")
    assert album.read() == 1
    album.write(4)
    album.take("three", mode="external")
    assert album.tree == {"one": "", "two": "one", "three": "one"}
    album.revert("two")
    assert album.read() == 2
    album.delete("one")
    album.revert("three")
    assert album.read() == 4
    album.delete("two")
    album.delete("three")
    assert album.read() == 4
    assert (album.snapshots, album.files()) == ({}, {"a.qcow2", "a.qcow2.one.r1"})


def test_a_snapshot_outside_of_every_pool_leaves_no_pool_behind(album: Album) -> None:
    album.define(disk(album.image("a.qcow2", "apart")))
    album.bring("running")
    album.write(1)
    album.take("one", mode="external")
    album.write(2)
    album.revert("one")
    album.delete("one")
    assert (album.files("apart"), album.hands.conn.listAllStoragePools()) == ({"a.qcow2"}, [])


def test_a_transient_guest_is_reverted_and_stays_transient(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")), persistent=False)
    album.write(1)
    album.take("in")
    album.take("memory", mode="external")
    album.write(2)
    album.take("disk", mode="external", memory="false")
    album.write(3)
    album.revert("disk")
    assert (album.read(), album.state, album.domain.isPersistent()) == (2, "running", 0)
    album.revert("memory")
    assert (album.read(), album.state, album.domain.isPersistent()) == (1, "running", 0)
    assert album.tree == {"in": "", "memory": "in", "disk": "memory"}
    for name in ("disk", "memory"):
        album.delete(name)
    album.revert("in")
    assert (album.read(), album.domain.isPersistent(), album.files()) == (1, 0, {"a.qcow2"})


# --- refusals: each before anything is touched, with what to do instead ---------------------------------------------


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "memory of a stopped guest": ({"memory": "true"}, "cannot hold memory: the guest is not running", "start it first"),
    "an unknown disk": ({"disks": ("vdz",)}, "has no disk vdz that can be written to", "its disks are: vda, vdb"),
    "a part of the disks inside": ({"mode": "internal", "disks": ("vda",)}, "all disks that can be written to, vdb", "external"),
    "a name that is no file": ({"name": "a/b", "mode": "external"}, "cannot be the end of a file's name", "without `/`"),
    "memory and quiet": ({"memory": "true", "quiesce": "true", "active": True}, "libvirt quiesces snapshots of disks", "auto"),
    "inside without memory": ({"mode": "internal", "memory": "false", "active": True}, "it always holds the memory", "external"),
    "quiet without an agent": ({"quiesce": "true", "active": True}, "could not be taken", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wish_that_cannot_be_is_refused_in_words_that_help(album: Album, case: str) -> None:
    wish, words, hint = dict(REFUSED[case][0]), *REFUSED[case][1:]
    album.define(disk(album.image("a.qcow2")), disk(album.image("b.qcow2"), "vdb"))
    if wish.pop("active", False):
        album.bring("paused")
    before = album.domain.XMLDesc()
    with pytest.raises(HostError, match=words) as refused:
        album.take(**{"name": "one", **wish})
    assert hint in refused.value.hint
    assert (album.files(), album.entry.snapshots, album.snapshots) == ({"a.qcow2", "b.qcow2"}, {}, {})
    assert album.domain.XMLDesc() == before


@pytest.mark.parametrize("taken", ["a.qcow2.one", "a.qcow2.one.memory"])
def test_a_file_in_the_way_is_never_written_over(album: Album, taken: str) -> None:
    album.define(disk(album.image("a.qcow2")))
    album.bring("paused")
    (album.lab.images / taken).write_text("precious")
    with pytest.raises(HostError, match=f"{taken} is there already"):
        album.take("one", mode="external")
    assert (album.lab.images / taken).read_text() == "precious"
    assert album.files() == {"a.qcow2", taken}


def test_files_below_a_pool_that_is_stopped_are_not_taken_for_absent(album: Album) -> None:
    album.define(disk(album.image("a.qcow2", "pool")))
    pool_over(album)
    album.hands.conn.storagePoolLookupByName("images").destroy()
    with pytest.raises(HostError, match="its pool is not active") as refused:
        album.take("one", mode="external")
    assert refused.value.hint.startswith("start the pool")
    assert (album.files("pool"), album.entry.snapshots) == ({"a.qcow2"}, {})


def test_a_saved_guest_gets_no_overlay_and_is_not_reverted(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")))
    album.take("in")
    album.bring("running")
    album.domain.managedSave()
    for refused in (lambda: album.take("one", mode="external"), lambda: album.revert("in")):
        with pytest.raises(HostError, match="the guest is saved") as error:
            refused()
        assert error.value.hint.startswith("start it first")
    assert (album.entry.reverted, album.domain.hasManagedSaveImage()) == ("", 1)


def test_policy_deletes_only_what_the_inventory_says_is_ours(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")))
    ours = album.take("ours")
    album.domain.snapshotCreateXML("<domainsnapshot><name>theirs</name></domainsnapshot>")
    album.take("theirs")
    assert album.entry.snapshots == {"ours": f"{ours.created} declared"}
    with pytest.raises(NotOursError, match="theirs was not taken by Vireo"):
        album.delete("theirs", by="declared")
    album.delete("ours", by="declared")
    album.delete("ours", by="declared")
    assert (set(album.snapshots), album.entry.snapshots) == ({"theirs"}, {})
    album.delete("theirs")
    assert album.snapshots == {}


@pytest.mark.parametrize("way", ["hand", "before"])
def test_policy_deletes_nothing_that_was_taken_for_no_manifest(album: Album, way: str) -> None:
    album.define(disk(album.image("a.qcow2")))
    made = album.take("one", way=way)
    assert album.entry.snapshots == {"one": f"{made.created} {way}"}
    with pytest.raises(NotOursError, match="one was not taken for a manifest"):
        album.delete("one", by="declared")
    album.delete("one")
    assert (album.snapshots, album.entry.snapshots) == ({}, {})


def test_a_base_that_another_domain_uses_is_not_merged_into(album: Album) -> None:
    image = album.image("a.qcow2")
    album.define(disk(image))
    album.write(1)
    album.take("one", mode="external")
    album.write(2)
    other = album.lab.images / "clone.qcow2"
    album.lab.run(1, ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "qcow2", str(other)])
    before = image.read_bytes()
    album.delete("one")
    assert (album.snapshots, album.read(), image.read_bytes() == before) == ({}, 2, True)
    assert any("clone.qcow2 stands on what is below it" in message for message, _ in album.hands.reports)
    album.take("two", mode="external")
    other.unlink()
    middle = disk(album.lab.images / "a.qcow2.one").replace("type='one'", "type='qcow2'")
    album.hands.conn.defineXML(domain_xml("other", UUID.replace("1", "9"), devices=middle))
    album.delete("two")
    assert "a.qcow2.one" in album.files()
    assert album.read() == 2


def test_what_a_snapshot_stands_on_being_gone_is_said_before_the_guest_is_ended(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")))
    album.bring("running")
    album.take("one", mode="external")
    (album.lab.images / "a.qcow2.one.memory").unlink()
    with pytest.raises(HostError, match=r"a\.qcow2\.one\.memory is not there any more"):
        album.revert("one")
    assert (album.state, album.entry.reverted) == ("running", "")
    with pytest.raises(HostError, match="there is no snapshot two"):
        album.revert("two")


def test_disks_that_qemu_keeps_closed_are_said_to_be_so(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")))
    album.bring("paused")
    album.take("one", mode="external")
    for refused in (lambda: album.delete("one"), lambda: album.take("two", mode="external")):
        with pytest.raises(LibvirtCallError, match="could not be") as error:
            refused()
        assert "resume it" in error.value.hint
    assert (album.tree, set(album.entry.snapshots)) == ({"one": ""}, {"one"})
    album.domain.resume()
    album.delete("one")
    assert album.files() == {"a.qcow2"}


def test_a_pool_disk_that_is_left_out_keeps_what_was_written_since(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")), disk(album.image("b.raw"), "vdb"))
    one = album.take("one", disks=("vda",))
    assert one.overlays == {"vda": str(album.lab.images / "a.qcow2.one")}
    for target in ("vda", "vdb"):
        album.write(7, target)
    album.revert("one")
    assert (album.read("vda"), album.read("vdb")) == (0, 7)
    album.delete("one")
    assert (album.read("vda"), album.read("vdb"), album.files()) == (0, 7, {"a.qcow2", "b.raw"})


@pytest.mark.parametrize("mode", ["internal", "external"])
def test_a_revert_brings_the_definition_back_but_not_our_mark(album: Album, mode: str) -> None:
    image = disk(album.image("a.qcow2"))
    album.define(image, inner="<title>old</title>")
    album.bring("running")
    album.take("one", mode=mode)
    album.define(image, inner="<title>new</title>")
    mark = album.observed.mark
    assert mark is not None
    assert "<title>new</title>" in mark.xml
    album.revert("one")
    for flags in (0, INACTIVE):
        text = album.domain.XMLDesc(flags)
        assert "<title>old</title>" in text
        assert marks.read(text, "host") == replace(mark, snapshots={}, reverted="")
    assert album.entry.reverted == "one"


# --- interrupted ----------------------------------------------------------------------------------------------------

CHANGING = ("Create", "Define", "Delete", "SetMetadata", "Destroy", "Undefine", "Restore")


class Cut:
    """Breaks the connection at the call that changes something and has that number: before it, or after its effect."""

    def __init__(self, hands: Hands, number: int, *, after: bool) -> None:
        self.session, self.number, self.after, self.seen = hands.session, number, after, 0
        self.call: Callable[..., Any] = hands.session.call

    def __enter__(self) -> Self:
        self.session.call = self.run  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        self.session.call = self.call  # type: ignore[method-assign]

    def run(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        changing = any(word in name for word in CHANGING)
        self.seen += changing
        if self.seen < self.number or (self.seen == self.number and self.after):
            answer = self.call(name, function, *args, **kwargs)
            if not (changing and self.seen == self.number):
                return answer
            self.seen += 1
        message = f"cut at {name}"
        raise ConnectionLostError(message)


class CutAt(Cut):
    """Breaks the connection after the first call of that name."""

    def __init__(self, hands: Hands, name: str) -> None:
        super().__init__(hands, 1, after=True)
        self.name = name

    def run(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        answer = self.call(name, function, *args, **kwargs)
        if name == self.name:
            message = f"cut after {name}"
            raise ConnectionLostError(message)
        return answer


WORK: dict[str, Callable[[Album], object]] = {
    "take": lambda album: album.take("one", mode="external"),
    "revert": lambda album: album.revert("two"),
    "delete": lambda album: album.delete("one"),
}
CONTENT = {"take": 1, "revert": 2, "delete": 4}
FILES = {"take": {"", ".one"}, "revert": {"", ".one", ".two"}, "delete": {"", ".one", ".one.r1"}}
OURS = {"take": {"one"}, "revert": {"one", "two"}, "delete": {"two"}}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("verb", WORK)
def test_an_apply_that_was_cut_at_any_call_is_finished_by_the_next(album: Album, verb: str, after: bool) -> None:
    number, cut = 0, True
    while cut:
        number += 1
        album.lab.clean()
        pool_over(album)
        album.define(volume("images", "a.qcow2"))
        album.write(1)
        if verb != "take":
            album.take("one", mode="external")
            album.write(2)
            album.take("two", mode="external")
            album.write(3)
            album.revert("one")
            album.write(4)
        with Cut(album.hands, number, after=after) as connection:
            with contextlib.suppress(ConnectionLostError):
                WORK[verb](album)
            cut = connection.seen >= number
        WORK[verb](album)
        assert album.read() == CONTENT[verb]
        assert {name.removeprefix("a.qcow2").replace(".two.r1", ".two") for name in album.files("pool")} == FILES[verb]
        assert set(album.entry.snapshots) == OURS[verb]
        assert all(map(taken_at, album.entry.snapshots.values()))
    assert number > len(FILES[verb])


@pytest.mark.parametrize(
    "calls", [("virDomainDestroy", "virDomainDefineXML"), ("virDomainDefineXML",) * 2, ("virDomainRestoreFlags",) * 2]
)
def test_a_revert_that_was_cut_says_so_and_the_next_one_finishes_it_and_leaves_no_file(
    album: Album, calls: tuple[str, ...]
) -> None:
    album.define(volume(pool_over(album), "a.qcow2"))
    album.bring("running")
    album.write(1)
    album.take("one", mode="external")
    album.write(2)
    for call in calls:
        with CutAt(album.hands, call), pytest.raises(ConnectionLostError):
            album.revert("one")
        assert album.entry.reverted == f"{REVERTING}one"
    album.revert("one")
    assert (album.read(), album.state, album.entry.reverted) == (1, "running", "one")
    assert album.files("pool") == {"a.qcow2", "a.qcow2.one.memory", album.top().name}


def test_what_a_revert_that_was_given_up_left_goes_with_its_snapshot(album: Album) -> None:
    album.define(volume(pool_over(album), "a.qcow2"))
    album.bring("running")
    album.take("one", mode="external")
    with CutAt(album.hands, "virDomainDestroy"), pytest.raises(ConnectionLostError):
        album.revert("one")
    assert "a.qcow2.one.r1" in album.files("pool")
    album.delete("one")
    assert album.files("pool") == {"a.qcow2"}


def test_a_pool_that_a_killed_process_left_over_a_folder_is_ended_by_the_next(album: Album) -> None:
    folder = album.image("a.qcow2", "apart").parent
    album.define(disk(folder / "a.qcow2"))
    text = f"<pool type='dir'><name>{PREFIX}1</name><target><path>{folder}</path></target></pool>"
    album.hands.conn.storagePoolCreateXML(text)
    album.take("one", mode="external")
    assert (album.files("apart"), album.hands.conn.listAllStoragePools()) == ({"a.qcow2", "a.qcow2.one"}, [])
