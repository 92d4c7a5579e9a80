"""The benchmarks run: what they measure is theirs to print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_an_unchanged_plan_is_measured_beside_its_floor() -> None:
    command = [sys.executable, "benchmarks/plan_unchanged.py", "--domains", "20", "--repeat", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for measure in ("floor", "reading the manifests", "plan: all of it", "plan / (floor + reading)"):
        assert measure in done.stdout


def test_a_plan_over_many_hosts_is_measured_beside_each_alone() -> None:
    command = [sys.executable, "benchmarks/fleet.py", "--hosts", "3", "--domains", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for measure in ("one after the other", "the slowest alone", "all side by side", "and one that hangs"):
        assert measure in done.stdout
