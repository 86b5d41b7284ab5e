"""Synapse, a Matrix homeserver: installed from its Python wheel, in an environment of its own."""

from __future__ import annotations

import hashlib
import hmac
import platform
import secrets
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from bridge.servers.cache import Say, find_or_install, silent
from bridge.servers.certificates import Authority
from bridge.servers.errors import ServerRefusedError, ServerUnavailableError
from bridge.servers.installing import run
from bridge.servers.requests import answers, request
from bridge.servers.server import Server
from bridge.servers.synapse_settings import Federation, log_settings, settings, signing_key

__all__ = ["Synapse", "SynapseServer"]

LOCK = Path(__file__).with_name("synapse.lock")

INSTEAD = "its Python packages are made for Linux on x86-64 and ARM; run this on such a machine or in a container"


@dataclass(frozen=True)
class Synapse:
    """An installed Synapse."""

    python: Path
    """The interpreter of its environment."""

    @classmethod
    def install(cls, say: Say = silent) -> Self:
        """Find it in the user's cache, or install it there. Raises `ServerError`."""
        if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
            raise ServerUnavailableError(f"Synapse cannot be installed here: {INSTEAD}")

        def install(place: Path) -> None:
            _install(place, say)

        # An environment is tied to the interpreter that it was made with.
        interpreter = f"{sys.implementation.cache_tag} {sys.base_prefix} {platform.machine()}"
        key = hashlib.sha256(LOCK.read_bytes() + interpreter.encode()).hexdigest()[:16]
        return cls(find_or_install("Synapse", key, install, say) / "bin" / "python")

    def start(
        self,
        folder: Path,
        *,
        name: str = "localhost",
        rate_limits: bool = False,
        appservices: Sequence[Path] = (),
    ) -> SynapseServer:
        """Return a running server that federates with nobody. Raises `ServerStartError`.

        `rate_limits`: Synapse's own, or none. `appservices`: registration files.
        """
        server = SynapseServer(self, folder, name, rate_limits=rate_limits, appservices=appservices)
        server.open()
        return server

    @contextmanager
    def start_pair(self, folder: Path, *, rate_limits: bool = False) -> Iterator[tuple[SynapseServer, SynapseServer]]:
        """Run two servers that federate with each other, certificates verified; stop both at the end of the block."""
        authority = Authority(folder / "certificates")
        with ExitStack() as stack, ThreadPoolExecutor() as threads:
            first, second = (
                stack.enter_context(
                    SynapseServer(self, folder / name, "localhost", rate_limits=rate_limits, authority=authority)
                )
                for name in ("first", "second")
            )
            list(threads.map(SynapseServer.open, (first, second)))
            yield first, second


class SynapseServer(Server):
    """A running Synapse, with SQLite."""

    software = "Synapse"

    def __init__(
        self,
        installed: Synapse,
        folder: Path,
        name: str,
        *,
        rate_limits: bool,
        appservices: Sequence[Path] = (),
        authority: Authority | None = None,
    ) -> None:
        super().__init__(folder, name)
        self._python = installed.python
        self._registration_secret = secrets.token_urlsafe(32)
        self.port = self._reserve_port()
        self.url = f"http://{self.host}:{self.port}"
        """For clients. Without TLS, as it is the loopback."""
        federation = None
        if authority is not None:
            port = self._reserve_port()
            # With the port in the name, no server looks for a well-known file or an SRV record.
            self.name = f"{name}:{port}"
            federation = Federation(port, authority.issue(name), authority.certificate)
        self._configuration = self.folder / "homeserver.yaml"
        content = settings(
            name=self.name,
            url=self.url,
            port=self.port,
            data=self.data,
            registration_secret=self._registration_secret,
            rate_limits=rate_limits,
            appservices=[str(path.absolute()) for path in appservices],
            federation=federation,
        )
        self._write("signing.key", signing_key(secrets.token_bytes(32)))
        self._write("log.yaml", yaml.safe_dump(log_settings()))
        self._write(self._configuration.name, yaml.safe_dump(content, sort_keys=False))

    def register(self, user: str, password: str) -> str:
        """Make an account and return its id. Raises `ServerError`."""
        path = "/_synapse/admin/v1/register"
        _, nonce = request(self.port, "GET", path)
        if not isinstance(nonce, dict):
            raise ServerRefusedError(f"Synapse answers {nonce!r} instead of a nonce")
        code = hmac.new(self._registration_secret.encode(), digestmod=hashlib.sha1)
        code.update("\0".join([nonce["nonce"], user, password, "notadmin"]).encode())
        body = {
            "nonce": nonce["nonce"],
            "username": user,
            "password": password,
            "admin": False,
            "mac": code.hexdigest(),
            "inhibit_login": True,
        }
        status, answer = request(self.port, "POST", path, body)
        if status != 200 or not isinstance(answer, dict):
            raise ServerRefusedError(f"Synapse does not make the account '{user}' ({status}): {answer}")
        return str(answer["user_id"])

    def _command(self) -> list[str]:
        return [str(self._python), "-I", "-m", "synapse.app.homeserver", "--config-path", str(self._configuration)]

    def _is_ready(self) -> bool:
        return answers(self.port, "/_matrix/client/versions")

    def _write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(content, encoding="utf-8")


def _install(place: Path, say: Say) -> None:
    """Make the environment, with exactly what the lock names."""
    total = sum(1 for line in LOCK.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())
    say(f"Synapse: installing {total} Python packages, the first time only (about half a minute)")
    try:
        venv.create(place, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerUnavailableError(
            f"cannot make a virtual environment for Synapse: {error}. On Debian and Ubuntu, install python3-venv."
        ) from error
    seen = 0

    def see(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            if seen % 10 == 0:
                say(f"Synapse: {seen} of {total} packages")
        elif line.startswith("Installing collected packages"):
            say("Synapse: all packages are here; unpacking")

    options = [
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--no-compile",
        "--no-input",
        "--disable-pip-version-check",
    ]
    python = str(place / "bin" / "python")
    run(
        [python, "-I", "-m", "pip", "install", *options, "--requirement", str(LOCK)],
        purpose="install Synapse",
        see=see,
        hint="It comes from the Python package index: is there a network?",
    )
    # Compiles what a server imports. All of it would take pip 15 s more.
    run([python, "-I", "-c", "import synapse.app.homeserver"], purpose="run Synapse")
