"""The architecture as docs/design.md states it: who may import whom, what every kind must have, what every module must be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter import cli as import_linter

from reconciler.host.drivers import DRIVERS
from reconciler.kinds import KINDS
from reconciler.manifest import schema

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "reconciler").rglob("*.py"))
HEAVY = ("libvirt", "lxml", "jsonschema", "jinja2", "yaml", "deepdiff")
DRAWERS = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}


def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def test_imports_go_down_only_and_each_library_has_one_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    assert import_linter.lint_imports(no_cache=True) == import_linter.EXIT_STATUS_SUCCESS


def test_the_model_uses_the_standard_library_only() -> None:
    allowed = sys.stdlib_module_names | {"reconciler"}
    for module in (ROOT / "reconciler" / "model").glob("*.py"):
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree(module))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert imported <= allowed, module


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for_and_fits_in_a_head(module: Path) -> None:
    assert ast.get_docstring(tree(module)), "no docstring"
    lines = len(module.read_text().splitlines())
    assert lines <= 250, f"{lines} lines"
    assert module.stem not in DRAWERS


def test_no_process_is_started_by_the_product() -> None:
    for module in MODULES:
        names = {node.id for node in ast.walk(tree(module)) if isinstance(node, ast.Name)}
        names |= {alias.name for node in ast.walk(tree(module)) if isinstance(node, ast.Import) for alias in node.names}
        assert not names & {"subprocess", "system", "popen"}, module


def test_the_version_is_printed_without_loading_what_is_heavy() -> None:
    script = (
        "import contextlib, sys\n"
        "from reconciler.cli import main\n"
        "sys.argv = ['vireo', '--version']\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main()\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True)
    version, loaded = done.stdout.splitlines()
    assert version.startswith("vireo ")
    assert loaded == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_all_its_parts(kind: str) -> None:
    name = kind.lower()
    assert KINDS[kind].name == kind
    assert schema.document(kind)["title"]
    assert (ROOT / "schemas" / f"{name}.json").is_file()
    assert list((ROOT / "templates").glob(f"{name}.*"))
    assert (ROOT / "reconciler" / "kinds" / f"{name}.py").is_file()
    assert (ROOT / "reconciler" / "host" / "drivers" / f"{name}.py").is_file()
    assert list((ROOT / "tests" / "cases" / kind).glob("*/manifest.yaml"))
    examples = [path.read_text() for path in (ROOT / "manifests").rglob("*.yaml")]
    assert any(f"kind: {kind}\n" in text for text in examples)


@pytest.mark.parametrize("kind", KINDS)
def test_every_verb_that_a_kind_names_is_carried_out_by_its_driver(kind: str) -> None:
    described = KINDS[kind]
    verbs = {step.verb for step in described.lifecycle.transitions} | {way.verb for way in described.ways if not way.refusal}
    assert verbs <= set(DRIVERS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_lifecycle_reaches_every_state_from_every_other(kind: str) -> None:
    lifecycle = KINDS[kind].lifecycle
    for start in lifecycle.states:
        reached, fresh = {start}, {start}
        while fresh:
            fresh = {step.target for step in lifecycle.transitions if step.source in fresh} - reached
            reached |= fresh
        assert reached == set(lifecycle.states), f"from {start}"
