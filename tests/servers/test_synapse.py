"""Synapse, as the tests and the demonstration start it."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

import pytest
import yaml

from bridge.servers import Authority, ServerError, ServerRefusedError, ServerStartError, Synapse, SynapseServer
from tests.servers.matrix import Person, Refused, log_in

pytestmark = pytest.mark.timeout(120)

PASSWORD = "correct horse"


def newcomer(server: SynapseServer) -> Person:
    user = f"user-{uuid.uuid4().hex[:8]}"
    assert server.register(user, PASSWORD) == f"@{user}:{server.name}"
    return log_in(server, user, PASSWORD)


def test_people_register_log_in_and_send(synapse: SynapseServer) -> None:
    alice = newcomer(synapse)
    room = alice.create_room()
    alice.send(room, "hello")
    assert alice.texts(room) == ["hello"]


def test_a_name_that_is_taken_is_refused(synapse: SynapseServer) -> None:
    user = f"user-{uuid.uuid4().hex[:8]}"
    synapse.register(user, PASSWORD)
    with pytest.raises(ServerRefusedError, match=rf"the account '{user}' \(400\): .*M_USER_IN_USE"):
        synapse.register(user, PASSWORD)


def test_no_account_is_made_while_it_is_down(synapse: SynapseServer) -> None:
    synapse.stop()
    try:
        with pytest.raises(ServerError, match=f"the server on port {synapse.port} does not answer"):
            synapse.register("nobody", PASSWORD)
    finally:
        synapse.resume()


def test_a_wrong_password_is_refused(synapse: SynapseServer) -> None:
    synapse.register(user := f"user-{uuid.uuid4().hex[:8]}", PASSWORD)
    with pytest.raises(Refused, match="M_FORBIDDEN"):
        log_in(synapse, user, "wrong")


@pytest.mark.asyncio
@pytest.mark.parametrize("interruption", ["restart", "kill"])
async def test_it_comes_back_with_all_it_had(synapse: SynapseServer, interruption: str) -> None:
    alice = await asyncio.to_thread(newcomer, synapse)
    room = await asyncio.to_thread(alice.create_room)
    await asyncio.to_thread(alice.send, room, "before")
    url, pid = synapse.url, synapse.pid
    if interruption == "restart":
        await asyncio.to_thread(synapse.restart)
    else:
        synapse.kill()
        with pytest.raises(OSError, match="refused"):
            alice.texts(room)
        await asyncio.to_thread(synapse.resume)
    assert synapse.url == url
    assert synapse.pid not in {None, pid}
    await asyncio.to_thread(alice.send, room, "after")  # with the token it had
    assert await asyncio.to_thread(alice.texts, room) == ["before", "after"]


def test_what_it_stores_can_be_searched(synapse: SynapseServer) -> None:
    alice = newcomer(synapse)
    canary = f"canary {uuid.uuid4()}"
    alice.send(alice.create_room(), canary)
    synapse.stop()
    try:
        assert any(canary.encode() in path.read_bytes() for path in synapse.database_files())
        assert canary.encode() not in synapse.log.read_bytes()
    finally:
        synapse.resume()


def test_without_rate_limits_sending_is_not_slowed_down(synapse: SynapseServer) -> None:
    alice = newcomer(synapse)
    room = alice.create_room()
    send_many(alice, room)
    assert len(alice.texts(room)) == 40


def test_with_its_own_rate_limits_it_refuses_a_burst(synapse_with_default_limits: SynapseServer) -> None:
    alice = newcomer(synapse_with_default_limits)
    room = alice.create_room()
    with pytest.raises(Refused, match="M_LIMIT_EXCEEDED"):
        send_many(alice, room)


def test_two_of_them_federate(synapse_pair: tuple[SynapseServer, SynapseServer]) -> None:
    alice, bob = map(newcomer, synapse_pair)
    assert alice.server.name != bob.server.name
    room = alice.create_room(preset="public_chat")
    bob.join(room, via=alice.server.name)
    bob.send(room, "from the other side")
    wait_for(alice, room, "from the other side")
    alice.server.restart()
    alice.send(room, "welcome")
    wait_for(bob, room, "welcome")


def test_it_does_not_federate_with_whom_it_cannot_verify(synapse_installation: Synapse, tmp_path: Path) -> None:
    ours, theirs = (
        SynapseServer(
            synapse_installation,
            tmp_path / name,
            "localhost",
            rate_limits=False,
            authority=Authority(tmp_path / f"{name}-authority"),
        )
        for name in ("ours", "theirs")
    )
    with ours, theirs:
        ours.open()
        theirs.open()
        alice, bob = newcomer(ours), newcomer(theirs)
        room = alice.create_room(preset="public_chat")
        with pytest.raises(Refused) as refused:
            bob.join(room, via=ours.name)
        assert refused.value.status in {404, 502}


def test_appservices_log_in_with_their_token(synapse_installation: Synapse, tmp_path: Path) -> None:
    registration = tmp_path / "registration.yaml"
    content = {
        "id": "bridge",
        "url": None,
        "as_token": "token-of-the-bridge",
        "hs_token": "token-of-the-server",
        "sender_localpart": "bridge",
        "rate_limited": False,
        "namespaces": {"users": [{"exclusive": True, "regex": "@bridge_.*"}]},
    }
    registration.write_text(yaml.safe_dump(content), encoding="utf-8")
    with synapse_installation.start(tmp_path / "synapse", appservices=[registration]) as server:
        bridge = Person(server, "token-of-the-bridge")
        assert bridge.call("GET", "/_matrix/client/v3/account/whoami")["user_id"] == "@bridge:localhost"


def test_a_configuration_it_does_not_take_is_an_error_that_shows_why(
    synapse_installation: Synapse, tmp_path: Path
) -> None:
    registration = tmp_path / "registration.yaml"
    registration.write_text("id: bridge", encoding="utf-8")
    with pytest.raises(ServerStartError, match=r"(?s)Synapse has ended with status 1 .*'as_token'"):
        synapse_installation.start(tmp_path / "synapse", appservices=[registration])


def send_many(person: Person, room: str) -> None:
    for number in range(40):
        person.send(room, str(number))


def wait_for(person: Person, room: str, text: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while text not in person.texts(room):
        assert time.monotonic() < deadline, f"'{text}' has not come"
        time.sleep(0.1)
