"""Several peers, one after the other, with progress on the screen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.interop.building.building import Built, build
from tests.interop.building.errors import BuildError, UnavailableError
from tests.interop.building.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.progress import TaskID

__all__ = ["build_all"]


def build_all(names: Iterable[str], screen: Console) -> tuple[dict[str, Built], dict[str, str]]:
    """Return these peers built, and those that this machine cannot build, with why.

    Raises `BuildError` where a build fails; with `CI` set, also where it cannot be done at all.
    """
    built: dict[str, Built] = {}
    absent: dict[str, str] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        for name in names:
            task = progress.add_task(f"building {name}", total=None)

            def follow(what: str, done: int, of: int, *, name: str = name, task: TaskID = task) -> None:
                progress.update(task, description=f"building {name}: {what}", completed=done, total=of or None)

            try:
                built[name] = build(PEERS[name], follow)
            except UnavailableError as error:
                if os.environ.get("CI"):
                    raise BuildError(f"{name} cannot be built here, and with CI set it has to be: {error}") from error
                absent[name] = str(error)
            except BuildError as error:
                raise BuildError(f"{name}: {error}") from error
            finally:
                progress.remove_task(task)
    return built, absent
