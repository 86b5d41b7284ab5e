"""The program on a disk that fills up just as a room's roles are put together, and never else."""

from __future__ import annotations

from typing import NoReturn

from bridge.cli import main
from bridge.service.composing import Composition
from bridge.store.errors import DiskFullError


async def fail(self: Composition) -> NoReturn:  # noqa: ARG001 - in the place of a method
    raise DiskFullError(where="here")


if __name__ == "__main__":
    Composition.add_roles = fail  # type: ignore[method-assign]
    main()
