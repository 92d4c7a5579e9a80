from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", ["manifests.md", "changes.md"])
def test_the_documents_are_as_the_schemas_and_the_tables_of_ways_are(tmp_path: Path, name: str) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "generate.py", tmp_path], check=True)
    made, committed = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path, ROOT / "docs"))
    assert made == committed, "run docs/generate.py"
