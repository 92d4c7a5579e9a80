"""All documents of the corpus by kind: those by hand, and as many of the walked ones as are asked for."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from tests.corpus import domains, networks, written

USUAL = 800  # walked domains; CORPUS=N says another number, 2400 is all there are
LOT = 200  # domains that are applied together
_SEEDS = Path(__file__).with_name("seeds.json")


@cache
def _seeds() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_SEEDS.read_text(encoding="utf-8"))
    return found


def lots() -> int:
    """How many lots of walked domains there are."""
    return -(-len(_wanted()) // LOT)


def domain_count() -> int:
    """How many domains there are, in all lots."""
    return len(written.documents("domains")) + len(_wanted())


def lot(number: int) -> dict[str, str]:
    """Domains by name: those by hand for 0, then the walked ones."""
    if number == 0:
        return written.documents("domains")
    seeds = _wanted()[(number - 1) * LOT : number * LOT]
    return {f"c{seed}": domains.document(seed, _seeds()["parts"]) for seed in seeds}


def _wanted() -> list[int]:
    found: list[int] = _seeds()["domains"]
    return found[: int(os.environ.get("CORPUS") or USUAL)]


def all_networks() -> dict[str, str]:
    """Networks by name."""
    return written.documents("networks") | {f"n{seed}": networks.network(seed) for seed in _seeds()["networks"]}


def pools() -> dict[str, str]:
    """Pools by name."""
    return written.documents("pools")


def volumes() -> dict[str, str]:
    """Volumes by name."""
    return written.documents("volumes")
