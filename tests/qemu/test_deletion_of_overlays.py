"""What snapshots have made is merged, reverted and removed only where nobody else stands on it; and all of it is found."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace

import libvirt
import pytest

from reconciler.errors import HostError
from reconciler.host.drivers.wiping.domains import wipe
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from tests.driving import Hands, domain_xml
from tests.lab.nodes import Lab
from tests.snapshotting import UUID, Album, disk

OTHER = "99999999-2222-5333-8444-555555555555"


@pytest.fixture
def album(host_uri: str, lab: Lab) -> Iterator[Album]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Album(Hands(session), lab)
        shutil.rmtree(lab.images / "elsewhere", ignore_errors=True)


def foreign(album: Album, base: str) -> libvirt.virDomain:
    """Somebody's domain, with an overlay over a file of ours in a folder that no pool knows."""
    (album.lab.images / "elsewhere").mkdir()
    path = album.lab.images / "elsewhere" / "theirs.qcow2"
    below = f"{album.lab.images}/{base}"
    album.lab.run(1, ["qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", str(path)])
    return album.hands.conn.defineXML(domain_xml("theirs", OTHER, devices=disk(path)))


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("base", ["a.qcow2", "a.qcow2.one"])
def test_an_overlay_is_not_merged_while_somebody_stands_on_its_base_or_on_itself(album: Album, state: str, base: str) -> None:
    image = album.image("a.qcow2")
    album.define(disk(image))
    album.bring(state)
    album.write(1)
    album.take("one", mode="external", memory="false")
    album.write(2)
    album.take("two", mode="external", memory="false")
    album.write(3)
    before = {name: (album.lab.images / name).read_bytes() for name in ("a.qcow2", "a.qcow2.one")}
    theirs = foreign(album, base)
    album.delete("one")
    assert album.files() == {"a.qcow2", "a.qcow2.one", "a.qcow2.two"}
    assert {name: (album.lab.images / name).read_bytes() for name in before} == before
    assert (album.read(), set(album.snapshots)) == (3, {"two"})
    assert any("the domain theirs uses" in message for message, _ in album.hands.reports)
    theirs.undefine()


def test_an_overlay_that_a_revert_leaves_stays_while_somebody_stands_on_it(album: Album) -> None:
    album.define(disk(album.image("a.qcow2")))
    album.write(1)
    album.take("one", mode="external")
    album.write(2)
    theirs = foreign(album, "a.qcow2.one")
    album.revert("one")
    assert album.read() == 1
    assert "a.qcow2.one" in album.files()
    theirs.undefine()


def over(album: Album, base: str, name: str) -> None:
    """A new overlay of that name."""
    paths = [f"{album.lab.images}/{each}" for each in (base, name)]
    album.lab.run(1, ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", *paths])


def branched(album: Album) -> None:
    """A stopped guest that was reverted twice, so that a snapshot of today's chain has others beside it."""
    album.define(disk(album.image("a.qcow2")))
    album.write(1)
    album.take("one", mode="external")
    album.write(2)
    album.take("two", mode="external")
    album.write(3)
    album.revert("one")
    album.write(4)
    album.take("three", mode="external")
    album.revert("two")
    album.write(5)


def test_an_overlay_that_was_wiped_and_not_deleted_is_found_again(album: Album) -> None:
    branched(album)
    path = album.lab.images / "a.qcow2.one"
    path.write_bytes(bytes(path.stat().st_size))
    album.hands.do(Verb.WIPE, album.want, uuid=UUID)
    assert album.files() == {"a.qcow2"}


@pytest.mark.parametrize("verb", [Verb.WIPE, Verb.DELETE])
def test_what_reverts_have_left_beside_the_chain_of_today_goes_with_the_domain(album: Album, verb: Verb) -> None:
    branched(album)
    over(album, "a.qcow2", "a.qcow2.one.r7")
    assert len(album.files()) > 4, album.files()
    album.hands.twice(verb, album.want, uuid=UUID)
    assert album.files() == {"a.qcow2"}


def test_wherever_the_wipe_of_a_tree_ends_the_next_one_finds_the_rest(album: Album) -> None:
    branched(album)
    for number in range(len(album.files()) - 1):
        told = 0

        def report(text: str, fraction: float | None) -> None:
            nonlocal told
            told += text.startswith("deleting")
            if told > 1:
                raise HostError("killed")

        step = album.hands.step(Verb.WIPE, album.want, uuid=UUID)
        with pytest.raises(HostError, match="killed") if len(album.files()) > 2 else contextlib.nullcontext():
            wipe(replace(step, report=report))
        assert number < 9
    assert album.files() == {"a.qcow2"}


def test_an_overlay_of_which_nobody_knows_whose_it_is_holds_the_domain(album: Album) -> None:
    branched(album)
    files = album.files()
    over(album, "a.qcow2", "a.qcow2.gone.r1")
    with pytest.raises(HostError, match=r"a\.qcow2\.gone\.r1 stands on its file"):
        album.hands.do(Verb.WIPE, album.want, uuid=UUID)
    assert album.files() == files | {"a.qcow2.gone.r1"}


def test_a_disk_is_not_turned_back_under_somebody_who_stands_on_it(album: Album) -> None:
    image = album.image("a.qcow2")
    album.define(disk(image))
    album.write(1)
    album.take("one", mode="internal")
    album.write(2)
    theirs = foreign(album, "a.qcow2")
    before = image.read_bytes()
    with pytest.raises(HostError, match="the domain theirs uses"):
        album.revert("one")
    assert image.read_bytes() == before
    theirs.undefine()
    album.revert("one")
    assert album.read() == 1
