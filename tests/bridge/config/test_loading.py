"""From a file to a configuration, and what people are told about values that are not right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import MatrixAccount, Mode, XmppAccount, load
from bridge.config.models import LogFormat, LogLevel
from bridge.config.rooms import AddPolicy
from bridge.config.secrets import EnvSecret, FileSecret
from tests.bridge.config.files import GOOD, problems, written


def test_what_is_left_out_has_its_documented_default(tmp_path: Path) -> None:
    config = written(tmp_path, GOOD)

    assert config.store.path == tmp_path / "mls-bridge.db"
    assert config.store.key == FileSecret(file=tmp_path / "mls-bridge.key")
    assert not config.store.history
    matrix, xmpp = config.accounts["hs"], config.accounts["muc"]
    assert isinstance(matrix, MatrixAccount)
    assert matrix.homeserver == "https://matrix.tea.party"
    assert matrix.login.tag == "password"
    assert isinstance(xmpp, XmppAccount)
    assert (xmpp.server, xmpp.plaintext, xmpp.tls.direct, xmpp.tls.ca_file, xmpp.nick) == (
        None,
        False,
        False,
        None,
        None,
    )
    room = config.rooms["tea"]
    assert room.mode is Mode.SEALED
    assert (room.relay, room.sequencer, room.member) == (True, False, None)
    assert room.home_side.room == "#tea:tea.party"
    assert config.health.address == ("127.0.0.1", 9464)
    assert (config.log.level, config.log.format) == (LogLevel.INFO, LogFormat.AUTO)


def test_member_has_the_designs_limits(tmp_path: Path) -> None:
    config = written(tmp_path, GOOD + "    member: {account: muc}\n")

    member = config.rooms["tea"].member
    assert member is not None
    assert (member.padding, member.add) == (64, AddPolicy.OWN_NETWORK)
    assert (member.updates.days, member.updates.messages) == (7, 500)
    assert (member.late.minutes, member.late.epochs, member.late.hours) == (10, 5, 24)


def test_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = written(tmp_path, GOOD)

    with pytest.raises(ValueError, match="frozen"):
        config.store.history = True


def test_relative_files_are_seen_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "bridge.yaml").write_text(GOOD.replace("mls-bridge.key", "~/key"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/alice")

    config = load(Path("etc/bridge.yaml"))

    assert config.store.path == tmp_path / "etc" / "mls-bridge.db"
    assert config.store.key == FileSecret(file=Path("/home/alice/key"))


def test_everything_wrong_is_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = (
        GOOD.replace("path: mls-bridge.db", "path: mls-bridge.db\n  histroy: true")
        .replace("network: matrix", "network: irc")
        .replace("jid: bridge@tea.party", "jid: bridge@tea.party/desk")
        .replace("tea@muc.tea.party}", "tea@muc.tea.party, nick: x}")
    )

    assert problems(tmp_path, text) == [
        "line 3: store.histroy is not a key here; did you mean history?",
        "line 7: accounts.hs.network is not a network; write matrix or xmpp",
        "line 13: accounts.muc.jid has a resource; leave out the / and what follows it: the program chooses one",
        "line 19: rooms.tea.sides[1].nick is not a key here; there are: account, room",
    ]


WRONG = {
    "unknown key": ("home: hs", "hoem: hs", "line 19: rooms.tea.hoem is not a key here; did you mean home?"),
    "missing": ("  path: mls-bridge.db\n", "", "line 1: store.path is missing; it is: the SQLite file; one process"),
    "missing section": ("rooms:", "room:", "line 14: room is not a key here; did you mean rooms?"),
    "no network": ("network: xmpp", "", "line 10: accounts.muc.network is missing; write matrix or xmpp"),
    "comment": (
        '"#tea:tea.party"}',
        "#tea:tea.party\n}",
        "is empty; write a text; what begins with # is a comment unless",
    ),
    "tag": ('"#tea:tea.party"', "!tea:tea.party", "put it in quotes: a value that begins with @, !, `, % or &"),
    "at": ('"@bridge:tea.party"', "@bridge:tea.party", "line 8: the file is not valid YAML: found character '@' that"),
    "number": ("path: mls-bridge.db", "path: 7", "line 2: store.path is not text; put it in quotes"),
    "flag": ("relay: true", "relay: 1", "line 20: rooms.tea.relay is neither true nor false; write one of them"),
    "date": (
        "home: hs",
        "home: 2026-02-30",
        "rooms.tea.home looks like a number or a date, and is none; put it in quotes",
    ),
    "list": (
        "sides:\n",
        "sides: x\n    side:\n",
        "line 16: rooms.tea.sides is not a list; begin each item with a dash",
    ),
    "mapping": ("login: {password: {env: PASSWORD}}", "login: 3", "line 9: accounts.hs.login is not one of password"),
    "two logins": ("{env: PASSWORD}}", "{env: P}, access_token: {env: T}}", "has password and access_token, of which"),
    "misspelt login": ("{password: {env:", "{passwort: {env:", "did you mean password instead of passwort?"),
    "misspelt secret": ("{env: PASSWORD}", "{enf: PASSWORD}", "did you mean env instead of enf?"),
    "variable": ("{env: PASSWORD}", '{env: "a b"}', "accounts.hs.login.password.env has characters that do not belong"),
    "login": (
        "{password: {env: PASSWORD}}",
        "{component: {secret: {env: S}}}",
        "accounts.hs.login has none of password,",
    ),
    "homeserver": ("https://matrix.tea.party", "matrix.tea.party", "is not a URL of a server; write it like https://"),
    "in clear": ("https://matrix", "http://matrix", "would send the account's token in clear; use https"),
    "port": (
        "https://matrix.tea.party",
        "https://tea.party:99999",
        "accounts.hs.homeserver is not a URL; write it like",
    ),
    "password in URL": (
        "https://matrix",
        "https://a:b@matrix",
        "accounts.hs.homeserver has more than a server's address",
    ),
    "user": ('"@bridge:tea.party"', "bridge", "line 8: accounts.hs.user is not a Matrix user id; write it like"),
    "jid": ("jid: bridge@tea.party", "jid: a@b@c", "line 12: accounts.muc.jid is not a JID; write it like"),
    "domain": ("jid: bridge@tea.party", "jid: tea.party", "line 12: accounts.muc.jid has no name before the server"),
    "name": ("  hs:", "  H.S:", "line 5: accounts.H.S is not a usable name; take up to 32 of: a to z, 0 to 9, - and _"),
    "long name": ("  tea:", f"  {'t' * 33}:", f"line 15: rooms.{'t' * 33} is not a usable name; take up to 32 of"),
    "matrix room": ('"#tea:tea.party"', "tea", "line 17: rooms.tea.sides[0].room is not the address of a Matrix room"),
    "muc": ("tea@muc.tea.party", "tea@muc/x", "line 18: rooms.tea.sides[1].room is not the address of a MUC; write it"),
    "listen": ("store:", "health: {listen: 9464}\nstore:", "line 1: health.listen is not text; put it in quotes"),
    "no port": (
        "store:",
        "health: {listen: localhost}\nstore:",
        "health.listen is not an address and a port; write it like",
    ),
    "level": ("store:", "log: {level: loud}\nstore:", "log.level is none of its values; write 'debug', 'info',"),
    "padding": (
        "home: hs",
        "member: {account: hs, padding: 63}\n    home: hs",
        "padding is not a power of two; write 64",
    ),
    "epochs": (
        "home: hs",
        "member: {account: hs, late: {epochs: 65}}\n    home: hs",
        "late.epochs is not right; input should",
    ),
}


@pytest.mark.parametrize("old, new, expected", WRONG.values(), ids=WRONG)
def test_what_is_wrong_and_what_would_be_right_are_told(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD

    found = problems(tmp_path, GOOD.replace(old, new, 1))

    assert any(expected in line for line in found), found


# Secrets


@pytest.mark.parametrize(
    "key", ["key: hunter2", "key: {file: [hunter2]}", "kye: hunter2", "key: {hunter2: x}", "key: 1"]
)
def test_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    found = problems(tmp_path, GOOD.replace("key: {file: mls-bridge.key}", key))

    assert found
    assert "hunter2" not in "".join(found)


def test_secret_in_the_file_gets_told_where_secrets_go(tmp_path: Path) -> None:
    [line] = problems(tmp_path, GOOD.replace("{env: PASSWORD}", "hunter2"))

    assert line.startswith(
        "line 9: accounts.hs.login.password holds the secret itself, which then stands in every copy"
    )
    assert line.endswith("; write {file: PATH}, {env: NAME} or {keyring: {service: ..., user: ...}}")


def test_secret_may_come_from_the_environment(tmp_path: Path) -> None:
    account = written(tmp_path, GOOD).accounts["hs"]

    assert isinstance(account, MatrixAccount)
    assert account.login.model_dump() == {"password": {"env": "PASSWORD"}}
    assert EnvSecret(env="PASSWORD").env == "PASSWORD"
