"""What can go wrong with the store, with the next step for people in each message.

=========================  ===========================================================================================
`StoreError`               the root; says what is wrong with which database, and what to do
`WrongKeyError`            the key does not open this database
`StoreInUseError`          another process owns the database; `pid` says which
`NewerStoreError`          a newer version of the program wrote it
`CorruptStoreError`        it is damaged, or no database of this program
`DiskFullError`            there is no room left
`UnavailableStoreError`    the files cannot be opened, read or written
`StoreConflictError`       a step started from another revision than the one that is stored
`SealConflictError`        another seal has this place in the log
`FragmentError`            a fragment contradicts the ones before it, or is beyond the limits
`StoreUsageError`          the caller asked for something that cannot be done: a bug of ours
=========================  ===========================================================================================

What SQLite raises is translated here, at the edge. Whatever is raised inside a transaction, nothing of it is stored.
"""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = [
    "CorruptStoreError",
    "DiskFullError",
    "FragmentError",
    "NewerStoreError",
    "SealConflictError",
    "StoreConflictError",
    "StoreError",
    "StoreInUseError",
    "StoreUsageError",
    "UnavailableStoreError",
    "WrongKeyError",
    "translated",
]


class StoreError(Exception):
    """The root of what this package raises on purpose. `where` is the database's file."""

    def __init__(self, what: str, *, where: str, advice: str = "") -> None:
        self.what = what
        self.where = where
        self.advice = advice
        super().__init__(f"{where}: {what}. {advice}" if advice else f"{where}: {what}")


class WrongKeyError(StoreError):
    """The key does not open this database."""

    def __init__(self, *, where: str) -> None:
        advice = "Use the key that the database was made with, or last changed to; without it the data is lost"
        super().__init__("the key does not open this database", where=where, advice=advice)


class StoreInUseError(StoreError):
    """Another process owns the database. `pid` is `None` where it did not say who it is."""

    def __init__(self, pid: int | None, *, where: str) -> None:
        self.pid = pid
        owner = "another process" if pid is None else f"process {pid}"
        advice = "Stop that one first, or give this one a database of its own"
        super().__init__(f"the database is in use by {owner}", where=where, advice=advice)


class NewerStoreError(StoreError):
    """A newer version of the program wrote the database."""

    def __init__(self, found: int, known: int, *, where: str) -> None:
        self.found = found
        self.known = known
        what = f"the database has version {found} of its tables, and this program knows them up to {known}"
        super().__init__(what, where=where, advice="Use the newer program that wrote it")


class CorruptStoreError(StoreError):
    """The database is damaged, or is none of this program."""

    def __init__(self, what: str, *, where: str) -> None:
        advice = (
            "Do not put back an older copy: keys would be used twice. "
            "Move the file away and start afresh; the members of each room add you again"
        )
        super().__init__(what, where=where, advice=advice)


class DiskFullError(StoreError):
    """There is no room left, on the disk or under the limit that was set."""

    def __init__(self, *, where: str) -> None:
        advice = "Make room and start again: nothing that was stored is lost"
        super().__init__("there is no room left for the database", where=where, advice=advice)


class UnavailableStoreError(StoreError):
    """The files cannot be opened, read or written; says why."""


class StoreConflictError(StoreError):
    """A step started from another revision than the one that is stored: applying it would use keys twice."""

    def __init__(self, revision: int | None, expected: int | None, *, where: str) -> None:
        self.revision = revision
        """What is stored; `None` where nothing is."""
        self.expected = expected
        """What the step started from."""
        what = f"the stored group is at {_revision(revision)}, and the step started from {_revision(expected)}"
        super().__init__(what, where=where, advice="Load the group again, and make the step on what is stored")


class SealConflictError(StoreError):
    """Another seal has this place in the log: two seals for one place are proof of equivocation."""

    def __init__(self, term: int, seq: int, *, where: str) -> None:
        self.term = term
        self.seq = seq
        what = f"a different seal is stored for term {term}, sequence number {seq}"
        super().__init__(what, where=where, advice="Keep both as proof, and trust neither")


class FragmentError(StoreError):
    """A fragment contradicts the ones before it, or is beyond the limits. Nothing of it was kept."""


class StoreUsageError(StoreError):
    """The caller asked for something that cannot be done: a bug of ours."""


def _revision(revision: int | None) -> str:
    return "no revision" if revision is None else f"revision {revision}"


_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_UNAVAILABLE: Final = {
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_READONLY: "the database cannot be written",
    sqlite3.SQLITE_PERM: "access to the database is denied",
    sqlite3.SQLITE_AUTH: "access to the database is denied",
    sqlite3.SQLITE_IOERR: "the disk failed, reading or writing the database",
    sqlite3.SQLITE_BUSY: "another program keeps the database locked",
    sqlite3.SQLITE_LOCKED: "another program keeps the database locked",
    sqlite3.SQLITE_NOMEM: "there is no memory left for the database",
}


def translated(error: Exception, *, where: str) -> StoreError:
    """Return what stands for an error of SQLite, or of its Python module, to the rest of the program."""
    if isinstance(error, OverflowError):
        return StoreUsageError("a number does not fit into 64 bits", where=where)
    # The lower byte is the kind of error, the rest says more of it.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError(where=where)
    if code in _CORRUPT:
        return CorruptStoreError("the file is damaged, or is no database", where=where)
    if code in _UNAVAILABLE:
        advice = "Look at the disk, the file's owner and mode, and who else has it open"
        return UnavailableStoreError(f"{_UNAVAILABLE[code]} ({name})", where=where, advice=advice)
    return StoreUsageError(f"SQLite refuses a statement ({name}): {error}", where=where)
