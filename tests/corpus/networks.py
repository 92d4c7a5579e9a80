"""Networks walked from network.rng: a few parts of the schema each, with addresses that fit together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random
from xml.etree import ElementTree

from tests.corpus import grammar, words
from tests.corpus.walking import DeadEndError, Element, Taste, Walk

DNSMASQ = "http://libvirt.org/schemas/network/dnsmasq/1.0"
ElementTree.register_namespace("dnsmasq", DNSMASQ)

_NETWORK = Taste(
    values={
        "absFilePath": ("/etc/hosts.x",),
        "deviceName": ("eth0", "eth1"),
        "ipv4Addr": ("10.44.0.7", "10.44.0.9"),
        "ipv6Addr": ("fd44::7", "FD44::0:9"),
        "ipAddr": ("10.44.0.20", "10.44.0.21"),
        "uniMacAddr": ("52:54:00:1a:0b:0c", "52:54:00:DD:BB:CC"),
        "macAddr": ("52:54:00:1a:0b:0c", "52:54:00:DD:BB:0D", "52:54:00:01:02:03"),
        "dnsName": ("a.example.org", "mail"),
        "virYesNo": ("yes", "no"),
        "unsignedShort": ("53", "5353"),
    },
    places={
        "ip/@address": ("10.44.0.1",),
        "ip/@netmask": ("255.255.255.0",),
        "ip/@prefix": ("24",),
        "ip/@family": ("ipv4",),
        "*/range/@start": ("10.44.0.100",),
        "*/range/@end": ("10.44.0.200", "10.44.0.150"),
        "route/@address": ("10.55.0.0",),
        "route/@prefix": ("24",),
        "route/@netmask": ("255.255.255.0",),
        "route/@gateway": ("10.44.0.2",),
        "route/@family": ("ipv4",),
        "forward/@mode": ("nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"),
        "forward/nat/address/@start": ("192.0.2.4",),
        "forward/nat/address/@end": ("192.0.2.8",),
        "forward/nat/port/@start": ("500",),
        "forward/nat/port/@end": ("1000", "60000"),
        "mtu/@size": ("9000", "1400"),
        "*/@average": ("1000",),
        "portgroup/@name": ("one", "two"),
        "dns/txt/@name": ("t.example", "u"),
        "dns/forwarder/@addr": ("192.0.2.53",),
    },
    seldom=("forward/pf", "forward/address", "forward/driver", "ip/tftp", "forward/@managed"),
)
_PARTS = frozenset({"forward", "mtu", "mac", "portgroup", "domain", "dns", "bandwidth", "vlan", "port", "ip", "route", "options"})


@cache
def _rules() -> grammar.Grammar:
    return grammar.load("network.rng")


@cache
def _patterns() -> Mapping[str, tuple[grammar.Pattern, ...]]:
    out: dict[str, tuple[grammar.Pattern, ...]] = {}
    for pattern in _rules().below("network"):
        name = pattern.get("name") or ""
        if name in _PARTS or name == "virtualport":
            out[name] = (*out.get(name, ()), pattern)
    return out


def network(seed: int) -> str:
    """The network of that seed: a few parts of the schema, each network with addresses of its own."""
    random = words.seeded(f"network#{seed}")
    root = ElementTree.Element("network")
    ElementTree.SubElement(root, "name").text = f"n{seed}"
    names = sorted(_patterns())
    for name in random.sample(names, k=random.randint(1, 5)):
        element = _part(name, random)
        if element is not None:
            root.append(element)
    if random.random() < 0.4:
        bridge = ElementTree.SubElement(root, "bridge", name=f"vc{seed}")
        bridge.set(*random.choice((("stp", "off"), ("delay", "3"))))
    text = ElementTree.tostring(root, encoding="unicode")
    return text.replace("10.44.", f"10.{64 + seed % 128}.")


def _part(name: str, random: Random) -> Element | None:
    try:
        return Walk(_rules(), _NETWORK, random, random.choice((0.2, 0.4, 0.7))).element(random.choice(_patterns()[name]))
    except DeadEndError:
        return None
