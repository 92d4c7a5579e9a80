"""What libvirt accepts, Vireo imports, adopts, makes anew and changes without changing anything else: `make corpus` counts it."""

from __future__ import annotations

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


def claims(shelf: Shelf, uri: str, folder: Path, documents: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> Report:
    connection = libvirt.open(uri)
    shelves.surroundings(connection)
    connection.close()
    report = Round(shelf, uri, folder, documents).all()
    with capsys.disabled():
        print(f"\n{shelf.kind}: {report}")  # noqa: T201  the counts belong to the result
    return report


@pytest.mark.parametrize("number", LOTS.values(), ids=LOTS)
def test_every_domain_survives_import_adoption_making_and_changing(
    number: int, host_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = claims(shelves.DOMAIN, host_uri, tmp_path, collection.lot(number), capsys)
    assert not report.told()
    assert report.refused <= report.documents // 50


@pytest.mark.parametrize("name", SMALL)
def test_every_network_pool_and_volume_does_so_too(
    name: str, host_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf, documents = SMALL[name]
    report = claims(shelf, host_uri, tmp_path, documents(), capsys)
    assert not report.told()
    assert report.refused <= report.documents // 50
