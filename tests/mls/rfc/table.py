"""The table of requirements, loaded from `requirements.toml` and `list_items.toml`.

A requirement is one MUST, SHALL or REQUIRED of the text, found by section and ordinal. In the first file it has

* `keyword`, and `sentence`, the digest of the sentence that holds it (see `text.py`): so the table can be held
  against the text without having it;
* `says`, what it asks for, in our words;
* `rules`, the names of those in `mls.rules` that check it, each proven in `tests/mls/rules`, and `tests` besides;
  or `none`, why nothing does.

A list item is something that the RFC asks for without such a word: `section`, `item`, `rules` or `none`. Rules that
no sentence of the RFC asks for are `own_rules`, each with its reason.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.mls.rfc.text import count_by_section, occurrences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ListItem", "Requirement", "Table", "differences", "load"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Requirement:
    """One keyword of the text, with what proves it or why nothing does."""

    section: str
    ordinal: int
    keyword: str
    sentence: str
    says: str
    rules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    none: str = ""


@dataclass(frozen=True, slots=True)
class ListItem:
    """Something that the RFC asks for in a list, without a keyword."""

    section: str
    item: str
    rules: tuple[str, ...] = ()
    none: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """All of it."""

    source: str
    sha256: str
    """Of the text, as hexadecimal digits."""
    total: int
    counts: Mapping[str, int]
    """How many keywords each section has, as recorded when the table was last held against the text."""
    requirements: tuple[Requirement, ...]
    list_items: tuple[ListItem, ...]
    own_rules: Mapping[str, str]

    def sections_of_rules(self) -> dict[str, set[str]]:
        """Return, for each rule that is named, the sections that ask for it."""
        found: dict[str, set[str]] = {}
        entries: list[Requirement | ListItem] = [*self.requirements, *self.list_items]
        for entry in entries:
            for rule in entry.rules:
                found.setdefault(rule, set()).add(entry.section)
        return found


def load() -> Table:
    """Load the table."""
    main = tomllib.loads((HERE / "requirements.toml").read_text(encoding="utf-8"))
    lists = tomllib.loads((HERE / "list_items.toml").read_text(encoding="utf-8"))
    requirements = (
        Requirement(section, int(ordinal), **_with_tuples(fields))
        for section, ordinals in main["requirements"].items()
        for ordinal, fields in ordinals.items()
    )
    return Table(
        main["source"],
        main["sha256"],
        main["total"],
        main["counts"],
        tuple(requirements),
        tuple(ListItem(**_with_tuples(fields)) for fields in lists["list_items"]),
        lists["own_rules"],
    )


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def differences(table: Table, text: bytes) -> Iterator[str]:
    """Yield in what the table and a copy of the RFC's text differ: nothing, where the table is right."""
    digest = hashlib.sha256(text).hexdigest()
    if digest != table.sha256:
        yield f"the text has SHA-256 {digest}, the table is for {table.sha256}"
    decoded = text.decode("utf-8")
    counts = count_by_section(decoded)
    for section in sorted({*counts, *table.counts}):
        here, recorded = counts.get(section, 0), table.counts.get(section, 0)
        if here != recorded:
            yield f"section {section} has {here} keywords, the table says {recorded}"
    listed = {(item.section, item.ordinal): (item.keyword, item.sentence) for item in table.requirements}
    for found in occurrences(decoded):
        entry = listed.pop((found.section, found.ordinal), None)
        if entry != (found.keyword, found.digest):
            place = f"{found.section}, {found.ordinal}: {found.keyword} {found.digest}"
            yield f"{place}, the table has {entry}: {found.sentence}"
    for section, ordinal in listed:
        yield f"{section}, {ordinal}: the text has no such keyword"
