"""A domain whose disks' content is written and read from outside of the guest, and its snapshots by the drivers themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import libvirt
import libvirt_qemu  # type: ignore[import-untyped]

from reconciler.host.drivers import DRIVERS
from reconciler.host.observe import observe_one
from reconciler.model.plan import Verb
from reconciler.model.snapshot import Snapshot, SnapshotSpec, Way
from reconciler.model.state import Desired, Mark, Observed
from tests.driving import Hands, desired, domain_xml
from tests.lab.nodes import Lab

UUID = "11111111-2222-5333-8444-555555555557"
INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
SIZE = "4M"


def disk(path: Path, target: str = "vda") -> str:
    form = path.suffix.removeprefix(".")
    source = f"<driver name='qemu' type='{form}'/><source file='{path}'/>"
    return f"<disk type='file' device='disk'>{source}<target dev='{target}' bus='virtio'/></disk>"


def volume(pool: str, name: str, target: str = "vda") -> str:
    form = name.rpartition(".")[2]
    source = f"<driver name='qemu' type='{form}'/><source pool='{pool}' volume='{name}'/>"
    return f"<disk type='volume' device='disk'>{source}<target dev='{target}' bus='virtio'/></disk>"


@dataclass
class Album:
    """One guest without an operating system, and its snapshots. `want` is what its manifest would say."""

    hands: Hands
    lab: Lab
    want: Desired = field(default_factory=lambda: desired("Domain", "snap1", domain_xml("snap1", UUID), state="running"))
    uuid: str = UUID

    def image(self, name: str, folder: str = "") -> Path:
        """An empty disk of `SIZE`; its format is the end of its name."""
        path = self.lab.images / folder / name
        path.parent.mkdir(exist_ok=True)
        self.lab.run(1, ["qemu-img", "create", "-q", "-f", path.suffix.removeprefix("."), str(path), SIZE])
        return path

    def define(self, *disks: str, inner: str = "", **options: Any) -> None:
        xml = domain_xml("snap1", UUID, devices="".join(disks), inner=inner)
        self.want = desired("Domain", "snap1", xml, state="running", **options)
        self.hands.list_as(self.want, UUID, pending=False)
        if options.get("persistent", True):
            self.hands.do(Verb.DEFINE, self.want)
        else:
            self.hands.do(Verb.CREATE, self.want)
        self.hands.settle(self.want, UUID)

    def bring(self, state: str) -> None:
        """To running, paused or stopped, from defined."""
        if state != "stopped":
            self.hands.do(Verb.START_PAUSED if state == "paused" else Verb.START, self.want)

    @property
    def domain(self) -> libvirt.virDomain:
        return self.hands.conn.lookupByUUIDString(self.uuid)

    @property
    def state(self) -> str:
        return {libvirt.VIR_DOMAIN_RUNNING: "running", libvirt.VIR_DOMAIN_PAUSED: "paused"}.get(self.domain.state()[0], "stopped")

    def _do(self, verb: Verb, spec: SnapshotSpec, *, consented: bool = False) -> None:
        step = self.hands.step(verb, self.want, uuid=UUID)
        action = replace(step.action, snapshot=spec, consented=consented)
        DRIVERS["Domain"][verb](replace(step, action=action))

    def take(self, name: str, *, consented: bool = False, **wish: Any) -> Snapshot:
        self._do(Verb.SNAPSHOT, SnapshotSpec(name, **wish), consented=consented)
        return self.snapshots[name]

    def delete(self, name: str, *, by: Way = "hand") -> None:
        self._do(Verb.DELETE_SNAPSHOT, SnapshotSpec(name, way=by))

    def revert(self, name: str) -> None:
        self._do(Verb.REVERT, SnapshotSpec(name))

    @property
    def observed(self) -> Observed:
        found = observe_one(self.hands.session, self.hands.project, self.want.id, UUID)
        assert found is not None
        return found

    @property
    def snapshots(self) -> dict[str, Snapshot]:
        return {snapshot.name: snapshot for snapshot in self.observed.details["snapshots"]}

    @property
    def entry(self) -> Mark:
        """The inventory's."""
        return self.hands.inventory().marks[self.want.id]

    @property
    def tree(self) -> dict[str, str]:
        """Name -> parent."""
        return {name: snapshot.parent for name, snapshot in self.snapshots.items()}

    @property
    def current(self) -> str:
        return "".join(name for name, snapshot in self.snapshots.items() if snapshot.current)

    def disks(self, flags: int | None = None) -> dict[str, str]:
        """Target -> the disk's element in the definition that counts now."""
        text = self.domain.XMLDesc(flags if flags is not None else 0)
        found = re.findall(r"<disk .*?</disk>", text, re.DOTALL)
        return {re.findall(r"<target dev='(.*?)'", each)[0]: each for each in found}

    def top(self, target: str = "vda") -> Path:
        """The file that the disk is in now."""
        element = self.disks()[target]
        found = re.findall(r"<source (?:file='(.*?)'|pool='(.*?)' volume='(.*?)')", element)[0]
        if found[0]:
            return Path(found[0])
        pool = self.hands.conn.storagePoolLookupByName(found[1])
        pool.refresh()
        return Path(pool.storageVolLookupByName(found[2]).path())

    def write(self, pattern: int, target: str = "vda") -> None:
        """Fills the disk's first 64 KiB with a byte: through the guest's own device if it is there, else in the file."""
        command = f"write -P {pattern:#x} 0 64k"
        paused = self.state == "paused"
        if paused:  # else QEMU may have its disks closed, and ends with a failed assertion
            self.domain.resume()
        if self.domain.isActive():
            alias = re.findall(r"<alias name='(.*?)'", self.disks()[target])[0]
            for each in (command, "flush"):
                answer = libvirt_qemu.qemuMonitorCommand(
                    self.domain, f'qemu-io -d /machine/peripheral/{alias}/virtio-backend "{each}"', 1
                )
                assert not answer.strip(), answer
            if paused:
                self.domain.suspend()
        else:
            form = re.findall(r"<driver [^>]*type='(.*?)'", self.disks()[target])[0]
            self.lab.run(1, ["qemu-io", "-f", form, "-c", command, str(self.top(target))])

    def write_all(self, pattern: int, targets: Iterable[str]) -> None:
        for target in targets:
            self.write(pattern, target)

    def read(self, target: str = "vda", at: str = "0") -> int:
        """The byte at a place of the disk, read by another program from the file and what is below it."""
        form = re.findall(r"<driver [^>]*type='(.*?)'", self.disks()[target])[0]
        done = self.lab.run(1, ["qemu-io", "-U", "-r", "-f", form, "-c", f"read -v {at} 512", str(self.top(target))])
        return int(done.stdout.split()[1], 16)

    def files(self, folder: str = "") -> set[str]:
        return {path.name for path in (self.lab.images / folder).iterdir() if path.is_file()}
