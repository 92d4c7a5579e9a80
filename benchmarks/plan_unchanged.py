"""An unchanged plan of many domains beside its floor: the same raw libvirt calls and nothing else.

    .venv/bin/python benchmarks/plan_unchanged.py [--domains N] [--connect URI] [--repeat N]

Without --connect the domains are defined on libvirt's test driver, within this process. With it they are defined on that host
(stopped, without disks), and removed again. The peak of memory is the process's own: with the test driver it includes the
driver's domains and the apply that made them, with --connect it does not.

docs/design.md, section 15, says what is promised: within twice the floor and the reading of the manifests.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import libvirt

from reconciler.cli.app import run
from reconciler.engine import pipeline

TEST_HOST = "test:///default"
DOMAIN = """\
apiVersion: vireo/v1
kind: Domain
metadata: {{name: {name}}}
spec:
  state: stopped
  memory: 512MiB
  vcpus: 1
  interfaces:
    - {{user: true, model: virtio}}
  serials: [{{type: pty}}]
---
"""


def main() -> None:
    """Make the domains, measure, remove them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=1000, metavar="N")
    parser.add_argument("--connect", default=TEST_HOST, metavar="URI", help="default: the test driver")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each measure; the fastest counts")
    said = parser.parse_args()
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    with tempfile.TemporaryDirectory(prefix="vireo-bench-") as folder:
        os.environ["XDG_STATE_HOME"] = f"{folder}/state"
        manifests = Path(folder) / "bench"
        manifests.mkdir()
        documents = (DOMAIN.format(name=f"bench-{number:05}") for number in range(said.domains))
        (manifests / "domains.yaml").write_text("".join(documents))
        connection = libvirt.open(said.connect)  # keeps the test driver's host alive, too
        try:
            must(said.connect, "apply", "-c", said.connect, "--yes", "-q", "--wait", "0", str(manifests))
            measure(connection, said.connect, str(manifests), said.repeat)
        finally:
            connection.close()
            if said.connect != TEST_HOST:
                must(said.connect, "destroy", "-c", said.connect, "--yes", "-q", str(manifests))


def must(uri: str, *arguments: str) -> None:
    """Run a command of Vireo; ends the benchmark if it fails. The test driver's host is in this process only."""
    if uri != TEST_HOST:
        subprocess.run([sys.executable, "-m", "reconciler", *arguments], stdout=subprocess.DEVNULL, check=True)
        return
    with contextlib.redirect_stdout(io.StringIO()):
        code = run(arguments)
    if code:
        raise SystemExit(f"vireo {arguments[0]} ended with {code}")


def measure(connection: libvirt.virConnect, uri: str, manifests: str, repeat: int) -> None:
    """Print each measure as the fastest and the median of its runs, with its multiple of the floor, and the peak memory."""
    options = pipeline.Options(connect=uri)
    count = len(connection.listAllDomains())
    print(
        f"{count} domains on {uri.partition('?')[0]}, libvirt {connection.getLibVersion()}, fastest of {repeat} runs (median)\n"
    )
    print(f"  {'':34} {'seconds':>8} {'median':>8} {'x floor':>8} {'peak MB':>8}")
    floor = row("floor: list, and XML of each domain", lambda: raw_reads(connection), repeat)
    reading = row("reading the manifests", lambda: pipeline.load([manifests], options), repeat, floor)
    total = row("plan: all of it", lambda: unchanged_plan(manifests, options), repeat, floor)
    print(f"\n  plan / (floor + reading) = {total / (floor + reading):.2f}")


def row(label: str, work: Callable[[], object], repeat: int, floor: float | None = None) -> float:
    """Do the work `repeat` times and print one line; the seconds of the fastest run."""
    seconds = []
    for _ in range(repeat):
        gc.collect()
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    best = min(seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {label:34} {best:8.3f} {statistics.median(seconds):8.3f} {best / (floor or best):8.2f} {peak:8.0f}")
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


def unchanged_plan(manifests: str, options: pipeline.Options) -> None:
    """A whole plan as the command makes it; ends the benchmark if it is not empty."""
    loaded = pipeline.load([manifests], options)
    with pipeline.connected(loaded) as hosts:
        plan = pipeline.prepare(loaded, hosts, options).plan
    if plan.actions:
        raise SystemExit(f"not unchanged: {len(plan.actions)} actions, the first: {plan.actions[0]}")


if __name__ == "__main__":
    main()
