"""On which of its hosts a domain is to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import InvalidManifestsError
from reconciler.manifest import schema
from reconciler.manifest.placement import Place, place
from reconciler.model.resource import HostLimits, HostSpec, HostUse, ManifestSet

HOSTS = {name: HostSpec(name, f"qemu+ssh://{name}/system") for name in ("a", "b", "c")}


def placed(on_drain: str = "migrate", **use: str) -> Place:
    """Of a domain that prefers a over b over c."""
    hosts = {name: HostSpec(name, spec.uri, use=HostUse(use.get(name, "active"))) for name, spec in HOSTS.items()}
    return place(["a", "b", "c"], on_drain, hosts)


def test_the_first_host_is_the_best() -> None:
    assert placed() == Place("a")
    assert placed(b="drain") == Place("a")


def test_a_drained_host_is_left_for_the_next_one() -> None:
    assert placed(a="drain").host == "b"
    assert placed(a="drain", b="drain").host == "c"
    assert "a is drained" in placed(a="drain").note


def test_with_nowhere_to_go_it_stays_and_that_is_said() -> None:
    found = placed(a="drain", b="drain", c="drain")
    assert (found.host, found.stopped) == ("a", False)
    assert "nowhere to go" in found.note


def test_what_is_not_to_move_stays() -> None:
    assert placed("stop", a="drain").stopped
    assert placed("stop", a="drain").host == "a"
    assert placed("ignore", a="drain").host == "a"
    assert not placed("ignore", a="drain").stopped
    assert placed("stop") == Place("a")


def test_nobody_looks_behind_a_host_that_is_ignored() -> None:
    assert placed(a="ignore").host == "a"
    assert placed(a="drain", b="ignore").host == "b"


def project(folder: Path, spec: str, host: str = "") -> ManifestSet:
    head = "apiVersion: vireo/v1\n"
    hosts = "".join(
        f"---\n{head}kind: Host\nmetadata: {{name: {name}}}\nspec: {{uri: 'qemu+ssh://{name}/system'{more}}}\n"
        for name, more in (("a", host), ("b", ""))
    )
    (folder / "all.yaml").write_text(f"{head}kind: Domain\nmetadata: {{name: d}}\nspec: {{memory: 1GiB, {spec}}}\n{hosts}")
    return schema.load([str(folder)], connect=None)


def test_a_drained_host_keeps_what_is_to_stop_there(tmp_path: Path) -> None:
    (resource,) = project(tmp_path, "hosts: [a, b], onDrain: stop", ", state: drain").resources
    assert (resource.id.host, resource.spec["state"]) == ("a", "stopped")
    (resource,) = project(tmp_path, "hosts: [a, b], onDrain: stop, persistent: false", ", state: drain").resources
    assert resource.spec["state"] == "undefined"
    (resource,) = project(tmp_path, "hosts: [a, b]", ", state: drain").resources
    assert (resource.id.host, resource.spec["state"]) == ("b", "running")


def test_nothing_of_a_host_that_is_ignored_is_in_the_project(tmp_path: Path) -> None:
    found = project(tmp_path, "host: a", ", state: ignore")
    assert [host.name for host in found.hosts] == ["b"]
    assert found.resources == ()


def test_limits_are_read_and_have_defaults(tmp_path: Path) -> None:
    hosts = project(tmp_path, "host: a", ", limits: {migrationsIn: 1, bandwidth: 1MiB/s, parallelStarts: 3}").hosts
    assert [host.limits for host in hosts] == [HostLimits(3, 1, 2, 1 << 20), HostLimits(0, 2, 2, 0)]


@pytest.mark.parametrize(
    "spec, says",
    [("hosts: [a, x]", 'spec.hosts[1]: there is no Host "x"'), ("host: a, hosts: [b]", 'there are both "host" and "hosts"')],
)
def test_hosts_that_cannot_be_meant_are_refused(tmp_path: Path, spec: str, says: str) -> None:
    with pytest.raises(InvalidManifestsError) as failed:
        project(tmp_path, spec)
    assert says in "".join(map(str, failed.value.problems))
