"""Values for a schema's datatypes: numbers within their bounds, texts that fit a pattern. All from the given Random."""

from __future__ import annotations

import re
import string
from functools import cache
from random import Random
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as regular  # type: ignore[attr-defined]
from typing import Any

from tests.corpus.grammar import RNG, Pattern

_TEXTS = ("web", "a & b", "x <y>", "Zoë", "it's", 'say "hi"', "two  words", "50%", "ümläut/slash", "a;b,c=d")
_PRINTABLE = string.ascii_letters + string.digits + "-_.:+ /,;=~"
_BOUNDS = {
    "unsignedInt": (0, 4096),
    "unsignedLong": (0, 1 << 20),
    "unsignedShort": (0, 255),
    "positiveInteger": (1, 64),
    "int": (0, 255),
    "integer": (0, 255),
    "short": (0, 120),
    "long": (0, 65536),
}
_MOST = 6  # of what may be repeated without end
_WEIRD = 0.02  # how often a text is one with characters that must be encoded


def seeded(name: str) -> Random:
    """The same choices for the same name, on every machine."""
    return Random(name)  # noqa: S311  nothing is secret here


def text(random: Random) -> str:
    """What may stand where the schema says nothing."""
    return random.choice(_TEXTS) if random.random() < 0.5 else "".join(random.choices(string.ascii_lowercase, k=5))


def data(pattern: Pattern, random: Random) -> str:
    """A value of a ``<data>`` pattern."""
    about = {str(param.get("name")): param.text or "" for param in pattern.iter(f"{RNG}param")}
    name = pattern.get("type") or ""
    if name == "dateTime":
        return "2024-05-06T07:08:09"
    if name == "double":
        return f"{random.randint(0, 9)}.5"
    if name in _BOUNDS:
        return _number(about, _BOUNDS[name], random)
    if "pattern" in about:
        return _fitting(about["pattern"], random)
    least, most = int(about.get("minLength", "1")), int(about.get("maxLength", "8"))
    length = int(about["length"]) if "length" in about else random.randint(least, most)
    return "".join(random.choices(string.ascii_letters + string.digits, k=length))


def _number(about: dict[str, str], usual: tuple[int, int], random: Random) -> str:
    pattern = about.get("pattern", "")
    if pattern and not re.fullmatch(pattern, "10"):
        return _fitting(pattern, random)
    least = int(about.get("minInclusive", about.get("minExclusive", usual[0])))
    most = min(int(about.get("maxInclusive", usual[1])), max(usual[1], least))
    return str(random.randint(least, most) if random.random() < 0.5 else random.randint(least, min(most, least + 8)))


def _fitting(pattern: str, random: Random) -> str:
    return "".join(_of(node, random) for node in _parsed(pattern))


@cache
def _parsed(pattern: str) -> Any:
    return regular.parse(re.sub(r"\s*\n\s*", "", pattern))


def _of(node: Any, random: Random) -> str:
    operation, argument = node
    if operation is code.LITERAL:
        return chr(argument)
    if operation is code.NOT_LITERAL:
        return random.choice([c for c in _PRINTABLE if ord(c) != argument])
    if operation is code.ANY:
        return random.choice(string.ascii_lowercase)
    if operation is code.IN:
        return _in(argument, random)
    if operation is code.BRANCH:
        return "".join(_of(inner, random) for inner in random.choice(argument[1]))
    if operation is code.SUBPATTERN:
        return "".join(_of(inner, random) for inner in argument[-1])
    if operation in (code.MAX_REPEAT, code.MIN_REPEAT):
        least, most, inner = argument
        most = min(int(most), max(int(least), _MOST))
        return "".join(_of(part, random) for _ in range(random.randint(int(least), most)) for part in inner)
    return ""


def _in(argument: Any, random: Random) -> str:
    ranges = [part for part in argument if part[0] is not code.NEGATE and part[0] is not code.CATEGORY]
    if argument[0][0] is code.NEGATE:
        barred = {chr(n) for part in ranges for n in _numbers(part)}
        if random.random() < _WEIRD:
            return random.choice([c for c in "&<>'\"é" if c not in barred] or ["x"])
        return random.choice([c for c in _PRINTABLE.replace(" ", "") if c not in barred])
    if not ranges:
        return "1"
    return chr(random.choice([n for part in ranges for n in _numbers(part)]))


def _numbers(part: Any) -> range:
    operation, argument = part
    return range(argument, argument + 1) if operation is code.LITERAL else range(argument[0], argument[1] + 1)
