"""Taking values out of a document that libvirt keeps to itself, by the kind's `write_only` paths. Knows no secret's meaning."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.xmltree.document import Element, attributes, parse, serialize
from reconciler.xmltree.paths import children, join, rules_for
from reconciler.xmltree.rules import Rules


def conceal(text: str, rules: Rules, stand_in: Callable[[str, str], str]) -> str:
    """`text` with each write-only attribute's value replaced by what `stand_in` makes of its path (with keys) and value."""
    root = parse(text)
    _element(root, "", "", rules, stand_in)
    return serialize(root)


def _element(element: Element, path: str, plain: str, rules: Rules, stand_in: Callable[[str, str], str]) -> None:
    for name, value in attributes(element).items():
        if rules_for(rules, join(plain, f"@{name}")).write_only:
            element.set(name, stand_in(join(path, f"@{name}"), value))
    for step, below, child in children(element, plain, rules):
        _element(child, join(path, step), below, rules, stand_in)
