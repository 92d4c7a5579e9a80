from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_reference_of_all_fields_is_as_the_schemas_are(tmp_path: Path) -> None:
    made = tmp_path / "manifests.md"
    subprocess.run([sys.executable, ROOT / "docs" / "generate.py", made], check=True)
    assert made.read_text(encoding="utf-8") == (ROOT / "docs" / "manifests.md").read_text(encoding="utf-8"), (
        "run docs/generate.py"
    )
