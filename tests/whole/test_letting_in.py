"""Who gets into the group, on real servers: one's own network by itself, others by numbers, nobody by the relay."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.conversation import (
    Add,
    Asked,
    Confirm,
    EpochChanged,
    Joined,
    Members,
    MembersListed,
    MessageArrived,
    RequestRefusedError,
    Verification,
)
from bridge.servers import SynapseServer, XmppServer
from tests.whole.forging import LyingRelay, key_package_in_the_name_of
from tests.whole.people import Person, introduce, numbers
from tests.whole.scene import linked_rooms

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


async def members_of(person: Person) -> dict[str, Verification]:
    """Return who is in the group, and what vouches for each."""
    listed = await person.room.ask(Members())
    assert isinstance(listed, MembersListed)
    return {member.account: member.verified for member in listed.members}


async def test_who_is_on_the_far_network_comes_in_only_after_the_numbers(
    synapse: SynapseServer, prosody: XmppServer, tmp_path: Path
) -> None:
    async with (
        linked_rooms(tmp_path, synapse, prosody, matrix=("alice", "bob")) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        asked = await alice.until(Asked, account=carol.account)
        assert asked.by_relay
        with pytest.raises(RequestRefusedError, match="Only the bridge says"):
            await alice.room.ask(Add(carol.account))
        assert asked.digits is not None
        wrong = asked.digits[:-1] + str((int(asked.digits[-1]) + 1) % 10)
        with pytest.raises(RequestRefusedError, match="not the digits"):
            await alice.room.ask(Confirm(carol.account, wrong))
        # Bob, of her own network, is let in meanwhile without a word: his own server shows that it is he.
        async with scene.member("bob") as bob:
            await bob.until(Joined)
            assert await members_of(bob) == {
                alice.account: Verification.FIRST_USE,
                bob.account: Verification.COMPARED,
            }
        assert not carol.told(Joined)
        with pytest.raises(RequestRefusedError, match="not in the group"):
            await carol.room.say("Let me in")
        await alice.room.ask(Confirm(carol.account, asked.digits))
        joined = await carol.until(Joined)
        assert joined.by == alice.account
        assert (await members_of(alice))[carol.account] is Verification.COMPARED


async def test_who_asked_before_the_group_was_founded_is_shown_to_its_founder(
    synapse: SynapseServer, prosody: XmppServer, tmp_path: Path
) -> None:
    async with (
        linked_rooms(tmp_path, synapse, prosody, matrix=("alice", "bob")) as scene,
        scene.bridge(),
        scene.member("carol") as carol,
        scene.member("bob") as bob,
    ):
        async with asyncio.timeout(30):
            while not (bob.room.role.session.people and len(carol.room.role.session.people) == 1):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with scene.member("alice", create=True) as alice:
            await bob.until(Joined)
            await introduce(alice, carol)


async def test_a_relay_cannot_introduce_anyone(synapse: SynapseServer, prosody: XmppServer, tmp_path: Path) -> None:
    async with (
        linked_rooms(tmp_path, synapse, prosody, matrix=("alice", "bob")) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)
        before = await members_of(alice)
        epochs = len(alice.told(EpochChanged))
        mallory = scene.account("mallory")
        bob = scene.account("bob")
        async with LyingRelay(scene) as relay:
            far = key_package_in_the_name_of(mallory, room=scene.xmpp_room)
            await relay.post(far, says_from=(scene.xmpp_room, mallory))
            # Of Alice's own network, as if it had been seen there; with a note, and without one.
            near = key_package_in_the_name_of(bob, room=scene.matrix_room)
            await relay.post(near, says_from=(scene.matrix_room, bob))
            await relay.post(key_package_in_the_name_of(bob, room=scene.matrix_room, device="other"))
            # Another device of who is in already.
            again = key_package_in_the_name_of(carol.account, room=scene.xmpp_room, device="second")
            await relay.post(again, says_from=(scene.xmpp_room, carol.account))
        asked = await alice.until(Asked, account=mallory)
        assert asked.by_relay
        assert (await alice.until(Asked, account=bob)).by_relay
        for account in (mallory, bob):
            with pytest.raises(RequestRefusedError, match="Only the bridge says"):
                await alice.room.ask(Add(account))
        # Whatever a member does by itself, it has done by the time that a message went there and back.
        await alice.room.say("there")
        await carol.until(MessageArrived, text="there")
        await carol.room.say("and back")
        await alice.until(MessageArrived, text="and back")
        await asyncio.sleep(1)
        assert await members_of(alice) == before
        assert len(alice.told(EpochChanged)) == epochs


async def test_a_key_that_the_relay_puts_in_the_place_of_anothers_shows_in_the_numbers(
    synapse: SynapseServer, prosody: XmppServer, tmp_path: Path
) -> None:
    async with (
        linked_rooms(tmp_path, synapse, prosody) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        honest = await alice.until(Asked, account=carol.account)
        async with LyingRelay(scene) as relay:
            own = key_package_in_the_name_of(carol.account, room=scene.xmpp_room)
            await relay.post(own, says_from=(scene.xmpp_room, carol.account))
        async with asyncio.timeout(30):
            while len(alice.told(Asked)) < 2:  # noqa: ASYNC110 - a list does not ring
                await asyncio.sleep(0.05)
        shown, seen = await numbers(alice, carol), await numbers(carol, alice)
        assert shown != seen
        assert seen == honest.digits
        # What Carol reads out is not what Alice's program would have to see.
        with pytest.raises(RequestRefusedError, match="not the digits"):
            await alice.room.ask(Confirm(carol.account, seen))
        assert not carol.told(Joined)
