"""On what was measured: the machine, and the servers' versions."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING

from tests.benchmarks.peers import machine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.servers.stage import Servers

__all__ = ["describe"]

_SECONDS = 10
_OF_THE_MACHINE = ("processor", "cores", "system", "Python")


def describe(servers: Servers) -> dict[str, str]:
    """Return what can be told of the machine and its servers, for people. Blocks for a moment."""
    told = machine.describe()
    found = {"Synapse": _synapse(servers.synapse.url), "Prosody": _prosody(servers.prosody.log)}
    return {**found, **{name: told[name] for name in _OF_THE_MACHINE}}


def _synapse(url: str) -> str:
    with urllib.request.urlopen(f"{url}/_synapse/admin/v1/server_version", timeout=_SECONDS) as answer:  # noqa: S310 - ours
        return str(json.load(answer)["server_version"])


def _prosody(log: Path) -> str:
    """Return the version that Prosody has written into its log when it started."""
    found = re.search(r"Prosody version (\S+)", log.read_text(encoding="utf-8", errors="replace"))
    return "unknown" if found is None else found[1]
