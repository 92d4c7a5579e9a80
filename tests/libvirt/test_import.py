"""`vireo import` from end to end on libvirt's test driver, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.app import run

URI = "test:///default"


@pytest.fixture
def vireo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(*words: str, code: int = 0) -> str:
        found = run([*words, "-c", URI])
        said = capsys.readouterr()
        assert found == code, said.err + said.out
        return said.out + (said.err if code else "")

    return call


def test_everything_on_the_driver_is_adopted_without_a_change(vireo: Any, tmp_path: Path) -> None:
    folder = tmp_path / "imported"
    vireo("import", "--all", "-o", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "domain-test.yaml",
        "network-default.yaml",
        "pool-default-pool.yaml",
    ]
    plan = json.loads(vireo("plan", str(folder), "--adopt", "-o", "json"))
    assert {(action["verb"], action["impact"], action["blocked"]) for action in plan["actions"]} == {("adopt", "none", None)}
    vireo("validate", str(folder))


def test_one_stream_holds_all_manifests(vireo: Any, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(vireo("import", "--all"), encoding="utf-8")
    assert "OK: 3 resources in 1 file" in vireo("validate", str(tmp_path / "all.yaml"))


@pytest.mark.parametrize(
    "words, said",
    [
        ((), "name what is to be imported, or say --all"),
        (("test", "--all"), "exclude each other"),
        (("--all", "--kind", "Secret"), "there is no such kind to import"),
        (("tset",), "did you mean test?"),
    ],
)
def test_what_cannot_be_meant_is_said_so(vireo: Any, words: tuple[str, ...], said: str) -> None:
    assert said in vireo("import", *words, code=3)


@pytest.mark.parametrize("name", ["test", "Domain/test", "domain/test"])
def test_an_object_is_named_by_itself_or_with_its_kind(vireo: Any, name: str) -> None:
    assert "kind: Domain\nmetadata: {name: test}\n" in vireo("import", name)


def test_a_kind_selects(vireo: Any) -> None:
    text = vireo("import", "--all", "--kind", "network", "--kind", "Pool")
    assert "kind: Network" in text
    assert "kind: Pool" in text
    assert "kind: Domain" not in text
