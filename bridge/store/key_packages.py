"""KeyPackages of one's own, with their private keys, until a Welcome answers them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.store.database import Row
from bridge.store.encryption import Place
from bridge.store.statements import Statements

__all__ = ["KeyPackages", "StoredKeyPackage"]

_SELECT = (
    "SELECT reference, key_package, is_last_resort, created_at, expires_at, spent_at, key_id, wrapped, bundle"
    " FROM key_packages JOIN value_keys ON value_keys.id = key_id"
)


@dataclass(frozen=True, slots=True)
class StoredKeyPackage:
    """A KeyPackage as it was published, and what only its owner has."""

    reference: bytes
    key_package: bytes
    bundle: bytes = field(repr=False)
    """As `mls.persistence.encode_key_package_bundle` makes it: the private keys."""
    is_last_resort: bool
    created_at: int
    expires_at: int
    spent_at: int | None = None
    """When its reference stood in a Welcome."""


class KeyPackages:
    """The KeyPackages of each account."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def put(self, owner: str, key_package: StoredKeyPackage) -> None:
        """Store a new KeyPackage. One that is stored already stays as it is: its reference is its hash."""
        if await self.get(owner, key_package.reference) is not None:
            return
        place = _place(owner, key_package.reference)
        ((key_id, bundle),) = await self._statements.seal((place, key_package.bundle))
        self._statements.write(
            "INSERT INTO key_packages (owner, reference, key_package, bundle, key_id, is_last_resort, created_at,"
            " expires_at, spent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            owner,
            key_package.reference,
            key_package.key_package,
            bundle,
            key_id,
            key_package.is_last_resort,
            key_package.created_at,
            key_package.expires_at,
            key_package.spent_at,
        )

    async def get(self, owner: str, reference: bytes) -> StoredKeyPackage | None:
        """Return a KeyPackage, `None` where it is not stored."""
        row = await self._statements.row(f"{_SELECT} WHERE owner = ? AND reference = ?", owner, reference)
        return None if row is None else self._stored(owner, row)

    async def list(self, owner: str) -> list[StoredKeyPackage]:
        """Return the account's KeyPackages, oldest first."""
        rows = await self._statements.rows(f"{_SELECT} WHERE owner = ? ORDER BY created_at, key_packages.rowid", owner)
        return [self._stored(owner, row) for row in rows]

    async def mark_spent(self, owner: str, reference: bytes, at: int) -> None:
        """Say that a Welcome answered it. The first time counts."""
        self._statements.write(
            "UPDATE key_packages SET spent_at = ? WHERE owner = ? AND reference = ? AND spent_at IS NULL",
            at,
            owner,
            reference,
        )

    async def delete(self, owner: str, reference: bytes) -> None:
        """Delete a KeyPackage with its private keys, if it is there."""
        self._statements.write("DELETE FROM key_packages WHERE owner = ? AND reference = ?", owner, reference)

    def _stored(self, owner: str, row: Row) -> StoredKeyPackage:
        reference, key_package, is_last_resort, created_at, expires_at, spent_at, *sealed = row
        bundle = self._statements.unseal(_place(owner, reference), *sealed)
        return StoredKeyPackage(reference, key_package, bundle, bool(is_last_resort), created_at, expires_at, spent_at)


def _place(owner: str, reference: bytes) -> Place:
    return ("key_packages", "bundle", owner, reference)
