"""Each example is applied as it is to a real host, and leaves nothing to do."""

from __future__ import annotations

import json

import libvirt
import pytest

from reconciler.cli.app import run
from tests import examples


@pytest.mark.parametrize("example", examples.EXAMPLES)
def test_an_example_applies_and_is_in_sync(host_uri: str, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    paths = examples.paths(example)
    assert run(["validate", *paths]) == 0
    assert run(["apply", "--yes", *paths, "-c", host_uri]) == 0, capsys.readouterr()
    capsys.readouterr()
    assert run(["plan", "-o", "json", *paths, "-c", host_uri]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["actions"] == []
    assert {resource["status"] for resource in plan["resources"]} == {"in-sync"}


def test_the_quickstart_guest_runs_and_goes(host_uri: str) -> None:
    assert run(["apply", "--yes", *examples.paths("quickstart"), "-c", host_uri]) == 0
    connection = libvirt.open(host_uri)
    try:
        assert [domain.name() for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_RUNNING)] == ["hello"]
        assert run(["destroy", "--yes", *examples.paths("quickstart"), "-c", host_uri]) == 0
        assert connection.listAllDomains() == []
    finally:
        connection.close()
