"""Manifests as text, loaded from a folder of their own: problems come back as they are shown to people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeAlias

import pytest

from reconciler.errors import InvalidManifestsError
from reconciler.manifest import render, schema
from reconciler.manifest.catalogue import of
from reconciler.model.resource import ManifestSet
from reconciler.model.state import Desired, HostFacts

Load: TypeAlias = Callable[..., ManifestSet]
Problems: TypeAlias = Callable[..., list[str]]
Render: TypeAlias = Callable[..., Desired]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, named shop, in which the manifests of a test lie."""
    place = tmp_path / "shop"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("VIREO_CONNECT", raising=False)
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    return place


@pytest.fixture
def load(folder: Path) -> Load:
    """Loads files given as name -> text (one text alone is m.yaml)."""

    def loaded(text: str | dict[str, str], connect: str | None = None) -> ManifestSet:
        files = {"m.yaml": text} if isinstance(text, str) else text
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content), encoding="utf-8")
        return schema.load(["."], connect=connect)

    return loaded


@pytest.fixture
def problems(load: Load) -> Problems:
    """The problems of files given as for `load`, as lines of text; [] if there are none."""

    def found(text: str | dict[str, str], **more: Any) -> list[str]:
        try:
            load(text, **more)
        except InvalidManifestsError as error:
            return [str(problem) for problem in error.problems]
        return []

    return found


@pytest.fixture
def desired(load: Load) -> Render:
    """Renders the last resource of files given as for `load`, on a host that nobody asked, beside what they declare."""

    def rendered(text: str | dict[str, str], **more: Any) -> Desired:
        found = load(text, **more)
        host = found.hosts[0]
        catalogue = of(host.name, found.resources, {})
        return render.render(found.resources[-1], found.project, HostFacts(host.name, host.uri), catalogue)

    return rendered
