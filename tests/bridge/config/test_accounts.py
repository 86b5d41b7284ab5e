"""Accounts, and the connections that they may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import MatrixAccount, XmppAccount
from tests.bridge.config.files import GOOD, problems, written


def test_two_accounts_are_two_users(tmp_path: Path) -> None:
    other = (
        '  hs2: {network: matrix, homeserver: "https://t.t", user: "@bridge:tea.party", login: {password: {env: P}}}\n'
    )

    [line] = problems(tmp_path, GOOD.replace("  muc:\n", f"{other}  muc:\n"))

    assert line == "line 10: accounts.hs2.user is that of hs too; use hs in the rooms"


CONNECTIONS = {
    "plaintext": ("plaintext: true", "plaintext would send the password and all else in clear"),
    "plaintext elsewhere": (
        "plaintext: true\n    server: {host: tea.party, port: 5222}",
        "plaintext would send the password and all else in clear",
    ),
    "plaintext by a name": (
        "plaintext: true\n    server: {host: localhost, port: 5222}",
        "plaintext would send the password and all else in clear",
    ),
    "two minds": (
        "plaintext: true\n    server: {host: 127.0.0.1, port: 5222}\n    tls: {ca_file: ca.pem}",
        "tls means nothing on a connection without TLS; leave it out",
    ),
    "port": ("server: {host: a, port: 0}", "server.port is not right; input should be greater than or equal to 1"),
}


@pytest.mark.parametrize("lines, expected", CONNECTIONS.values(), ids=CONNECTIONS)
def test_connections_in_clear_are_for_this_machine_alone(tmp_path: Path, lines: str, expected: str) -> None:
    [line] = problems(tmp_path, GOOD.replace("jid: bridge@tea.party", f"jid: bridge@tea.party\n    {lines}"))

    assert expected in line


def test_component_is_on_this_machine_too(tmp_path: Path) -> None:
    text = GOOD.replace("bridge@tea.party\n", "bridge.tea.party\n").replace(
        "{password: {file: muc.password}}", "{component: {secret: {env: S}}}"
    )

    account = written(tmp_path, text).accounts["muc"]
    assert isinstance(account, XmppAccount)
    assert (account.component_server.host, account.component_server.port) == ("127.0.0.1", 5347)

    elsewhere = text.replace("jid: bridge.tea.party", "jid: bridge.tea.party\n    server: {host: 10.0.0.1, port: 5347}")
    [line] = problems(tmp_path, elsewhere)
    assert "server must be an address of this machine, for a component has no TLS" in line


@pytest.mark.parametrize("url", ["http://localhost:8008", "http://127.0.0.1:8008", "http://[::1]:8008/"])
def test_homeserver_on_this_machine_needs_no_tls(tmp_path: Path, url: str) -> None:
    account = written(tmp_path, GOOD.replace("https://matrix.tea.party", url)).accounts["hs"]

    assert isinstance(account, MatrixAccount)
    assert account.homeserver == url.rstrip("/")
