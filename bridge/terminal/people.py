"""Who is who: names are chosen by those who bear them, accounts are not.

A name stands for an account only while nobody else bears it. Where two bear the same, or where a name looks like an
account, the account is shown, and a command must give it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from bridge.content import harmless_line
from bridge.conversation.naming import account_meant

__all__ = ["AmbiguousNameError", "People"]

MAX_NAME: Final = 32
MAX_ACCOUNT: Final = 255
MAX_PEOPLE: Final = 10_000

YOU: Final = "you"

LIKE_AN_ACCOUNT: Final = re.compile(r"^[a-z]+:|@", re.IGNORECASE)

COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta", "bright_blue")
"""Those that are readable on dark and on light; red is for alarms."""


class AmbiguousNameError(Exception):
    """More than one is called that. Says which accounts there are to choose from."""


class People:
    """The names and accounts that were seen."""

    def __init__(self, own_account: str) -> None:
        self._own = own_account
        self._names: dict[str, str] = {}
        self._bearers: dict[str, set[str]] = {_fold(YOU): {own_account}}

    def see(self, account: str, name: str) -> str | None:
        """Take it that `account` calls itself `name` now; an empty name changes nothing.

        Returns what it called itself before, if that was something else.
        """
        shown = harmless_line(name, limit=MAX_NAME).lstrip("+?#*-<>| ")
        before = self._names.get(account)
        if account == self._own or not shown or before == shown:
            return None
        self._forget(account)
        if len(self._names) >= MAX_PEOPLE:
            self._forget(next(iter(self._names)))
        self._names[account] = shown
        self._bearers.setdefault(_fold(shown), set()).add(account)
        return before

    def label(self, account: str) -> str:
        """Return what to call `account`, harmless and on one line: its name where that can mean nobody else."""
        if account == self._own:
            return YOU
        name = self._names.get(account)
        shown = harmless_line(account, limit=MAX_ACCOUNT)
        if name is None or LIKE_AN_ACCOUNT.search(name):
            return shown
        return name if len(self._bearers[_fold(name)]) == 1 else f"{name} ({shown})"

    def full_label(self, account: str) -> str:
        """Return name and account: for what must not be mistaken."""
        shown = harmless_line(account, limit=MAX_ACCOUNT)
        name = self.label(account)
        return name if shown in name else f"{name} ({shown})"

    def reference(self, account: str) -> str:
        """Return what to type for `account` in a command."""
        label = self.label(account)
        return label if label == self._names.get(account) else harmless_line(account, limit=MAX_ACCOUNT)

    def colour(self, account: str) -> str:
        """Return the colour of `account`: always the same, on every machine."""
        digest = hashlib.sha256(account.encode(errors="replace")).digest()
        return COLOURS[digest[0] % len(COLOURS)]

    def find(self, typed: str) -> str:
        """Return the account that a person means, and what they typed where nobody was seen with that name.

        Raises `AmbiguousNameError` where more than one has that name.
        """
        wanted = account_meant(typed.strip())
        if wanted in self._names or wanted == self._own:
            return wanted
        bearers = sorted(self._bearers.get(_fold(wanted), ()))
        match bearers:
            case [account]:
                return account
            case []:
                return wanted  # somebody who has not said anything yet: the session may know whom it means
            case _:
                accounts = ", ".join(harmless_line(account, limit=MAX_ACCOUNT) for account in bearers)
                raise AmbiguousNameError(f"More than one is called that. Give the account: {accounts}")

    def _forget(self, account: str) -> None:
        name = self._names.pop(account, None)
        if name is not None:
            bearers = self._bearers[_fold(name)]
            bearers.discard(account)
            if not bearers:
                del self._bearers[_fold(name)]


def _fold(name: str) -> str:
    """Return what is the same for names that look the same, as far as Unicode tells."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
