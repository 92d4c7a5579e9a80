"""Each example is applied as it is to the test driver, and leaves nothing to do."""

from __future__ import annotations

import json

import pytest

from reconciler.cli.app import run
from tests import examples


@pytest.mark.parametrize("example", examples.EXAMPLES)
def test_an_example_applies_and_is_in_sync(test_default: str, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    paths = examples.paths(example)
    assert run(["apply", "--yes", *paths, "-c", test_default]) == 0, capsys.readouterr()
    capsys.readouterr()
    assert run(["plan", "-o", "json", *paths, "-c", test_default]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["actions"] == []
    assert {resource["status"] for resource in plan["resources"]} == {"in-sync"}
