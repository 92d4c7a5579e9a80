"""Many hosts side by side, and some among them that hang."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from reconciler.engine import pipeline
from reconciler.engine.hosts import SIDE_BY_SIDE, connected
from reconciler.engine.pipeline import Options
from reconciler.manifest import schema
from reconciler.model.plan import Status
from reconciler.model.resource import HostSpec

DEADLINE = 0.5  # seconds; long enough for every host of this process


@contextmanager
def hanging(path: Path) -> Iterator[str]:
    """The URI of a daemon that accepts every connection and never answers."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)
        yield f"qemu+unix:///system?socket={path}"


def healthy(folder: Path, count: int) -> list[HostSpec]:
    """Hosts of the test driver, each a world of its own."""
    specs = []
    for number in range(count):
        node = folder / f"node{number}.xml"
        node.write_text("<node/>\n")
        specs.append(HostSpec(f"host{number}", f"test://{node}"))
    return specs


def test_a_host_that_accepts_and_never_answers_ends_by_its_deadline_and_holds_nobody(tmp_path: Path) -> None:
    with (
        hanging(tmp_path / "sock") as uri,
        connected("fleet", [HostSpec("hung", uri), *healthy(tmp_path, 3)], timeout=DEADLINE) as hosts,
    ):
        hung, *others = hosts.observe()
    assert not hung.reachable
    assert "no answer within 0.5 s" in hung.error
    assert all(state.reachable for state in others)


def test_more_hanging_hosts_than_are_asked_at_once_hold_nobody_for_good(tmp_path: Path) -> None:
    with ExitStack() as stack:
        hung = [HostSpec(f"hung{n}", stack.enter_context(hanging(tmp_path / f"s{n}"))) for n in range(SIDE_BY_SIDE + 1)]
        hosts = stack.enter_context(connected("fleet", [*hung, *healthy(tmp_path, 2)], timeout=DEADLINE))
        assert set(hosts.sessions) == {"host0", "host1"}
        assert set(hosts.errors) == {spec.name for spec in hung}


def test_a_plan_over_fifty_hosts_tells_of_each(tmp_path: Path) -> None:
    specs = healthy(tmp_path, 50)
    text = ["apiVersion: vireo/v1\nkind: Project\nmetadata: {name: fleet}\n"]
    for spec in specs:
        text.append(f"apiVersion: vireo/v1\nkind: Host\nmetadata: {{name: {spec.name}}}\nspec: {{uri: '{spec.uri}'}}\n")
        text.append(
            f"apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: web-{spec.name}}}\n"
            f"spec: {{host: {spec.name}, state: stopped, memory: 64MiB, type: test, os: {{arch: i686}}}}\n"
        )
    manifests = tmp_path / "project"
    manifests.mkdir()
    (manifests / "all.yaml").write_text("---\n".join(text))
    loaded = schema.load([str(manifests)], connect=None)
    with pipeline.connected(loaded) as hosts:
        plan = pipeline.prepare(loaded, hosts, Options()).plan
    assert len(plan.hosts) == 50
    assert all(host.reachable for host in plan.hosts)
    assert {resource.id.host for resource in plan.resources} == {spec.name for spec in specs}
    assert {resource.status for resource in plan.resources} == {Status.CREATE}
