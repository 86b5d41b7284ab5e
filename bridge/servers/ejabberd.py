"""ejabberd, an XMPP server: the one that Debian's package has installed, or one unpacked from that package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from bridge.servers.cache import Say, silent
from bridge.servers.debian import find_libraries, unpack
from bridge.servers.ejabberd_settings import configuration
from bridge.servers.errors import ServerRefusedError, ServerUnavailableError
from bridge.servers.requests import answers, request
from bridge.servers.server import require_platform
from bridge.servers.xmpp import XmppServer, XmppSettings, XmppSoftware

__all__ = ["Ejabberd", "EjabberdServer"]

INSTEAD = "tests against ejabberd run on Debian and Ubuntu, where they use the package 'ejabberd'"

PACKAGES = ["ejabberd", "erlang-p1-sqlite3"]
"""The second one is what it keeps its data with; its own package only suggests it."""


@dataclass(frozen=True)
class Ejabberd(XmppSoftware):
    """An installed ejabberd, with the Erlang it runs on."""

    root: Path
    """What stands for `/`: the folder that the packages were unpacked to."""
    runtime: Path
    """Erlang's own programs."""

    @classmethod
    def install(cls, say: Say = silent) -> Self:
        """Find it on this machine, or unpack it into the user's cache. Raises `ServerError`."""
        require_platform("ejabberd", instead=INSTEAD)
        installed = cls._below(Path("/"))
        if installed is not None:
            return installed
        root = unpack("ejabberd", PACKAGES, family="ejabberd|erlang", instead=INSTEAD, say=say)
        unpacked = cls._below(root)
        if unpacked is None:
            raise ServerUnavailableError(f"Debian's package of ejabberd is not laid out as expected: see {root}")
        return unpacked

    @classmethod
    def _below(cls, root: Path) -> Self | None:
        """Return the ejabberd whose packages were unpacked to `root`, if there is one."""
        erlang = root / "usr" / "lib" / "erlang"
        runtimes, databases = sorted(erlang.glob("erts-*/bin")), list(erlang.glob("lib/p1_sqlite3-*"))
        programs = [
            path for libraries in find_libraries(root) for path in libraries.glob("ejabberd-*/ebin/ejabberd.app")
        ]
        return cls(root, runtimes[-1]) if runtimes and databases and programs else None

    def _server(self, folder: Path, settings: XmppSettings) -> EjabberdServer:
        return EjabberdServer(self, folder, settings)


class EjabberdServer(XmppServer):
    """A running ejabberd."""

    software = "ejabberd"

    def __init__(self, installed: Ejabberd, folder: Path, settings: XmppSettings) -> None:
        super().__init__(folder, settings)
        self._installed = installed
        self._api_port = self._reserve_port()
        self._configuration = self.folder / "ejabberd.yml"
        self._configuration.touch(mode=0o600)
        ports = (self.c2s_port, self.component_port, self.direct_tls_port, self._api_port)
        content = configuration(settings, *ports, self.data)
        self._configuration.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def register(self, user: str, password: str) -> str:
        body = {"user": user, "host": self.domain, "password": password}
        status, answer = request(self._api_port, "POST", "/api/register", body)
        if status != 200:
            raise ServerRefusedError(f"ejabberd does not make the account '{user}' ({status}): {answer}")
        return f"{user}@{self.domain}"

    def _command(self) -> list[str]:
        # The folder is an Erlang expression: a string. Without a node name, no daemon that knows all nodes is started.
        erlang = [str(self._installed.runtime / "erlexec"), "-noinput", "-noshell"]
        return [*erlang, "-mnesia", "dir", f'"{self.data}"', "-s", "ejabberd"]

    def _environment(self) -> dict[str, str]:
        libraries = os.pathsep.join(map(str, find_libraries(self._installed.root)))
        environment = {
            "ROOTDIR": str(self._installed.runtime.parents[1]),
            "BINDIR": str(self._installed.runtime),
            "EMU": "beam",
            "PROGNAME": "erl",
            "HOME": str(self.folder),
            "ERL_LIBS": libraries,
            "ERL_CRASH_DUMP_BYTES": "0",
            "EJABBERD_CONFIG_PATH": str(self._configuration),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),  # again, in more detail
        }
        if self._installed.root != Path("/"):
            environment["LD_LIBRARY_PATH"] = libraries
        return environment

    def _is_ready(self) -> bool:
        # It listens on all ports early, and accepts connections on all of them only when it has started.
        return answers(self._api_port, "/")
