"""Network verbs on a real host, each of them repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libvirt
import pytest

from reconciler.errors import HostError
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.model.state import Desired
from reconciler.xmltree.mark import digest
from tests.driving import Hands, desired

UUID = "11111111-2222-5333-8444-555555555555"


@pytest.fixture
def hands(host_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Hands(session)


def network(address: str = "10.88.0.1", inner: str = "", **options: object) -> Desired:
    xml = f"<network><name>lan</name><uuid>{UUID}</uuid>{inner}<ip address='{address}' prefix='24'/></network>"
    return desired("Network", "lan", xml, **options)


def test_a_network_through_its_life_with_each_verb_repeated(hands: Hands) -> None:
    want = network(autostart=True)
    hands.list_as(want)
    hands.twice(Verb.DEFINE, want)
    hands.twice(Verb.START, want)
    hands.twice(Verb.AUTOSTART, want)
    there = hands.conn.networkLookupByName("lan")
    assert (there.UUIDString(), there.isActive(), there.autostart()) == (UUID, 1, 1)
    mark = hands.settle(want)
    assert mark.readback == digest(there.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE))
    assert mark.live == digest(there.XMLDesc(0))
    hands.twice(Verb.STOP, want, uuid=UUID)
    assert not there.isActive()
    hands.twice(Verb.UNDEFINE, want, uuid=UUID)
    assert hands.conn.listAllNetworks() == []


def test_a_redefinition_keeps_bridge_and_mac_and_takes_effect_at_restart(hands: Hands) -> None:
    hands.list_as(network())
    hands.do(Verb.DEFINE, network())
    hands.do(Verb.START, network())
    there = hands.conn.networkLookupByName("lan")
    before = re.findall(r"<bridge name='.*?'|<mac .*?/>", there.XMLDesc())
    changed = network("10.89.0.1", "<domain name='lan.example'/>")
    hands.twice(Verb.DEFINE, changed, uuid=UUID, intent=network().xml)
    assert "10.88.0.1" in there.XMLDesc()
    hands.do(Verb.RESTART, changed, uuid=UUID)
    after = there.XMLDesc()
    assert "10.89.0.1" in after
    assert "10.88.0.1" not in after
    assert len(before) == 2
    assert re.findall(r"<bridge name='.*?'|<mac .*?/>", after) == before


def test_what_the_schema_does_not_know_is_refused(hands: Hands) -> None:
    hands.list_as(network())
    with pytest.raises(HostError, match="schema"):
        hands.do(Verb.DEFINE, network(inner="<bogus/>"))
    assert hands.conn.listAllNetworks() == []
