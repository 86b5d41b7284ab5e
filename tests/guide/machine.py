"""The machine of somebody who follows docs/setup.md: real servers, folders, and shells on a terminal.

For the parts of the system that a test cannot have, there are stand-ins: `useradd` makes the folder alone, and
`systemctl` is the test, which starts and stops the real servers, and runs the service as the page's unit says.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import sysconfig
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bridge.servers import Prosody, Synapse, SynapseServer, XmppServer
from bridge.servers.certificates import Authority
from bridge.servers.ports import Port
from tests.bridge.terminal.leading import Terminal
from tests.guide.service import Service, environment
from tests.test_wheel import build

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 120.0

USERADD = """\
#!/bin/sh
[ "$*" = "--system --create-home --home-dir {home} --shell /usr/sbin/nologin mls-bridge" ] && mkdir -p {home}
"""

SYSTEMCTL = """\
#!/bin/sh
echo "$*" > {requests}
exit "$(cat {answers})"
"""

INSTALL = """\
import pathlib, subprocess, sys
environment = pathlib.Path(sys.executable).parent.parent
[packages] = environment.glob("lib/python*/site-packages")
(packages / "dependencies.pth").write_text({dependencies!r})
pip = [{python!r}, "-m", "pip", "--python", sys.executable, "--disable-pip-version-check", "--quiet"]
sys.exit(subprocess.call([*pip, "install", "--no-index", "--no-deps", "--force-reinstall", {wheel!r}]))
"""
"""Installs without a network: what the wheel depends on is in the test's own environment."""


@dataclass
class Machine:
    """The reader's: servers, folders, a shell. The folders of the system are below `folder`."""

    folder: Path
    synapse: SynapseServer
    prosody: XmppServer
    authority: Authority
    health: int
    service: Service | None = None
    asked_of_systemd: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def place(self, path: str) -> Path:
        """Where a place of the reader's machine is."""
        return self.folder / path.removeprefix("/")

    @property
    def names(self) -> list[tuple[str, str]]:
        """What stands in the page, and what stands in its place here, one after the other."""
        return [
            # A shell of the bridge's user, and its end.
            ("sudo -u mls-bridge -H bash\n", f"(\nexport HOME={self.place('/var/lib/mls-bridge')}\n"),
            ("\nexit\n", "\n)\n"),
            ("sudo ", ""),
            ("-g matrix-synapse ", ""),
            ("-g prosody ", ""),
            # This Python, whatever else is called python3 here; and no network.
            ("python3 -m venv", f"{shlex.quote(sys.executable)} -m venv"),
            ("bin/pip install .", f"bin/python {self.folder}/install.py"),
            ("bin/pip install --upgrade .", f"bin/python {self.folder}/install.py"),
            # Folders.
            *((path, str(self.place(path))) for path in ("/etc", "/opt", "/usr/local/bin", "/var/lib")),
            # Addresses.
            ("https://matrix.example.org", self.synapse.url),
            ("http://localhost:8008", self.synapse.url),
            ("127.0.0.1:5347", f"127.0.0.1:{self.prosody.component_port}"),
            ("127.0.0.1:9464", f"127.0.0.1:{self.health}"),
            ("example.org", "localhost"),
            # There is no DNS to say it.
            (
                "--xmpp-jid carol@localhost",
                f"--xmpp-jid carol@localhost --xmpp-server 127.0.0.1:{self.prosody.c2s_port}",
            ),
        ]

    def read(self, text: str) -> str:
        """Put this machine's names into a text of the page."""
        for theirs, ours in self.names:
            # A folder is one where a path begins, and so not where it has been replaced already.
            pattern = rf"(?<![\w.]){theirs}\b" if theirs.startswith("/") else re.escape(theirs)
            text = re.sub(pattern, ours.replace("\\", r"\\"), text)
        return text

    @contextlib.contextmanager
    def shell(self, commands: str) -> Iterator[Shell]:
        """Run commands of the page in a shell on a terminal; each must succeed."""
        person, program = pty.openpty()
        fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 180, 0, 0))
        script = f"set -e\ncd {shlex.quote(str(ROOT))}\n{self.read(commands)}"
        home = self.place("/home/reader")
        variables = {
            **environment(),
            "HOME": str(home),
            "PATH": f"{self.folder}/stand-ins:{self.place('/usr/local/bin')}:{os.environ['PATH']}",
            "SSL_CERT_FILE": str(self.authority.certificate),
            "TERM": "xterm",
        }
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "bash", "-c", script],  # noqa: S607 - the system's
            env=variables,
            stdin=program,
            stdout=program,
            stderr=program,
        )
        os.close(program)
        terminal = Terminal(person, 180, 200)
        try:
            yield Shell(process, terminal)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(os.tcgetpgrp(person), signal.SIGKILL)
                process.kill()
            process.wait()
            terminal.join()
            os.close(person)

    def do(self, commands: str) -> str:
        """Run commands of the page that ask nothing; return what stood on the terminal."""
        with self.shell(commands) as shell:
            try:
                return shell.end()
            except AssertionError:
                if self.failures:
                    raise self.failures[0] from None
                raise

    def serve(self) -> None:
        """Be systemd, for as long as the stand-in of its command asks."""
        while request := (self.folder / "requests").read_text(encoding="utf-8").strip():
            self.asked_of_systemd.append(request)
            try:
                self._systemctl(request)
            except BaseException as error:  # noqa: BLE001 - told by the command, and raised by the test
                self.failures.append(error)
            (self.folder / "answers").write_text("1" if self.failures else "0", encoding="utf-8")

    def _systemctl(self, request: str) -> None:
        match request.split():
            case ["restart", "matrix-synapse"]:
                self.synapse.restart()
            case ["restart", "prosody"]:
                self.prosody.restart()
            case ["daemon-reload"]:
                pass
            case ["enable", "--now", "mls-bridge"] | ["start", "mls-bridge"]:
                assert self.service is None
                self.service = Service.start(self.place("/etc/systemd/system/mls-bridge.service"), self.folder)
            case ["disable", "--now", "mls-bridge"] | ["stop", "mls-bridge"]:
                assert self.service is not None
                self.service.stop()
                self.service = None
            case _:
                raise AssertionError(f"nobody knows how to do this: systemctl {request}")


@dataclass
class Shell:
    """Commands at work."""

    process: subprocess.Popen[bytes]
    terminal: Terminal

    def end(self) -> str:
        """Wait for their end, which must be a good one."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        text = self.terminal.text().rstrip()
        assert code == 0, f"{code}: {text}"
        return text

    def expect(self, *texts: str) -> str:
        """Wait until all of this stands on the terminal."""
        for _ in range(3):
            with contextlib.suppress(AssertionError):
                return "\n".join(self.terminal.expect(*texts))
            assert self.process.poll() is None, self.terminal.text()
        return "\n".join(self.terminal.expect(*texts))

    def type(self, line: str) -> None:
        self.terminal.type(line + "\r")


@contextlib.contextmanager
def furnished(folder: Path, synapse_installation: Synapse, prosody_installation: Prosody) -> Iterator[Machine]:
    """Start the servers, and be the system until the end. The folder's name must be short: sockets are in it."""
    for path in (
        "etc/matrix-synapse",
        "etc/prosody/conf.d",
        "etc/systemd/system",
        "home/reader",
        "opt",
        "stand-ins",
        "usr/local/bin",
        "var/lib",
    ):
        (folder / path).mkdir(parents=True)
    for fifo in ("requests", "answers"):
        os.mkfifo(folder / fifo)
    stand_ins = {
        "useradd": USERADD.format(home=folder / "var/lib/mls-bridge"),
        "systemctl": SYSTEMCTL.format(requests=folder / "requests", answers=folder / "answers"),
    }
    for name, text in stand_ins.items():
        script = folder / "stand-ins" / name
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
    wheel = build("wheel", ROOT, folder)
    dependencies = sysconfig.get_path("purelib") + "\n"
    install = INSTALL.format(dependencies=dependencies, python=sys.executable, wheel=str(wheel))
    (folder / "install.py").write_text(install, encoding="utf-8")
    authority, health = Authority(folder / "authority"), Port()
    with (
        synapse_installation.start(folder / "synapse") as synapse,
        prosody_installation.start(
            folder / "prosody", components={"other.localhost": "another's"}, tls=authority.issue("localhost")
        ) as prosody,
    ):
        machine = Machine(folder, synapse, prosody, authority, int(health))
        # Debian's configuration of Prosody ends like this.
        with (folder / "prosody" / "prosody.cfg.lua").open("a", encoding="utf-8") as settings:
            settings.write(f'\nInclude "{machine.place("/etc/prosody/conf.d/*.cfg.lua")}"\n')
        systemd = threading.Thread(target=machine.serve)
        systemd.start()
        try:
            yield machine
        finally:
            (folder / "requests").write_text("\n", encoding="utf-8")
            systemd.join()
            if machine.service is not None:
                machine.service.kill()
            health.release()
