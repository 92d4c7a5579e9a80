"""Single claims about what a redefinition hands to libvirt; the general ones are properties."""

from __future__ import annotations

import pytest

from reconciler.kinds import KINDS
from reconciler.xmltree.document import parse
from reconciler.xmltree.merge import merge

RULES = KINDS["Domain"].rules
DISK = "<disk type='{type}' device='cdrom'><target dev='hda'/></disk>"
DRIVE = f"<domain type='qemu'><title>{{title}}</title><devices>{DISK}</devices></domain>"


@pytest.mark.parametrize("persistent", [None, DRIVE.format(title="old", type="block")])
def test_an_empty_drive_for_block_devices_stays_one(persistent: str | None) -> None:
    """libvirt takes it for a drive of files where it has no <source>, not even an empty one."""
    merged = parse(merge(DRIVE.format(title="new", type="block"), persistent, None, RULES))
    assert merged.find("devices/disk/source") is not None
    assert merged.findtext("title") == "new"


def test_an_empty_drive_for_files_is_given_as_it_is() -> None:
    text = DRIVE.format(title="new", type="file")
    assert parse(merge(text, None, None, RULES)).find("devices/disk/source") is None
