"""Pool and volume verbs on a real host, each of them repeated."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from reconciler.errors import ConnectionLostError, HostError, NotOursError, UsageError
from reconciler.host.drivers.making import create
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.model.state import Desired
from tests.driving import Hands, desired, domain_xml
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until

UUID = "11111111-2222-5333-8444-555555555555"
MIB = 1 << 20


@pytest.fixture
def hands(host_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Hands(session)


def pool(lab: Lab, **options: object) -> Desired:
    xml = f"<pool type='dir'><name>p</name><uuid>{UUID}</uuid><target><path>{lab.images}/p</path></target></pool>"
    return desired("Pool", "p", xml, **options)


@pytest.fixture
def images(hands: Hands, lab: Lab) -> libvirt.virStoragePool:
    """An active pool of ours."""
    hands.list_as(pool(lab))
    hands.do(Verb.DEFINE, pool(lab))
    hands.do(Verb.START, pool(lab))
    return hands.conn.storagePoolLookupByName("p")


def volume(name: str, size: int | None = 10 * MIB, form: str = "qcow2", inner: str = "", **options: object) -> Desired:
    capacity = "" if size is None else f"<capacity unit='bytes'>{size}</capacity>"
    compat = "<compat>1.1</compat>" if form == "qcow2" else ""
    xml = f"<volume><name>{name}</name>{capacity}{inner}<target><format type='{form}'/>{compat}</target></volume>"
    return desired("Volume", name, xml, pool="p", **options)


def make(hands: Hands, want: Desired) -> libvirt.virStorageVol:
    hands.list_as(want)
    hands.twice(Verb.CREATE, want)
    return hands.conn.storagePoolLookupByName("p").storageVolLookupByName(want.id.name)


# --- pools ----------------------------------------------------------------------------------------------------


def test_a_dir_pool_makes_its_folder_and_leaves_its_contents_when_it_goes(hands: Hands, lab: Lab) -> None:
    want = pool(lab, autostart=True)
    hands.list_as(want)
    hands.twice(Verb.DEFINE, want)
    hands.twice(Verb.START, want)
    hands.twice(Verb.AUTOSTART, want)
    hands.twice(Verb.RESTART, want)
    there = hands.conn.storagePoolLookupByName("p")
    assert (there.UUIDString(), there.isActive(), there.autostart()) == (UUID, 1, 1)
    kept = lab.images / "p" / "kept"
    kept.write_text("data")
    hands.twice(Verb.STOP, want, uuid=UUID)
    hands.twice(Verb.UNDEFINE, want, uuid=UUID)
    assert kept.read_text() == "data"
    assert hands.conn.listAllStoragePools() == []


def test_a_folder_that_is_there_keeps_its_mode(hands: Hands, lab: Lab) -> None:
    folder = lab.images / "p"
    folder.mkdir(mode=0o750)
    folder.chmod(0o750)
    hands.list_as(pool(lab))
    hands.do(Verb.DEFINE, pool(lab))
    hands.do(Verb.START, pool(lab))
    assert folder.stat().st_mode & 0o777 == 0o750


def test_a_pool_that_may_not_be_built_does_not_make_its_folder(hands: Hands, lab: Lab) -> None:
    want = pool(lab, build=False)
    hands.list_as(want)
    hands.do(Verb.DEFINE, want)
    with pytest.raises(HostError, match="No such file"):
        hands.do(Verb.START, want)
    assert not (lab.images / "p").exists()


def test_a_redefined_pool_takes_its_new_folder_up_at_restart(hands: Hands, lab: Lab, images: libvirt.virStoragePool) -> None:
    moved = desired("Pool", "p", pool(lab).xml.replace("/p</path>", "/q</path>"))
    hands.twice(Verb.DEFINE, moved, uuid=UUID, intent=pool(lab).xml)
    assert "/p</path>" in images.XMLDesc()
    hands.do(Verb.RESTART, moved, uuid=UUID)
    assert "/q</path>" in images.XMLDesc()
    assert images.UUIDString() == UUID


@pytest.fixture
def blank_device(lab: Lab) -> Path:
    """Something that looks like a disk with nothing on it."""
    path = lab.images / "device.img"
    with path.open("wb") as stream:
        stream.truncate(32 * MIB)
    return path


def on_device(lab: Lab, device: Path, **options: object) -> Desired:
    source = f"<source><device path='{device}'/><format type='ext4'/></source>"
    xml = f"<pool type='fs'><name>p</name><uuid>{UUID}</uuid>{source}<target><path>{lab.images}/mnt</path></target></pool>"
    return desired("Pool", "p", xml, **options)


def test_a_device_is_not_formatted_unless_the_manifest_says_so(hands: Hands, lab: Lab, blank_device: Path) -> None:
    want = on_device(lab, blank_device)
    hands.list_as(want)
    hands.do(Verb.DEFINE, want)
    with pytest.raises(HostError):
        hands.do(Verb.START, want)
    assert not any(blank_device.read_bytes())


def test_a_device_that_is_to_be_built_is_formatted_once(hands: Hands, lab: Lab, blank_device: Path) -> None:
    want = on_device(lab, blank_device, build=True)
    hands.list_as(want)
    hands.do(Verb.DEFINE, want)
    made = []
    for _ in range(2):
        with suppress(HostError):  # a container may not mount what it has formatted
            hands.do(Verb.START, want)
        made.append(blank_device.read_bytes()[0x438:0x478])
        hands.do(Verb.STOP, want)
        lab.run(1, ["umount", f"{lab.images}/mnt"], check=False)
    assert made[0][:2] == b"\x53\xef", "no ext4"
    assert made[0][-16:] == made[1][-16:], "formatted again: another UUID"


# --- volumes --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("images")
def test_volumes_of_all_makes(hands: Hands, lab: Lab) -> None:
    folder = lab.images / "p"
    sparse = make(hands, volume("s.raw", form="raw", inner="<allocation>0</allocation>"))
    full = make(hands, volume("f.raw", form="raw", preallocate="full"))
    assert sparse.info()[1:] == [10 * MIB, 0]
    assert full.info()[2] >= 10 * MIB
    plain = make(hands, volume("a.qcow2"))
    tables = make(hands, volume("m.qcow2", 1024 * MIB, preallocate="metadata"))
    assert "<compat>1.1</compat>" in plain.XMLDesc()
    assert tables.info()[2] > make(hands, volume("n.qcow2", 1024 * MIB)).info()[2]
    whole = make(hands, volume("w.qcow2", inner=f"<allocation>{10 * MIB}</allocation>", preallocate="full"))
    assert whole.info()[2] >= 10 * MIB
    backing = f"<backingStore><path>{folder}/a.qcow2</path><format type='qcow2'/></backingStore>"
    overlay = make(hands, volume("o.qcow2", 20 * MIB, inner=backing))
    assert f"{folder}/a.qcow2" in overlay.XMLDesc()


@pytest.mark.usefixtures("images")
def test_a_volume_grows_and_never_shrinks(hands: Hands) -> None:
    there = make(hands, volume("a.qcow2"))
    hands.twice(Verb.RESIZE, volume("a.qcow2", 20 * MIB), uuid=there.key())
    assert there.info()[1] == 20 * MIB
    with pytest.raises(UsageError, match="never made smaller"):
        hands.do(Verb.RESIZE, volume("a.qcow2", 10 * MIB), uuid=there.key())
    assert there.info()[1] == 20 * MIB
    odd = make(hands, volume("odd.qcow2", 10 * MIB + 1))
    hands.do(Verb.RESIZE, volume("odd.qcow2", 10 * MIB + 1), uuid=odd.key())


@pytest.mark.parametrize("preallocate, full", [("full", True), ("off", False)])
@pytest.mark.usefixtures("images")
def test_a_file_that_is_to_have_all_of_its_space_has_that_of_what_it_grows_by(hands: Hands, preallocate: str, full: bool) -> None:
    def raw(size: int) -> Desired:
        inner = f"<capacity unit='bytes'>{size}</capacity><allocation unit='bytes'>{size if full else 0}</allocation>"
        return desired(
            "Volume", "a.img", f"<volume><name>a.img</name>{inner}<target/></volume>", pool="p", preallocate=preallocate
        )

    there = make(hands, raw(MIB))
    hands.do(Verb.RESIZE, raw(3 * MIB), uuid=there.key())
    assert there.info()[1] == 3 * MIB
    assert (there.info()[2] >= 3 * MIB) is full


@pytest.mark.usefixtures("images")
def test_a_file_in_the_way_is_named_and_stays(hands: Hands, lab: Lab) -> None:
    (lab.images / "p" / "a.qcow2").write_text("foreign")
    hands.list_as(volume("a.qcow2"))
    with pytest.raises(HostError, match="already exists"):
        hands.do(Verb.CREATE, volume("a.qcow2"))
    assert (lab.images / "p" / "a.qcow2").read_text() == "foreign"


def test_a_foreign_volume_is_never_touched(hands: Hands, images: libvirt.virStoragePool) -> None:
    foreign = images.createXML(volume("a.qcow2").xml)
    for verb in (Verb.CREATE, Verb.DELETE, Verb.RESIZE):
        with pytest.raises(NotOursError):
            hands.do(verb, volume("a.qcow2", 20 * MIB), uuid=foreign.key())
    assert foreign.info()[1] == 10 * MIB


@pytest.mark.usefixtures("images")
def test_a_volume_that_a_domain_uses_is_not_deleted(hands: Hands) -> None:
    there = make(hands, volume("a.qcow2"))
    by_name = "<source pool='p' volume='a.qcow2'/>"
    for kind, source in (("file", f"<source file='{there.path()}'/>"), ("volume", by_name)):
        disk = f"<disk type='{kind}'><driver name='qemu' type='qcow2'/>{source}<target dev='vda' bus='virtio'/></disk>"
        user = hands.conn.defineXML(domain_xml("user", "99999999-2222-5333-8444-555555555555", devices=disk))
        with pytest.raises(HostError, match="the domain user uses it"):
            hands.do(Verb.DELETE, volume("a.qcow2"), uuid=there.key())
        user.undefine()
    key, path = there.key(), Path(there.path())
    hands.twice(Verb.DELETE, volume("a.qcow2"), uuid=key)
    assert not path.exists()


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("form, size", [("qcow2", 30 * MIB), ("qcow2", None), ("raw", 30 * MIB)])
def test_a_clone_gets_its_own_capacity_and_the_compat_that_it_asks_for(hands: Hands, form: str, size: int | None) -> None:
    make(hands, volume("base.qcow2"))
    copy = make(hands, volume("copy", size, form, clone={"volume": "base.qcow2"}))
    assert copy.info()[1] == (size or 10 * MIB)
    assert f"<format type='{form}'/>" in copy.XMLDesc()
    assert ("<compat>1.1</compat>" in copy.XMLDesc()) is (form == "qcow2")
    assert not hands.inventory().marks[volume("copy").id].pending


@pytest.mark.usefixtures("images")
def test_a_clone_smaller_than_its_source_is_refused_before_anything_is_made(hands: Hands, images: libvirt.virStoragePool) -> None:
    make(hands, volume("base.qcow2"))
    want = volume("copy.qcow2", 5 * MIB, clone={"volume": "base.qcow2"})
    hands.list_as(want)
    with pytest.raises(UsageError, match="too small"):
        hands.do(Verb.CREATE, want)
    assert images.numOfVolumes() == 1


def test_a_copy_that_the_daemon_still_makes_for_a_killed_apply_is_made_again(
    hands: Hands, lab: Lab, images: libvirt.virStoragePool
) -> None:
    file = lab.images / "p" / "base.raw"
    file.write_bytes(bytes(range(256)) * (128 * MIB // 256))
    images.refresh()
    base = images.storageVolLookupByName("base.raw")
    want = volume("copy.raw", None, "raw", clone={"volume": "base.raw"})
    hands.list_as(want)
    xml = "<volume><name>copy.raw</name><capacity unit='MiB'>128</capacity><target><format type='raw'/></target></volume>"
    earlier = threading.Thread(target=images.createXMLFrom, args=(xml, base, 0))
    earlier.start()
    wait_until(lambda: "copy.raw" in images.listVolumes())
    hands.do(Verb.CREATE, want)
    earlier.join()
    assert (lab.images / "p" / "copy.raw").read_bytes() == file.read_bytes()
    assert any("interrupted" in message for message, _ in hands.reports)


# --- uploads --------------------------------------------------------------------------------------------------


@pytest.fixture
def raw_file(tmp_path: Path) -> Path:
    """Eight MiB with a hole in the middle and at the end."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as stream:
        stream.write(b"\x55" * MIB)
        stream.seek(5 * MIB)
        stream.write(b"\xaa" * (MIB + 7))
        stream.truncate(8 * MIB)
    return path


@pytest.fixture
def qcow2_file(lab: Lab, tmp_path: Path) -> Path:
    """A qcow2 of 16 MiB."""
    lab.run(1, ["qemu-img", "create", "-q", "-f", "qcow2", str(lab.images / "made.qcow2"), "16M"])
    return Path((lab.images / "made.qcow2").rename(lab.images / "up.qcow2"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.usefixtures("images")
def test_an_upload_arrives_whole_and_its_holes_stay_holes(hands: Hands, lab: Lab, raw_file: Path) -> None:
    want = volume(
        "u.raw", 12 * MIB, "raw", "<allocation>0</allocation>", upload={"path": str(raw_file), "sha256": sha256(raw_file)}
    )
    there = make(hands, want)
    content = (lab.images / "p" / "u.raw").read_bytes()
    assert len(content) == 12 * MIB
    assert content[: 8 * MIB] == raw_file.read_bytes()
    assert not any(content[8 * MIB :])
    assert there.info()[2] < 3 * MIB
    fractions = [fraction or 0.0 for message, fraction in hands.reports if message == "uploading disk.raw"]
    assert fractions == sorted(fractions)
    assert not hands.inventory().marks[want.id].pending


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("size, capacity", [(None, 16 * MIB), (32 * MIB, 32 * MIB)])
def test_an_uploaded_qcow2_has_the_capacity_of_the_manifest_or_of_the_file(
    hands: Hands, qcow2_file: Path, size: int | None, capacity: int
) -> None:
    there = make(hands, volume("u.qcow2", size, upload={"path": str(qcow2_file)}))
    assert there.info()[1] == capacity
    assert "<format type='qcow2'/>" in there.XMLDesc()


@pytest.mark.parametrize(
    "options, form, size, message",
    [
        ({"sha256": "0" * 64}, "raw", None, "has not the SHA-256"),
        ({}, "qcow2", None, "is raw, the volume's format is qcow2"),
        ({}, "raw", MIB, "too small"),
        ({"path": "/nonexistent/file"}, "raw", None, "No such file"),
    ],
)
def test_an_upload_that_cannot_be_right_makes_nothing(
    hands: Hands,
    images: libvirt.virStoragePool,
    raw_file: Path,
    options: dict[str, str],
    form: str,
    size: int | None,
    message: str,
) -> None:
    want = volume("u", size, form, upload={"path": str(raw_file), **options})
    hands.list_as(want)
    with pytest.raises(UsageError, match=message):
        hands.do(Verb.CREATE, want)
    assert images.numOfVolumes() == 0


def test_an_upload_that_breaks_off_leaves_no_volume(hands: Hands, images: libvirt.virStoragePool, raw_file: Path) -> None:
    want = volume("u.raw", None, "raw", upload={"path": str(raw_file)})
    hands.list_as(want)
    step = hands.step(Verb.CREATE, want)

    def interrupt(message: str, _fraction: float | None) -> None:
        if message.startswith("uploading"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create(replace(step, report=interrupt))
    assert images.numOfVolumes() == 0
    assert hands.inventory().marks[want.id].pending
    hands.do(Verb.CREATE, want)
    assert images.numOfVolumes() == 1


@pytest.mark.usefixtures("images")
def test_an_upload_goes_on_after_the_daemon_was_killed_under_it(hands: Hands, lab: Lab, raw_file: Path) -> None:
    want = volume("u.raw", None, "raw", upload={"path": str(raw_file)})
    hands.list_as(want)

    def kill(message: str, _fraction: float | None) -> None:
        if message.startswith("uploading"):
            lab.kill_daemon()

    with pytest.raises(ConnectionLostError):
        create(replace(hands.step(Verb.CREATE, want), report=kill))
    lab.restart()
    hands.session.reconnect()
    hands.twice(Verb.CREATE, want)
    assert (lab.images / "p" / "u.raw").read_bytes() == raw_file.read_bytes()
    assert not hands.inventory().marks[want.id].pending


@pytest.mark.parametrize("known", [True, False], ids=["key written down", "killed before"])
def test_a_half_made_upload_of_ours_is_made_again(
    hands: Hands, lab: Lab, images: libvirt.virStoragePool, raw_file: Path, known: bool
) -> None:
    want = volume("u.raw", None, "raw", upload={"path": str(raw_file)})
    half = images.createXML(volume("u.raw", 8 * MIB, "raw", "<allocation>0</allocation>").xml)
    hands.list_as(want, half.key() if known else "")
    hands.do(Verb.CREATE, want)
    assert (lab.images / "p" / "u.raw").read_bytes() == raw_file.read_bytes()


def test_a_volume_with_data_that_came_up_before_ours_is_not_replaced(
    hands: Hands, lab: Lab, images: libvirt.virStoragePool, raw_file: Path
) -> None:
    foreign = lab.images / "p" / "u.raw"
    foreign.write_bytes(b"precious" * MIB)
    images.refresh()
    want = volume("u.raw", None, "raw", upload={"path": str(raw_file)})
    hands.list_as(want)
    with pytest.raises(NotOursError, match="came up before ours was made"):
        hands.do(Verb.CREATE, want)
    assert foreign.read_bytes() == b"precious" * MIB


def test_a_complete_upload_is_not_repeated_over_what_a_guest_has_written(
    hands: Hands, lab: Lab, raw_file: Path, images: object
) -> None:
    want = volume("u.raw", None, "raw", upload={"path": str(raw_file)})
    make(hands, want)
    written = lab.images / "p" / "u.raw"
    with written.open("r+b") as stream:
        stream.write(b"the guest's own")
    hands.do(Verb.CREATE, want)
    assert written.read_bytes().startswith(b"the guest's own")
