"""Programs from the system's Debian packages, unpacked into the user's cache: nothing is installed, root is not needed.

apt works in a folder of its own, so that neither the system's package lists nor its list of installed packages change.
It checks the signatures of what it downloads, as always.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.servers.cache import Say, find_or_install
from bridge.servers.errors import ServerUnavailableError
from bridge.servers.installing import run

__all__ = ["find_libraries", "unpack"]

TOOLS = ("apt-get", "dpkg-deb", "dpkg-query")

PACKAGE = re.compile(r"Inst (\S+) ")

CONFIGURATION = """\
#clear APT::Update;
#clear DPkg;
APT::Sandbox::User "root";
Debug::NoLocking "1";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""
"""Read after the system's own. Hooks are cleared, as they would change the system."""

NO_NETWORK = "It comes from the system's package sources: is there a network?"


def unpack(software: str, packages: Sequence[str], *, family: str, instead: str, say: Say) -> Path:
    """Return a folder in the cache with the files of some packages and of what they need and the system lacks.

    Packages that match `family` are unpacked even if the system has them: their files have to lie together. Raises
    `ServerUnavailableError`, saying `instead`, where there is no apt.
    """
    if any(shutil.which(tool) is None for tool in TOOLS):
        raise ServerUnavailableError(f"{software} is not installed, and there are no Debian packages here: {instead}")

    def install(place: Path) -> None:
        _install(software, packages, re.compile(family), place, say)

    release = _release()
    system = f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', 'unstable')}-{platform.machine()}"
    selection = hashlib.sha256(repr([*packages, family]).encode()).hexdigest()[:8]
    return find_or_install(software, f"{system}-{selection}", install, say)


def find_libraries(root: Path) -> list[Path]:
    """Return the folders of shared libraries below the root of an unpacked system."""
    return [path for path in sorted((root / "usr" / "lib").glob("*-linux-*")) if path.is_dir()]


def _install(software: str, packages: Sequence[str], family: re.Pattern[str], place: Path, say: Say) -> None:
    say(f"{software}: reading the lists of Debian packages")
    workshop = place.with_name("apt")
    for folder in ("state/lists/partial", "cache/archives/partial", "downloads"):
        (workshop / folder).mkdir(parents=True)
    (workshop / "status").touch()
    configuration = workshop / "apt.conf"
    configuration.write_text(CONFIGURATION.format(folder=workshop), encoding="utf-8")
    apt = ["apt-get", "--config-file", str(configuration), "--quiet"]
    purpose = f"get {software} from Debian packages"

    run([*apt, "update"], purpose=purpose, hint=NO_NETWORK)
    simulation = [*apt, "--simulate", "--no-install-recommends", "install", *packages]
    lines = run(simulation, purpose=purpose, hint=NO_NETWORK)  # as `update` only warns of sources it cannot reach
    needed = [match[1] for line in lines if (match := PACKAGE.match(line))]
    there = _installed()
    wanted = sorted(name for name in needed if name not in there or family.match(name))

    say(f"{software}: downloading {len(wanted)} packages")
    downloads = workshop / "downloads"
    run([*apt, "download", *wanted], purpose=purpose, hint=NO_NETWORK, folder=downloads)
    say(f"{software}: unpacking")
    for archive in sorted(downloads.glob("*.deb")):
        run(["dpkg-deb", "--extract", str(archive), str(place)], purpose=purpose)


def _installed() -> set[str]:
    """Return the packages that the system has."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n"]
    lines = [line.split() for line in run(query, purpose="list the installed packages")]
    return {fields[1] for fields in lines if len(fields) == 2 and fields[0] == "installed"}


def _release() -> Mapping[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
