"""libvirt's RNG schemas as data: what is defined under which name, includes followed. Chooses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

RNG = "{http://relaxng.org/ns/structure/1.0}"
SCHEMAS = Path("/usr/share/libvirt/schemas")

Pattern = ElementTree.Element


@dataclass(frozen=True, slots=True)
class Grammar:
    """Names -> alternatives, each a sequence of patterns; `start` is the name of the root's definition."""

    defines: Mapping[str, tuple[tuple[Pattern, ...], ...]]
    start: str

    def below(self, *steps: str) -> tuple[Pattern, ...]:
        """The patterns of the elements that may stand directly in the element at `steps` (names from the root on)."""
        found: tuple[Pattern, ...] = tuple(self._elements([p for seq in self.defines[self.start] for p in seq], set()))
        for step in steps:
            found = tuple(e for p in found if p.get("name") == step for e in self._elements(list(p), set()))
        return found

    def _elements(self, patterns: list[Pattern], seen: set[str]) -> Iterator[Pattern]:
        for pattern in patterns:
            match kind(pattern):
                case "element":
                    yield pattern
                case "ref":
                    name = pattern.get("name") or ""
                    if name not in seen:
                        for sequence in self.defines[name]:
                            yield from self._elements(list(sequence), seen | {name})
                case "choice" | "group" | "interleave" | "optional" | "zeroOrMore" | "oneOrMore":
                    yield from self._elements(list(pattern), seen)
                case _:
                    pass


def kind(pattern: Pattern) -> str:
    """What sort of pattern it is: ``element``, ``choice``, ``ref`` ..."""
    return pattern.tag.removeprefix(RNG)


def load(name: str) -> Grammar:
    """The schema of that file name, with everything that it includes."""
    defines: dict[str, tuple[tuple[Pattern, ...], ...]] = {}
    start = _read(SCHEMAS / name, defines)
    return Grammar(defines, start)


def _read(path: Path, defines: dict[str, tuple[tuple[Pattern, ...], ...]]) -> str:
    start = ""
    for part in ElementTree.parse(path).getroot():
        match kind(part):
            case "include":
                _read(path.parent / (part.get("href") or ""), defines)
                for override in part.iter(f"{RNG}define"):
                    defines[override.get("name") or ""] = (tuple(override),)
            case "define":
                name = part.get("name") or ""
                before = defines.get(name, ()) if part.get("combine") == "choice" else ()
                defines[name] = (*before, tuple(part))
            case "start":
                start = part[0].get("name") or ""
            case _:
                pass
    return start
