"""Checks of the wishes alone: those that libvirt cannot grant together. No host is asked."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.host.drivers.migration.pair import Pair
from reconciler.host.drivers.migration.reaching import names_stream
from reconciler.model.migration import Check, MigrationSpec, Mode, OnTimeout, Storing


def wishes(pair: Pair) -> Iterator[Check]:
    """Each pair of fields that contradict one another."""
    found = False
    if not pair.offline:
        for wrong, detail, remedy in contradictions(pair.spec):
            if wrong:
                found = True
                yield Check.fails("options", detail, remedy)
    if not found:
        yield Check.passes("options", "nothing contradicts")


def contradictions(spec: MigrationSpec) -> tuple[tuple[bool, str, str], ...]:
    """Whether it is so, what is wrong, what to do: for each pair that cannot be granted."""
    tunnelled, post = spec.through_daemons, spec.post_copy or spec.on_timeout is OnTimeout.POST_COPY
    copying = spec.storage in (Storing.COPY, Storing.INCREMENTAL)
    return (
        (
            spec.mode is Mode.DIRECT and spec.peer_to_peer,
            "`direct` is led by this program, peer-to-peer by the source's daemon",
            "choose one of the two",
        ),
        (
            tunnelled and spec.p2p is False,
            "only peer-to-peer migrations can be tunnelled",
            "leave `p2p` to auto",
        ),
        (
            tunnelled and names_stream(spec.uri),
            "a tunnelled migration goes through the daemons and takes no address",
            "leave `uri` out, or tunnelling",
        ),
        (tunnelled and spec.parallel > 0, "a tunnel has one stream", "leave `parallel` out, or tunnelling"),
        (tunnelled and post, "post-copy cannot be tunnelled", "leave `postCopy` out, or tunnelling"),
        (tunnelled and copying, "a tunnelled migration cannot copy disks", "use another mode, or shared storage"),
        (tunnelled and spec.tls, "a tunnel is as safe as the daemons' connection", "leave `tls` out, or use qemu+tls:// as uri"),
        (spec.parallel > 0 and post, "post-copy uses one stream only", "leave `parallel` out, or `postCopy`"),
        (
            spec.on_timeout is not OnTimeout.ABORT and not spec.timeout,
            "`onTimeout` waits for a timeout that is not set",
            "set `timeout`",
        ),
    )
