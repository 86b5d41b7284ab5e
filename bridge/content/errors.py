"""What is wrong with content: one error, that says what and where."""

from __future__ import annotations

__all__ = ["ContentError"]


class ContentError(Exception):
    """The bytes, or the values, are not MIMI content. `where` is the field: `body.parts[2].url`."""

    def __init__(self, what: str, *, where: str) -> None:
        self.what = what
        self.where = where
        super().__init__(f"{where}: {what}")
