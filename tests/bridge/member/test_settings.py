"""Each setting of a member changes what it is there for."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from bridge.config import load
from bridge.content import Kind
from bridge.conversation import Asked, MessageArrived, Say, Verification
from bridge.member import history
from bridge.member.role import MemberRole
from bridge.member.settings import DEFAULT_RETENTION, AddPolicy, MemberSettings
from bridge.protocol.code_points import PROBE, PROTOCOL_VERSION, EnvelopeKind, Mode
from bridge.protocol.envelope import Envelope
from bridge.protocol.order import Retention
from bridge.relay import Side
from bridge.service.members import make_member
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from mls.wire.framing import PrivateMessage
from mls.wire.message import MLSMessage
from tests.bridge.member.table import MATRIX, START, XMPP, Table
from tests.bridge.store.opening import files
from transports.room import Account

CONFIG = """
store: {path: a.db, key: {env: KEY}, history: true}
accounts:
  me: {network: xmpp, jid: bot@two, login: {password: {env: PASSWORD}}}
rooms:
  tea:
    sides: [{account: me, room: tea@muc.two}]
    mode: room
    member:
      account: me
      device: watchman
      create: true
      padding: 256
      updates: {days: 2, messages: 30}
      add: ask
      late: {minutes: 3, epochs: 7, hours: 5}
"""


def test_the_configuration_reaches_the_member(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(CONFIG)
    config = load(path)

    role = make_member(config.rooms["tea"], Side(Account("xmpp:bot@two"), XMPP), bytes, history=config.store.history)

    assert role._settings == MemberSettings(
        device="watchman",
        create=True,
        mode=Mode.ROOM,
        retention=Retention(grace=180, epochs=7, seconds=5 * 3600, epochs_max=64),
        padding=256,
        history=True,
        add=AddPolicy.ASK,
        update_days=2,
        update_messages=30,
    )


@pytest.mark.parametrize("padding", [0, 1, 64, 4096])
def test_messages_are_padded_as_told(padding: int) -> None:
    table = Table()
    alice = table.sit_down("alice", create=True, padding=padding)
    table.hello()
    sizes = set()
    for length in range(1, 160, 13):
        table.do("alice", Say("x" * length))
        sealed = list(table.envelopes(EnvelopeKind.APPLICATION))[-1]
        message = MLSMessage.decode(sealed.body).message
        assert isinstance(message, PrivateMessage)
        sizes.add(len(message.ciphertext) - 16)  # the AEAD's tag
    assert alice.session.is_active
    if padding == 0:
        assert len(sizes) == len(range(1, 160, 13))  # each length shows
    else:
        powers = {padding * 2**power for power in range(20)}
        assert sizes <= powers


def test_a_founder_decides_how_long_late_messages_are_waited_for() -> None:
    retention = Retention(grace=1, epochs=0, seconds=0, epochs_max=64)
    table = Table()
    alice = table.sit_down("alice", create=True, retention=retention)
    bob = table.sit_down("bob", retention=DEFAULT_RETENTION)
    table.hello()
    table.ask("bob")
    table.pass_time(10_000)
    assert alice.session.order.retention == bob.session.order.retention == retention
    with table.step(bob) as step:
        assert step.environment.limits.past_grace == 1
        assert step.environment.limits.past_epochs == 0


def test_keys_are_renewed_after_so_many_messages() -> None:
    table = Table()
    alice = table.sit_down("alice", create=True, update_messages=3)
    table.hello()
    assert alice.session.group is not None
    for _ in range(2):
        table.do("alice", Say("x"))
        table.pass_time(1_000)
    before = alice.session.group.epoch
    table.do("alice", Say("x"))
    table.pass_time(1_000)
    assert alice.session.group.epoch == before + 1


@pytest.mark.parametrize(
    "policy, is_in, is_asked",
    [(AddPolicy.OWN_NETWORK, True, False), (AddPolicy.ASK, False, True), (AddPolicy.NOBODY, False, False)],
)
def test_who_is_added(policy: AddPolicy, is_in: bool, is_asked: bool) -> None:  # noqa: FBT001 - a table
    table = Table()
    alice = table.sit_down("alice", create=True, add=policy)
    bob = table.sit_down("bob", device="phone")
    table.hello()
    table.ask("bob")
    table.pass_time(10_000)
    assert bob.session.is_active is is_in
    assert bool(alice.heard(Asked)) is is_asked
    assert ("phone" in {who.device for _, who, _ in alice.session.members()}) is is_in


def test_a_probe_is_ignored() -> None:
    table = Table()
    alice = table.sit_down("alice", create=True)
    table.hello()
    session, told = alice.session, list(alice.told)
    table.post(MATRIX, Account("matrix:u/check:one"), Envelope(PROTOCOL_VERSION, PROBE, b"", b"random"))
    table.run()
    assert (alice.session, alice.told) == (session, told)


@pytest.mark.asyncio
@pytest.mark.parametrize("is_kept", [True, False])
async def test_history_is_kept_where_it_is_asked_for(tmp_path: Path, is_kept: bool) -> None:  # noqa: FBT001 - a switch
    settings = MemberSettings(create=True, mode=Mode.ROOM, history=is_kept)
    role = MemberRole("alice", Account("xmpp:alice@two"), XMPP, settings, Random(1).randbytes)
    store = await MemberStore.open(tmp_path / "a.db", StoreKey(bytes(32)), now=START)
    canary = "Quetzal \x1b[2J"
    try:
        async with store.transaction() as tx:
            (await role.start(tx, now=START))()
        async with store.transaction() as tx:
            (await role.caught_up(tx, now=START))()
        async with store.transaction() as tx:
            said, after = await role.request(tx, Say(canary), (), now=START)
        after()
        async with store.transaction() as tx:
            kept = await history.recall(tx, role.inbox, 10)
            assert len(kept) == is_kept
            if is_kept:
                own = kept[0].message
                assert (own.text, own.is_own, own.kind) == ("Quetzal \u241b[2J", True, Kind.MESSAGE)
                assert said.id == own.id  # type: ignore[union-attr]
                for number in range(3):
                    await history.keep(tx, role.inbox, _message(number), now=START)
        async with store.transaction() as tx:
            pages = [await history.recall(tx, role.inbox, 2), []]
            if is_kept:
                assert [item.message.text for item in pages[0]] == ["1", "2"]
                pages[1] = await history.recall(tx, role.inbox, 2, before=pages[0][0].position)
                assert [item.message.text for item in pages[1]] == ["Quetzal \u241b[2J", "0"]
            await history.forget(tx, role.inbox, now=START)
            assert await history.recall(tx, role.inbox, 10) == []
        await store.truncate()
        assert b"Quetzal" not in files(tmp_path / "a.db")
    finally:
        await store.close()


def _message(number: int) -> MessageArrived:
    return MessageArrived(
        id=bytes(32),  # type: ignore[arg-type]
        sender_account="xmpp:bob@two",
        sender_name="bob",
        at_ms=(1 << 64) - 1,  # whatever a server says
        text=str(number),
        markdown=False,
        kind=Kind.MESSAGE,
        reply_to=None,
        replaces=None,
        is_own=False,
        verified=Verification.NETWORK,
        late=False,
    )
