"""Entries run, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.conformance.checks import CheckError
from mls.conformance.fields import read
from mls.conformance.registry import FORMATS
from mls.errors import MlsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mls.crypto.random import Random

__all__ = ["Failure", "Result", "run"]


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing in an entry that is not as it should be."""

    check: str
    """The place, as `epochs[2].joiner_secret`; empty for the entry as a whole."""
    error: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one entry."""

    entry: int
    """Its position in the file, from 0."""
    suite: int | None
    """Its cipher suite, if it names one."""
    failure: Failure | None
    """`None`: it passed."""


def run(format_name: str, entries: Sequence[object], random: Random) -> Iterator[Result]:
    """Run entries of a format, one at each step. What they hold may be anything that JSON can say."""
    for position, entry in enumerate(entries):
        yield Result(position, _suite_of(entry), _check(format_name, entry, random))


def _check(format_name: str, entry: object, random: Random) -> Failure | None:
    try:
        read(FORMATS[format_name], entry).check(random)
    except CheckError as error:
        return Failure(error.check, error.reason)
    except MlsError as error:  # pragma: no cover - the checks name their place; this is for one that forgets to
        return Failure("", str(error))
    return None


def _suite_of(entry: object) -> int | None:
    number = entry.get("cipher_suite") if isinstance(entry, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
