"""The networks' cursors: up to where each account has read."""

from __future__ import annotations

from bridge.store.statements import Statements

__all__ = ["Cursors"]


class Cursors:
    """One cursor for each account, opaque."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def get(self, account: str) -> bytes | None:
        """Return the account's cursor, `None` where it never had one."""
        row = await self._statements.row("SELECT cursor FROM cursors WHERE account = ?", account)
        return None if row is None else bytes(row[0])

    async def put(self, account: str, cursor: bytes) -> None:
        """Store the account's cursor: in the transaction that stores the events it stands behind."""
        self._statements.write(
            "INSERT INTO cursors (account, cursor) VALUES (?, ?)"
            " ON CONFLICT (account) DO UPDATE SET cursor = excluded.cursor",
            account,
            cursor,
        )
