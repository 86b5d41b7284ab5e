"""`mls-bridge check` against real servers, as a shell sees it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from bridge.commands.check import _probe
from bridge.config.secrets import new_key, write_secret
from bridge.protocol.code_points import PROBE
from bridge.protocol.envelope import open_envelope
from bridge.servers import SynapseServer, XmppServer
from tests.servers.matrix import Person, log_in
from tests.transports.matrix.scene import new_name
from tests.transports.xmpp.scene import PASSWORD, Scene

PROGRAM = Path(sys.executable).with_name("mls-bridge")

pytestmark = pytest.mark.timeout(180)


class Check:
    """The installed command, on a configuration of one account and one room."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "mls-bridge.yaml"
        write_secret(directory / "x.key", new_key())

    def configure(self, account: str, room: str) -> None:
        self.config.write_text(
            "store: {path: x.db, key: {file: x.key}}\n"
            f"accounts:\n  it:\n{indent(account, '    ')}\n"
            f"rooms:\n  tea:\n    sides: [{{account: it, room: '{room}'}}]\n    sequencer: true\n",
            encoding="utf-8",
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, "check", "--config", self.config, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "PASSWORD": PASSWORD, "WRONG": "wrong", "COLUMNS": "160", "TERM": "dumb"},
        )

    def report(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        result = self.run("--json", *arguments)
        assert result.stderr == ""
        return result.returncode, json.loads(result.stdout)


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path)


def levels(report: dict[str, Any]) -> dict[str, str]:
    return {finding["subject"]: finding["level"] for finding in report["findings"]}


def problem(report: dict[str, Any]) -> dict[str, str]:
    [found] = [finding for finding in report["findings"] if finding["level"] == "problem"]
    return dict(found)


# Matrix


def matrix_account(server: SynapseServer, user: str, variable: str = "PASSWORD") -> str:
    return (
        f'network: matrix\nhomeserver: {server.url}\nuser: "@{user}:{server.name}"\n'
        f"login: {{password: {{env: {variable}}}}}"
    )


def register(server: SynapseServer, name: str) -> tuple[str, Person]:
    user = new_name(name)
    server.register(user, PASSWORD)
    return user, log_in(server, user, PASSWORD)


def test_matrix_room_that_can_carry_a_group(check: Check, synapse: SynapseServer) -> None:
    _, owner = register(synapse, "owner")
    user, person = register(synapse, "bridge")
    room = owner.create_room(preset="public_chat")
    check.configure(matrix_account(synapse, user), room)

    code, report = check.report()

    assert code == 0
    assert report["ok"]
    assert report["problems"] == 0
    found = levels(report)
    assert found["database"] == found["login"] == found["room"] == found["envelope size"] == "ok"
    assert {finding["room"] for finding in report["findings"]} == {"", "tea"}
    assert {finding["account"] for finding in report["findings"]} == {"", "it"}
    devices = person.call("GET", "/_matrix/client/v3/devices")["devices"]
    assert isinstance(devices, list)
    assert len(devices) == 1  # that of this test: the command has left none behind


def test_matrix_findings_are_a_table_with_advice(check: Check, synapse: SynapseServer) -> None:
    _, owner = register(synapse, "owner")
    user, _ = register(synapse, "bridge")
    visibility = {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}
    room = owner.create_room(preset="public_chat", initial_state=[visibility])
    check.configure(matrix_account(synapse, user), room)

    result = check.run("tea")

    assert result.returncode == 0
    assert "visible to: world_readable" in result.stdout
    assert "set it to `shared`" in result.stdout
    assert "0 to be changed, 1 that could be better" in result.stdout
    assert PASSWORD not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_matrix_wrong_password_is_a_problem(check: Check, synapse: SynapseServer) -> None:
    user, _ = register(synapse, "bridge")
    check.configure(matrix_account(synapse, user, "WRONG"), "!none:localhost")

    code, report = check.report()

    assert code == 1
    assert problem(report)["subject"] == "login"
    assert "wrong name or password" in problem(report)["what"]


def test_matrix_room_that_is_not_there_is_a_problem(check: Check, synapse: SynapseServer) -> None:
    user, _ = register(synapse, "bridge")
    check.configure(matrix_account(synapse, user), "#none:localhost")

    code, report = check.report()

    assert code == 1
    assert problem(report)["subject"] == "room"
    assert levels(report)["login"] == "ok"


def test_token_of_somebody_else_is_a_problem(check: Check, synapse: SynapseServer, tmp_path: Path) -> None:
    user, _ = register(synapse, "bridge")
    _, other = register(synapse, "other")
    write_secret(tmp_path / "token", other.token)
    account = matrix_account(synapse, user).replace("{password: {env: PASSWORD}}", "{access_token: {file: token}}")
    check.configure(account, "!none:localhost")

    code, report = check.report()

    assert code == 1
    assert "the token belongs to another user than the configuration says" in problem(report)["what"]
    assert other.call("GET", "/_matrix/client/v3/account/whoami")  # and is not logged out


def test_server_that_is_not_there_is_a_problem(check: Check) -> None:
    account = 'network: matrix\nhomeserver: http://127.0.0.1:1\nuser: "@a:b"\nlogin: {password: {env: PASSWORD}}'
    check.configure(account, "!a:b")

    code, report = check.report()

    assert code == 1
    assert problem(report)["subject"] == "login"


# XMPP


def xmpp_account(jid: str, login: str, port: int) -> str:
    plaintext = "plaintext: true\n" if "password" in login else ""
    return f"network: xmpp\njid: {jid}\nserver: {{host: 127.0.0.1, port: {port}}}\n{plaintext}login: {login}"


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["password", "component"])
async def test_muc_that_can_carry_a_group(check: Check, prosody: XmppServer, tmp_path: Path, kind: str) -> None:
    async with Scene(prosody) as scene:
        if kind == "component":
            jid, port = "check@bridge.localhost", prosody.component_port
            write_secret(tmp_path / "secret", prosody.components["bridge.localhost"])
            account = xmpp_account(jid, "{component: {secret: {file: secret}}}", port)
        else:
            await scene.register("bridge")
            jid, port = scene.jid("bridge"), prosody.c2s_port
            account = xmpp_account(jid, "{password: {env: PASSWORD}}", port)
        room = await scene.room("tea", members=[jid])
        check.configure(account, room)

        code, report = await asyncio.to_thread(check.report)

    assert code == 0, report
    assert levels(report)["login"] == "ok"
    assert any(finding["room"] == "tea" for finding in report["findings"])


@pytest.mark.asyncio
async def test_muc_that_is_open_to_everybody_is_a_problem(check: Check, prosody: XmppServer) -> None:
    async with Scene(prosody) as scene:
        await scene.register("bridge")
        room = await scene.room("tea", members=["bridge"], membersonly="0")
        check.configure(xmpp_account(scene.jid("bridge"), "{password: {env: PASSWORD}}", prosody.c2s_port), room)

        code, report = await asyncio.to_thread(check.report)

    assert code == 1
    assert "members" in problem(report)["what"] + problem(report)["advice"]


# Before any server


def test_database_without_a_key_is_a_problem(check: Check, tmp_path: Path) -> None:
    check.configure(xmpp_account("a@b", "{password: {env: NOT_SET}}", 1), "r@b")
    (tmp_path / "x.key").write_text("short")

    code, report = check.report()

    assert code == 1
    found = {finding["subject"]: finding["what"] for finding in report["findings"]}
    assert "64 hexadecimal digits" in found["database"]
    assert found["login"] == "the environment variable NOT_SET is not set"


def test_unknown_room_is_wrong_usage(check: Check) -> None:
    check.configure(xmpp_account("a@b", "{password: {env: NOT_SET}}", 1), "r@b")

    result = check.run("chess")

    assert result.returncode == 2
    assert "'chess' is none of the configuration's: tea" in result.stderr


def test_wrong_configuration_is_told_before_anything_else(check: Check) -> None:
    check.configure(xmpp_account("a@example.org", "{password: {env: X}}", 1), "r@b")

    result = check.run("--json")

    assert (result.returncode, result.stdout) == (2, "")
    assert "accounts.it.jid is an example" in result.stderr


@pytest.mark.parametrize("size", [4, 66, 67, 68, 69, 200, 16_388, 16_389, 16_390, 45_000, 120_000])
def test_probe_is_an_envelope_of_the_size_and_never_the_same(size: int) -> None:
    probe = _probe(size)

    assert size - 2 <= len(probe) <= size
    assert open_envelope(probe).kind == PROBE
    assert size < 20 or probe != _probe(size)
