"""Whether everybody was told everything once: what is lost, doubled, out of order, or told to somebody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.whole.killing.ledger import Ledger, Message
from tests.whole.killing.talker import Talker

__all__ = ["deliveries", "faults_of", "missing"]


def missing(ledger: Ledger, talkers: Iterable[Talker]) -> list[tuple[Message, Talker]]:
    """Return what has not arrived: each message with somebody who should have been told."""
    return [
        (message, talker)
        for message in ledger.messages.values()
        for talker in talkers
        if talker.name in message.audience and message.id not in talker.heard
    ]


def deliveries(talkers: Iterable[Talker]) -> int:
    """Return how many messages were told, each member's for itself."""
    return sum(len(positions) for talker in talkers for positions in talker.heard.values())


def faults_of(ledger: Ledger, talkers: Iterable[Talker]) -> Iterator[str]:
    """Yield everything that is not as it should be."""
    for talker in talkers:
        yield from talker.faults
        yield from _doubled(ledger, talker)
        yield from _out_of_order(talker)
        yield from _unsaid(ledger, talker)
    for message, talker in missing(ledger, talkers):
        yield f"lost: {message.text or message.id} of {message.sender} did not come to {talker.name}"


def _doubled(ledger: Ledger, talker: Talker) -> Iterator[str]:
    texts = Counter[str]()
    for identifier, positions in talker.heard.items():
        text = talker.told[positions[0]]["text"]
        texts[text] += 1
        if len(positions) > 1:
            yield f"doubled: {talker.name} was told {text!r} at positions {positions}"
        message = ledger.messages.get(identifier)
        if message is None:
            yield f"{talker.name} was told {text!r}, which nobody has stored"
        elif talker.name not in message.audience:
            yield f"{talker.name} was told {text!r}, which was not for them"
        elif message.text not in {None, text}:
            yield f"{talker.name} was told {text!r} where {message.sender} said {message.text!r}"
    yield from (f"doubled: {talker.name} was told {text!r} with {n} ids" for text, n in texts.items() if n > 1)


def _out_of_order(talker: Talker) -> Iterator[str]:
    newest: dict[str, int] = {}
    for line in talker.told.values():
        if line["type"] == "message":
            sender, number = line["text"].split()
            if int(number) < newest.get(sender, 0):
                yield f"out of order: {talker.name} was told {line['text']!r} after {sender} {newest[sender]}"
            newest[sender] = max(int(number), newest.get(sender, 0))


def _unsaid(ledger: Ledger, talker: Talker) -> Iterator[str]:
    """Yield what its own program does not know to stand in the room."""
    for message in ledger.messages.values():
        if message.sender == talker.name and message.id not in talker.sent:
            yield f"{talker.name} was not told that {message.text or message.id} stands in the room"
