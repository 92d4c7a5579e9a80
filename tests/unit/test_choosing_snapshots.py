"""Which form a snapshot takes, by the wish and the guest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import HostError
from reconciler.host.drivers.snapshots.choosing import Guest, choose, layout, root_of
from reconciler.model.snapshot import Snapshot, SnapshotSpec
from reconciler.xmltree.document import parse

QCOW2 = "<disk type='file'><driver type='qcow2'/><source file='/p/a.qcow2'/><target dev='vda'/></disk>"
RAW = "<disk type='file'><driver type='raw'/><source file='/p/b.raw'/><target dev='vdb'/></disk>"
LVM = "<disk type='block'><driver type='raw'/><source dev='/dev/vg/c'/><target dev='vdc'/></disk>"
CDROM = "<disk type='file' device='cdrom'><source file='/p/i.iso'/><target dev='hdc'/><readonly/></disk>"
SKIPPED = "<disk type='file' snapshot='no'><driver type='raw'/><source file='/p/d.raw'/><target dev='vdd'/></disk>"


def guest(*disks: str, active: bool = True, os: str = "<os/>") -> Guest:
    return Guest("Domain/web1", parse(f"<domain>{os}<devices>{''.join(disks)}</devices></domain>"), active)


def wish(**given: Any) -> SnapshotSpec:
    return SnapshotSpec.of({"name": "one", **given})


@pytest.mark.parametrize(
    "given, disks, active, internal, memory",
    [
        ({}, [QCOW2, CDROM], True, True, True),
        ({}, [QCOW2], False, True, False),
        ({}, [QCOW2, RAW], True, False, True),
        ({}, [QCOW2, SKIPPED], True, True, True),
        ({"memory": False}, [QCOW2], True, False, False),
        ({"memory": False}, [QCOW2], False, True, False),
        ({"quiesce": True}, [QCOW2], True, False, False),
        ({"quiesce": True}, [QCOW2], False, True, False),
        ({"mode": "external"}, [QCOW2], True, False, True),
        ({"disks": ["vda"]}, [QCOW2, RAW], True, False, True),
    ],
)
def test_the_form_follows_from_disks_state_and_wish(
    given: dict[str, Any], disks: list[str], active: bool, internal: bool, memory: bool
) -> None:
    choice = choose(guest(*disks, active=active), wish(**given))
    assert (choice.internal, choice.memory, choice.alone) == (internal, memory, active and not memory)


def test_a_disk_that_goes_on_in_an_overlay_has_the_next_one_outside_too() -> None:
    """An internal one in the overlay would not let the external one be deleted before it: a schedule deletes the oldest first."""
    outside = Snapshot("zero", 1, "running", overlays={"vda": "/p/a.qcow2"})
    assert not choose(replace(guest(QCOW2), taken=(outside,)), wish()).internal
    assert choose(replace(guest(QCOW2), taken=(outside,)), wish(mode="internal")).internal
    assert choose(replace(guest(QCOW2), taken=(replace(outside, overlays={"vda": "/p/other"}),)), wish()).internal


@pytest.mark.parametrize("os", ["<os firmware='efi'/>", "<os><loader type='pflash'>/f</loader></os>"])
def test_a_running_guest_with_a_flash_device_is_taken_outside_and_a_stopped_one_inside(os: str) -> None:
    assert not choose(guest(QCOW2, os=os), wish()).internal
    assert choose(guest(QCOW2, os=os, active=False), wish()).internal


@pytest.mark.parametrize(
    "given, disks, words",
    [
        ({"mode": "internal"}, [RAW], "the disk vdb is raw"),
        ({"mode": "external"}, [LVM], "the disk vdc is no file"),
        ({}, [CDROM], "no disk can be written to"),
        ({"mode": "external", "name": ".hidden"}, [QCOW2], "cannot be the end of a file's name"),
        ({"memory": True, "quiesce": True}, [QCOW2], "cannot hold memory and be quiesced"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_ask_for(given: dict[str, Any], disks: list[str], words: str) -> None:
    with pytest.raises(HostError, match=words) as refused:
        choose(guest(*disks), wish(**given))
    assert refused.value.hint


def test_files_are_named_after_the_first_file_of_a_disk() -> None:
    spec = wish(name="two", mode="external")
    taken = [Snapshot("one", 1, "running", overlays={"vda": "/p/a.qcow2.one"})]
    choice = choose(guest(QCOW2, RAW), spec)
    plan = layout(choice, spec, {"vda": "/p/a.qcow2.one.r3", "vdb": "/p/b.raw"}, taken)
    assert plan.overlays == {"vda": "/p/a.qcow2.two", "vdb": "/p/b.raw.two"}
    assert plan.memory_file == "/p/a.qcow2.two.memory"


def test_the_ending_of_an_internal_snapshot_is_a_name_as_any_other() -> None:
    assert root_of("/p/disk.one", [Snapshot("one", 1, "running", internal=("vda",))]) == "/p/disk.one"
    assert root_of("/p/.one", [Snapshot("one", 1, "running", overlays={"vda": "/p/.one"})]) == "/p/.one"
