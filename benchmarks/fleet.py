"""A plan over many hosts beside each of them alone: what overlaps, and what a host that hangs costs the others.

    .venv/bin/python benchmarks/fleet.py [--hosts N] [--domains N] [--delay MS] [--through SOCKET]

Without --through the hosts are libvirt's test driver within this process: everything is computing, and the sum over all hosts is
the floor. With the socket of a libvirtd, each host is a test driver's world behind that daemon and a relay of its own that holds
every message back for --delay milliseconds each way, as a network does.
"""

from __future__ import annotations

import argparse
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import libvirt

from reconciler.engine import pipeline
from reconciler.engine.pipeline import Options
from reconciler.manifest import schema
from reconciler.model.resource import ManifestSet

CHUNK = 1 << 16
DEADLINE = 3.0  # seconds until the host that hangs is given up


def main() -> None:
    """Make the hosts, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=50, metavar="N")
    parser.add_argument("--domains", type=int, default=10, metavar="N", help="on each host")
    parser.add_argument("--delay", type=float, default=10.0, metavar="MS", help="each way; with --through only")
    parser.add_argument("--through", metavar="SOCKET", help="of a libvirtd")
    said = parser.parse_args()
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    with tempfile.TemporaryDirectory(prefix="vf-", dir="/tmp") as folder, ExitStack() as stack:
        os.environ["XDG_STATE_HOME"] = f"{folder}/state"
        Path(folder).chmod(0o755)
        uris = []
        for number in range(said.hosts):
            node = Path(folder) / f"node{number}.xml"
            node.write_text("<node/>\n")
            relay = stack.enter_context(relayed(Path(folder) / f"r{number}", said.through, said.delay)) if said.through else ""
            uris.append(f"test+unix://{node}?socket={relay}" if relay else f"test://{node}")
        measure(Path(folder), uris, said.domains, stack)


def measure(folder: Path, uris: list[str], domains: int, stack: ExitStack) -> None:
    """Each host alone, all together, and all together with one that hangs."""
    alone = [timed(lambda uri=uri: plan(project(folder, [uri], domains))) for uri in uris]  # type: ignore[misc]
    together = timed(lambda: plan(project(folder, uris, domains)))
    hung = stack.enter_context(hanging(folder / "hung"))
    beside = timed(lambda: plan(project(folder, [*uris, hung], domains), timeout=DEADLINE))
    print(f"{len(uris)} hosts, {domains} domains each")
    print(f"  one after the other  {sum(alone):7.2f} s")
    print(f"  the slowest alone    {max(alone):7.2f} s")
    print(
        f"  all side by side     {together:7.2f} s  "
        f"({together / max(alone):.1f}x the slowest, {together / sum(alone):.0%} of the sum)"
    )
    print(f"  and one that hangs   {beside:7.2f} s  (given up after {DEADLINE:g} s)")


def timed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def plan(manifests: ManifestSet, timeout: float = 30.0) -> None:
    """Connect, observe and compare."""
    with pipeline.connected(manifests, timeout=timeout) as hosts:
        pipeline.prepare(manifests, hosts, Options())


def project(folder: Path, uris: list[str], domains: int) -> ManifestSet:
    """Manifests of these hosts, each with its domains."""
    text = ["apiVersion: vireo/v1\nkind: Project\nmetadata: {name: fleet}\n"]
    for number, uri in enumerate(uris):
        text.append(f"apiVersion: vireo/v1\nkind: Host\nmetadata: {{name: host{number}}}\nspec: {{uri: '{uri}'}}\n")
        text += [
            f"apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: d{number}-{n}}}\n"
            f"spec: {{host: host{number}, state: stopped, memory: 64MiB, type: test, os: {{arch: i686}}}}\n"
            for n in range(domains)
        ]
    file = folder / "project.yaml"
    file.write_text("---\n".join(text))
    return schema.load([str(file)], connect=None)


@contextmanager
def hanging(path: Path) -> Iterator[str]:
    """The URI of a daemon that accepts every connection and never answers."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)
        yield f"qemu+unix:///system?socket={path}"


@contextmanager
def relayed(path: Path, target: str, delay: float) -> Iterator[str]:
    """A socket that hands everything on to `target`, each way `delay` milliseconds late."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)
        threading.Thread(target=serve, args=(listening, target, delay / 1000), daemon=True).start()
        yield str(path)


def serve(listening: socket.socket, target: str, delay: float) -> None:
    """Take connections until the socket is closed."""
    while True:
        try:
            near, _ = listening.accept()
        except OSError:
            return
        far = socket.socket(socket.AF_UNIX)
        far.connect(target)
        for one, two in ((near, far), (far, near)):
            threading.Thread(target=hand_on, args=(one, two, delay), daemon=True).start()


def hand_on(source: socket.socket, target: socket.socket, delay: float) -> None:
    """Everything from one to the other: libvirt speaks in turns, so that nothing queues up behind the delay."""
    try:
        while data := source.recv(CHUNK):
            time.sleep(delay)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


if __name__ == "__main__":
    main()
