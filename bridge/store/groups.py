"""MLS groups, in the parts that `mls.persistence` cuts their states into."""

from __future__ import annotations

from bridge.store.database import Parameter
from bridge.store.encryption import Place
from bridge.store.errors import CorruptStoreError, StoreConflictError
from bridge.store.statements import Statements
from mls.errors import DecodeError
from mls.group.state import GroupState
from mls.persistence import Changes, Part, PartKey, PartKind, load

__all__ = ["Groups"]


class Groups:
    """The state of each group, by the account that is its member. A step writes the parts that it changes."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, owner: str, group_id: bytes, changes: Changes) -> None:
        """Store what a step changed: before what it put out is released.

        Raises `StoreConflictError` where the stored revision is not the one that the step started from.
        """
        group = await self._advance(owner, group_id, changes)
        secret = [part for part in changes.put if part.is_secret]
        sealed = await self._statements.seal(*((_place(owner, group_id, part.key), part.data) for part in secret))
        rows: list[tuple[Parameter, ...]] = [
            (group, *self._columns(part.key), data, key_id) for part, (key_id, data) in zip(secret, sealed, strict=True)
        ]
        rows += [(group, *self._columns(part.key), part.data, None) for part in changes.put if not part.is_secret]
        if rows:
            self._statements.write_each(
                'INSERT INTO group_parts ("group", kind, epoch, place, data, key_id) VALUES (?, ?, ?, ?, ?, ?)'
                ' ON CONFLICT ("group", kind, epoch, place)'
                " DO UPDATE SET data = excluded.data, key_id = excluded.key_id",
                rows,
            )
        if changes.delete:
            self._statements.write_each(
                'DELETE FROM group_parts WHERE "group" = ? AND kind = ? AND epoch = ? AND place = ?',
                [(group, *self._columns(key)) for key in changes.delete],
            )

    async def load(self, owner: str, group_id: bytes, *, experimental: bool = False) -> GroupState | None:
        """Return a group's state, `None` where there is none. Raises `CorruptStoreError`.

        Raises `mls.UsageError` where its cipher suite is experimental, unless `experimental` admits it.
        """
        rows = await self._statements.rows(
            "SELECT kind, epoch, place, data, key_id, wrapped FROM groups"
            ' JOIN group_parts ON "group" = groups.id LEFT JOIN value_keys ON value_keys.id = key_id'
            " WHERE owner = ? AND group_id = ?",
            owner,
            group_id,
        )
        if not rows:
            return None
        parts = {}
        try:
            for kind, epoch, place, data, key_id, wrapped in rows:
                key = PartKey(PartKind(kind), int.from_bytes(epoch, "big"), place)
                if Part(key, data).is_secret:
                    parts[key] = self._statements.unseal(_place(owner, group_id, key), key_id, wrapped, data)
                else:
                    parts[key] = data
            return load(parts, experimental=experimental)
        except (DecodeError, ValueError) as error:
            what = f"a stored group is damaged ({error})"
            raise CorruptStoreError(what, where=self._statements.where) from None

    async def list(self, owner: str) -> list[bytes]:
        """Return the ids of the account's groups."""
        rows = await self._statements.rows("SELECT group_id FROM groups WHERE owner = ? ORDER BY id", owner)
        return [group_id for (group_id,) in rows]

    async def delete(self, owner: str, group_id: bytes) -> None:
        """Delete a group, if it is there."""
        self._statements.write("DELETE FROM groups WHERE owner = ? AND group_id = ?", owner, group_id)

    async def _advance(self, owner: str, group_id: bytes, changes: Changes) -> int:
        """Move the stored revision from the one that the step started from, and return the group's row."""
        if changes.revision_before is None:
            row = await self._statements.row(
                "INSERT INTO groups (owner, group_id, revision) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
                owner,
                group_id,
                changes.revision_after,
            )
        else:
            row = await self._statements.row(
                "UPDATE groups SET revision = ? WHERE owner = ? AND group_id = ? AND revision = ? RETURNING id",
                changes.revision_after,
                owner,
                group_id,
                changes.revision_before,
            )
        if row is None:
            stored = await self._statements.row(
                "SELECT revision FROM groups WHERE owner = ? AND group_id = ?", owner, group_id
            )
            found = None if stored is None else stored[0]
            raise StoreConflictError(found, changes.revision_before, where=self._statements.where)
        return int(row[0])

    def _columns(self, key: PartKey) -> tuple[int, bytes, int]:
        return key.kind, self._statements.uint64(key.epoch), key.place


def _place(owner: str, group_id: bytes, key: PartKey) -> Place:
    return ("group_parts", "data", owner, group_id, int(key.kind), key.epoch, key.place)
