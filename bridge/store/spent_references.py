"""References that stood in any Welcome, whoever's: a KeyPackage is used once."""

from __future__ import annotations

from bridge.store.statements import Statements

__all__ = ["SpentReferences"]


class SpentReferences:
    """KeyPackages' references, and the groups whose Welcomes named them."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, group_id: bytes, reference: bytes) -> None:
        """Remember a reference that stood in a Welcome of the group."""
        self._statements.write(
            "INSERT INTO spent_references (reference, group_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
            reference,
            group_id,
        )

    async def contains(self, reference: bytes) -> bool:
        """Whether the reference stood in a Welcome of any group."""
        row = await self._statements.row("SELECT 1 FROM spent_references WHERE reference = ? LIMIT 1", reference)
        return row is not None
