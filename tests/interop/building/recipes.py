"""How the sources of a peer become a program: with cargo, or with npm."""

from __future__ import annotations

import json
import re
import tomllib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.building.errors import BuildError
from tests.interop.building.tools import Tool, parse_version

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cargo", "Npm", "Recipe"]


@dataclass(frozen=True)
class Recipe(ABC):
    """How one copy of the sources is built."""

    sources: Path
    """The copy. What is built has to lie in it in the end."""
    workshop: Path
    """A directory that is there again the next time, for what can be used again."""

    @abstractmethod
    def tools(self) -> Sequence[Tool]:
        """Return what has to be there."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that builds, to be run in `sources`."""

    @abstractmethod
    def finish(self) -> list[str]:
        """Bring what was built into `sources`, and return the command that runs it, where `./` is there."""

    def steps(self) -> int:
        """Return how many lines of output tell of a step, at most; 0: none does."""
        return 0

    def is_step(self, line: str) -> bool:  # noqa: ARG002 - the builds that tell of steps say which lines do
        """Whether a line of output tells of a step."""
        return False


class Cargo(Recipe):
    """A Rust program, with the versions of its Cargo.lock."""

    def tools(self) -> Sequence[Tool]:
        minimum = parse_version(str(self._package().get("rust-version", "")))
        source = "Rust, by https://rustup.rs or as the packages cargo and rustc"
        linker = Tool("cc", "a C compiler, such as the package gcc")
        return [Tool("cargo", source, minimum), Tool("rustc", source, minimum), linker]

    def command(self) -> list[str]:
        return ["cargo", "build", "--release", "--locked", "--color=never", f"--target-dir={self.workshop}"]

    def steps(self) -> int:
        packages = _read_toml(self.sources / "Cargo.lock").get("package")
        return len(packages) if isinstance(packages, list) else 0

    def is_step(self, line: str) -> bool:
        return re.match(r"\s*(Compiling|Fresh) ", line) is not None

    def finish(self) -> list[str]:
        name = str(self._package().get("name"))
        built, kept = self.workshop / "release" / name, self.sources / name
        try:
            kept.write_bytes(built.read_bytes())
        except FileNotFoundError as error:
            raise BuildError(f"cargo has built no program '{name}'") from error
        kept.chmod(0o755)
        return [f"./{name}"]

    def _package(self) -> dict[str, object]:
        package = _read_toml(self.sources / "Cargo.toml").get("package")
        if not isinstance(package, dict):
            raise BuildError("Cargo.toml describes no package")
        return package


class Npm(Recipe):
    """A program for Node.js, with the versions of its package-lock.json. No package's own scripts are run."""

    def tools(self) -> Sequence[Tool]:
        engines = self._package().get("engines")
        minimum = parse_version(str(engines.get("node", ""))) if isinstance(engines, dict) else ()
        return [
            Tool("node", "Node.js, from https://nodejs.org or as the package nodejs", minimum),
            Tool("npm", "npm, which comes with Node.js or as the package npm"),
        ]

    def command(self) -> list[str]:
        quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        return ["npm", "ci", "--ignore-scripts", "--prefer-offline", *quiet]

    def finish(self) -> list[str]:
        main = str(self._package().get("main", "index.js"))
        if not (self.sources / main).is_file():
            raise BuildError(f"there is no '{main}', which package.json calls its main file")
        return ["node", f"./{main}"]

    def _package(self) -> dict[str, object]:
        path = self.sources / "package.json"
        try:
            package = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise BuildError(f"package.json cannot be read: {error}") from error
        if not isinstance(package, dict):
            raise BuildError("package.json is not an object")
        return package


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(f"{path.name} cannot be read: {error}") from error
