"""Paths of the canonical mapping: steps, keys, and what a kind's Rules say about a path without keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TypeVar

from reconciler.xmltree.document import Element, tag
from reconciler.xmltree.quantity import amount
from reconciler.xmltree.rules import Key, Rules

T = TypeVar("T")

PREFIXES = {
    "http://libvirt.org/schemas/domain/qemu/1.0": "qemu",
    "http://libvirt.org/schemas/domain/test/1.0": "test",
    "http://libvirt.org/schemas/domain/lxc/1.0": "lxc",
    "http://libvirt.org/schemas/network/dnsmasq/1.0": "dnsmasq",
    "http://libvirt.org/schemas/storagepool/fs/1.0": "fs",
    "http://libvirt.org/schemas/storagepool/rbd/1.0": "rbd",
    "urn:vireo:1": "vireo",
}


@dataclass(frozen=True, slots=True)
class PathRules:
    """What a kind's Rules say about one path."""

    key: Key | None
    unit: str | None
    rounding: int
    live_rounding: int
    spelling: Callable[[str], str] | None
    hidden: bool
    write_only: bool
    create_only: bool
    volatile: bool
    automatic: frozenset[str]


@cache
def rules_for(rules: Rules, path: str) -> PathRules:
    """The part of `rules` that holds for `path` (without keys)."""
    return PathRules(
        key=rules.keys.get(path),
        unit=rules.quantities.get(path),
        rounding=_first(rules.rounding.items(), path, 1),
        live_rounding=_first(rules.live_rounding.items(), path, 1),
        spelling=_first(rules.spellings.items(), path, None),
        hidden=matches_any(rules.hidden, path),
        write_only=matches_any(rules.write_only, path),
        create_only=matches_any(rules.create_only, path),
        volatile=matches_any(rules.volatile, path),
        automatic=_first(rules.automatic.items(), path, frozenset()),
    )


def _first(table: Iterable[tuple[str, T]], path: str, default: T) -> T:
    return next((value for pattern, value in table if matches(pattern, path)), default)


def matches_any(patterns: tuple[str, ...], path: str) -> bool:
    """Whether one of the patterns covers the path."""
    return any(matches(pattern, path) for pattern in patterns)


def matches(pattern: str, path: str) -> bool:
    """Whether `pattern` covers `path`: ``*`` is any part of one step, ``**`` any number of steps, also none."""
    return _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    out = []
    for part in re.split(r"(/\*\*|\*\*/|\*\*|\*)", pattern):
        match part:
            case "/**":
                out.append(r"(?:/.*)?")
            case "**/":
                out.append(r"(?:.*/)?")
            case "**":
                out.append(".*")
            case "*":
                out.append(r"[^/]*")
            case _:
                out.append(re.escape(part))
    return re.compile("".join(out))


def without_keys(path: str) -> str:
    """``devices/disk[vda]/target/@dev`` -> ``devices/disk/target/@dev``."""
    return re.sub(r"\[[^\]]*\]", "", path)


def name_of(element: Element) -> str:
    """The step's name: the tag, with a known namespace as prefix."""
    name = tag(element)
    if name[0] != "{":
        return name
    uri, local = name[1:].split("}", 1)
    prefix = PREFIXES.get(uri)
    return f"{prefix}:{local}" if prefix else f"{{{uri.replace('/', '|')}}}{local}"


def join(path: str, step: str) -> str:
    """A path below another; the root's own path is empty."""
    return f"{path}/{step}" if path else step


def children(element: Element, path: str, rules: Rules) -> Iterator[tuple[str, str, Element]]:
    """Each child with its step (``disk[vda]``) and its path without keys. `path` is the element's own path without keys.

    A step is unique among siblings: a second one of the same key gets ``#2``, and elements without a Key get their position
    from the second on.
    """
    seen: dict[str, int] = {}
    positions: dict[str, int] = {}
    for child in element:
        name = name_of(child)
        below = join(path, name)
        position = positions.get(name, 0)
        positions[name] = position + 1
        key = rules_for(rules, below).key
        if key is None:
            step = name if position == 0 else f"{name}[{position}]"
        else:
            value = key_of(child, key, below, rules)
            step = f"{name}[{position if value is None else clean(value)}]"
        count = seen.get(step, 0) + 1
        seen[step] = count
        yield (step if count == 1 else f"{step[:-1]}#{count}]" if step.endswith("]") else f"{step}[#{count}]"), below, child


def clean(value: str) -> str:
    """A value as part of a step: without the characters that paths use."""
    return value.replace("[", "(").replace("]", ")").replace("/", "|")


def key_of(element: Element, key: Key, path: str, rules: Rules) -> str | None:
    """The own key of the element at `path` (without keys), in its canonical spelling; None where it has only a position."""
    for source in key.sources:
        parts = [_key_part(element, part, path, rules) for part in source.split("+")]
        if all(part is not None for part in parts):
            return "+".join(part for part in parts if part is not None)
    return None


def _key_part(element: Element, source: str, path: str, rules: Rules) -> str | None:
    value = part_of(element, source)
    about = rules_for(rules, join(path, source.partition("=")[0]))
    return value if value is None else value_of(value, element.get("unit"), about)


def value_of(value: str, unit: str | None, about: PathRules) -> str:
    """A value in its canonical spelling: amounts in bytes, everything else as the kind's rules for its path say."""
    if about.unit is not None and value:
        return amount(value, unit or about.unit, about.rounding)
    return value if about.spelling is None else about.spelling(value)


def part_of(element: Element, source: str) -> str | None:
    """The value at ``target/@dev``, ``@type``, ``name`` or ``@index=0`` (with a value for when it is missing)."""
    source, _, default = source.partition("=")
    *steps, last = source.split("/")
    here = element
    for step in steps:
        below = here.find(step)
        if below is None:
            return default or None
        here = below
    if last.startswith("@"):
        value = here.get(last[1:])
    else:
        found = here.find(last)
        value = None if found is None else (found.text or "").strip()
    if value is None:
        return default or None
    return (
        str(int(value, 16))
        if value.startswith("0x") and _HEX.fullmatch(value)
        else value.lower()
        if _MAC.fullmatch(value)
        else value
    )


_HEX = re.compile(r"0x[0-9a-fA-F]+")
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
