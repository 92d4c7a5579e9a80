"""The overlay: what a document says beyond another one, as XML that `xmltree.merge.overlay` lays over the other. Pure."""

from __future__ import annotations

from copy import deepcopy

from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import Element, attributes, parse, serialize
from reconciler.xmltree.paths import children, join, rules_for, without_keys
from reconciler.xmltree.rules import Key, Rules


def missing(whole: str, said: str, rules: Rules) -> list[str]:
    """The paths of `whole` that `said` lacks, or says otherwise. How an object was made is not looked at."""
    there = canonical(parse(said), rules)
    return [
        path
        for path, value in canonical(parse(whole), rules).items()
        if (path not in there or (value and there[path] != value)) and not rules_for(rules, without_keys(path)).create_only
    ]


def overlay_for(whole: str, said: str, rules: Rules) -> str | None:
    """What makes `whole` of `said` when it is laid over it; None if nothing is missing."""
    lacking = set(missing(whole, said, rules))
    if not lacking:
        return None
    source = parse(whole)
    out = source.makeelement(source.tag, nsmap={prefix: uri for prefix, uri in source.nsmap.items() if prefix})
    _copy(source, out, ("", ""), lacking, (canonical(parse(said), rules), rules))
    return serialize(out).rstrip("\n")


def _copy(source: Element, out: Element, place: tuple[str, str], lacking: set[str], known: tuple[Canonical, Rules]) -> None:
    path, plain = place
    said, rules = known
    for name, value in attributes(source).items():
        if join(path, f"@{name}") in lacking:
            out.set(name, value)
            if rules_for(rules, join(plain, f"@{name}")).unit is not None and source.get("unit"):
                out.set("unit", source.get("unit") or "")
    skipped: dict[str, list[tuple[Element, str]]] = {}
    for step, below, child in children(source, plain, rules):
        here = join(path, step)
        if here in said and not any(one == here or one.startswith(f"{here}/") for one in lacking):
            skipped.setdefault(below, []).append((child, below))
            continue
        if here not in said:
            whole = {one for one in lacking if one == here or one.startswith(f"{here}/")}
            if not whole:
                continue
            _stand_in(skipped.pop(below, []), out, rules)
            out.append(_pruned(child))
            continue
        _stand_in(skipped.pop(below, []), out, rules)
        copy = _keyed(child, below, rules)
        if here in lacking:
            copy.text = child.text
            if child.get("unit"):
                copy.set("unit", child.get("unit") or "")
        out.append(copy)
        _copy(child, copy, (here, below), lacking, known)


def _pruned(element: Element) -> Element:
    copy = deepcopy(element)
    copy.tail = None
    return copy


def _stand_in(siblings: list[tuple[Element, str]], out: Element, rules: Rules) -> None:
    """Where a position tells elements apart, those before it must be there, too: they say nothing but who they are."""
    for sibling, below in siblings:
        key = rules_for(rules, below).key
        if key is None or not key.sources or not _has_key(sibling, key):
            out.append(_keyed(sibling, below, rules))


def _has_key(element: Element, key: Key) -> bool:
    return any(all(_find(element, part) is not None for part in source.split("+")) for source in key.sources)


def _find(element: Element, part: str) -> str | None:
    steps, _, name = part.partition("=")[0].rpartition("@")
    found = element if not steps else element.find(steps.rstrip("/")) if name else None
    if not name:
        return element.findtext(part.partition("=")[0])
    return None if found is None else found.get(name)


def _keyed(element: Element, path: str, rules: Rules) -> Element:
    """The element with nothing but what its key is made of."""
    out = element.makeelement(element.tag)
    key = rules_for(rules, path).key
    sources = () if key is None else key.sources
    complete = next((source for source in sources if all(_find(element, part) is not None for part in source.split("+"))), None)
    for part in () if complete is None else complete.split("+"):
        *steps, last = part.partition("=")[0].split("/")
        here = out
        for step in steps if last.startswith("@") else [*steps, last]:
            found = here.find(step)
            if found is None:
                found = here.makeelement(step)
                here.append(found)
            here = found
        if last.startswith("@"):
            here.set(last[1:], _find(element, part) or "")
        else:
            here.text = _find(element, part)
    return out
