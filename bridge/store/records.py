"""Small state of sessions, as bytes that they version themselves. Always encrypted."""

from __future__ import annotations

from bridge.store.encryption import Place
from bridge.store.statements import Statements

__all__ = ["Records"]


class Records:
    """Values by space and key."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def get(self, space: str, key: bytes) -> bytes | None:
        """Return a value, `None` where there is none."""
        row = await self._statements.row(
            "SELECT key_id, wrapped, value FROM records JOIN value_keys ON value_keys.id = key_id"
            " WHERE space = ? AND key = ?",
            space,
            key,
        )
        return None if row is None else self._statements.unseal(_place(space, key), *row)

    async def put(self, space: str, key: bytes, value: bytes) -> None:
        """Store a value in place of the one before."""
        ((key_id, sealed),) = await self._statements.seal((_place(space, key), value))
        self._statements.write(
            "INSERT INTO records (space, key, value, key_id) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, key_id = excluded.key_id",
            space,
            key,
            sealed,
            key_id,
        )

    async def delete(self, space: str, key: bytes) -> None:
        """Delete a value, if there is one."""
        self._statements.write("DELETE FROM records WHERE space = ? AND key = ?", space, key)

    async def items(self, space: str) -> list[tuple[bytes, bytes]]:
        """Return the keys and values of a space, sorted by key."""
        rows = await self._statements.rows(
            "SELECT key, key_id, wrapped, value FROM records JOIN value_keys ON value_keys.id = key_id"
            " WHERE space = ? ORDER BY key",
            space,
        )
        return [(key, self._statements.unseal(_place(space, key), *sealed)) for key, *sealed in rows]


def _place(space: str, key: bytes) -> Place:
    return ("records", "value", space, key)
