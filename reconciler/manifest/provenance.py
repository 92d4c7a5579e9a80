"""Which line of a manifest declares a path of the XML. Found by trying: a field is changed or left out, and the XML compared.

So it is true for every template, a user's own included, and nothing has to be written down twice. Calls nobody.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.errors import InvalidManifestsError
from reconciler.kinds import KINDS
from reconciler.manifest.catalogue import Catalogue
from reconciler.manifest.render import render
from reconciler.model.resource import Location, Path, Project, Resource
from reconciler.model.state import HostFacts
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import parse

NOT_IN_XML = frozenset({"state", "autostart", "host", "validate"})


def declarations(resource: Resource, project: Project, facts: HostFacts, catalogue: Catalogue) -> dict[str, Location]:
    """For each path of the resource's XML that a field of its spec decides: where that field stands.

    Where several fields decide a path, the one that decides the fewest paths besides is taken.
    """
    unchecked = replace(resource, spec={**copy.deepcopy(dict(resource.spec)), "validate": False})
    base = _mapping(unchecked, project, facts, catalogue)
    found: dict[str, tuple[int, Location]] = {}
    for path in _leaves({name: value for name, value in unchecked.spec.items() if name not in NOT_IN_XML}):
        changed = _decided(unchecked, path, base, (project, facts, catalogue))
        for xml_path in changed:
            if xml_path not in found or len(changed) < found[xml_path][0]:
                found[xml_path] = (len(changed), resource.document.locate(("spec", *path)))
    return {xml_path: location for xml_path, (_, location) in found.items()}


def _mapping(resource: Resource, project: Project, facts: HostFacts, catalogue: Catalogue) -> Canonical:
    return canonical(parse(render(resource, project, facts, catalogue).xml), KINDS[resource.id.kind].rules)


def _leaves(data: Any, path: Path = ()) -> Iterator[Path]:
    """All fields, the containers before what is in them."""
    if path:
        yield path
    entries = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield from _leaves(value, (*path, key))


def _decided(resource: Resource, path: Path, base: Canonical, host: tuple[Project, HostFacts, Catalogue]) -> set[str]:
    for changed in _variants(resource.spec, path):
        try:
            other = _mapping(replace(resource, spec=changed), *host)
        except InvalidManifestsError:
            continue
        return {xml_path for xml_path, value in base.items() if other.get(xml_path) != value}
    return set()


def _variants(spec: Mapping[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """The spec with the field left out, then with another value in it."""
    for another in (None, _another):
        changed = copy.deepcopy(dict(spec))
        here: Any = changed
        for part in path[:-1]:
            here = here[part]
        if another is None:
            del here[path[-1]]
        else:
            value = another(here[path[-1]])
            if value is None:
                return
            here[path[-1]] = value
        yield changed


def _another(value: Any) -> Any:
    """A value of the same kind that is not the same; None for containers."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return f"2{value}" if isinstance(value, str) else None
