"""The project that the manifests make: its name, settings, folder, and its host where no manifest declares one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reconciler.errors import Problem
from reconciler.manifest import shape
from reconciler.manifest.files import absolute
from reconciler.manifest.quantity import rate
from reconciler.model.resource import Document, HostLimits, HostSpec, HostUse, Ignore, Project

LOCAL = "localhost"
DEFAULT_URI = "qemu:///system"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def root_of(path: str) -> str:
    """The absolute folder of a project that is named by `path`: the folder itself, or the file's."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100  symbolic links stay as they are named
    return str(whole if whole.is_dir() else whole.parent)


def default_name(root: str) -> str:
    """The name of a project without a Project document: its folder's, made safe."""
    return _UNSAFE.sub("-", Path(root).name).strip("._-")[:63].rstrip("._-") or "project"


def default_host(connect: str | None) -> HostSpec:
    """The only host of a project without Host documents: the connection that virsh would use."""
    uri = connect or os.environ.get("VIREO_CONNECT") or os.environ.get("LIBVIRT_DEFAULT_URI") or DEFAULT_URI
    try:
        name = urlsplit(uri).hostname
    except ValueError:
        name = None
    return HostSpec(_UNSAFE.sub("-", name) if name else LOCAL, uri)


def host(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> HostSpec:
    """The host that a valid document declares."""
    given, usual = spec.get("limits") or {}, HostLimits()
    limits = HostLimits(
        parallel_starts=given.get("parallelStarts", usual.parallel_starts),
        migrations_in=given.get("migrationsIn", usual.migrations_in),
        migrations_out=given.get("migrationsOut", usual.migrations_out),
        bandwidth=rate(given["bandwidth"]) if "bandwidth" in given else usual.bandwidth,
    )
    return HostSpec(metadata["name"], spec["uri"], metadata.get("labels", {}), limits, HostUse(spec.get("state", HostUse.ACTIVE)))


def settings(document: Document | None, root: str, problems: list[Problem]) -> Project:
    """The Project that a valid document declares, or the default one of the folder `root`."""
    if document is None:
        return Project(default_name(root))
    spec = shape.of("Project").filled(document.data.get("spec") or {}, ("spec",))
    templates = spec.get("templates")
    if templates is not None:
        templates = absolute(templates, document.file)
        if not Path(templates).is_dir():
            where = document.locate(("spec", "templates"))
            message = f"there is no folder {templates}"
            hint = "a relative path starts from this manifest's folder"
            problems.append(Problem(where.file, where.line, where.column, "spec.templates", message, hint))
    prune = spec["prune"]
    switched = prune if isinstance(prune, bool) else prune["enabled"]
    return Project(
        name=document.data["metadata"]["name"],
        prune=switched,
        prune_limit=None if isinstance(prune, bool) else prune.get("limit"),
        allow=spec["allow"],
        drift=spec["drift"],
        templates=templates,
        ignore=tuple(Ignore(entry["path"], entry["reason"]) for entry in spec["ignore"]),
    )
