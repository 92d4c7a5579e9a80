"""Secret values reach libvirt and nobody else."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import VireoError
from reconciler.host.drivers.placeholders import reveal
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.xmltree.document import parse
from tests.driving import Hands, desired, domain_xml

UUID = "11111111-2222-5333-8444-555555555555"
STAND_IN = "vireo-secret-0123456789abcdef"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1)


@pytest.fixture
def hands(test_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", test_uri)) as session:
        yield Hands(session)


@given(TEXT | st.just("a\nb\tc'\"<&>"))
def test_any_value_comes_out_as_it_went_in(value: str) -> None:
    xml = reveal(f"<a b='{STAND_IN}' c=\"{STAND_IN}\"><d>{STAND_IN}</d></a>", {STAND_IN: value})
    root = parse(xml)
    assert (root.get("b"), root.get("c"), root.findtext("d")) == (value, value, value)


def test_a_value_that_looks_like_a_placeholder_is_not_replaced_again() -> None:
    assert reveal("<a>one</a>", {"one": "two", "two": "three"}) == "<a>two</a>"


def test_a_password_is_in_the_definition_and_not_in_the_mark(hands: Hands) -> None:
    devices = f"<graphics type='vnc' passwd='{STAND_IN}'/>"
    want = desired("Domain", "web1", domain_xml("web1", UUID, "test", devices=devices), secrets={STAND_IN: "s3cr<t"})
    hands.do(Verb.DEFINE, want)
    domain = hands.conn.lookupByName("web1")
    assert "passwd='s3cr&lt;t'" in domain.XMLDesc(1)
    assert "s3cr" not in domain.XMLDesc(0)
    hands.do(Verb.START, want)
    hands.settle(want, UUID)
    assert "s3cr" not in domain.XMLDesc(0)


@pytest.mark.parametrize("verb", [Verb.DEFINE, Verb.CREATE])
def test_an_error_of_libvirt_does_not_repeat_a_secret(hands: Hands, verb: Verb) -> None:
    xml = domain_xml("web1", UUID, "test").replace("type='test'", f"type='{STAND_IN}'")
    want = desired("Domain", "web1", xml, secrets={STAND_IN: "hunter&2"}, validate=False)
    with pytest.raises(VireoError) as caught:
        hands.do(verb, want)
    error = caught.value
    assert "***" in error.detail
    shown = "".join(traceback.format_exception(error)) + error.summary + error.detail + error.hint + repr(want)
    assert "hunter" not in shown
