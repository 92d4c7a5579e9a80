"""One guest on two real hosts, and its way between them: driven as an apply does, by preflight, choosing and moving."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import libvirt

from reconciler.host.drivers.migration import choosing, moving, preflight, standing
from reconciler.host.drivers.migration.move import Move
from reconciler.host.session import Session
from reconciler.model.migration import Check, MigrationSpec, Moved, Preflight, Progress, Route
from reconciler.model.resource import HostSpec
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until

NAME = "mover"
UUID = "11111111-2222-5333-8444-555555555577"
LOG = "/var/log/libvirt/qemu/mover-serial.log"
COUNTER = 0x600  # physical address of what tests/lab/guest/count.S counts
DISK = "mover.img"
SHARED, LOCAL = "/var/lib/libvirt/images", "/var/lib/libvirt/local"  # folders as the nodes see them
LINE = 9  # bytes of one number on its serial port


def definition(disk: Path | str, *, devices: str = "", inner: str = "", driver: str = "name='qemu' type='raw'") -> str:
    """A small guest that boots the disk and writes what it counts to a log of the node it is on."""
    owner = "<seclabel model='dac' relabel='no'/>" if str(disk).startswith(SHARED) else ""
    return (
        f"<domain type='qemu'><name>{NAME}</name><uuid>{UUID}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>{inner}<devices>"
        f"<disk type='file' device='disk'><driver {driver}/><source file='{disk}'>{owner}</source>"
        f"<target dev='vda' bus='virtio'/></disk>"
        f"<serial type='file'><source path='{LOG}' append='on'/></serial>{devices}</devices></domain>"
    )


@dataclass
class Road:
    """`spec` is what every migration has unless told otherwise: libvirt does not take the lab's shared folder for shared."""

    lab: Lab
    sessions: dict[int, Session]
    spec: dict[str, Any] = field(default_factory=lambda: {"unsafe": True})
    reports: list[Progress] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    patience: float = 20.0

    @classmethod
    @contextlib.contextmanager
    def between(cls, lab: Lab) -> Iterator[Self]:
        """Two emptied nodes, emptied again afterwards."""
        for node in (1, 2):
            lab.clean(node)
        with contextlib.ExitStack() as stack:
            sessions = {n: stack.enter_context(Session.open(HostSpec(f"node{n}", lab.uri(n)))) for n in (1, 2)}
            yield cls(lab, sessions)
        for node in (1, 2):
            lab.run(node, ["ip", "link", "set", "eth0", "up"])
            lab.clean(node)
            shutil.rmtree(lab.directory / f"node{node}" / "lib" / Path(LOCAL).name, ignore_errors=True)

    # --- the guest

    def start(
        self, image: Path, node: int = 1, *, local: bool = False, transient: bool = False, booted: bool = True, **xml: Any
    ) -> libvirt.virDomain:
        """Boots the guest from a copy of the image that both nodes see; `local`: that this node has for itself."""
        folder = self.local(node) if local else self.lab.images
        shutil.copy(image, folder / DISK)
        (folder / DISK).chmod(0o666)  # the nodes take this folder for their own, and must not give the disk back to root
        conn, text = self.conn(node), definition(f"{LOCAL if local else SHARED}/{DISK}", **xml)
        domain = conn.createXML(text) if transient else conn.defineXML(text)
        if not transient:
            domain.create()
        if booted:
            wait_until(lambda: self.counter(node))
        return domain

    def local(self, node: int) -> Path:
        """A folder that each node has for itself, as it is seen from outside."""
        folder = self.lab.directory / f"node{node}" / "lib" / Path(LOCAL).name
        folder.mkdir(exist_ok=True)
        return folder

    def pool(self, node: int, name: str = "local", path: str = LOCAL) -> libvirt.virStoragePool:
        """An active pool over a folder of the node."""
        self.local(node)
        pool = self.conn(node).storagePoolDefineXML(
            f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"
        )
        pool.create()
        return pool

    def conn(self, node: int) -> libvirt.virConnect:
        return self.sessions[node].conn

    def domain(self, node: int) -> libvirt.virDomain:
        return self.conn(node).lookupByUUIDString(UUID)

    def has(self, node: int) -> bool:
        return any(domain.UUIDString() == UUID for domain in self.conn(node).listAllDomains())

    @property
    def at(self) -> int:
        """The one node on which the guest is active."""
        (node,) = (n for n in self.sessions if any(d.UUIDString() == UUID for d in self.conn(n).listAllDomains(1)))
        return node

    def counter(self, node: int) -> int:
        """What the guest has counted up to in its memory: it starts at zero with each boot."""
        memory = self.domain(node).memoryPeek(COUNTER, 4, libvirt.VIR_MEMORY_PHYSICAL)
        return int.from_bytes(memory, "little")

    def assert_counting(self, node: int, above: int) -> None:
        """It goes on from where it was."""
        now = self.counter(node)
        assert now >= above
        wait_until(lambda: self.counter(node) > now)

    # --- what it wrote

    def log(self, node: int) -> bytes:
        path = self.lab.directory / f"node{node}" / "log" / "qemu" / Path(LOG).name
        return path.read_bytes() if path.exists() else b""

    @contextlib.contextmanager
    def without_a_gap(self) -> Iterator[None]:
        """What the guest writes on both nodes during one migration is one sequence of numbers, none of them lost or repeated."""
        here = self.at
        there = 3 - here
        begun = {node: len(self.log(node)) for node in self.sessions}
        before = self.counter(here)
        yield
        assert self.at == there
        self.assert_counting(there, before)
        text = self.log(here)[begun[here] :] + self.log(there)[begun[there] :]
        numbers = [int(line, 16) for line in text.split(b"\n")[1:-1]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[0] <= before + LINE
        assert numbers[-1] >= before

    # --- its way

    def way(self) -> tuple[Session, Session]:
        """From where it is to the other one; a stopped guest goes from where it is defined."""
        here = next(node for node in (1, 2) if self.has(node))
        with contextlib.suppress(ValueError):
            here = self.at
        return self.sessions[here], self.sessions[3 - here]

    def examine(self, **spec: Any) -> Preflight:
        return preflight.examine(*self.way(), UUID, self.wish(spec))

    def check(self, name: str, **spec: Any) -> Check:
        """The first line of that name in the table."""
        found = self.examine(**spec)
        return next(check for check in found.checks if check.name == name)

    def route(self, **spec: Any) -> Route:
        return choosing.choose(self.wish(spec), self.examine(**spec))

    def wish(self, spec: dict[str, Any]) -> MigrationSpec:
        return MigrationSpec.of({"migration": self.spec | spec})

    def move(self, **spec: Any) -> Move:
        return self.by(self.route(**spec), *self.way(), **spec)

    def by(self, route: Route, source: Session, destination: Session, **spec: Any) -> Move:
        """The same by a route of one's own."""
        self.stopping.clear()
        return Move(
            source=source,
            destination=destination,
            uuid=UUID,
            spec=self.wish(spec),
            route=route,
            report=self.reports.append,
            clock=time.monotonic,
            sleep=time.sleep,
            stopping=self.stopping.is_set,
            patience=self.patience,
        )

    def migrate(self, **spec: Any) -> Moved:
        """To the other node."""
        return moving.migrate(self.move(**spec))

    @contextlib.contextmanager
    def migrating(self, until: Callable[[], object] | None = None, **spec: Any) -> Iterator[Future[Moved]]:
        """A migration that is well under way (some of its memory has been copied) while the body runs."""
        self.reports.clear()
        move = self.move(**spec)
        with ThreadPoolExecutor(max_workers=1) as pool:
            future = pool.submit(moving.migrate, move)
            try:
                wait_until(lambda: future.done() or (until() if until else self.transferred))
                assert not future.done(), future.exception() or "it was through too early: the test shows nothing"
                yield future
            finally:
                self.stopping.set()

    @property
    def transferred(self) -> int:
        return self.reports[-1].transferred if self.reports else 0

    def standing(self, source: int = 1) -> standing.Standing:
        return standing.look(self.sessions[source], self.sessions[3 - source], UUID)[0]
