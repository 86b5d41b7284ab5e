"""What commands that need a configuration share: the option that names it, and what is said when it is not right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bridge.config import Config, ConfigError, load

__all__ = ["DEFAULT_CONFIG", "ConfigOption", "load_or_exit"]

EXIT_FAILED = 1

DEFAULT_CONFIG = Path("mls-bridge.yaml")

ConfigOption: TypeAlias = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", envvar="MLS_BRIDGE_CONFIG", help="The configuration.")
]
"""To be given the default `DEFAULT_CONFIG`."""


def load_or_exit(path: Path) -> Config:
    """Return the configuration, or say all that is wrong with it and end the program."""
    try:
        return load(path)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
