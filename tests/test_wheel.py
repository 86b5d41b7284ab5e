"""What people install: the wheel, built from the source distribution, in an environment far from this repository."""

from __future__ import annotations

import os
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest

import bridge
import mls
import transports

ROOT = Path(__file__).parent.parent
PACKAGES = (bridge, mls, transports)

pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True)
class Built:
    """Both distributions, and an environment that the wheel is installed in."""

    sdist: Path
    wheel: Path
    environment: Path
    elsewhere: Path
    """A folder with nothing in it."""

    def names(self) -> set[str]:
        """The files of the wheel, but for those about it."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {name for name in archive.namelist() if ".dist-info/" not in name}

    def metadata(self) -> Message:
        with zipfile.ZipFile(self.wheel) as archive:
            [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            return Parser().parsestr(archive.read(name).decode())

    def run(self, *command: str) -> str:
        """Run a program of the environment, without a trace of this repository."""
        program = str(self.environment / "bin" / command[0])
        return run([program, *command[1:]], self.elsewhere, PYTHONWARNINGS="error")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("wheel")
    sdist = build("sdist", ROOT, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    [source] = (folder / "unpacked").iterdir()
    wheel = build("wheel", source, folder)
    environment, elsewhere = folder / "environment", folder / "elsewhere"
    elsewhere.mkdir()
    venv.create(environment, symlinks=True)
    # What the wheel depends on is in this environment already. Of a folder that is added like this no .pth file is
    # read, so that the editable installation of this repository is not seen.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = str(environment / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet"]
    run([*pip, "install", "--no-index", "--no-deps", "--ignore-installed", str(wheel)], elsewhere)
    return Built(sdist, wheel, environment, elsewhere)


def build(kind: str, source: Path, into: Path) -> Path:
    """Build a distribution by the build backend, as pip does, but without an environment of its own."""
    program = f"import hatchling.build, sys; print(hatchling.build.build_{kind}(sys.argv[1]))"
    return into / run([sys.executable, "-c", program, str(into)], source).split()[-1]


def run(command: list[str], folder: Path, **settings: str) -> str:
    unwanted = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MLS_BRIDGE_CONFIG"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"TERM": "dumb", "COLUMNS": "200", **settings}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


# --- What is in them --------------------------------------------------------------------------------------------------


def test_wheel_holds_the_files_of_the_packages_and_nothing_else(built: Built) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git")
    ours = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "--", "bridge", "mls", "transports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if ours.returncode != 0:
        pytest.skip("this is no git repository")
    assert built.names() == {name for name in ours.stdout.splitlines() if (ROOT / name).exists()}


@pytest.mark.parametrize(
    "pattern",
    [
        "bridge/store/migrations/*.sql",
        "bridge/terminal/lines.schema.json",
        "bridge/servers/synapse.lock",
        "bridge/*.typed",
        "mls/*.typed",
        "transports/*.typed",
    ],
)
def test_wheel_holds_what_is_no_code(built: Built, pattern: str) -> None:
    wanted = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)}
    assert wanted
    assert wanted <= built.names()


def test_wheel_says_what_it_is(built: Built) -> None:
    told = built.metadata()
    assert (told["Name"], told["Version"], told["License-Expression"]) == (
        "mls-bridge",
        bridge.__version__,
        "Apache-2.0",
    )
    assert "Operating System :: POSIX" in told.get_all("Classifier", [])
    assert told["License-File"] == "LICENSE"
    with zipfile.ZipFile(built.wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_page_of_the_package_is_the_readme(built: Built) -> None:
    told = built.metadata()
    assert told["Description-Content-Type"] == "text/markdown"
    assert str(told.get_payload()).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE",
        "PROTOCOL.md",
        "README.md",
        "config.example.yaml",
        "docs/bots.md",
        "docs/setup.md",
        "requirements.lock",
        "tests/test_wheel.py",
    ],
)
def test_source_distribution_holds(built: Built, name: str) -> None:
    with tarfile.open(built.sdist) as archive:
        [folder] = {path.partition("/")[0] for path in archive.getnames()}
        assert f"{folder}/{name}" in archive.getnames()


@pytest.mark.parametrize("unwanted", ["__pycache__", ".venv", ".git/", ".cache", "build/", "dist/"])
def test_source_distribution_holds_nothing_that_was_made(built: Built, unwanted: str) -> None:
    with tarfile.open(built.sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert not [name for name in names if name.startswith(unwanted) or f"/{unwanted}" in name]


# --- What it does elsewhere -------------------------------------------------------------------------------------------


def test_program_says_its_version(built: Built) -> None:
    assert built.run("mls-bridge", "--version") == f"mls-bridge {bridge.__version__}\n"


def test_program_lists_its_commands(built: Built) -> None:
    shown = built.run("mls-bridge", "--help")
    for command in ("init", "registration", "check", "run", "chat", "status", "demo", "inspect", "conformance"):
        assert f" {command} " in shown


def test_program_writes_a_configuration(built: Built, tmp_path: Path) -> None:
    config = tmp_path / "mls-bridge.yaml"
    built.run("mls-bridge", "init", "--defaults", "--config", str(config))
    assert config.read_text(encoding="utf-8").startswith("# Configuration of mls-bridge.")
    assert len(bytes.fromhex((tmp_path / "mls-bridge.key").read_text(encoding="utf-8"))) == 32


def test_every_module_is_imported_from_the_wheel(built: Built) -> None:
    modules = [
        module.name
        for package in PACKAGES
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.endswith("__main__")
    ]
    assert len(modules) > 200
    program = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    found = built.run("python", "-c", program, *modules).splitlines()
    assert len(found) == len(modules)
    assert not [path for path in found if not path.startswith(str(built.environment))]


def test_database_is_made_from_the_migrations_in_the_wheel(built: Built, tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from bridge.store import Store, StoreKey\n"
        "async def main():\n"
        "    store = await Store.open(pathlib.Path(sys.argv[1]), StoreKey(bytes(32)), now=0)\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    built.run("python", "-c", program, str(tmp_path / "x.db"))
    assert (tmp_path / "x.db").stat().st_size > 0


def test_what_it_depends_on_is_here(built: Built) -> None:
    """Else the modules above would have been imported with something that an installation does not bring."""
    lines = [line for line in built.metadata().get_all("Requires-Dist", []) if "extra" not in line]
    declared = {re.split("[^A-Za-z0-9._-]", line)[0] for line in lines}
    here = {name for name in declared if metadata.version(name)}
    assert here == declared
    assert {"slixmpp", "matrix-nio", "typer"} <= declared
