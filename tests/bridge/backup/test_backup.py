"""A database, backed up and put back: what comes with it, what must not, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import mls
from bridge.backup.entries import (
    AnyEntry,
    Entry,
    Frame,
    Kind,
    SavedContents,
    SavedIdentity,
    SavedMember,
    SavedMessage,
    SavedRoom,
    SavedSequencer,
    SavedTrust,
)
from bridge.backup.errors import BackupError, DamagedBackupError, NotEmptyError
from bridge.backup.making import Summary, back_up
from bridge.backup.restoring import read_config, restore
from bridge.backup.sealed_file import SealedReader, SealedWriter
from bridge.content import Kind as ContentKind
from bridge.content import MessageId
from bridge.conversation import MessageArrived, Verification
from bridge.member import history
from bridge.member.environment import capabilities, environment
from bridge.member.memory import empty_memory
from bridge.member.role import MemberRole
from bridge.member.settings import DEFAULT_RETENTION, MemberSettings
from bridge.member.storing import MEMBER, Names, load, owner_of, save_client
from bridge.order.sealing import SealingSettings, Stop
from bridge.order.sequencer import Sequencer, signing_key
from bridge.protocol.bodies import Hello
from bridge.protocol.identity import Identity
from bridge.relay import Side
from bridge.service.status import remember_sides, sides_of
from bridge.store.key_packages import StoredKeyPackage
from bridge.store.member import MemberStore
from mls.persistence import changes
from tests.bridge.store.opening import KEY, NOW, opened
from transports.room import Account, RoomAddress

pytestmark = pytest.mark.asyncio

WORDS = "four words of tea"
ALICE = Account("xmpp:alice@example.org")
BOB = Account("xmpp:bob@example.org")
TEA = RoomAddress("xmpp:tea@muc.example.org")
SIDE = Side(ALICE, TEA)
IDENTITY = Identity(ALICE, "mls-bridge")
GROUP = b"the tea group"
CONFIG = "store: {path: a.db}\n"


def message(number: int) -> MessageArrived:
    return MessageArrived(
        id=MessageId(bytes([1]) + number.to_bytes(31, "big")),
        sender_account=BOB,
        sender_name="bob",
        at_ms=NOW,
        text=f"cup {number}",
        markdown=False,
        kind=ContentKind.MESSAGE,
        reply_to=None,
        replaces=None,
        is_own=False,
        verified=Verification.COMPARED,
        late=False,
    )


async def fill(store: MemberStore, *, messages: int = 3) -> mls.Client:
    """Put one of everything into a database, and return who is in it."""
    client = capabilities(mls.Client.basic(IDENTITY.encode(), os.urandom))
    group = mls.create(
        client,
        environment(os.urandom, DEFAULT_RETENTION, 64),
        group_id=GROUP,
        lifetime=mls.lifetime_of_days(30, now=NOW // 1000),
    ).state
    async with store.transaction() as tx:
        await save_client(tx, IDENTITY, client)
        await remember_sides(tx, "tea", {"me": SIDE})
        await tx.groups.save(owner_of(ALICE, TEA), GROUP, changes(None, group))
        memory = empty_memory().replace(removed=(b"xmpp:mallory@example.org",))
        await tx.records.put(MEMBER, Names.of(SIDE.scope).key, memory.encode())
        await tx.records.put("login sessions", b"me", b"a token that is secret")
        await signing_key(tx, TEA, os.urandom)
        await tx.trust.append(ALICE, BOB, b"key of bob", Verification.FIRST_USE.value, 5)
        await tx.trust.append(ALICE, BOB, b"key of bob", Verification.COMPARED.value, 6)
        package = StoredKeyPackage(
            reference=b"reference",
            key_package=b"public",
            bundle=b"a private key",
            is_last_resort=False,
            created_at=0,
            expires_at=1 << 50,
            spent_at=None,
        )
        await tx.key_packages.put(owner_of(ALICE, TEA), package)
        for number in range(messages):
            await history.keep(tx, owner_of(ALICE, TEA), message(number), now=NOW + number)
    return client


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def backed_up(tmp_path: Path, *, with_history: bool = False, messages: int = 3) -> tuple[Path, mls.Client]:
    file = tmp_path / "tea.backup"
    async with opened(tmp_path / "old.db") as store:
        client = await fill(store, messages=messages)
        await back_up(store, file, WORDS, config=CONFIG, history=with_history, now=NOW, cost=10)
    return file, client


async def test_who_one_is_and_whom_one_trusts_comes_back(tmp_path: Path) -> None:
    file, client = await backed_up(tmp_path, with_history=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_config(file, WORDS) == CONFIG
    done = await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)
    assert (done.made_at, done.members, done.sequencers) == (NOW, [(SIDE, GROUP)], [TEA])
    assert done.summary == Summary(identities=1, sequencers=1, rooms=1, groups=1, trust=2, messages=3)
    async with opened(tmp_path / "new.db") as store, store.transaction() as tx:
        settings = MemberSettings(create=True)
        session = await load(tx, Names.of(SIDE.scope), ALICE, TEA, settings, os.urandom)
        assert session.client.signature_key.secret.value == client.signature_key.secret.value
        assert session.group is None
        assert session.bundles == ()
        assert session.memory == empty_memory().replace(removed=(b"xmpp:mallory@example.org",))
        assert session.trust == {(BOB, b"key of bob"): Verification.COMPARED}
        assert [(item.how, item.at) for item in await tx.trust.all(ALICE)] == [("first-use", 5), ("compared", 6)]
        assert await sides_of(tx, "tea") == {"me": SIDE}
        assert await tx.records.items("login sessions") == []
        kept = await history.recall(tx, owner_of(ALICE, TEA), 10)
        assert [item.message for item in kept] == [message(number) for number in range(3)]
    assert sorted(names(tmp_path)) == [
        "new.db",
        "new.db.lock",
        "old.db",
        "old.db.lock",
        "tea.backup",
    ]


async def test_a_restored_member_comes_back_into_its_group_and_founds_no_other(tmp_path: Path) -> None:
    file, _ = await backed_up(tmp_path)
    await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)
    async with opened(tmp_path / "new.db") as store, store.transaction() as tx:

        async def started(settings: MemberSettings) -> MemberRole:
            role = MemberRole(f"member {SIDE.scope}", ALICE, TEA, settings, os.urandom)
            (await role.start(tx, now=NOW))()
            return role

        elsewhere = await started(MemberSettings(create=True, group_id=b"another group"))
        assert elsewhere.session.settings.create
        role = await started(MemberSettings(create=True))
        assert role.session.settings.group_id == GROUP
        assert role.session.group is None
        assert role.session.memory.flags.asked_at == NOW
        assert await tx.outbox.count(ALICE) == 1


async def test_what_opens_messages_is_never_in_it(tmp_path: Path) -> None:
    file, client = await backed_up(tmp_path, with_history=True)
    frames: list[bytes] = []
    with file.open("rb") as opening:
        frames += SealedReader(opening, WORDS, where="").frames()
    own_key = bytes(client.signature_key.secret.value)
    inside = b"".join(frames)
    assert own_key in inside
    inside = inside.replace(own_key, b"")  # the one secret that a group's state and a backup share
    assert b"cup 2" in inside
    assert b"a private key" not in inside
    assert b"a token that is secret" not in inside
    async with opened(tmp_path / "old.db") as store, store.transaction() as tx:
        group = await tx.groups.load(owner_of(ALICE, TEA), GROUP)
        assert group is not None
        secrets = [part.data for part in changes(None, group).put if part.is_secret]
    assert secrets
    assert all(secret[start : start + 32] not in inside for secret in secrets for start in range(len(secret) - 31))


async def test_messages_are_in_it_only_where_that_is_wanted(tmp_path: Path) -> None:
    file, _ = await backed_up(tmp_path)
    done = await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)
    assert done.summary.messages == 0


async def test_much_history_goes_through_in_frames(tmp_path: Path) -> None:
    file, _ = await backed_up(tmp_path, with_history=True, messages=4_000)
    seen: list[int] = []
    done = await restore(
        file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW, on_progress=lambda so_far: seen.append(so_far.messages)
    )
    assert done.summary.messages == 4_000
    assert len(seen) > 1
    assert seen == sorted(seen)
    async with opened(tmp_path / "new.db") as store, store.transaction() as tx:
        kept = await history.recall(tx, owner_of(ALICE, TEA), 5_000)
        assert [item.message.text for item in kept] == [f"cup {number}" for number in range(4_000)]


async def test_a_restored_sequencer_signs_nothing(tmp_path: Path) -> None:
    file, _ = await backed_up(tmp_path)
    await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)
    async with opened(tmp_path / "old.db") as store, store.transaction() as tx:
        before = await signing_key(tx, TEA, os.urandom)
    for account in (ALICE, BOB):  # whichever account it is given now
        async with opened(tmp_path / "new.db") as store, store.transaction() as tx:
            key = await signing_key(tx, TEA, os.urandom)
            assert key.public_key == before.public_key
            hello = Hello(b"", (TEA.encode(),), key.public_key, 1 << 20)
            sequencer = Sequencer(account, TEA, key=key, hello=hello, settings=SealingSettings(), random=os.urandom)
            (await sequencer.start(tx, now=NOW))()
        assert sequencer.alarm == Stop.RESTORED


async def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "tea.backup"
    file.write_text("mine")
    async with opened(tmp_path / "old.db") as store:
        with pytest.raises(NotEmptyError, match="Choose another name"):
            await back_up(store, file, WORDS, config=CONFIG, history=False, now=NOW, cost=10)
    assert file.read_text() == "mine"


async def test_a_file_that_comes_in_between_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "tea.backup"
    async with opened(tmp_path / "old.db") as store:
        with pytest.raises(NotEmptyError):
            await back_up(
                store,
                file,
                WORDS,
                config=CONFIG,
                history=False,
                now=NOW,
                cost=10,
                on_progress=lambda _: file.touch(),
            )
    assert file.read_bytes() == b""
    assert names(tmp_path) == {"old.db", "old.db.lock", "tea.backup"}


async def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(_: Summary) -> None:
        raise RuntimeError("the machine fails")

    async with opened(tmp_path / "old.db") as store:
        with pytest.raises(RuntimeError):
            await back_up(
                store, tmp_path / "tea.backup", WORDS, config=CONFIG, history=False, now=NOW, cost=10, on_progress=fail
            )
        with pytest.raises(BackupError, match="Create the folder"):
            await back_up(store, tmp_path / "no" / "a", WORDS, config=CONFIG, history=False, now=NOW, cost=10)
    assert names(tmp_path) == {"old.db", "old.db.lock"}


@pytest.mark.parametrize("name", ["new.db", "new.db-wal"])
async def test_a_database_that_is_there_is_left_alone(tmp_path: Path, name: str) -> None:
    file, _ = await backed_up(tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(NotEmptyError, match="where there is nothing yet"):
        await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)


async def test_a_damaged_backup_leaves_no_database(tmp_path: Path) -> None:
    file, _ = await backed_up(tmp_path, with_history=True, messages=4_000)
    data = file.read_bytes()
    for cut in (data[: len(data) - 1], data[:-5] + b"x" + data[-4:]):
        file.write_bytes(cut)
        with pytest.raises(DamagedBackupError, match="Nothing was restored"):
            await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)
        assert names(tmp_path) == {"old.db", "old.db.lock", "tea.backup"}


def sealed(path: Path, *entries: tuple[int, bytes]) -> Path:
    with path.open("wb") as file:
        writer = SealedWriter(file, WORDS, cost=10)
        writer.write(Frame(tuple(Entry(kind, body) for kind, body in entries)).encode(), is_last=True)
    return path


CONTENTS: AnyEntry = SavedContents(NOW, b"test", 0)
FIRST = (Kind.CONTENTS, CONTENTS)
HOSTILE: dict[str, tuple[tuple[int, AnyEntry], ...]] = {
    "no contents": (),
    "something before the contents": ((Kind.ROOM, SavedRoom(b"tea", b"{}")),),
    "contents twice": (FIRST, FIRST),
    "an identity that is none": (FIRST, (Kind.IDENTITY, SavedIdentity(b"alice", b""))),
    "a client that is none": (FIRST, (Kind.IDENTITY, SavedIdentity(IDENTITY.encode(), b"\x01\x01a"))),
    "a client of no suite": (FIRST, (Kind.IDENTITY, SavedIdentity(IDENTITY.encode(), b"\xff\x00"))),
    "a sequencer's key that is none": (FIRST, (Kind.SEQUENCER, SavedSequencer(TEA.encode(), b"key"))),
    "sides that are none": (FIRST, (Kind.ROOM, SavedRoom(b"tea", b"[1]"))),
    "sides that are no JSON": (FIRST, (Kind.ROOM, SavedRoom(b"tea", b"{"))),
    "names that are no text": (FIRST, (Kind.MEMBER, SavedMember(b"\xff", b"", b"", ()))),
    "trust that is unknown": (FIRST, (Kind.TRUST, SavedTrust(b"a", b"b", b"c", b"absolute", 0))),
    "a time that does not fit": (FIRST, (Kind.TRUST, SavedTrust(b"a", b"b", b"c", b"network", (1 << 64) - 1))),
    "a message that is none": (FIRST, (Kind.MESSAGE, SavedMessage(b"a", b"b", b"\xff", 0))),
    "a message that is a list": (FIRST, (Kind.MESSAGE, SavedMessage(b"a", b"b", b"\x81\x81\x00", 0))),
    "another happening": (FIRST, (Kind.MESSAGE, SavedMessage(b"a", b"b", b"\x82\x66Notice\x61a", 0))),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
async def test_what_no_version_writes_is_refused_although_it_is_encrypted(tmp_path: Path, case: str) -> None:
    file = sealed(tmp_path / "tea.backup", *((kind, entry.encode()) for kind, entry in HOSTILE[case]))
    with pytest.raises(DamagedBackupError):
        await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)
    assert names(tmp_path) == {"tea.backup"}


@pytest.mark.parametrize("entry", [(99, b""), (Kind.TRUST, b"\x00"), (Kind.CONTENTS, b"")], ids=str)
async def test_entries_that_cannot_be_decoded_are_refused(tmp_path: Path, entry: tuple[int, bytes]) -> None:
    file = sealed(tmp_path / "tea.backup", (Kind.CONTENTS, CONTENTS.encode()), entry)
    with pytest.raises(DamagedBackupError):
        await restore(file, WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)


@pytest.mark.parametrize("make", [lambda _: None, lambda path: path.mkdir(), os.mkfifo], ids=["none", "folder", "pipe"])
async def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "tea.backup")
    with pytest.raises(BackupError, match="there is no such file"):
        await restore(tmp_path / "tea.backup", WORDS, tmp_path / "new.db", KEY.reveal(), now=NOW)
