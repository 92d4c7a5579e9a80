"""`vireo explain` on a real guest: columns, cause, impact, who declares it where, and what is done about it."""

from __future__ import annotations

from tests.qemu.conftest import Vireo


def test_a_pending_path_is_explained_with_its_line(quick: Vireo) -> None:
    quick.spec("Domain/web1")["memory"] = "48MiB"
    quick.apply()
    found = quick("explain Domain/web1", "-o", "json").json
    assert found["status"] == "pending-restart"
    (row,) = found["paths"]
    assert (row["path"], row["desired"], row["live"]) == ("memory", str(48 << 20), str(32 << 20))
    assert (row["cause"], row["impact"]) == ("pending-restart", "restart")
    lines = (quick.folder / "project.yaml").read_text().splitlines()
    assert row["declared_at"].startswith(str(quick.folder / "project.yaml"))
    assert "memory: 48MiB" in lines[int(row["declared_at"].split(":")[-2]) - 1]


def test_a_path_that_does_not_differ_is_told_too(quick: Vireo) -> None:
    found = quick("explain Domain/web1", "devices/disk[vda]/target", "-o", "json").json
    assert {row["path"]: row["persistent"] for row in found["paths"]} == {
        "devices/disk[vda]/target": "",
        "devices/disk[vda]/target/@bus": "virtio",
        "devices/disk[vda]/target/@dev": "vda",
    }


def test_what_nobody_declares_is_said_to_be_nobodys(quick: Vireo) -> None:
    found = quick("explain Domain/web1", "devices/memballoon", "-o", "json").json
    assert {row["owner"] for row in found["paths"]} == {"nobody here: libvirt's own, or somebody else's"}


def test_a_resource_that_is_not_there_is_an_error(quick: Vireo) -> None:
    result = quick("explain Domain/nosuch")
    assert result.code == 3
    assert "Domain/web1" in result.err
