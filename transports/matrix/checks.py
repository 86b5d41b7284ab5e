"""Measuring a homeserver and a room for `mls-bridge check`: what it takes, how fast, and what to change."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Final, TypeAlias

from transports.carriers import MATRIX_EVENT_TYPE, MATRIX_MAX_ENVELOPE
from transports.errors import RateLimitedError, TransportError
from transports.findings import Finding, Level
from transports.matrix.adapter import Homeserver
from transports.matrix.rooms import CREATOR_POWER, fetch_members, fetch_power_levels, fetch_state, text_of
from transports.matrix.transport import MatrixTransport
from transports.matrix.uris import room_id_of, server_of, user_id_of
from transports.room import EnvelopeSeen, Member, RoomAddress

__all__ = ["Probe", "check_room"]

Probe: TypeAlias = Callable[[int], bytes]
"""Makes an envelope of so many bytes that receivers know for a probe, and drop."""

_BURST: Final = 12
_SMALL: Final = 200
_SKEW: Final = 60.0
"""How far the clocks of this machine and of the server may be apart, in seconds."""
_PATIENCE: Final = 30.0
_LONGEST_WAIT: Final = 10.0
_SLOW: Final = 1.0
"""Seconds between two messages from which on a group's traffic piles up."""

_APPSERVICE: Final = (
    "log in as an appservice (`mls-bridge registration`), or let the server's administrator lift the limit of this "
    "account (the `override_ratelimit` call of Synapse's admin API)"
)


async def check_room(transport: MatrixTransport, room: str, probe: Probe) -> tuple[Finding, ...]:
    """Measure a room through a transport that has started, and whose `batches` nobody iterates over.

    It joins the room, and posts one envelope of the largest size and at most 14 small ones. What fails is a finding.
    """
    findings: list[Finding] = []
    try:
        joined = await transport.join(room, history_since=int((time.time() - _SKEW) * 1000))
        findings.append(Finding(Level.OK, "room", "joined"))
        async for finding in _settings(transport, joined.address):
            findings.append(finding)  # noqa: PERF401 - what was found before an error is kept
        findings.append(await _read_back(transport, joined.address, probe))
        if findings[-1].level is Level.OK:
            findings.append(await _rate(transport, joined.address, probe))
    except TransportError as error:
        findings.append(
            Finding(Level.PROBLEM, "room", error.what, "the room must be open to this account, unencrypted")
        )
    return tuple(findings)


async def _settings(transport: MatrixTransport, room: RoomAddress) -> AsyncIterator[Finding]:
    server, room_id = transport.homeserver, room_id_of(room)
    create = await fetch_state(server, room_id, "m.room.create")
    version = "" if create is None else text_of(create.content, "room_version")
    yield Finding(Level.OK, "room version", version or "1")
    yield await _power(server, room_id, user_id_of(transport.account))
    yield await _history(server, room_id)
    yield _servers(await fetch_members(server, room_id))


async def _power(server: Homeserver, room_id: str, user_id: str) -> Finding:
    levels = await fetch_power_levels(server, room_id)
    have, needed = levels.of(user_id), levels.needed_for(MATRIX_EVENT_TYPE)
    shown = "creator" if have == CREATOR_POWER else str(have)
    what = f"this account has {shown}, and sending envelopes takes {needed}"
    if have >= needed:
        return Finding(Level.OK, "power level", what)
    advice = f"give the account level {needed}, or set `events: {{{MATRIX_EVENT_TYPE}: {have}}}` in the power levels"
    return Finding(Level.PROBLEM, "power level", what, advice)


async def _history(server: Homeserver, room_id: str) -> Finding:
    event = await fetch_state(server, room_id, "m.room.history_visibility")
    visibility = "shared" if event is None else text_of(event.content, "history_visibility")
    what = f"visible to: {visibility}"
    match visibility:
        case "shared" | "invited":
            return Finding(Level.OK, "history", what)
        case "world_readable":
            advice = "set it to `shared`: as it is, anybody can count the messages and see who posts when"
        case _:
            advice = "set it to `shared`: as it is, who joins cannot read what was posted for them just before"
    return Finding(Level.WARNING, "history", what, advice)


def _servers(members: tuple[Member, ...]) -> Finding:
    servers = {server_of(user_id_of(member.account)) for member in members}
    what = f"{len(members)} members on {len(servers)} homeserver{'s' if len(servers) != 1 else ''}"
    if len(servers) <= 1:
        return Finding(Level.OK, "order", what)
    return Finding(Level.OK, "order", f"{what}: each has an order of its own, so the group needs its sequencer")


async def _read_back(transport: MatrixTransport, room: RoomAddress, probe: Probe) -> Finding:
    """Post an envelope of the largest size, and wait for it."""
    size = MATRIX_MAX_ENVELOPE
    transaction = secrets.token_urlsafe(16)
    began = time.monotonic()
    try:
        await _patiently(transport, room, probe(size), transaction)
        async with asyncio.timeout(_PATIENCE):
            await _wait_for(transport, transaction)
    except TimeoutError:
        what = f"an envelope of {size} bytes was sent, and did not come back in {_PATIENCE:.0f} s"
        return Finding(Level.PROBLEM, "envelope size", what, "look into the homeserver's log")
    except TransportError as error:
        return Finding(
            Level.PROBLEM, "envelope size", f"{size} bytes: {error.what}", "the server must take such events"
        )
    elapsed = (time.monotonic() - began) * 1000
    return Finding(Level.OK, "envelope size", f"{size} bytes pass, and came back after {elapsed:.0f} ms")


async def _rate(transport: MatrixTransport, room: RoomAddress, probe: Probe) -> Finding:
    """Post until the server asks for patience, then once more to learn its pace."""
    passed = 0
    pause = 0.0
    began = time.monotonic()
    try:
        while passed < _BURST:
            await transport.publish(room, probe(_SMALL), transaction=secrets.token_urlsafe(16))
            passed += 1
    except RateLimitedError as limited:
        pause = limited.after or 0.0
    except TransportError as error:
        return _unmeasured(passed, error)
    if not pause:
        pace = passed / (time.monotonic() - began)
        return Finding(Level.OK, "rate", f"{passed} messages at {pace:.0f} a second, and no limit met")
    await asyncio.sleep(min(pause, _LONGEST_WAIT))
    try:
        for _ in range(2):
            await transport.publish(room, probe(_SMALL), transaction=secrets.token_urlsafe(16))
    except RateLimitedError as limited:
        pause = max(pause, limited.after or 0.0)
    except TransportError as error:
        return _unmeasured(passed, error)
    what = f"{passed} messages at once, then one in {pause:.1f} s"
    return Finding(Level.WARNING if pause >= _SLOW else Level.OK, "rate", what, _APPSERVICE if pause >= _SLOW else "")


def _unmeasured(passed: int, error: TransportError) -> Finding:
    """Return that the pace could not be found out: what was found before holds all the same."""
    what = f"not measured: after {passed} messages the server answered: {error.what}"
    return Finding(Level.WARNING, "rate", what, "measure again later")


async def _patiently(transport: MatrixTransport, room: RoomAddress, envelope: bytes, transaction: str) -> None:
    try:
        await transport.publish(room, envelope, transaction=transaction)
    except RateLimitedError as limited:
        await asyncio.sleep(min(limited.after or _SLOW, _LONGEST_WAIT))
        await transport.publish(room, envelope, transaction=transaction)


async def _wait_for(transport: MatrixTransport, transaction: str) -> None:
    async with aclosing(transport.batches(None)) as batches:
        async for batch in batches:
            seen = (event.transaction for event in batch.events if isinstance(event, EnvelopeSeen))
            if transaction in seen:
                return
