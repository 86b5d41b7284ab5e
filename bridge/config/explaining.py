"""Turns the errors of the models into problems: the key as it stands in the file, and what would be right."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.config.documents import Document
from bridge.config.problems import KeyPath, Problem
from bridge.config.sections import CHOICE, REFUSAL, Section

__all__ = ["explain"]


def explain(error: ValidationError, root: type[Section], document: Document) -> list[Problem]:
    """Return a problem for each error of a model, with the document's line."""
    problems = []
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and details["input"]:
            continue  # there are items, and what is wrong with them is told
        path, section = _locate(details["loc"], root)
        what, advice = _words(details, path, section)
        if details["type"] in {"union_tag_not_found", "union_tag_invalid"}:
            path = (*path, "network")
        problems.append(Problem(path, document.line(path), what, advice))
    return problems


def _locate(location: tuple[int | str, ...], root: type[Section]) -> tuple[KeyPath, type[Section] | None]:
    """Return an error's place as keys in the file, and the section that the last key stands in.

    Where one of several sections may stand, the location names the chosen one by its tag, which is no key.
    """
    path: list[str | int] = []
    annotation: object = root
    section: type[Section] | None = None
    for part in location:
        if part == "[key]":  # a name that is not allowed: the name itself stands before this
            continue
        candidates = _sections(annotation)
        chosen = [candidate for candidate in candidates if candidate.tag == part]
        if len(candidates) > 1 and chosen:
            annotation = chosen[0]
            continue
        path.append(part)
        if candidates:
            section = next((candidate for candidate in candidates if part in candidate.model_fields), candidates[0])
            field = section.model_fields.get(str(part))
            annotation = None if field is None else field.annotation
        else:
            section = None
            annotation = _item(annotation)
    return tuple(path), section


def _sections(annotation: object) -> list[type[Section]]:
    """Return the sections that may stand where this annotation does."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _sections(arguments[0])
    if origin in {Union, types.UnionType}:
        return [section for argument in arguments for section in _sections(argument)]
    return []


def _item(annotation: object) -> object:
    """Return what a mapping or a list holds."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _item(arguments[0])
    return arguments[-1] if get_origin(annotation) is dict else arguments[0] if arguments else None


# Words

SECRET_FORMS = "write {file: PATH}, {env: NAME} or {keyring: {service: ..., user: ...}}"

TEXT = ("is not text", "put it in quotes")

FIXED = {
    "union_tag_not_found": ("is missing", "write matrix or xmpp"),
    "union_tag_invalid": ("is not a network", "write matrix or xmpp"),
    "string_type": TEXT,
    "path_type": TEXT,
    "bool_type": ("is neither true nor false", "write one of them, without quotes"),
    "int_type": ("is not a whole number", "write digits, without quotes"),
    "tuple_type": ("is not a list", "begin each item with a dash, in a line of its own"),
}
"""What is wrong and what would be right, by pydantic's types of errors."""

ABOUT = {
    "missing": "is missing",
    "model_type": "is not a mapping",
    "model_attributes_type": "is not a mapping",
    "dict_type": "is not a mapping",
    "string_pattern_mismatch": "has characters that do not belong there",
    "string_too_short": "is empty",
    "too_short": "is empty",
}
"""The same, where what is right is what the field's documentation says."""


def _words(details: ErrorDetails, path: KeyPath, section: type[Section] | None) -> tuple[str, str]:
    """Return what is wrong and what would be right. Values are not repeated: one could be a secret."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == REFUSAL:
        words = context["what"], context["advice"]
    elif kind == CHOICE:
        words = _choice(value, context["choices"])
    elif kind == "extra_forbidden":
        words = "is not a key here", _nearest(str(path[-1]), () if section is None else section.model_fields)
    elif kind == "enum":
        words = "is none of its values", f"write {context['expected']}"
    elif FIXED.get(kind) == TEXT and value is None:
        words = "is empty", "write a text; what begins with # is a comment unless it stands in quotes"
    elif kind in FIXED:
        words = FIXED[kind]
    elif kind in ABOUT:
        words = ABOUT[kind], _about(path, section) or "write keys and values"
    else:
        words = "is not right", details["msg"][:1].lower() + details["msg"][1:]
    return words


def _choice(value: object, choices: str) -> tuple[str, str]:
    names = choices.split(", ")
    either = f"{', '.join(names[:-1])} or {names[-1]}"
    is_secret = "keyring" in names
    advice = SECRET_FORMS if is_secret else f"write {either} below it"
    if isinstance(value, str) and is_secret:
        return "holds the secret itself, which then stands in every copy of this file", advice
    if not isinstance(value, Mapping):
        return f"is not one of {either}", advice
    present = [name for name in names if name in value]
    if present:
        return f"has {' and '.join(present)}, of which it takes one", "leave out the others"
    for key in value:
        if near := difflib.get_close_matches(str(key), names, n=1):
            advice = f"did you mean {near[0]} instead of {key}?"
    return f"has none of {either}", advice


def _nearest(key: str, names: Iterable[str]) -> str:
    known = list(names)
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"


def _about(path: KeyPath, section: type[Section] | None) -> str:
    """Return what a field is, by its own documentation."""
    field = None if section is None or not path else section.model_fields.get(str(path[-1]))
    if field is None or field.description is None:
        return ""
    description = " ".join(field.description.split()).removesuffix(".")
    return f"it is: {description[0].lower()}{description[1:]}"
