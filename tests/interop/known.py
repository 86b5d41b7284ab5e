"""What is known to be wrong with peers, or missing from them: `known.toml`, and what it explains.

Each entry says which outcomes it is about, and has to be right about all of them: an entry whose peer has another
version now, or that explains nothing any more where it should, is stale, and fails the campaign like a new failure.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.walks.features import Feature

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Entry", "Kind", "Known", "KnownError", "read"]

PATH = Path(__file__).with_name("known.toml")


class KnownError(Exception):
    """The list is not what it should be. Says which entry."""


class Kind(StrEnum):
    """What is known."""

    GAP = "gap"
    """The peer does not offer it: it says so, or does not announce it in its leaves."""
    DEVIATION = "deviation"
    """The peer does not do what the RFC asks for."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that is known, of one version of one peer."""

    peer: str
    version: str
    kind: Kind
    scripts: tuple[str, ...] = ()
    """Patterns for the names of the scripts in which it shows, such as `reinit/*`; `walk/*` are the random walks."""
    suites: tuple[int, ...] = ()
    """The cipher suites in which it shows; empty: all."""
    reason: str
    """A regular expression, found in the reason that the campaign gives."""
    what: str
    """What happens, for people."""
    where: str
    """The RFC's section that asks for something else, or the peer's source file and line."""
    reproduction: str
    """The smallest way to see it: a command, or what to call."""
    avoided: tuple[Feature, ...] = ()
    """What walks with this peer do without, because nothing would be left of them."""

    def is_about(self, peers: Collection[str], script: str, suite: int, *patterns: str) -> bool:
        """Whether it could show in a script that these peers play in this suite; by some of its patterns, or by all."""
        named = any(fnmatchcase(script, pattern) for pattern in patterns or self.scripts)
        return self.peer in peers and named and (not self.suites or suite in self.suites)

    def explains(self, reason: str) -> bool:
        """Whether it gives such a reason."""
        return re.search(self.reason, reason, re.DOTALL) is not None


@dataclass(frozen=True)
class Known:
    """The whole list, and which suites each peer has to offer."""

    entries: tuple[Entry, ...]
    suites: Mapping[str, tuple[int, ...]]
    """Of each peer. One that is missing one day would be missed by nobody else."""
    experimental: Mapping[str, tuple[int, ...]]
    """The suites beyond the RFC's that each peer and ours mean the same by; other peers may mean others by them."""

    def explanation(
        self, peers: Collection[str], script: str, suite: int, *, offered: bool, reason: str
    ) -> Entry | None:
        """Return the entry that explains why a script did not pass; `offered`: it failed.

        A gap explains failures, too: what a peer does not announce, others refuse to do in its presence.
        """
        kinds = {Kind.GAP, Kind.DEVIATION} if offered else {Kind.GAP}
        about = (entry for entry in self.entries if entry.kind in kinds and entry.is_about(peers, script, suite))
        return next((entry for entry in about if entry.explains(reason)), None)

    def avoided(self, peer: str, suite: int) -> frozenset[Feature]:
        """Return what walks with a peer do without in one suite."""
        return frozenset(
            feature
            for entry in self.entries
            if entry.peer == peer and (not entry.suites or suite in entry.suites)
            for feature in entry.avoided
        )

    def missing_suites(self, offered: Mapping[str, Collection[int]]) -> dict[str, list[int]]:
        """Return the suites that peers have to offer, and do not."""
        missing = {
            peer: [suite for suite in suites if suite not in offered[peer]]
            for peer, suites in self.suites.items()
            if peer in offered
        }
        return {peer: suites for peer, suites in missing.items() if suites}

    def outdated(self, names: Mapping[str, str]) -> list[tuple[Entry, str]]:
        """Return the entries that are about another version than the one that a peer says it is, with why."""
        return [
            (entry, f"is about version {entry.version}, and this is {names[entry.peer]}: look again")
            for entry in self.entries
            if entry.peer in names and entry.version not in re.split(r"[\s(),;]+", names[entry.peer])
        ]


def read(path: Path = PATH) -> Known:
    """Return the list. Raises `KnownError`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KnownError(f"{path.name} cannot be read: {error}") from error
    match document:
        case {"suites": dict(suites), "experimental": dict(experimental), **rest} if rest.keys() <= {"known"}:
            entries = rest.get("known", [])
        case _:
            raise KnownError(
                f"{path.name} must have tables 'suites' and 'experimental', and nothing else but '[[known]]' entries"
            )
    return Known(
        tuple(_entry(f"{path.name}, entry {number}", item) for number, item in enumerate(entries, 1)),
        {peer: _suites(f"{path.name}, suites of {peer}", numbers) for peer, numbers in suites.items()},
        {peer: _suites(f"{path.name}, experimental suites of {peer}", item) for peer, item in experimental.items()},
    )


def _entry(where: str, item: Mapping[str, object]) -> Entry:
    allowed = {field.name for field in fields(Entry)}
    required = {field.name for field in fields(Entry) if field.default is MISSING}
    if item.keys() - allowed or required - item.keys():
        wrong = ", ".join(sorted((item.keys() - allowed) | (required - item.keys())))
        raise KnownError(f"{where}: unknown or missing: {wrong}")
    texts = {name: _text(where, name, item[name]) for name in required - {"kind"}}
    try:
        re.compile(texts["reason"])
        return Entry(
            **texts,
            kind=Kind(_text(where, "kind", item["kind"])),
            scripts=tuple(_texts(where, "scripts", item.get("scripts", []))),
            suites=_suites(f"{where}, suites", item.get("suites", [])),
            avoided=tuple(Feature(name) for name in _texts(where, "avoided", item.get("avoided", []))),
        )
    except (ValueError, re.error) as error:
        raise KnownError(f"{where}: {error}") from error


def _text(where: str, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise KnownError(f"{where}: {name} is no text, or empty")
    return value.strip()


def _texts(where: str, name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise KnownError(f"{where}: {name} is no array")
    return [_text(where, name, item) for item in value]


def _suites(where: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(isinstance(number, int) for number in value):
        raise KnownError(f"{where}: no array of numbers")
    return tuple(value)
