"""What we know of virtual networks (virNetwork*)."""

from __future__ import annotations

from reconciler.kinds.kind import Key, Kind, Lifecycle, Rules, Transition
from reconciler.kinds.network_ways import WAYS
from reconciler.kinds.spellings import address, bridging, lower
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb

NETWORK = Kind(
    name="Network",
    root="network",
    rng="network.rng",
    lifecycle=Lifecycle(
        states=("absent", "inactive", "active"),
        absent="absent",
        active=frozenset({"active"}),
        transitions=(
            Transition(Verb.DEFINE, "absent", "inactive"),
            Transition(Verb.START, "inactive", "active"),
            Transition(Verb.STOP, "active", "inactive", Impact.LIVE),
            Transition(Verb.UNDEFINE, "inactive", "absent"),
        ),
    ),
    rules=Rules(
        keys={
            "ip": Key(("@address",)),
            "ip/dhcp/range": Key(("@start",)),
            "ip/dhcp/host": Key(("@mac", "@id", "@name", "@ip")),
            "dns/host": Key(("@ip",)),
            "dns/host/hostname": Key(),
            "dns/forwarder": Key(("@domain+@addr", "@addr", "@domain")),
            "dns/txt": Key(("@name",)),
            "dns/srv": Key(("@service+@protocol+@target", "@service+@protocol")),
            "route": Key(("@address",)),
            "portgroup": Key(("@name",)),
            "forward/interface": Key(("@dev",)),
            "vlan/tag": Key(("@id",)),
            "portgroup/vlan/tag": Key(("@id",)),
            "dnsmasq:options/dnsmasq:option": Key(("@value",)),
        },
        quantities={"ip/dhcp/range/lease/@expiry": "minutes", "ip/dhcp/host/lease/@expiry": "minutes"},
        spellings={
            "uuid": lower,
            "mac/@address": lower,
            "**/@mac": lower,
            "ip/@address": address,
            "ip/dhcp/range/@*": address,
            "**/@ip": address,
            "**/@gateway": address,
        },
        shared=frozenset({"metadata"}),
        hidden=("@connections", "ip/@family", "route/@family", "metadata/vireo:resource/**"),
        complete=frozenset(
            {
                "ip",
                "ip/dhcp/range",
                "ip/dhcp/host",
                "dns/host",
                "dns/host/hostname",
                "dns/forwarder",
                "dns/txt",
                "dns/srv",
                "route",
                "portgroup",
                "forward/interface",
                "vlan/tag",
                "dnsmasq:options/dnsmasq:option",
            }
        ),
        volatile=("forward/nat/**", "bridge/@macTableManager"),
        rebuilt_by={"forward/@mode=isolated": bridging},
        generated={"forward/@mode=isolated": ("mac", "bridge/@stp", "bridge/@delay", "bridge/@macTableManager", "bridge/@zone")},
        mirrors=(("forward", "@dev", "interface[*]"),),
    ),
    ways=WAYS,
    restarts=True,
    held={Verb.STOP: "active", Verb.UNDEFINE: "any"},
    interrupts=frozenset({Verb.RESTART}),
)
