"""`mls-bridge registration`: what the servers must be told before an appservice or a component can log in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import yaml

from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit
from bridge.config.accounts import AppserviceLogin, ComponentLogin, MatrixAccount, XmppAccount
from bridge.config.models import Config
from bridge.config.secrets import FileSecret, Secret, SecretError, new_token, read_secret, write_secret

__all__ = ["run"]

EXIT_FAILED = 1

APPSERVICE_STEPS = """\
{name}: the registration of an application service is in
    {path}
  It holds both tokens: copy it to where the homeserver, and nobody else, can read it, such as by
    sudo install -m 640 -g matrix-synapse {path} /etc/matrix-synapse/
  Synapse: name the copy in homeserver.yaml, and restart Synapse:
    app_service_config_files:
      - /etc/matrix-synapse/{path.name}"""

COMPONENT_STEPS = """\
{name}: the settings of a component, for Prosody and for ejabberd, are in
    {prosody}
    {ejabberd}
  Both hold its secret: what you copy shall be readable by the server, and nobody else.
  Prosody: copy its file to where the server's configuration looks for more, and restart Prosody. On Debian:
    sudo install -m 640 -g prosody {prosody} /etc/prosody/conf.d/{name}.cfg.lua
    Elsewhere, name the copy at the end of prosody.cfg.lua: Include "..."
    Prosody must listen on {host}, port {port}: component_interfaces, component_ports.
  ejabberd: put what its file holds into ejabberd.yml, below `listen:`, and restart ejabberd."""

PROSODY = """\
-- A component of Prosody (XEP-0114): mls-bridge.
Component "{domain}"
  component_secret = "{secret}"
"""

EJABBERD = """\
# A component of ejabberd (XEP-0114): mls-bridge. It belongs below `listen:`.
  -
    port: {port}
    ip: "{host}"
    module: ejabberd_service
    access: all
    shaper_rule: none
    hosts:
      "{domain}":
        password: "{secret}"
"""


class _SettingsError(Exception):
    """An account is configured in a way that no server takes. Says what is wrong."""


@dataclass(frozen=True, slots=True)
class _Settings:
    """What one account needs: files, with what goes into them, and words for the person who installs them."""

    files: dict[Path, str]
    steps: str


def run(
    account: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT]", help="An account of the configuration; all, if none is named.")
    ] = None,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write what servers must be told of an application service or a component.

    Says where it goes. Makes the tokens and secrets that are not there yet, in the files that the configuration names.
    What is there stays as it is, so the command may be run again.

    The settings are written next to the configuration, readable by you alone: they hold the secrets, which are not
    shown here. A file of an earlier run is renewed.

    Exit codes: 0 written, 1 it could not be written, or no account needs it, 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    if account is not None and account not in configuration.accounts:
        choices = ", ".join(configuration.accounts)
        raise typer.BadParameter(f"{account!r} is none of {choices}", param_hint="ACCOUNT")
    try:
        settings = list(_settings(configuration, account, config.absolute().parent))
        for one in settings:
            for path, text in one.files.items():
                _replace(path, text)
    except (SecretError, _SettingsError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename} cannot be written: {error.strerror}")
    if not settings:
        _fail("No account logs in as an appservice or a component: there is nothing to tell the servers.")
    typer.echo("\n\n".join(one.steps for one in settings))


def _settings(config: Config, wanted: str | None, directory: Path) -> Iterator[_Settings]:
    for name, account in config.accounts.items():
        if wanted not in {None, name}:
            continue
        match account:
            case MatrixAccount(login=AppserviceLogin() as login):
                yield _appservice(name, account, login, directory)
            case XmppAccount(login=ComponentLogin() as login):
                yield _component(name, account, login, directory)
            case _:
                pass


def _appservice(name: str, account: MatrixAccount, login: AppserviceLogin, directory: Path) -> _Settings:
    from transports.matrix.registration import registration  # noqa: PLC0415 - nio is slow to load, and few need it

    appservice = login.appservice
    path = directory / f"{name}.registration.yaml"
    localpart, _, server_name = account.user.removeprefix("@").partition(":")
    try:
        told = registration(
            localpart=localpart,
            server_name=server_name,
            as_token=_ensure(appservice.as_token),
            hs_token=_ensure(appservice.hs_token),
        )
    except ValueError as error:
        raise _SettingsError(f"accounts.{name}.user: {error}") from None
    if appservice.id is not None:
        told["id"] = appservice.id
    text = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
    return _Settings({path: text}, APPSERVICE_STEPS.format(name=name, path=path))


def _component(name: str, account: XmppAccount, login: ComponentLogin, directory: Path) -> _Settings:
    prosody, ejabberd = directory / f"{name}.prosody.cfg.lua", directory / f"{name}.ejabberd.yml"
    domain = account.jid.rpartition("@")[2]
    secret = _ensure(login.component.secret)
    if set(secret) & set('"\\'):
        what = "has a quote or a backslash in it, which each server reads in its own way"
        raise _SettingsError(f"accounts.{name}: the component's secret {what}")
    host, port = account.component_server.host, account.component_server.port
    files = {
        prosody: PROSODY.format(domain=domain, secret=secret),
        ejabberd: EJABBERD.format(domain=domain, secret=secret, host=host.strip("[]"), port=port),
    }
    steps = COMPONENT_STEPS.format(name=name, prosody=prosody, ejabberd=ejabberd, host=host, port=port)
    return _Settings(files, steps)


def _ensure(secret: Secret) -> str:
    """Return a secret, made now if it is to be in a file that is not there. Raises `SecretError`, `OSError`."""
    if isinstance(secret, FileSecret):
        with suppress(FileExistsError):
            write_secret(secret.file, new_token())
    return read_secret(secret)


def _replace(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, in one step: a server may be reading it."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    write_secret(draft, text.removesuffix("\n"))
    draft.replace(path)


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(EXIT_FAILED)
