"""Prosody, an XMPP server: the installed one, or one unpacked from Debian's packages."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bridge.servers.cache import Say, silent
from bridge.servers.debian import find_libraries, unpack
from bridge.servers.errors import ServerRefusedError, ServerUnavailableError
from bridge.servers.prosody_settings import configuration
from bridge.servers.server import accepts_connections, require_platform
from bridge.servers.xmpp import XmppServer, XmppSettings, XmppSoftware

__all__ = ["Prosody", "ProsodyServer"]

INSTEAD = (
    "install the package 'prosody' (Fedora: dnf install prosody; Arch: pacman -S prosody; macOS: brew install prosody)"
)

PATH = re.compile(r"^CFG_(SOURCEDIR|CONFIGDIR|PLUGINDIR|DATADIR) *= *['\"](.*)['\"];?$", re.MULTILINE)


@dataclass(frozen=True)
class Prosody(XmppSoftware):
    """An installed Prosody."""

    server: tuple[str, ...]
    """The command that runs it."""
    control: tuple[str, ...]
    """The command that makes accounts."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def install(cls, say: Say = silent) -> Self:
        """Find it on this machine, or unpack it into the user's cache. Raises `ServerError`."""
        require_platform("Prosody", instead="use Linux, macOS, or the Windows Subsystem for Linux")
        server, control = shutil.which("prosody"), shutil.which("prosodyctl")
        if server is not None and control is not None:
            return cls((server,), (control,))
        return cls._from_packages(unpack("Prosody", ["prosody"], family=r"prosody$|lua", instead=INSTEAD, say=say))

    @classmethod
    def _from_packages(cls, root: Path) -> Self:
        """Return one that runs where its packages were unpacked."""
        moved = {name: _move(root / "usr" / "bin" / name, root) for name in ("prosody", "prosodyctl")}
        interpreter = _interpreter(moved["prosody"])
        lua = root / "usr" / "bin" / interpreter
        if not lua.exists():
            raise ServerUnavailableError(f"Debian's package of Prosody runs on {interpreter}, which is not in {root}")
        version = interpreter.removeprefix("lua")
        shared, libraries = root / "usr" / "share" / "lua" / version, find_libraries(root)
        environment = {
            "LUA_PATH": f"{shared}/?.lua;{shared}/?/init.lua;;",
            "LUA_CPATH": "".join(f"{path}/lua/{version}/?.so;" for path in libraries) + ";",
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        }
        return cls((str(lua), str(moved["prosody"])), (str(lua), str(moved["prosodyctl"])), environment)

    def _server(self, folder: Path, settings: XmppSettings) -> ProsodyServer:
        return ProsodyServer(self, folder, settings)


class ProsodyServer(XmppServer):
    """A running Prosody."""

    software = "Prosody"

    def __init__(self, installed: Prosody, folder: Path, settings: XmppSettings) -> None:
        super().__init__(folder, settings)
        self._installed = installed
        self._configuration = self.folder / "prosody.cfg.lua"
        self._configuration.touch(mode=0o600)
        ports = (self.c2s_port, self.component_port, self.direct_tls_port)
        content = configuration(settings, *ports, data=self.data, log=self.log)
        self._configuration.write_text(content, encoding="utf-8")

    def register(self, user: str, password: str) -> str:
        jid = f"{user}@{self.domain}"
        if not password.isprintable():
            raise ServerRefusedError(
                f"Prosody does not make the account '{user}': its password is not one line of text"
            )
        control = [*self._installed.control, "--config", str(self._configuration)]
        done = subprocess.run(  # noqa: S603 - Prosody's own program
            [*control, "adduser", jid],
            cwd=self.folder,
            env={**os.environ, **self._environment()},
            input=f"{password}\n{password}\n",  # asked for twice; on the command line, everybody could see it
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip().rpartition("\n")[2]
            raise ServerRefusedError(f"Prosody does not make the account '{user}' ({done.returncode}): {said}")
        return jid

    def _command(self) -> list[str]:
        return [*self._installed.server, "--config", str(self._configuration), "-F"]

    def _environment(self) -> dict[str, str]:
        return dict(self._installed.environment)

    def _is_ready(self) -> bool:
        ports = [self.c2s_port, self.component_port if self.components else None, self.direct_tls_port]
        return all(accepts_connections(port) for port in ports if port is not None)


def _move(script: Path, root: Path) -> Path:
    """Return a copy of one of Prosody's programs that looks for its files below `root`."""
    content = PATH.sub(lambda match: f"CFG_{match[1]}='{root}{match[2]}'", script.read_text(encoding="utf-8"))
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    moved = script.with_name(f"{script.name}-{name}.lua")
    if not moved.exists():
        fresh = moved.with_suffix(f".{os.getpid()}")
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(moved)
    return moved


def _interpreter(script: Path) -> str:
    """Return the program that a script names in its first line."""
    with script.open(encoding="utf-8") as lines:
        return lines.readline().split()[-1].rpartition("/")[2]
