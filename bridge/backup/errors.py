"""What can go wrong with a backup, with the next step for people in each message.

=========================  ===========================================================================================
`BackupError`              the root; says what is wrong with which file, and what to do
`NotABackupError`          another kind of file
`NewerBackupError`         a newer version of the program wrote it
`WrongPassphraseError`     the passphrase does not open it, or its head was changed
`DamagedBackupError`       it is cut short, was changed, or holds what no version writes
`NotEmptyError`            what is to be written is there already
=========================  ===========================================================================================
"""

from __future__ import annotations

__all__ = [
    "BackupError",
    "DamagedBackupError",
    "NewerBackupError",
    "NotABackupError",
    "NotEmptyError",
    "WrongPassphraseError",
]


class BackupError(Exception):
    """The root of what this package raises on purpose. `where` is the file."""

    def __init__(self, what: str, *, where: str, advice: str = "") -> None:
        self.what = what
        self.where = where
        self.advice = advice
        super().__init__(f"{where}: {what}. {advice}" if advice else f"{where}: {what}")


class NotABackupError(BackupError):
    """The file is something else."""

    def __init__(self, *, where: str) -> None:
        super().__init__("this is no backup of mls-bridge", where=where, advice="Name the file that `backup` wrote")


class NewerBackupError(BackupError):
    """A newer version of the program wrote the file."""

    def __init__(self, version: int, known: int, *, where: str) -> None:
        self.version = version
        what = f"it is a backup of version {version}, and this program reads up to version {known}"
        super().__init__(what, where=where, advice="Install the newest mls-bridge and restore with that")


class WrongPassphraseError(BackupError):
    """The passphrase does not open the file."""

    def __init__(self, *, where: str) -> None:
        advice = (
            "Try again; if the passphrase is certainly right, the file's first bytes were changed: take another copy"
        )
        super().__init__("the passphrase does not open it", where=where, advice=advice)


class DamagedBackupError(BackupError):
    """The file is cut short, or was changed."""

    def __init__(self, what: str, *, where: str) -> None:
        super().__init__(what, where=where, advice="Nothing was restored. Take another copy of the backup")


class NotEmptyError(BackupError):
    """Something is there already."""

    def __init__(self, what: str, *, where: str, advice: str) -> None:
        super().__init__(what, where=where, advice=advice)
