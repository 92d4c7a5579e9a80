"""Paths -> ManifestSet: every document checked by its kind's schema, then all of them together. All problems at once.

The straight line read -> check -> fill in defaults -> build -> check across. Hosts are not asked anything.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.errors import InvalidManifestsError, Problem, UsageError
from reconciler.kinds import KINDS
from reconciler.manifest import check, crosscheck, placement, project, reader, sentence, shape, words
from reconciler.manifest.files import display_name
from reconciler.model.resource import Document, HostSpec, HostUse, ManifestSet, Resource, ResourceId

API_VERSION = "vireo/v1"
SETTINGS = ("Project", "Host")  # kinds that describe the project itself; all others are objects on a host
MOVING = frozenset(name for name, kind in KINDS.items() if kind.migrates)


def document(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind, self-contained. Raises UsageError for an unknown kind."""
    name = next((known for known in shape.kinds() if known.lower() == kind.lower()), None)
    if name is None:
        hint = words.did_you_mean(kind, shape.kinds()) or f"kinds: {', '.join(shape.kinds())}"
        message = f'there is no kind "{kind}"'
        raise UsageError(message, hint=hint)
    return copy.deepcopy(shape.of(name).document)


def load(paths: Sequence[str], *, connect: str | None) -> ManifestSet:
    """The project under `paths`. `connect` is the URI of the command line, for a project without Host documents.

    Raises InvalidManifestsError with every problem of every file, UsageError for paths or options that cannot be used.
    """
    if not paths:
        message = "no manifests named"
        raise UsageError(message, hint="name a file or a folder")
    problems: list[Problem] = []
    documents = reader.read(paths, problems)
    if not documents and not problems:
        message, hint = "no document in it", "a manifest begins with apiVersion and kind"
        problems.append(Problem(display_name(paths[0]), 1, 1, "", message, hint))
    valid = [document for document in documents if _fits(document, problems)]
    projects = [document for document in valid if document.data["kind"] == "Project"]
    crosscheck.one_project(projects, problems)
    hosts = _hosts([document for document in valid if document.data["kind"] == "Host"], problems)
    broken_hosts = _names([document for document in documents if _kind(document) == "Host" and document not in valid])
    if connect and (hosts or broken_hosts):
        message = "the manifests declare their hosts: a connection cannot be given besides"
        raise UsageError(message, hint="leave out -c/--connect, or the Host documents")
    if not hosts and not broken_hosts:
        hosts = [project.default_host(connect)]
    resources = [_resource(found, hosts, broken_hosts, problems) for found in valid if found.data["kind"] not in SETTINGS]
    crosscheck.resources(resources, problems)
    root = project.root_of(paths[0])
    settings = project.settings(projects[0] if projects else None, root, problems)
    if problems:
        raise InvalidManifestsError(problems)
    known = tuple(host for host in hosts if host.use is not HostUse.IGNORE)
    looked_at = {host.name for host in known}
    return ManifestSet(settings, known, tuple(resource for resource in resources if resource.id.host in looked_at), root)


def _kind(document: Document) -> Any:
    return document.data.get("kind") if isinstance(document.data, dict) else None


def _names(documents: Sequence[Document]) -> set[str]:
    metadata = [document.data.get("metadata") for document in documents]
    return {str(entry.get("name")) for entry in metadata if isinstance(entry, dict)}


def _fits(document: Document, problems: list[Problem]) -> bool:
    """Whether the document is a good one of a known kind; what is wrong is added to `problems`."""
    found = _misfits(document)
    problems += found
    return not found


def _misfits(document: Document) -> list[Problem]:
    where = document.locate()
    data = document.data
    if not isinstance(data, dict):
        message, hint = "a manifest is a mapping", "it begins with apiVersion, kind, metadata and spec"
        return [Problem(where.file, where.line, where.column, "", message, hint)]
    version, kind = data.get("apiVersion"), data.get("kind")
    if version != API_VERSION:
        at = document.locate(("apiVersion",))
        said = "is missing" if version is None else f'"{version}" is not known'
        return [Problem(at.file, at.line, at.column, "apiVersion", said, f"write apiVersion: {API_VERSION}")]
    if not isinstance(kind, str) or kind not in shape.kinds():
        at = document.locate(("kind",))
        said = "is missing" if kind is None else f'"{kind}" is not a kind'
        hint = words.did_you_mean(str(kind), shape.kinds()) or f"one of: {', '.join(shape.kinds())}"
        return [Problem(at.file, at.line, at.column, "kind", said, hint)]
    return sentence.problems(document, shape.of(kind), check.errors(kind, data))


def _hosts(documents: Sequence[Document], problems: list[Problem]) -> list[HostSpec]:
    crosscheck.host_names(documents, problems)
    specs = [(document.data["metadata"], document.data["spec"]) for document in documents]
    return [project.host(metadata, spec) for metadata, spec in specs]


def _resource(document: Document, hosts: Sequence[HostSpec], broken: set[str], problems: list[Problem]) -> Resource:
    data: Mapping[str, Any] = document.data
    kind, metadata = data["kind"], data["metadata"]
    spec = shape.of(kind).filled(data.get("spec") or {}, ("spec",))
    names = [host.name for host in hosts]
    preferred = crosscheck.hosts_of(document, spec, names, broken, problems)
    known = {host.name: host for host in hosts}
    found = placement.place(preferred, spec["onDrain"], known) if kind in MOVING else placement.Place(preferred[0])
    return Resource(
        id=ResourceId(kind, metadata["name"], found.host, spec.get("pool", "")),
        spec=placement.resting(spec) if found.stopped else spec,
        note=found.note,
        document=document,
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
        protect=metadata.get("protect", False),
        adopt=metadata.get("adopt", False),
    )
