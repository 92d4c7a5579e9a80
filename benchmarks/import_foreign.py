"""Importing and adopting a host full of foreign domains, beside its floor: the same raw libvirt calls and nothing else.

    .venv/bin/python benchmarks/import_foreign.py [--domains N] [--running N] [--connect URI] [--repeat N]

Without --connect a private host is started for it (tests/lab; needs root) and ended again. With it the domains are defined on
that host by libvirt's own calls, and removed again. Some of them run, without a disk. At the end it is checked that nothing was
touched: the guests' QEMU processes are the same ones, and the definitions are what they were but for our mark.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5
from xml.etree import ElementTree

import libvirt

from reconciler.cli.app import run

LAB = Path(__file__).parent.parent / "tests" / "lab"
PROJECT = "foreign-benchmark"
NETWORK = "foreign-lan"
MARK = "{urn:vireo:1}resource"
_SPACE = UUID("00000000-0000-0000-0000-00000000f0e1")
_FILE = (
    "<disk type='file' device='disk'><driver name='qemu' type='{}'/><source file='/srv/{}'/><target dev='{}' bus='{}'/></disk>"
)
_DRIVE = "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>"
_CARD = "<interface type='{}'><mac address='52:54:00:f0:{:02x}:{:02x}'/>{}<model type='{}'/></interface>"
_PARTS: tuple[tuple[Callable[[int], str], ...], ...] = (
    (
        lambda n: _FILE.format("qcow2", f"{n}.qcow2", "vda", "virtio"),
        lambda n: _FILE.format("raw", f"a b/{n}.img", "sda", "sata") + _DRIVE,
        lambda n: _FILE.format("qcow2", f"{n}-0.qcow2", "sda", "scsi") + "<controller type='scsi' model='virtio-scsi'/>",
        lambda _: "",
    ),
    (
        lambda n: _CARD.format("network", n >> 8, n & 255, f"<source network='{NETWORK}'/>", "virtio"),
        lambda n: _CARD.format("user", n >> 8, n & 255, "", "e1000"),
        lambda n: _CARD.format("bridge", n >> 8, n & 255, "<source bridge='br0'/>", "virtio"),
    ),
    (
        lambda _: "<graphics type='vnc' autoport='yes'/><video><model type='virtio'/></video>",
        lambda _: "<serial type='pty'/><console type='pty'/>",
        lambda _: (
            "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><memballoon model='none'/>"
        ),
        lambda _: "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><input type='tablet' bus='usb'/>",
        lambda _: "<watchdog model='i6300esb' action='reset'/><sound model='ich6'/>",
    ),
)
_ABOUT: tuple[Callable[[int], str], ...] = (
    lambda n: f"<title>number {n} &amp; more</title><description>by hand</description>",
    lambda _: "<metadata><tool:owner xmlns:tool='urn:a-tool'>somebody</tool:owner></metadata>",
    lambda _: "<cpu mode='host-model'/>",
    lambda _: "<clock offset='localtime'><timer name='hpet' present='no'/></clock>",
    lambda _: "<on_poweroff>destroy</on_poweroff><on_crash>restart</on_crash>",
    lambda _: "<cputune><shares>512</shares></cputune>",
    lambda _: "",
)


def foreign(number: int, *, running: bool = False) -> str:
    """The definition of one domain, as somebody else would have written it; one that is to run needs nothing of the host."""
    name = f"foreign-{number:03}"
    parts = "".join(part[number % len(part)](number) for part in _PARTS)
    devices = _CARD.format("user", number >> 8, number & 255, "", "virtio") + "<serial type='pty'/>" if running else parts
    about = "" if running else _ABOUT[number % len(_ABOUT)](number)
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{uuid5(_SPACE, name)}</uuid>{about}"
        f"<memory unit='MiB'>{32 if running else 64 * (1 + number % 7)}</memory><vcpu>{1 + number % (1 if running else 4)}</vcpu>"
        f"<os><type arch='x86_64' machine='{('pc', 'q35')[number % 2]}'>hvm</type></os>"
        f"<features><acpi/>{'<apic/>' * (number % 2)}</features><devices>{devices}</devices></domain>"
    )


def define(connection: libvirt.virConnect, domains: int, running: int) -> None:
    """Puts the domains on the host, the first ones started, and the network that some of them name."""
    connection.networkDefineXML(f"<network><name>{NETWORK}</name></network>")
    for number in range(domains):
        domain = connection.defineXML(foreign(number, running=number < running))
        if number < running:
            domain.create()


def remove(connection: libvirt.virConnect) -> None:
    """Takes everything away that `define` made, and what Vireo has written down of it."""
    for domain in connection.listAllDomains():
        if domain.name().startswith("foreign-"):
            if domain.isActive():
                domain.destroy()
            domain.undefine()
    with contextlib.suppress(libvirt.libvirtError):
        connection.networkLookupByName(NETWORK).undefine()
    for secret in connection.listAllSecrets():
        if secret.usageID().startswith(f"vireo/{PROJECT}/"):
            secret.undefine()


@dataclass(frozen=True, slots=True)
class Guest:
    """What must stay as it is: number and process of this run of the guest, both definitions without our mark."""

    number: int
    process: str
    persistent: str
    live: str


def guests(connection: libvirt.virConnect) -> dict[str, Guest]:
    """All foreign domains by name. The process is empty for one that does not run, or runs on another machine."""
    processes = dict(_processes())
    found = [domain for domain in connection.listAllDomains() if domain.name().startswith("foreign-")]
    return {
        domain.name(): Guest(
            domain.ID(),
            processes.get(domain.UUIDString(), ""),
            _unmarked(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)),
            _unmarked(domain.XMLDesc()) if domain.isActive() else "",
        )
        for domain in found
    }


def _processes() -> Iterator[tuple[str, str]]:
    """UUID and process number of each guest of this machine."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"-uuid" in words:
                yield words[words.index(b"-uuid") + 1].decode(), entry.name


def _unmarked(text: str) -> str:
    root = ElementTree.fromstring(text)  # noqa: S314  it is our own host's
    for metadata in root.findall("metadata"):
        for mark in metadata.findall(MARK):
            metadata.remove(mark)
        if not len(metadata):
            root.remove(metadata)
    return ElementTree.canonicalize(ElementTree.tostring(root), strip_text=True)


def main() -> None:
    """Make the domains, measure, check, remove them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=200, metavar="N")
    parser.add_argument("--running", type=int, default=10, metavar="N", help="how many of them run")
    parser.add_argument("--connect", metavar="URI", help="default: a private host, started for this")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each measure that can be repeated")
    said = parser.parse_args()
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="vireo-bench-")))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        uri = said.connect or ending.enter_context(private_host())
        connection = libvirt.open(uri)
        ending.callback(connection.close)
        ending.callback(remove, connection)
        define(connection, said.domains, said.running)
        before = guests(connection)
        measure(connection, uri, folder / PROJECT, said.repeat)
        after = guests(connection)
        if after != before:
            changed = [name for name in before if before[name] != after.get(name)]
            raise SystemExit(f"touched: {', '.join(changed)}")
        processes = [guest.process for guest in after.values() if guest.process]
        print(f"\n  nothing was touched: {len(processes)} QEMU processes and {len(after)} definitions are the same")


@contextlib.contextmanager
def private_host() -> Iterator[str]:
    """The URI of a libvirt host of its own; it ends with the benchmark."""
    directory = Path(tempfile.mkdtemp(prefix="vb-", dir="/tmp"))  # a socket's path is short
    directory.chmod(0o755)
    environment = {**os.environ, "LAB_SUBNET": "10.98.7"}
    try:
        subprocess.run([LAB / "lab-up.sh", "-n", "1", directory], env=environment, stdout=subprocess.DEVNULL, check=True)
        yield f"qemu+unix:///system?socket={directory}/node1/run/libvirt/libvirt-sock"
    finally:
        subprocess.run([LAB / "lab-down.sh", "-p", directory], stdout=subprocess.DEVNULL, check=True)


def measure(connection: libvirt.virConnect, uri: str, folder: Path, repeat: int) -> None:
    """Print each measure as the fastest and the median of its runs, with its multiple of the floor."""
    connection.getCapabilities()  # a daemon that is new looks at its QEMUs once, for seconds: that is nobody's import
    names = sorted(guests(connection))
    running = sum(domain.isActive() for domain in connection.listAllDomains())
    print(f"{len(names)} foreign domains ({running} running) on {uri.partition('?')[0]}, libvirt {connection.getLibVersion()}\n")
    print(f"  {'':34} {'seconds':>8} {'median':>8} {'x floor':>8}")
    floor = row("floor: list, and XML of each domain", lambda: raw_reads(connection), repeat)

    def imported() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        vireo("import", *names, "-c", uri, "-o", str(folder))

    row("import, written to files", imported, repeat, floor)
    row("plan that would adopt", lambda: planned(uri, folder, "--adopt", verbs={"adopt"}), repeat, floor)
    row("apply --adopt", lambda: vireo("apply", "-c", uri, "--yes", "-q", "--adopt", str(folder)), 1, floor)
    row("plan after it: empty", lambda: planned(uri, folder, verbs=set()), repeat, floor)


def row(label: str, work: Callable[[], object], repeat: int, floor: float | None = None) -> float:
    """Do the work `repeat` times and print one line; the seconds of the fastest run."""
    seconds = []
    for _ in range(repeat):
        gc.collect()
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    best = min(seconds)
    print(f"  {label:34} {best:8.3f} {statistics.median(seconds):8.3f} {best / (floor or best):8.1f}")
    return best


def raw_reads(connection: libvirt.virConnect) -> int:
    """What any tool must at least ask for: persistent XML, live XML of what runs, state, autostart."""
    size = 0
    for domain in connection.listAllDomains():
        size += len(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        if domain.isActive():
            size += len(domain.XMLDesc())
        domain.state()
        domain.autostart()
    return size


def planned(uri: str, folder: Path, *options: str, verbs: set[str]) -> None:
    """A plan as the command makes it; ends the benchmark if it has other actions than these, or an impact."""
    plan = json.loads(vireo("plan", "-c", uri, "-o", "json", *options, str(folder)))
    found = {(action["verb"], action["impact"]) for action in plan["actions"]}
    if found != {(verb, "none") for verb in verbs}:
        raise SystemExit(f"the plan has {sorted(found)}")


def vireo(*arguments: str) -> str:
    """What the command says; ends the benchmark if it fails."""
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()) as told:
        code = run(arguments)
    if code:
        raise SystemExit(f"vireo {arguments[0]} ended with {code}\n{told.getvalue()}")
    return said.getvalue()


if __name__ == "__main__":
    main()
