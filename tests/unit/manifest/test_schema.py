"""From files to a project: every problem at its place, with what was meant."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import UsageError
from reconciler.manifest import check, schema, shape
from reconciler.model.resource import HostSpec, Ignore, ManifestSet, Project, ResourceId

Load: TypeAlias = Callable[..., ManifestSet]
Problems: TypeAlias = Callable[..., list[str]]

POOL = """\
    apiVersion: vireo/v1
    kind: Pool
    metadata: {name: images}
    spec: {type: dir, path: /srv/images}
    """


def volume(name: str, rest: str = "capacity: 1GiB", more: str = "") -> str:
    return f"apiVersion: vireo/v1\nkind: Volume\nmetadata: {{name: {name}{more}}}\nspec:\n  pool: images\n  {rest}\n"


def host(name: str) -> str:
    return f"apiVersion: vireo/v1\nkind: Host\nmetadata: {{name: {name}}}\nspec: {{uri: 'test:///{name}'}}\n"


# --- what a good project becomes --------------------------------------------------------------------------------


def test_a_project_without_project_and_host_is_named_after_its_folder_and_uses_one_connection(load: Load, folder: Path) -> None:
    found = load(POOL, connect="qemu+ssh://root@attic.example/system")
    assert found.project == Project("shop")
    assert found.hosts == (HostSpec("attic.example", "qemu+ssh://root@attic.example/system"),)
    assert [resource.id for resource in found.resources] == [ResourceId("Pool", "images", "attic.example")]
    assert found.root == str(folder)


@pytest.mark.parametrize(
    "connect, environment, uri",
    [
        ("test:///a", {"VIREO_CONNECT": "test:///b"}, "test:///a"),
        (None, {"VIREO_CONNECT": "test:///b", "LIBVIRT_DEFAULT_URI": "test:///c"}, "test:///b"),
        (None, {"LIBVIRT_DEFAULT_URI": "test:///c"}, "test:///c"),
        (None, {"VIREO_CONNECT": ""}, "qemu:///system"),
    ],
)
def test_the_connection_is_the_one_that_virsh_would_take(
    load: Load, monkeypatch: pytest.MonkeyPatch, connect: str | None, environment: dict[str, str], uri: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load(POOL, connect=connect).hosts == (HostSpec("localhost", uri),)


def test_a_folder_whose_name_cannot_be_a_project_gives_a_safe_one(tmp_path: Path) -> None:
    place = tmp_path / "__My shop/ [1]"
    place.mkdir(parents=True)
    (place / "m.yaml").write_text("apiVersion: vireo/v1\nkind: Pool\nmetadata: {name: a}\nspec: {type: dir, path: /srv}\n")
    assert schema.load([str(place / "m.yaml")], connect=None).project.name == "1"


def test_a_project_document_names_the_project_and_what_it_may_do(load: Load, folder: Path) -> None:
    (folder / "sub" / "mine").mkdir(parents=True)
    found = load(
        {
            "sub/p.yaml": """\
                apiVersion: vireo/v1
                kind: Project
                metadata: {name: homelab}
                spec:
                  prune: {limit: 3}
                  allow: restart
                  templates: ./mine
                  ignore: [{path: "domain/devices/disk[vda]/driver/@cache", reason: tuned}]
                """,
            "m.yaml": POOL,
        }
    )
    ignored = (Ignore("domain/devices/disk[vda]/driver/@cache", "tuned"),)
    templates = str(folder / "sub" / "mine")
    assert found.project == Project("homelab", prune=True, prune_limit=3, allow="restart", templates=templates, ignore=ignored)


def test_the_only_host_is_meant_where_none_is_named(load: Load) -> None:
    found = load({"h.yaml": host("node1"), "m.yaml": POOL})
    assert [resource.id.host for resource in found.resources] == ["node1"]


def test_policies_have_the_defaults_of_the_schema_and_nothing_else_is_filled_in(load: Load) -> None:
    (found,) = load(POOL).resources
    assert found.spec == {"type": "dir", "path": "/srv/images", "state": "active", "update": {"restart": "never"}}


def test_two_volumes_of_one_name_in_two_pools_are_two_volumes(load: Load) -> None:
    found = load({"a.yaml": volume("x"), "b.yaml": volume("x").replace("images", "other")})
    assert len({resource.id for resource in found.resources}) == 2


# --- what is wrong within a document ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, problem",
    [
        ("- a\n", "m.yaml:1:1: a manifest is a mapping (it begins with apiVersion, kind, metadata and spec)"),
        ("kind: Pool\n", "m.yaml:1:1: apiVersion: is missing (write apiVersion: vireo/v1)"),
        ("apiVersion: vireo/v2\nkind: Pool\n", 'm.yaml:1:1: apiVersion: "vireo/v2" is not known (write apiVersion: vireo/v1)'),
        ("apiVersion: vireo/v1\nkind: Volum\n", 'm.yaml:2:1: kind: "Volum" is not a kind (did you mean "Volume"?)'),
        ("apiVersion: vireo/v1\nkind: [Pool]\n", "m.yaml:2:1: kind: \"['Pool']\" is not a kind"),
        ("apiVersion: vireo/v1\nkind: Pool\nmetadata: {name: a}\n", 'm.yaml:1:1: the field "spec" is missing'),
        (
            "apiVersion: vireo/v1\nkind: Pool\nmetadata: {name: a}\nspec:\n",
            "m.yaml:4:1: spec: must be a mapping, but nothing stands here",
        ),
        ("# nothing\n", "m.yaml:1:1: no document in it"),
    ],
)
def test_a_document_that_is_none_is_named(problems: Problems, text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.removeprefix(".:1:1").startswith(problem.removeprefix("m.yaml:1:1") if "no document" in problem else problem)


@pytest.mark.parametrize(
    "spec, problem",
    [
        ("capcity: 1GiB", 'm.yaml:6:3: spec.capcity: unknown field (did you mean "capacity"?)'),
        ("capacity: 1024", 'm.yaml:6:3: spec.capacity: "1024" has no unit; write 1024MiB or 1024GiB, for example'),
        ("capacity: 10G", 'm.yaml:6:3: spec.capacity: "G" is not a unit; write 10GiB (1024) or 10GB (1000) (for example "8GiB")'),
        ("capacity: 10 apples", 'm.yaml:6:3: spec.capacity: "apples" is not a unit; write one of B, KiB'),
        ("capacity: much", 'm.yaml:6:3: spec.capacity: "much" is not a quantity; write a number and a unit, as in 512MiB'),
        ("capacity: 1.3B", 'm.yaml:6:3: spec.capacity: "1.3B" is not a whole number of bytes; write it in a smaller unit'),
        ("capacity: 9EiB", 'm.yaml:6:3: spec.capacity: "9EiB" is more than libvirt can count'),
        ("capacity: [1GiB]", "m.yaml:6:3: spec.capacity: must be a text, not a list"),
        ("capacity: -1GiB", 'm.yaml:6:3: spec.capacity: "-1GiB" is not a quantity'),
        ("{capacity: 1GiB, state: gone}", 'spec.state: "gone" is not allowed here (one of: present, absent)'),
        ("{capacity: 1GiB, format: qcow3}", 'spec.format: "qcow3" is not allowed here (did you mean "qcow"?)'),
        (
            "{capacity: 1GiB, permissions: {mode: 0711}}",
            'spec.permissions.mode: must be a text, not 711 (put it in quotes; for example "0711")',
        ),
        ("{capacity: 1GiB, permissions: {mode: rwx}}", 'spec.permissions.mode: "rwx" is not an octal mode; write it in quotes'),
        ("{capacity: 1GiB, nocow: yes}", 'spec.nocow: must be true or false, not "yes" (for example true)'),
        ("{capacity: 1GiB, wipe: {passes: 0}}", "spec.wipe.passes: must be at least 1"),
        ("{capacity: 1GiB, wipe: {passes: 1.0}}", "spec.wipe.passes: must be a whole number, not 1.0"),
        ("state: present", 'm.yaml:4:1: spec: the field "capacity" is missing (for example "8GiB")'),
        ("{backing: {volume: a, path: /b}}", "spec.backing"),
        ("{backing: a}", "spec.backing: must be a mapping, not a text"),
        ("{backing: {path: /a}}", 'spec.backing: the field "format" is missing (for example "qcow2")'),
        ("{backing: {volum: a}}", 'spec.backing.volum: unknown field (did you mean "volume"?)'),
        (
            "{backing: {volume: a}, format: raw}",
            "spec.format: this format cannot have a backing file; leave it out, or write qcow2",
        ),
        ("{clone: {volume: a}, backing: {volume: b}}", "spec: only one of backing, clone and upload can be given"),
        ("{upload: {path: a.img}}", 'spec.upload: needs the field "format" too'),
        ("{upload: {path: a.img, sha256: abc}, format: raw}", 'spec.upload.sha256: "abc" is not a valid sha256'),
        ("{capacity: 1GiB, format: raw, compat: '1.1'}", "spec.compat: only a qcow2 has this"),
        ("{capacity: 1GiB, compat: 1.1, format: qcow2}", "spec.compat: 1.1 is not allowed here (one of: 0.10, 1.1)"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_meant(problems: Problems, spec: str, problem: str) -> None:
    inner = spec.strip("{}") if spec.startswith("{") else spec
    rest = "\n  ".join(_split(inner)) if spec.startswith("{") else spec
    (found,) = problems(volume("x", rest))
    assert problem in found
    assert found.startswith("m.yaml:")


def _split(text: str) -> list[str]:
    """The fields of a flow mapping, at its top level."""
    out, depth = [""], 0
    for character in text if text.count("{") == text.count("}") else text + "}" * (text.count("{") - text.count("}")):
        depth += (character in "{[") - (character in "}]")
        if character == "," and depth == 0:
            out.append("")
        else:
            out[-1] += character
    return [part.strip() for part in out]


@pytest.mark.parametrize(
    "name, good",
    [
        ("MyNewVM.img", True),
        ("größe 1", True),
        ("a;b$(c),d=e&<f>", True),
        ("a/b", False),
        (".hidden", False),
        ("-rf", True),
        (" a", False),
        ("a ", False),
        ("a\\nb", False),
        ("a\\n", False),
        ("", False),
        ("x" * 201, False),
    ],
)
def test_a_name_is_what_libvirt_and_a_file_system_take(problems: Problems, name: str, good: bool) -> None:
    found = problems(volume(f'"{name}"'))
    assert (found == []) is good
    assert good or "metadata.name" in found[0]


@pytest.mark.parametrize("name", ["a ", " a", ".a", "a/b", "a\\nb"])
def test_a_bad_name_is_told_all_that_a_name_may_not_have(problems: Problems, name: str) -> None:
    (found,) = problems(volume(f'"{name}"'))
    assert "no '/', no line break, no dot or backslash at its beginning, no blank at either end" in found


@pytest.mark.parametrize("mac", ["52:54:00:9c:94", "52:54:00:9c:94:zz", "52-54-00-9c-94-3b", "53:54:00:9c:94:3b", "525400"])
def test_a_bad_mac_is_named(problems: Problems, mac: str) -> None:
    text = f"""\
        apiVersion: vireo/v1
        kind: Network
        metadata: {{name: lan}}
        spec:
          mode: isolated
          mac: {mac}
        """
    (found,) = problems(text)
    example = 'for example "52:54:00:9c:94:3b"'
    if mac == "525400":
        assert found == f"m.yaml:6:3: spec.mac: must be a text, not 525400 (put it in quotes; {example})"
    else:
        assert found == f'm.yaml:6:3: spec.mac: "{mac}" is not a valid MAC address ({example})'


@pytest.mark.parametrize(
    "spec, problem",
    [
        ("mode: nat", 'spec: the field "addresses" is missing'),
        ("mode: nta", 'spec.mode: "nta" is not allowed here (did you mean "nat"?)'),
        ("mode: bridge\n  mtu: 1500", "spec.mtu: a network in this mode uses what the host has: it cannot have this"),
        ("mode: route\n  nat: {ipv6: true}\n  addresses: [{address: 10.0.0.1}]", "spec.nat: only mode nat has this"),
        ("mode: isolated\n  forward: {dev: eth0}", "spec.forward: an isolated network forwards nothing"),
        ("mode: isolated\n  bridge: averyveryverylongname", "spec.bridge: must have at most 15 characters"),
        ("mode: isolated\n  bridge: {nam: br0}", 'spec.bridge.nam: unknown field (did you mean "name"?)'),
        ("mode: isolated\n  bridge: 7", "spec.bridge: must be a text or a mapping, not a whole number"),
        (
            "mode: isolated\n  addresses: [{address: 10.0.0.256}]",
            'spec.addresses[0].address: "10.0.0.256" is not a valid IP address',
        ),
        ("mode: isolated\n  addresses: [{prefix: 24}]", 'spec.addresses[0]: the field "address" is missing'),
        ("mode: isolated\n  addresses: {address: 10.0.0.1}", "spec.addresses: must be a list, not a mapping"),
        (
            "mode: isolated\n  addresses: [{address: 10.0.0.1, prefix: 24, netmask: 255.0.0.0}]",
            "only one of prefix and netmask can be given",
        ),
        (
            "mode: isolated\n  addresses: [{address: 10.0.0.1, dhcp: {hosts: [{ip: 10.0.0.2}]}}]",
            'one of "mac", "id" and "name" is needed',
        ),
        ("mode: isolated\n  addresses: [{address: 10.0.0.1, dhcp: {bootp: {file: a}}}]", 'one of "ranges" and "hosts" is needed'),
        ("mode: isolated\n  dns: {hosts: [{ip: 10.0.0.1, names: []}]}", "spec.dns.hosts[0].names: must not be empty"),
    ],
)
def test_a_wrong_network_is_named(problems: Problems, spec: str, problem: str) -> None:
    found = problems(f"apiVersion: vireo/v1\nkind: Network\nmetadata: {{name: lan}}\nspec:\n  {spec}\n")
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    "address, place, problem",
    [
        (
            "{address: 10.0.0.1, prefix: 24, dhcp: {ranges: [{start: 10.0.0.2, end: 10.0.1.9}]}}",
            "dhcp.ranges[0].end",
            "10.0.1.9 is not in the subnet 10.0.0.0/24",
        ),
        (
            "{address: 10.0.0.1, netmask: 255.0.0.0, dhcp: {ranges: [{start: 10.0.0.9, end: 10.0.0.2}]}}",
            "dhcp.ranges[0]",
            "the range begins at 10.0.0.9, behind its end 10.0.0.2",
        ),
        ("{address: 10.0.0.1, prefix: 64}", "prefix", "an IPv4 address has at most 32 bits"),
        ("{address: 'fd00::1', netmask: 255.0.0.0}", "netmask", "an IPv6 address has a prefix, no netmask"),
        ("{address: 10.0.0.1, netmask: 255.0.255.0}", "netmask", '"255.0.255.0" is not a netmask'),
        (
            "{address: 'fd00::1', prefix: 64, dhcp: {ranges: [{start: 10.0.0.2, end: 'fd00::9'}]}}",
            "dhcp.ranges[0].start",
            "is not in",
        ),
    ],
)
def test_addresses_that_cannot_be_together_are_named(problems: Problems, address: str, place: str, problem: str) -> None:
    text = f"apiVersion: vireo/v1\nkind: Network\nmetadata: {{name: lan}}\nspec:\n  mode: isolated\n  addresses: [{address}]\n"
    (found,) = problems(text)
    assert f"spec.addresses[0].{place}: " in found
    assert problem in found


@pytest.mark.parametrize(
    "written, problem",
    [
        ("<a:x xmlns:a='urn:a'/><b:x xmlns:b='urn:b'>hi</b:x>\\n", None),
        ("<a:x xmlns:a='urn:a'>hi</a:y>", "not well-formed XML: Opening and ending tag mismatch"),
        ("</metadata><title>x</title><metadata>", "not well-formed XML: "),
        ("<x>hi</x>", "<x> is in no namespace: libvirt would drop it"),
        ("hi", "must be one or more XML elements, and no text beside them"),
        ("", "must be one or more XML elements"),
        ("<a:x xmlns:a='urn:a'/>hi", "must be one or more XML elements"),
        ("<a:x xmlns:a='urn:a'/><a:y xmlns:a='urn:a'/>", "two elements in the namespace urn:a: libvirt would keep one"),
        ("<v:resource xmlns:v='urn:vireo:1' project='x'/>", "the namespace urn:vireo:1 is Vireo's own"),
    ],
)
def test_metadata_is_elements_that_libvirt_keeps(problems: Problems, written: str, problem: str | None) -> None:
    text = f'apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: x}}\nspec:\n  memory: 64MiB\n  metadata: "{written}"\n'
    found = problems(text)
    assert len(found) == (problem is not None)
    assert all(one.startswith(f"m.yaml:6:3: spec.metadata: {problem}") for one in found)


def test_a_secret_is_never_quoted(problems: Problems) -> None:
    spec = "{memory: 64MiB, graphics: [{type: vnc, password: 1234567}]}"
    text = f"apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: x}}\nspec: {spec}\n"
    (found,) = problems(text)
    assert "spec.graphics[0].password: must be a text, not the value" in found


def test_labels_are_texts_that_can_be_selected_by(problems: Problems) -> None:
    found = problems(volume("x", more=', labels: {tier: 1, "a=b": c}'))
    assert len(found) == 2
    assert "metadata.labels.tier: must be a text, not 1 (put it in quotes" in found[0]
    assert "metadata.labels.a=b: not usable as a name of a label" in found[1]


def test_all_problems_of_all_files_come_together_in_the_order_of_the_files(problems: Problems) -> None:
    found = problems(
        {"a.yaml": volume("x", "capcity: 1"), "b/c.yaml": "a: [\n", "d.yaml": POOL, "e.yaml": "kind: Pool\n---\nkind: Pool\n"}
    )
    assert [problem.split(":")[0] for problem in found] == ["a.yaml", "b/c.yaml", "e.yaml", "e.yaml"]


# --- what is wrong between documents ----------------------------------------------------------------------------


def test_two_resources_of_one_name_are_both_named(problems: Problems) -> None:
    found = problems({"a.yaml": volume("x"), "b.yaml": "# twice\n" + volume("x")})
    said = "metadata.name: Volume/images/x is declared twice on localhost (first at a.yaml:3:12)"
    assert found == [f"b.yaml:4:12: {said} (give one of them another name)"]


def test_one_uuid_for_two_networks_of_a_host_is_named_and_on_two_hosts_is_none(problems: Problems) -> None:
    def network(name: str, on: str, uuid: str) -> str:
        spec = f"{{mode: isolated, host: {on}, uuid: {uuid}}}"
        return f"apiVersion: vireo/v1\nkind: Network\nmetadata: {{name: {name}}}\nspec: {spec}\n"

    uuid = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
    hosts = {"h1.yaml": host("n1"), "h2.yaml": host("n2")}
    assert problems({**hosts, "a.yaml": network("a", "n1", uuid), "b.yaml": network("b", "n2", uuid)}) == []
    (found,) = problems({**hosts, "b.yaml": network("b", "n1", uuid.upper())})
    assert found.startswith(f'b.yaml:4:34: spec.uuid: "{uuid.upper()}" is used twice on n1 (first by Network/a at a.yaml:4:34)')


def test_two_networks_may_have_one_mac_as_libvirt_lets_them(problems: Problems) -> None:
    def network(name: str) -> str:
        spec = "{mode: isolated, mac: 52:54:00:9c:94:3b}"
        return f"apiVersion: vireo/v1\nkind: Network\nmetadata: {{name: {name}}}\nspec: {spec}\n"

    assert problems({"a.yaml": network("a"), "b.yaml": network("b")}) == []


@pytest.mark.parametrize("name", ["it's", "a&b", "a<b", '"a"'])
def test_a_dhcp_name_with_which_libvirt_would_lose_the_network_is_refused(problems: Problems, name: str) -> None:
    hosts = f"[{{name: {json.dumps(name)}, ip: 10.7.0.9}}]"
    spec = f"{{mode: isolated, addresses: [{{address: 10.7.0.1, prefix: 24, dhcp: {{hosts: {hosts}}}}}]}}"
    (found,) = problems({"n.yaml": f"apiVersion: vireo/v1\nkind: Network\nmetadata: {{name: n}}\nspec: {spec}\n"})
    assert "spec.addresses[0].dhcp.hosts[0].name" in found
    assert "it would lose the network" in found


def test_one_mac_and_one_uuid_for_two_domains_of_a_host_are_named(problems: Problems) -> None:
    def domain(name: str) -> str:
        spec = (
            "{memory: 64MiB, uuid: 6ba7b810-9dad-41d1-80b4-00c04fd430c8,\n  interfaces: [{user: true, mac: 52:54:00:9c:94:3b}]}"
        )
        return f"apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: {name}}}\nspec: {spec}\n"

    found = problems({"a.yaml": domain("a"), "b.yaml": domain("b")})
    assert len(found) == 2
    assert "spec.uuid:" in found[0]
    assert "(first by Domain/a at a.yaml:4:23)" in found[0]
    assert "spec.interfaces[0].mac:" in found[1]
    assert "(first by Domain/a at a.yaml:5:29)" in found[1]


def test_two_disks_of_one_target_are_named_and_in_two_domains_they_are_none(problems: Problems) -> None:
    def domain(name: str, second: str) -> str:
        disks = f"[{{target: vda, file: /a}},\n  {{target: {second}, file: /b}}]"
        return f"apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: {name}}}\nspec:\n  memory: 64MiB\n  disks: {disks}\n"

    assert problems({"a.yaml": domain("a", "vdb"), "b.yaml": domain("b", "vdb")}) == []
    (found,) = problems({"a.yaml": domain("a", "vda")})
    said = '"vda" is there twice (first at a.yaml:6:12) (give one of them another)'
    assert found == f"a.yaml:7:4: spec.disks[1].target: {said}"


def test_a_schedule_has_not_the_prefix_of_the_snapshots_before_what_hurts(problems: Problems) -> None:
    def domain(prefix: str) -> str:
        policy = f"{{every: 1h, keep: 1, prefix: {prefix}}}"
        return f"apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: a}}\nspec:\n  memory: 64MiB\n  snapshotPolicy: {policy}\n"

    assert problems(domain("before-noon")) == []
    (found,) = problems(domain("before"))
    assert "spec.snapshotPolicy.prefix: `before` begins the names of those that snapshotBefore takes" in found


def test_a_second_project_and_a_second_host_of_one_name_are_named(problems: Problems) -> None:
    project = "apiVersion: vireo/v1\nkind: Project\nmetadata: {name: a}\n"
    found = problems({"a.yaml": project, "b.yaml": project, "c.yaml": host("n1"), "d.yaml": host("n1")})
    assert found == [
        "b.yaml:2:1: kind: a second Project (the first is at a.yaml:1:1) (keep one of them, or apply the folders apart)",
        'd.yaml:3:12: metadata.name: a second Host "n1" (the first is at c.yaml:3:12) (give it another name)',
    ]


def test_a_host_that_nobody_declares_is_named_with_the_one_that_was_meant(problems: Problems) -> None:
    files = {"h.yaml": host("node1") + "---\n" + host("other"), "m.yaml": volume("x", "capacity: 1GiB\n  host: nod1")}
    assert problems(files) == ['m.yaml:7:3: spec.host: there is no Host "nod1" (did you mean "node1"?)']


def test_with_several_hosts_each_resource_must_say_which(problems: Problems) -> None:
    files = {"h.yaml": host("n1") + "---\n" + host("n2"), "m.yaml": volume("x")}
    assert problems(files) == [
        'm.yaml:4:1: spec: the field "host" is missing, and the project has several hosts (one of: n1, n2)'
    ]


def test_a_broken_host_document_is_not_blamed_on_those_who_name_it(problems: Problems) -> None:
    files = {"h.yaml": host("n1").replace("uri", "url"), "m.yaml": volume("x", "capacity: 1GiB\n  host: n1")}
    assert all(problem.startswith("h.yaml") for problem in problems(files))


def test_a_connection_besides_declared_hosts_is_refused(load: Load) -> None:
    with pytest.raises(UsageError, match="declare their hosts"):
        load({"h.yaml": host("n1")}, connect="test:///default")


def test_a_cycle_of_backing_files_is_named_as_it_runs(problems: Problems) -> None:
    files = {
        name: volume(name, f"backing: {{volume: {base}}}") for name, base in (("a", "b"), ("b", "c"), ("c", "b"), ("d", "a"))
    }
    (found,) = problems({f"{name}.yaml": text for name, text in files.items()})
    assert found == "c.yaml:6:3: spec.backing: a cycle of volumes: b -> c -> b (one of them must stand on its own)"


def test_a_volume_over_itself_is_a_cycle_and_over_its_namesake_in_another_pool_is_none(problems: Problems) -> None:
    (found,) = problems(volume("a", "clone: {volume: a}"))
    assert "a cycle of volumes: a -> a" in found
    assert problems(volume("a", "clone: {volume: a, pool: other}")) == []


def test_a_long_chain_of_backing_files_is_no_cycle(problems: Problems) -> None:
    texts = [volume("v0")] + [volume(f"v{n}", f"backing: {{volume: v{n - 1}}}") for n in range(1, 1500)]
    assert problems("---\n".join(texts)) == []


def test_a_template_folder_that_is_not_there_is_named(problems: Problems, folder: Path) -> None:
    text = "apiVersion: vireo/v1\nkind: Project\nmetadata: {name: a}\nspec:\n  templates: ./mine\n"
    (found,) = problems({"p.yaml": text})
    assert found.startswith(f"p.yaml:5:3: spec.templates: there is no folder {folder}/mine")


# --- the schemas themselves -------------------------------------------------------------------------------------


def fields(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that a schema declares, at any depth."""
    for name, child in node.get("properties", {}).items():
        if isinstance(child, dict) and set(child) - {"not", "x-vireo-message", "const", "enum", "required", "minItems"}:
            yield f"{path}.{name}", child
            yield from fields(child, f"{path}.{name}")
    if isinstance(node.get("items"), dict):
        yield from fields(node["items"], f"{path}[]")
    for word in ("oneOf", "anyOf"):
        for branch in node.get(word, ()):
            yield from fields(branch, path)


def all_fields(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    found = shape.of(kind)
    yield from fields(found.document)
    for name, definition in found.document["$defs"].items():
        yield from fields(definition, f"$defs.{name}")


@pytest.mark.parametrize("kind", shape.kinds())
def test_a_schema_is_valid_and_self_contained(kind: str) -> None:
    document = schema.document(kind.lower())
    Draft202012Validator.check_schema(document)
    assert "common.json" not in json.dumps(document)


@pytest.mark.parametrize("kind", shape.kinds())
def test_every_field_has_a_title_a_description_and_an_example_and_mappings_are_closed(kind: str) -> None:
    of_kind = shape.of(kind)
    wanting = []
    for path, field in all_fields(kind):
        facets = of_kind.flat(field)
        wanting += [
            f"{path}: {word}" for word in ("title", "description", "examples") if not any(word in facet for facet in facets)
        ]
        if field.get("type") == "object" and "additionalProperties" not in field:
            wanting.append(f"{path}: additionalProperties")
    assert wanting == []


@pytest.mark.parametrize("kind", shape.kinds())
def test_every_example_of_a_schema_is_valid_by_it(kind: str) -> None:
    document = shape.of(kind).document
    check_whole = check.validator(kind)
    bad = []
    for path, field in all_fields(kind):
        for example in field.get("examples", ()):
            errors = list(check_whole.evolve(schema={**field, "$defs": document["$defs"]}).iter_errors(example))
            bad += [f"{path}: {example!r}: {error.message}" for error in errors]
    assert bad == []
    assert [check.errors(kind, example) for example in document.get("examples", ())] in ([], [[]])


def test_an_unknown_kind_has_no_schema(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        schema.document("Netwrok")
    assert caught.value.hint == 'did you mean "Network"?'


def test_a_thousand_documents_are_checked_in_a_moment(load: Load) -> None:
    text = "---\n".join(volume(f"v{n}") for n in range(1000))
    begin = time.perf_counter()
    assert len(load(text).resources) == 1000
    assert time.perf_counter() - begin < 10  # takes 0.7 s on an idle machine
