"""How each path of a virtual network can change while guests are connected to it: the table, no calls.

docs/changes.md is made from it. What a row promises can be refused by libvirt all the same (two DHCP subnets, a name that is
taken): what is refused waits for the network's next start.
"""

from __future__ import annotations

from reconciler.kinds.kind import Way
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb

_SINCE = "0.10.2"  # virNetworkUpdate


def _updated(pattern: str, how: str, needs: str = "") -> Way:
    return Way(pattern, Verb.UPDATE, Impact.LIVE, how=f"{how} by virNetworkUpdate", since=_SINCE, needs=needs)


_REPLACED = "added and deleted, a changed one deleted and added again,"
_ONE_DHCP = "no other IPv4 subnet of the network has DHCP"

WAYS: tuple[Way, ...] = (
    Way("uuid", Verb.DEFINE, Impact.RECREATE, refusal="libvirt knows a network by its UUID: it cannot change"),
    # --- addresses ------------------------------------------------------------------------------------------------
    _updated(
        "ip/dhcp/host/**",
        "added, deleted and modified (deleted and added again if another entry has its new address or name)",
        _ONE_DHCP,
    ),
    _updated("ip/dhcp/range/**", _REPLACED, f"{_ONE_DHCP}; the DHCP server is restarted, leases stay"),
    _updated(
        "ip/dhcp",
        "the ranges and hosts of a subnet that had none, or has none any more, each added or deleted",
        f"{_ONE_DHCP}; no bootp",
    ),
    # --- names ----------------------------------------------------------------------------------------------------
    _updated("dns/host/**", _REPLACED),
    _updated("dns/txt/**", _REPLACED, "the DNS server is restarted"),
    _updated("dns/srv/**", _REPLACED, "the DNS server is restarted"),
    _updated(
        "dns",
        "the records of a network that had none, or has none any more, each added or deleted",
        "no settings of the server itself",
    ),
    # --- ports ----------------------------------------------------------------------------------------------------
    _updated("portgroup/**", "added, deleted and modified", "it counts for interfaces that are plugged in from then on"),
    _updated("forward/interface/**", _REPLACED, "guests on a macvtap device keep the device that they have"),
    _updated("forward/@dev", "the forward interface of that name added, the one of the old name deleted,"),
    # --- everything else ------------------------------------------------------------------------------------------
    Way(
        "**",
        Verb.DEFINE,
        Impact.RESTART,
        how="a new definition (virNetworkDefineXMLFlags), which the network takes up at its next start; a restart cuts connected "
        "guests off for a moment and plugs them in again (virDomainUpdateDeviceFlags)",
        since="0.2.0",
    ),
)
"""The first row that matches a path (without keys) counts."""
