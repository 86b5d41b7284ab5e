"""What bytes say, in words: for `mls-bridge inspect`. Everything here is pure, and nothing here holds a key."""

from __future__ import annotations

from bridge.inspecting.as_json import failure_as_json, finding_as_json
from bridge.inspecting.as_text import finding_as_text
from bridge.inspecting.kinds import Attempt, Finding, Kind, NotUnderstoodError, inspect
from bridge.inspecting.look import Look
from bridge.inspecting.reading import MAX_INPUT

__all__ = [
    "MAX_INPUT",
    "Attempt",
    "Finding",
    "Kind",
    "Look",
    "NotUnderstoodError",
    "failure_as_json",
    "finding_as_json",
    "finding_as_text",
    "inspect",
]
