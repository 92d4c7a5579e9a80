"""jsonschema's errors -> plain sentences with a place and, where one can guess it, what was meant. Decides nothing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from jsonschema import ValidationError

from reconciler.errors import Problem
from reconciler.manifest.check import FORMATS
from reconciler.manifest.reader import dotted
from reconciler.manifest.shape import Schema, Shape, is_type
from reconciler.model.resource import Document, Path

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_LONGEST = 60
_MANY = 14


def problems(document: Document, shape: Shape, errors: Iterable[ValidationError]) -> list[Problem]:
    """One Problem for each thing that is wrong, at the place of the key or item that it is about."""
    explain = _Explainer(shape)
    out = []
    for error in errors:
        for path, message, hint in explain.error(error):
            where = document.locate(path)
            out.append(Problem(where.file, where.line, where.column, dotted(path), message, hint))
    return out


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "x"?`` for the known word that is nearest to `word`, or ''."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f'did you mean "{lowered[near[0]]}"?' if near else ""


class _Explainer:
    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def error(self, error: ValidationError) -> Iterator[tuple[Path, str, str]]:
        path: Path = tuple(error.absolute_path)
        keyword, schema = str(error.validator), error.schema if isinstance(error.schema, dict) else {}
        if keyword == "additionalProperties":
            known = schema.get("properties", {})
            for name in [key for key in error.instance if key not in known]:
                yield (*path, name), "unknown field", did_you_mean(name, known) or _listing(known)
        elif keyword == "required":
            for name in [name for name in error.validator_value if name not in error.instance]:
                if f"'{name}'" in error.message.split(" is a required")[0]:
                    yield path, f'the field "{name}" is missing', self._example((*path, name))
        elif keyword == "dependentRequired":
            for name, needs in error.validator_value.items():
                for need in needs:
                    if name in error.instance and need not in error.instance:
                        yield (*path, name), f'needs the field "{need}" too', self._example((*path, need))
        elif keyword in {"oneOf", "anyOf"}:
            yield from self._alternatives(error, schema, path)
        elif error.parent is not None and "propertyNames" in error.relative_schema_path:
            yield (*path, str(error.instance)), f"not usable as a {schema.get('title', 'name')}", _example_of([schema])
        else:
            yield path, *self._scalar(error, keyword, schema, path)

    # --- one value ---------------------------------------------------------------------------------------------

    def _scalar(self, error: ValidationError, keyword: str, schema: Schema, path: Path) -> tuple[str, str]:
        value = error.instance
        shown = "the value" if self._shape.is_secret(path) else _shown(value)
        own = schema.get("x-vireo-message")
        example = _example_of([schema]) or self._example(path)
        if keyword == "type":
            return self._wrong_type(error.validator_value, value, shown, schema, example)
        if keyword == "enum":
            known = [name for name in error.validator_value if isinstance(name, str)]
            hint = (did_you_mean(value, known) if isinstance(value, str) else "") or _listing(error.validator_value, "one of: ")
            return f"{shown} is not allowed here", hint
        if keyword == "const":
            return f"must be {_shown(error.validator_value)}, not {shown}", ""
        if keyword == "format" and isinstance(value, str):
            return _format_message(str(error.validator_value), value, shown, schema), example
        if keyword == "pattern":
            return f"{shown} is {own or 'not a valid ' + str(schema.get('title', 'value'))}", example
        if own:
            return str(own), example
        bounds = {
            "minimum": "must be at least {}",
            "maximum": "must be at most {}",
            "exclusiveMinimum": "must be more than {}",
            "multipleOf": "must be a multiple of {}",
            "minLength": "must have at least {} characters",
            "maxLength": "must have at most {} characters",
            "minItems": "must have at least {} items",
            "maxItems": "must have at most {} items",
            "minProperties": "must have at least {} fields",
            "maxProperties": "must have at most {} fields",
        }
        if keyword in {"minLength", "minItems", "minProperties"} and not value:
            return "must not be empty", example
        if keyword in bounds:
            return bounds[keyword].format(error.validator_value), example
        if keyword == "uniqueItems":
            return "holds an item twice", "keep one of them"
        return f"{shown} does not fit: {keyword}", example

    def _wrong_type(self, wanted: str | list[str], value: Any, shown: str, schema: Schema, example: str) -> tuple[str, str]:
        names = [wanted] if isinstance(wanted, str) else wanted
        form = schema.get("format")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and form in {"vireo-quantity", "vireo-duration"}:
            return _format_message(str(form), str(value), shown, schema), example
        must = " or ".join(_WORDS[name] for name in names)
        if value is None:
            return f"must be {must}, but nothing stands here", example
        if "string" in names and not isinstance(value, dict | list):
            return f"must be {must}, not {shown}", "put it in quotes" + (f"; {example}" if example else "")
        return f"must be {must}, not {_kind_of(value) if isinstance(value, dict | list) else shown}", example

    def _example(self, path: Sequence[str | int]) -> str:
        return _example_of(self._shape.field(path))

    # --- alternatives ------------------------------------------------------------------------------------------

    def _alternatives(self, error: ValidationError, schema: Schema, path: Path) -> Iterator[tuple[Path, str, str]]:
        """The errors of the alternative that was meant; or that none, or more than one, was."""
        branches: list[Schema] = error.validator_value
        example = _example_of([schema]) or self._example(path)
        names = [name for branch in branches if set(branch) <= {"required", "not"} for name in branch.get("required", ())]
        if names and isinstance(error.instance, dict):
            given = [name for name in names if name in error.instance]
            if given:
                yield path, f"only one of {_joined(given)} can be given", "keep one of them"
            else:
                yield path, f"one of {_joined(names)} is needed", example
            return
        fitting = [index for index, branch in enumerate(branches) if self._fits_type(branch, error.instance)]
        by_branch: dict[int, list[ValidationError]] = {index: [] for index in fitting}
        for below in error.context or ():
            index = below.relative_schema_path[0]
            if isinstance(index, int) and index in by_branch:
                by_branch[index].append(below)
        if not fitting:
            types = dict.fromkeys(_WORDS[name] for branch in branches for name in self._types(branch))
            what = "nothing" if error.instance is None else _kind_of(error.instance)
            value = error.instance
            number = isinstance(value, int | float) and not isinstance(value, bool)
            forms = [facet.get("format") for branch in branches for facet in self._shape.flat(branch)]
            form = next((form for form in forms if form in {"vireo-quantity", "vireo-duration"}), None)
            if number and form:
                yield path, _format_message(str(form), str(value), str(value), schema), example
            else:
                yield path, f"must be {' or '.join(types) or 'something else'}, not {what}", example
            return
        best = min(fitting, key=lambda index: _distance(by_branch[index]))
        if len(fitting) > 1 and not isinstance(error.instance, dict | list):
            shown = "the value" if self._shape.is_secret(path) else _shown(error.instance)
            yield path, f"{shown} is not a valid {schema.get('title', 'value')}", example
            return
        for below in by_branch[best]:
            yield from self.error(below)

    def _types(self, branch: Schema) -> list[str]:
        found = [facet["type"] for facet in self._shape.flat(branch) if "type" in facet]
        return [name for types in found for name in ([types] if isinstance(types, str) else types)]

    def _fits_type(self, branch: Schema, value: Any) -> bool:
        types = self._types(branch)
        if not types:
            facets = self._shape.flat(branch)
            words = [facet["enum"] for facet in facets if "enum" in facet] + [[facet["const"]] for facet in facets if "const" in facet]
            return not words or any(type(word) is type(value) for group in words for word in group)
        return any(is_type(value, name) for name in types)


def _distance(errors: Sequence[ValidationError]) -> tuple[int, int]:
    """How far data are from an alternative: wrong constants and unknown fields weigh more than what is missing."""
    heavy = sum(1 for error in errors if error.validator in {"const", "additionalProperties", "required"})
    return heavy, len(errors)


def _format_message(name: str, value: str, shown: str, schema: Schema) -> str:
    if name in {"vireo-quantity", "vireo-duration"}:
        try:
            FORMATS[name](value)
        except ValueError as error:
            return str(error)
    return f"{shown} is not a valid {schema.get('title', 'value')}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f'{text[: _LONGEST - 4]}..."'


def _kind_of(value: Any) -> str:
    return next((word for name, word in _WORDS.items() if is_type(value, name)), "something else")


def _example_of(schemas: Iterable[Schema]) -> str:
    examples = next((schema["examples"] for schema in schemas if schema.get("examples")), [])
    text = json.dumps(examples[0], ensure_ascii=False) if examples else ""
    return f"for example {text}" if text and len(text) <= _LONGEST * 2 else ""


def _joined(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _listing(names: Iterable[Any], before: str = "known here: ") -> str:
    known = [str(name) for name in names]
    return before + ", ".join(known) if known and len(known) <= _MANY else ""
