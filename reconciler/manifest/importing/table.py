"""Reading fields out of XML by tables: where a field's value stands, and how it is written in a manifest. Knows no kind.

A value that a conversion cannot say is left out; whoever reads compares the rendering with the XML afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from reconciler.xmltree.document import Element
from reconciler.xmltree.quantity import UNITS

Convert: TypeAlias = Callable[[str], Any]

_SIZES = tuple((1024**power, unit) for power, unit in ((6, "EiB"), (5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")))
_WORDS = {"yes": True, "no": False, "on": True, "off": False}
_PCI = ("domain", "bus", "slot", "function")


@dataclass(frozen=True, slots=True)
class Row:
    """One value: `path` as ``source/@dev``, ``serial`` (a text) or ``.`` (the own text). `default` is left out."""

    field: str
    path: str
    convert: Convert = str
    default: Any = None


@dataclass(frozen=True, slots=True)
class Part:
    """A mapping made of the element at `path`; with `each` a list of all elements there. An empty one is left out.

    `ordered` lists are those in which the order says something (where a device is plugged in).
    """

    field: str
    path: str
    parts: Sequence[Item]
    each: bool = False
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Items:
    """A list of values: one for each element at `path`, which stands at `value` in it."""

    field: str
    path: str
    value: str = "."
    convert: Convert = str


@dataclass(frozen=True, slots=True)
class Made:
    """A value that a function makes of the element, None if nothing is to be said; `path` is what it covers of the element."""

    field: str
    path: str
    make: Callable[[Element], Any]


Item: TypeAlias = "Row | Part | Items | Made"


def read(element: Element, table: Sequence[Item]) -> dict[str, Any]:
    """The fields of `table` that the element has, in the order of the table."""
    out: dict[str, Any] = {}
    for item in table:
        value = _value(element, item)
        if value is not None:
            out[item.field] = value
    return out


def _value(element: Element, item: Item) -> Any:
    match item:
        case Row(path=path, convert=convert, default=default):
            text = text_at(element, path)
            value = None if text is None else convert(text)
            return None if value == default else value
        case Part(path=path, parts=parts, each=True):
            return [read(found, parts) for found in element.findall(path)] or None
        case Part(path=path, parts=parts):
            found = element if path == "." else element.find(path)
            return None if found is None else (read(found, parts) or None)
        case Items(path=path, value=value, convert=convert):
            texts = [text_at(found, value) for found in element.findall(path)]
            return [convert(text) for text in texts if text is not None] or None
        case Made(make=make):
            return make(element)


def text_at(element: Element, path: str) -> str | None:
    """The text or attribute at `path`; None if there is no such element or attribute."""
    steps, _, name = path.rpartition("@")
    place = steps.rstrip("/") if name and "@" in path else path
    found = element if place in {"", "."} else element.find(place)
    if found is None:
        return None
    return found.get(name) if "@" in path else (found.text or "")


def field_of(table: Sequence[Item], path: str) -> str | None:
    """The field whose value stands at `path` (without keys, below the element), or above it."""
    fitting = [
        item for item in table if path == item.path or path.startswith(f"{item.path}/") or item.path.startswith(f"{path}/")
    ]
    exact = [item for item in fitting if item.path == path] or fitting
    return exact[0].field if len(exact) == 1 else None


# --- conversions: text -> value, None where it cannot be said ---------------------------------------------------


def integer(text: str) -> int | None:
    """A whole number."""
    try:
        return int(text.strip(), 10)
    except ValueError:
        return None


def number(text: str) -> int | str:
    """A number that libvirt may write in hexadecimal."""
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        return text


def truth(text: str) -> bool | None:
    """yes and on, no and off."""
    return _WORDS.get(text)


def present(_: str) -> bool:
    """An element that says something by being there."""
    return True


def word_or_number(text: str) -> int | str:
    """A port that may be a service's name."""
    return int(text) if text.isdigit() else text


def size(amount: int) -> str:
    """Bytes as people write them: ``2GiB``, ``1536MiB``, ``1000B``."""
    factor, unit = next(((factor, unit) for factor, unit in _SIZES if amount and amount % factor == 0), (1, "B"))
    return f"{amount // factor}{unit}"


def amount(path: str, unit: str = "KiB", attribute: str = "") -> Callable[[Element], str | None]:
    """A maker: the amount at `path` (an element with a unit, or an `attribute` of it)."""

    def make(element: Element) -> str | None:
        found = element if path == "." else element.find(path)
        text = None if found is None else found.get(attribute) if attribute else (found.text or "").strip()
        if found is None or text is None or not text.isdigit():
            return None
        factor = UNITS.get((found.get("unit") or unit).lower())
        return None if factor is None else size(int(text) * factor)

    return make


def pairs(path: str, name: str, value: str) -> Callable[[Element], dict[str, str] | None]:
    """A maker: elements with a name and a value as a mapping; None if a name stands twice."""

    def make(element: Element) -> dict[str, str] | None:
        found = [(text_at(child, name), text_at(child, value)) for child in element.findall(path)]
        out = {key: text for key, text in found if key is not None and text is not None}
        return out if out and len(out) == len(found) else None

    return make


def pci(element: Element | None) -> str | None:
    """The host's PCI device as ``lspci -D`` writes it."""
    if element is None:
        return None
    parts = [part for part in (number(element.get(name) or "0") for name in _PCI) if isinstance(part, int)]
    if len(parts) != len(_PCI):
        return None
    domain, bus, slot, function = parts
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
