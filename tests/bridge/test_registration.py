"""`mls-bridge registration`: what it writes, and that real servers take it."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from bridge.commands.registration import PROSODY
from bridge.servers import Synapse
from tests.bridge.test_cli import run
from tests.servers.matrix import Person

SETTINGS = dedent("""\
    store: {path: x.db, key: {file: x.key}}
    accounts:
      hs:
        network: matrix
        homeserver: http://localhost:8008
        user: "@mls.bridge:localhost"
        login:
          appservice:
            as_token: {file: hs.as_token}
            hs_token: {file: hs.hs_token}
      muc:
        network: xmpp
        jid: tea@bridge.localhost
        login: {component: {secret: {file: muc.secret}}}
        server: {host: 127.0.0.1, port: 15347}
      person:
        network: xmpp
        jid: person@localhost
        login: {password: {env: PASSWORD}}
    """)


class Program:
    """The command, run in this process and in a directory of its own."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        monkeypatch.chdir(directory)
        self.configure(SETTINGS)

    def configure(self, text: str) -> None:
        (self.directory / "mls-bridge.yaml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = run(self.monkeypatch, "registration", *arguments)
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def text(self, name: str) -> str:
        return (self.directory / name).read_text(encoding="utf-8")

    def files(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()} - {"mls-bridge.yaml"}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(tmp_path, monkeypatch, capsys)


def test_settings_are_written_and_shown_where_to_put(program: Program) -> None:
    code, output, errors = program.run()

    assert (code, errors) == (0, "")
    secrets = {"hs.as_token", "hs.hs_token", "muc.secret"}
    settings = {"hs.registration.yaml", "muc.prosody.cfg.lua", "muc.ejabberd.yml"}
    assert program.files() == secrets | settings
    for name in program.files():
        assert (program.directory / name).stat().st_mode & 0o777 == 0o600
    for name in settings:
        assert str(program.directory / name) in output
    assert "app_service_config_files" in output
    assert "Prosody must listen on 127.0.0.1, port 15347" in output
    assert not any(program.text(name).strip() in output for name in secrets)


def test_registration_is_one_that_synapse_reads(program: Program) -> None:
    program.run()

    registration = yaml.safe_load(program.text("hs.registration.yaml"))
    assert registration["as_token"] == program.text("hs.as_token").strip()
    assert registration["hs_token"] == program.text("hs.hs_token").strip()
    assert registration["as_token"] != registration["hs_token"]
    assert registration["rate_limited"] is False
    [users] = registration["namespaces"]["users"]
    assert re.fullmatch(users["regex"], "@mls.bridge:localhost")
    assert not re.fullmatch(users["regex"], "@mlsxbridge:localhost")


def test_id_may_be_chosen(program: Program) -> None:
    program.configure(SETTINGS.replace("appservice:", "appservice:\n        id: tea"))
    program.run()

    assert yaml.safe_load(program.text("hs.registration.yaml"))["id"] == "tea"


def test_component_settings_hold_the_domain_and_the_secret(program: Program) -> None:
    program.run()

    secret = program.text("muc.secret").strip()
    assert program.text("muc.prosody.cfg.lua") == PROSODY.format(domain="bridge.localhost", secret=secret)
    [listener] = yaml.safe_load(f"listen:\n{program.text('muc.ejabberd.yml')}")["listen"]
    assert listener["hosts"] == {"bridge.localhost": {"password": secret}}
    assert (listener["module"], listener["port"], listener["ip"]) == ("ejabberd_service", 15347, "127.0.0.1")


def test_second_run_changes_nothing(program: Program) -> None:
    program.run()
    first = {name: program.text(name) for name in program.files()}

    assert program.run()[0] == 0

    assert {name: program.text(name) for name in program.files()} == first


def test_secrets_that_are_there_are_taken(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    (program.directory / "hs.as_token").touch(0o600)
    (program.directory / "hs.as_token").write_text("mine\n")
    monkeypatch.setenv("COMPONENT", "from the environment")
    program.configure(SETTINGS.replace("{file: muc.secret}", "{env: COMPONENT}"))

    assert program.run()[0] == 0

    assert yaml.safe_load(program.text("hs.registration.yaml"))["as_token"] == "mine"
    assert 'component_secret = "from the environment"' in program.text("muc.prosody.cfg.lua")
    assert "muc.secret" not in program.files()


def test_one_account_may_be_named(program: Program) -> None:
    code, output, _ = program.run("muc")

    assert code == 0
    assert "registration" not in output
    assert program.files() == {"muc.secret", "muc.prosody.cfg.lua", "muc.ejabberd.yml"}


def test_account_that_needs_none_is_told_so(program: Program) -> None:
    code, output, errors = program.run("person")

    assert (code, output) == (1, "")
    assert "No account logs in as an appservice or a component" in errors


def test_unknown_account_is_wrong_usage(program: Program) -> None:
    code, _, errors = program.run("hse")

    assert code == 2
    assert "'hse' is none of hs, muc, person" in errors


PROBLEMS = {
    "configuration": ("network: matrix", "network: matrx", "accounts.hs.network is not a network", 2),
    "example": ("@mls.bridge:localhost", "@mls.bridge:example.org", "accounts.hs.user is an example", 2),
    "variable": ("{file: muc.secret}", "{env: NOT_SET}", "the environment variable NOT_SET is not set", 1),
    "directory": ("{file: muc.secret}", "{file: missing/x}", "missing/x cannot be written: No such file", 1),
    "user": ("@mls.bridge:localhost", "@MLS:localhost", "accounts.hs.user: a user's name is of a-z", 1),
}


@pytest.mark.parametrize("old, new, expected, exit_code", PROBLEMS.values(), ids=PROBLEMS)
def test_what_is_wrong_is_told_and_no_settings_are_written(
    program: Program, old: str, new: str, expected: str, exit_code: int
) -> None:
    program.configure(SETTINGS.replace(old, new))

    code, output, errors = program.run()

    assert (code, output) == (exit_code, "")
    assert expected in errors
    assert not any("registration" in name or "prosody" in name for name in program.files())


@pytest.mark.parametrize("secret", ['a"b', "a\\b"])
def test_secret_that_servers_would_read_differently_is_refused(
    program: Program, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("COMPONENT", secret)
    program.configure(SETTINGS.replace("{file: muc.secret}", "{env: COMPONENT}"))

    code, _, errors = program.run()

    assert code == 1
    assert "has a quote or a backslash in it" in errors
    assert secret not in errors


@pytest.mark.timeout(120)
def test_synapse_starts_with_the_registration_and_takes_the_token(
    program: Program, synapse_installation: Synapse, tmp_path: Path
) -> None:
    program.run("hs")

    with synapse_installation.start(tmp_path / "synapse", appservices=[tmp_path / "hs.registration.yaml"]) as server:
        appservice = Person(server, program.text("hs.as_token").strip())
        body = {"type": "m.login.application_service", "username": "mls.bridge", "inhibit_login": True}
        assert appservice.call("POST", "/_matrix/client/v3/register", body)["user_id"] == "@mls.bridge:localhost"
