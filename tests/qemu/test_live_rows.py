"""Each row of the table of changes on a running guest, through the command line.

The guest's QEMU process stays; live and persistent definitions have what the manifest says, and the next plan is empty. What
cannot be done live is prepared for the next start, shown with its reason, and gone when the manifest is as it was.
"""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import libvirt
import pytest

from tests.lab import guest_image, nodes
from tests.lab.waiting import wait_until
from tests.qemu.conftest import DOMAIN, Vireo
from tests.qemu.live_rows import IMAGES, STORIES, Change, Story, nic, rows_of

SECURE, INACTIVE = libvirt.VIR_DOMAIN_XML_SECURE, libvirt.VIR_DOMAIN_XML_INACTIVE
POOL = f"<pool type='dir'><name>media</name><target><path>{IMAGES}/media</path></target></pool>"
NETWORK = "<network><name>{0}</name><bridge name='vlb-{0}'/></network>"


class Guest:
    """A running guest of a project, which a story is told of."""

    def __init__(self, vireo: Vireo, lab: nodes.Lab, image: Path, story: Story) -> None:
        self.vireo, self.lab = vireo, lab
        for name in ("a.img", "b.img", "c.img", "d.img"):
            (lab.images / name).write_bytes(bytes(1 << 20))
        boot = Path(shutil.copy(image, lab.images / "boot.img"))
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(lab.images / "q.img"), "1M"], check=True)
        (lab.images / "media").mkdir()
        (lab.images / "media" / "m.img").write_bytes(bytes(1 << 20))
        vireo.connection.storagePoolCreateXML(POOL)
        for name in ("one", "two"):
            vireo.connection.networkCreateXML(NETWORK.format(name))
        domain = copy.deepcopy(DOMAIN)
        del domain["spec"]["interfaces"], domain["spec"]["graphics"]
        domain["spec"]["disks"] = [{"target": "vda", "bus": "virtio", "file": f"{IMAGES}/boot.img", "format": "raw"}]
        vireo.add(domain)
        self.first = {**domain["spec"], **story.first.spec}
        self.declare(story.first)
        vireo.apply()
        wait_until(lambda: guest_image.count(boot))
        self.process = self.pid()

    def declare(self, change: Change) -> None:
        xml = f"<domain>{change.xml}<devices>{change.devices}</devices></domain>"
        self.vireo.manifests["Domain/web1"]["spec"] = copy.deepcopy({**self.first, **change.spec, "xml": xml})

    def pid(self) -> str:
        return (self.lab.directory / "node1" / "run" / "libvirt" / "qemu" / "web1.pid").read_text()

    def planned(self) -> Any:
        return self.vireo.resource("Domain/web1")

    def definition(self, flags: int) -> ElementTree.Element:
        return ElementTree.fromstring(self.vireo.domain().XMLDesc(flags | SECURE))

    def assert_done(self, change: Change) -> None:
        assert self.pid() == self.process, change.claim
        self.vireo.assert_in_sync()
        for flags in (0, INACTIVE):
            _assert_shows(self.definition(flags), change)

    def try_in_vain(self, change: Change) -> bool:
        """Applies what cannot be done, or may not be on this host; whether the change is one of these."""
        if change.depends:
            result = self.vireo("apply", "--yes")
            assert self.pid() == self.process, change.claim
            if result.code:
                assert re.search(change.why, result.err), (change.claim, result.err)
            elif self.planned()["status"] != "in-sync":
                self.assert_waits(change)
        elif change.why:
            self.vireo.apply()
            self.assert_waits(change)
        elif change.blocked:
            was = [self.vireo.domain().XMLDesc(flags) for flags in (0, INACTIVE)]
            assert re.search(change.blocked, self.vireo.apply(code=5).out), change.claim
            assert [self.vireo.domain().XMLDesc(flags) for flags in (0, INACTIVE)] == was, change.claim
        return bool(change.why or change.blocked)

    def assert_waits(self, change: Change) -> None:
        assert self.pid() == self.process, change.claim
        _assert_shows(self.definition(INACTIVE), change)
        plan = self.vireo.plan()
        assert plan["actions"] == [], change.claim
        (domain,) = (r for r in plan["resources"] if r["kind"] == "Domain")
        assert domain["status"] == "pending-restart", (change.claim, domain)
        assert {d["impact"] for d in domain["differences"]} == {"restart"}, (change.claim, domain)
        assert re.search(change.why, domain["note"]), (change.claim, domain["note"])
        assert all(d["path"] in domain["note"] for d in domain["differences"]), change.claim


def _assert_shows(definition: ElementTree.Element, change: Change) -> None:
    for text in change.shows:
        found = definition.find("./" + text.removeprefix("!")) if not text.startswith(("[", "![")) else _itself(definition, text)
        assert (found is None) is text.startswith("!"), (change.claim, text)


def _itself(definition: ElementTree.Element, text: str) -> ElementTree.Element | None:
    """The definition, where one of its children has the text that ``[name='text']`` says."""
    around = ElementTree.Element("around")
    around.append(definition)
    return around.find("./domain" + text.removeprefix("!"))


@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if not story.cgroups])
def test_each_change_goes_the_way_that_the_table_says(vireo: Vireo, lab: nodes.Lab, helpful: Path, name: str) -> None:
    tell(Guest(vireo, lab, helpful, STORIES[name]), STORIES[name])


@pytest.fixture
def lab_with_cgroups() -> Iterator[nodes.Lab]:
    if reason := nodes.missing_cgroups():
        pytest.skip(reason)
    the_lab = nodes.Lab(subnet="10.96.0", cgroups=True)
    the_lab.start()
    yield the_lab
    the_lab.down()


@pytest.mark.qemu
@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if story.cgroups])
def test_each_share_of_the_host_goes_the_way_that_the_table_says(
    lab_with_cgroups: nodes.Lab, tmp_path: Path, helpful: Path, name: str
) -> None:
    whole = next(entry for entry in Path("/sys/block").iterdir() if int((entry / "size").read_text()) > 0)
    numbers = (whole / "dev").read_text().strip().split(":")
    lab_with_cgroups.run(1, ["mknod", "/dev/some", "b", *numbers])
    vireo = Vireo(tmp_path, lab_with_cgroups.uri())
    tell(Guest(vireo, lab_with_cgroups, helpful, STORIES[name]), STORIES[name])
    vireo.connection.close()


def tell(guest: Guest, story: Story) -> None:
    before = story.first
    for change in story.changes:
        guest.declare(change)
        assert rows_of(guest.planned()) == set(change.rows), change.claim
        if guest.try_in_vain(change):
            guest.declare(before)
            guest.vireo.apply()
            guest.assert_done(before)
        else:
            guest.vireo.apply()
            guest.assert_done(change)
            before = change


def test_a_bandwidth_is_limited_live_where_the_kernel_has_the_queues_for_it(vireo: Vireo, lab: nodes.Lab, helpful: Path) -> None:
    """A `tc` that takes everything stands for the queues that a small kernel lacks; what libvirt does is the same."""
    stand_in, asked = lab.images / "tc", lab.images / "asked"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >>{IMAGES}/asked\n')
    stand_in.chmod(0o755)
    program = shutil.which("tc")
    lab.run(1, ["mount", "--bind", f"{IMAGES}/tc", str(program)])
    try:
        rate = "<bandwidth><inbound average='{0}'/><outbound average='{0}'/></bandwidth>"
        rows, found = ("devices/interface/bandwidth/**",), "devices/interface/bandwidth/inbound[@average='{}']"
        changes = [Change(f"{n}", rows, devices=nic(inner=rate.format(n)), shows=(found.format(n),)) for n in (1000, 2000)]
        gone = Change("none", rows, devices=nic(), shows=("!devices/interface/bandwidth",))
        story = Story(Change("it starts", (), devices=nic()), (*changes, gone))
        tell(Guest(vireo, lab, helpful, story), story)
        assert all(f"rate {n}kbps" in asked.read_text() for n in (1000, 2000))
    finally:
        lab.run(1, ["umount", str(program)])
