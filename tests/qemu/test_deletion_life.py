"""The life of a sensitive machine, to its end: what its guest wrote is nowhere afterwards, whoever is killed on the way.

Every file that holds the pattern gets a second name (a hard link) that nobody else knows: what is deleted without being wiped
first can still be read there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import libvirt
import pytest

from reconciler.engine import pipeline
from reconciler.engine.executor import execute
from reconciler.engine.outcome import Outcome
from reconciler.errors import ConnectionLostError
from reconciler.host.drivers.places import Places
from reconciler.host.session import Session
from reconciler.model.event import ActionStarted, Event
from reconciler.model.plan import Action, Verb
from reconciler.model.resource import HostSpec
from tests.driving import Hands, desired
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until
from tests.qemu.conftest import POOL, Vireo, manifest

PATTERN = b"what nobody else may ever read; "
MIB = 1024 * 1024
SECTOR = (b"\xeb\xfe" + PATTERN * 15 + bytes(512))[:510] + b"\x55\xaa"  # boots, and stays where it is
CONTENT = SECTOR + PATTERN * ((MIB - 512) // len(PATTERN))
BASE = hashlib.sha256(b"base").digest() * (4 * MIB // 32)
NVRAM = "/var/lib/libvirt/qemu/nvram/secret.fd"
BIOS = "/usr/share/seabios/bios-256k.bin"
FORMATS = ("raw", "qcow2", "overlay")
STEPS = (("shutdown", "Domain"), ("wipe", "Domain"), ("undefine", "Domain"), ("wipe", "Volume"), ("delete", "Volume"))


@dataclass
class Secret:
    """A machine whose disk, memory and NVRAM hold the pattern, in a project on a host of the lab."""

    vireo: Vireo
    lab: Lab
    form: str

    @property
    def pool(self) -> Path:
        return self.lab.images / "pool"

    @property
    def disk(self) -> Path:
        return self.pool / "secret.img"

    @property
    def kept(self) -> Path:
        return self.lab.directory / "kept"

    def make(self) -> None:
        """Applies the machine, fills its disk, and lets it run until its memory holds the pattern."""
        spec: dict[str, object] = {"pool": "images", "capacity": "4MiB", "format": "raw" if self.form == "raw" else "qcow2"}
        if self.form == "overlay":
            self.vireo.add(manifest("Volume", "base.img", {"pool": "images", "capacity": "4MiB", "format": "raw"}))
            spec["backing"] = {"volume": "base.img"}
        self.vireo.add(POOL, manifest("Volume", "secret.img", spec), manifest("Domain", "secret", self._domain()))
        self.vireo.apply()
        if self.form == "overlay":
            (self.pool / "base.img").write_bytes(BASE)
        content = self.lab.directory / "content"
        content.write_bytes(CONTENT)
        kind = "raw" if self.form == "raw" else "qcow2"
        for offset in (0, 2 * MIB):  # with holes between and behind
            write = ["-f", kind, "-c", f"write -s {content} {offset} {MIB}"]
            self.lab.run(1, ["qemu-io", *write, "/var/lib/libvirt/images/pool/secret.img"])
        content.unlink()
        self.vireo.spec("Domain/secret")["state"] = "running"
        self.vireo.apply()
        domain, place = self.vireo.domain("secret"), 0x7C02
        wait_until(lambda: domain.memoryPeek(place, len(PATTERN), libvirt.VIR_MEMORY_PHYSICAL) == PATTERN)
        nvram = self.lab.directory / "node1" / "lib" / NVRAM.removeprefix("/var/lib/libvirt/")
        with nvram.open("r+b") as file:
            file.write(PATTERN * 64)

    @staticmethod
    def _domain() -> dict[str, object]:
        return {
            "state": "stopped",
            "memory": "32MiB",
            "vcpus": 1,
            "os": {
                "arch": "x86_64",
                "machine": "pc",
                "boot": ["hd"],
                "loader": {"path": BIOS, "type": "pflash", "readonly": True},
                "nvram": {"path": NVRAM, "template": BIOS},
            },
            "features": ["acpi"],
            "shutdown": {"timeout": "1s", "force": True},
            "disks": [{"target": "vda", "bus": "virtio", "volume": {"pool": "images", "name": "secret.img"}}],
            "onDelete": {"volumes": "wipe"},
        }

    def found(self) -> set[str]:
        """The names of all files in the lab that hold the pattern, deleted ones included."""
        files = (path for path in self.lab.directory.rglob("*") if path.is_file() and not path.is_symlink())
        return {path.name for path in files if PATTERN in path.read_bytes()}

    def keep(self) -> set[str]:
        """Gives every file that holds the pattern now a second name; says which they are."""
        self.kept.mkdir(exist_ok=True)
        names = set()
        for path in list(self.lab.directory.rglob("*")):
            if path.is_file() and not path.is_symlink() and self.kept not in path.parents and PATTERN in path.read_bytes():
                os.link(path, self.kept / f"{len(list(self.kept.iterdir()))}-{path.name}")
                names.add(path.name)
        return names

    def give_up(self, *, pruned: bool = False) -> tuple[str, ...]:
        """The manifests ask for its end, or do not name it any more; the options that an apply then needs."""
        if not pruned:
            self.vireo.spec("Domain/secret")["state"] = "undefined"
            return ()
        for name in ("Domain/secret", "Volume/secret.img"):
            self.vireo.manifests.pop(name)
        return ("--prune",)

    def assert_gone(self) -> None:
        """Nothing is left of it, on the host or in any deleted file; what it was built on is as it was."""
        assert self.found() == set()
        base = self.form == "overlay"
        assert [path.name for path in self.pool.iterdir()] == ["base.img"] * base
        if base:
            assert (self.pool / "base.img").read_bytes() == BASE
        assert self.vireo.connection.listAllDomains() == []
        assert [pool.name() for pool in self.vireo.connection.listAllStoragePools()] == ["images"]
        self.vireo.assert_in_sync()
        shown = self.vireo("inventory show").out
        assert "secret" not in shown.replace(str(self.vireo.folder), "")


@pytest.fixture
def secret(vireo: Vireo, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Secret]:
    machine = Secret(vireo, lab, request.param)
    machine.make()
    yield machine
    shutil.rmtree(machine.kept, ignore_errors=True)


def watched(vireo: Vireo, look: Callable[[Action], None]) -> Outcome:
    """An apply in which `look` sees each action right before it begins."""
    assert vireo("validate").code == 0
    options = pipeline.Options(connect=vireo.uri)
    manifests = pipeline.load([str(vireo.folder)], options)

    def emit(event: Event) -> None:
        if isinstance(event, ActionStarted):
            look(event.action)

    with pipeline.connected(manifests) as hosts:
        return execute(pipeline.prepare(manifests, hosts, options), hosts, emit=emit)


EXTERNAL = (
    "<domainsnapshot><name>s1</name><memory snapshot='external' file='/var/lib/libvirt/images/pool/secret.mem'/>"
    "<disks><disk name='vda' snapshot='external'><source file='/var/lib/libvirt/images/pool/secret.s1'/></disk></disks>"
    "</domainsnapshot>"
)


@pytest.mark.parametrize("secret", FORMATS, indirect=True)
def test_nothing_is_left_of_a_sensitive_machine(secret: Secret) -> None:
    """It is saved in the end; that of the raw disk has an external snapshot with memory, made by somebody with virsh."""
    expected = {"secret.img", "secret.save", "secret.fd"}
    if secret.form == "raw":
        secret.vireo.domain("secret").snapshotCreateXML(EXTERNAL)
        expected |= {"secret.mem"}
    secret.vireo.spec("Domain/secret")["state"] = "saved"
    secret.vireo.apply()
    assert secret.keep() == expected
    secret.give_up()
    seen: dict[tuple[str, str], set[str]] = {}

    def look(action: Action) -> None:
        seen[action.verb.value, action.resource.kind] = {name.partition("-")[2] or name for name in secret.found()}

    assert watched(secret.vireo, look).exit_code == 0
    assert list(seen) == list(STEPS[1:])
    assert seen["undefine", "Domain"] == {"secret.img"}
    assert seen["delete", "Volume"] == set()
    secret.assert_gone()


def start(vireo: Vireo, *options: str) -> subprocess.Popen[str]:
    """An apply in a process of its own that tells its events as lines of JSON."""
    assert vireo("validate").code == 0
    command = [sys.executable, "-m", "reconciler", "apply", "--yes", "-o", "json", str(vireo.folder), "-c", vireo.uri, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def events_of(process: subprocess.Popen[str]) -> Iterator[tuple[str, str, str]]:
    """Event, verb and kind of all that is told of actions."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"].startswith("action-"):
            yield event["event"].removeprefix("action-"), event["verb"], event["kind"]


@pytest.mark.parametrize("secret, pruned", [("qcow2", False), ("raw", True)], indirect=["secret"])
def test_killed_in_each_step_the_next_apply_goes_on(secret: Secret, pruned: bool) -> None:
    """The volume says nothing of its own: that it is to be wiped is known when the domain is gone that said so."""
    secret.keep()
    options = secret.give_up(pruned=pruned)
    moments = [("started", *step) for step in STEPS]
    moments.insert(STEPS.index(("wipe", "Volume")) + 1, ("progress", "wipe", "Volume"))
    killed_at = []
    for moment in moments:
        process = start(secret.vireo, *options)
        if moment in events_of(process):
            process.kill()
            killed_at.append(moment)
        process.communicate()
    assert killed_at == moments
    secret.vireo.apply(*options)
    secret.assert_gone()


@pytest.mark.parametrize("secret", ["overlay"], indirect=True)
def test_a_daemon_that_is_killed_in_each_step_is_waited_for(secret: Secret) -> None:
    secret.keep()
    secret.give_up()
    process = start(secret.vireo)
    seen = []
    for event, *step in events_of(process):
        if event == "started":
            secret.lab.restart(kill=True)
            seen.append(tuple(step))
    out, err = process.communicate()
    secret.vireo.connection = libvirt.open(secret.vireo.uri)
    if process.returncode:  # a call that broke may have had its effect, and may have been refused when it was repeated
        assert out + err
        secret.vireo.apply()
    assert seen == list(STEPS)
    secret.assert_gone()


class StoppedHereError(Exception):
    """What ends an apply between two actions."""


@pytest.mark.parametrize("secret", ["qcow2"], indirect=True)
def test_a_machine_that_is_wanted_again_between_its_wiping_and_its_deletion_begins_anew_and_empty(secret: Secret) -> None:
    secret.keep()
    secret.give_up()

    def look(action: Action) -> None:
        if (action.verb.value, action.resource.kind) == ("delete", "Volume"):
            raise StoppedHereError

    with pytest.raises(StoppedHereError):
        watched(secret.vireo, look)
    assert secret.disk.exists()
    assert secret.found() == set()
    secret.vireo.spec("Domain/secret")["state"] = "running"
    assert "its wiping was begun" in secret.vireo.apply(code=5).out
    assert secret.vireo.connection.listAllDomains() == []
    secret.vireo.apply("--allow", "data-loss")
    assert secret.vireo.domain("secret").isActive()
    secret.vireo.assert_in_sync()
    secret.give_up()
    secret.vireo.apply()
    secret.assert_gone()


def test_a_passing_pool_is_ended_when_its_work_is_repeated_after_a_lost_connection(lab: Lab, host_uri: str) -> None:
    session = Session.open(HostSpec("host", host_uri))
    step = Hands(session).step(Verb.WIPE, desired("Domain", "secret", "<domain/>"))

    def look(meanwhile: Callable[[], None]) -> list[str]:
        with Places(step) as places:
            places.pool("/var/lib/libvirt/qemu/nvram")
            names: list[str] = session.conn.listStoragePools()
            meanwhile()
        return names

    with pytest.raises(ConnectionLostError):
        look(lambda: lab.restart(kill=True))
    session.reconnect()
    left = session.conn.listStoragePools()
    assert [name.startswith("vireo-passing-") for name in left] == [True]
    assert look(lambda: None) == left
    assert session.conn.listStoragePools() == []
    session.close()
