"""What libvirt accepts, Vireo imports, adopts, makes anew and changes without changing anything else.

The summary of the run says how many objects there were, and how many of them kept each promise (tests/corpus/rounds.py has the
promises, tests/corpus/collection.py the objects). `make corpus` takes more of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import libvirt
import pytest

from tests.corpus import collection, shelves
from tests.corpus.rounds import Report, Round, Shelf

pytestmark = pytest.mark.slow

LOTS = {"by hand": 0} | {f"walked {number}": number for number in range(1, collection.lots() + 1)}
SMALL = {
    "networks": (shelves.NETWORK, collection.all_networks),
    "pools": (shelves.POOL, collection.pools),
    "volumes": (shelves.VOLUME, collection.volumes),
}


def claims(shelf: Shelf, uri: str, folder: Path, documents: Mapping[str, str], request: pytest.FixtureRequest) -> Report:
    connection = libvirt.open(uri)
    shelves.surroundings(connection)
    connection.close()
    report = Round(shelf, uri, folder, documents).all()
    request.node.user_properties.append((f"{shelf.kind}s of the corpus", report.counts()))
    return report


def test_the_corpus_has_more_than_a_thousand_domains() -> None:
    assert "CORPUS" in os.environ or collection.domain_count() - collection.domain_count() // 50 >= 1000


@pytest.mark.parametrize("number", LOTS.values(), ids=LOTS)
def test_every_domain_survives_import_adoption_making_and_changing(
    number: int, host_uri: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    report = claims(shelves.DOMAIN, host_uri, tmp_path, collection.lot(number), request)
    assert not report.told()
    assert report.refused <= report.documents // 50


@pytest.mark.parametrize("name", SMALL)
def test_every_network_pool_and_volume_does_so_too(
    name: str, host_uri: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shelf, documents = SMALL[name]
    report = claims(shelf, host_uri, tmp_path, documents(), request)
    assert not report.told()
    assert report.refused <= report.documents // 50
