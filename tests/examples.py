"""The folders of manifests/, which tests apply as they are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent / "manifests"
EXAMPLES = sorted(folder.name for folder in ROOT.iterdir() if folder.is_dir())
NEEDS = {"quickstart-network": ("quickstart",)}  # folders that are applied together


def paths(example: str) -> list[str]:
    """The folders that make up one example."""
    return [str(ROOT / name) for name in (*NEEDS.get(example, ()), example)]
