"""Which files are manifests: what cannot be read is a problem, never an empty set."""

from __future__ import annotations

from pathlib import Path

from reconciler.errors import Problem
from reconciler.manifest.files import find


def test_a_link_to_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")
    (tmp_path / "more").symlink_to(tmp_path / "not mounted")
    problems: list[Problem] = []
    assert [file.name for file in find([str(tmp_path)], problems)] == [str(tmp_path / "a.yaml")]
    assert [(problem.file, problem.message) for problem in problems] == [(str(tmp_path / "more"), "a link to what is not there")]


def test_links_that_nobody_reads_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")
    (tmp_path / ".#a.yaml").symlink_to("user@host.1234")
    (tmp_path / "notes.txt").symlink_to(tmp_path / "a.yaml")
    problems: list[Problem] = []
    assert len(find([str(tmp_path)], problems)) == 1
    assert not problems
