"""The way to a plan that all commands share: load, connect, observe, compare; with a spinner where a person waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from reconciler.cli.screen import Screen
from reconciler.errors import EXIT_BLOCKED, EXIT_FAILURE, EXIT_OK
from reconciler.model.plan import Plan

if TYPE_CHECKING:
    from reconciler.engine.pipeline import Hosts, Options, Prepared


@contextmanager
def prepared(paths: Sequence[str], options: Options, screen: Screen) -> Iterator[tuple[Prepared, Hosts]]:
    """The plan for manifests, made against the hosts as they are now; the hosts stay open until the end of the block."""
    from reconciler.engine import pipeline

    manifests = pipeline.load(paths, options)
    with ExitStack() as stack:
        with screen.busy("Connecting"):
            hosts = stack.enter_context(pipeline.connected(manifests))
        with screen.busy("Comparing manifests and hosts"):
            ready = pipeline.prepare(manifests, hosts, options)
        yield ready, hosts


def exit_code(plan: Plan) -> int:
    """Of a plan that was carried out as far as it allows: a host that was not reached is a failure, a blocked action is said."""
    if not all(host.reachable for host in plan.hosts):
        return EXIT_FAILURE
    return EXIT_BLOCKED if plan.blocked else EXIT_OK
