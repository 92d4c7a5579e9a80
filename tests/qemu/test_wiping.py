"""Wiping on a real host: what is on the disk itself afterwards, before anything is deleted."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from reconciler.cli.app import run
from reconciler.engine import auditing
from reconciler.errors import ConnectionLostError, HostError, NotOursError
from reconciler.host import audit, process
from reconciler.host.drivers import CHECKS, Step
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.wiping import content as content_of
from reconciler.host.drivers.wiping import flushing
from reconciler.host.drivers.wiping.progress import estimated
from reconciler.host.drivers.wiping.volumes import check_wipe, wipe
from reconciler.host.inventory import Inventory
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.model.state import Desired
from tests.driving import Hands, desired, domain_xml
from tests.lab.disk import MIB, Disk, disk
from tests.lab.nodes import Lab, empty
from tests.lab.waiting import wait_until
from tests.qemu.conftest import DOMAIN, NETWORK, POOL, Vireo, manifest

PATTERN = b"what only this guest may ever read: 0123456789 abcdefghijklmnopq"
USER = "99999999-2222-5333-8444-555555555555"
FULL = f"<allocation>{16 * MIB}</allocation>"
NONE = "<allocation>0</allocation>"


@pytest.fixture
def hands(host_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Hands(session)


@pytest.fixture
def hard(lab: Lab, hands: Hands) -> Iterator[Disk]:
    """A file system of its own with an active pool in it."""
    with disk(lab) as made:
        (lab.images / "pattern").write_bytes(PATTERN * 1024)
        place = f"<target><path>{made.folder}</path></target>"
        pool = hands.conn.storagePoolDefineXML(f"<pool type='dir'><name>p</name>{place}</pool>")
        pool.create()
        yield made
        empty(hands.conn)


def volume(name: str = "v", size: int = 16 * MIB, form: str = "raw", inner: str = NONE, **options: object) -> Desired:
    xml = f"<volume><name>{name}</name><capacity>{size}</capacity>{inner}<target><format type='{form}'/></target></volume>"
    return desired("Volume", name, xml, pool="p", **options)


def make(hands: Hands, want: Desired) -> libvirt.virStorageVol:
    hands.list_as(want)
    hands.do(Verb.CREATE, want)
    return hands.conn.storagePoolLookupByName("p").storageVolLookupByName(want.id.name)


def fill(hard: Disk, path: str, form: str, *places: str) -> None:
    """The guest writes the pattern at these places (offset and length, as qemu-io wants them), and it gets to the disk."""
    writes = [part for place in places for part in ("-c", f"write -s {hard.lab.images}/pattern {place}")]
    hard.run("qemu-io", "-f", form, *writes, path)
    hard.sync()


def content(hands: Hands, there: libvirt.virStorageVol) -> bytes:
    stream = hands.conn.newStream()
    there.download(stream, 0, 0, 0)
    out: list[bytes] = []
    stream.recvAll(lambda _stream, data, _opaque: out.append(data), None)
    stream.finish()
    return b"".join(out)


def step_of(hands: Hands, verb: Verb, want: Desired, key: str, **changes: object) -> Step:
    return replace(hands.step(verb, want, uuid=key), **changes)  # type: ignore[arg-type]


# --- what libvirt does, and what we do ------------------------------------------------------------------------


def test_libvirts_own_wipe_of_a_file_with_holes_leaves_the_data_on_the_disk(hands: Hands, hard: Disk) -> None:
    there = make(hands, volume())
    fill(hard, there.path(), "raw", "4M 1M")
    blocks = hard.blocks("v")
    there.wipe(0)
    hard.sync()
    assert not any(content(hands, there))
    assert hard.at(blocks) == PATTERN * (MIB // len(PATTERN))


def test_overwriting_through_a_stream_before_that_changes_nothing_on_the_disk(hands: Hands, hard: Disk) -> None:
    there = make(hands, volume())
    fill(hard, there.path(), "raw", "4M 1M")
    stream = hands.conn.newStream()
    there.upload(stream, 4 * MIB, MIB, 0)
    left = [bytes(MIB)]
    stream.sendAll(lambda _stream, _count, _opaque: left.pop() if left else b"", None)
    stream.finish()
    there.wipe(0)
    hard.sync()
    assert hard.count(PATTERN) == MIB // len(PATTERN)


def zeroed(hard: Disk, path: str) -> None:
    """The guest has had a part zeroed by its host: it reads as a hole, and the old data are still in the file's blocks."""
    fill(hard, path, "raw", "100M 1M", "140M 1M")
    hard.run("fallocate", "--zero-range", "-o", str(100 * MIB), "-l", str(MIB), path)
    hard.sync()


MAKES: dict[str, tuple[Desired, Callable[[Disk, str], None]]] = {
    "raw with few holes": (volume(), lambda hard, path: fill(hard, path, "raw", "4M 1M", "15M 1M")),
    "raw with large holes": (volume(size=180 * MIB), lambda hard, path: fill(hard, path, "raw", "0 1M", "100M 2M", "179M 1M")),
    "raw, empty at its beginning": (volume(size=180 * MIB), lambda hard, path: fill(hard, path, "raw", "90M 2M")),
    "raw with a zeroed part": (volume(size=180 * MIB), zeroed),
    "raw, fully allocated": (volume(inner=FULL), lambda hard, path: fill(hard, path, "raw", "4M 1M")),
    "qcow2": (volume(form="qcow2"), lambda hard, path: fill(hard, path, "qcow2", "0 1M", "9M 1M")),
    "in hundreds of pieces": (
        volume(size=180 * MIB),
        lambda hard, path: fill(hard, path, "raw", *(f"{160 * n}K 4K" for n in range(600))),
    ),
}


@pytest.mark.parametrize("make_", MAKES)
def test_after_a_wipe_the_pattern_is_nowhere_on_the_disk_and_the_volume_still_there(hands: Hands, hard: Disk, make_: str) -> None:
    want, written = MAKES[make_]
    there = make(hands, want)
    key = there.key()
    written(hard, there.path())
    assert hard.count(PATTERN) > 0
    hands.twice(Verb.WIPE, want, uuid=key)
    assert hard.count(PATTERN) == 0
    assert not any(content(hands, there))
    hands.twice(Verb.DELETE, want, uuid=key)
    hard.sync()
    assert hard.count(PATTERN) == 0


def test_an_overlay_is_wiped_and_its_base_stays_as_it_is(hands: Hands, hard: Disk) -> None:
    base = make(hands, volume("base", form="qcow2"))
    fill(hard, base.path(), "qcow2", "0 2M")
    before = hard.run("sha256sum", base.path())
    held = hard.count(PATTERN)
    inner = f"<backingStore><path>{base.path()}</path><format type='qcow2'/></backingStore>"
    want = volume("o", form="qcow2", inner=inner)
    there = make(hands, want)
    fill(hard, there.path(), "qcow2", "8M 1M")
    assert hard.count(PATTERN) > held
    key = there.key()
    hands.twice(Verb.WIPE, want, uuid=key)
    assert hard.count(PATTERN) == held
    hands.do(Verb.DELETE, want, uuid=key)
    assert hard.run("sha256sum", base.path()) == before


# --- what the manifest asks for -------------------------------------------------------------------------------


def test_the_algorithms_of_scrub_leave_nothing_of_the_pattern_and_fill_the_file(hands: Hands, hard: Disk) -> None:
    want = volume(wipe={"algorithm": "nnsa", "passes": 2})
    there = make(hands, want)
    fill(hard, there.path(), "raw", "4M 1M")
    hands.do(Verb.WIPE, want, uuid=there.key())
    assert hard.count(PATTERN) == 0
    assert there.info()[2] >= 16 * MIB
    records, damaged = audit.read()
    assert [(one.algorithm, one.passes, one.verified, one.bytes, damaged) for one in records] == [("nnsa", 2, True, 16 * MIB, 0)]


def test_fingerprints_tell_a_volume_that_was_not_wiped(hands: Hands, hard: Disk) -> None:
    there = make(hands, volume())
    fill(hard, there.path(), "raw", "4M 64K")
    step = hands.step(Verb.WIPE, volume(), uuid=there.key())
    before = content_of.survey(step, there, "looking", 16 * MIB)
    assert before.spans == [(4 * MIB, 4 * MIB + 65536)]
    assert content_of.unchanged(step, there, before) == (4 * MIB, 4 * MIB + 4096)
    assert content_of.first_not_zero(step, there, "looking", 16 * MIB) == 4 * MIB


@pytest.mark.parametrize("algorithm", ["trim", "nnsa"])
def test_an_algorithm_that_the_host_cannot_do_is_found_before_anything_is_touched(
    hands: Hands, hard: Disk, algorithm: str, no_scrub: None
) -> None:
    want = volume(wipe={"algorithm": algorithm})
    there = make(hands, want)
    fill(hard, there.path(), "raw", "4M 1M")
    before = hard.run("sha256sum", there.path())
    step = hands.step(Verb.WIPE, want, uuid=there.key())
    for refused in (wipe, check_wipe):
        with pytest.raises(HostError, match=f"cannot wipe by the algorithm {algorithm}") as caught:
            refused(step)
        assert ("install the program scrub" in caught.value.hint) is (algorithm == "nnsa")
    assert hard.run("sha256sum", there.path()) == before
    assert hands.conn.storagePoolLookupByName("p").listVolumes() == ["v"]
    assert not hands.inventory().marks[want.id].wiping
    assert audit.read() == ((), 0)


@pytest.fixture
def no_scrub(lab: Lab, hands: Hands) -> Iterator[None]:
    """The node has no program scrub that could be run."""
    hidden = lab.run(1, ["sh", "-c", "scrub=$(command -v scrub) && mount --bind /dev/null $scrub && echo $scrub"], check=False)
    yield
    if hidden.stdout:
        lab.run(1, ["umount", hidden.stdout.strip()])


def test_a_wipe_is_recorded_and_shown(hands: Hands, hard: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    want = volume(wipe={"passes": 3, "verify": False})
    there = make(hands, want)
    fill(hard, there.path(), "raw", "4M 1M")
    path = there.path()
    hands.twice(Verb.WIPE, want, uuid=there.key())
    assert run(["audit", "Volume/p/v", "-o", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["records"]
    wanted = {"project": "lab", "kind": "Volume", "name": "v", "host": "host", "pool": "p", "path": path, "algorithm": "zero"}
    assert record.items() >= {**wanted, "passes": 3, "verified": False, "bytes": 16 * MIB, "result": "wiped"}.items()
    assert record["begun"] < record["ended"]
    assert record["by"] == process.who()
    assert run(["audit"]) == 0
    assert "zero, 3 passes" in " ".join(capsys.readouterr().out.split())
    assert run(["audit", "Volume/q/v"]) == 0
    assert "Nothing was wiped" in capsys.readouterr().out


def test_progress_is_told_with_its_rate(hands: Hands, hard: Disk) -> None:
    want = volume(size=180 * MIB)
    there = make(hands, want)
    fill(hard, there.path(), "raw", "0 4M")
    hands.do(Verb.WIPE, want, uuid=there.key())
    told = [(text.partition(":")[0], fraction) for text, fraction in hands.reports]
    assert [told_ for told_ in told if told_[1] == 1.0] == [
        ("looking for data", 1.0),
        ("overwriting", 1.0),
        ("reading back", 1.0),
    ]
    assert any("4 of 4 MiB" in text and "MiB/s" in text for text, _ in hands.reports)


def test_a_call_that_tells_nothing_gets_an_estimate(hands: Hands) -> None:
    release, told = threading.Event(), list[str]()

    def report(text: str, fraction: float | None) -> None:
        told.append(text)
        assert fraction is not None
        assert fraction < 1
        release.set()

    step = step_of(hands, Verb.WIPE, volume(), "", report=report)
    estimated(step, "libvirt wipes", 1 << 40, 0, lambda: wait_until(release.is_set))
    assert re.fullmatch(r"libvirt wipes: \d+ s, about \d+ s left \(an estimate from its size\)", told[0])


# --- what refuses it ------------------------------------------------------------------------------------------


def test_a_wipe_that_needs_more_room_than_there_is_says_so_and_deletes_nothing(hands: Hands, hard: Disk) -> None:
    want = volume(size=1024 * MIB)
    there = make(hands, want)
    zeroed(hard, there.path())
    with pytest.raises(HostError, match="bytes of room in its pool"):
        hands.do(Verb.WIPE, want, uuid=there.key())
    with pytest.raises(HostError, match="begun and is not finished"):
        hands.do(Verb.DELETE, want, uuid=there.key())
    assert there.info()[1] == 1024 * MIB
    (record,), _ = audit.read()
    assert record.result.startswith("failed: ")


def a_disk(source: str, form: str = "qcow2") -> str:
    return f"<disk type='file'><driver name='qemu' type='{form}'/>{source}<target dev='vda' bus='virtio'/></disk>"


def by_path(hard: Disk, path: str) -> str:
    return a_disk(f"<source file='{path}'/>")


def by_another_spelling(hard: Disk, path: str) -> str:
    folder, _, name = path.rpartition("/")
    return a_disk(f"<source file='{folder}/.//{name}'/>")


def by_a_link(hard: Disk, path: str) -> str:
    elsewhere(hard)
    hard.run("ln", "-s", path, f"{hard.lab.images}/elsewhere/link.img")
    return a_disk(f"<source file='{hard.lab.images}/elsewhere/link.img'/>", "raw")


def by_a_link_to_its_folder(hard: Disk, path: str) -> str:
    hard.run("ln", "-s", str(hard.folder), f"{hard.lab.images}/other")
    return a_disk(f"<source file='{hard.lab.images}/other/v'/>", "raw")


def elsewhere(hard: Disk) -> None:
    (hard.lab.images / "elsewhere").mkdir()


def overlay(hard: Disk, base: str, name: str) -> str:
    path = f"{hard.lab.images}/elsewhere/{name}"
    hard.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw" if base.endswith("/v") else "qcow2", "-b", base, path)
    return path


def by_an_overlay_outside_of_all_pools(hard: Disk, path: str) -> str:
    elsewhere(hard)
    return a_disk(f"<source file='{overlay(hard, path, 'top')}'/>")


def by_an_overlay_of_an_overlay(hard: Disk, path: str) -> str:
    elsewhere(hard)
    return a_disk(f"<source file='{overlay(hard, overlay(hard, path, 'middle'), 'top')}'/>")


def by_a_file_that_is_not_there(hard: Disk, path: str) -> str:
    return a_disk(f"<source file='{hard.lab.images}/not-mounted/disk.qcow2'/>")


def by_a_volume_of_a_pool_that_is_not_active(hard: Disk, path: str) -> str:
    return "<disk type='volume'><driver type='qcow2'/><source pool='away' volume='x'/><target dev='vda' bus='virtio'/></disk>"


def by_its_folder(hard: Disk, path: str) -> str:
    return f"<filesystem type='mount'><source dir='{hard.folder}'/><target dir='t'/></filesystem>"


def as_a_console(hard: Disk, path: str) -> str:
    return f"<serial type='file'><source path='{path}'/></serial>"


USERS = (
    by_path,
    by_another_spelling,
    by_a_link,
    by_a_link_to_its_folder,
    by_an_overlay_outside_of_all_pools,
    by_an_overlay_of_an_overlay,
    by_a_file_that_is_not_there,
    by_a_volume_of_a_pool_that_is_not_active,
    by_its_folder,
    as_a_console,
)


@pytest.mark.parametrize("use", USERS)
def test_a_volume_that_anybody_uses_is_neither_wiped_nor_deleted(
    hands: Hands, hard: Disk, use: Callable[[Disk, str], str]
) -> None:
    there = make(hands, volume())
    fill(hard, there.path(), "raw", "4M 1M")
    before = hard.run("sha256sum", there.path())
    theirs = hands.conn.defineXML(domain_xml("theirs", USER, devices=use(hard, there.path())))
    for verb in (Verb.WIPE, Verb.DELETE):
        with pytest.raises(HostError, match="the domain theirs uses"):
            hands.do(verb, volume(), uuid=there.key())
    assert hard.run("sha256sum", there.path()) == before
    assert not hands.inventory().marks[volume().id].wiping
    assert [pool.name() for pool in hands.conn.listAllStoragePools()] == ["p"]
    theirs.undefine()
    hands.do(Verb.WIPE, volume(), uuid=there.key())


def test_a_volume_of_a_running_foreign_guest_is_not_wiped_under_it(hands: Hands, hard: Disk) -> None:
    there = make(hands, volume())
    fill(hard, there.path(), "raw", "4M 1M")
    hands.conn.createXML(domain_xml("theirs", USER, devices=a_disk(f"<source file='{there.path()}'/>", "raw")))
    with pytest.raises(HostError, match="the domain theirs uses it"):
        hands.do(Verb.WIPE, volume(), uuid=there.key())
    assert hard.count(PATTERN) == MIB // len(PATTERN)


@pytest.mark.parametrize("link", [("ln", "-s"), ("ln",)], ids=["symbolic", "hard"])
def test_a_volume_that_a_guest_writes_to_by_another_name_is_in_use(
    hands: Hands, hard: Disk, monkeypatch: pytest.MonkeyPatch, link: tuple[str, ...]
) -> None:
    there = make(hands, volume())
    other = f"{hard.folder}/away/link.img"
    hard.run("mkdir", f"{hard.folder}/away")
    hard.run(*link, there.path(), other)
    hands.conn.createXML(domain_xml("theirs", USER, devices=a_disk(f"<source file='{other}'/>", "raw")))
    look = Places.find

    def busy(places: Places, path: str) -> libvirt.virStorageVol | None:
        """A look at a file into which the guest writes at that moment."""
        hard.run("dd", "if=/dev/urandom", f"of={other}", "bs=64k", "count=1", "conv=notrunc")
        return look(places, path)

    monkeypatch.setattr(Places, "find", busy)
    for verb in (Verb.WIPE, Verb.DELETE):
        with pytest.raises(HostError, match="somebody wrote to it"):
            hands.do(verb, volume(), uuid=there.key())
    assert not hands.inventory().marks[volume().id].wiping
    monkeypatch.undo()
    with pytest.raises(HostError, match="the domain theirs uses it as"):
        hands.do(Verb.WIPE, volume(), uuid=there.key())


@pytest.mark.parametrize("kind", ["Volume", "Domain"])
def test_an_audit_that_cannot_be_written_is_found_before_the_first_byte(
    hands: Hands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    want = desired(kind, "v", "<x/>", pool="p" if kind == "Volume" else "")
    with pytest.raises(HostError, match="cannot write the audit"):
        CHECKS[kind, Verb.WIPE](hands.step(Verb.WIPE, want))


@pytest.fixture
def devices(hard: Disk, hands: Hands) -> Iterator[str]:
    """A folder of /dev with an active pool `vg` below it, as the devices of a volume group have one."""
    folder = hard.run("mktemp", "-d", "-p", "/dev/shm").strip()
    hard.run("mkdir", f"{folder}/vg", f"{folder}/mapper")
    hands.conn.storagePoolCreateXML(f"<pool type='dir'><name>vg</name><target><path>{folder}/vg</path></target></pool>")
    yield folder
    hard.run("rm", "-r", folder)


@pytest.mark.parametrize(
    "name, why", [("mapper/vg-x", "uses it as"), ("vg/other", ""), ("mapper/else", "may be this one under another name")]
)
def test_a_device_that_a_guest_has_by_another_name_is_in_use(hands: Hands, hard: Disk, devices: str, name: str, why: str) -> None:
    other = hands.conn.storagePoolLookupByName("vg").createXML(volume("other", MIB).xml)
    want = desired("Volume", "x", volume("x", MIB).xml, pool="vg")
    hands.list_as(want)
    hands.do(Verb.CREATE, want)
    hard.run("ln", "-s", "../vg/x", f"{devices}/mapper/vg-x")
    theirs = f"<disk type='block'><source dev='{devices}/{name}'/><target dev='vda' bus='virtio'/></disk>"
    hands.conn.defineXML(domain_xml("theirs", USER, devices=theirs))
    key = f"{devices}/vg/x"
    with pytest.raises(HostError, match=why) if why else contextlib.nullcontext():
        hands.do(Verb.DELETE, want, uuid=key)
    assert hard.run("ls", f"{devices}/vg").split() == (["other", "x"] if why else ["other"])
    other.delete()


def test_a_volume_that_only_a_saved_guest_still_has_is_in_use(hands: Hands, hard: Disk) -> None:
    there = make(hands, volume())
    xml = domain_xml("theirs", USER, devices=a_disk(f"<source file='{there.path()}'/>", "raw"))
    theirs = hands.conn.defineXML(xml)
    theirs.create()
    theirs.managedSave()
    hands.conn.defineXML(domain_xml("theirs", USER))
    with pytest.raises(HostError, match="the domain theirs uses it"):
        hands.do(Verb.WIPE, volume(), uuid=there.key())
    theirs.managedSaveRemove()


def test_a_volume_that_another_one_stands_on_is_not_wiped(hands: Hands, hard: Disk) -> None:
    there = make(hands, volume())
    inner = f"{NONE}<backingStore><path>{there.path()}</path><format type='raw'/></backingStore>"
    make(hands, volume("o", form="qcow2", inner=inner))
    with pytest.raises(HostError, match="the volume p/o stands on it"):
        hands.do(Verb.WIPE, volume(), uuid=there.key())


def test_a_volume_of_the_same_name_that_is_not_ours_is_not_wiped(hands: Hands, hard: Disk) -> None:
    theirs = hands.conn.storagePoolLookupByName("p").createXML(volume().xml)
    with pytest.raises(NotOursError):
        hands.do(Verb.WIPE, volume(), uuid=theirs.key())
    hands.list_as(volume(), uuid="/somewhere/else")
    with pytest.raises(NotOursError):
        hands.do(Verb.WIPE, volume(), uuid=theirs.key())


# --- wherever it ends -----------------------------------------------------------------------------------------


def test_it_is_written_down_before_the_first_byte_and_nothing_is_deleted_that_is_not_wiped(hands: Hands, hard: Disk) -> None:
    want = volume(size=180 * MIB)
    there = make(hands, want)
    key = there.key()
    fill(hard, there.path(), "raw", "4M 1M", "90M 1M")
    seen: list[bool] = []

    def broken(text: str, fraction: float | None) -> None:
        seen.append(hands.inventory().marks[want.id].wiping)
        if text.startswith("bringing"):
            raise HostError("killed")

    with pytest.raises(HostError, match="killed"):
        wipe(step_of(hands, Verb.WIPE, want, key, report=broken))
    assert all(seen)
    with pytest.raises(HostError, match="begun and is not finished"):
        hands.do(Verb.DELETE, want, uuid=key)
    hands.do(Verb.WIPE, want, uuid=key)
    assert hard.count(PATTERN) == 0
    fill(hard, there.path(), "raw", "4M 1M")
    with pytest.raises(HostError, match="begun and is not finished"):
        hands.do(Verb.DELETE, want, uuid=key)
    hands.do(Verb.WIPE, want, uuid=key)
    hands.do(Verb.DELETE, want, uuid=key)
    assert hard.count(PATTERN) == 0
    assert hands.conn.storagePoolLookupByName("p").listVolumes() == []


def test_a_daemon_that_is_killed_in_a_wipe_is_no_reason_to_delete_unwiped(hands: Hands, hard: Disk) -> None:
    want = volume(size=180 * MIB)
    there = make(hands, want)
    key = there.key()
    fill(hard, there.path(), "raw", "4M 1M", "90M 1M")

    def killed(text: str, fraction: float | None) -> None:
        if text.startswith("bringing"):
            hard.lab.restart(kill=True)

    with pytest.raises(ConnectionLostError):
        wipe(step_of(hands, Verb.WIPE, want, key, report=killed))
    hands.session.reconnect()
    pool = hands.conn.storagePoolLookupByName("p")
    if not pool.isActive():
        pool.create()
    with pytest.raises(HostError, match="begun and is not finished"):
        hands.do(Verb.DELETE, want, uuid=key)
    hands.do(Verb.WIPE, want, uuid=key)
    assert hard.count(PATTERN) == 0
    hands.do(Verb.DELETE, want, uuid=key)


# --- by the command -------------------------------------------------------------------------------------------


def test_an_algorithm_that_the_host_cannot_do_stops_the_apply_before_the_guest_is_stopped(vireo: Vireo, lab: Lab) -> None:
    spec = {"pool": "images", "capacity": "8MiB", "format": "qcow2", "wipe": {"algorithm": "trim"}}
    vireo.add(POOL, manifest("Volume", "web1.qcow2", spec), NETWORK, DOMAIN)
    vireo.apply()
    before = (lab.images / "pool" / "web1.qcow2").read_bytes()
    vireo.spec("Domain/web1")["state"] = "undefined"
    vireo.spec("Domain/web1")["onDelete"] = {"volumes": "wipe"}
    refused = vireo.apply(code=1)
    assert "cannot wipe by the algorithm trim; nothing was touched" in refused.err
    assert vireo.domain().isActive()
    assert (lab.images / "pool" / "web1.qcow2").read_bytes() == before
    vireo.spec("Volume/web1.qcow2")["wipe"] = {"algorithm": "zero"}
    vireo.apply()
    assert not (lab.images / "pool" / "web1.qcow2").exists()
    (record,), _ = auditing.records("Volume/images/web1.qcow2")
    assert (record.project, record.verified, record.result) == ("quick", True, "wiped")


@pytest.mark.parametrize("prune", [False, True])
def test_a_volume_that_a_killed_apply_has_left_as_another_format_is_wiped_by_the_next(
    vireo: Vireo, hands: Hands, lab: Lab, prune: bool
) -> None:
    """Killed behind the header that brings the rest to the disk: libvirt takes the raw volume for a small qcow2 one."""
    spec = {"pool": "images", "capacity": "180MiB", "format": "raw", "onDelete": "wipe"}
    vireo.add(POOL, manifest("Volume", "v.img", spec))
    vireo.apply()
    path = lab.images / "pool" / "v.img"
    with path.open("r+b") as file:
        file.write(flushing.image())
        file.seek(150 * MIB)
        file.write(PATTERN * 1024)
    (lab.images / "link").hardlink_to(path)
    inventory = Inventory.open(hands.session, "quick")
    inventory.write([replace(mark, wiping=True) for mark in inventory.marks.values() if mark.id.kind == "Volume"])
    if prune:
        vireo.manifests.pop("Volume/v.img")
    else:
        vireo.spec("Volume/v.img")["state"] = "absent"
    vireo.apply(*["--prune"] * prune)
    assert not path.exists()
    assert PATTERN not in (lab.images / "link").read_bytes()
    (record,), _ = auditing.records("Volume/v.img")
    assert (record.bytes, record.verified) == (180 * MIB, True)
    vireo.assert_in_sync()
