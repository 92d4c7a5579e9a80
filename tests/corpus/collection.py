"""All documents of the corpus by kind: those by hand, and as many of the walked ones as are asked for."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from tests.corpus import domains, networks, written

USUAL = 400  # walked domains in a usual test run; CORPUS=N says another number, `make corpus` all
_SEEDS = Path(__file__).with_name("seeds.json")


@cache
def _seeds() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_SEEDS.read_text(encoding="utf-8"))
    return found


def lots(size: int = 200) -> list[dict[str, str]]:
    """Domains by name, in lots: one by hand, the others walked."""
    seeds = _seeds()
    wanted = seeds["domains"][: int(os.environ.get("CORPUS") or USUAL)]
    walked = [
        {f"c{seed}": domains.document(seed, seeds["parts"]) for seed in wanted[first : first + size]}
        for first in range(0, len(wanted), size)
    ]
    return [written.documents("domains"), *walked]


def all_networks() -> dict[str, str]:
    """Networks by name."""
    return written.documents("networks") | {f"n{seed}": networks.network(seed) for seed in _seeds()["networks"]}


def pools() -> dict[str, str]:
    """Pools by name."""
    return written.documents("pools")


def volumes() -> dict[str, str]:
    """Volumes by name."""
    return written.documents("volumes")
