"""The programs that building needs, looked for before they are used: which one is missing, or too old."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TypeAlias

from tests.interop.building.errors import UnavailableError

__all__ = ["Tool", "Version", "parse_version"]

Version: TypeAlias = tuple[int, ...]

SECONDS = 30


@dataclass(frozen=True)
class Tool:
    """A program, where it comes from, and how new it has to be."""

    program: str
    source: str
    """What to install, for people."""
    minimum: Version = ()

    def require(self) -> None:
        """Raise `UnavailableError` if it is not there, or too old."""
        path = shutil.which(self.program)
        if path is None:
            raise UnavailableError(f"there is no program '{self.program}' here: install {self.source}")
        if not self.minimum:
            return
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"'{path} --version' does not work: {error}") from error
        answer = (done.stdout.strip() or done.stderr.strip()).splitlines()
        found = parse_version(answer[0]) if done.returncode == 0 and answer else ()
        if not found:
            raise UnavailableError(f"'{path} --version' gives no version; install {self.source}")
        if found < self.minimum:
            needed = ".".join(map(str, self.minimum))
            raise UnavailableError(f"'{answer[0]}' is too old, {needed} is needed: install {self.source}")


def parse_version(text: str) -> Version:
    """Return the first version number in a text, such as `(1, 95, 0)`; empty if there is none."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()
