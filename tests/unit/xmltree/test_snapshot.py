"""<domainsnapshot> written, read and rewritten."""

from __future__ import annotations

import pytest

from reconciler.model.snapshot import Snapshot, SnapshotSpec
from reconciler.xmltree.document import parse, serialize
from reconciler.xmltree.snapshot import Layout, definition, placed, read, write

TAKEN = """
<domainsnapshot>
  <name>two</name><description>d</description><state>running</state>
  <parent><name>one</name></parent><creationTime>1795467400</creationTime>
  <memory snapshot='external' file='/p/a.two.memory'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/p/a.two'/></disk>
    <disk name='vdb' snapshot='no'/>
  </disks>
  <domain type='qemu'><name>web1</name><title>live</title></domain>
  <inactiveDomain type='qemu'><name>web1</name><title>next</title></inactiveDomain>
</domainsnapshot>
"""


def test_what_libvirt_says_is_read_whole() -> None:
    assert read(TAKEN, current=True) == Snapshot(
        name="two",
        created=1795467400,
        state="running",
        parent="one",
        description="d",
        current=True,
        overlays={"vda": "/p/a.two"},
        has_memory=True,
        memory_file="/p/a.two.memory",
    )


@pytest.mark.parametrize("kept, has", [("<memory snapshot='internal'/>", True), ("<memory snapshot='no'/>", False), ("", False)])
def test_an_internal_snapshot_names_the_disks_that_hold_it(kept: str, has: bool) -> None:
    text = f"<domainsnapshot><name>one</name>{kept}<disks><disk name='vda' snapshot='internal'/></disks></domainsnapshot>"
    assert read(text) == Snapshot(name="one", created=0, state="", internal=("vda",), has_memory=has)


def test_a_wish_names_each_disk_and_file_and_is_escaped() -> None:
    layout = Layout(overlays={"vda": "/p/a&b.one"}, left_out=("vdb",), memory_file="/p/a&b.one.memory")
    root = parse(write(SnapshotSpec("one", "<why>"), layout))
    assert (root.findtext("name"), root.findtext("description")) == ("one", "<why>")
    assert read(serialize(root)).overlays == {"vda": "/p/a&b.one"}
    assert read(serialize(root)).memory_file == "/p/a&b.one.memory"
    assert [disk.get("snapshot") for disk in root.iterfind("disks/disk")] == ["external", "no"]
    assert layout.files == ("/p/a&b.one", "/p/a&b.one.memory")


def test_an_internal_wish_leaves_memory_to_libvirt() -> None:
    root = parse(write(SnapshotSpec("one"), Layout(internal=("vda",))))
    assert root.find("memory") is None
    assert [disk.get("snapshot") for disk in root.iterfind("disks/disk")] == ["internal"]


def test_the_definition_is_the_running_one_or_the_one_for_the_next_start() -> None:
    titles = []
    for inactive in (False, True):
        root = definition(TAKEN, inactive=inactive)
        assert root is not None
        assert root.tag == "domain"
        titles.append(root.findtext("title"))
    assert titles == ["live", "next"]
    assert definition("<domainsnapshot><name>one</name></domainsnapshot>") is None


def test_a_snapshot_is_put_elsewhere_with_all_else_as_it_was() -> None:
    root = placed(TAKEN, "")
    assert read(root).parent == ""
    assert read(placed(root, "zero")).parent == "zero"
    moved = read(placed(TAKEN, "one", {"vda": "/p/a.two.r1"}))
    assert moved.overlays == {"vda": "/p/a.two.r1"}
    assert (moved.parent, moved.memory_file) == ("one", "/p/a.two.memory")
