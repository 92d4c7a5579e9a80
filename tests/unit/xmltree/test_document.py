"""Reading XML that somebody else wrote: nothing in it reaches the machine, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.xmltree.document import XmlError, parse, serialize

LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
BOMB = f"<!DOCTYPE x [<!ENTITY l0 'ha'>{LAUGHS}]><x>&l9;</x>"


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "<!DOCTYPE x SYSTEM 'http://192.0.2.1/x.dtd'><x/>",
        "<!DOCTYPE x><x/>",
        "<!DOCTYPE x [<!ENTITY e 'text'>]><x>&e;</x>",
        "<!DOCTYPE x [<!ATTLIST x a CDATA 'default'>]><x/>",
    ],
)
def test_a_document_type_is_refused(text: str) -> None:
    with pytest.raises(XmlError):
        parse(text)


def test_no_file_of_the_machine_gets_into_a_document(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    with pytest.raises(XmlError) as caught:
        parse(f"<!DOCTYPE x [<!ENTITY e SYSTEM '{secret.as_uri()}'>]><x>&e;</x>")
    assert "do not tell" not in str(caught.value)


def test_an_undeclared_entity_is_an_error_with_its_line() -> None:
    with pytest.raises(XmlError) as caught:
        parse("<x>\n\n&nothing;</x>")
    assert caught.value.line == 3


@pytest.mark.parametrize("text", ["", "   ", "no xml", "<a>", "<a></b>", "<a/><b/>", "<a x='1' x='2'/>", "<a>\x00</a>", "<p:a/>"])
def test_what_is_not_well_formed_is_an_error(text: str) -> None:
    with pytest.raises(XmlError):
        parse(text)


def test_nesting_without_end_is_an_error() -> None:
    with pytest.raises(XmlError):
        parse("<a>" * 5000 + "</a>" * 5000)


def test_comments_and_instructions_are_left_out_and_text_is_kept() -> None:
    assert serialize(parse("<a><!-- c --><?p i?><b> t &amp; u </b></a>"), pretty=False) == "<a><b> t &amp; u </b></a>"


def test_what_was_written_reads_back_equal() -> None:
    text = "<a xmlns:q='urn:q'><q:b x='&quot;&lt;&#10;'>é𝄞</q:b></a>"
    once = serialize(parse(text))
    assert serialize(parse(once)) == once
