"""Plans that are kept, two writers, interruptions, and what is not ours."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import libvirt
import pytest

from reconciler.engine import executor, pipeline
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until
from tests.qemu.conftest import DOMAIN, NETWORK, POOL, VOLUME, Vireo, manifest


def everything(connection: libvirt.virConnect) -> dict[str, Any]:
    """All that is on the host, by kind, as XML."""
    return {
        "domains": sorted(d.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) + str(d.state()) for d in connection.listAllDomains()),
        "networks": sorted(n.XMLDesc(0) + str(n.isActive()) for n in connection.listAllNetworks()),
        "pools": sorted(p.name() + str(p.isActive()) for p in connection.listAllStoragePools()),
        "volumes": sorted(v.path() for p in connection.listAllStoragePools() if p.isActive() for v in p.listAllVolumes()),
    }


def test_a_saved_plan_does_what_it_says(vireo: Vireo, tmp_path: Path) -> None:
    vireo.add(POOL, VOLUME)
    file = str(tmp_path / "plan.json")
    assert vireo("plan", "--out", file).code == 0
    assert vireo("apply", "--plan", file).code == 0
    vireo.assert_in_sync()


def test_a_stale_plan_is_refused_and_nothing_is_done(quick: Vireo, tmp_path: Path) -> None:
    quick.spec("Domain/web1")["memory"] = "48MiB"
    file = str(tmp_path / "plan.json")
    assert quick("plan", "--out", file).code == 0
    quick.domain().destroy()
    before = everything(quick.connection)
    assert quick("apply", "--plan", file).code == 4
    assert everything(quick.connection) == before


def test_a_saved_plan_holds_no_secret_and_can_still_be_applied(vireo: Vireo, tmp_path: Path) -> None:
    vireo.add(POOL, VOLUME, NETWORK, DOMAIN)
    vireo.spec("Domain/web1")["graphics"] = [{"type": "vnc", "password": "s3cr3t!"}]
    file = tmp_path / "plan.json"
    assert vireo("plan", "--out", str(file)).code == 0
    assert "s3cr3t!" not in file.read_text()
    applied = vireo("apply", "--plan", str(file))
    assert applied.code == 0, applied.err
    assert "s3cr3t!" not in applied.out + applied.err
    assert "passwd='s3cr3t!'" in vireo.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)
    inventories = [secret for secret in vireo.connection.listAllSecrets() if "/inventory/" in secret.usageID()]
    assert inventories
    assert all(
        b"s3cr3t!" not in zlib.decompress(base64.b64decode(str(ElementTree.fromstring(secret.XMLDesc()).findtext("description"))))
        for secret in inventories
    )
    assert "s3cr3t!" not in vireo.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    vireo.assert_in_sync()
    vireo.spec("Domain/web1")["graphics"] = [{"type": "vnc"}]
    vireo.spec("Domain/web1")["xml"] = "<domain><devices><graphics type='vnc' passwd='another'/></devices></domain>"
    assert "another" not in vireo("render").out
    changed = vireo.resource("Domain/web1")
    assert [d["path"] for d in changed["differences"]] == ["devices/graphics[vnc]/@passwd"]
    vireo.apply()
    assert "passwd='another'" in vireo.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)


def start(vireo: Vireo, *options: str) -> subprocess.Popen[str]:
    vireo("validate")
    command = [sys.executable, "-m", "reconciler", "apply", "--yes", str(vireo.folder), "-c", vireo.uri, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_second_apply_is_refused_with_who_holds_the_lock(vireo: Vireo) -> None:
    vireo.add(POOL, VOLUME, NETWORK, DOMAIN)
    vireo.apply()
    vireo.spec("Domain/web1").update({"state": "stopped", "shutdown": {"timeout": "20s", "force": True}})
    first = start(vireo)
    try:
        wait_until(lambda: any("/lock" in secret.usageID() for secret in vireo.connection.listAllSecrets()))
        second = vireo("apply", "--yes", "--wait", "0s")
        assert second.code == 4
        assert str(first.pid) in second.err
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    vireo.spec("Domain/web1")["shutdown"] = {"timeout": "1s", "force": True}
    vireo.apply()
    vireo.assert_in_sync()


@pytest.mark.parametrize("moment", [0.02, 0.08, 0.15, 0.25, 0.35, 0.5])
def test_killed_at_any_moment_the_next_apply_converges(vireo: Vireo, moment: float) -> None:
    """The moments spread over an apply of about a second; which call each one hits does not matter."""
    vireo.add(POOL, VOLUME, NETWORK, DOMAIN)
    killed = start(vireo)
    wait_until(lambda: killed.poll() is not None or any("/lock" in s.usageID() for s in vireo.connection.listAllSecrets()))
    deadline = time.monotonic() + moment
    wait_until(lambda: time.monotonic() > deadline)
    killed.kill()
    killed.communicate()
    vireo.apply()
    vireo.assert_in_sync()
    found = everything(vireo.connection)
    assert {name: len(entries) for name, entries in found.items()} == {"domains": 1, "networks": 1, "pools": 1, "volumes": 1}


def test_a_daemon_that_is_killed_between_the_last_look_and_the_first_action_is_connected_again(vireo: Vireo, lab: Lab) -> None:
    vireo.add(POOL, VOLUME)
    vireo("validate")
    wanted = pipeline.Options(connect=vireo.uri)
    manifests = pipeline.load([str(vireo.folder)], wanted)

    def look(prepared: pipeline.Prepared, _hosts: pipeline.Hosts) -> pipeline.Prepared:
        lab.restart(kill=True)
        return prepared

    with pipeline.connected(manifests) as hosts:
        ready = pipeline.prepare(manifests, hosts, wanted)
        assert executor.execute(ready, hosts, emit=lambda _event: None, again=look).exit_code == 0
    vireo.assert_in_sync()


def test_a_daemon_that_restarts_meanwhile_is_waited_for(vireo: Vireo, lab: Lab) -> None:
    vireo.add(POOL, VOLUME, NETWORK, DOMAIN)
    vireo.apply()
    vireo.spec("Domain/web1").update({"state": "stopped", "shutdown": {"timeout": "6s", "force": True}})
    running = start(vireo)
    wait_until(lambda: any("/lock" in secret.usageID() for secret in vireo.connection.listAllSecrets()))
    lab.restart(kill=True)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, f"{out}\n{err}"
    vireo.connection = libvirt.open(vireo.uri)
    vireo.assert_in_sync()


def foreigners(connection: libvirt.virConnect) -> None:
    """A domain, a network and a pool with a volume that somebody else made."""
    connection.networkDefineXML("<network><name>theirs</name><ip address='10.9.0.1' prefix='24'/></network>")
    pool = connection.storagePoolDefineXML(
        "<pool type='dir'><name>theirs</name><target><path>/var/lib/libvirt/images/theirs</path></target></pool>"
    )
    pool.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
    pool.createXML("<volume><name>theirs.img</name><capacity>4096</capacity></volume>")
    connection.defineXML(
        "<domain type='qemu'><name>theirs</name><memory>32768</memory><os><type>hvm</type></os><devices><disk type='file'>"
        "<source file='/var/lib/libvirt/images/pool/web1.qcow2'/><target dev='vda'/></disk></devices></domain>"
    )


def test_what_others_made_is_never_touched(quick: Vireo) -> None:
    foreigners(quick.connection)
    theirs = {kind: {e for e in entries if "theirs" in e} for kind, entries in everything(quick.connection).items()}
    quick.spec("Domain/web1")["memory"] = "48MiB"
    quick.apply("--prune")
    quick.manifests.pop("Domain/web1")
    quick.apply("--prune")
    quick("destroy", "--yes")
    assert {kind: {e for e in entries if "theirs" in e} for kind, entries in everything(quick.connection).items()} == theirs


def test_a_volume_that_a_foreign_domain_uses_is_kept_and_said_so(quick: Vireo) -> None:
    foreigners(quick.connection)
    quick.manifests.pop("Domain/web1")
    quick.spec("Volume/web1.qcow2").update({"state": "absent", "onDelete": "delete"})
    result = quick.apply("--prune", code=5)
    assert "in use by Domain/theirs" in result.out
    assert "web1.qcow2" in str(everything(quick.connection)["volumes"])


def test_destroy_removes_what_is_ours_and_keeps_volumes_by_default(quick: Vireo) -> None:
    assert quick("destroy", "--yes").code == 0
    found = everything(quick.connection)
    assert (found["domains"], found["networks"]) == ([], [])
    assert Path(str(quick_images(quick)), "pool/web1.qcow2").exists()
    quick.apply()
    quick.assert_in_sync()


def quick_images(vireo: Vireo) -> Path:
    """Where the lab keeps /var/lib/libvirt/images of its nodes."""
    return Path(vireo.uri.partition("socket=")[2]).parents[3] / "images"


def test_with_on_delete_delete_nothing_is_left(quick: Vireo) -> None:
    quick.spec("Volume/web1.qcow2")["onDelete"] = "delete"
    quick.apply()
    assert quick("destroy", "--yes").code == 0
    assert everything(quick.connection) == {"domains": [], "networks": [], "pools": [], "volumes": []}
    assert not any("/inventory/" in secret.usageID() for secret in quick.connection.listAllSecrets())


def test_what_is_gone_already_is_forgotten(quick: Vireo) -> None:
    quick.domain().destroy()
    quick.domain().undefine()
    quick.manifests.pop("Domain/web1")
    quick.apply("--prune")
    quick.assert_in_sync()
    assert "web1 " not in quick("inventory show").out


def test_prune_removes_what_left_the_manifests_and_nothing_without_it(quick: Vireo) -> None:
    quick.manifests.pop("Domain/web1")
    assert quick.plan()["actions"] == []
    quick.apply()
    assert quick.domain().isActive()
    quick.apply("--prune")
    assert quick.connection.listAllDomains() == []
    quick.assert_in_sync()


def test_a_protected_domain_is_not_removed(quick: Vireo) -> None:
    quick.manifests["Domain/web1"]["metadata"]["protect"] = True
    quick.apply()
    quick.manifests.pop("Domain/web1")
    result = quick.apply("--prune", code=5)
    assert "protect" in result.out
    assert quick.domain().isActive()


def test_many_deletions_need_a_word_of_their_own(vireo: Vireo) -> None:
    for number in range(7):
        vireo.add(manifest("Domain", f"d{number}", {"state": "stopped", "memory": "32MiB", "vcpus": 1, "os": {"machine": "pc"}}))
    vireo.apply()
    for number in range(1, 7):
        vireo.manifests.pop(f"Domain/d{number}")
    assert "--allow-mass-delete" in vireo.apply("--prune", code=5).out
    assert len(vireo.connection.listAllDomains()) == 7
    vireo.apply("--prune", "--allow-mass-delete")
    assert len(vireo.connection.listAllDomains()) == 1


def test_what_nobody_owns_is_adopted_only_when_asked_and_stays_running(vireo: Vireo) -> None:
    xml = (
        "<domain type='qemu'><name>web1</name><memory>32768</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )
    domain = vireo.connection.defineXML(xml)
    domain.create()
    run = domain.ID()
    vireo.add(
        manifest(
            "Domain",
            "web1",
            {"state": "running", "memory": "64MiB", "vcpus": 1, "os": {"machine": "pc"}, "update": {"restart": "allowed"}},
        )
    )
    refused = vireo.apply("--allow", "data-loss", code=5)
    assert "--adopt" in refused.out
    vireo.apply("--adopt", "--allow", "data-loss")
    assert domain.ID() == run
    assert vireo.resource("Domain/web1")["status"] in {"pending-restart", "update"}


def test_an_unreachable_host_is_a_failure_and_touches_nothing(vireo: Vireo) -> None:
    vireo.add(POOL)
    vireo.uri = "qemu+unix:///system?socket=/nonexistent/libvirt-sock"
    result = vireo("apply", "--yes")
    assert result.code == 1
    assert "/nonexistent/libvirt-sock" in result.out + result.err
    assert vireo("plan", "-o", "json").json["resources"][0]["status"] == "unreachable"


def test_a_read_only_connection_plans_and_refuses_to_apply(quick: Vireo) -> None:
    quick.uri = quick.uri.replace("libvirt-sock", "libvirt-sock-ro")
    quick.assert_in_sync()
    quick.spec("Domain/web1")["memory"] = "48MiB"
    result = quick("apply", "--yes")
    assert result.code in {1, 5}
    assert "read-only" in result.out + result.err


def test_a_restart_on_request_happens_once(quick: Vireo) -> None:
    run = quick.domain().ID()
    quick.manifests["Domain/web1"]["metadata"]["annotations"] = {"restartedAt": "2026-01-01"}
    quick.apply()
    again = quick.domain().ID()
    assert again != run
    quick.assert_in_sync()
    quick.apply()
    assert quick.domain().ID() == again


def test_the_inventory_is_made_anew_from_the_marks(quick: Vireo) -> None:
    for secret in quick.connection.listAllSecrets():
        secret.undefine()
    assert quick("inventory rebuild").code == 0
    shown = quick("inventory show")
    assert "web1" in shown.out


def test_a_renamed_domain_takes_its_disk_over(quick: Vireo) -> None:
    entry = quick.manifests.pop("Domain/web1")
    entry["metadata"]["name"] = "web2"
    quick.add(entry)
    quick.apply("--prune")
    assert [domain.name() for domain in quick.connection.listAllDomains()] == ["web2"]
    quick.assert_in_sync()


def test_an_ignored_path_is_left_alone_in_every_column(quick: Vireo) -> None:
    quick.project = {"ignore": [{"path": "domain/devices/disk[vda]/driver/@cache", "reason": "tried out by hand"}]}
    quick.spec("Domain/web1")["update"] = {"restart": "allowed"}
    quick.apply("--allow", "restart")
    run = quick.domain().ID()
    text = quick.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    quick.connection.defineXML(text.replace("type='qcow2'/>", "type='qcow2' cache='none'/>"))
    assert "cache='none'" in quick.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    quick.assert_in_sync()
    quick.spec("Domain/web1")["memory"] = "48MiB"
    quick.apply(code=5)  # a restart would be allowed by the manifest, and not by the ceiling
    assert "cache='none'" in quick.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert quick.domain().ID() == run


def test_what_another_project_owns_is_blocked_even_with_adopt(quick: Vireo) -> None:
    quick.project_name = "other"
    result = quick.apply("--adopt", code=5)
    assert "belongs to the project quick" in result.out


def test_a_volume_in_a_pool_that_is_to_be_inactive_is_blocked(vireo: Vireo) -> None:
    vireo.add(POOL, VOLUME)
    vireo.spec("Pool/images")["state"] = "inactive"
    assert "needs Pool/images, which is declared inactive" in vireo.apply(code=5).out
