"""Scripts from JSON, strictly: what is unknown, missing, of a wrong type or refers to nothing is an error."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin, get_type_hints

from tests.interop.parts import PROPOSALS, Actor, Description, Extension, Product
from tests.interop.scripts import ACTIONS, Script, Step

__all__ = ["ScriptError", "parse"]

MAX_ACTOR = 64
"""In characters: how long a name may be."""

T = TypeVar("T")


class ScriptError(Exception):
    """A script is not what it should be. Says which one, and where in it."""


def parse(file: str, data: bytes) -> list[Script]:
    """Return the scripts in the JSON text of one file, whose name begins theirs. Raises `ScriptError`."""
    try:
        config = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"{file} is not valid JSON: {error}") from error
    match config:
        case {"scripts": dict(scripts), **rest} if not rest:
            return [_Reader(f"{file}/{name}").script(steps) for name, steps in scripts.items()]
        case _:
            raise ScriptError(f"{file} is not an object with the one field `scripts`, an object")


class _Reader:
    """Reads one script, and notes who and what occurs in it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._where = name
        self._actors: dict[Actor, None] = {}
        self._made: list[frozenset[Product]] = []

    def script(self, value: object) -> Script:
        if not isinstance(value, list) or not value:
            raise self._error("is not an array of steps")
        steps: list[Step] = []
        for number, item in enumerate(value):
            self._where = f"{self._name}, step {number}"
            step = self._tagged(item, "action", ACTIONS)
            self._made.append(step.makes)
            steps.append(step)
        return Script(self._name, tuple(steps), tuple(self._actors))

    def _error(self, message: str) -> ScriptError:
        return ScriptError(f"{self._where}: {message}")

    def _tagged(self, value: object, tag: str, kinds: dict[str, type[T]]) -> T:
        """Read an object whose field `tag` says which class it is of."""
        if not isinstance(value, dict):
            raise self._error("is not an object")
        kind = value.get(tag)
        if not isinstance(kind, str) or kind not in kinds:
            raise self._error(f"field {tag!r} is {kind!r}, which is none of {', '.join(kinds)}")
        outer, self._where = self._where, f"{self._where} ({kind})"
        read = self._object({name: field for name, field in value.items() if name != tag}, kinds[kind])
        self._where = outer
        return read

    def _object(self, value: object, kind: type[T]) -> T:
        """Read an object as an instance of a dataclass."""
        if not isinstance(value, dict):
            raise self._error("is not an object")
        types, required = SIGNATURES[kind]
        arguments: dict[str, object] = {}
        names = {_plain(name): name for name in types}
        for key, item in value.items():
            name = names.get(_plain(key))
            if name is None:
                raise self._error(f"there is no field {key!r}")
            if name in arguments:
                raise self._error(f"field {key!r} is there twice")
            outer, self._where = self._where, f"{self._where}, field {key!r}"
            arguments[name] = self._value(item, types[name])
            self._where = outer
        missing = required - arguments.keys()
        if missing:
            raise self._error(f"there is no field {', '.join(sorted(map(repr, missing)))}")
        return kind(**arguments)

    def _value(self, value: object, kind: object) -> object:
        """Read the value of a field whose annotation is `kind`."""
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is tuple:
            return self._array(value, arguments[0])
        if origin is Annotated:
            return self._reference(value, arguments[1])
        if kind == Description:
            return self._tagged(value, "proposalType", PROPOSALS)
        if origin in {Union, UnionType} and arguments[1:] == (NoneType,):
            return self._value(value, arguments[0])
        if kind is Extension:
            return self._object(value, Extension)
        return self._scalar(value, kind)

    def _array(self, value: object, kind: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise self._error("is not an array")
        outer = self._where
        read = []
        for number, item in enumerate(value):
            self._where = f"{outer}[{number}]"
            read.append(self._value(item, kind))
        self._where = outer
        return tuple(read)

    def _reference(self, value: object, product: Product) -> int:
        number = self._number(value)
        if number >= len(self._made):
            raise self._error(f"step {number} does not come before this one")
        if product not in self._made[number]:
            raise self._error(f"step {number} leaves no {product.value}")
        return number

    def _scalar(self, value: object, kind: object) -> object:
        if kind is Actor:
            return self._actor(value)
        if kind is int:
            return self._number(value)
        if kind is bytes:
            return self._bytes(value)
        if kind is bool and isinstance(value, bool):
            return value
        if kind is str and isinstance(value, str):
            return value
        expected = getattr(kind, "__name__", str(kind))
        raise self._error(f"is {value!r} instead of a {expected}")

    def _number(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
            raise self._error(f"is {value!r} instead of a number from 0 to 2^32 - 1")
        return value

    def _bytes(self, value: object) -> bytes:
        if not isinstance(value, str):
            raise self._error("is not a string of base64")
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._error(f"is not base64: {error}") from error

    def _actor(self, value: object) -> Actor:
        if not isinstance(value, str) or not 0 < len(value) <= MAX_ACTOR:
            raise self._error(f"is not a name of 1 to {MAX_ACTOR} characters")
        actor = Actor(value)
        self._actors[actor] = None
        return actor


def _signature(kind: type) -> tuple[dict[str, object], frozenset[str]]:
    """The fields of a dataclass with their types, and which of them have no default."""
    hints = get_type_hints(kind, include_extras=True)
    own = fields(kind)
    return {field.name: hints[field.name] for field in own}, frozenset(
        field.name for field in own if field.default is MISSING
    )


SIGNATURES: dict[type[object], tuple[dict[str, object], frozenset[str]]] = {
    kind: _signature(kind) for kind in (*ACTIONS.values(), *PROPOSALS.values(), Extension)
}


def _plain(name: str) -> str:
    """Return a field's name without what differs between its spellings.

    The official files have `externalTree` and `external_tree`, `changeCipherSuite` and `changeCiphersuite`, and mean
    the same.
    """
    return name.replace("_", "").lower()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("an object has a field twice")
    return read
