"""A random walk over a schema: pattern -> an element that fits it. What is wanted more often, or never, comes in as Taste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import TypeAlias
from xml.etree import ElementTree

from tests.corpus import words
from tests.corpus.grammar import Grammar, Pattern, kind

Element: TypeAlias = ElementTree.Element
Item: TypeAlias = Element | tuple[str, str] | str

_DEEPEST = 9
_SELDOM = 0.15


class DeadEndError(Exception):
    """Nothing that is wanted fits here."""


@dataclass(frozen=True, slots=True)
class Taste:
    """`values`: the values to choose from, by the name of a definition, or by a pattern of paths (``*/disk/target/@dev``).
    `never`: patterns of paths, or of ``path=value``, that are left out, `seldom` that mostly are. Paths begin with the walked
    element's name.
    """

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    never: tuple[str, ...] = ()
    seldom: tuple[str, ...] = ()


@dataclass(slots=True)
class Walk:
    """`talkative` is how often what may be left out is there, at the top; less often with each step below it."""

    grammar: Grammar
    taste: Taste
    random: Random
    talkative: float

    def element(self, pattern: Pattern) -> Element:
        """One element of an ``<element>`` pattern. Raises DeadEndError."""
        [item] = self._one(pattern, "", 0)
        assert isinstance(item, Element)
        return item

    def _all(self, patterns: Sequence[Pattern], path: str, depth: int) -> list[Item]:
        return [item for pattern in patterns for item in self._one(pattern, path, depth)]

    def _one(self, pattern: Pattern, path: str, depth: int) -> list[Item]:
        if depth > 80:
            raise DeadEndError(path)
        match kind(pattern):
            case "element":
                return [self._element(pattern, path, depth)]
            case "attribute":
                name, place = self._named(pattern, path, "@")
                return [(name, self._value(list(pattern), place, depth))]
            case "ref":
                return self._ref(pattern.get("name") or "", path, depth)
            case "choice":
                return self._choice([(option,) for option in pattern], path, depth)
            case "optional" | "zeroOrMore" | "oneOrMore" as sort:
                return self._repeated(pattern, sort, path, depth)
            case "interleave" | "group" as sort:
                parts = list(pattern)
                if sort == "interleave":
                    self.random.shuffle(parts)
                return self._all(parts, path, depth + 1)
            case sort:
                return self._leaf(pattern, sort, path)

    def _leaf(self, pattern: Pattern, sort: str, path: str) -> list[Item]:
        match sort:
            case "value":
                if any(fnmatchcase(f"{path}={pattern.text}", barred) for barred in self.taste.never):
                    raise DeadEndError(path)
                return [pattern.text or ""]
            case "data":
                return [words.data(pattern, self.random)]
            case "text":
                return [words.text(self.random)]
            case "empty":
                return []
            case _:
                raise DeadEndError(path)

    def _repeated(self, pattern: Pattern, sort: str, path: str, depth: int) -> list[Item]:
        parts = list(pattern)
        if sort == "oneOrMore":
            return [*self._all(parts, path, depth + 1), *self._more(pattern, path, depth)]
        first = self._perhaps(parts, path, depth)
        return [*first, *(self._more(pattern, path, depth) if first and sort == "zeroOrMore" else [])]

    def _more(self, pattern: Pattern, path: str, depth: int) -> list[Item]:
        return self._perhaps(list(pattern), path, depth) if self.random.random() < 0.5 else []

    def _element(self, pattern: Pattern, path: str, depth: int) -> Element:
        name, place = self._named(pattern, path, "")
        space = pattern.get("ns")
        out = ElementTree.Element(f"{{{space}}}{name}" if space else name)
        values = self._chosen(place)
        items = [*self._all(list(pattern), place, depth + 1)]
        for item in items:
            match item:
                case str():
                    out.text = (out.text or "") + item
                case (attribute, value):
                    out.set(attribute, value)
                case _:
                    out.append(item)
        if values is not None:
            out.text = self.random.choice(values)
        return out

    def _named(self, pattern: Pattern, path: str, mark: str) -> tuple[str, str]:
        name = pattern.get("name")
        if name is None:
            named = pattern[0]
            if kind(named) == "anyName":
                raise DeadEndError(path)
            name = self.random.choice([part.text or "" for part in named]) if kind(named) == "choice" else named.text or ""
        place = f"{path}/{mark}{name}" if path else f"{mark}{name}"
        if any(fnmatchcase(place, barred) for barred in self.taste.never) or place.count("/") > _DEEPEST:
            raise DeadEndError(place)
        if any(fnmatchcase(place, rare) for rare in self.taste.seldom) and self.random.random() > _SELDOM:
            raise DeadEndError(place)
        return name, place

    def _value(self, patterns: list[Pattern], place: str, depth: int) -> str:
        values = self._chosen(place)
        if values is not None:
            return self.random.choice(values)
        inner = [pattern for pattern in patterns if kind(pattern) not in {"name", "anyName"}]
        return "".join(item for item in self._all(inner, place, depth + 1) if isinstance(item, str)) if inner else "x"

    def _chosen(self, place: str) -> Sequence[str] | None:
        return next((values for barred, values in self.taste.places.items() if fnmatchcase(place, barred)), None)

    def _ref(self, name: str, path: str, depth: int) -> list[Item]:
        if name in self.taste.values:
            return [self.random.choice(self.taste.values[name])]
        return self._choice(self.grammar.defines[name], path, depth)

    def _choice(self, options: Sequence[Sequence[Pattern]], path: str, depth: int) -> list[Item]:
        for option in self.random.sample(list(options), len(options)):
            try:
                return self._all(option, path, depth + 1)
            except DeadEndError:
                continue
        raise DeadEndError(path)

    def _perhaps(self, patterns: list[Pattern], path: str, depth: int) -> list[Item]:
        if self.random.random() > self.talkative / (1 + 0.3 * path.count("/")):
            return []
        try:
            return self._all(patterns, path, depth + 1)
        except DeadEndError:
            return []
