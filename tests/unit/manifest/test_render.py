"""From a manifest to libvirt's XML: golden texts, overlays, options, errors with the line of whoever must act."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

import pytest

from reconciler.errors import InvalidManifestsError
from reconciler.manifest.catalogue import Catalogue, of
from reconciler.manifest.render import render
from reconciler.model.resource import ManifestSet, ResourceId
from reconciler.model.state import Desired, HostFacts, Observed

Load: TypeAlias = Callable[..., ManifestSet]
Render: TypeAlias = Callable[..., Desired]

FACTS = HostFacts("localhost", "test:///default")


def manifest(kind: str, name: str, spec: str) -> str:
    return f"apiVersion: vireo/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n" + "".join(
        f"  {line}\n" for line in dedent(spec).strip().splitlines()
    )


def problems_of(function: Callable[[], object]) -> list[str]:
    with pytest.raises(InvalidManifestsError) as caught:
        function()
    return [str(problem) for problem in caught.value.problems]


# --- what templates ask for -------------------------------------------------------------------------------------


def test_a_backing_volume_is_found_where_its_pool_is_declared(desired: Render) -> None:
    found = desired(
        manifest("Pool", "images", "type: dir\npath: /srv/images/")
        + "---\n"
        + manifest("Volume", "base", "pool: images\ncapacity: 1GiB\nformat: qcow2")
        + "---\n"
        + manifest("Volume", "x", "pool: images\nbacking: {volume: base}")
    )
    assert "<path>/srv/images/base</path>" in found.xml
    assert '<format type="qcow2"/>\n  </backingStore>' in found.xml


def test_a_clone_is_as_large_as_its_source_and_of_its_format(load: Load) -> None:
    found = load(manifest("Volume", "x", "pool: images\nclone: {volume: golden}"))
    target = '<target><path>/p/g</path><format type="qcow2"/></target>'
    seen = f'<volume><name>golden</name><capacity unit="bytes">4096</capacity>{target}</volume>'
    identity = ResourceId("Volume", "golden", "localhost", "images")
    observed = {identity: Observed(identity, "/p/g", "present", seen, None, None)}
    result = render(found.resources[0], found.project, FACTS, of("localhost", found.resources, observed))
    assert '<capacity unit="bytes">4096</capacity>' in result.xml
    assert '<format type="qcow2"/>' in result.xml
    assert result.options["clone"] == {"volume": "golden"}


def test_a_clone_does_not_follow_its_source(load: Load) -> None:
    def seen(name: str, size: int) -> tuple[ResourceId, Observed]:
        identity = ResourceId("Volume", name, "localhost", "p")
        xml = (
            f'<volume><name>{name}</name><capacity unit="bytes">{size}</capacity><target><format type="qcow2"/></target></volume>'
        )
        return identity, Observed(identity, name, "present", xml, None, None)

    found = load(manifest("Volume", "x", "pool: p\nclone: {volume: golden}"))
    before, after = (
        render(found.resources[0], found.project, FACTS, of("localhost", found.resources, dict(state)))
        for state in ([seen("golden", 4096)], [seen("golden", 8192), seen("x", 4096)])
    )
    assert before == after


def test_a_clone_of_an_upload_is_as_large_as_the_file(desired: Render, folder: Path) -> None:
    (folder / "raw.img").write_bytes(b"x" * 1024)
    upload = manifest("Volume", "golden", "pool: p\nformat: raw\nupload: {path: raw.img}")
    found = desired(upload + "---\n" + manifest("Volume", "x", "pool: p\nclone: {volume: golden}"))
    assert '<capacity unit="bytes">1024</capacity>' in found.xml


def test_an_upload_that_was_made_needs_its_file_no_more(load: Load) -> None:
    found = load(manifest("Volume", "x", "pool: p\nformat: raw\nupload: {path: gone.img}"))
    identity = found.resources[0].id
    xml = '<volume><name>x</name><capacity unit="KiB">4</capacity></volume>'
    observed = {identity: Observed(identity, "x", "present", xml, None, None)}
    result = render(found.resources[0], found.project, FACTS, of("localhost", found.resources, observed))
    assert '<capacity unit="bytes">4096</capacity>' in result.xml


def test_a_long_chain_of_backing_files_can_be_rendered(load: Load) -> None:
    texts = [manifest("Volume", "v0", "pool: p\ncapacity: 1MiB\nformat: qcow2")]
    texts += [manifest("Volume", f"v{n}", f"pool: p\nbacking: {{volume: v{n - 1}}}") for n in range(1, 150)]
    found = load("---\n".join(texts))
    known = of("localhost", found.resources, {}).volume("p", "v149")
    assert known is not None
    assert (known.path, known.format, known.capacity) == (None, "qcow2", 1024**2)


def test_a_volume_of_a_volume_group_is_not_declared_sparse(desired: Render) -> None:
    group = manifest("Pool", "vg", "type: logical\nsource: {name: vg0}")
    found = desired(group + "---\n" + manifest("Volume", "x", "pool: vg\ncapacity: 1GiB"))
    assert "allocation" not in found.xml


def test_an_upload_has_the_capacity_of_its_file(desired: Render, folder: Path) -> None:
    (folder / "raw.img").write_bytes(b"x" * 1000)
    header = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(16) + (5 * 1024**3).to_bytes(8, "big") + bytes(100)
    (folder / "disk.qcow2").write_bytes(header)
    raw = desired(manifest("Volume", "x", "pool: p\nformat: raw\nupload: {path: raw.img}"))
    assert '<capacity unit="bytes">1000</capacity>' in raw.xml
    qcow2 = desired(manifest("Volume", "x", "pool: p\nformat: qcow2\nupload: {path: ./disk.qcow2}"))
    assert '<capacity unit="bytes">5368709120</capacity>' in qcow2.xml
    assert qcow2.options["upload"] == {"path": str(folder / "disk.qcow2")}


def test_a_missing_file_to_upload_is_named_at_its_line(desired: Render, folder: Path) -> None:
    (problem,) = problems_of(lambda: desired(manifest("Volume", "x", "pool: p\nformat: raw\nupload:\n  path: gone.img")))
    said = f"spec.upload.path: the file to upload cannot be read: {folder}/gone.img: No such file or directory"
    assert problem.startswith(f"m.yaml:8:5: {said}")


# --- options and digest -----------------------------------------------------------------------------------------


def test_options_are_the_policies_that_the_schema_marks(desired: Render) -> None:
    found = desired(manifest("Volume", "x", "pool: p\ncapacity: 1GiB\nonDelete: wipe\nwipe: {algorithm: zero}\nvalidate: true"))
    assert found.options == {"pool": "p", "onDelete": "wipe", "wipe": {"algorithm": "zero"}, "validate": True}
    assert (found.state, found.autostart) == ("present", None)
    assert found.id == ResourceId("Volume", "x", "localhost", "p")


def test_an_annotation_asks_for_a_restart(desired: Render) -> None:
    text = manifest("Pool", "x", "type: dir\npath: /srv").replace(
        "{name: x}", "{name: x, annotations: {restartedAt: 2026-01-31}}"
    )
    assert desired(text).options["restartedAt"] == "2026-01-31"


def test_the_digest_changes_with_each_thing_that_is_wanted_and_with_nothing_else(desired: Render) -> None:
    base = "type: dir\npath: /srv"
    wanted = {
        desired(manifest("Pool", "x", spec)).digest
        for spec in (
            base,
            "type: dir\npath: /srw",
            f"{base}\nautostart: true",
            f"{base}\nstate: inactive",
            f"{base}\nbuild: true",
        )
    }
    assert len(wanted) == 5
    assert desired("# a comment\n" + manifest("Pool", "x", "path: '/srv'\ntype: dir")).digest in wanted


def test_a_secret_is_a_placeholder_that_changes_with_its_value(desired: Render) -> None:
    def domain(password: str) -> Desired:
        return desired(
            manifest("Domain", "x", f"memory: 64MiB\ngraphics: [{{type: vnc, password: {password}}}]\nvalidate: false")
        )

    one, same, other = domain("se<cret"), domain("se<cret"), domain("secret")
    (placeholder,) = one.secrets
    assert placeholder.startswith("vireo-secret-")
    assert one.secrets[placeholder] == "se<cret"
    assert placeholder in one.xml
    assert "cret" not in one.xml.replace(placeholder, "")
    assert "cret" not in repr(one).replace(placeholder, "")
    assert (one.digest == same.digest, one.digest == other.digest) == (True, False)


# --- overlays ---------------------------------------------------------------------------------------------------


def test_an_overlay_lies_over_what_the_template_gives(desired: Render) -> None:
    overlay = "<pool>\n    <features><cow state='yes'/></features>\n    <target><path>/other</path></target>\n  </pool>"
    spec = f"type: dir\npath: /srv\nxml: |\n  {overlay}"
    found = desired(manifest("Pool", "x", spec))
    assert '<cow state="yes"/>' in found.xml
    assert "<path>/other</path>" in found.xml
    assert "/srv" not in found.xml


@pytest.mark.parametrize(
    "overlay, problem",
    [
        (
            "xml: |\n  <pool>\n    <source>\n  </pool>",
            "m.yaml:10:1: spec.xml: not well-formed XML: Opening and ending tag mismatch: source and pool",
        ),
        ("xml: |\n\n\n  <pool", "m.yaml:10:1: spec.xml: not well-formed XML"),
        ("xml: '<pool'", "m.yaml:7:3: spec.xml: not well-formed XML"),
        ("xml: just text", "m.yaml:7:3: spec.xml: not well-formed XML"),
        ("xml: |\n  <domain/>", "m.yaml:8:1: spec.xml: the overlay's root is <domain>, a Pool needs <pool>"),
        ("xml: |\n  <!DOCTYPE pool [<!ENTITY a 'b'>]>\n  <pool>&a;</pool>", "m.yaml:8:1: spec.xml: not well-formed XML"),
        ("xml: <pool><name>y</name></pool>", "m.yaml:7:3: the overlay names the Pool 'y', but metadata.name is 'x'"),
        ("xml: |\n  <pool><nonsense/></pool>", "m.yaml:8:1: spec.xml: libvirt's schema refuses <nonsense> in <pool>"),
    ],
)
def test_a_wrong_overlay_is_named_at_its_own_line(desired: Render, overlay: str, problem: str) -> None:
    found = problems_of(lambda: desired(manifest("Pool", "x", f"type: dir\npath: /srv\n{overlay}")))
    assert found[0].startswith(problem)


def test_what_libvirts_schema_refuses_may_be_let_through(desired: Render) -> None:
    spec = "type: dir\npath: /srv\nxml: <pool><nonsense/></pool>\nvalidate: false"
    assert "<nonsense/>" in desired(manifest("Pool", "x", spec)).xml


# --- templates of the user --------------------------------------------------------------------------------------


@pytest.fixture
def mine(folder: Path) -> Callable[[str], str]:
    """A project whose own template of a pool is the text given; its answer is the project's document."""

    def written(text: str) -> str:
        (folder / "mine").mkdir(exist_ok=True)
        (folder / "mine" / "pool.xml.j2").write_text(text)
        return "apiVersion: vireo/v1\nkind: Project\nmetadata: {name: p}\nspec: {templates: ./mine}\n---\n"

    return written


POOL = manifest("Pool", "x", "type: dir\npath: /srv")


def test_a_template_of_the_user_comes_first_and_sees_what_is_documented(desired: Render, mine: Callable[[str], str]) -> None:
    project = mine(
        '<pool type="{{ spec.type }}"><name>{{ metadata.name }}</name><!-- --><uuid>{{ project }}-{{ host.name }}</uuid>'
        '{% include "partials/permissions.xml.j2" '
        "ignore missing %}<target><path>{{ pool_path('x') }}</path></target></pool>"
    )
    xml = desired(project + manifest("Pool", "x", "type: dir\npath: /srv\npermissions: {owner: 7}\nvalidate: false")).xml
    assert "<uuid>p-localhost</uuid>" in xml
    assert "<owner>7</owner>" in xml
    assert "<path>/srv</path>" in xml


@pytest.mark.parametrize(
    "template, problem",
    [
        (
            "<pool>\n{% if %}\n</pool>",
            "mine/pool.xml.j2:2:1: the template failed for Pool/x (m.yaml:6:1): Expected an expression",
        ),
        (
            "<pool>\n\n{{ spec.pth }}</pool>",
            "mine/pool.xml.j2:3:1: the template failed for Pool/x (m.yaml:6:1): 'dict object' has no attribute 'pth'",
        ),
        ("<pool>\n{{ spec.a.b.c }}</pool>", "mine/pool.xml.j2:2:1: the template failed for Pool/x"),
        (
            "<pool>\n{{ spec.autostart | default(true) }}</pool>",
            "mine/pool.xml.j2:2:1: the template failed for Pool/x (m.yaml:6:1): a bool cannot",
        ),
        ("<pool>\n{% if spec.x %}{% endif %}</pool>", "mine/pool.xml.j2:2:1: the template failed for Pool/x"),
        (
            "<pool>\n\n{% include 'gone.j2' %}</pool>",
            "mine/pool.xml.j2:3:1: the template failed for Pool/x (m.yaml:6:1): there is no template gone.j2",
        ),
        (
            "<pool>\n{{ ''.__class__.__mro__ }}</pool>",
            "mine/pool.xml.j2:2:1: the template failed for Pool/x (m.yaml:6:1): access to attribute",
        ),
        ("<pool>\n{{ 1 / 0 }}</pool>", "mine/pool.xml.j2:2:1: the template failed for Pool/x (m.yaml:6:1): division by zero"),
        ("<pool>\n<a>\n</pool>", "m.yaml:6:1: the template of Pool/x does not give its XML: Opening and ending tag mismatch"),
        ("<pool><name>y</name></pool>", "m.yaml:6:1: the template names the Pool 'y', but metadata.name is 'x'"),
        ("<volume/>", "m.yaml:6:1: the template of Pool/x does not give its XML: the root is <volume>, not <pool>"),
    ],
)
def test_a_template_error_names_the_template_its_line_and_the_resource(
    desired: Render, mine: Callable[[str], str], template: str, problem: str
) -> None:
    project = mine(template)
    (found,) = problems_of(lambda: desired(project + POOL))
    assert found.startswith(problem)


# --- what comes with it ----------------------------------------------------------------------------------------


def test_a_rendered_resource_keeps_what_its_metadata_says(load: Load) -> None:
    found = load(POOL.replace("{name: x}", "{name: x, labels: {a: b}, protect: true, adopt: true}"))
    result = render(found.resources[0], found.project, FACTS, Catalogue())
    assert (result.protect, result.adopt, result.labels, str(result.source)) == (True, True, {"a": "b"}, "m.yaml:1:1")


def test_facts_of_another_host_change_nothing_in_a_pool(load: Load) -> None:
    found = load(POOL)
    one = render(found.resources[0], found.project, FACTS, Catalogue())
    other = render(found.resources[0], found.project, replace(FACTS, uuid="1", libvirt_version=9), Catalogue())
    assert one.digest == other.digest
    assert len(one.digest) == hashlib.sha256().digest_size * 2
