"""The inventory's texts: marks in, compressed JSON out, spread over several texts of limited size. Pure; no host is called.

Writing order is what keeps it safe: `place` gives the writes in an order in which no mark is ever in no shard, whenever it stops.
A mark that is in two shards afterwards is told apart by its serial number: the higher one counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark

FORMAT = 1
LIMIT = 60 * 1024  # characters of one text
FULL = 54 * 1024  # a shard of this size takes no new marks: its own may still grow
_UNPACKED_LIMIT = 256 * 1024 * 1024

Key: TypeAlias = tuple[str, str, str]
"""Kind, pool and name: what identifies a resource within a host."""


@dataclass(frozen=True, slots=True)
class Record:
    """A mark with the serial number of its writing."""

    serial: int
    mark: Mark


Shard: TypeAlias = Mapping[Key, Record]


class DamagedError(ValueError):
    """A text is not an inventory's, or not one that this version can read."""


@dataclass(frozen=True, slots=True)
class Write:
    """One text to be written. `shard` is its index among those given, None for a new one; an empty `text` removes it."""

    shard: int | None
    records: Shard
    text: str


def key_of(identity: ResourceId) -> Key:
    """The key of a resource: its host is left out, because the inventory lies on that host, whatever manifests call it."""
    return (identity.kind, identity.pool, identity.name)


def encode(records: Shard) -> str:
    """The text of a shard; "" if there is nothing to say."""
    if not records:
        return ""
    content = {"format": FORMAT, "marks": [[record.serial, _plain(record.mark)] for _, record in sorted(records.items())]}
    data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(data, 6)).decode()


def decode(text: str, host: str) -> dict[Key, Record]:
    """The shard that `text` says; `host` is the name of the host that it was found on. Raises DamagedError."""
    if not text:
        raise DamagedError("it is empty")
    try:
        engine = zlib.decompressobj()
        content = json.loads(engine.decompress(base64.b64decode(text, validate=True), _UNPACKED_LIMIT))
        if content["format"] != FORMAT:
            raise DamagedError(f"its format is {content['format']}, this version of Vireo knows {FORMAT}")
        records = [Record(int(serial), _mark(plain, host)) for serial, plain in content["marks"]]
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise error if isinstance(error, DamagedError) else DamagedError(str(error)) from error
    return {key_of(record.mark.id): record for record in records}


def newest(shards: Sequence[Shard]) -> dict[Key, Record]:
    """What the shards say together."""
    result: dict[Key, Record] = {}
    for shard in shards:
        for key, record in shard.items():
            if key not in result or result[key].serial < record.serial:
                result[key] = record
    return result


def heal(shards: Sequence[Shard]) -> list[Write]:
    """The writes that remove outdated copies: a killed process may have left them."""
    now = newest(shards)
    writes = []
    for index, shard in enumerate(shards):
        kept = {key: record for key, record in shard.items() if now[key] is record}
        if len(kept) != len(shard):
            writes.append(Write(index, kept, encode(kept)))
    return writes


def place(shards: Sequence[Shard], sizes: Sequence[int], changes: Mapping[Key, Mark | None]) -> list[Write]:
    """The writes that put the changed marks in (None: take them out), in a safe order. `shards` have no outdated copies.

    `sizes` are the lengths of the shards' texts. A mark is replaced where it is; one that is new, or that has outgrown its shard,
    goes to the first shard with room. Shards that marks have left are written last.
    """
    serial = max((record.serial for shard in shards for record in shard.values()), default=0) + 1
    incoming = {key: Record(serial, mark) for key, mark in changes.items() if mark is not None}
    writes: list[Write] = []
    left: list[Write] = []
    open_for_more: list[tuple[int, Shard, bool]] = []
    for index, shard in enumerate(shards):
        touched = shard.keys() & changes.keys()
        rest = {key: record for key, record in shard.items() if key not in touched}
        whole = rest | {key: incoming[key] for key in touched if key in incoming}
        if touched and len(whole) > 1 and len(encode(whole)) > LIMIT:
            left.append(Write(index, rest, encode(rest)))
            continue
        for key in touched:
            incoming.pop(key, None)
        if touched or sizes[index] < FULL:
            open_for_more.append((index, whole, bool(touched)))
    for index, shard, changed in open_for_more:
        text, taken = _fill(shard, incoming) if incoming else (encode(shard) if changed else "", {})
        if taken or changed:
            writes.append(Write(index, {**shard, **taken}, text))
            incoming = {key: record for key, record in incoming.items() if key not in taken}
    while incoming:
        text, taken = _fill({}, incoming)
        writes.append(Write(None, taken, text))
        incoming = {key: record for key, record in incoming.items() if key not in taken}
    return [*writes, *left]


def _fill(shard: Shard, incoming: Mapping[Key, Record]) -> tuple[str, dict[Key, Record]]:
    """The text of `shard` with as many of the incoming as fit, and these; an empty shard takes one of any size."""
    keys = list(incoming)
    low, high = (1 if not shard else 0), len(keys)
    best = ""
    while low < high:
        middle = (low + high + 1) // 2
        text = encode({**shard, **{key: incoming[key] for key in keys[:middle]}})
        if len(text) <= FULL:
            low, best = middle, text
        else:
            high = middle - 1
    taken = {key: incoming[key] for key in keys[:low]}
    return best or encode({**shard, **taken}), taken


def _plain(mark: Mark) -> dict[str, Any]:
    """The mark as JSON data, without what is as it is by default."""
    data = {"project": mark.project, "kind": mark.id.kind, "pool": mark.id.pool, "name": mark.id.name}
    default = Mark(mark.project, mark.id, "")
    for name in _FIELDS:
        value = getattr(mark, name)
        if value != getattr(default, name):
            data[name] = value
    return data


def _mark(data: dict[str, Any], host: str) -> Mark:
    identity = ResourceId(data["kind"], data["name"], host, data["pool"])
    mark = Mark(data["project"], identity, "")
    return replace(mark, **{name: data[name] for name in _FIELDS if name in data})


_FIELDS = tuple(field.name for field in fields(Mark) if field.name not in {"project", "id"})
