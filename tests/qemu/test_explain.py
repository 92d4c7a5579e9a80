"""`vireo explain` on a real guest: columns, cause, impact, who declares it where, and what is done about it."""

from __future__ import annotations

from typing import Any

import libvirt

from tests.qemu.conftest import Vireo

OVERLAY = "<domain><devices><filesystem type='mount'><source dir='/srv'/><target dir='t'/></filesystem></devices></domain>"


def explained(vireo: Vireo, name: str, *words: str) -> dict[str, Any]:
    result = vireo(f"explain {name}", *words, "-o", "json")
    assert result.code == 0, result.err
    return {row["path"]: row for row in result.json["paths"]}


def line(vireo: Vireo, row: dict[str, Any]) -> str:
    """The line of the manifest that a row points to."""
    file, number, _ = row["declared_at"].rsplit(":", 2)
    assert file == str(vireo.folder / "project.yaml")
    return (vireo.folder / "project.yaml").read_text().splitlines()[int(number) - 1].strip()


def test_a_pending_path_is_explained_with_its_line(quick: Vireo) -> None:
    quick.spec("Domain/web1")["memory"] = "48MiB"
    quick.apply()
    found = quick("explain Domain/web1", "-o", "json").json
    assert found["status"] == "pending-restart"
    current, row = found["paths"]
    assert (row["path"], row["desired"], row["live"]) == ("memory", str(48 << 20), str(32 << 20))
    assert (current["path"], current["cause"]) == ("currentMemory", "pending-restart")
    assert "above what the object has at most" in current["why_not_gentler"]
    assert (row["cause"], row["impact"]) == ("pending-restart", "restart")
    assert "no call" in row["why_not_gentler"]
    assert row["outcome"] == "nothing now: in effect from the next start"
    assert line(quick, row) == "memory: 48MiB"


def test_what_libvirt_refused_is_explained_with_its_words_and_what_a_ceiling_holds_with_the_option(quick: Vireo) -> None:
    spec = quick.spec("Domain/web1")
    spec["xml"] = OVERLAY
    quick.apply()
    row = explained(quick, "Domain/web1")["devices/filesystem[t]"]
    assert "only virtiofs filesystems can be hotplugged" in row["why_not_gentler"]
    assert line(quick, row).startswith("xml:")
    spec["update"] = {"restart": "allowed"}
    rows = explained(quick, "Domain/web1")
    assert "--allow restart permits it" in rows["devices/filesystem[t]"]["outcome"]
    assert line(quick, rows["options/update/restart"]) == "restart: allowed"
    assert "how Vireo treats" in rows["options/update/restart"]["how"]


def test_drift_and_a_change_of_the_manifest_are_told_apart(quick: Vireo) -> None:
    quick.spec("Domain/web1")["title"] = "mine"
    quick.apply()
    quick.domain().setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "theirs", None, None, 3)
    quick.spec("Domain/web1")["description"] = "new"
    rows = explained(quick, "Domain/web1")
    assert {path: (row["cause"], row["persistent"], row["live"]) for path, row in rows.items()} == {
        "title": ("drift", "theirs", "theirs"),
        "description": ("manifest", None, None),
    }
    assert rows["title"]["owner"] == "the manifest of project quick"
    verbs = "define (the manifest changed and it was changed outside of Vireo; impact none)"
    assert rows["title"]["outcome"].startswith(verbs)
    assert "title: mine" in line(quick, rows["title"])


def test_what_is_refused_for_good_says_so(quick: Vireo) -> None:
    quick.spec("Volume/web1.qcow2")["capacity"] = "4MiB"
    quick.spec("Domain/web1")["uuid"] = "11111111-2222-5333-8444-555555555559"
    assert "never made smaller" in explained(quick, "Volume/web1.qcow2")["capacity"]["outcome"]
    row = explained(quick, "Domain/web1")["uuid"]
    assert row["why_not_gentler"] == "there is no way at all"
    assert "blocked" in row["outcome"]


def test_a_network_and_a_pool_are_explained_likewise(quick: Vireo) -> None:
    quick.spec("Network/lan")["domain"] = "lan.example"
    quick.spec("Pool/images")["path"] = "/var/lib/libvirt/images/other"
    network, pool = explained(quick, "Network/lan")["domain"], explained(quick, "Pool/images")["target/path"]
    assert network["impact"] == pool["impact"] == "restart"
    assert "cuts connected guests off" in network["how"]
    assert line(quick, network) == "domain: lan.example"
    assert line(quick, pool) == "path: /var/lib/libvirt/images/other"


def test_state_and_autostart_are_paths_too(quick: Vireo) -> None:
    quick.spec("Domain/web1")["state"] = "stopped"
    row = explained(quick, "Domain/web1", "state")["state"]
    assert (row["desired"], row["persistent"], row["outcome"].split()[0]) == ("stopped", "running", "shutdown")
    assert line(quick, row) == "state: stopped"
    assert explained(quick, "Domain/web1", "autostart")["autostart"]["persistent"] == "no"


def test_a_path_that_does_not_differ_is_told_too(quick: Vireo) -> None:
    rows = explained(quick, "Domain/web1", "devices/disk[vda]/target")
    assert {path: row["persistent"] for path, row in rows.items()} == {
        "devices/disk[vda]/target": "",
        "devices/disk[vda]/target/@bus": "virtio",
        "devices/disk[vda]/target/@dev": "vda",
    }
    derived = explained(quick, "Domain/web1", "uuid")["uuid"]
    assert derived["owner"] == "the manifest of project quick"
    assert derived["declared_at"] == "a default of the template, or derived from the name"


def test_people_read_amounts_in_units_and_no_secrets(quick: Vireo) -> None:
    quick.spec("Domain/web1")["graphics"][0]["password"] = "hunter2"  # noqa: S105  a test's
    text = quick("explain Domain/web1", "memory").out + quick("explain Domain/web1").out
    assert "desired:         32MiB" in text
    assert "devices/graphics[vnc]/@passwd" in text
    assert "hunter2" not in text
    assert "(secret)" in text


def test_what_nobody_declares_is_said_to_be_nobodys(quick: Vireo) -> None:
    rows = explained(quick, "Domain/web1", "devices/memballoon")
    assert {row["owner"] for row in rows.values()} == {"nobody here: libvirt's own, or somebody else's"}


def test_a_resource_or_a_path_that_is_not_there_is_an_error(quick: Vireo) -> None:
    result = quick("explain Domain/nosuch")
    assert result.code == 3
    assert "Domain/web1" in result.err
    result = quick("explain Domain/web1", "devices/disk[vdz]")
    assert result.code == 3
    assert "devices/disk[vdz]" in result.err
