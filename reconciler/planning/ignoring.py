"""Paths that a project leaves alone, by one list for comparing, merging and what is written down."""

from __future__ import annotations

import hashlib
from copy import deepcopy

from reconciler.kinds.kind import Kind
from reconciler.model.resource import Ignore
from reconciler.xmltree.document import Element, attributes, parse, serialize, tag, unset
from reconciler.xmltree.paths import children, join, matches, without_keys
from reconciler.xmltree.rules import Rules


def patterns_of(ignore: tuple[Ignore, ...], kind: Kind) -> tuple[str, ...]:
    """The rules as patterns of the kind's paths: a rule may begin with the root's name."""
    return tuple(rule.path.removeprefix(f"{kind.root}/") for rule in ignore)


def salted_digest(digest: str, ignore: tuple[Ignore, ...]) -> str:
    """A wish's digest that changes with the rules, too: what is not ignored any more has to be looked at again."""
    rules = "".join(sorted(f"\n{rule.path}" for rule in ignore))
    return hashlib.sha256(f"{digest}{rules}".encode()).hexdigest() if ignore else digest


def is_ignored(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether the path (with keys), or something around it, is left alone."""
    here = path
    while here:
        if any(matches(pattern, here) or matches(pattern, without_keys(here)) for pattern in patterns):
            return True
        here = here.rpartition("/")[0]
    return False


def agree(root: Element, host: Element, ignore: tuple[Ignore, ...], kind: Kind) -> None:
    """Make `root` say what the host says at the ignored paths."""
    _agree(root, host, "", "", patterns_of(ignore, kind), kind.rules)


def without(document: str, ignore: tuple[Ignore, ...], kind: Kind) -> str:
    """The document without the ignored paths: what is written down as applied."""
    if not ignore:
        return document
    root = parse(document)
    agree(root, root.makeelement(root.tag), ignore, kind)
    return serialize(root)


def _agree(mine: Element, theirs: Element, path: str, plain: str, patterns: tuple[str, ...], rules: Rules) -> None:
    for name in {*attributes(mine), *attributes(theirs)}:
        if _ignored(join(path, f"@{name}"), join(plain, f"@{name}"), patterns):
            value = theirs.get(name)
            if value is None:
                unset(mine, name)
            else:
                mine.set(name, value)
    have = {step: (below, child) for step, below, child in children(mine, plain, rules)}
    there = {step: (below, child) for step, below, child in children(theirs, plain, rules)}
    for step, (below, child) in have.items():
        if _ignored(join(path, step), below, patterns):
            mine.remove(child)
        elif step in there:
            _agree(child, there[step][1], join(path, step), below, patterns, rules)
    for step, (below, child) in there.items():
        if _ignored(join(path, step), below, patterns):
            same = [sibling for sibling in mine if tag(sibling) == tag(child)]
            copy = deepcopy(child)
            if same:
                same[-1].addnext(copy)
            else:
                mine.append(copy)


def _ignored(path: str, plain: str, patterns: tuple[str, ...]) -> bool:
    return any(matches(pattern, path) or matches(pattern, plain) for pattern in patterns)
