"""Our mark: what is written is read back, and what somebody else made of it does no harm."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark
from reconciler.xmltree.document import parse, serialize
from reconciler.xmltree.mark import digest, read, strip, write

words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
marks = st.builds(
    Mark,
    project=words,
    id=st.builds(ResourceId, st.sampled_from(list(KINDS)), words, st.just("h"), st.just("") | words),
    uuid=words,
    digest=words,
    readback=st.just("") | words,
    live=st.just("") | words,
    xml=texts,
    state=texts,
    autostart=st.none() | st.booleans(),
    options=st.dictionaries(texts, plain, max_size=4),
    normalised=st.dictionaries(texts, st.none() | texts, max_size=4),
    pending=st.booleans(),
    protect=st.booleans(),
)
SIMPLE = Mark("p", ResourceId("Domain", "d", "h"), "u", digest="x", xml="<domain/>", state="running", options={"a": 1})


@given(marks)
def test_what_was_written_is_read_back(mark: Mark) -> None:
    text = write(mark)
    assert read(text, "h") == mark
    assert read(f"<domain><name>x</name><metadata>\n{text}\n</metadata></domain>", "h") == mark


@given(marks)
def test_a_mark_is_xml_and_survives_being_written_anew(mark: Mark) -> None:
    again = serialize(parse(f"<domain><metadata>{write(mark)}</metadata></domain>"))
    assert read(again, "h") == mark


def test_a_mark_is_found_as_libvirt_gives_it_back_without_its_prefix() -> None:
    text = write(SIMPLE)
    bare = text.replace("vireo:resource", "resource").replace("xmlns:vireo", "xmlns")
    assert read(bare, "h") == SIMPLE
    undeclared = text.replace(' xmlns:vireo="urn:vireo:1"', "")
    assert read(undeclared, "h") == SIMPLE


@given(st.binary(max_size=200))
def test_damaged_content_is_none(junk: bytes) -> None:
    content = base64.b64encode(junk).decode()
    read(f"<vireo:resource xmlns:vireo='urn:vireo:1' project='p' name='n'>{content}</vireo:resource>")


@given(st.data())
def test_a_mark_with_any_character_changed_is_read_or_is_none(data: st.DataObject) -> None:
    text = write(SIMPLE)
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(exclude_categories=["Cs"]))
    found = read(text[:place] + character + text[place + 1 :])
    assert found is None or isinstance(found, Mark)


@given(st.data())
def test_a_mark_that_was_cut_off_is_none(data: st.DataObject) -> None:
    text = write(SIMPLE)
    assert read(text[: data.draw(st.integers(0, len(text) - 1))]) is None


def holding(content: Any) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(content).encode())).decode()
    return f"<vireo:resource xmlns:vireo='urn:vireo:1' project='p' kind='Domain' name='n'>{packed}</vireo:resource>"


@pytest.mark.parametrize(
    "content",
    [
        [],
        "text",
        None,
        {"options": "no mapping"},
        {"options": [1]},
        {"normalised": 7},
        {"xml": ["x"]},
        {"xml": 5, "state": {}},
        {"autostart": "yes"},
        {"autostart": {}},
        {"xml": None},
        {"options": None},
    ],
)
def test_content_of_another_form_gives_a_mark_of_the_right_form_or_none(content: Any) -> None:
    found = read(holding(content))
    if found is not None:
        assert isinstance(found.xml, str)
        assert isinstance(found.state, str)
        assert found.autostart in (None, True, False)
        assert isinstance(found.normalised, dict)
        assert isinstance(found.options, dict)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<domain/>",
        "<vireo:resource",
        "<vireo:resource xmlns:vireo='urn:vireo:1'/>",
        "<vireo:resource xmlns:vireo='urn:vireo:1' name='n'/>",
        "<vireo:resource xmlns:vireo='urn:vireo:1' project='p'/>",
        "<vireo:resource xmlns:vireo='urn:other' project='p' name='n'/>",
        "<vireo:resource xmlns:vireo='urn:vireo:1' project='p' name='n'>&e;</vireo:resource>",
        "<vireo:resource xmlns:vireo='urn:vireo:1' project='p' name='n'><b/></resource>",
        "<vireo:resource xmlns:vireo='urn:vireo:1' project='p' name='n'>not base64 !</vireo:resource>",
    ],
)
def test_what_is_no_mark_is_none(text: str) -> None:
    assert read(text) is None


def test_content_that_unpacks_without_end_is_none_and_costs_no_memory() -> None:
    packed = base64.b64encode(zlib.compress(b" " * 200_000_000)).decode()
    tracemalloc.start()
    found = read(f"<vireo:resource xmlns:vireo='urn:vireo:1' project='p' name='n'>{packed}</vireo:resource>")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found is None
    assert most < 32 * 1024 * 1024


def test_entities_in_a_mark_are_not_resolved() -> None:
    text = "<!DOCTYPE d [<!ENTITY e 'x'>]><domain><metadata>" + write(SIMPLE).replace(">", ">&e;", 1) + "</metadata></domain>"
    assert read(text) is None


def test_the_digest_of_a_definition_does_not_see_metadata() -> None:
    with_mark = f"<domain>\n  <metadata>{write(SIMPLE)}</metadata>\n  <name>d</name></domain>"
    assert digest(with_mark) == digest("<domain>\n  <metadata/>\n  <name>d</name></domain>")
    assert digest(with_mark) != digest("<domain>\n  <name>e</name></domain>")
    assert "vireo" not in strip(with_mark)


def test_content_that_is_nested_without_end_is_none() -> None:
    packed = base64.b64encode(zlib.compress(b"[" * 200_000)).decode()
    assert read(f"<vireo:resource xmlns:vireo='urn:vireo:1' project='p' name='n'>{packed}</vireo:resource>") is None
