"""What a run tells by its figures."""

from __future__ import annotations

import asyncio
import json
import os
import random
from pathlib import Path

import pytest

from bridge.config import load
from bridge.config.accounts import Account as AccountSettings
from bridge.config.accounts import XmppAccount
from bridge.observing.metrics import Metrics
from bridge.service import composing
from bridge.service.clock import SystemClock
from bridge.service.service import Service
from tests.bridge.service.worlds import BOB, TEA, Notebook, World, application, until
from transports.memory import LoopClock, MemoryNetwork
from transports.room import Account, RoomAddress, Transport

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ROOMS = {"home": "tea@muc.tea.party", "away": "cake@muc.tea.party"}


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """A figure; 0 where there is none."""
    return metrics.registry.get_sample_value(f"mls_bridge_{name}", labels) or 0


async def test_what_goes_in_and_out_is_counted(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()
    async with world.service(notebook) as running:
        await running.say(notebook, "one", "two")
        world.network.room(TEA).post_envelope(BOB, application("three"), transaction="t")
        await notebook.until(lambda: len(notebook.texts) == 3)
        await until(lambda: value(world.metrics, "outbox_rows", account="alice") == 0)

    assert value(world.metrics, "messages_out_total", room=TEA, network="memory") == 2
    assert value(world.metrics, "messages_in_total", room=TEA, network="memory", role="test") == 3
    assert value(world.metrics, "store_transaction_seconds_count") >= 3


async def test_a_bridge_and_its_member_tell_how_they_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = MemoryNetwork(clock=LoopClock(), random=random.Random(7))
    monkeypatch.setattr(composing, "open_transport", lambda account, **_: network.transport(account_of(account)))
    monkeypatch.setattr(composing, "log_in", start)
    for name, room in ROOMS.items():
        network.create_room(RoomAddress(f"xmpp:{room}"), name=room, members=[Account(f"xmpp:{name}@tea.party")])
    config = load(configured(tmp_path))
    store = await composing.open_store(config, bytes(32), SystemClock())
    metrics = Metrics()
    service = Service(store, clock=SystemClock(), random=os.urandom, metrics=metrics)
    composition = composing.Composition(config, service, store, clock=SystemClock(), random=os.urandom, metrics=metrics)
    await composition.add_accounts()
    running = asyncio.create_task(service.run())
    try:
        await composition.add_roles()
        await until(lambda: value(metrics, "epoch", room="tea") >= 1, seconds=30)
        await until(lambda: value(metrics, "outbox_rows", account="home") == 0)
        network.room(ROOMS["away"]).join(BOB)
        await until(lambda: value(metrics, "claims_total", room="tea", network="xmpp") >= 1)
    finally:
        service.stop()
        await running

    assert value(metrics, "seals_total", room="tea") >= 1
    assert value(metrics, "seal_delay_seconds_count", room="tea") >= 1
    assert 0 < value(metrics, "seal_delay_seconds_sum", room="tea") < 30
    assert value(metrics, "relayed_total", room="tea", network="xmpp") >= 1
    assert value(metrics, "messages_out_total", room="tea", network="xmpp") >= 3
    for role in ("relay", "sequencer", "member"):
        assert value(metrics, "messages_in_total", room="tea", network="xmpp", role=role) >= 1, role


def account_of(account: AccountSettings) -> Account:
    assert isinstance(account, XmppAccount)
    return Account(f"xmpp:{account.jid}")


async def start(transport: Transport, _account: AccountSettings) -> None:
    await transport.start()


def configured(folder: Path) -> Path:
    """Write a configuration of everything at once: a relay, a sequencer and a member."""
    (folder / "key").write_text("5a" * 32)
    (folder / "key").chmod(0o600)
    accounts = {
        name: {"network": "xmpp", "jid": f"{name}@tea.party", "login": {"password": {"env": "NEVER_READ"}}}
        for name in ROOMS
    }
    room = {
        "sides": [{"account": name, "room": room} for name, room in ROOMS.items()],
        "home": "home",
        "relay": True,
        "sequencer": True,
        "member": {"account": "home", "device": "test", "create": True},
    }
    config = {"store": {"path": "test.db", "key": {"file": "key"}}, "accounts": accounts, "rooms": {"tea": room}}
    path = folder / "test.yaml"
    path.write_text(json.dumps(config))
    return path
