"""The commands from end to end, in this process, on libvirt's test driver."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import libvirt
import pytest

from reconciler.cli.app import run

MANIFESTS = """\
apiVersion: vireo/v1
kind: Project
metadata: {{name: lab}}
spec: {{}}
---
apiVersion: vireo/v1
kind: Host
metadata: {{name: node1}}
spec: {{uri: "{uri}"}}
---
apiVersion: vireo/v1
kind: Pool
metadata: {{name: images}}
spec: {{type: dir, path: /images}}
---
apiVersion: vireo/v1
kind: Volume
metadata: {{name: web1.qcow2}}
spec: {{pool: images, capacity: 1GiB, format: qcow2}}
---
apiVersion: vireo/v1
kind: Network
metadata: {{name: lan}}
spec: {{mode: isolated, bridge: virbr7, addresses: [{{address: 10.7.0.1, prefix: 24}}]}}
---
apiVersion: vireo/v1
kind: Domain
metadata: {{name: web1, labels: {{tier: front}}}}
spec:
  memory: 64MiB
  vcpus: 1
  disks: [{{target: vda, bus: virtio, volume: {{pool: images, name: web1.qcow2}}}}]
  interfaces: [{{network: lan, model: virtio}}]
"""
FAR = """\
apiVersion: vireo/v1
kind: Host
metadata: {name: far}
spec: {uri: "test:///does/not/exist.xml"}
---
apiVersion: vireo/v1
kind: Domain
metadata: {name: far1}
spec: {host: far, memory: 64MiB}
"""


@dataclass
class Vireo:
    """The command, and the folder that it is used on."""

    folder: Path
    uri: str
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def __call__(self, *arguments: str) -> int:
        self.capture.readouterr()
        code = run(list(arguments))
        self.out, self.err = self.capture.readouterr()
        return code

    @property
    def path(self) -> str:
        return str(self.folder)

    def edit(self, before: str, after: str) -> None:
        file = self.folder / "all.yaml"
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))


@pytest.fixture
def vireo(tmp_path: Path, test_default: str, capsys: pytest.CaptureFixture[str]) -> Vireo:
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "all.yaml").write_text(MANIFESTS.format(uri=test_default))
    return Vireo(folder, test_default, capsys)


@pytest.fixture
def applied(vireo: Vireo) -> Vireo:
    assert vireo("apply", vireo.path, "--yes") == 0, vireo.out + vireo.err
    return vireo


def domain(vireo: Vireo, name: str = "web1") -> libvirt.virDomain:
    return libvirt.open(vireo.uri).lookupByName(name)


def test_validate_counts_what_it_read(vireo: Vireo) -> None:
    assert vireo("validate", vireo.path) == 0
    assert vireo.out == "OK: 4 resources in 1 file\n"


def test_validate_lists_every_problem_and_says_that_nothing_was_touched(vireo: Vireo) -> None:
    vireo.edit("memory: 64MiB", "memory: 64")
    vireo.edit("capacity: 1GiB", "capacty: 1GiB")
    assert vireo("validate", vireo.path) == 3
    assert vireo.out == ""
    assert "did you mean" in vireo.err
    assert "all.yaml:" in vireo.err
    assert vireo.err.splitlines()[-1].startswith("Error: ")


def test_problems_are_json_for_a_program(vireo: Vireo) -> None:
    vireo.edit("memory: 64MiB", "memory: 64")
    assert vireo("plan", vireo.path, "-o", "json") == 3
    (problem,) = json.loads(vireo.out)["error"]["problems"]
    assert problem["path"].startswith("spec.memory")
    assert problem["line"] > 1


def test_render_prints_one_resource_or_all(vireo: Vireo) -> None:
    assert vireo("render", vireo.path, "web1") == 0
    assert vireo.out.startswith("<domain")
    assert vireo("render", vireo.path, "Volume/images/web1.qcow2") == 0
    assert vireo.out.startswith("<volume")
    assert vireo("render", vireo.path) == 0
    assert vireo.out.count("<!-- ") == 4
    assert vireo("render", vireo.path, "--live") == 0
    assert "type='test'" in vireo.out.replace('"', "'")


def test_render_of_an_unknown_name_lists_the_known_ones(vireo: Vireo) -> None:
    assert vireo("render", vireo.path, "web9") == 3
    assert "Domain/web1" in vireo.err


def test_a_first_plan_creates_everything_and_touches_nothing(vireo: Vireo) -> None:
    assert vireo("plan", vireo.path) == 0
    assert vireo.out.splitlines()[-1] == "Plan: 4 to create, 0 to change, 0 to delete, 0 unchanged"
    for name in ("Pool/images", "Volume/images/web1.qcow2", "Network/lan", "Domain/web1"):
        assert f"+ {name}" in vireo.out
    assert libvirt.open(vireo.uri).listAllDomains() == []
    assert vireo("plan", vireo.path, "--detailed-exitcode") == 2


def test_after_an_apply_the_plan_is_empty(vireo: Vireo) -> None:
    assert vireo("apply", vireo.path, "--yes") == 0, vireo.out + vireo.err
    assert "Plan: 4 to create" in vireo.out
    assert " 0 failed, 0 skipped (" in vireo.out.splitlines()[-1]
    assert "✓ " in vireo.err
    assert domain(vireo).isActive()
    assert vireo("plan", vireo.path, "--detailed-exitcode") == 0
    assert vireo.out == "Nothing to do: 4 resources in sync.\n"
    assert vireo("apply", vireo.path, "--yes") == 0
    assert vireo.out == "Nothing to do: 4 resources in sync.\n"


def test_apply_tells_programs_each_action_before_and_after_it(vireo: Vireo) -> None:
    assert vireo("apply", vireo.path, "--yes", "-o", "json") == 0, vireo.out + vireo.err
    events = [json.loads(line) for line in vireo.out.splitlines()]
    assert events[0]["event"] == "apply-started"
    planned = [action["id"] for action in events[0]["plan"]["actions"]]
    for number in planned:
        order = [event["event"] for event in events if event.get("id") == number]
        assert (order[0], order[-1]) == ("action-started", "action-done")
    assert events[-1]["event"] == "apply-finished"
    assert events[-1]["done"] == len(planned)
    assert vireo("apply", vireo.path, "--yes", "-o", "json") == 0
    assert [json.loads(line)["event"] for line in vireo.out.splitlines()] == ["apply-started", "apply-finished"]


def test_quiet_leaves_the_results_only(vireo: Vireo) -> None:
    assert vireo("-q", "apply", vireo.path, "--yes") == 0
    assert vireo.err == ""
    assert "Apply: " in vireo.out


def test_drift_names_the_path_and_what_was_applied_and_apply_repairs_it(applied: Vireo) -> None:
    guest = domain(applied)
    guest.destroy()
    libvirt.open(applied.uri).defineXML(guest.XMLDesc(0).replace("65536</memory>", "98304</memory>"))
    assert applied("drift", applied.path) == 2
    assert "memory:" in applied.out
    assert "is 96MiB, was applied as 64MiB" in applied.out
    assert "is stopped, was applied as running" in applied.out
    assert applied("drift", applied.path, "-o", "json") == 2
    (resource,) = json.loads(applied.out)["resources"]
    assert {"memory", "state"} <= {d["path"] for d in resource["differences"]}
    assert applied("drift", applied.path, "-o", "markdown") == 2
    assert "| <code>memory</code> | <code>96MiB</code> |" in applied.out
    assert applied("apply", applied.path, "--yes") == 0, applied.out + applied.err
    assert domain(applied).isActive()
    assert applied("drift", applied.path) == 0
    assert applied.out == "No drift: 4 resources looked at.\n"


def test_a_change_of_the_manifest_is_no_drift(applied: Vireo) -> None:
    applied.edit("vcpus: 1", "vcpus: 1\n  title: the web")
    assert applied("drift", applied.path) == 0
    assert applied("plan", applied.path) == 0
    assert "title:" in applied.out
    assert "(manifest, " in applied.out


def test_a_saved_plan_is_applied_without_asking_and_only_once(vireo: Vireo, tmp_path: Path) -> None:
    file = str(tmp_path / "saved")
    assert vireo("plan", vireo.path, "--out", file) == 0
    assert f"vireo apply --plan {file}" in vireo.err
    assert vireo("apply", "--plan", file) == 0, vireo.out + vireo.err
    assert domain(vireo).isActive()
    assert vireo("apply", "--plan", file) == 4
    assert vireo.err.startswith("Error: ")


def test_a_stale_plan_does_nothing(applied: Vireo, tmp_path: Path) -> None:
    applied.edit("vcpus: 1", "vcpus: 1\n  title: the web")
    file = str(tmp_path / "saved")
    assert applied("plan", applied.path, "--out", file) == 0
    domain(applied).destroy()
    assert applied("apply", "--plan", file) == 4
    assert not domain(applied).isActive()
    assert "<title>" not in domain(applied).XMLDesc(0)


@pytest.mark.parametrize("text", ["", "{}", '{"format": "vireo-plan/99"}', "\x00"])
def test_a_file_that_is_no_plan_is_refused(vireo: Vireo, tmp_path: Path, text: str) -> None:
    file = tmp_path / "saved"
    file.write_text(text)
    assert vireo("apply", "--plan", str(file)) == 3
    assert vireo("apply", "--plan", str(tmp_path / "missing")) == 3


def test_status_is_a_line_for_each_resource(applied: Vireo) -> None:
    assert applied("status", applied.path) == 0
    assert "4 of 4 resources in sync" in applied.out
    assert applied("status", applied.path, "-o", "json") == 0
    assert {(r["kind"], r["status"]) for r in json.loads(applied.out)["resources"]} == {
        ("Pool", "in-sync"), ("Volume", "in-sync"), ("Network", "in-sync"), ("Domain", "in-sync"),
    }  # fmt: skip


@pytest.mark.parametrize("command", ["plan", "drift", "validate"])
def test_without_a_path_this_folder_is_meant(applied: Vireo, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(applied.folder)
    assert applied(command) == 0, applied.err
    assert applied.out


def test_explain_of_an_unknown_name_says_what_was_meant_and_what_there_is_of_that_kind(applied: Vireo) -> None:
    assert applied("explain", "Domain/nope", applied.path) == 3
    assert "there are: Domain/web1\n" in applied.err
    assert applied("explain", "domain/web", applied.path) == 3
    assert "did you mean Domain/web1?" in applied.err
    assert applied("explain", "Nothing/x", applied.path) == 3
    assert "there are: Pool/images, Volume/images/web1.qcow2, Network/lan, Domain/web1\n" in applied.err


def test_plan_says_once_why_it_leaves_alone_what_nobody_owns(vireo: Vireo) -> None:
    libvirt.open(vireo.uri).storagePoolDefineXML("<pool type='dir'><name>images</name><target><path>/i</path></target></pool>")
    assert vireo("plan", vireo.path) in (0, 2)
    assert vireo.out.count("--adopt (or metadata.adopt: true) takes it over\n") == 1


def test_a_reference_to_nothing_is_told_at_its_own_line(vireo: Vireo) -> None:
    vireo.edit("{network: lan, model: virtio}", "{network: nowhere, model: virtio}")
    vireo.edit("volume: {pool: images, name: web1.qcow2}", "volume: {pool: attic, name: nothing.qcow2}")
    lines = (vireo.folder / "all.yaml").read_text().splitlines()
    assert vireo("plan", vireo.path) == 3
    for named, about in (
        ("nowhere", "Network/nowhere"),
        ("attic", "Pool/attic"),
        ("nothing.qcow2", "Volume/attic/nothing.qcow2"),
    ):
        ((number, column),) = ((n, line.index(f" {named}")) for n, line in enumerate(lines, 1) if f" {named}" in line)
        (said,) = (line for line in vireo.err.splitlines() if f"refers to {about}" in line)
        place = said.partition(": ")[0].rsplit(":", 2)
        assert int(place[1]) == number
        assert 1 < int(place[2]) <= column


def test_a_renamed_domain_with_a_uuid_of_its_own_is_blocked_and_with_prune_comes_after_the_old_one(vireo: Vireo) -> None:
    vireo.edit("spec:\n  memory: 64MiB", "spec:\n  uuid: 11111111-2222-4333-8444-555555555555\n  memory: 64MiB")
    assert vireo("apply", vireo.path, "--yes") == 0, vireo.out + vireo.err
    vireo.edit("{name: web1, labels", "{name: web2, labels")
    assert vireo("apply", vireo.path, "--yes") == 5
    assert "Domain/web1 has its UUID 11111111-2222-4333-8444-555555555555: --prune" in vireo.out + vireo.err
    assert domain(vireo).isActive()
    vireo.edit("{name: web2, labels", "{name: web1, labels")
    assert vireo("plan", vireo.path) == 0
    assert "web2" not in vireo.out
    vireo.edit("{name: web1, labels", "{name: web2, labels")
    assert vireo("apply", vireo.path, "--yes", "--prune") == 0, vireo.out + vireo.err
    assert domain(vireo, "web2").UUIDString() == "11111111-2222-4333-8444-555555555555"
    assert vireo("plan", vireo.path, "--prune", "--detailed-exitcode") == 0


def test_status_without_manifests_lists_what_projects_own(applied: Vireo) -> None:
    assert applied("status", "-c", applied.uri) == 0
    for name in ("Pool/images", "Volume/images/web1.qcow2", "Network/lan", "Domain/web1"):
        assert name in applied.out
    assert applied("-c", applied.uri, "inventory", "show", "-o", "json") == 0
    (host,) = json.loads(applied.out)["hosts"]
    assert {mark["project"] for mark in host["resources"]} == {"lab"}


def test_the_inventory_can_be_rebuilt(applied: Vireo) -> None:
    assert applied("inventory", "rebuild", applied.path) == 0
    assert applied("plan", applied.path) == 0
    assert applied.out == "Nothing to do: 4 resources in sync.\n"


def test_a_label_chooses_resources(applied: Vireo) -> None:
    assert applied("plan", applied.path, "-l", "tier=front", "--prune", "-o", "json") == 0
    assert [r["name"] for r in json.loads(applied.out)["resources"]] == ["web1"]
    assert applied("plan", applied.path, "-l", "tier=back") == 3
    assert "no resource has the labels tier=back" in applied.err


def test_a_target_brings_what_it_needs(vireo: Vireo) -> None:
    assert vireo("plan", vireo.path, "--target", "Volume/images/web1.qcow2", "-o", "json") == 0
    assert {r["kind"] for r in json.loads(vireo.out)["resources"]} == {"Pool", "Volume"}


def test_what_is_blocked_says_how_to_allow_it_and_ends_with_5(applied: Vireo) -> None:
    pool = libvirt.open(applied.uri).storagePoolLookupByName("images")
    pool.storageVolLookupByName("web1.qcow2").delete()
    assert applied("plan", applied.path) == 0
    assert "Blocked" in applied.out
    assert "--allow data-loss" in applied.out
    assert applied("apply", applied.path, "--yes") == 5
    assert pool.listAllVolumes() == []
    assert applied("apply", applied.path, "--yes", "--allow", "data-loss") == 0
    assert [volume.name() for volume in pool.listAllVolumes()] == ["web1.qcow2"]


def test_an_unreachable_host_fails_and_the_others_are_done(vireo: Vireo) -> None:
    for spec in ("{type: dir", "{pool: images,", "{mode: isolated"):
        vireo.edit(f"spec: {spec}", spec.replace("{", "spec: {host: node1, "))
    vireo.edit("  memory:", "  host: node1\n  memory:")
    (vireo.folder / "far.yaml").write_text(FAR)
    assert vireo("apply", vireo.path, "--yes") == 1, vireo.out + vireo.err
    assert "far · test:///does/not/exist.xml · not reachable: " in vireo.out
    assert "? Domain/far1" in vireo.out
    assert domain(vireo).isActive()
    assert vireo("status", vireo.path) == 1
    assert "4 of 5 resources in sync; 1 unreachable" in vireo.out


def test_destroy_removes_what_is_ours_and_keeps_disks_and_foreigners(applied: Vireo) -> None:
    connection = libvirt.open(applied.uri)
    connection.defineXML("<domain type='test'><name>foreign</name><memory>65536</memory><os><type>hvm</type></os></domain>")
    assert applied("destroy", applied.path, "--yes") in (0, 5), applied.out + applied.err
    assert [guest.name() for guest in connection.listAllDomains()] == ["foreign"]
    assert "undefine Domain/web1" in applied.err
    assert "delete Volume" not in applied.err


def test_a_plan_for_a_pull_request_is_markdown(vireo: Vireo) -> None:
    assert vireo("plan", vireo.path, "-o", "markdown") == 0
    assert vireo.out.startswith("### Vireo plan: <code>lab</code>\n\n**Plan: 4 to create")


def test_unlock_says_when_nothing_is_locked(applied: Vireo) -> None:
    assert applied("unlock", applied.path, "--yes") == 0
    assert applied.out == "Nothing is locked.\n"
