"""The rules of the test run itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SKIPPED = "import pytest\n@pytest.mark.skip(reason='no such machine')\ndef test_one(): pass\ndef test_two(): pass\n"


def run(folder: Path, ci: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_some.py").write_text(SKIPPED)
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rs", *options, str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_skipped_test_fails_the_run_in_ci(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = run(tmp_path, "true", *options)
    assert done.returncode == 1, done.stdout
    assert "no such machine" in done.stdout
    assert "CI is set and tests were skipped" in done.stdout


def test_a_skipped_test_is_named_elsewhere(tmp_path: Path) -> None:
    done = run(tmp_path, "")
    assert done.returncode == 0, done.stdout
    assert "no such machine" in done.stdout
