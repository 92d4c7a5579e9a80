"""Pool, volume and network verbs on the test driver, each of them repeated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import HostError, LibvirtCallError, NotOursError
from reconciler.host.drivers.making import create
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.model.state import Desired
from tests.driving import Hands, desired, domain_xml

UUID = "11111111-2222-5333-8444-555555555555"
OTHER = "99999999-2222-5333-8444-555555555555"


@pytest.fixture
def hands(test_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", test_uri)) as session:
        yield Hands(session)


def pool(uuid: str = UUID, **options: object) -> Desired:
    xml = f"<pool type='dir'><name>images</name><uuid>{uuid}</uuid><target><path>/srv/images</path></target></pool>"
    return desired("Pool", "images", xml, **options)


def network(uuid: str = UUID, domain: str = "lan", **options: object) -> Desired:
    xml = (
        f"<network><name>lan</name><uuid>{uuid}</uuid><bridge name='virbr7'/><domain name='{domain}'/>"
        "<ip address='10.7.0.1' prefix='24'/></network>"
    )
    return desired("Network", "lan", xml, **options)


def define_raw(hands: Hands, want: Desired) -> Any:
    """Somebody else's definition."""
    return hands.conn.storagePoolDefineXML(want.xml) if want.id.kind == "Pool" else hands.conn.networkDefineXML(want.xml)


def volume(name: str = "a.qcow2", size: int = 10, **options: object) -> Desired:
    xml = f"<volume><name>{name}</name><capacity unit='MiB'>{size}</capacity><target><format type='qcow2'/></target></volume>"
    return desired("Volume", name, xml, pool="images", **options)


@pytest.mark.parametrize("want", [pool(autostart=True), network(autostart=True)], ids=["pool", "network"])
def test_a_whole_life_with_each_verb_repeated(hands: Hands, want: Desired) -> None:
    hands.list_as(want)
    hands.twice(Verb.DEFINE, want)
    lookup = hands.conn.storagePoolLookupByName if want.id.kind == "Pool" else hands.conn.networkLookupByName
    assert lookup(want.id.name).UUIDString() == UUID
    hands.twice(Verb.START, want)
    hands.twice(Verb.AUTOSTART, want)
    assert (lookup(want.id.name).isActive(), lookup(want.id.name).autostart()) == (1, 1)
    hands.twice(Verb.RESTART, want)
    assert lookup(want.id.name).isActive()
    mark = hands.settle(want)
    assert mark.uuid == UUID
    assert mark.readback
    hands.twice(Verb.STOP, want, uuid=UUID)
    assert not lookup(want.id.name).isActive()
    hands.twice(Verb.UNDEFINE, want, uuid=UUID)
    assert hands.conn.listAllStoragePools() == hands.conn.listAllNetworks() == []


@pytest.mark.parametrize("verb", [Verb.DEFINE, Verb.STOP, Verb.RESTART, Verb.UNDEFINE])
@pytest.mark.parametrize("want", [pool(), network()], ids=["pool", "network"])
def test_what_the_inventory_does_not_list_is_left_alone(hands: Hands, want: Desired, verb: Verb) -> None:
    foreign = define_raw(hands, want)
    foreign.create()
    with pytest.raises(NotOursError, match="not in the inventory"):
        hands.do(verb, want, uuid=UUID)
    assert foreign.isActive()
    assert foreign.isPersistent()


@pytest.mark.parametrize("want", [pool(), network()], ids=["pool", "network"])
def test_a_listed_name_that_another_object_has_now_is_left_alone(hands: Hands, want: Desired) -> None:
    hands.list_as(want, UUID, pending=False)
    other = pool(OTHER) if want.id.kind == "Pool" else network(OTHER)
    foreign = define_raw(hands, other)
    with pytest.raises(NotOursError, match="another object has this name"):
        hands.do(Verb.DEFINE, want, uuid=UUID)
    hands.do(Verb.UNDEFINE, want, uuid=UUID)
    with pytest.raises(NotOursError, match="another object has this name"):
        hands.do(Verb.UNDEFINE, want, uuid=OTHER)
    assert foreign.isPersistent()


def test_a_volume_is_created_once_and_deleted_once(hands: Hands) -> None:
    hands.list_as(pool())
    hands.do(Verb.DEFINE, pool())
    with pytest.raises(HostError, match="the pool images is not active"):
        hands.do(Verb.CREATE, volume())
    hands.do(Verb.START, pool())
    hands.list_as(volume())
    hands.twice(Verb.CREATE, volume())
    there = hands.conn.storagePoolLookupByName("images").storageVolLookupByName("a.qcow2")
    assert hands.settle(volume()).uuid == there.key()
    hands.twice(Verb.RESIZE, volume(), uuid=there.key())
    hands.twice(Verb.DELETE, volume(), uuid=there.key())
    assert hands.conn.storagePoolLookupByName("images").numOfVolumes() == 0


def test_a_foreign_volume_is_neither_taken_nor_deleted(hands: Hands) -> None:
    hands.list_as(pool())
    hands.do(Verb.DEFINE, pool())
    hands.do(Verb.START, pool())
    hands.conn.storagePoolLookupByName("images").createXML(volume().xml)
    for verb in (Verb.CREATE, Verb.DELETE, Verb.RESIZE):
        with pytest.raises(NotOursError):
            hands.do(verb, volume())
    assert hands.conn.storagePoolLookupByName("images").numOfVolumes() == 1


def test_a_driver_that_cannot_upload_says_so_and_leaves_nothing(hands: Hands, tmp_path: object) -> None:
    hands.list_as(pool())
    hands.do(Verb.DEFINE, pool())
    hands.do(Verb.START, pool())
    file = f"{tmp_path}/node.xml"
    xml = "<volume><name>a.raw</name><target><format type='raw'/></target></volume>"
    want = desired("Volume", "a.raw", xml, pool="images", upload={"path": file})
    hands.list_as(want)
    with pytest.raises(LibvirtCallError):
        create(hands.step(Verb.CREATE, want))
    assert hands.conn.storagePoolLookupByName("images").numOfVolumes() == 0


def test_a_running_network_is_updated_and_its_simulated_guests_need_no_plug(hands: Hands) -> None:
    dhcp = "<dhcp><range start='10.7.0.100' end='10.7.0.110'/><host mac='52:54:00:00:00:01' ip='10.7.0.{}'/></dhcp></ip>"
    before, after = (
        replace(network(), xml=network().xml.replace("prefix='24'/>", f"prefix='24'>{dhcp.format(last)}")) for last in (11, 12)
    )
    hands.list_as(before)
    hands.do(Verb.DEFINE, before)
    hands.do(Verb.START, before)
    nic = "<interface type='network'><source network='lan'/></interface>"
    hands.conn.createXML(domain_xml("guest", OTHER, kind="test", devices=nic).replace("x86_64", "i686"))
    hands.do(Verb.DEFINE, after, uuid=UUID, intent=before.xml)
    there = hands.conn.networkLookupByName("lan")
    assert "10.7.0.11'" in there.XMLDesc()
    hands.twice(Verb.UPDATE, after, uuid=UUID, intent=before.xml, paths=("ip[10.7.0.1]/dhcp/host[52:54:00:00:00:01]/@ip",))
    assert "10.7.0.12'" in there.XMLDesc()
    assert hands.refused == {}
    hands.twice(Verb.RESTART, after, uuid=UUID)
    assert there.isActive()
    assert [n.name() for n in hands.conn.listAllNetworks()] == ["lan"]
