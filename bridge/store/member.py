"""The store of a process that holds the member's role: what every role has, and a place for the secrets of MLS.

Apart from `bridge.store.store`, because relay and sequencer import nothing that knows a group's state.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bridge.store.groups import Groups
from bridge.store.history import History
from bridge.store.inbox import Inbox
from bridge.store.key_packages import KeyPackages
from bridge.store.spent_references import SpentReferences
from bridge.store.statements import Statements
from bridge.store.store import Store
from bridge.store.transaction import Transaction
from bridge.store.trust import Trust

__all__ = ["MemberStore", "MemberTransaction"]


class MemberTransaction(Transaction):
    """A transaction with a member's repositories as well."""

    def __init__(self, statements: Statements) -> None:
        super().__init__(statements)
        self.groups = Groups(statements)
        self.key_packages = KeyPackages(statements)
        self.spent_references = SpentReferences(statements)
        self.inbox = Inbox(statements)
        self.history = History(statements)
        self.trust = Trust(statements)


class MemberStore(Store):
    """A store whose transactions are a member's. It can stand wherever a `Store` is asked for."""

    def transaction(self) -> AbstractAsyncContextManager[MemberTransaction]:
        return self._transaction(MemberTransaction)
