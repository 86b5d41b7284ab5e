"""When a batch may say that everything is told."""

from __future__ import annotations

import pytest

from tests.transports.xmpp.scene import Scene

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_a_room_that_is_joined_while_another_is_read_is_read_before_a_batch_is_live(scene: Scene) -> None:
    await scene.register("alice", "bob")
    tea, coffee = [await scene.room(name, ["alice", "bob"]) for name in ("tea", "coffee")]
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await bob.join(coffee)
    sent = [b"%d" % number for number in range(3)]
    for envelope in sent:
        await bob.publish(joined.address, envelope, transaction=envelope.decode())
    await alice.join(tea)
    listener = scene.listen(alice)
    await listener.live()
    await alice.join(coffee)
    before = len(listener.batches)
    await listener.until(lambda: any(batch.is_live for batch in listener.batches[before:]))
    assert listener.envelopes == sent


async def test_a_batch_is_live_after_each_joining_although_nothing_happened(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    alice = await scene.transport("alice")
    await alice.join(room)
    first = scene.listen(alice)
    await first.live()
    await first.stop()
    await alice.close()

    again = await scene.transport("alice")
    listener = scene.listen(again, first.cursor)
    await listener.live()
    for count in (2, 3):
        await again.join(room)
        await listener.until(lambda count=count: len(listener.batches) >= count)  # type: ignore[misc]
        assert listener.batches[-1].is_live
    assert listener.events == []
