"""Servers that restart, die and forget, and tokens that are revoked."""

import asyncio
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from bridge.servers import Synapse, SynapseServer
from tests.transports.matrix.scene import PASSWORD, Seen, envelopes, make_room, new_name, people, read
from transports.errors import ConnectionLostError, LoginError, RetryableError
from transports.matrix import MatrixSession, MatrixTransport, PasswordLogin, TokenLogin
from transports.matrix.cursor import Cursor
from transports.room import ConnectionState, RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


async def publish_until_taken(sender: MatrixTransport, room: RoomAddress, envelope: bytes, transaction: str) -> None:
    """Publish as an outbox does: again and again, with the same transaction."""
    while True:
        with suppress(RetryableError):
            await sender.publish(room, envelope, transaction=transaction)
            return
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_a_server_that_goes_away_under_traffic_costs_no_message(
    synapse_installation: Synapse, tmp_path: Path, how: str
) -> None:
    with synapse_installation.start(tmp_path / "synapse") as server:
        async with people(server, server) as (alice, bob):
            states: list[ConnectionState] = []
            alice.on_state = states.append
            room = await make_room(alice, bob)
            sent = [f"message {number}".encode() for number in range(150)]

            async def post() -> None:
                for number, envelope in enumerate(sent):
                    await publish_until_taken(bob, room, envelope, f"t-{number}")

            async def go_away() -> None:
                for _ in range(2):
                    await asyncio.sleep(0.5)
                    if how == "kill":
                        await asyncio.to_thread(server.kill)
                        await asyncio.sleep(0.5)
                        await asyncio.to_thread(server.resume)
                    else:
                        await asyncio.to_thread(server.restart)

            seen = Seen()
            reading = read(alice, seen, lambda seen: len(set(envelopes(seen))) == len(sent))
            await asyncio.gather(reading, post(), go_away())
            assert envelopes(seen) == sent
            assert states[:2] == [ConnectionState.CATCHING_UP, ConnectionState.LIVE]
            assert states[2:5] == [ConnectionState.LOST, ConnectionState.CATCHING_UP, ConnectionState.LIVE] or (
                states[2] is ConnectionState.LOST
            )
            assert states[-1] is ConnectionState.LIVE


async def test_a_server_that_is_not_there_is_an_error_at_the_first_try() -> None:
    transport = MatrixTransport("http://127.0.0.1:9", PasswordLogin("alice", "secret"))
    with pytest.raises(ConnectionLostError):
        await transport.start()
    await transport.close()


async def test_closing_ends_the_wait_for_a_lost_server(synapse_installation: Synapse, tmp_path: Path) -> None:
    with synapse_installation.start(tmp_path / "synapse") as server:
        async with people(server) as (alice,):
            await make_room(alice)
            lost = asyncio.Event()
            alice.on_state = lambda state: lost.set() if state is ConnectionState.LOST else None

            async def listen() -> None:
                async with aclosing(alice.batches(None)) as batches:
                    async for _ in batches:
                        await asyncio.to_thread(server.stop)

            listening = asyncio.ensure_future(listen())
            await lost.wait()
            await alice.close()
            async with asyncio.timeout(1):
                await listening


async def test_a_revoked_token_stops_the_reader_and_is_said(synapse: SynapseServer) -> None:
    async with people(synapse) as (alice,):
        room = await make_room(alice)
        seen = await read(alice, Seen())
        token = alice.homeserver.access_token
        assert token is not None
        other = MatrixTransport(synapse.url, TokenLogin(token))
        await other.start()

        async def revoke() -> None:
            await asyncio.sleep(0.5)
            await other.homeserver.post("logout", body={})

        async with asyncio.timeout(20):
            with pytest.raises(LoginError, match="M_UNKNOWN_TOKEN"):
                await asyncio.gather(revoke(), read(alice, seen, lambda _: False))
        with pytest.raises(LoginError):
            await alice.publish(room, b"x", transaction="x")
        with pytest.raises(LoginError):
            await other.start()
        await other.close()


async def test_a_position_that_the_server_does_not_know_costs_nothing(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        for number in range(30):
            await bob.publish(room, b"%d" % number, transaction=f"t-{number}")
        seen = await read(alice, Seen())
        assert seen.cursor is not None
        cursor = Cursor.decode(seen.cursor, f"@{alice.account.removeprefix('matrix:u/')}")
        seen.cursor = Cursor(cursor.user_id, "not a token", cursor.places).encode()
        await bob.publish(room, b"30", transaction="t-30")
        await read(alice, seen)
        assert envelopes(seen) == [b"%d" % number for number in range(31)]


async def test_a_session_that_the_server_forgot_is_made_anew_for_the_same_device(synapse: SynapseServer) -> None:
    name = new_name("alice")
    await asyncio.to_thread(synapse.register, name, PASSWORD)
    sessions: list[MatrixSession] = []
    first = MatrixTransport(synapse.url, PasswordLogin(name, PASSWORD), on_session=sessions.append)
    await first.start()
    await first.homeserver.post("logout", body={})
    await first.close()
    again = MatrixTransport(synapse.url, PasswordLogin(name, PASSWORD, sessions[0]), on_session=sessions.append)
    await again.start()
    await again.close()
    assert sessions[1].device_id == sessions[0].device_id
    assert sessions[1].access_token != sessions[0].access_token
