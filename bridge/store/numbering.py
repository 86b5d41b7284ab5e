"""Numbers of rows that a transaction may use next, known without asking the database each time.

The process owns its database, and transactions come one at a time: nobody else takes a number meanwhile. After a
rollback nothing of this holds, and the database is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Numbering"]


@dataclass(slots=True)
class Numbering:
    """What is known of the numbers of one database."""

    free_keys: list[int] = field(default_factory=list)
    """Rows of `value_keys` to use next."""
    last: dict[str, int] = field(default_factory=dict)
    """The last number that was given, by table: none is ever given twice."""

    def forget(self) -> None:
        """Know nothing any more."""
        self.free_keys.clear()
        self.last.clear()
