"""jsonschema's errors -> plain sentences with a place and, where one can guess it, what was meant. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from jsonschema import ValidationError

from reconciler.errors import Problem
from reconciler.manifest import words
from reconciler.manifest.check import FORMATS
from reconciler.manifest.places import dotted
from reconciler.manifest.shape import Schema, Shape, is_type
from reconciler.model.resource import Document, Path

Sentence: TypeAlias = tuple[Path, str, str]

_MEASURES = {"vireo-quantity", "vireo-size", "vireo-duration", "vireo-rate"}
_TOLD = {*_MEASURES, "vireo-elements"}  # formats that say themselves what is wrong
_BOUNDS = {
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


def problems(document: Document, shape: Shape, errors: Iterable[ValidationError]) -> list[Problem]:
    """One Problem for each thing that is wrong, at the place of the key or item that it is about."""
    explain = _Explainer(shape)
    said = [sentence for error in errors for sentence in explain.error(error)]
    out = []
    for path, message, hint in said:
        if (path, message) not in explain.misspelled:
            where = document.locate(path)
            out.append(Problem(where.file, where.line, where.column, dotted(path), message, hint))
    return out


class _Explainer:
    """`misspelled` holds what need not be said: a field is missing whose name stands there with a slip."""

    def __init__(self, shape: Shape) -> None:
        self.misspelled: set[tuple[Path, str]] = set()
        self._shape = shape

    def error(self, error: ValidationError) -> Iterator[Sentence]:
        """What `error` says: a path, a message and a hint for each thing."""
        path: Path = tuple(error.absolute_path)
        schema: Schema = error.schema if isinstance(error.schema, dict) else {}
        if "propertyNames" in error.relative_schema_path:
            yield (*path, str(error.instance)), f"not usable as a {schema.get('title', 'name')}", words.example([schema])
            return
        match error.validator:
            case "additionalProperties":
                yield from self._unknown(error, schema, path)
            case "required":
                yield from self._missing(error, path)
            case "dependentRequired":
                yield from self._dependent(error, path)
            case "oneOf" | "anyOf":
                yield from self._alternatives(error, schema, path)
            case "x-vireo-most":
                yield path, *_too_much(error, str(path[-1]))
            case _:
                yield (path, *self._value(error, schema, path))

    # --- fields ------------------------------------------------------------------------------------------------

    def _unknown(self, error: ValidationError, schema: Schema, path: Path) -> Iterator[Sentence]:
        known = schema.get("properties", {})
        instance: Any = error.instance
        for name in instance:
            if name not in known:
                meant = words.nearest(name, known)
                self.misspelled.add((path, _missing(meant)))
                yield (*path, name), "unknown field", words.did_you_mean(name, known) or words.listing(known)

    def _missing(self, error: ValidationError, path: Path) -> Iterator[Sentence]:
        instance: Any = error.instance
        wanted: Any = error.validator_value
        for name in wanted:
            if name not in instance and error.message.startswith(f"{name!r} "):  # jsonschema has one error for each
                yield path, _missing(name), self._example((*path, name))

    def _dependent(self, error: ValidationError, path: Path) -> Iterator[Sentence]:
        instance: Any = error.instance
        rules: Any = error.validator_value
        for name, needs in rules.items():
            for need in needs:
                if name in instance and need not in instance:
                    yield (*path, name), f'needs the field "{need}" too', self._example((*path, need))

    # --- one value ---------------------------------------------------------------------------------------------

    def _value(self, error: ValidationError, schema: Schema, path: Path) -> tuple[str, str]:
        value: Any = error.instance
        wanted: Any = error.validator_value
        shown = self._shown(path, value)
        own = schema.get("x-vireo-message")
        example = self._example(path) or words.example([schema])
        match error.validator:
            case "type":
                return self._wrong_type([wanted] if isinstance(wanted, str) else wanted, value, shown, schema, example)
            case "enum":
                known = [name for name in wanted if isinstance(name, str)]
                meant = words.did_you_mean(value, known) if isinstance(value, str) else ""
                return f"{shown} is not allowed here", meant or words.listing(wanted, "one of: ")
            case "const":
                return f"must be {words.shown(wanted)}, not {shown}", ""
            case "format":
                return _measure(str(wanted), value) or f"{shown} is not a valid {schema.get('title', 'value')}", example
            case "pattern":
                return f"{shown} is {own or 'not a valid ' + str(schema.get('title', 'value'))}", example
            case _:
                return self._bound(str(error.validator), wanted, value, shown, own, example)

    @staticmethod
    def _bound(keyword: str, wanted: Any, value: Any, shown: str, own: str | None, example: str) -> tuple[str, str]:
        if own:
            return own, ""
        if keyword == "uniqueItems":
            return "holds an item twice", "keep one of them"
        if keyword.startswith("min") and value in ("", [], {}):
            return "must not be empty", example
        if keyword in _BOUNDS:
            return _BOUNDS[keyword].format(wanted), example
        return f"{shown} does not fit", example

    @staticmethod
    def _wrong_type(names: list[str], value: Any, shown: str, schema: Schema, example: str) -> tuple[str, str]:
        form = str(schema.get("format"))
        if _is_number(value) and form in _MEASURES:
            return _measure(form, str(value)), example
        must = f"must be {' or '.join(words.TYPES[name] for name in names)}"
        if value is None:
            return f"{must}, but nothing stands here", example
        if isinstance(value, dict | list):
            return f"{must}, not {words.kind_of(value)}", example
        if "string" in names:
            return f"{must}, not {shown}", "; ".join(part for part in ("put it in quotes", example) if part)
        return f"{must}, not {shown}", example

    def _shown(self, path: Path, value: Any) -> str:
        return "the value" if self._shape.is_secret(path) else words.shown(value)

    def _example(self, path: Sequence[str | int]) -> str:
        return words.example(self._shape.field(path))

    # --- alternatives ------------------------------------------------------------------------------------------

    def _alternatives(self, error: ValidationError, schema: Schema, path: Path) -> Iterator[Sentence]:
        """The errors of the alternative that was meant; or that none, or more than one, was."""
        branches: Any = error.validator_value
        value: Any = error.instance
        example = self._example(path) or words.example([schema])
        names = [name for branch in branches if branch.keys() <= {"required", "not"} for name in branch.get("required", ())]
        if names and isinstance(value, dict):
            given = [name for name in names if name in value]
            if given:
                yield path, f"only one of {words.joined(given)} can be given", "keep one of them"
            else:
                yield path, f"one of {words.joined(names)} is needed", example
            return
        fitting = [index for index, branch in enumerate(branches) if self._fits_type(branch, value)]
        if not fitting:
            yield path, self._no_type(branches, value), example
        elif len(fitting) > 1 and not isinstance(value, dict | list):
            yield path, f"{self._shown(path, value)} is not a valid {schema.get('title', 'value')}", example
        else:
            by_branch: dict[Any, list[ValidationError]] = {index: [] for index in fitting}
            for below in error.context or ():
                by_branch.get(below.relative_schema_path[0], []).append(below)
            for below in min(by_branch.values(), key=_distance):
                yield from self.error(below)

    def _no_type(self, branches: Sequence[Schema], value: Any) -> str:
        """That no alternative takes a value of this sort."""
        forms = [str(facet.get("format")) for branch in branches for facet in self._shape.flat(branch)]
        form = next((form for form in forms if form in _MEASURES), "")
        if _is_number(value) and form:
            return _measure(form, str(value))
        sorts = dict.fromkeys(words.TYPES[name] for branch in branches for name in self._types(branch))
        return f"must be {' or '.join(sorts)}, not {words.kind_of(value)}"

    def _types(self, branch: Schema) -> list[str]:
        found = [facet["type"] for facet in self._shape.flat(branch) if "type" in facet]
        return [name for types in found for name in ([types] if isinstance(types, str) else types)]

    def _fits_type(self, branch: Schema, value: Any) -> bool:
        types = self._types(branch)
        if types:
            return any(is_type(value, name) for name in types)
        facets = self._shape.flat(branch)
        known = [word for facet in facets for word in facet.get("enum", ())]
        known += [facet["const"] for facet in facets if "const" in facet]
        return not known or any(type(word) is type(value) for word in known)


def _missing(name: str) -> str:
    return f'the field "{name}" is missing'


def _too_much(error: ValidationError, name: str) -> tuple[str, str]:
    instance: Any = error.instance
    rules: Any = error.validator_value
    limit = rules[name]
    return f'{instance[name]} is more than its "{limit}", which is {instance[limit]}', f"raise {limit}, or lower {name}"


def _distance(errors: Sequence[ValidationError]) -> tuple[int, int]:
    """How far data are from an alternative: wrong constants and fields weigh more than wrong values."""
    heavy = sum(1 for error in errors if error.validator in {"const", "additionalProperties", "required"})
    return heavy, len(errors)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _measure(form: str, value: str) -> str:
    """What is wrong with a quantity, a duration or XML, in its own words; '' for any other format."""
    if form in _TOLD:
        try:
            FORMATS[form](value)
        except ValueError as error:
            return str(error)
    return ""
