"""`vireo import` from end to end on libvirt's test driver, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import libvirt
import pytest

from reconciler.cli.app import run
from reconciler.kinds import KINDS
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import parse
from tests.corpus import written

URI = "test:///default"
FINE = "apiVersion: vireo/v1\nkind: Network\nmetadata: {name: fine}\nspec: {mode: isolated, state: inactive}\n"


@pytest.fixture
def vireo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(*words: str, code: int = 0) -> str:
        found = run([*words, "-c", URI])
        said = capsys.readouterr()
        assert found == code, said.err + said.out
        return said.out + (said.err if code else "")

    return call


def test_everything_on_the_driver_is_adopted_without_a_change(vireo: Any, tmp_path: Path) -> None:
    folder = tmp_path / "imported"
    vireo("import", "--all", "-o", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "domain-test.yaml",
        "network-default.yaml",
        "pool-default-pool.yaml",
    ]
    plan = json.loads(vireo("plan", str(folder), "--adopt", "-o", "json"))
    assert {(action["verb"], action["impact"], action["blocked"]) for action in plan["actions"]} == {("adopt", "none", None)}
    vireo("validate", str(folder))


def test_one_stream_holds_all_manifests(vireo: Any, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(vireo("import", "--all"), encoding="utf-8")
    assert "OK: 3 resources in 1 file" in vireo("validate", str(tmp_path / "all.yaml"))


@pytest.mark.parametrize(
    "words, said",
    [
        ((), "name what is to be imported, or say --all"),
        (("test", "--all"), "exclude each other"),
        (("--all", "--kind", "Secret"), "there is no such kind to import"),
        (("tset",), "did you mean test?"),
    ],
)
def test_what_cannot_be_meant_is_said_so(vireo: Any, words: tuple[str, ...], said: str) -> None:
    assert said in vireo("import", *words, code=3)


@pytest.mark.parametrize("name", ["test", "Domain/test", "domain/test"])
def test_an_object_is_named_by_itself_or_with_its_kind(vireo: Any, name: str) -> None:
    assert "kind: Domain\nmetadata: {name: test}\n" in vireo("import", name)


def test_a_kind_selects(vireo: Any) -> None:
    text = vireo("import", "--all", "--kind", "network", "--kind", "Pool")
    assert "kind: Network" in text
    assert "kind: Pool" in text
    assert "kind: Domain" not in text


def test_pools_whose_drivers_this_machine_may_lack_are_adopted_and_made_anew(
    test_default: str, vireo: Any, tmp_path: Path
) -> None:
    host = libvirt.open(test_default)
    pools = [host.storagePoolDefineXML(text) for text in written.documents("pools_elsewhere").values()]
    assert len(pools) == 16
    before = {pool.name(): _definition(pool) for pool in pools}
    folder = tmp_path / "imported"
    vireo("import", "--all", "--kind", "pool", "-o", str(folder))
    plan = json.loads(vireo("plan", str(folder), "--adopt", "-o", "json"))
    assert {(action["verb"], action["impact"], action["blocked"]) for action in plan["actions"]} == {("adopt", "none", None)}
    for pool in pools:
        pool.undefine()
    vireo("apply", str(folder), "--yes")
    assert json.loads(vireo("plan", str(folder), "-o", "json"))["actions"] == []
    assert {name: _definition(host.storagePoolLookupByName(name)) for name in before} == before
    host.close()


def test_a_network_that_libvirt_writes_unreadably_is_named_and_holds_nothing_up(
    test_default: str, vireo: Any, tmp_path: Path
) -> None:
    host = libvirt.open(test_default)
    hosts = "<dhcp><host name='it&apos;s' ip='10.9.9.9'/></dhcp>"
    host.networkDefineXML(f"<network><name>broken</name><forward/><ip address='10.9.9.1' prefix='24'>{hosts}</ip></network>")
    project = tmp_path / "mine"
    project.mkdir()
    (project / "fine.yaml").write_text(FINE, encoding="utf-8")
    vireo("apply", str(project), "--yes")
    assert "Network/broken cannot be imported: libvirt itself writes" in vireo("import", "--all", code=1)
    vireo("destroy", str(project), "--yes")
    assert [network.name() for network in host.listAllNetworks()] == ["broken"]
    host.close()


def _definition(pool: libvirt.virStoragePool) -> Canonical:
    return canonical(parse(pool.XMLDesc(0)), KINDS["Pool"].rules)


def test_a_domain_that_names_what_its_host_lacks_is_adopted_and_made_anew_and_a_persons_slip_is_still_an_error(
    vireo: Any, tmp_path: Path
) -> None:
    connection = libvirt.open(URI)
    text = (
        "<domain type='test'><name>lost</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        "<disk type='volume'><driver name='qemu' type='qcow2'/><source pool='gone' volume='a.qcow2'/>"
        "<target dev='vda' bus='virtio'/></disk>"
        "<interface type='network'><source network='nowhere'/></interface></devices></domain>"
    )
    domain = connection.defineXML(text)
    try:
        vireo("import", "lost", "-o", str(tmp_path))
        [file] = tmp_path.glob("*lost*.yaml")
        manifest = file.read_text(encoding="utf-8")
        assert "[Network/nowhere, Pool/gone, Volume/gone/a.qcow2]" in manifest.replace("\n", " ")
        vireo("apply", str(file), "--adopt", "--yes")
        domain.undefine()
        vireo("apply", str(file), "--yes")
        assert json.loads(vireo("plan", str(file), "-o", "json"))["actions"] == []
        told = [line for line in manifest.splitlines() if "allowMissing" not in line and "does not have it" not in line]
        file.write_text("\n".join(told), encoding="utf-8")
        connection.lookupByName("lost").undefine()
        assert "refers to Network/nowhere" in vireo("apply", str(file), "--yes", code=3)
    finally:
        for name in [each.name() for each in connection.listAllDomains() if each.name() == "lost"]:
            connection.lookupByName(name).undefine()
        connection.close()
