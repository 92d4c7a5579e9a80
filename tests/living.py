"""A running guest on a real host, given another definition as an apply does it: define, then update by the table of ways."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import libvirt

from reconciler.kinds.domain import DOMAIN
from reconciler.kinds.domain_ways import WAYS
from reconciler.model.difference import Difference
from reconciler.model.plan import Verb
from reconciler.model.state import Desired
from reconciler.planning.compare import Sides, compare, way_for
from tests.driving import Hands, desired, domain_xml
from tests.lab.guest_image import count
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until

UUID = "11111111-2222-5333-8444-555555555556"
KIND = replace(DOMAIN, ways=WAYS)
INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
SMALL = "<memory unit='MiB'>32</memory><vcpu>1</vcpu>"


def wanted(devices: str = "", inner: str = "", size: str = SMALL, *, machine: str = "", **options: object) -> Desired:
    """A guest of libvirt's own choice of machine, or of another."""
    xml = domain_xml("live1", UUID, inner=inner, devices=devices).replace(SMALL, size)
    xml = xml.replace(" machine='pc'", f" machine='{machine}'" if machine else "")
    return desired("Domain", "live1", xml, state="running", **options)


@dataclass
class Living:
    """One guest. `refused` has what the last change told; `paths` which paths it gave to the update."""

    hands: Hands
    lab: Lab
    now: Desired = field(default_factory=wanted)
    paths: tuple[str, ...] = ()

    def start(self, want: Desired, *, booted: Path | None = None) -> None:
        """Defines and starts the guest; with its raw disk as `booted` waits until its firmware is through."""
        self.now = want
        if want.options.get("persistent", True):
            self.hands.do(Verb.DEFINE, want)
            self.hands.do(Verb.START, want)
        else:
            self.hands.do(Verb.CREATE, want)
        if booted is not None:
            wait_until(lambda: count(booted))

    @property
    def domain(self) -> libvirt.virDomain:
        return self.hands.conn.lookupByUUIDString(UUID)

    @property
    def pid(self) -> str:
        """The number of the guest's QEMU process."""
        return (self.lab.directory / "node1" / "run" / "libvirt" / "qemu" / "live1.pid").read_text()

    def differences(self, want: Desired, intent: Desired) -> tuple[Difference, ...]:
        persistent = self.domain.XMLDesc(INACTIVE) if self.domain.isPersistent() else None
        return compare(KIND, Sides(want.xml, intent.xml, persistent, self.domain.XMLDesc(0)), None)

    def change(self, want: Desired) -> dict[str, str]:
        """What an apply of `want` does to the running guest; what was refused, and that the process is still the same."""
        pid, self.hands.refused = self.pid, {}
        found = self.differences(want, self.now)
        assert found, "nothing differs: the test shows nothing"
        self.paths = tuple(d.path for d in found if way_for(KIND, d.path).verb is Verb.UPDATE)
        if self.domain.isPersistent():
            self.hands.do(Verb.DEFINE, want, uuid=UUID, intent=self.now.xml)
        before, self.now = self.now, want
        try:
            self.hands.do(Verb.UPDATE, want, uuid=UUID, intent=before.xml, paths=self.paths)
        finally:
            assert self.pid == pid
        return self.hands.refused

    def again(self) -> None:
        """The next apply's update of what still differs, nothing having changed in the manifest."""
        self.hands.refused = {}
        paths = tuple(d.path for d in self.differences(self.now, self.now))
        self.hands.do(Verb.UPDATE, self.now, uuid=UUID, intent=self.now.xml, paths=paths)

    def left(self) -> tuple[str, ...]:
        """The paths that still differ in the persistent or in the live definition."""
        return tuple(d.path for d in self.differences(self.now, self.now))

    def addresses(self, flags: int) -> set[str]:
        """Where each device is plugged in, in one of the definitions."""
        text = self.domain.XMLDesc(flags)
        return {line.strip() for line in text.splitlines() if "<address type='pci'" in line}
