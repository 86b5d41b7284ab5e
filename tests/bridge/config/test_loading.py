"""From a file to a configuration, and what people are told about files that are not right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import ConfigError, MatrixAccount, Mode, XmppAccount, load
from bridge.config.documents import parse
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


# Roles

TWO_SIDES = 'sides: [{account: hs, room: "#t:t"}, {account: muc, room: t@t}]'

ROLES = {
    "relay with one side": (
        "sides: [{account: muc, room: tea@muc.tea.party}]\n    relay: true",
        "relay has nothing to copy to: there is one side; add a side, or write false",
    ),
    "two sides without a relay": (
        f"{TWO_SIDES}\n    home: hs\n    sequencer: true",
        "relay is off, and several sides are linked by nothing; write true, or keep one side",
    ),
    "mode room with two sides": (
        f"{TWO_SIDES}\n    home: muc\n    relay: true\n    mode: room",
        "mode is room, for one MUC alone, and there are several sides; write sealed",
    ),
    "mode room on Matrix": (
        'sides: [{account: hs, room: "#t:t"}]\n    mode: room\n    member: {account: hs}',
        "mode is room, for a MUC alone; write sealed: Matrix servers disagree on the order",
    ),
    "sequencer in mode room": (
        "sides: [{account: muc, room: t@t}]\n    mode: room\n    sequencer: true",
        "sequencer means nothing in mode room: its archive is the order; write false",
    ),
    "no home": (
        f"{TWO_SIDES}\n    relay: true",
        "home is missing; write hs or muc: whose room is the home room",
    ),
    "home elsewhere": (
        "sides: [{account: muc, room: t@t}]\n    home: hs\n    sequencer: true",
        "home is the account of none of the sides; write muc",
    ),
    "member elsewhere": (
        "sides: [{account: muc, room: t@t}]\n    member: {account: hs}",
        "member.account is the account of none of the sides; write muc",
    ),
    "unknown account": (
        "sides: [{account: xmpp, room: t@t}]\n    sequencer: true",
        "sides[0].account is none of the accounts; write hs or muc, or add an account",
    ),
    "one account twice": (
        "sides: [{account: muc, room: t@t}, {account: muc, room: u@t}]\n    home: muc\n    relay: true",
        "sides[1].account is muc again; an account has one side in a room: log in with another account for this one",
    ),
    "no role": (
        "sides: [{account: muc, room: t@t}]",
        "rooms.tea leaves nothing to do; set `relay`, `sequencer` or `member`",
    ),
    "no side": ("sides: []\n    sequencer: true", "sides is empty; it is: the room on each network"),
}


@pytest.mark.parametrize("room, expected", ROLES.values(), ids=ROLES)
def test_roles_that_make_no_sense_are_refused(tmp_path: Path, room: str, expected: str) -> None:
    text = f"{GOOD[: GOOD.index('rooms:')]}rooms:\n  tea:\n    {room}\n"

    [line] = problems(tmp_path, text)

    assert expected in line


def test_room_is_a_side_of_one_room_alone(tmp_path: Path) -> None:
    other = "  chess:\n    sides: [{account: muc, room: TEA@muc.tea.party}]\n    sequencer: true\n"

    assert problems(tmp_path, GOOD + other) == [
        "line 22: rooms.chess.sides[0].room is a side of tea too; a room belongs to one group"
    ]


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


# Files


def test_duplicate_keys_are_all_refused(tmp_path: Path) -> None:
    text = GOOD.replace("    home: hs\n", "    home: hs\n    home: muc\n") + "store: {}\n"

    assert problems(tmp_path, text) == [
        "line 20: rooms.tea.home is there twice; keep one; the first is in line 19",
        "line 22: store is there twice; keep one; the first is in line 1",
    ]


def test_aliases_are_refused_however_much_they_stand_for(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))

    found = problems(tmp_path, laughs)

    assert "line 2: a1[0] is an alias (*); write the value out" in found


BROKEN = {
    "empty": (b"", "the file is empty; `mls-bridge init` writes one"),
    "comments": (b"# nothing\n", "the file is empty; `mls-bridge init` writes one"),
    "text": (b"hello", "line 1: the file is not a mapping; write keys and values"),
    "tabs": (b"store:\n\tpath: x\n", "line 2: the file is not valid YAML: found character '\\t' that cannot start any"),
    "unclosed": (
        b'store: {path: "x}\n',
        "the file is not valid YAML: found unexpected end of stream; look at this line",
    ),
    "two documents": (b"a: 1\n---\nb: 1\n", "line 2: the file is not valid YAML: but found another document"),
    "control": (b"store: \x07\n", "the file is not valid YAML: special characters are not allowed"),
    "not Unicode": (b"\xff\xfe\xff", "the file is not text in UTF-8; is it the right file?"),
    "deep": (b"[" * 100_000, "the file is nested too deeply; nothing here needs that"),
    "huge": (b"#" * ((1 << 20) + 1), "the file is larger than 1 MiB; is it the right file?"),
    "python": (b"store: !!python/object/apply:os.system [x]\n", "line 1: store is not a mapping"),
    "odd keys": (b"1: 2\n? [a]\n: 3\nnull: 4\n", "line 1: the file has a key that is not text; put it in quotes"),
    "anchor": (b"&a a: 1\n<<: {b: 1}\n", "line 2: the file has a key that is not text; put it in quotes"),
}


@pytest.mark.parametrize("data, expected", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_described(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_bytes(data)

    with pytest.raises(ConfigError) as raised:
        load(path)

    assert expected in str(raised.value)


def test_files_that_are_none_are_described(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")

    for name, expected in {
        "missing": "is not there; `mls-bridge init` writes one; --config names another",
        ".": "is not a regular file",
        "pipe": "is not a regular file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "nul\0": "cannot be read: that is not a name of a file",
    }.items():
        with pytest.raises(ConfigError) as raised:
            load(tmp_path / name)
        assert expected in str(raised.value)


def test_names_from_the_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("  tea:", '  "\\e[2J":'))

    assert found[0].startswith("line 15: rooms.\\x1b[2J is not a usable name")


@given(st.text(max_size=200))
def test_any_text_is_read_or_described(text: str) -> None:
    document = parse(text)

    for problem in document.problems:
        assert str(problem).isprintable()
