"""docs/setup.md, followed to the letter on real servers: from the installation to a message across, and back.

Every command of the page runs, in the page's order, in a shell on a terminal. What stands for the reader's own names is
replaced by what `Machine.names` says.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bridge.servers import Ejabberd, Prosody, Synapse, XmppServer
from bridge.servers.certificates import Authority
from bridge.servers.ports import Port
from tests.bridge.test_cli import run as run_program
from tests.guide.machine import ROOT, Machine, Shell, furnished
from tests.servers.matrix import log_in
from tests.test_examples import EncryptedScene
from transports.xmpp import ComponentLogin, XmppTransport

GUIDE = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
PASSWORD = "correct horse battery staple"

Block = tuple[str, str]
"""A block of the page: its language, and what stands in it."""


def blocks() -> list[Block]:
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", GUIDE, re.DOTALL | re.MULTILINE)
    return [(language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)) for indent, language, text in found]


@pytest.fixture
def machine(
    tmp_path_factory: pytest.TempPathFactory, synapse_installation: Synapse, prosody_installation: Prosody
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("guide")  # a short name: sockets have room for no more than 107 characters
    with furnished(folder, synapse_installation, prosody_installation) as machine:
        yield machine


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
    carol.expect("xmpp live")  # and with it, Alice's key package
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
