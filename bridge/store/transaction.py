"""What a transaction can read and write: a relay's and a sequencer's here, a member's in `bridge.store.member`."""

from __future__ import annotations

from bridge.store.cursors import Cursors
from bridge.store.events import Events
from bridge.store.fragments import Fragments
from bridge.store.log import Log
from bridge.store.outbox import Outbox
from bridge.store.positions import Positions
from bridge.store.records import Records
from bridge.store.seen import Seen
from bridge.store.statements import Statements

__all__ = ["Transaction"]


class Transaction:
    """The repositories of every role. None of them has a place for a secret of MLS."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.cursors = Cursors(statements)
        self.events = Events(statements)
        self.positions = Positions(statements)
        self.seen = Seen(statements)
        self.log = Log(statements)
        self.outbox = Outbox(statements)
        self.fragments = Fragments(statements)
        self.records = Records(statements)

    @property
    def has_changes(self) -> bool:
        """Whether this transaction has written anything."""
        return self._statements.has_changes
