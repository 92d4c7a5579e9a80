from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import Problem
from reconciler.manifest import reader, writer
from reconciler.manifest.scalar import UNPRINTABLE

# What an XML document can hold, and what other readers of YAML could take for something else.
texts = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=40).filter(lambda text: not UNPRINTABLE.search(text)),
    st.text(alphabet=st.sampled_from("ab:#-?,[]{}&*!|>'\"%@` \n\t\\0x~=<é\u2028\ufeff\x85"), max_size=30),
    st.sampled_from(["", "~", "null", "true", "no", "On", "y", "010", "0x1f", "0o7", "1e3", ".5", "1_0", "-", "- a", "<<", "="]),
    st.sampled_from(["52:54:00:11:22:33", "10:20:30", "2026-01-01", "10.7.0.1", "a: b", "a #b", "|"]),
    st.sampled_from(["a\n", "a\n\n", "\na", " a\nb", "a \nb", "a\tb\nc"]),
)
values = st.recursive(
    st.one_of(texts, st.integers(-(10**12), 10**12), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=9), st.dictionaries(texts.filter(bool), inner, max_size=6)),
    max_leaves=40,
)


def read_back(text: str) -> Any:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.yaml"
        path.write_text(text, encoding="utf-8", newline="")
        problems: list[Problem] = []
        documents = reader.read([str(path)], problems)
    assert problems == [], text
    [found] = documents
    return found.data


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(texts.filter(bool), values, min_size=1, max_size=8))
def test_our_reader_gives_back_what_was_written(spec: dict[str, Any]) -> None:
    data = {"kind": "Domain", "spec": spec}
    assert read_back(writer.document(data)) == data


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts.filter(bool), texts, min_size=1, max_size=8))
def test_a_reader_of_yaml_1_1_takes_a_text_for_the_same_text(spec: dict[str, Any]) -> None:
    data = {"spec": {f"k{number}": text for number, text in enumerate(spec.values())}}
    assert yaml.safe_load(writer.document(data)) == data


def test_short_things_stand_in_one_line_and_long_ones_in_blocks() -> None:
    ports = [{"type": "pci", "index": number, "model": "pcie-root-port"} for number in range(1, 8)]
    long = {"file": "/var/lib/libvirt/images/" + "x" * 100, "target": "vdb"}
    spec = {
        "memory": "2GiB",
        "features": ["acpi", {"vmport": False}],
        "disks": [{"target": "vda", "file": "/a.img"}, long],
        "controllers": ports,
        "xml": "<domain>\n</domain>\n",
    }
    assert writer.document({"kind": "Domain", "spec": spec}, {"xml": "What has no field."}, "On top").splitlines() == [
        "# On top",
        "kind: Domain",
        "spec:",
        "  memory: 2GiB",
        "  features: [acpi, {vmport: false}]",
        "  disks:",
        "    - {target: vda, file: /a.img}",
        f"    - file: {long['file']}",
        "      target: vdb",
        "  controllers:",
        *(
            f"    {'[' if n == 1 else ' '}{{type: pci, index: {n}, model: pcie-root-port}}, "
            f"{{type: pci, index: {n + 1}, model: pcie-root-port}},"
            for n in (1, 3, 5)
        ),
        "     {type: pci, index: 7, model: pcie-root-port}]",
        "  # What has no field.",
        "  xml: |",
        "    <domain>",
        "    </domain>",
    ]


@pytest.mark.parametrize("text", ["10.7.0.1", "node-1.example", "/dev/vg/root", "qcow2", "hello world"])
def test_plain_words_need_no_quotes(text: str) -> None:
    assert writer.scalar(text) == text


@pytest.mark.parametrize("text", ["52:54:00:11:22:33", "off", "010", "1.5", "a: b", "", "2026-01-01", "'x'"])
def test_what_could_be_taken_for_something_else_is_quoted(text: str) -> None:
    assert writer.scalar(text).startswith('"')
