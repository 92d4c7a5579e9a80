from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import InvalidManifestsError
from reconciler.manifest import check, render, schema, shape
from reconciler.manifest.catalogue import Catalogue
from reconciler.model.resource import Document, Project, Resource, ResourceId
from reconciler.model.state import Desired, HostFacts
from reconciler.xmltree import validate
from reconciler.xmltree.document import Element, parse, tag
from tests.domain_cases import CASES, EXAMPLES, HOST, ROOT, domains, load, rendered

QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"


def case_name(folder: Path) -> str:
    return folder.name


def domain(spec: Mapping[str, Any], host: HostFacts = HOST) -> Desired:
    """What a spec asks for, past the reader of files."""
    data = {"apiVersion": "vireo/v1", "kind": "Domain", "metadata": {"name": "vm"}, "spec": {"memory": "64MiB", **spec}}
    assert [error.message for error in check.errors("Domain", data)] == []
    filled = shape.of("Domain").filled(data["spec"], ("spec",))
    resource = Resource(ResourceId("Domain", "vm", host.name), filled, Document("vm.yaml", data, {}))
    return render.render(resource, Project("shop"), host, Catalogue())


def attribute(desired: Desired, element: str, name: str) -> str | None:
    found = parse(desired.xml).find(element)
    assert found is not None, desired.xml
    return found.get(name)


# --- golden cases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_manifest_becomes_the_xml_that_people_agreed_on(case: Path, request: pytest.FixtureRequest) -> None:
    [desired] = rendered(case)
    golden = case / "rendered.xml"
    if request.config.getoption("--regenerate", default=False):
        golden.write_text(desired.xml, encoding="utf-8")
    assert desired.xml == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", CASES + EXAMPLES, ids=case_name)
def test_libvirts_own_schema_accepts_what_is_rendered(folder: Path) -> None:
    assert validate.folder() is not None, "libvirt's schemas are missing: install libvirt0"
    for desired in rendered(folder):
        assert validate.problems(desired.xml, "domain.rng") == []


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_nothing_is_made_up_where_the_manifest_is_silent(case: Path) -> None:
    [resource] = domains(load(case))
    [desired] = rendered(case)
    assert rendered(case) == [desired]
    root = parse(desired.xml)
    spec = resource.spec
    assert (root.find("uuid") is not None) == ("uuid" in spec)
    assert len(root.findall("devices/interface/mac")) == len([card for card in spec.get("interfaces", ()) if "mac" in card])
    assert len(root.findall("devices/disk/serial")) == len([disk for disk in spec.get("disks", ()) if "serial" in disk])


# --- completeness ---------------------------------------------------------------------------------------------


def fields_of(node: Any, where: str, document: shape.Schema) -> Iterator[str]:
    """Every property that a schema declares, by the place of its declaration."""
    if isinstance(node, dict):
        for name, below in node.get("properties", {}).items():
            yield f"{where}/{name}"
            yield from fields_of(below, f"{where}/{name}", document)
        for word in ("items", "additionalProperties"):
            yield from fields_of(node.get(word), f"{where}/{word}", document)
        for word in ("anyOf", "oneOf", "allOf"):
            for number, branch in enumerate(node.get(word, ())):
                if not set(branch) & {"required", "not"} or "properties" not in branch or "additionalProperties" in branch:
                    yield from fields_of(branch, f"{where}/{word}{number}", document)


def used_in(data: Any, node: shape.Schema, where: str, document: shape.Schema) -> Iterator[str]:
    """The properties that `data` uses, named as by `fields_of`."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        yield from used_in(data, document["$defs"][name], f"$defs/{name}", document)
    for word in ("anyOf", "oneOf", "allOf"):
        for number, branch in enumerate(node.get(word, ())):
            yield from used_in(data, branch, f"{where}/{word}{number}", document)
    if isinstance(data, dict):
        for key, value in data.items():
            if key in node.get("properties", {}):
                yield f"{where}/{key}"
                yield from used_in(value, node["properties"][key], f"{where}/{key}", document)
            elif isinstance(node.get("additionalProperties"), dict):
                yield from used_in(value, node["additionalProperties"], f"{where}/additionalProperties", document)
    elif isinstance(data, list) and isinstance(node.get("items"), dict):
        for item in data:
            yield from used_in(item, node["items"], f"{where}/items", document)


@cache
def documents() -> list[Document]:
    return [resource.document for folder in CASES + EXAMPLES for resource in domains(load(folder))]


def test_every_field_of_the_schema_is_used_by_a_case() -> None:
    document = schema.document("Domain")
    declared = set(fields_of(document, "", document))
    for name, definition in document["$defs"].items():
        declared |= set(fields_of(definition, f"$defs/{name}", document))
    used = {field for one in documents() for field in used_in(one.data, document, "", document)}
    assert sorted(declared - used) == []


def paths(element: Element, where: str) -> Iterator[str]:
    yield where
    for name in map(str, element.attrib):
        yield f"{where}/@{name}"
    for child in element:
        yield from paths(child, f"{where}/{tag(child).replace(QEMU, 'qemu:')}")


def test_the_paths_that_people_use_most_can_all_be_declared() -> None:
    wanted = (ROOT / "tests" / "cases" / "domain-paths.txt").read_text(encoding="utf-8").split()
    made = {path for folder in CASES + EXAMPLES for desired in rendered(folder) for path in paths(parse(desired.xml), "domain")}
    assert len(wanted) == 200
    assert [path for path in wanted if path not in made] == []


def test_every_field_of_the_schema_says_what_it_is_and_shows_an_example_that_fits() -> None:
    document = schema.document("Domain")
    silent: list[str] = []
    wrong: list[str] = []

    def look(node: Any, where: str) -> None:
        if isinstance(node, list):
            for item in node:
                look(item, where)
        if not isinstance(node, dict):
            return
        for name, field in node.get("properties", {}).items():
            whole = {**document["$defs"].get(field.get("$ref", "").rpartition("/")[2], {}), **field}
            if not whole.get("description") or not whole.get("title") or not whole.get("examples"):
                silent.append(f"{where}/{name}")
            fits = check.validator("Domain").evolve(schema={**field, "$defs": document["$defs"]})
            wrong.extend(f"{where}/{name}: {example}" for example in whole.get("examples", ()) if not fits.is_valid(example))
            look(field, f"{where}/{name}")
        for word in ("items", "additionalProperties", "anyOf", "allOf"):
            look(node.get(word), where)

    look(document, "")
    for name, definition in document["$defs"].items():
        look(definition, name)
    assert silent == []
    assert wrong == []


# --- texts ----------------------------------------------------------------------------------------------------


def strings(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where `data` holds texts that the author of a manifest chooses."""
    if isinstance(data, str):
        yield path
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from strings(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from strings(value, (*path, index))


def replaced(data: Any, path: tuple[str | int, ...], text: str) -> Any:
    data = copy.deepcopy(data)
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = text
    return data


@cache
def places() -> list[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """One place for each field. The XML of `xml` and `metadata` is no text, `host`, `hosts` and `onDrain` only choose a host."""
    document = schema.document("Domain")
    seen: dict[str, tuple[dict[str, Any], tuple[str | int, ...]]] = {}
    for one in documents():
        for path in strings(one.data):
            if path[0] == "spec" and path[1] not in {"xml", "metadata", "host", "hosts", "onDrain"}:
                only: Any = ""
                for part in reversed(path):
                    only = {part: only} if isinstance(part, str) else [only]
                fields = list(used_in(only, document, "", document))
                seen.setdefault(" ".join([*fields, str(path[-1])]), (one.data, path))
    return list(seen.values())


def desired_of(data: dict[str, Any]) -> Desired | None:
    """What a document asks for; None if it is refused."""
    if check.errors("Domain", data):
        return None
    spec = shape.of("Domain").filled(data["spec"], ("spec",))
    name = data["metadata"]["name"]
    resource = Resource(ResourceId("Domain", name, HOST.name), spec, Document("vm.yaml", data, {}))
    try:
        return render.render(resource, Project("shop"), HOST, Catalogue())
    except InvalidManifestsError:
        return None


def skeleton(element: Element) -> list[Any]:
    return [tag(element), sorted(element.attrib), [skeleton(child) for child in element]]


def values(element: Element) -> Iterator[str]:
    for part in element.iter():
        yield part.text or ""
        yield from (str(value) for value in part.attrib.values())


def assert_text_stays_text(data: dict[str, Any], path: tuple[str | int, ...], text: str) -> bool:
    """Whether `text` was accepted at `path`: then it must come out as itself and change nothing else."""
    before, after = desired_of(data), desired_of(replaced(data, path, text))
    assert before is not None
    if after is None:
        return False
    root = parse(after.xml)
    assert skeleton(root) == skeleton(parse(before.xml))
    assert text in values(root) or text in after.secrets.values() or json.dumps(text) in json.dumps(after.options), after.xml
    assert not any(text in value for value in values(root) if text in after.secrets.values())
    return True


NASTY = "b <a b=\"1\" c='2'>&amp; ]]> {{ 7 * 7 }} {% raw %} {# #} ${HOME} é"
PATH_AND_MARKUP = f"/{NASTY}</a>"
SHORT = '<a b="&>'  # as long as a password of VNC may be


@pytest.mark.parametrize(
    "text, fields",
    [
        (NASTY, {"title", "description", "cmdline", "network", "volume", "args", "env", "sysinfo"}),
        (SHORT, {"title", "password"}),
        (PATH_AND_MARKUP, {"title", "file", "block", "kernel", "path", "emulator", "source"}),
    ],
)
def test_metacharacters_of_xml_and_jinja_are_text_in_every_field_or_refused(text: str, fields: set[str]) -> None:
    accepted = {path for data, path in places() if assert_text_stays_text(data, path, text)}
    assert fields <= {str(part) for path in accepted for part in path}
    assert len(places()) > 350


@settings(max_examples=150)
@given(st.data())
def test_any_text_is_text_in_any_field_or_refused(data: st.DataObject) -> None:
    manifest, path = data.draw(st.sampled_from(places()))
    text = data.draw(st.text(alphabet=st.sampled_from("<>&\"'{}%#[]!-/;x0 é\n\t\r\x00\u2028\ufffe"), min_size=1, max_size=12))
    assert_text_stays_text(manifest, path, text)


def test_a_password_is_in_no_xml() -> None:
    desired = domain({"graphics": [{"type": "vnc", "password": "s3cret"}]})
    assert list(desired.secrets.values()) == ["s3cret"]
    assert "s3cret" not in desired.xml
    assert attribute(desired, "devices/graphics", "passwd") in desired.secrets


# --- defaults that libvirt would choose badly -----------------------------------------------------------------


@pytest.mark.parametrize("target, bus", [("vda", "virtio"), ("hdc", "ide"), ("fda", "fdc"), ("xvda", "xen")])
def test_the_bus_follows_from_the_name_of_the_disk(target: str, bus: str) -> None:
    desired = domain({"disks": [{"target": target, "file": "/a.img"}]})
    assert attribute(desired, "devices/disk/target", "bus") == bus


def test_sd_disks_need_a_bus_because_it_could_be_three() -> None:
    data = {"apiVersion": "vireo/v1", "kind": "Domain", "metadata": {"name": "vm"}}
    spec = {"memory": "64MiB", "disks": [{"target": "sda", "file": "/a.img"}]}
    assert check.errors("Domain", {**data, "spec": spec}) != []


@pytest.mark.parametrize(
    "source, expected",
    [
        ({"file": "/a.img"}, "raw"),
        ({"file": "/a.qcow2"}, "qcow2"),
        ({"file": "/a.qcow2", "format": "raw"}, "raw"),
        ({"volume": {"pool": "p", "name": "a.qcow2"}}, "qcow2"),
        ({"block": "/dev/vg/a"}, "raw"),
    ],
)
def test_the_format_is_always_said_because_libvirt_takes_everything_for_raw(source: dict[str, Any], expected: str) -> None:
    desired = domain({"disks": [{"target": "vda", **source}]})
    assert attribute(desired, "devices/disk/driver", "type") == expected


def test_a_card_is_virtio_and_graphics_have_a_video_card_and_a_port() -> None:
    desired = domain({"interfaces": [{"user": True}], "graphics": [{"type": "spice"}]})
    assert attribute(desired, "devices/interface/model", "type") == "virtio"
    assert attribute(desired, "devices/video/model", "type") == "vga"
    assert attribute(desired, "devices/graphics", "autoport") == "yes"


def test_a_fixed_port_is_no_automatic_one() -> None:
    desired = domain({"graphics": [{"type": "vnc", "port": 5901}]})
    assert attribute(desired, "devices/graphics", "autoport") == "no"


@pytest.mark.parametrize(
    "offered, arch, best",
    [
        ({"i686": ("kvm", "qemu"), "x86_64": ("kvm", "qemu")}, "x86_64", "kvm"),
        ({"x86_64": ("qemu",)}, "x86_64", "qemu"),
        ({"i686": ("test",)}, "i686", "test"),
        ({}, "x86_64", "kvm"),
    ],
)
def test_type_and_architecture_follow_the_host(offered: dict[str, tuple[str, ...]], arch: str, best: str) -> None:
    desired = domain({"type": "auto"}, HostFacts(name="h", uri="test:///default", virt_types=offered))
    assert attribute(desired, ".", "type") == best
    assert attribute(desired, "os/type", "arch") == arch


def test_size_is_what_the_guest_has_and_max_what_it_may_get() -> None:
    root = parse(domain({"memory": {"size": "128MiB", "max": "1GiB"}}).xml)
    assert [root.findtext("currentMemory"), root.findtext("memory")] == ["131072", "1048576"]


def test_memory_that_is_no_whole_number_of_kib_is_said_in_bytes() -> None:
    desired = domain({"memory": "100000001B"})
    assert parse(desired.xml).findtext("memory") == "100000001"
    assert attribute(desired, "memory", "unit") == "b"


def test_policies_are_options_and_not_in_the_xml() -> None:
    desired = domain({"persistent": False, "shutdown": {"timeout": "2m"}, "onDelete": {"volumes": "delete"}})
    assert desired.options == {
        "persistent": False,
        "shutdown": {"timeout": 120, "method": ["agent", "acpi"], "force": False},
        "update": {"restart": "never"},
        "onDelete": {"domain": "undefine", "volumes": "delete"},
    }
    assert desired.xml == domain({}).xml
