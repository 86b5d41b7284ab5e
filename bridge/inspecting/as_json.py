"""An explanation as JSON. docs/inspect.md is its description, and tests hold it against this."""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

from bridge.inspecting.explanation import Blob, Code, Drawing, Encrypted, Explanation, Moment, Several, Value
from bridge.inspecting.kinds import Finding, NotUnderstoodError

__all__ = ["FORMAT", "Json", "failure_as_json", "finding_as_json"]

FORMAT: Final = 1

_LONGEST_HEX: Final = 4096
"""Bytes: what is longer is content, not a name or a key."""

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"


def finding_as_json(finding: Finding) -> dict[str, Json]:
    """Return what was found."""
    return {
        "version": FORMAT,
        "taken_for": finding.taken_for,
        "carried_as": list(finding.carried_as),
        "bytes": finding.size,
        "problems": list(finding.problems),
        "explanation": _json(finding.explanation),
    }


def failure_as_json(error: NotUnderstoodError) -> dict[str, Json]:
    """Return what was tried in vain."""
    tried: list[Json] = [
        {
            "taken_for": attempt.taken_for,
            "carried_as": list(attempt.carried_as),
            "error": attempt.why,
            "offset": attempt.offset,
        }
        for attempt in error.attempts
    ]
    return {"version": FORMAT, "tried": tried}


def _json(value: Value) -> Json:  # noqa: PLR0911 - one for each sort of value
    match value:
        case str() | int():
            return value
        case Blob(data=data):
            return {"bytes": len(data), "hex": data.hex() if len(data) <= _LONGEST_HEX else None}
        case Encrypted(size=size):
            return {"encrypted_bytes": size}
        case Code(number=number, name=name):
            return {"number": number, "name": name}
        case Moment(milliseconds=milliseconds):
            return {"milliseconds": milliseconds, "utc": value.utc}
        case Several(items=items, total=total):
            return {"total": total, "items": [_json(item) for item in items]}
        case Drawing(values=values):
            return _json(values)
        case Explanation(kind=kind, fields=fields):
            return {"kind": kind} | {field.name: _json(field.value) for field in fields}
        case _:
            assert_never(value)
