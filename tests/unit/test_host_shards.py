from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.host import shards
from reconciler.host.shards import DamagedError, Key, Record, Write, decode, encode, heal, key_of, newest, place
from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark


def noise(size: int, seed: int) -> str:
    """Text that does not compress well, as digests do not."""
    return random.Random(seed).randbytes(size // 2).hex()  # noqa: S311  no secret


def mark(name: str, *, size: int = 0, seed: int = 0) -> Mark:
    return Mark("demo", ResourceId("Network", name, "node1"), f"uuid-{name}", digest=str(seed), xml=noise(size, seed))


def key(name: str) -> Key:
    return ("Network", "", name)


class Host:
    """The texts of a host, written in the order given; `left` is how many writes the process lives for."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, writes: list[Write], left: int) -> int:
        for write in writes:
            if left == 0:
                return 0
            left -= 1
            if write.shard is None:
                self.texts.append(write.text)
            else:
                self.texts[write.shard] = write.text
        return left

    def shards(self) -> list[dict[Key, Record]]:
        self.texts = [text for text in self.texts if text]
        return [decode(text, "node1") for text in self.texts]

    def marks(self) -> dict[Key, Mark]:
        return {key: record.mark for key, record in newest(self.shards()).items()}

    def change(self, changes: Mapping[Key, Mark | None], left: int = -1) -> None:
        """One change as a process does it that is killed after `left` writes (-1: never)."""
        left = self.write(heal(self.shards()), left)
        if left:
            now = self.shards()
            self.write(place(now, [len(text) for text in self.texts], changes), left)


NAMES = st.sampled_from([f"n{number}" for number in range(12)])
SIZES = st.sampled_from([0, 10, 3_000, 20_000, 45_000, 80_000])


@st.composite
def changes(draw: st.DrawFn) -> dict[Key, Mark | None]:
    names = draw(st.lists(NAMES, unique=True, min_size=1, max_size=8))
    seed = draw(st.integers(0, 1_000_000))
    return {
        key(name): mark(name, size=draw(SIZES), seed=seed + number) if draw(st.booleans()) or draw(st.booleans()) else None
        for number, name in enumerate(names)
    }


@settings(max_examples=40)
@given(st.lists(st.tuples(changes(), st.integers(-1, 4)), max_size=8))
def test_a_kill_between_any_two_writes_loses_and_revives_nothing(history: list[tuple[dict[Key, Mark | None], int]]) -> None:
    host = Host()
    for change, left in history:
        before = host.marks()
        host.change(change, left)
        after = host.marks()
        for name in before.keys() | after.keys() | change.keys():
            allowed = [before.get(name)] + ([change[name]] if name in change else [])
            assert after.get(name) in allowed
            if left == -1 and name in change:
                assert after.get(name) == change[name]


@settings(max_examples=40)
@given(st.lists(changes(), max_size=6))
def test_no_text_is_larger_than_the_limit_unless_one_mark_alone_is(history: list[dict[Key, Mark | None]]) -> None:
    host = Host()
    for change in history:
        host.change(change)
    for text in host.texts:
        assert len(text) <= shards.LIMIT or len(decode(text, "node1")) == 1


def test_only_the_text_that_has_a_mark_is_written_again() -> None:
    host = Host()
    host.change({key(f"n{number}"): mark(f"n{number}", size=4_000, seed=number) for number in range(60)})
    assert len(host.texts) > 3
    before = list(host.texts)
    host.change({key("n0"): mark("n0", size=4_000, seed=999)})
    assert sum(old != new for old, new in zip(before, host.texts, strict=True)) == 1


def test_a_new_mark_goes_to_a_text_with_room() -> None:
    host = Host()
    host.change({key(f"n{number}"): mark(f"n{number}", size=4_000, seed=number) for number in range(20)})
    texts = len(host.texts)
    host.change({key("extra"): mark("extra")})
    assert len(host.texts) == texts


def test_a_mark_that_outgrows_its_text_is_written_elsewhere_before_it_leaves() -> None:
    host = Host()
    host.change({key("a"): mark("a", size=30_000, seed=1), key("b"): mark("b", size=30_000, seed=2)})
    assert len(host.texts) == 1
    grown = {key("a"): mark("a", size=90_000, seed=3)}
    first, second = place(host.shards(), [len(host.texts[0])], grown)
    assert (first.shard, set(first.records)) == (None, {key("a")})
    assert (second.shard, set(second.records)) == (0, {key("b")})


def test_of_two_copies_the_one_written_last_counts_and_the_other_is_healed_away() -> None:
    old, new = {key("a"): Record(1, mark("a", seed=1))}, {key("a"): Record(2, mark("a", seed=2))}
    assert newest([old, new]) == newest([new, old]) == new
    assert heal([new, old]) == [Write(1, {}, "")]


def test_marks_come_back_as_they_were_written() -> None:
    whole = Mark(
        "demo",
        ResourceId("Volume", "a.img", "node1", "images"),
        "/srv/a.img",
        digest="d",
        readback="r",
        live="l",
        xml="<volume/>",
        state="present",
        autostart=False,
        options={"onDelete": "retain", "upload": {"sha256": "x"}},
        normalised={"capacity": "8", "gone": None},
        pending=True,
        protect=True,
    )
    shard = {key_of(whole.id): Record(7, whole)}
    assert decode(encode(shard), "node1") == shard


def test_a_mark_names_the_host_that_it_was_found_on() -> None:
    (record,) = decode(encode({key("a"): Record(1, mark("a"))}), "renamed").values()
    assert record.mark.id.host == "renamed"


@pytest.mark.parametrize("text", ["", "no base64!", "aGVsbG8=", encode({key("a"): Record(1, mark("a"))})[:-8]])
def test_a_damaged_text_is_an_error_and_never_empty(text: str) -> None:
    with pytest.raises(DamagedError):
        decode(text, "node1")
