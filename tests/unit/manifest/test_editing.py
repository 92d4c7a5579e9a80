"""One value of a manifest changed in its file, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.manifest import editing, reader

PATH = ("spec", "host")
HEAD = "apiVersion: vireo/v1\nkind: Domain\nmetadata: {name: web1}\n"


def edit(file: Path, text: str, new: str = "node2", *, document: int = 0) -> str:
    file.write_bytes(text.encode())
    documents = reader.read([str(file)], [])
    editing.replace_text(documents[document], PATH, new)
    return file.read_bytes().decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "web1.yaml"


@pytest.mark.parametrize(
    "spec",
    [
        "spec:\n  host: node1   # in the attic\n  memory: 1GiB\n",
        "spec: {memory: 1GiB, host: node1}  # short\n",
        "spec:\n  host:\n    node1\n",
        "spec:\n  'host': node1\n",
        "# über alles\nspec:\r\n  host: node1\r\n",
        "spec: &all\n  host: node1\n",
    ],
)
def test_everything_but_the_value_stays_as_it_was(file: Path, spec: str) -> None:
    text = HEAD + spec
    assert edit(file, text) == text.replace("node1", "node2")


def test_quotes_go_where_they_are_not_needed_and_come_where_they_are(file: Path) -> None:
    assert edit(file, HEAD + "spec: {host: 'node1'}\n") == HEAD + "spec: {host: node2}\n"
    assert edit(file, HEAD + "spec: {host: node1}\n", "1") == HEAD + 'spec: {host: "1"}\n'


def test_of_several_documents_the_right_one_is_changed(file: Path) -> None:
    first = HEAD + "spec: {host: node1}\n---\n"
    other = HEAD.replace("web1", "web2") + "spec: {host: node1}\n"
    assert edit(file, first + other, document=1) == first + other.replace("node1", "node2")


@pytest.mark.parametrize(
    "spec",
    [
        "spec: {title: &where node1, host: *where}\n",
        "spec: {host: &where node1, title: *where}\n",
        "spec:\n  <<: {host: node1}\n",
    ],
    ids=["an alias", "what others refer to", "merged"],
)
def test_what_would_change_more_is_left_to_the_author(file: Path, spec: str) -> None:
    file.write_text(HEAD + spec)
    with pytest.raises(UsageError, match=r"web1.yaml:4:.* cannot be changed without changing more") as failed:
        edit(file, HEAD + spec)
    assert failed.value.hint == "change it to node2 yourself"
    assert file.read_text() == HEAD + spec


def test_a_file_that_changed_since_it_was_read_is_not_touched(file: Path) -> None:
    file.write_text(HEAD + "spec: {host: node1}\n")
    (document,) = reader.read([str(file)], [])
    file.write_text(HEAD + "spec: {host: node1, memory: 1GiB}\n")
    with pytest.raises(UsageError):
        editing.replace_text(document, PATH, "node2")
    assert "node2" not in file.read_text()


def test_rights_and_links_stay(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    file.write_text("")
    file.chmod(0o640)
    edit(link, HEAD + "spec: {host: node1}\n")
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []
