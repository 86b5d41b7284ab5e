"""From a file to a configuration, or to everything that is wrong with it."""

from __future__ import annotations

import stat
from pathlib import Path

from pydantic import ValidationError

from bridge.config.documents import parse
from bridge.config.examples import example_problems
from bridge.config.explaining import explain
from bridge.config.models import Config
from bridge.config.problems import ConfigError, Problem

__all__ = ["load"]

MAX_SIZE = 1 << 20
"""In bytes: 1 MiB. A room takes less than 500."""


def load(path: Path) -> Config:
    """Return the configuration in a file; its paths are absolute. Raises `ConfigError` with all that is wrong."""
    text = _read(path)
    document = parse(text)
    problems = list(document.problems)
    config = None
    if document.value is None:
        if not problems:
            problems.append(Problem((), None, "is empty", "`mls-bridge init` writes one"))
    else:
        try:
            config = Config.model_validate(document.value, context={"directory": path.absolute().parent})
        except ValidationError as error:
            known = {problem.path for problem in problems}
            problems += [problem for problem in explain(error, Config, document) if problem.path not in known]
    problems += example_problems(document)
    if config is None or problems:
        raise ConfigError(path, tuple(sorted(problems, key=lambda problem: problem.line or 0)))
    return config


def _read(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for somebody to write to it
            raise _unreadable(path, "is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise _unreadable(path, "is not there", "`mls-bridge init` writes one; --config names another") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is not a name of a file"
        raise _unreadable(path, f"cannot be read: {reason}") from error
    if len(data) > MAX_SIZE:
        raise _unreadable(path, f"is larger than {MAX_SIZE >> 20} MiB", "is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(path, "is not text in UTF-8", "is it the right file?") from None


def _unreadable(path: Path, what: str, advice: str = "") -> ConfigError:
    return ConfigError(path, (Problem((), None, what, advice),))
