"""A configuration that is right, and variations of it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from bridge.config import ConfigError, load
from bridge.config.models import Config

__all__ = ["GOOD", "problems", "written"]

GOOD = dedent("""\
    store:
      path: mls-bridge.db
      key: {file: mls-bridge.key}
    accounts:
      hs:
        network: matrix
        homeserver: https://matrix.tea.party
        user: "@bridge:tea.party"
        login: {password: {env: PASSWORD}}
      muc:
        network: xmpp
        jid: bridge@tea.party
        login: {password: {file: muc.password}}
    rooms:
      tea:
        sides:
          - {account: hs, room: "#tea:tea.party"}
          - {account: muc, room: tea@muc.tea.party}
        home: hs
        relay: true
    """)


def written(directory: Path, text: str) -> Config:
    """The configuration with this text."""
    path = directory / "bridge.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def problems(directory: Path, text: str) -> list[str]:
    """What is wrong with this text, without the file's name."""
    with pytest.raises(ConfigError) as raised:
        written(directory, text)
    lines = str(raised.value).splitlines()
    prefix = f"{directory / 'bridge.yaml'}: "
    assert all(line.startswith(prefix) for line in lines)
    assert len(lines) == len(raised.value.problems)
    return [line.removeprefix(prefix) for line in lines]
