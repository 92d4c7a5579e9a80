"""XML -> canonical mapping: a flat dict in which equal definitions are equal, whoever wrote them.

Each element is an entry, its path the key and its text the value (empty where it has none); each attribute is one under
``path/@name``. Amounts are bytes, hexadecimal numbers of addresses decimal, in one spelling each. Nothing is left out but what
the Rules hide. The root's own name is in no path.
"""

from __future__ import annotations

from typing import TypeAlias

from reconciler.xmltree.document import Element, attributes
from reconciler.xmltree.paths import PathRules, children, join, rules_for
from reconciler.xmltree.rules import Rules

Canonical: TypeAlias = dict[str, str]

UNITS = {"b": 1, "bytes": 1, "byte": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4, "pb": 1000**5, "eb": 1000**6}
UNITS |= {name: 1024**n for n, letter in enumerate("kmgtpe", 1) for name in (letter, f"{letter}ib")}


def canonical(root: Element, rules: Rules) -> Canonical:
    """The mapping of a whole document."""
    out: Canonical = {}
    _element(root, "", "", rules, out)
    out.pop("", None)
    return out


def _element(element: Element, path: str, plain: str, rules: Rules, out: Canonical) -> None:
    own = rules_for(rules, plain)
    unit = element.get("unit")
    counted = own.unit is not None
    text = (element.text or "").strip()
    out[path] = _value(text, unit, own)
    for name, value in attributes(element).items():
        about = rules_for(rules, join(plain, f"@{name}"))
        if not about.hidden:
            counted = counted or about.unit is not None
            out[join(path, f"@{name}")] = _value(value, unit, about)
    if counted:
        out.pop(join(path, "@unit"), None)
    for step, below, child in children(element, plain, rules):
        if not rules_for(rules, below).hidden:
            _element(child, join(path, step), below, rules, out)


def _value(value: str, unit: str | None, about: PathRules) -> str:
    if about.unit is not None and value:
        return amount(value, unit or about.unit, about.rounding)
    return value if about.spelling is None else about.spelling(value)


def amount(text: str, unit: str, rounding: int = 1) -> str:
    """An amount in bytes, rounded up as libvirt does; a text that is no whole number stays as it is."""
    factor = UNITS.get(unit.lower())
    if factor is None or not text.isdigit():
        return text
    return round_up(int(text) * factor, rounding)


def round_up(size: int, step: int) -> str:
    """The next multiple of `step`, as text."""
    return str(-(-size // step) * step)
