"""Whose signature key was taken for whose account, how and when. Decisions are added to, never changed."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.store.statements import Statements
from transports.room import Account

__all__ = ["Trust", "TrustDecision"]


@dataclass(frozen=True, slots=True)
class TrustDecision:
    """One decision. The last one about a key is the one that counts."""

    account: Account
    signature_key: bytes
    how: str
    at: int


class Trust:
    """The decisions of each owner, in the order in which they were made."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def append(self, owner: str, account: str, signature_key: bytes, how: str, at: int) -> None:
        """Add a decision."""
        self._statements.write(
            "INSERT INTO trust (owner, account, signature_key, how, at) VALUES (?, ?, ?, ?, ?)",
            owner,
            account,
            signature_key,
            how,
            at,
        )

    async def of(self, owner: str, account: str) -> list[TrustDecision]:
        """Return what the owner decided about an account, oldest first."""
        rows = await self._statements.rows(
            "SELECT account, signature_key, how, at FROM trust WHERE owner = ? AND account = ? ORDER BY id",
            owner,
            account,
        )
        return [TrustDecision(*row) for row in rows]

    async def all(self, owner: str) -> list[TrustDecision]:
        """Return all that the owner decided, oldest first."""
        rows = await self._statements.rows(
            "SELECT account, signature_key, how, at FROM trust WHERE owner = ? ORDER BY id", owner
        )
        return [TrustDecision(*row) for row in rows]
