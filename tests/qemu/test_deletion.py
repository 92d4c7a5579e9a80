"""Deletion on a real host: what refuses it, and what never leads to it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import libvirt
import pytest

from reconciler.cli.app import run
from tests.lab.nodes import Lab
from tests.qemu.conftest import POOL, Vireo, manifest

IMAGES = "/var/lib/libvirt/images"
PATTERN = b"what nobody else may ever read; "
DISK = manifest("Volume", "v.img", {"pool": "images", "capacity": "64KiB", "format": "raw", "onDelete": "wipe"})


@pytest.fixture
def volume(vireo: Vireo, lab: Lab) -> Path:
    """A volume of the project, full of the pattern, that no domain uses."""
    vireo.add(POOL, DISK)
    vireo.apply()
    path = lab.images / "pool" / "v.img"
    path.write_bytes(PATTERN * (65536 // len(PATTERN)))
    return path


def is_whole(path: Path) -> bool:
    return path.read_bytes() == PATTERN * (65536 // len(PATTERN))


def a_domain(devices: str = "", os: str = "") -> str:
    return (
        "<domain type='qemu'><name>theirs</name><memory unit='MiB'>16</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type>{os}</os><devices>{devices}</devices></domain>"
    )


def a_disk(path: str, device: str = "disk", target: str = "vda") -> str:
    return f"<disk type='file' device='{device}'><source file='{path}'/><target dev='{target}'/></disk>"


def running(connection: libvirt.virConnect) -> None:
    connection.createXML(a_domain(a_disk(f"{IMAGES}/pool/v.img")))


def stopped(connection: libvirt.virConnect) -> None:
    connection.defineXML(a_domain(a_disk(f"{IMAGES}/pool/v.img")))


def by_name(connection: libvirt.virConnect) -> None:
    named = "<disk type='volume' device='disk'><source pool='images' volume='v.img'/><target dev='vda'/></disk>"
    connection.defineXML(a_domain(named))


def as_cdrom(connection: libvirt.virConnect) -> None:
    connection.defineXML(a_domain(a_disk(f"{IMAGES}/pool/v.img", "cdrom", "hdc")))


def as_kernel(connection: libvirt.virConnect) -> None:
    connection.defineXML(a_domain(os=f"<kernel>{IMAGES}/pool/v.img</kernel>"))


def in_a_folder(connection: libvirt.virConnect) -> None:
    connection.defineXML(a_domain(f"<filesystem type='mount'><source dir='{IMAGES}/pool'/><target dir='t'/></filesystem>"))


def as_backing_file(connection: libvirt.virConnect) -> None:
    connection.storagePoolLookupByName("images").createXML(
        "<volume><name>theirs</name><capacity>65536</capacity><target><format type='qcow2'/></target>"
        f"<backingStore><path>{IMAGES}/pool/v.img</path><format type='raw'/></backingStore></volume>"
    )


@pytest.mark.parametrize("use", [running, stopped, by_name, as_cdrom, as_kernel, in_a_folder, as_backing_file])
def test_a_volume_that_somebody_else_uses_is_neither_wiped_nor_deleted(
    vireo: Vireo, volume: Path, use: Callable[[libvirt.virConnect], None]
) -> None:
    use(vireo.connection)
    vireo.spec("Volume/v.img")["state"] = "absent"
    user = "Volume/images/theirs" if use is as_backing_file else "Domain/theirs"
    assert f"in use by {user}" in vireo.apply(code=5).out
    vireo.manifests.pop("Volume/v.img")
    assert f"in use by {user}" in vireo.apply("--prune", "--allow", "data-loss", "--allow-mass-delete", code=5).out
    assert is_whole(volume)


def test_a_protected_volume_is_neither_wiped_nor_deleted(vireo: Vireo, volume: Path) -> None:
    vireo.manifests["Volume/v.img"]["metadata"]["protect"] = True
    vireo.apply()
    vireo.spec("Volume/v.img")["state"] = "absent"
    assert "protect" in vireo.apply(code=5).out
    vireo.manifests.pop("Volume/v.img")
    assert "protect" in vireo.apply("--prune", code=5).out
    assert vireo("destroy", "--yes").code == 5
    assert is_whole(volume)


def test_a_file_in_the_pool_that_the_inventory_does_not_list_is_left_alone(vireo: Vireo, volume: Path) -> None:
    stranger = volume.with_name("stranger.img")
    stranger.write_bytes(volume.read_bytes())
    vireo.add(manifest("Volume", "stranger.img", {**DISK["spec"], "state": "absent"}))
    assert "nobody owns it" in vireo.apply(code=5).out
    vireo.manifests.pop("Volume/stranger.img")
    vireo.manifests.pop("Volume/v.img")
    vireo("destroy", "--yes")
    assert not volume.exists()
    assert is_whole(stranger)


def test_what_another_project_lists_as_well_is_neither_wiped_nor_deleted(vireo: Vireo, volume: Path) -> None:
    """Somebody removed the volume by hand, and another project made one of that name: both inventories list the path now."""
    volume.unlink()
    vireo.connection.storagePoolLookupByName("images").refresh()
    ours, vireo.project_name = vireo.project_name, "other"
    vireo.manifests.pop("Pool/images")
    vireo.apply()
    volume.write_bytes(PATTERN * (65536 // len(PATTERN)))
    vireo.project_name = ours
    vireo.add(POOL)
    vireo.spec("Volume/v.img")["state"] = "absent"
    assert "in use by the project other" in vireo.apply(code=5).out
    vireo.manifests.pop("Volume/v.img")
    assert "in use by the project other" in vireo.apply("--prune", code=5).out
    assert is_whole(volume)


def test_many_volumes_are_neither_wiped_nor_deleted_without_a_word_of_its_own(vireo: Vireo, volume: Path) -> None:
    vireo.project = {"prune": {"limit": 0}}
    vireo.manifests.pop("Volume/v.img")
    assert "--allow-mass-delete" in vireo.apply("--prune", code=5).out
    assert is_whole(volume)


def test_a_way_of_wiping_that_the_host_cannot_do_is_found_before_anything_is_done(vireo: Vireo, volume: Path) -> None:
    disk = {"target": "vda", "bus": "virtio", "volume": {"pool": "images", "name": "v.img"}}
    spec = {"memory": "32MiB", "os": {"machine": "pc"}, "disks": [disk], "onDelete": {"volumes": "wipe"}}
    vireo.add(manifest("Domain", "d", {**spec, "shutdown": {"timeout": "1s", "force": True}}))
    vireo.spec("Volume/v.img").pop("onDelete")
    vireo.spec("Volume/v.img")["wipe"] = {"algorithm": "trim"}
    vireo.apply()
    run_of = vireo.domain("d").ID()
    vireo.spec("Domain/d")["state"] = "undefined"
    result = vireo("apply", "--yes")
    assert result.code == 1
    assert "cannot wipe by the algorithm trim" in result.out + result.err
    assert vireo.domain("d").ID() == run_of
    assert [path.name for path in volume.parent.iterdir()] == ["v.img"]
    assert is_whole(volume)


# --- what never leads to a deletion -----------------------------------------------------------------------------


def still_there(vireo: Vireo, volume: Path) -> None:
    assert is_whole(volume)
    assert [pool.name() for pool in vireo.connection.listAllStoragePools()] == ["images"]


def command(vireo: Vireo, *argv: str) -> int:
    """The exit code of a command on the folder as it is."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return run([*argv, "-c", vireo.uri])


ALL_LEAVE = ("--yes", "--prune", "--allow", "data-loss", "--allow-mass-delete")


def test_an_empty_folder_is_an_error_and_deletes_nothing(vireo: Vireo, volume: Path) -> None:
    (vireo.folder / "project.yaml").unlink()
    assert command(vireo, "apply", str(vireo.folder), *ALL_LEAVE) == 3
    assert command(vireo, "destroy", str(vireo.folder), "--yes") == 3
    (vireo.folder / "project.yaml").write_text("# nothing\n")
    assert command(vireo, "apply", str(vireo.folder), *ALL_LEAVE) == 3
    still_there(vireo, volume)


@pytest.mark.parametrize("how", ["a link to nowhere", "a folder that is not one", "broken", "no text"])
def test_a_file_that_cannot_be_read_is_an_error_and_deletes_nothing(vireo: Vireo, volume: Path, how: str) -> None:
    vireo.manifests.clear()
    vireo("validate")
    file = vireo.folder / "volume.yaml"
    match how:
        case "a link to nowhere":
            file.symlink_to("/nonexistent/volume.yaml")
        case "a folder that is not one":
            file = vireo.folder / "gone"
        case "broken":
            file.write_text("kind: Volume\n  spec: {")
        case _:
            file.write_bytes(b"\xff\xfe\x00")
    assert command(vireo, "apply", str(vireo.folder), str(file), *ALL_LEAVE) == 3
    still_there(vireo, volume)


def test_an_inventory_that_cannot_be_read_is_an_error_and_deletes_nothing(vireo: Vireo, volume: Path) -> None:
    (secret,) = (s for s in vireo.connection.listAllSecrets() if "/inventory/" in s.usageID())
    text = secret.XMLDesc()
    start, end = text.index("<description>") + len("<description>"), text.index("</description>")
    vireo.connection.secretDefineXML(f"{text[:start]}damaged{text[end:]}")
    vireo.manifests.pop("Volume/v.img")
    result = vireo("apply", *ALL_LEAVE)
    assert result.code == 1
    assert "cannot be read" in result.out + result.err
    still_there(vireo, volume)


def test_a_host_that_does_not_answer_is_a_failure_and_deletes_nothing(vireo: Vireo, volume: Path, lab: Lab) -> None:
    vireo.manifests.clear()
    lab.kill_daemon()
    try:
        assert vireo("apply", *ALL_LEAVE).code == 1
        assert vireo("destroy", "--yes").code == 1
    finally:
        lab.ensure()
    vireo.connection = libvirt.open(vireo.uri)
    still_there(vireo, volume)


@pytest.mark.parametrize("selector", [("-l", "tier=none"), ("--target", "Volume/none"), ("--target", "Domain/v.img")])
def test_a_selector_that_matches_nothing_is_an_error_and_deletes_nothing(
    vireo: Vireo, volume: Path, selector: tuple[str, str]
) -> None:
    vireo.manifests.pop("Volume/v.img")
    assert vireo("apply", *ALL_LEAVE, *selector).code == 3
    assert vireo("destroy", "--yes", *selector).code == 3
    still_there(vireo, volume)


def test_a_selector_that_matches_something_else_deletes_nothing_else(vireo: Vireo, volume: Path) -> None:
    vireo.manifests.pop("Volume/v.img")
    vireo.apply("--prune", "--target", "Pool/images")
    still_there(vireo, volume)


def test_a_pool_that_is_not_active_is_not_taken_for_an_empty_one(vireo: Vireo, volume: Path) -> None:
    vireo.spec("Pool/images")["state"] = "inactive"
    vireo.manifests.pop("Volume/v.img")
    vireo.apply()
    vireo.apply("--prune")
    assert "v.img" in vireo("inventory show").out
    still_there(vireo, volume)


def test_a_project_whose_last_manifest_is_gone_can_be_pruned_as_far_as_the_limits_say(vireo: Vireo, volume: Path) -> None:
    vireo.manifests.clear()
    vireo.apply()
    still_there(vireo, volume)
    vireo.project = {"prune": {"limit": 1}}
    assert "--allow-mass-delete" in vireo.apply("--prune", code=5).out
    still_there(vireo, volume)
    vireo.apply("--prune", "--allow-mass-delete")
    assert not volume.exists()
    assert vireo.connection.listAllStoragePools() == []
    assert (vireo.plan()["resources"], vireo.plan()["actions"]) == ([], [])
