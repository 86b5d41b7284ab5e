"""What repositories read and write with: the statements of one open transaction, and its encrypted values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, TypeVar

from bridge.store.database import Database, Parameter, Row, Statement
from bridge.store.encryption import KEY_SIZE, BadCiphertextError, Place, WrappingKey, decrypt, encrypt
from bridge.store.errors import CorruptStoreError, StoreError, StoreUsageError
from bridge.store.numbering import Numbering

__all__ = ["Sealed", "Statements", "batched"]

Sealed = tuple[int, bytes]
"""An encrypted value: the row of `value_keys` with its key, and the ciphertext."""


_FREE_KEYS_AHEAD: Final = 256
"""How many more rows are looked up than are asked for: each look is a round to the database's thread."""

_AT_ONCE: Final = 1_000
"""Values of one statement that names each of them: SQLite takes 32,766 parameters."""

Value = TypeVar("Value")


def batched(values: Collection[Value]) -> Iterator[Sequence[Value]]:
    """Yield values in such portions as one statement can name."""
    listed = list(values)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]


class Statements:
    """One transaction's statements.

    What only writes waits until something is read, or committed: then all of it goes to the database's thread in one
    round, in order. So an error of a write may show at a later statement, and at the commit at the latest. SQLite's own
    transaction begins at the first write: before, there is nobody who could change what is read.

    After one of them failed, the transaction can only be rolled back: SQLite may have done so already, and what
    comes after would be committed by itself.
    """

    def __init__(
        self, database: Database, data_key: WrappingKey, numbering: Numbering, random: Callable[[int], bytes]
    ) -> None:
        """`numbering` is the store's; after a rollback it is to forget."""
        self._database = database
        self._data_key = data_key
        self._numbering = numbering
        self._random = random
        self._waiting: list[Statement] = []
        self._has_begun = False
        self._is_over = False
        self._failure: StoreError | None = None

    @property
    def where(self) -> str:
        """The database, for errors."""
        return str(self._database.path)

    @property
    def has_changes(self) -> bool:
        """Whether anything was written, or will be."""
        return self._has_begun

    def end(self) -> None:
        """Refuse every further statement."""
        self._is_over = True

    def require_success(self) -> None:
        """Raise the first failure, if there was one: there is nothing left to commit."""
        if self._failure is not None:
            raise self._failure

    async def rows(self, sql: str, *parameters: Parameter) -> list[Row]:
        """Run one statement, and return all its rows."""
        if not sql.startswith("SELECT"):
            self._begin()
        return await self._run(Statement(sql, (parameters,)))

    async def row(self, sql: str, *parameters: Parameter) -> Row | None:
        """Run one statement, and return its first row."""
        found = await self.rows(sql, *parameters)
        return found[0] if found else None

    def write(self, sql: str, *parameters: Parameter) -> None:
        """Run one statement, before the next one that is waited for."""
        self.write_each(sql, [parameters])

    def write_each(self, sql: str, sets: Sequence[Sequence[Parameter]]) -> None:
        """Run one statement for each set of parameters, before the next one that is waited for."""
        self._require_open()
        self._begin()
        self._waiting.append(Statement(sql, sets))

    async def next_numbers(self, table: str, count: int) -> range:
        """Return numbers for new rows of a table that gives none twice. The caller writes the rows."""
        last = self._numbering.last.get(table)
        if last is None:
            rows = await self.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", table)
            last = int(rows[0][0]) if rows else 0
        self._numbering.last[table] = last + count
        return range(last + 1, last + 1 + count)

    async def commit(self) -> None:
        """Make what was done last. Raises the first failure, if there was one: there is nothing left to commit."""
        self.require_success()
        if self._has_begun:
            await self._run(Statement("COMMIT"))

    async def seal(self, *values: tuple[Place, bytes]) -> list[Sealed]:
        """Encrypt values, each for its place, under new keys. The caller stores what is returned."""
        if not values:
            return []
        ids = await self._key_rows(len(values))
        sealed, keys = [], []
        for key_id, (place, value) in zip(ids, values, strict=True):
            key = self._random(KEY_SIZE)
            keys.append((key_id, self._data_key.wrap(key, _key_place(key_id), self._random)))
            sealed.append((key_id, encrypt(key, value, place)))
        self.write_each(
            "INSERT INTO value_keys (id, wrapped, is_free) VALUES (?, ?, 0)"
            " ON CONFLICT (id) DO UPDATE SET wrapped = excluded.wrapped, is_free = 0",
            keys,
        )
        return sealed

    def unseal(self, place: Place, key_id: int, wrapped: bytes, ciphertext: bytes) -> bytes:
        """Return the value that was encrypted for this place. Raises `CorruptStoreError`."""
        try:
            return decrypt(self._data_key.unwrap(wrapped, _key_place(key_id)), ciphertext, place)
        except BadCiphertextError:
            what = f"a value in the table {place[0]!r} is damaged, or belongs elsewhere"
            raise CorruptStoreError(what, where=self.where) from None

    def uint64(self, number: int) -> bytes:
        """Return an unsigned 64-bit integer of the network as it is stored. Raises `StoreUsageError`."""
        if not 0 <= number < 1 << 64:
            raise StoreUsageError(f"{number} is not an unsigned 64-bit integer", where=self.where)
        return number.to_bytes(8, "big")

    async def _key_rows(self, count: int) -> list[int]:
        """Return as many rows of `value_keys` that are free, or to be made."""
        free = self._numbering.free_keys
        if len(free) < count:
            found = await self.rows("SELECT id FROM value_keys WHERE is_free = 1 LIMIT ?", count + _FREE_KEYS_AHEAD)
            free[:] = [key_id for (key_id,) in found]
        if len(free) < count:
            ((last,),) = await self.rows("SELECT coalesce(max(id), 0) FROM value_keys")
            free += range(last + 1, last + 1 + count + _FREE_KEYS_AHEAD - len(free))
        taken = free[:count]
        del free[:count]
        return taken

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._waiting.append(Statement("BEGIN IMMEDIATE"))

    async def _run(self, statement: Statement) -> list[Row]:
        self._require_open()
        batch, self._waiting = [*self._waiting, statement], []
        try:
            return await self._database.run(*batch)
        except StoreError as error:
            self._failure = self._failure or error
            raise self._failure from error.__cause__

    def _require_open(self) -> None:
        self.require_success()
        if self._is_over:
            raise StoreUsageError("the transaction is over", where=self.where)


def _key_place(key_id: int) -> Place:
    return ("value_keys", "wrapped", key_id)
