"""The golden cases of pools, volumes and networks: what they become, that libvirt accepts it, that no text breaks out."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Problem
from reconciler.kinds import KINDS
from reconciler.manifest import reader, schema, shape
from reconciler.manifest.catalogue import Catalogue, of
from reconciler.manifest.files import File
from reconciler.manifest.render import render
from reconciler.model.resource import Document, Project, Resource, ResourceId
from reconciler.model.state import Desired, HostFacts
from reconciler.xmltree import validate
from reconciler.xmltree.document import parse

ROOT = Path(__file__).resolve().parents[2]
SMALL_KINDS = ("Pool", "Volume", "Network")
CASES = sorted(path.parent for kind in SMALL_KINDS for path in (ROOT / "cases" / kind).glob("*/manifest.yaml"))
FACTS = HostFacts("localhost", "test:///default")


def name_of(case: Path) -> str:
    return f"{case.parent.name}-{case.name}"


def rendered(case: Path) -> Desired:
    found = schema.load([str(case)], connect="test:///default")
    (resource,) = found.resources
    return render(resource, found.project, FACTS, of("localhost", found.resources, {}))


def document_of(case: Path) -> Document:
    problems: list[Problem] = []
    found = reader.read([str(case)], problems)
    assert problems == []
    (document,) = found
    return document


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_manifest_becomes_the_xml_that_people_agreed_on(case: Path, *, regenerate: bool) -> None:
    found = rendered(case)
    golden = case / "rendered.xml"
    if regenerate:
        golden.write_text(found.xml, encoding="utf-8")
    assert found.xml == golden.read_text(encoding="utf-8")
    assert rendered(case) == found


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_libvirts_own_schema_accepts_what_is_rendered(case: Path) -> None:
    assert validate.folder() is not None, "libvirt's schemas are missing: install libvirt0"
    assert validate.problems(rendered(case).xml, KINDS[case.parent.name].rng) == []


# --- completeness -----------------------------------------------------------------------------------------------


def declared(of_kind: shape.Shape, path: tuple[str | int, ...]) -> Iterator[str]:
    """The fields that a schema has below `path`, each as its path without indexes."""
    names = {name for facet in of_kind.field(path) for name in facet.get("properties", {})}
    for name in names:
        yield re.sub(r"/0\b", "", "/".join(map(str, (*path, name))))
        yield from declared(of_kind, (*path, name))
        yield from declared(of_kind, (*path, name, 0))


def used(data: Any, path: str) -> Iterator[str]:
    """The fields that `data` uses, as paths without indexes."""
    for key, value in data.items() if isinstance(data, dict) else ():
        yield f"{path}/{key}"
        yield from used(value, f"{path}/{key}")
    for item in data if isinstance(data, list) else ():
        yield from used(item, path)


@pytest.mark.parametrize("kind", SMALL_KINDS)
def test_every_field_of_a_schema_is_used_by_a_case(kind: str) -> None:
    cases = [case for case in CASES if case.parent.name == kind]
    seen = {path for case in cases for path in used(document_of(case).data["spec"], "spec")}
    shared = re.compile("portgroups/(?=(bandwidth|vlan|virtualport)/)")  # what a network and its classes of ports both have
    wanted = {shared.sub("", path) for path in declared(shape.of(kind), ("spec",))}
    assert wanted - {shared.sub("", path) for path in seen} == {"spec/host"}


# --- text stays text --------------------------------------------------------------------------------------------


def free_texts(of_kind: shape.Shape, data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of all texts in `data` for which the schema does not prescribe how they look, and that the XML shows."""
    if isinstance(data, str):
        facets = of_kind.field(path)
        if not any(facet.keys() & {"pattern", "format", "enum", "const"} or facet.get("x-vireo") == "file" for facet in facets):
            yield path
    elif isinstance(data, dict):
        for key, value in data.items():
            if key != "xml":
                yield from free_texts(of_kind, value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from free_texts(of_kind, value, (*path, index))


FREE = [
    pytest.param(case, path, id=f"{name_of(case)}-{path[-1]}")
    for case in CASES
    for path in free_texts(shape.of(case.parent.name), document_of(case).data["spec"], ("spec",))
]
NASTY = st.one_of(
    st.sampled_from(
        ["<a/>", "</pool>", "&amp;", "]]>", "\"'", "{{ 7 * 7 }}", "{% raw %}", "{# x #}", "<!--", "${x}", "\t\n x", "&#0;"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=20),
)
BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")  # JSON may hold these as they are, YAML may not


def written(data: Any) -> str:
    """`data` as a YAML document."""
    return BREAKS.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(data, ensure_ascii=False))


@pytest.mark.parametrize("case, path", FREE)
@given(text=NASTY)
def test_any_text_in_a_free_field_comes_out_as_that_text(case: Path, path: tuple[str | int, ...], text: str) -> None:
    kind = case.parent.name
    data = copy.deepcopy(document_of(case).data)
    target: Any = data
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = text
    problems: list[Problem] = []
    (document,) = reader.parse(written(data), File("m.yaml", "m.yaml"), problems)
    assert problems == []
    resource = Resource(
        ResourceId(kind, data["metadata"]["name"], "localhost"),
        {"state": "absent", **document.data["spec"], "validate": False},
        document,
    )
    xml = render(resource, Project("p"), FACTS, Catalogue()).xml
    assert text in {value for element in parse(xml).iter() for value in (element.text, *element.attrib.values())}


@given(name=NASTY.filter(lambda text: "\n" not in text))
@pytest.mark.parametrize("kind", SMALL_KINDS)
def test_any_name_comes_out_as_that_name(kind: str, name: str) -> None:
    spec = {
        "Pool": {"type": "dir", "path": "/srv"},
        "Volume": {"pool": "p", "capacity": "1GiB"},
        "Network": {"mode": "isolated"},
    }[kind]
    resource = Resource(
        ResourceId(kind, name, "localhost"), {**spec, "validate": False, "state": "absent"}, Document("m.yaml", {}, {})
    )
    assert parse(render(resource, Project("p"), FACTS, Catalogue()).xml).findtext("name") == name


def test_there_are_free_texts_to_try() -> None:
    assert len(FREE) > 15
