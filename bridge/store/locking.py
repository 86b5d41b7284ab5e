"""One process owns a database: by a lock of the operating system, which ends with the process however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bridge.store.errors import StoreInUseError, UnavailableStoreError

__all__ = ["OwnerLock"]


class OwnerLock:
    """A lock on the file `<database>.lock`, held until `release`.

    The file stays: two processes that delete and create it could each hold a lock on a file of that name. It says who
    the owner is. `flock` belongs to the open file, so that a second opening in the same process is refused as well.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, database: Path) -> None:
        """Take the lock. Raises `StoreInUseError`, `UnavailableStoreError`."""
        where = str(database)
        try:
            descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unavailable(error, where) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0)
            os.close(descriptor)
            raise StoreInUseError(int(owner) if owner.isdigit() else None, where=where) from None
        except OSError as error:
            os.close(descriptor)
            raise _unavailable(error, where) from None
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others have it. May be called again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _unavailable(error: OSError, where: str) -> UnavailableStoreError:
    advice = "Create the folder, or make it yours"
    return UnavailableStoreError(f"its lock file cannot be used ({error.strerror})", where=where, advice=advice)
