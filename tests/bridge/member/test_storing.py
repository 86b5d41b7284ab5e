"""What a member's state is after it was stored and read again."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from bridge.member import storing
from bridge.member.settings import MemberSettings
from bridge.member.state import Held
from bridge.member.step import Step
from bridge.member.storing import Names
from bridge.protocol.code_points import EnvelopeKind
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from transports.room import Account, RoomAddress

ALICE, ROOM = Account("xmpp:alice@one"), RoomAddress("xmpp:tea@muc.one")
NOW = 1_800_000_000_000


@pytest.mark.asyncio
async def test_what_waits_keeps_its_order_where_servers_give_all_of_it_the_same_time(tmp_path: Path) -> None:
    names, generate = Names("member"), Random(1).randbytes
    identities = [bytes([number]) * 32 for number in (3, 1, 2, 0)]
    async with await MemberStore.open(tmp_path / "alice.db", StoreKey(bytes(32)), now=NOW) as store:
        for identity in identities:  # each in a step of its own, as they come
            async with store.transaction() as tx:
                session = await storing.load(tx, names, ALICE, ROOM, MemberSettings(), generate)
                step = Step(session, NOW, generate)
                step.hold(identity, Held(EnvelopeKind.APPLICATION, b"an envelope", NOW, 0))
                await storing.save(tx, names, session, step)
        async with store.transaction() as tx:
            session = await storing.load(tx, names, ALICE, ROOM, MemberSettings(), generate)
    assert list(session.held) == identities
