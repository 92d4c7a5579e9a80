"""The command itself: exit codes and messages of wrong usage, and how little is loaded for how much."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = ("typer", "rich", "libvirt", "lxml", "jsonschema", "deepdiff", "yaml", "jinja2")


def vireo(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def loaded_by(*arguments: str) -> set[str]:
    """The heavy libraries that are in memory when the command ends."""
    script = (
        "import atexit, sys\n"
        f"atexit.register(lambda: sys.stderr.write('LOADED ' + ' '.join(m for m in {HEAVY!r} if m in sys.modules)))\n"
        f"sys.argv = ['vireo', *{list(arguments)!r}]\n"
        "from reconciler.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    return set(done.stderr.rpartition("LOADED ")[2].split())


def test_the_version_loads_no_library() -> None:
    assert loaded_by("--version") == set()


def test_help_loads_nothing_that_reads_manifests_or_hosts() -> None:
    assert loaded_by("plan", "--help") <= {"typer", "rich"}


def test_the_version_may_stand_among_other_options() -> None:
    done = vireo("--no-color", "--version")
    assert (done.returncode, done.stdout[:6]) == (0, "vireo ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("destroy",),
        ("nonsense",),
        ("plan", "--nonsense", "."),
        ("plan", "-o", "xml", "."),
        ("plan", "--allow", "everything", "."),
        ("plan", "-l", "tier", "."),
        ("plan", "--target", "web1", "."),
        ("apply", "--yes", "--wait", "soon", "."),
        ("apply", "--yes", "--parallel", "0", "."),
        ("apply",),
        ("apply", "--plan", "f", "."),
        ("apply", "--plan", "f", "--prune"),
        ("schema", "Nonsense"),
        ("inventory",),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_3_and_one_error_on_standard_error(arguments: tuple[str, ...]) -> None:
    done = vireo(*arguments)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_without_a_terminal_and_without_yes_nothing_is_begun(command: str, tmp_path: Path) -> None:
    done = vireo(command, str(tmp_path))
    assert done.returncode == 3
    assert "there is no terminal to ask on; nothing was done" in done.stderr
    assert "--yes" in done.stderr


def test_an_error_is_json_for_a_program(tmp_path: Path) -> None:
    done = vireo("plan", "-o", "json", "--allow", "x", str(tmp_path))
    error = json.loads(done.stdout)
    assert error["event"] == "error"
    assert error["error"]["exit_code"] == done.returncode == 3
    assert "levels are: none, live" in error["error"]["hint"]
    assert done.stderr.startswith("Error: --allow x")


def test_a_bug_is_reported_in_three_lines_and_with_its_traceback_only_on_request() -> None:
    script = (
        "from reconciler.cli import app\n"
        "@app.app.command()\n"
        "def broken() -> int:\n    raise KeyError('surprise')\n"
        "app.run_process(['broken'])\n"
    )
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "this is a bug in Vireo: KeyError: 'surprise'" in done.stderr
    assert "Traceback" not in done.stderr
    loud = subprocess.run(run, cwd=ROOT, env={**os.environ, "VIREO_DEBUG": "1"}, capture_output=True, text=True, check=False)
    assert "Traceback" in loud.stderr


def test_a_reader_that_stops_reading_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m reconciler schema Domain | head -c 10"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert len(done.stdout) == 10


def test_schema_lists_the_kinds_and_prints_each() -> None:
    kinds = vireo("schema").stdout.split()
    assert {"Project", "Host", "Pool", "Volume", "Network", "Domain"} <= set(kinds)
    for kind in kinds:
        document = json.loads(vireo("schema", kind.lower()).stdout)
        assert document["properties"]["kind"]["const"] == kind


def test_init_writes_a_project_named_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "My Lab_2"
    done = vireo("init", str(folder))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        ".gitignore",
        "README.md",
        "hello.yaml",
        "project.yaml",
        "storage.yaml",
    ]
    assert "name: my-lab-2" in (folder / "project.yaml").read_text()
    assert not re.search("[A-Z]+_[A-Z]+", "".join(file.read_text() for file in folder.glob("*.yaml")))


def test_init_for_a_host_declares_it_and_puts_the_disks_where_its_daemon_may(tmp_path: Path) -> None:
    for uri, path in (
        ("qemu:///session", Path.home() / ".local/share/libvirt/images/lab"),
        ("qemu+ssh://root@node1/system", "/var/lib/libvirt/images/lab"),
    ):
        folder = tmp_path / uri.partition(":")[0] / "lab"
        vireo("init", str(folder), "-c", uri)
        assert f'uri: "{uri}"' in (folder / "hosts.yaml").read_text()
        assert f'path: "{path}"' in (folder / "storage.yaml").read_text()
        assert vireo("validate", str(folder)).returncode == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    done = vireo("init", str(tmp_path))
    assert done.returncode == 3
    assert "already there: README.md; nothing was written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_what_init_writes_is_valid(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    vireo("init", str(folder))
    done = vireo("validate", str(folder))
    assert (done.returncode, done.stdout) == (0, "OK: 3 resources in 2 files\n"), done.stderr
