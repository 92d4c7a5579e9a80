"""Wiping a raw volume by `vireo apply`, beside `dd` of as many zeros to the same file system, in one run.

    .venv/bin/python benchmarks/wipe.py [--mib N] [--repeat N] [--data full|half|sparse] [--folder DIR]

A private host is started for it (tests/lab; needs root) in DIR, whose file system is measured, and ended again. `full`: every
byte of the volume was written; `half`: every other MiB; `sparse`: one MiB in sixteen. The apply verifies; its time is that of
the wipe action alone, told by its own events. Memory is the peak of a process that does nothing else than that apply,
beside that of one that plans only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAB = ROOT / "tests" / "lab"
MIB = 1 << 20
EVERY = {"full": 1, "half": 2, "sparse": 16}  # of so many MiB one is written
MANIFEST = """
apiVersion: vireo/v1
kind: Project
metadata: {{name: wipe-benchmark}}
---
apiVersion: vireo/v1
kind: Pool
metadata: {{name: images}}
spec: {{type: dir, path: {folder}, state: active}}
---
apiVersion: vireo/v1
kind: Volume
metadata: {{name: secret.img}}
spec: {{pool: images, state: {state}, capacity: {mib}MiB, format: raw, onDelete: wipe, wipe: {{verify: true}}}}
"""
MEASURED = (
    "import resource, sys\nfrom reconciler.cli.app import run\ncode = run(sys.argv[1:])\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\nsys.exit(code)"
)


def main() -> None:
    """Measure, and print a table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--mib", type=int, default=1024, help="size of the volume")
    asked.add_argument("--repeat", type=int, default=3, help="the median counts")
    asked.add_argument("--data", choices=EVERY, default="full", help="how much of it was written")
    asked.add_argument("--folder", default=tempfile.gettempdir(), help="a short path on the file system that is to be measured")
    given = asked.parse_args()
    with host(given.folder) as (place, uri):
        rows = [measure(place, uri, given.mib, EVERY[given.data]) for _ in range(given.repeat)]
    dd, wipe, rss, idle = (statistics.median(row[at] for row in rows) for at in range(4))
    written = given.mib // EVERY[given.data]
    print(f"{given.mib} MiB raw, {written} MiB of it written, median of {given.repeat}")
    print(f"dd if=/dev/zero conv=fsync, {given.mib} MiB   {dd:8.2f} s  {given.mib / dd:8.0f} MiB/s")
    print(f"wipe with verify: true            {wipe:8.2f} s  {given.mib / wipe:8.0f} MiB/s of the volume's size")
    print(f"wipe / dd                         {wipe / dd:8.2f}")
    print(f"peak memory of the apply          {rss / 1024:8.0f} MiB, {(rss - idle) / 1024:.0f} MiB more than a plan alone")


def measure(place: Path, uri: str, mib: int, every: int) -> tuple[float, float, int, int]:
    """Seconds of dd and of the wipe, KiB of the apply and of a plan."""
    pool, project = place / "images" / "pool", place / "project"
    pool.mkdir(exist_ok=True)
    project.mkdir(exist_ok=True)
    zeros = pool / "zeros"
    began = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", f"of={zeros}", "bs=1M", f"count={mib}", "conv=fsync", "status=none"], check=True)
    dd = time.monotonic() - began
    zeros.unlink()

    def vireo(state: str, *command: str) -> tuple[str, int]:
        text = MANIFEST.format(folder=pool, state=state, mib=mib)
        (project / "all.yaml").write_text(text)
        argv = [sys.executable, "-c", MEASURED, *command, str(project), "-c", uri]
        environment = {**os.environ, "XDG_STATE_HOME": str(place / "state"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"vireo {' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout, int(done.stderr.split()[-1])

    vireo("present", "apply", "--yes", "-q")
    with (pool / "secret.img").open("r+b") as file:
        for at in range(0, mib, every):
            file.seek(at * MIB)
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
    _, idle = vireo("absent", "plan", "-q")
    said, rss = vireo("absent", "apply", "--yes", "-o", "json")
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    (seconds,) = [e["seconds"] for e in events if e["event"] == "action-done" and e["verb"] == "wipe"]
    return dd, seconds, rss, idle


@contextmanager
def host(folder: str) -> Iterator[tuple[Path, str]]:
    """A private host: where its files are, and its URI."""
    place = Path(tempfile.mkdtemp(prefix="vw-", dir=folder))
    place.chmod(0o755)  # QEMU runs as another user
    environment = {**os.environ, "LAB_SUBNET": "10.97.0"}
    try:
        subprocess.run([str(LAB / "lab-up.sh"), "-n", "1", str(place)], env=environment, check=True, stdout=subprocess.DEVNULL)
        yield place, f"qemu+unix:///system?socket={place}/node1/run/libvirt/libvirt-sock"
    finally:
        subprocess.run([str(LAB / "lab-down.sh"), "-p", str(place)], env=environment, check=False)
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
