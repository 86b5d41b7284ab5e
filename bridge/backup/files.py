"""Files that come into being whole, or not at all, and replace nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bridge.backup.errors import BackupError, NotEmptyError

__all__ = ["partial_file", "publish", "refuse_existing", "write_whole"]


def refuse_existing(path: Path, *, advice: str) -> None:
    """Raise `NotEmptyError` where there is something of this name."""
    if os.path.lexists(path):
        raise NotEmptyError("it is there already, and is not written over", where=str(path), advice=advice)


def publish(finished: Path, path: Path, *, advice: str) -> None:
    """Give a finished file its name. Raises `NotEmptyError` where something has it, `BackupError`."""
    try:
        try:
            os.link(finished, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, as of a memory stick: take the name first, then the file
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            finished.replace(path)
        else:
            finished.unlink()
        _sync_folder(path.parent)
    except FileExistsError:
        raise NotEmptyError("it is there already, and is not written over", where=str(path), advice=advice) from None
    except OSError as error:
        raise BackupError(f"it cannot be written ({error.strerror})", where=str(path)) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 that is not there yet. Raises `NotEmptyError`, `BackupError`."""
    advice = "Choose another name, or move that file away"
    refuse_existing(path, advice=advice)
    with partial_file(path) as (file, finish):
        file.write(data)
        finish(advice)


@contextmanager
def partial_file(path: Path) -> Iterator[tuple[BinaryIO, Callable[[str], None]]]:
    """Yield a file beside `path`, of mode 0600, and what gives it that name once it is whole; else it is deleted.

    Raises `NotEmptyError`, `BackupError`.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        advice = "Create the folder, or make it yours"
        raise BackupError(f"it cannot be written ({error.strerror})", where=str(path), advice=advice) from error
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:

            def finish(advice: str) -> None:
                file.flush()
                os.fsync(file.fileno())
                publish(partial, path, advice=advice)

            yield file, finish
    except OSError as error:
        advice = "Free some space, or write it to another disk"
        raise BackupError(f"it cannot be written ({error.strerror})", where=str(path), advice=advice) from error
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder outlive the machine."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
