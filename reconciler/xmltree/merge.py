"""Merging documents by the same keys by which they are compared.

`overlay` lays declared XML over rendered XML. `merge` makes what a redefinition hands to libvirt: the persistent definition,
with what is declared set, what the intent declared and the manifest does not any more taken out, and all that libvirt generated
or others added kept. Neither changes its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from copy import deepcopy

from reconciler.xmltree.canonical import canonical
from reconciler.xmltree.document import Element, attributes, parse, serialize, tag, unset
from reconciler.xmltree.paths import children, join, matches, matches_any, part_of, rules_for, without_keys
from reconciler.xmltree.rules import Rules


def overlay(base: str, over: str, rules: Rules) -> str:
    """`over` laid over `base`: its values win, its new elements are added. Raises XmlError where `over` cannot be read."""
    root = parse(base)
    _merge(root, parse(over), None, "", rules)
    return serialize(root)


def merge(desired: str, persistent: str | None, intent: str | None, rules: Rules) -> str:
    """The document to define: `desired` over `persistent`, without what only `intent` declared.

    Without a persistent definition it is `desired` itself. Entries of owned collections that nobody declared are taken out.
    """
    want = parse(desired)
    if persistent is None:
        return serialize(_accompanied(want, rules))
    root = parse(persistent)
    void = _void_patterns(root, want, rules)
    if void:
        _take_out(root, ("", ""), void, canonical(want, rules).keys(), rules)
    _merge(root, want, parse(intent) if intent else None, "", rules, removing=True)
    return serialize(_accompanied(root, rules))


def _accompanied(root: Element, rules: Rules) -> Element:
    for path, child in rules.beside.items():
        for element in root.findall(path):
            if element.find(child) is None:
                element.append(element.makeelement(child))
    return root


def _void_patterns(root: Element, want: Element, rules: Rules) -> tuple[str, ...]:
    """What of the persistent definition cannot stay beside what is declared now."""
    out: list[str] = []
    for path, family in rules.rebuilt_by.items():
        old, new = part_of(root, path), part_of(want, path)
        if old is not None and new is not None and family(old) != family(new):
            out += rules.generated[path]
    declared = {without_keys(path) for path in canonical(want, rules)}
    return (*out, *(gone for gone, for_this in rules.displaced.items() if any(matches(for_this, path) for path in declared)))


def _take_out(
    element: Element, place: tuple[str, str], patterns: tuple[str, ...], declared: AbstractSet[str], rules: Rules
) -> None:
    """Take out what matches and is not declared. `place` is the element's path with keys, and without."""
    path, plain = place
    for name in attributes(element):
        if matches_any(patterns, join(plain, f"@{name}")) and join(path, f"@{name}") not in declared:
            unset(element, name)
    for step, below, child in list(children(element, plain, rules)):
        if matches_any(patterns, below) and join(path, step) not in declared:
            element.remove(child)
        else:
            _take_out(child, (join(path, step), below), patterns, declared, rules)


def _merge(base: Element, want: Element, before: Element | None, path: str, rules: Rules, *, removing: bool = False) -> None:
    placed = _placement(base, path, rules)
    if removing:
        _silence_echoes(base, want, before, path, rules)
    if _text_of(want) or (before is not None and _text_of(before) and not len(want)):
        base.text = want.text
    if rules_for(rules, path).unit is not None and "unit" not in want.attrib:
        unset(base, "unit")
    for name in {} if before is None else attributes(before):
        if name not in want.attrib:
            unset(base, name)
    for name, value in attributes(want).items():
        if rules_for(rules, join(path, f"@{name}")).unit is not None and "unit" not in want.attrib:
            unset(base, "unit")
        base.set(name, value)
    _merge_children(base, want, before, path, rules, removing=removing)
    if placed and placed != _placement(base, path, rules) and want.find("address") is None:
        for address in base.findall("address"):
            base.remove(address)


def _merge_children(base: Element, want: Element, before: Element | None, path: str, rules: Rules, *, removing: bool) -> None:
    have = {step: child for step, _, child in children(base, path, rules)}
    wanted = {step: child for step, _, child in children(want, path, rules)}
    intended = {} if before is None else {step: child for step, _, child in children(before, path, rules)}
    if removing:
        for step, child in list(have.items()):
            if step in wanted:
                continue
            below = join(path, step.split("[", 1)[0])
            declared_some = any(w.tag == child.tag for w in wanted.values())
            if below in rules.shared:
                _merge(child, child.makeelement(child.tag), intended.get(step), below, rules, removing=True)
            elif step in intended or below in rules.owned or (below in rules.complete and declared_some):
                base.remove(child)
                del have[step]
                _take_along(base, join(path, step), wanted, rules)
    for step, child in wanted.items():
        below = join(path, step.split("[", 1)[0])
        old = have.get(step)
        variant = rules.variants.get(below)
        if old is None:
            _insert(base, deepcopy(child), None if removing else _next_known(child, step, wanted, have))
        elif removing and variant and part_of(old, variant) != part_of(child, variant):
            _replace(base, old, deepcopy(child), rules.placed_by.get(below, ()))
        elif variant and part_of(child, variant) not in (None, part_of(old, variant)):
            _convert(base, old, child, below, rules)
        else:
            _merge(old, child, intended.get(step), below, rules, removing=removing)


def _take_along(base: Element, gone: str, wanted: Mapping[str, Element], rules: Rules) -> None:
    """Take out what libvirt made for a device that is gone, unless something of that sort is declared."""
    for sibling in base.findall(rules.falls_with[gone]) if gone in rules.falls_with else ():
        if not any(tag(child) == tag(sibling) for child in wanted.values()):
            base.remove(sibling)


def _silence_echoes(base: Element, want: Element, before: Element | None, path: str, rules: Rules) -> None:
    """Take out what libvirt made of something that is declared, or was and is not any more: it makes it again as it must be."""
    for parent, *pair in rules.mirrors:
        if parent != path:
            continue
        declared = [bool(_at(want, step, path, rules)) for step in pair]
        left = before is not None and any(_at(before, step, path, rules) for step in pair)
        for step, kept in zip(pair, declared, strict=True):
            if not kept and (left or any(declared)):
                for found in _at(base, step, path, rules):
                    if isinstance(found, str):
                        unset(base, found)
                    else:
                        base.remove(found)


def _at(element: Element, step: str, path: str, rules: Rules) -> list[Element | str]:
    """What stands at a step (or at a pattern of steps) of the element: children, or the name of an attribute."""
    if step.startswith("@"):
        return [step[1:]] if step[1:] in element.attrib else []
    return [child for found, _, child in children(element, path, rules) if matches(step, found)]


def _replace(base: Element, old: Element, new: Element, placed_by: tuple[str, ...]) -> None:
    """Put another variant of a device in its place; where it is plugged in, and its alias, stay."""
    if all(part_of(old, source) == part_of(new, source) for source in placed_by):
        for name in ("address", "alias"):
            kept = old.find(name)
            if kept is not None and new.find(name) is None:
                new.append(deepcopy(kept))
    base.replace(old, new)


def _convert(base: Element, old: Element, child: Element, path: str, rules: Rules) -> None:
    """Lay another variant over an element: what belonged to the old variant goes, the rest of a device stays."""
    parts = rules.of_variant.get(path)
    if parts is None:
        base.replace(old, deepcopy(child))
        return
    for part in [part for name in parts for part in old.findall(name)]:
        old.remove(part)
    _merge(old, child, None, path, rules)


def _next_known(child: Element, step: str, wanted: Mapping[str, Element], have: Mapping[str, Element]) -> Element | None:
    """The sibling of that name that is there already and that the overlay names next: the new one stands before it."""
    steps = list(wanted)
    later = (other for other in steps[steps.index(step) + 1 :] if tag(wanted[other]) == tag(child))
    return next((have[other] for other in later if other in have), None)


def _insert(base: Element, child: Element, following: Element | None = None) -> None:
    """Before `following`, behind the last sibling of its name, or at the end: only equal names have an order in libvirt."""
    same = [sibling for sibling in base if tag(sibling) == tag(child)]
    if following is not None:
        following.addprevious(child)
    elif same:
        same[-1].addnext(child)
    else:
        base.append(child)


def _text_of(element: Element) -> str:
    return (element.text or "").strip()


def _placement(element: Element, path: str, rules: Rules) -> tuple[str | None, ...]:
    return tuple(part_of(element, source) for source in rules.placed_by.get(path, ()))
