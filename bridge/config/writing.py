"""A new configuration from a few answers: commented, and with nothing in it that need not be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

__all__ = ["Answers", "MatrixAnswers", "XmppAnswers", "render"]

HEADER = """\
# Configuration of mls-bridge. config.example.yaml, which comes with the program, has every key.
# Files are seen from the directory of this one. A secret never stands in here: it is {file: NAME}, {env: NAME} or
# {keyring: {service: NAME, user: NAME}}.
"""

STORE = """
store:
  path: {database}
  key: {{file: {key}}}  # without this file the database is of no use: keep a copy, apart from it
  history: false  # true: a member keeps the text of messages, encrypted
"""

APPSERVICE = """\
    login:  # an application service: no rate limit; `mls-bridge registration` makes the tokens
      appservice:
        as_token: {{file: {account}.as_token}}
        hs_token: {{file: {account}.hs_token}}
"""

COMPONENT = """\
    login:  # a component (XEP-0114): no traffic shaper; `mls-bridge registration` makes the secret
      component:
        secret: {{file: {account}.secret}}
"""

PLAIN = """\
    login:
      {login}: {{file: {account}.{login}}}
"""

MEMBER = """\
    member:  # this process holds keys, and can read the room
      account: {account}
      create: false  # true: it founds the room's group, if nobody has yet; else it asks to be let in
      add: own-network  # whom it adds when they ask: own-network, ask (a person decides each time), nobody
"""

UNSIGNED = """\
    sequencer: false  # the bridge signs the order of the handshakes; true: this process does. One of a group's does
"""

GROUP = """\
    group: {group}  # the room's group: the sequencer seals no other, a member founds or joins no other
"""

FOOTER = """
health:
  listen: 127.0.0.1:9464  # /live, /ready, /metrics; null: nowhere

log:
  level: info   # debug, info, warning, error
  format: auto  # console to a terminal, else json
"""


@dataclass(frozen=True, slots=True)
class MatrixAnswers:
    """The Matrix side."""

    homeserver: str
    user: str
    login: Literal["password", "access_token", "appservice"]
    room: str
    account: str = "hs"


@dataclass(frozen=True, slots=True)
class XmppAnswers:
    """The XMPP side."""

    jid: str
    login: Literal["password", "component"]
    room: str
    server: tuple[str, int] | None = None
    """Host and port; `None`: what DNS says, or for a component its usual port on this machine."""
    account: str = "muc"


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody who sets up the program was asked."""

    name: str
    """The room's name in the configuration."""
    matrix: MatrixAnswers | None
    xmpp: XmppAnswers | None
    home: str
    """The account of the home room."""
    sequencer: bool
    member: str | None
    """The account that is a member, if any."""
    database: str
    key: str
    group: str | None = None
    """The id of the room's group, if it is to be no other."""


def render(answers: Answers) -> str:
    """Return the text of the file."""
    sides = [side for side in (answers.matrix, answers.xmpp) if side is not None]
    parts = [HEADER, STORE.format(database=_quoted(answers.database), key=_quoted(answers.key)), "\naccounts:\n"]
    if answers.matrix is not None:
        parts.append(_matrix(answers.matrix))
    if answers.xmpp is not None:
        parts.append(_xmpp(answers.xmpp))
    parts.append(f"\nrooms:\n  {answers.name}:\n    sides:\n")
    parts += [f"      - {{account: {side.account}, room: {_quoted(side.room)}}}\n" for side in sides]
    if len(sides) > 1:
        parts.append(f"    home: {answers.home}  # in whose room the order is made\n")
        parts.append("    relay: true  # copies envelopes between the sides; it can read none of them\n")
    if answers.sequencer:
        parts.append("    sequencer: true  # signs the order of the handshakes; one process for each group does\n")
    else:
        parts.append(UNSIGNED)
    if answers.group is not None:
        parts.append(GROUP.format(group=_quoted(answers.group)))
    if answers.member is not None:
        parts.append(MEMBER.format(account=answers.member))
    parts.append(FOOTER)
    return "".join(parts)


def _matrix(side: MatrixAnswers) -> str:
    login = APPSERVICE if side.login == "appservice" else PLAIN
    return (
        f"  {side.account}:\n    network: matrix\n    homeserver: {_quoted(side.homeserver)}\n"
        f"    user: {_quoted(side.user)}\n{login.format(account=side.account, login=side.login)}"
    )


def _xmpp(side: XmppAnswers) -> str:
    login = COMPONENT if side.login == "component" else PLAIN
    host, port = side.server or (("127.0.0.1", 5347) if side.login == "component" else ("", 0))
    server = f"    server: {{host: {_quoted(host)}, port: {port}}}\n" if host else ""
    return (
        f"  {side.account}:\n    network: xmpp\n    jid: {_quoted(side.jid)}\n"
        f"{login.format(account=side.account, login=side.login)}{server}"
    )


def _quoted(text: str) -> str:
    """Return a text as YAML reads it: a string in JSON is one in YAML, as long as all of it is printable."""
    return json.dumps(text, ensure_ascii=False)
