"""What YAML means, where it stands, and what is refused."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import Problem
from reconciler.manifest import files, reader
from reconciler.manifest.files import File
from reconciler.model.resource import Document


def documents(text: str) -> list[Document]:
    problems: list[Problem] = []
    found = reader.parse(text, File("m.yaml", "m.yaml"), problems)
    assert problems == []
    return found


def problems_of(text: str) -> list[str]:
    problems: list[Problem] = []
    reader.parse(text, File("m.yaml", "m.yaml"), problems)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    "written, value",
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("off", "off"),
        ("true", True),
        ("false", False),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("190:20:30", "190:20:30"),
        ("010", 10),
        ("0o10", 8),
        ("0x10", 16),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("-7", -7),
        ("1.5", 1.5),
        ("9" * 5000, "9" * 5000),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
        ("null", None),
        ("~", None),
        ("'true'", "true"),
        ('"010"', "010"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(written: str, value: Any) -> None:
    (document,) = documents(f"a: {written}\n")
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


def test_a_key_is_always_text() -> None:
    (document,) = documents("on: 1\n010: 2\ntrue: 3\n")
    assert document.data == {"on": 1, "010": 2, "true": 3}


def test_every_key_and_item_has_its_place() -> None:
    text = "# a comment\n\nspec:\n  disks:\n    - {target: vda,\n       bus: ide}\n    - target: vdb\n---\nname: 'x'\n"
    first, second = documents(text)
    assert str(first.locate()) == "m.yaml:3:1"
    assert str(first.locate(("spec", "disks", 0, "bus"))) == "m.yaml:6:8"
    assert str(first.locate(("spec", "disks", 1))) == "m.yaml:7:7"
    assert str(first.locate(("spec", "disks", 1, "missing"))) == "m.yaml:7:7"
    assert str(second.locate(("name",))) == "m.yaml:9:1"


def test_a_block_text_knows_the_line_on_which_it_begins() -> None:
    (document,) = documents("a: 1\nspec:\n  xml: |\n    <one/>\n  other: 'x'\n")
    assert document.texts == {("spec", "xml"): 4}


def test_places_are_found_in_a_document_of_windows_and_with_wide_characters() -> None:
    (document,) = documents("größe: ä\r\nb:\r\n  - 日本: {ç: 1}\r\n")
    assert str(document.locate(("b", 0, "日本", "ç"))) == "m.yaml:3:10"


def test_empty_documents_are_passed_over() -> None:
    assert [d.data for d in documents("---\n# nothing\n---\na: 1\n---\n...\n---\n")] == [{"a": 1}]


def test_an_alias_repeats_its_value_and_keeps_the_place_where_it_is_written() -> None:
    (document,) = documents("base: &b\n  x: 1\ncopy: *b\n")
    assert document.data == {"base": {"x": 1}, "copy": {"x": 1}}
    assert str(document.locate(("copy",))) == "m.yaml:3:1"
    assert str(document.locate(("copy", "x"))) == "m.yaml:2:3"


def test_a_merge_key_fills_in_what_is_not_written() -> None:
    (document,) = documents("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n")
    assert document.data["b"] == {"y": 3, "x": 1}


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a: 1\n\tb: 2\n", "m.yaml:2:1: not valid YAML: a tab cannot indent YAML (indent with spaces)"),
        ("a:\n\tb: 2\n", "m.yaml:2:1: not valid YAML: a tab cannot indent YAML (indent with spaces)"),
        ("a:\n  -\tb: 2\n", "m.yaml:2:4: not valid YAML: a tab cannot indent YAML (indent with spaces)"),
        (
            "a: b: c\n",
            "m.yaml:1:5: not valid YAML: a ':' where none can stand (check the indentation, or put the text in quotes)",
        ),
        (
            "a: [1, 2\nb: 3\n",
            "m.yaml:2:2: not valid YAML: a ',' or the closing bracket is missing before this (close every [ and {)",
        ),
        ("a: 'x\n", "m.yaml:2:1: not valid YAML: the file ends within a quoted text (close the quotes)"),
        ("a: 1\na: 2\n", 'm.yaml:2:1: a: the key "a" is there twice (first on line 1) (keep one of them)'),
        ("a:\n  b: {c: 1, c: 2}\n", 'm.yaml:2:13: a.b.c: the key "c" is there twice (first on line 2) (keep one of them)'),
        ("a: !!python/name:os.system x\n", "m.yaml:1:4: a: the tag tag:yaml.org,2002:python/name:os.system is not allowed"),
        ("a: !x [1]\n", "m.yaml:1:4: a: the tag !x is not allowed (write plain values)"),
        ("a: *b\n", "m.yaml:1:4: a: the alias *b names nothing above it (mark a value with &b, or quote the text)"),
        ("a: &b [*b]\n", "m.yaml:1:8: a: the alias *b stands inside of what it names"),
        ("a: {{ x }}\n", "m.yaml:1:5: a: a key must be plain text (a text that begins with { or [ needs quotes)"),
        ("? [a]\n: b\n", "m.yaml:1:3: a key must be plain text (a text that begins with { or [ needs quotes)"),
        ("a: x\x07y\n", "m.yaml:1:5: the control character U+0007 (delete it)"),
        ('a: "x\\x07"\n', "m.yaml:1:4: a: the text holds U+0007, which XML cannot hold (leave it out)"),
        ("a: @x\n", "m.yaml:1:4: not valid YAML: a text cannot begin with this character (put the text in quotes)"),
        ("a: &x 1\nb:\n  <<: *x\n", "m.yaml:2:1: b: << needs a mapping (write <<: *name)"),
    ],
)
def test_what_is_wrong_is_named_at_its_place(text: str, problem: str) -> None:
    found = problems_of(text)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_what_stands_before_the_error_is_kept_and_duplicates_are_all_named() -> None:
    problems: list[Problem] = []
    found = reader.parse("a: 1\n---\nb: 1\nb: 2\nb: 3\n---\n[\n", File("m.yaml", ""), problems)
    assert [document.data for document in found] == [{"a": 1}, {"b": 3}]
    assert [problem.line for problem in problems] == [4, 5, 8]


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    begin = time.perf_counter()
    (problem,) = problems_of("\n".join(lines))
    assert "the aliases of this file repeat more than 20000 values" in problem
    assert time.perf_counter() - begin < 2


def test_nesting_without_end_is_refused() -> None:
    (problem,) = problems_of("a: " + "[" * 200_000)
    assert "nested deeper than 64 levels" in problem


def test_a_thousand_documents_are_read_in_a_moment() -> None:
    one = (
        "kind: Domain\nmetadata: {name: x}\nspec:\n" + "".join(f"  field{n}: {{a: 1, b: [x, y]}}\n" for n in range(15)) + "---\n"
    )
    begin = time.perf_counter()
    assert len(documents(one * 1000)) == 1000
    assert time.perf_counter() - begin < 5  # takes 0.3 s on an idle machine


# --- files ------------------------------------------------------------------------------------------------------


def read(*paths: str) -> tuple[list[Document], list[str]]:
    problems: list[Problem] = []
    found = reader.read(paths, problems)
    return found, [str(problem) for problem in problems]


def test_a_folder_is_read_recursively_in_order_without_what_is_hidden(folder: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", ".hidden.yaml", ".git/d.yaml", "notes.txt"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x: 1\n")
    found, problems = read(".")
    assert [document.file for document in found] == ["a.yml", "b.yaml", "sub/c.yaml"]
    assert problems == []


def test_a_loop_of_symbolic_links_ends_and_no_file_is_read_twice(folder: Path) -> None:
    (folder / "a.yaml").write_text("x: 1\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "again.yaml").symlink_to(folder / "a.yaml")
    found, problems = read(".", "a.yaml", "sub/../a.yaml")
    assert [document.file for document in found] == ["a.yaml"]
    assert problems == []


def test_files_are_named_as_the_user_named_them_or_from_the_current_directory(folder: Path) -> None:
    (folder / "a.yaml").write_text("x: 1\n")
    (folder.parent / "b.yaml").write_text("x: 1\n")
    found, _ = read(str(folder / "a.yaml"), "../b.yaml")
    assert [document.file for document in found] == ["a.yaml", "../b.yaml"]
    found, _ = read(str(folder.parent / "b.yaml"))
    assert [document.file for document in found] == [str(folder.parent / "b.yaml")]


def test_a_missing_path_and_a_folder_without_manifests_are_errors(folder: Path) -> None:
    (folder / "empty").mkdir()
    found, problems = read("nowhere", "empty")
    assert found == []
    assert problems == [
        "nowhere:1:1: no such file or folder (check the path)",
        "empty:1:1: no manifest in this folder (manifests are files named *.yaml or *.yml)",
    ]


def test_a_file_of_ten_megabytes_is_refused_unread(folder: Path) -> None:
    with (folder / "big.yaml").open("wb") as stream:
        stream.truncate(10 * 1024 * 1024)
    assert read("big.yaml") == (
        [],
        ["big.yaml:1:1: larger than 4 MiB: not read (is this a manifest? split it into several files)"],
    )


def test_a_device_without_end_is_refused() -> None:
    _, problems = read("/dev/zero")
    assert problems == ["/dev/zero:1:1: larger than 4 MiB: not read (is this a manifest? split it into several files)"]


def test_what_is_not_utf8_is_named_by_byte_and_place(folder: Path) -> None:
    (folder / "m.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    assert read("m.yaml") == ([], ["m.yaml:2:4: not UTF-8 text (byte 0xe9) (save the file as UTF-8)"])


def test_a_byte_order_mark_is_no_part_of_the_text(folder: Path) -> None:
    (folder / "m.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read("m.yaml")[0][0].data == {"a": 1}


def test_a_dangling_link_is_an_error_and_the_other_files_are_read(folder: Path) -> None:
    (folder / "a.yaml").symlink_to(folder / "gone.yaml")
    (folder / "b.yaml").write_text("x: 1\n")
    found, problems = read(".")
    assert len(found) == 1
    assert problems == ["a.yaml:1:1: cannot be read: No such file or directory"]


def test_a_relative_path_starts_from_the_manifest(folder: Path) -> None:
    assert files.absolute("./disk.img", "sub/m.yaml") == os.path.join(folder, "sub", "disk.img")  # noqa: PTH118
    assert files.absolute("/srv/disk.img", "sub/m.yaml") == "/srv/disk.img"


@pytest.mark.parametrize("text", ["", " \n\n"])
def test_an_empty_file_is_an_error_and_never_an_empty_set(text: str) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith("m.yaml:1:1: the file is empty")
