"""A spec under construction: units that remember which part of the XML they speak for, and can be given up one by one.

What is given up is left to the overlay. Knows no kind and renders nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.importing.table import Item, Part, field_of, read
from reconciler.xmltree.document import Element, parse
from reconciler.xmltree.paths import children, join, without_keys
from reconciler.xmltree.rules import Rules


@dataclass(slots=True)
class Unit:
    """One field of the spec, or one entry of a list: `path` (with keys) is where it stands in the XML, `value` None given up."""

    field: str
    path: str
    value: Any
    table: Sequence[Item]
    listed: bool
    ordered: bool = False

    def covers(self, path: str) -> bool:
        """Whether a path of the XML is this unit's, or has this unit below it."""
        mine = self.path
        return path == mine or path.startswith(f"{mine}/") or (not self.listed and mine.startswith(f"{path}/"))

    def give_up(self, path: str) -> bool:
        """Say nothing any more of `path`: the one field that stands there, else the whole unit. False if there was nothing."""
        if self.value is None:
            return False
        below = without_keys(path)[len(without_keys(self.path)) :].lstrip("/")
        name = field_of(self.table, below) if below and isinstance(self.value, dict) else None
        if name is not None and name in self.value and len(self.value) > 1:
            del self.value[name]
        else:
            self.value = None
        return True


@dataclass(slots=True)
class Draft:
    """What is to be said of an object, in the order in which it is written.

    `lists` maps the path of devices (without keys) to the field that lists them; `none` are the fields that say: none of them.
    """

    units: list[Unit] = field(default_factory=list)
    lists: dict[str, str] = field(default_factory=dict)
    none: set[str] = field(default_factory=set)

    def spec(self) -> dict[str, Any]:
        """The spec as it is now.

        What the overlay adds comes last: behind an entry that is left to it, an ordered list cannot go on.
        """
        out: dict[str, Any] = {}
        ended: set[str] = set()
        for unit in self.units:
            if unit.value is None or unit.field in ended:
                ended |= {unit.field} if unit.ordered else set()
            elif unit.listed:
                out.setdefault(unit.field, []).append(unit.value)
            else:
                out[unit.field] = unit.value
        return {**out, **{name: [] for name in sorted(self.none) if name not in out}}

    def give_up(self, path: str) -> bool:
        """Leave what stands at this path of the XML to the overlay; False if no unit says it.

        A device that nobody says comes from a template: an empty list says that there is none.
        """
        covering = [unit for unit in self.units if unit.covers(path)]
        name = self.lists.get(without_keys(path))
        if not covering and name is not None and name not in self.none:
            self.none.add(name)
            return True
        nearest = max((len(unit.path) for unit in covering), default=0)
        done = [unit.give_up(path) for unit in covering if len(unit.path) == nearest or unit.path.startswith(path)]
        return any(done)

    def reject(self, path: Sequence[str | int]) -> bool:
        """Leave out what stands at this path of the spec: the schema has no words for it."""
        if not path:
            return False
        found = [unit for unit in self.units if unit.field == path[0] and unit.value is not None]
        rest = list(path[1:])
        if found and found[0].listed and rest:
            place = rest.pop(0)
            found = [unit for number, unit in enumerate(found) if number == place]
        for unit in found:
            if rest:
                _remove(unit, rest)
            else:
                unit.value = None
        return bool(found)


def _remove(unit: Unit, path: Sequence[str | int]) -> None:
    place: Any = unit.value
    for part in path[:-1]:
        place = place[part]
    last = path[-1]
    if isinstance(place, dict):
        place.pop(last, None)
    elif isinstance(place, list) and isinstance(last, int):
        del place[last]
    else:
        unit.value = None
    if not place:
        unit.value = None


def draft(text: str, table: Sequence[Item], rules: Rules) -> Draft:
    """The units that a kind's table finds in a document."""
    root = parse(text)
    steps = _steps(root, rules)
    out = Draft()
    for item in table:
        if isinstance(item, Part) and item.each:
            out.lists[item.path] = item.field
            for element in root.findall(item.path):
                value = read(element, item.parts)
                out.units.append(Unit(item.field, steps[element], value or None, item.parts, listed=True, ordered=item.ordered))
        else:
            made = read(root, (item,)).get(item.field)
            inner = item.parts if isinstance(item, Part) else ()
            out.units.append(Unit(item.field, _plain(item.path, root, steps), made, inner, listed=False))
    return out


def _plain(path: str, root: Element, steps: dict[Element, str]) -> str:
    """The canonical path of the element at an ElementPath."""
    found = None if "@" in path or path == "." else root.find(path)
    return path if found is None else steps[found]


def _steps(root: Element, rules: Rules) -> dict[Element, str]:
    """Each element's path with keys."""
    out: dict[Element, str] = {}

    def walk(element: Element, path: str, plain: str) -> None:
        for step, below, child in children(element, plain, rules):
            out[child] = join(path, step)
            walk(child, join(path, step), below)

    walk(root, "", "")
    return out
