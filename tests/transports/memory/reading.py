"""What tests read out of a transport."""

from collections.abc import Sequence

from transports.memory import MemoryTransport
from transports.room import Batch, EnvelopeSeen, RoomEvent


async def read(transport: MemoryTransport, cursor: bytes | None = None) -> tuple[list[RoomEvent], bytes]:
    """Everything up to now, and the cursor behind it."""
    events: list[RoomEvent] = []
    batches = transport.batches(cursor)
    try:
        async for batch in batches:
            events.extend(batch.events)
            if batch.is_live:
                return events, batch.cursor
    finally:
        await batches.aclose()  # type: ignore[attr-defined]
    raise AssertionError("the stream ended")


async def next_batch(transport: MemoryTransport, cursor: bytes | None) -> Batch:
    """The first batch after a cursor."""
    batches = transport.batches(cursor)
    try:
        return await anext(batches)
    finally:
        await batches.aclose()  # type: ignore[attr-defined]


def envelopes(events: Sequence[RoomEvent]) -> list[bytes]:
    return [event.envelope for event in events if isinstance(event, EnvelopeSeen)]
