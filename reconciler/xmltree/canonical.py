"""XML -> canonical mapping: a flat dict in which equal definitions are equal, whoever wrote them.

Each element is an entry, its path the key and its text the value (empty where it has none); each attribute is one under
``path/@name``. Amounts are bytes, hexadecimal numbers of addresses decimal, in one spelling each. Nothing is left out but what
the Rules hide. The root's own name is in no path.
"""

from __future__ import annotations

from typing import TypeAlias

from reconciler.xmltree.document import Element, attributes
from reconciler.xmltree.paths import children, join, rules_for, value_of
from reconciler.xmltree.rules import Rules

Canonical: TypeAlias = dict[str, str]


def canonical(root: Element, rules: Rules, place: str = "") -> Canonical:
    """The mapping of a whole document, or of the part of one that stands at `place` (a path without keys)."""
    out: Canonical = {}
    _element(root, "", place, rules, out)
    out.pop("", None)
    return out


def _element(element: Element, path: str, plain: str, rules: Rules, out: Canonical) -> None:
    own = rules_for(rules, plain)
    unit = element.get("unit")
    counted = own.unit is not None
    text = (element.text or "").strip()
    out[path] = value_of(text, unit, own)
    for name, value in attributes(element).items():
        about = rules_for(rules, join(plain, f"@{name}"))
        if not about.hidden:
            counted = counted or about.unit is not None
            out[join(path, f"@{name}")] = value_of(value, unit, about)
    if counted:
        out.pop(join(path, "@unit"), None)
    for step, below, child in children(element, plain, rules):
        if not rules_for(rules, below).hidden:
            _element(child, join(path, step), below, rules, out)
