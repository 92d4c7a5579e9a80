"""A network changes while a guest is connected: the tap stays in the bridge, live and persistent agree, nothing is left to do."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import libvirt
import pytest

from tests.lab.nodes import Lab
from tests.qemu.conftest import DOMAIN, Vireo, manifest
from tests.qemu.live_rows import rows_of, shows

INACTIVE = libvirt.VIR_NETWORK_XML_INACTIVE
MAC1, MAC2, MAC3 = (f"52:54:00:00:00:0{n}" for n in (1, 2, 3))
SIX = "0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66"

NETWORK = manifest(
    "Network",
    "lan",
    {
        "mode": "isolated",
        "state": "active",
        "bridge": "vlb-lan",
        "addresses": [
            {"address": "10.6.0.1", "prefix": 24},
            {
                "address": "10.7.0.1",
                "prefix": 24,
                "dhcp": {
                    "ranges": [{"start": "10.7.0.100", "end": "10.7.0.110"}],
                    "hosts": [
                        {"mac": MAC1, "ip": "10.7.0.11", "name": "one"},
                        {"mac": MAC2, "ip": "10.7.0.12", "name": "two"},
                    ],
                },
            },
            {"address": "fd00:7::1", "prefix": 64, "dhcp": {"hosts": [{"id": SIX, "ip": "fd00:7::11"}]}},
        ],
        "dns": {
            "hosts": [{"ip": "10.7.0.1", "names": ["gate"]}, {"ip": "10.7.0.2", "names": ["door"]}],
            "txt": [{"name": "who", "value": "lan"}],
            "srv": [{"service": "sip", "protocol": "tcp", "target": "gate.example", "port": 5060}],
        },
        "portgroups": [{"name": "one", "default": True}, {"name": "two"}],
    },
)


class Connected:
    """A running guest on the network `lan` of a project."""

    def __init__(self, vireo: Vireo, lab: Lab, network: dict[str, Any] = NETWORK) -> None:
        self.vireo, self.lab = vireo, lab
        domain = copy.deepcopy(DOMAIN)
        del domain["spec"]["disks"]
        vireo.add(network, domain)
        vireo.apply()
        self.network = vireo.connection.networkLookupByName("lan")
        assert self.masters() == ["vlb-lan"], "the guest is not connected: the test shows nothing"
        self.plugged = self.tap_indexes()

    @property
    def spec(self) -> dict[str, Any]:
        return self.vireo.spec("Network/lan")

    @property
    def dhcp(self) -> dict[str, Any]:
        found: dict[str, Any] = self.spec["addresses"][1]["dhcp"]
        return found

    def taps(self, name: str = "web1") -> list[str]:
        return re.findall(r"<target dev='(vnet\d+)'", self.vireo.domain(name).XMLDesc())

    def masters(self, name: str = "web1") -> list[str]:
        """The bridges that the guest's taps are in; "" for one that is in none."""
        script = 'for tap; do basename "$(readlink "/sys/class/net/$tap/master")"; done'
        return self.lab.run(1, ["sh", "-c", script, "sh", *self.taps(name)]).stdout.splitlines()

    def dnsmasq(self) -> str:
        """Everything that the network's dnsmasq is told: its configuration, hosts and names."""
        folder = self.lab.directory / "node1" / "lib" / "dnsmasq"
        return "\n".join(path.read_text() for path in sorted(folder.glob("lan.*")))

    def agree(self) -> None:
        """The running network is what its definition says."""
        live, persistent = (ElementTree.fromstring(self.network.XMLDesc(flags)) for flags in (0, INACTIVE))
        live.attrib.pop("connections", None)
        assert _plain(live) == _plain(persistent)

    def assert_done_without_a_cut(self, index: int) -> None:
        """The kernel's numbers say that the bridge and the guest's tap are the same devices: nobody made them anew."""
        assert self.bridge_index() == index
        assert self.masters() == ["vlb-lan"]
        assert self.tap_indexes() == self.plugged
        self.agree()
        self.vireo.assert_in_sync()

    def tap_indexes(self) -> list[str]:
        """The numbers of the guest's taps in the kernel."""
        script = 'for tap; do cat "/sys/class/net/$tap/ifindex"; done'
        return self.lab.run(1, ["sh", "-c", script, "sh", *self.taps()]).stdout.split()

    def bridge_index(self) -> int:
        return int(self.lab.run(1, ["cat", "/sys/class/net/vlb-lan/ifindex"]).stdout)


def _plain(element: ElementTree.Element) -> Any:
    """An element with its children in an order of their own."""
    return (element.tag, sorted(element.attrib.items()), (element.text or "").strip(), sorted(map(_plain, element)))


@pytest.fixture
def connected(vireo: Vireo, lab: Lab) -> Connected:
    return Connected(vireo, lab)


def hosts(connected: Connected, *entries: tuple[str, str, str]) -> None:
    connected.dhcp["hosts"] = [{"mac": mac, "ip": ip, "name": name} for mac, ip, name in entries]


def ranges(connected: Connected, *entries: tuple[str, str]) -> None:
    connected.dhcp["ranges"] = [{"start": start, "end": end} for start, end in entries]


def dns(connected: Connected, name: str, *entries: dict[str, Any]) -> None:
    connected.spec["dns"][name] = list(entries)


def groups(connected: Connected, *entries: dict[str, Any]) -> None:
    connected.spec["portgroups"] = list(entries)


def six(connected: Connected, **entry: str) -> None:
    connected.spec["addresses"][2]["dhcp"]["hosts"] = [entry] if entry else []


ONE, TWO = (MAC1, "10.7.0.11", "one"), (MAC2, "10.7.0.12", "two")
GATE, DOOR = {"ip": "10.7.0.1", "names": ["gate"]}, {"ip": "10.7.0.2", "names": ["door"]}
SIP = {"service": "sip", "protocol": "tcp", "target": "gate.example", "port": 5060}
LIMIT = {"inbound": {"average": 1000}}

# The row of the table of changes, what changes in the manifest, and what dnsmasq is told afterwards (behind "!": not any more).
CHANGES: dict[str, tuple[str, Callable[[Connected], object], list[str]]] = {
    "a host comes": ("ip/dhcp/host/**", lambda c: hosts(c, ONE, TWO, (MAC3, "10.7.0.13", "three")), [f"{MAC3},10.7.0.13,three"]),
    "a host goes": ("ip/dhcp/host/**", lambda c: hosts(c, ONE), [f"{MAC1},10.7.0.11,one", f"!{MAC2}"]),
    "a host's address changes": (
        "ip/dhcp/host/**",
        lambda c: hosts(c, ONE, (MAC2, "10.7.0.22", "two")),
        [f"{MAC2},10.7.0.22,two"],
    ),
    "a host's name changes": (
        "ip/dhcp/host/**",
        lambda c: hosts(c, ONE, (MAC2, "10.7.0.12", "zwei")),
        [f"{MAC2},10.7.0.12,zwei"],
    ),
    "two hosts change places": (
        "ip/dhcp/host/**",
        lambda c: hosts(c, (MAC1, "10.7.0.12", "two"), (MAC2, "10.7.0.11", "one")),
        [f"{MAC1},10.7.0.12,two", f"{MAC2},10.7.0.11,one"],
    ),
    "a host's lease changes": (
        "ip/dhcp/host/**",
        lambda c: c.dhcp["hosts"][0].update(lease="1h"),
        [f"{MAC1},10.7.0.11,one,3600"],
    ),
    "an ipv6 host's address changes": (
        "ip/dhcp/host/**",
        lambda c: six(c, id=SIX, ip="fd00:7::12"),
        ["fd00:7::12", "!fd00:7::11"],
    ),
    "an ipv6 host becomes another": (
        "ip/dhcp/host/**",
        lambda c: six(c, name="six", ip="fd00:7::13"),
        ["fd00:7::13", "!fd00:7::11"],
    ),
    "a range comes": (
        "ip/dhcp/range/**",
        lambda c: ranges(c, ("10.7.0.100", "10.7.0.110"), ("10.7.0.200", "10.7.0.210")),
        ["dhcp-range=10.7.0.200,10.7.0.210", "dhcp-range=10.7.0.100,10.7.0.110"],
    ),
    "a range grows": (
        "ip/dhcp/range/**",
        lambda c: ranges(c, ("10.7.0.100", "10.7.0.120")),
        ["dhcp-range=10.7.0.100,10.7.0.120", "!0.110"],
    ),
    "a range's lease changes": (
        "ip/dhcp/range/**",
        lambda c: c.dhcp["ranges"][0].update(lease="2h"),
        ["10.7.0.110,255.255.255.0,7200"],
    ),
    "dhcp goes": ("ip/dhcp", lambda c: c.spec["addresses"][1].pop("dhcp"), ["!dhcp-range=10.7", f"!{MAC1}"]),
    "a name comes": (
        "dns/host/**",
        lambda c: dns(c, "hosts", GATE, DOOR, {"ip": "10.7.0.3", "names": ["hole"]}),
        ["10.7.0.3\thole"],
    ),
    "an address gets another name": (
        "dns/host/**",
        lambda c: dns(c, "hosts", GATE, {**DOOR, "names": ["door", "exit"]}),
        ["door\texit"],
    ),
    "a name moves elsewhere": (
        "dns/host/**",
        lambda c: dns(c, "hosts", GATE, {**DOOR, "ip": "10.7.0.9"}),
        ["10.7.0.9\tdoor", "!0.2\t"],
    ),
    "two addresses have one name": (
        "dns/host/**",
        lambda c: dns(c, "hosts", GATE, {**DOOR, "names": ["door", "gate"]}),
        ["10.7.0.1\tgate", "10.7.0.2\tdoor\tgate"],
    ),
    "a text comes": (
        "dns/txt/**",
        lambda c: dns(c, "txt", {"name": "who", "value": "lan"}, {"name": "what", "value": "x"}),
        ["txt-record=who,lan", "txt-record=what,x"],
    ),
    "a text changes": (
        "dns/txt/**",
        lambda c: dns(c, "txt", {"name": "who", "value": "wan"}),
        ["txt-record=who,wan", "!who,lan"],
    ),
    "a service's port changes": ("dns/srv/**", lambda c: dns(c, "srv", {**SIP, "port": 5061}), ["gate.example,5061", "!5060"]),
    "a service comes": (
        "dns/srv/**",
        lambda c: dns(c, "srv", SIP, {"service": "ldap", "protocol": "udp", "target": "door.example", "port": 389}),
        ["_ldap._udp,door.example,389", "_sip._tcp,gate.example,5060"],
    ),
    "a port group comes and one goes": (
        "portgroup/**",
        lambda c: groups(c, {"name": "one", "default": True}, {"name": "three"}),
        [],
    ),
    "another port group is the default": (
        "portgroup/**",
        lambda c: groups(c, {"name": "one"}, {"name": "two", "default": True}),
        [],
    ),
    "a port group gets a limit": (
        "portgroup/**",
        lambda c: groups(c, {"name": "one", "default": True}, {"name": "two", "bandwidth": LIMIT}),
        [],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_running_network_takes_it_and_nobody_is_cut_off(connected: Connected, name: str) -> None:
    row, change, told = CHANGES[name]
    index = connected.bridge_index()
    change(connected)
    plan = connected.vireo.plan()
    assert set().union(*map(rows_of, plan["resources"])) == {row}
    assert [(a["verb"], a["impact"]) for a in plan["actions"]] == [("define", "none"), ("update", "live")]
    connected.vireo.apply()
    connected.assert_done_without_a_cut(index)
    for word in told:
        assert (word[1:] not in connected.dnsmasq()) if word.startswith("!") else (word in connected.dnsmasq()), word


def test_what_another_hand_did_to_the_running_network_is_undone_in_it(connected: Connected) -> None:
    xml = f"<host mac='{MAC1}' name='one' ip='10.7.0.99'/>"
    modify, host = libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
    connected.network.update(modify, host, 1, xml, libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE)
    index = connected.bridge_index()
    assert [a["verb"] for a in connected.vireo.plan()["actions"]] == ["update"]
    connected.vireo.apply()
    connected.assert_done_without_a_cut(index)
    assert "10.7.0.99" not in connected.dnsmasq()


@shows("forward/interface/**", "forward/@dev")
def test_forward_interfaces_come_and_go(vireo: Vireo, lab: Lab) -> None:
    network = copy.deepcopy(NETWORK)
    network["spec"] |= {"mode": "nat", "forward": {"interfaces": ["eth7"]}}
    connected = Connected(vireo, lab, network)
    index = connected.bridge_index()
    for forward, rows in (
        ({"interfaces": ["eth8"]}, {"forward/interface/**"}),
        ({"dev": "eth9"}, {"forward/interface/**", "forward/@dev"}),
        ({"dev": "eth7"}, {"forward/@dev"}),
    ):
        connected.spec["forward"] = forward
        plan = vireo.plan()
        assert set().union(*map(rows_of, plan["resources"])) == rows
        assert [a["verb"] for a in plan["actions"]] == ["define", "update"]
        vireo.apply()
        assert (connected.bridge_index(), connected.masters()) == (index, ["vlb-lan"])
        assert connected.tap_indexes() == connected.plugged
        vireo.assert_in_sync()
        assert re.findall(r"<interface dev='(\w+)'/>", connected.network.XMLDesc()) == [
            *forward.get("interfaces", [forward.get("dev")])
        ]


def test_dhcp_comes_to_a_subnet_that_had_none(connected: Connected) -> None:
    dhcp = connected.spec["addresses"][1].pop("dhcp")
    connected.vireo.apply()
    index = connected.bridge_index()
    connected.spec["addresses"][1]["dhcp"] = dhcp
    connected.vireo.apply()
    connected.assert_done_without_a_cut(index)
    assert f"{MAC1},10.7.0.11,one" in connected.dnsmasq()


@shows("dns")
def test_the_records_of_a_network_come_and_go_with_its_dns(connected: Connected) -> None:
    index = connected.bridge_index()
    records = connected.spec.pop("dns")
    assert rows_of(connected.vireo.resource("Network/lan")) == {"dns"}
    connected.vireo.apply()
    connected.assert_done_without_a_cut(index)
    connected.spec["dns"] = records
    connected.vireo.apply()
    connected.assert_done_without_a_cut(index)
    assert "10.7.0.2\tdoor" in connected.dnsmasq()


@shows("ip/dhcp/host/**", "**")
def test_live_and_restart_parts_in_one_change_the_live_ones_are_done(connected: Connected) -> None:
    before = copy.deepcopy(connected.spec)
    hosts(connected, ONE)
    connected.spec["domain"] = "lan.example"
    assert rows_of(connected.vireo.resource("Network/lan")) == {"ip/dhcp/host/**", "**"}
    connected.vireo.apply()
    assert MAC2 not in connected.dnsmasq()
    found = connected.vireo.resource("Network/lan")
    assert found["status"] == "pending-restart"
    assert [(d["path"], d["cause"]) for d in found["differences"]] == [("domain", "pending-restart")]
    assert "would cut off" in found["note"]
    assert "Domain/web1" in found["note"]
    assert connected.vireo.plan()["actions"] == []
    assert connected.masters() == ["vlb-lan"]
    connected.spec.clear()
    connected.spec.update(before)
    connected.vireo.apply()
    connected.vireo.assert_in_sync()


@shows("uuid")
def test_another_uuid_is_refused_and_nothing_is_touched(connected: Connected) -> None:
    index, connected.spec["uuid"] = connected.bridge_index(), "11111111-2222-5333-8444-555555555559"
    found = connected.vireo.resource("Network/lan")
    assert rows_of(found) == {"uuid"}
    assert found["status"] == "blocked"
    connected.vireo.apply(code=5)
    del connected.spec["uuid"]
    connected.assert_done_without_a_cut(index)


def test_what_libvirt_refuses_waits_for_the_next_start_and_says_why(connected: Connected) -> None:
    hosts(connected, ONE, (MAC2, "10.7.0.11", "two"))  # an address that another host has
    connected.vireo.apply()
    found = connected.vireo.resource("Network/lan")
    assert found["status"] == "pending-restart"
    assert "existing dhcp host entry" in found["note"]
    assert f"{MAC2},10.7.0.12,two" in connected.dnsmasq()  # better the old one than none
    assert connected.vireo.plan()["actions"] == []
    hosts(connected, ONE, TWO)
    connected.vireo.apply()
    connected.vireo.assert_in_sync()
    hosts(connected, ONE, (MAC2, "10.7.0.13", "two"))
    connected.vireo.apply()
    assert f"{MAC2},10.7.0.13,two" in connected.dnsmasq()
    connected.vireo.assert_in_sync()


def test_a_restart_waits_for_leave_names_the_guests_and_plugs_them_in_again(connected: Connected) -> None:
    vireo, run, index = connected.vireo, connected.vireo.domain().ID(), connected.bridge_index()
    connected.spec["domain"] = "lan.example"
    connected.spec["update"] = {"restart": "allowed"}
    result = vireo.apply(code=5)
    assert "cuts off for a moment and plugs in again: Domain/web1" in result.out + result.err
    assert connected.bridge_index() == index
    vireo.apply("--allow", "restart")
    assert connected.bridge_index() != index
    assert connected.masters() == ["vlb-lan"]
    assert vireo.domain().ID() == run
    assert [n.name() for n in vireo.connection.listAllNetworks()] == ["lan"]
    assert len(connected.network.listAllPorts()) == 1
    connected.agree()
    vireo.assert_in_sync()


def test_a_restart_plugs_in_every_sort_of_guest_and_a_bridge_of_another_name(connected: Connected) -> None:
    vireo = connected.vireo
    xml = vireo.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    xml = re.sub(
        r"<uuid>.*?</uuid>|<metadata>.*?</metadata>|<address type='pci'.*?/>|<graphics.*?</graphics>", "", xml, flags=re.DOTALL
    )
    limited = "<source network='lan' portgroup='two'/><link state='down'/><filterref filter='no-mac-spoofing'/>"
    for name, source in (("paused", limited), ("bridged", "<source bridge='vlb-lan'/>")):
        sort = "bridge" if "bridge=" in source else "network"
        guest = re.sub(r"<interface type='network'>", f"<interface type='{sort}'>", xml)
        guest = re.sub(r"<mac .*?/>|<source network='lan'/>", "", guest).replace(
            "<model type='virtio'/>", f"{source}<model type='virtio'/>", 1
        )
        vireo.connection.createXML(guest.replace("<name>web1</name>", f"<name>{name}</name>"))
    vireo.domain("paused").suspend()
    before = {
        name: re.findall(r"<interface.*?</interface>", vireo.domain(name).XMLDesc(), re.DOTALL) for name in ("paused", "bridged")
    }
    connected.spec["mtu"] = 1400
    connected.spec["update"] = {"restart": "allowed"}
    result = vireo.apply("--allow", "restart")
    assert "Domain/paused" in result.out + result.err
    assert [connected.masters(name) for name in ("web1", "paused", "bridged")] == [["vlb-lan"]] * 3
    for name, interfaces in before.items():
        now = re.findall(r"<interface.*?</interface>", vireo.domain(name).XMLDesc(), re.DOTALL)
        assert [re.sub(r"portid='.*?'", "", i) for i in now] == [re.sub(r"portid='.*?'", "", i) for i in interfaces], name
    connected.spec["bridge"] = "vlb-other"
    vireo.domain("bridged").destroy()
    vireo.apply("--allow", "restart")
    assert [connected.masters(name) for name in ("web1", "paused")] == [["vlb-other"]] * 2
    vireo.assert_in_sync()


def test_a_guest_that_cannot_be_plugged_in_again_is_a_failure_that_says_what_to_do(connected: Connected) -> None:
    connected.spec["bridge"] = "vlb-other"  # the old one will be gone
    connected.spec["update"] = {"restart": "allowed"}
    xml = connected.vireo.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    xml = re.sub(r"<uuid>.*?</uuid>|<metadata>.*?</metadata>|<mac .*?/>|<graphics.*?</graphics>", "", xml, flags=re.DOTALL)
    xml = xml.replace("<interface type='network'>", "<interface type='bridge'>").replace("network='lan'", "bridge='vlb-lan'")
    connected.vireo.connection.createXML(xml.replace("<name>web1</name>", "<name>bridged</name>"))
    result = connected.vireo.apply("--allow", "restart", code=1)
    assert "bridged (52:54:00:" in result.out + result.err
    assert "restart these guests" in result.out + result.err
    assert connected.masters() == ["vlb-other"]
    assert [n.name() for n in connected.vireo.connection.listAllNetworks()] == ["lan"]


def test_a_network_that_was_stopped_under_its_guests_comes_back_with_them(connected: Connected) -> None:
    connected.network.destroy()
    assert connected.masters() != ["vlb-lan"]
    connected.vireo.apply()
    assert connected.masters() == ["vlb-lan"]
    connected.vireo.assert_in_sync()


def test_a_guest_that_an_interrupted_restart_left_aside_comes_back_too(connected: Connected) -> None:
    detour = f"vireo-plug-{connected.network.UUIDString()[:8]}"
    connected.vireo.connection.networkCreateXML(f"<network><name>{detour}</name></network>")
    interface = re.findall(r"<interface.*?</interface>", connected.vireo.domain().XMLDesc(), re.DOTALL)[0]
    aside = re.sub(r"<source .*?/>", f"<source network='{detour}'/>", interface)
    connected.vireo.domain().updateDeviceFlags(aside, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert connected.masters() != ["vlb-lan"]
    connected.network.destroy()
    connected.vireo.apply()
    assert connected.masters() == ["vlb-lan"]
    assert [n.name() for n in connected.vireo.connection.listAllNetworks()] == ["lan"]
    connected.vireo.assert_in_sync()
