"""docs/setup.md, followed to the letter on real servers: from the installation to a message across, and back.

Every command of the page runs, in the page's order, in a shell on a terminal. What stands for the reader's own names is
replaced by what `Machine.names` says; for the parts of the system that a test cannot have, there are stand-ins:
`useradd` makes the folder alone, and `systemctl` is the test, which starts and stops the real servers, and runs the
service as the page's unit says.
"""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import fcntl
import os
import pty
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from bridge.servers import Ejabberd, Prosody, Synapse, SynapseServer, XmppServer
from bridge.servers.certificates import Authority
from bridge.servers.ports import Port
from tests.bridge.terminal.leading import Terminal
from tests.bridge.test_cli import run as run_program
from tests.servers.matrix import log_in
from tests.test_examples import EncryptedScene
from tests.test_wheel import build
from transports.xmpp import ComponentLogin, XmppTransport

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
PASSWORD = "correct horse battery staple"
PATIENCE = 120.0

Block = tuple[str, str]
"""A block of the page: its language, and what stands in it."""


def blocks() -> list[Block]:
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", GUIDE, re.DOTALL | re.MULTILINE)
    return [(language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)) for indent, language, text in found]


# --- A machine --------------------------------------------------------------------------------------------------------

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
class Service:
    """What systemd makes of the page's unit: the process, and its word that it is ready."""

    unit: configparser.ConfigParser
    process: subprocess.Popen[bytes]
    manager: socket.socket
    journal: Path

    @classmethod
    def start(cls, unit: Path, folder: Path) -> Service:
        settings = configparser.ConfigParser(strict=False, interpolation=None)
        settings.optionxform = str  # type: ignore[assignment,method-assign]
        settings.read(unit, encoding="utf-8")
        service = settings["Service"]
        assert service["Type"] == "notify"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.settimeout(1)
        address = folder / "notify"
        address.unlink(missing_ok=True)
        manager.bind(str(address))
        log = folder / "journal"
        with log.open("ab") as journal:
            process = subprocess.Popen(
                shlex.split(service["ExecStart"]),
                cwd=service["WorkingDirectory"],
                env={**_environment(), "NOTIFY_SOCKET": str(address)},
                umask=int(service["UMask"], 8),
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
            )
        started = cls(settings, process, manager, log)
        try:
            started.require("READY=1", 60)
        except BaseException:
            started.kill()
            raise
        return started

    def require(self, word: str, seconds: int) -> None:
        """Wait until the service says this."""
        for _ in range(seconds):
            assert self.process.poll() is None, self.journal.read_text(encoding="utf-8")
            with contextlib.suppress(TimeoutError):
                assert self.manager.recv(100).decode() == word
                return
        raise AssertionError(f"no {word} in {seconds} s: {self.journal.read_text(encoding='utf-8')}")

    def stop(self) -> None:
        self.process.terminate()
        self.require("STOPPING=1", 10)
        assert self.process.wait(int(self.unit["Service"]["TimeoutStopSec"])) == 0
        self.manager.close()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.manager.close()


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
        environment = {
            **_environment(),
            "HOME": str(home),
            "PATH": f"{self.folder}/stand-ins:{self.place('/usr/local/bin')}:{os.environ['PATH']}",
            "SSL_CERT_FILE": str(self.authority.certificate),
            "TERM": "xterm",
        }
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "bash", "-c", script],  # noqa: S607 - the system's
            env=environment,
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


def _environment() -> dict[str, str]:
    unwanted = {"PYTHONPATH", "VIRTUAL_ENV", "MLS_BRIDGE_CONFIG"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


@pytest.fixture
def machine(
    tmp_path_factory: pytest.TempPathFactory, synapse_installation: Synapse, prosody_installation: Prosody
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("guide")  # a short name: sockets have room for no more than 107 characters
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


# --- The page ---------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(400)
def test_guide_leads_from_nothing_to_a_message_across_and_back(machine: Machine) -> None:
    page = iter(blocks())

    def commands(first: str) -> str:
        """Return the next block, which must be commands that begin like this."""
        language, text = next(page)
        assert language == "sh"
        assert text.startswith(first), text
        return text

    # The servers are there: this is what Prosody must have.
    language, rooms = next(page)
    assert language == "lua"
    running = (machine.folder / "prosody" / "prosody.cfg.lua").read_text(encoding="utf-8")
    for line in machine.read(rooms).splitlines():
        assert line.strip() in running

    # 1. Install.
    assert "mls-bridge 0." in machine.do(commands("sudo useradd"))
    home = machine.place("/var/lib/mls-bridge")
    assert home.stat().st_mode & 0o777 == 0o700

    # 2. Configure.
    machine.do(commands("sudo -u mls-bridge -H bash\ncd\nmls-bridge init"))
    assert {path.name for path in home.iterdir()} >= {"mls-bridge.yaml", "hs.registration.yaml", "muc.prosody.cfg.lua"}
    # The port of the page is not everybody's.
    config = home / "mls-bridge.yaml"
    config.write_text(machine.read(config.read_text(encoding="utf-8")), encoding="utf-8")

    # 3. Tell the servers.
    machine.do(commands("sudo install"))
    language, registration = next(page)
    assert language == "yaml"
    tell_synapse(machine, machine.read(registration))
    machine.do(commands("sudo systemctl restart matrix-synapse"))
    machine.do(commands("sudo install"))
    assert machine.asked_of_systemd == ["restart matrix-synapse", "restart prosody"]

    # 4. Prepare the rooms.
    language, invitation = next(page)
    assert (language, invitation) == ("text", "/invite @bridge:example.org\n")
    prepare_rooms(machine)

    # 5. Check.
    checked = machine.do(commands("sudo -u mls-bridge -H bash\ncd\nmls-bridge check"))
    assert "0 to be changed" in checked

    # 6. Run.
    language, unit = next(page)
    assert language == "ini"
    machine.place("/etc/systemd/system/mls-bridge.service").write_text(machine.read(unit), encoding="utf-8")
    status = machine.do(commands("sudo systemctl daemon-reload"))
    assert "tea" in status
    told = machine.do(commands("curl"))
    assert "mls_bridge_outbox_rows" in told
    assert "mls_bridge_outbox_rows" in GUIDE
    language, prometheus = next(page)
    assert language == "yaml"
    [job] = yaml.safe_load(machine.read(prometheus))["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{machine.health}"]}]

    # 7. People.
    machine.do(commands("python3 -m venv ~/mls-bridge"))
    with (
        machine.shell(commands("mkdir -m 700 ~/alice")) as alice,
        machine.shell(commands("mkdir -m 700 ~/carol")) as carol,
    ):
        for person, account in ((alice, "@alice:localhost"), (carol, "carol@localhost")):
            person.expect(f"The password of {account}")
            person.type(PASSWORD)
        lines = [next(page) for _ in range(4)]
        assert {language for language, _ in lines} == {"text"}
        talk(alice, carol, [machine.read(text).strip() for _, text in lines])
        for person in (alice, carol):
            person.type("/quit")
            person.end()

    # Keep it.
    machine.do(commands("sudo systemctl stop mls-bridge"))
    assert machine.service is not None
    machine.do(commands("sudo systemctl disable --now mls-bridge"))
    assert machine.failures == []
    left = [path for path in (machine.folder / "etc").rglob("*") if not path.is_dir()]
    assert left == []
    assert not any(machine.place(path).exists() for path in ("/opt/mls-bridge", "/var/lib/mls-bridge"))
    assert next(page, None) is None


def tell_synapse(machine: Machine, setting: str) -> None:
    """Write it into homeserver.yaml, as the page says."""
    path = machine.folder / "synapse" / "homeserver.yaml"
    text = path.read_text(encoding="utf-8")
    assert "app_service_config_files: []\n" in text
    path.write_text(text.replace("app_service_config_files: []\n", setting), encoding="utf-8")


def prepare_rooms(machine: Machine) -> None:
    """What the page tells people to do in their clients: two rooms, with the bridge and the two people in them."""
    alice = machine.synapse.register("alice", PASSWORD)
    client = log_in(machine.synapse, alice, PASSWORD)
    client.create_room(preset="private_chat", room_alias_name="tea", invite=["@bridge:localhost"])
    asyncio.run(prepare_muc(machine))


async def prepare_muc(machine: Machine) -> None:
    async with Named(machine.prosody, machine.authority) as scene:
        await scene.register("carol")
        assert await scene.room("tea", ["bridge.localhost", "carol"]) == "tea@conference.localhost"


class Named(EncryptedScene):
    """Accounts and rooms called as the page calls them."""

    def jid(self, name: str) -> str:
        return f"{name}@{self.server.domain}"

    def room_jid(self, name: str) -> str:
        return f"{name}@{self.server.muc_domain}"


def talk(alice: Shell, carol: Shell, lines: list[str]) -> None:
    """Compare the number, and talk, in the words of the page."""
    verify, verify_too, confirm, question = lines
    alice.expect("carol", "asks to be let in")
    alice.type(verify)
    carol.type(verify_too)
    numbers = [digits(person.expect("Compare these digits", "/confirm")) for person in (alice, carol)]
    assert numbers[0] == numbers[1]
    alice.type(confirm)
    carol.expect("You are in: 2 members")
    alice.type(question)
    carol.expect(f": {question}")
    carol.type("Gladly")
    alice.expect(": Gladly")


def digits(screen: str) -> str:
    """Return the 60 digits that stand on a terminal."""
    found = re.findall(r"\b[0-9]{5}\b", screen.rpartition("Compare these digits")[2].partition("/confirm")[0])
    assert len(found) == 12, screen
    return "".join(found)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    [unit] = [text for language, text in blocks() if language == "ini"]
    path = tmp_path / "mls-bridge.service"
    path.write_text(unit.replace("/opt/mls-bridge/bin/mls-bridge", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)],  # noqa: S607 - the system's
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    complaints = [line for line in done.stderr.splitlines() if path.name in line]
    assert complaints == []


# --- ejabberd ---------------------------------------------------------------------------------------------------------

COMPONENT = """\
store: {{path: x.db, key: {{file: x.key}}}}
accounts:
  muc:
    network: xmpp
    jid: bridge.localhost
    login: {{component: {{secret: {{file: muc.secret}}}}}}
    server: {{host: 127.0.0.1, port: {port}}}
"""


@pytest.mark.timeout(120)
def test_ejabberd_takes_the_settings_that_registration_writes(
    tmp_path: Path, ejabberd_installation: Ejabberd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    port = Port()
    (tmp_path / "mls-bridge.yaml").write_text(COMPONENT.format(port=int(port)), encoding="utf-8")
    assert run_program(monkeypatch, "registration") == 0
    authority = Authority(tmp_path / "authority")
    try:
        with ejabberd_installation.start(tmp_path / "ejabberd", tls=authority.issue("localhost")) as server:
            path = tmp_path / "ejabberd" / "ejabberd.yml"
            settings = yaml.safe_load(path.read_text(encoding="utf-8"))
            listeners = "".join(
                "  -\n" + "".join(f"    {line}\n" for line in yaml.safe_dump(listener).splitlines())
                for listener in settings.pop("listen")
            )
            ours = (tmp_path / "muc.ejabberd.yml").read_text(encoding="utf-8")
            path.write_text(f"{yaml.safe_dump(settings)}listen:\n{ours}{listeners}", encoding="utf-8")
            server.restart()
            secret = (tmp_path / "muc.secret").read_text(encoding="utf-8").strip()
            asyncio.run(
                enter_as_component(server, authority, ComponentLogin("bridge.localhost", secret, port=int(port)))
            )
    finally:
        port.release()


async def enter_as_component(server: XmppServer, authority: Authority, login: ComponentLogin) -> None:
    async with Named(server, authority) as scene:
        room = await scene.room("tea", ["bridge.localhost"])
        transport = XmppTransport(login)
        try:
            await transport.start()
            joined = await transport.join(room)
            assert "xmpp:bridge.localhost" in {member.account for member in await transport.members(joined.address)}
        finally:
            await transport.close()
