"""Who was in which epoch when, as a drawing."""

from __future__ import annotations

from collections.abc import Iterable

from tests.simulation.watching import Watch

__all__ = ["draw"]

_COLUMNS = 40


def draw(watch: Watch, names: Iterable[str]) -> str:
    """Return a line for each time that somebody entered an epoch, and a column for each member.

    A number is the epoch that was entered, with a mark where its secrets are not those that the first one in it had.
    """
    names = list(names)[:_COLUMNS]
    width = max(5, *(len(name) + 1 for name in names))
    entries = sorted(
        (at, name, group_id, epoch) for name in names for at, group_id, epoch in watch.entered.get(name, [])
    )
    lines = [" " * 12 + "".join(name.rjust(width) for name in names)]
    current = dict.fromkeys(names, ".")
    times = sorted({at for at, *_ in entries})
    for time in times:
        changed = dict.fromkeys(names, "")
        for at, name, _, epoch in entries:
            if at == time:
                changed[name] = str(epoch)
                current[name] = "|"
        cells = (changed[name] or current[name] for name in names)
        lines.append(f"{time / 1000:10.3f} s" + "".join(cell.rjust(width) for cell in cells))
    return "\n".join(lines)
