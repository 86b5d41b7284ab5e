"""What was said, and to whom: what is held against what everybody was told."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Ledger", "Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message that its sender's program has stored."""

    id: str
    sender: str
    audience: frozenset[str]
    """Who shall be told, the sender aside."""
    text: str | None
    """How it begins; `None` where the sender's program died before it answered."""


@dataclass
class Ledger:
    """All messages. The audience changes while nothing is on its way."""

    audience: frozenset[str] = frozenset()
    messages: dict[str, Message] = field(default_factory=dict)
    """By id, in the order in which they were known to be stored."""

    def answered(self, identifier: str, sender: str, text: str, audience: frozenset[str]) -> None:
        """Note a message that was said, by the answer."""
        self.messages[identifier] = Message(identifier, sender, audience - {sender}, text)

    def stored(self, identifier: str, sender: str) -> None:
        """Note a message that its sender's program says to have stored, whether it could still answer or not."""
        if identifier not in self.messages:
            self.messages[identifier] = Message(identifier, sender, self.audience - {sender}, None)
