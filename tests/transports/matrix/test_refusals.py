"""What a server says no to: the envelope, which is given up, or whatever people can mend, for which it waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest
import yaml
from aiohttp import web

from bridge.servers import Synapse, SynapseServer
from tests.transports.matrix.scene import Seen, envelopes, make_room, people, read
from tests.transports.matrix.serving import serving
from transports.carriers import MATRIX_EVENT_TYPE
from transports.errors import (
    ForbiddenError,
    LoginError,
    PermanentError,
    RetryableError,
    RoomNotFoundError,
    TooLargeError,
    TransportError,
    UnsuitableRoomError,
)
from transports.matrix import MatrixTransport, TokenLogin
from transports.matrix.refusals import MEANINGS, RefusedError, refusal
from transports.matrix.uris import room_id_of
from transports.room import RoomAddress

TEA = RoomAddress("matrix:roomid/tea:a.org")

WAITS: Final = (ForbiddenError, RoomNotFoundError, UnsuitableRoomError, LoginError, RetryableError)
"""What leaves an envelope where it is, to be posted later (`bridge.service.lane`)."""


@pytest.mark.parametrize("code", MEANINGS)
def test_a_code_means_what_the_table_says(code: str) -> None:
    error = refusal(400, {"errcode": code, "error": "no"}, "a.org")
    assert type(error) is MEANINGS[code]
    if isinstance(error, RefusedError):
        assert error.blames_request
        assert error.code == code


@pytest.mark.asyncio
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "status, code, is_given_up",
    [
        *((400, code, kind in {TooLargeError, RefusedError}) for code, kind in MEANINGS.items()),
        (400, "M_UNKNOWN", False),
        (400, "ORG.EXAMPLE.MODULE_SAYS_NO", False),
        (404, "M_UNRECOGNIZED", False),
        (405, "", False),
        (451, "", False),
        (413, "", True),
    ],
)
async def test_an_envelope_is_given_up_for_its_own_fault_alone(status: int, code: str, is_given_up: bool) -> None:  # noqa: FBT001 - a parameter
    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        if request.path.endswith("/whoami"):
            return web.json_response({"user_id": "@alice:a.org", "device_id": "D"})
        return web.json_response({"errcode": code, "error": "no"}, status=status)

    async with serving(refuse) as url:
        alice = MatrixTransport(url, TokenLogin("token"))
        await alice.start()
        with pytest.raises(TransportError) as refused:
            await alice.publish(TEA, b"envelope", transaction="t")
        await alice.close()
    assert isinstance(refused.value, WAITS) == (not is_given_up)
    assert isinstance(refused.value, PermanentError | RetryableError)


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_what_synapse_says_of_content_that_is_no_json_of_matrix_or_too_large(synapse: SynapseServer) -> None:
    async with people(synapse) as (alice,):
        room = await make_room(alice)
        path = ("rooms", room_id_of(room), "send", MATRIX_EVENT_TYPE)
        with pytest.raises(RefusedError) as refused:
            await alice.homeserver.put(*path, "t1", body={"number": 2**60})
        assert refused.value.blames_request
        with pytest.raises(TooLargeError):
            await alice.homeserver.put(*path, "t2", body={"text": "x" * 70_000})


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_a_server_that_is_out_of_service_takes_what_waited_once_it_is_back(
    synapse_installation: Synapse, tmp_path: Path
) -> None:
    with synapse_installation.start(tmp_path / "synapse") as server:
        async with people(server) as (alice,):
            room = await make_room(alice)
            await _change(server, hs_disabled=True, hs_disabled_message="closed for today")
            with pytest.raises(ForbiddenError, match="M_RESOURCE_LIMIT_EXCEEDED"):
                await alice.publish(room, b"envelope", transaction="t")
            await _change(server, hs_disabled=False)
            await alice.publish(room, b"envelope", transaction="t")
            seen = await read(alice, Seen())
            assert envelopes(seen) == [b"envelope"]


async def _change(server: SynapseServer, **settings: object) -> None:
    """Restart a server with other settings."""
    await asyncio.to_thread(server.stop)
    file = server.folder / "homeserver.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **settings}))
    await asyncio.to_thread(server.resume)
