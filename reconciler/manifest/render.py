"""Resource -> Desired: the kind's template, the `xml:` overlay over it, libvirt's own schema over both.

Declared values only: no UUID, MAC address or device address is made up here. Nothing is written, nobody is called.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from reconciler.errors import InvalidManifestsError, Problem
from reconciler.kinds import KINDS
from reconciler.kinds.kind import Kind
from reconciler.manifest import shape, templating
from reconciler.manifest.catalogue import Catalogue, VolumeFacts
from reconciler.manifest.files import absolute
from reconciler.manifest.quantity import rate, seconds
from reconciler.manifest.secret import placeholder
from reconciler.model.resource import Path, Project, Resource
from reconciler.model.state import Desired, HostFacts
from reconciler.xmltree import validate
from reconciler.xmltree.conceal import conceal
from reconciler.xmltree.document import Element, XmlError, parse, serialize
from reconciler.xmltree.merge import overlay

_LINE = re.compile(r",? line \d+(?:, column \d+)?")  # libxml2 counts within the text, people within the file

__all__ = ["Catalogue", "VolumeFacts", "render"]


def render(resource: Resource, project: Project, facts: HostFacts, catalogue: Catalogue) -> Desired:
    """What `resource` asks for on the host that `facts` describes. Raises InvalidManifestsError."""
    kind = KINDS[resource.id.kind]
    spec, options, secrets = _marked(resource, project)
    text = templating.fill(resource, project, spec, facts, catalogue)
    xml = _overlaid(resource, kind, text)
    if resource.spec.get("validate", True):
        _check(resource, kind, text, xml)
    if "xml" in resource.spec:
        xml = _concealed(resource, project, kind, xml, secrets)
    state = str(resource.spec["state"])
    autostart = resource.spec.get("autostart")
    return Desired(
        id=resource.id,
        xml=xml,
        state=state,
        autostart=autostart,
        options=options,
        digest=_digest({"xml": xml, "state": state, "autostart": autostart, "options": options}),
        source=resource.location,
        protect=resource.protect,
        adopt=resource.adopt,
        labels=dict(resource.labels),
        note=resource.note,
        secrets=secrets,
    )


def _concealed(resource: Resource, project: Project, kind: Kind, xml: str, secrets: dict[str, str]) -> str:
    """`xml` without the secret values that its overlay may have brought; they are added to `secrets`."""

    def stand_in(path: str, value: str) -> str:
        if value in secrets:
            return value
        name = placeholder(project.name, resource.id, (path,), value)
        secrets[name] = value
        return name

    return conceal(xml, kind.rules, stand_in)


def _marked(resource: Resource, project: Project) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The spec for the template, the options, and the secrets, by what the schema says of each field."""
    spec: dict[str, Any] = _copy(resource.spec)
    names: list[str] = []
    secrets: dict[str, str] = {}
    for path, marks, value in shape.of(resource.id.kind).marks(resource.spec, ("spec",)):
        below = path[1:]
        if "option" in marks and len(below) == 1:
            names.append(str(below[0]))
        if shape.SECRET in marks:
            stand_in = placeholder(project.name, resource.id, below, str(value))
            secrets[stand_in] = str(value)
            _put(spec, below, stand_in)
        elif "duration" in marks:
            _put(spec, below, seconds(value))
        elif "rate" in marks:
            _put(spec, below, rate(value))
        elif "file" in marks:
            _put(spec, below, absolute(value, resource.document.file))
    options = {name: spec[name] for name in names}
    if "restartedAt" in resource.annotations:
        options["restartedAt"] = resource.annotations["restartedAt"]
    return spec, options, secrets


def _copy(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(item) for item in data] if isinstance(data, list) else data


def _put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _overlaid(resource: Resource, kind: Kind, text: str) -> str:
    try:
        root = parse(text)
        if root.tag != kind.root:
            raise XmlError(f"the root is <{root.tag}>, not <{kind.root}>", 1)  # noqa: TRY301
    except XmlError as error:
        where = resource.location
        message = f"the template of {resource.id} does not give its XML: {error.message} (line {error.line} of the output)"
        hint = "templates/README.md says how templates are written"
        problem = Problem(where.file, where.line, where.column, "", message, hint)
        raise InvalidManifestsError([problem]) from None
    _keeps_name(resource, root, "the template", ())
    base = serialize(_tidy(root))
    over = resource.spec.get("xml")
    if over is None:
        return base
    try:
        over_root = parse(over)
    except XmlError as error:
        message = f"not well-formed XML: {_LINE.sub('', error.message)}"
        line = min(error.line, over.rstrip().count("\n") + 1)
        raise InvalidManifestsError([_overlay_problem(resource, message, line)]) from None
    if over_root.tag != kind.root:
        message = f"the overlay's root is <{over_root.tag}>, a {kind.name} needs <{kind.root}>"
        raise InvalidManifestsError([_overlay_problem(resource, message, 1)])
    xml = overlay(base, over, kind.rules)
    _keeps_name(resource, parse(xml), "the overlay", ("spec", "xml"))
    return xml


def _keeps_name(resource: Resource, root: Element, who: str, path: Path) -> None:
    """By its name a resource is found again on the host: nothing may give it another one."""
    name = root.findtext("name")
    if name == resource.id.name:
        return
    where = resource.document.locate(path)
    message = f"{who} names the {resource.id.kind} {name!r}, but metadata.name is {resource.id.name!r}"
    raise InvalidManifestsError([Problem(where.file, where.line, where.column, "", message, "change metadata.name instead")])


def _tidy(root: Element) -> Element:
    """`root` without the line breaks that blocks of a template leave in elements that turn out empty."""
    for element in root.iter():
        if not len(element) and element.text and "\n" in element.text and element.text.isspace():
            element.text = None
    return root


def _overlay_problem(resource: Resource, message: str, line: int, hint: str = "") -> Problem:
    """A problem at a line within the text of `xml:`."""
    path = ("spec", "xml")
    document = resource.document
    where = document.locate(path)
    if path in document.texts:
        return Problem(where.file, document.texts[path] + line - 1, 1, "spec.xml", message, hint)
    return Problem(where.file, where.line + line - 1, where.column, "spec.xml", message, hint)


def _check(resource: Resource, kind: Kind, base: str, xml: str) -> None:
    found = validate.problems(xml, kind.rng)
    if not found:
        return
    hint = "look at the output of `vireo render`; `validate: false` switches this check off"
    if "xml" in resource.spec and not validate.problems(base, kind.rng):
        raise InvalidManifestsError([_overlay_problem(resource, message, 1, hint) for message in found])
    where = resource.location
    path = str(resource.id)
    raise InvalidManifestsError([Problem(where.file, where.line, where.column, path, message, hint) for message in found])


def _digest(whole: Mapping[str, Any]) -> str:
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
