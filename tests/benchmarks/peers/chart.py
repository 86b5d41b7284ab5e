"""The main operations as a chart: a panel for each, time over the group's size, both on logarithmic scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.peers.implementations import OURS
from tests.benchmarks.peers.svg import Drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.peers.document import Case, Document

__all__ = ["draw"]

TITLE = "What it takes, by members of the group"

PANELS = ("add", "join", "update-cold", "process-cold", "update-warm", "process-warm", "protect", "open")
TITLES = {
    "add": "add all others",
    "join": "join",
    "update-cold": "update, cold group",
    "process-cold": "process, cold group",
    "update-warm": "update, warm group",
    "process-warm": "process, warm group",
    "protect": "protect 100 bytes",
    "open": "open 100 bytes",
}
IN_A_ROW = 4

PANEL_WIDTH, PANEL_HEIGHT = 196, 210
LEFT, TOP, GAP_X, GAP_Y, RIGHT, BOTTOM = 66, 92, 28, 62, 22, 62
APART = 3.0
"""How far the marks of two implementations stand apart, so that none hides another's quartiles."""

MARKS = ("circle", "square", "triangle", "diamond")

LIGHT = ("#ffffff", "#1f2328", "#59636e", "#d8dee4", ("#0969da", "#bc4c00", "#8250df", "#1a7f37"))
DARK = ("#0d1117", "#f0f6fc", "#9198a1", "#2a313c", ("#58a6ff", "#f0883e", "#bc8cff", "#3fb950"))
"""Paper, ink, faint ink, grid, and a colour for each implementation."""

SHAPES = """\
svg { font: 12px system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
.title { font-size: 16px; font-weight: 600; }
.name { font-weight: 600; }
.tick, .note { font-size: 11px; }
.y { text-anchor: end; }
.x { text-anchor: middle; }
.floor { fill: none; stroke-width: 1.2; stroke-dasharray: 2 3; }
.series { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.s0 { stroke-width: 2.8; }
.quartiles { stroke-width: 5; opacity: 0.35; }
"""


class _Panel(NamedTuple):
    """Where a panel is, and its scales."""

    left: float
    top: float
    sizes: Sequence[int]
    lowest: int
    """The power of ten, in microseconds, at the bottom."""
    highest: int

    def x(self, members: int) -> float:
        first, last = math.log(self.sizes[0]), math.log(self.sizes[-1])
        share = 0.5 if first == last else (math.log(members) - first) / (last - first)
        return self.left + 14 + share * (PANEL_WIDTH - 28)

    def y(self, microseconds: float) -> float:
        share = (math.log10(microseconds) - self.lowest) / (self.highest - self.lowest)
        return self.top + PANEL_HEIGHT * (1 - share)


def _colours(theme: tuple[str, str, str, str, Sequence[str]]) -> str:
    """Return the rules for a theme. Not every program that shows SVG knows variables."""
    paper, ink, faint, grid, series = theme
    rules = [
        f".paper {{ fill: {paper}; stroke: {grid}; }}",
        f".title, .name {{ fill: {ink}; }}",
        f".tick, .note {{ fill: {faint}; }}",
        f".grid {{ stroke: {grid}; }}",
        f".floor {{ stroke: {faint}; }}",
        *(
            f".s{index}, .q{index} {{ stroke: {colour}; }} .m{index} {{ fill: {colour}; }}"
            for index, colour in enumerate(series)
        ),
    ]
    return "\n".join(rules) + "\n"


STYLE = f"{SHAPES}{_colours(LIGHT)}@media (prefers-color-scheme: dark) {{\n{_colours(DARK)}}}\n"


def draw(document: Document) -> str:
    """Return the chart of the first cipher suite, as SVG."""
    results = document.suites[0]
    by_operation = {
        operation: [case for case in results.cases if case.operation == operation and case.samples]
        for operation in PANELS
    }
    shown = [operation for operation in PANELS if by_operation[operation]]
    rows = [shown[start : start + IN_A_ROW] for start in range(0, len(shown), IN_A_ROW)]
    width = LEFT + IN_A_ROW * PANEL_WIDTH + (IN_A_ROW - 1) * GAP_X + RIGHT
    height = TOP + len(rows) * (PANEL_HEIGHT + GAP_Y) - GAP_Y + BOTTOM
    drawing = Drawing(width, height, title=TITLE, style=STYLE)
    drawing.rect(0.5, 0.5, width - 1, height - 1, "paper", radius=6)
    drawing.text(22, 32, TITLE, "title")
    _draw_legend(drawing, document)
    for row, operations in enumerate(rows):
        lowest, highest = _decades([case for operation in operations for case in by_operation[operation]])
        for column, operation in enumerate(operations):
            cases = by_operation[operation]
            left, top = LEFT + column * (PANEL_WIDTH + GAP_X), TOP + row * (PANEL_HEIGHT + GAP_Y)
            panel = _Panel(left, top, [case.members for case in cases], lowest, highest)
            _draw_axes(drawing, panel, TITLES[operation], is_first=column == 0)
            _draw_cases(drawing, panel, cases, list(document.versions))
    machine = document.machine
    drawing.text(
        22,
        height - 16,
        f"Medians, quartiles (thick strokes). Cipher suite {results.name}. "
        f"{machine['processor']}, {machine['cores']} cores, {document.date}.",
        "note",
    )
    return drawing.finish()


def _decades(cases: Sequence[Case]) -> tuple[int, int]:
    """Return the powers of ten between which all is."""
    spreads = [sample.time for case in cases for sample in case.samples.values()] + [case.floor for case in cases]
    lowest = math.floor(math.log10(min(spread.lower_quartile for spread in spreads)))
    highest = math.ceil(math.log10(max(spread.upper_quartile for spread in spreads)))
    return lowest, max(highest, lowest + 1)


def _draw_legend(drawing: Drawing, document: Document) -> None:
    x, y = 22.0, 58.0
    for index, name in enumerate(document.versions):
        drawing.line(x, y - 4, x + 26, y - 4, f"series s{_colour(index)}")
        _draw_mark(drawing, index, x + 13, y - 4)
        drawing.text(x + 34, y, name, "name")
        x += 34 + 8 * len(name) + 28
    drawing.line(x, y - 4, x + 26, y - 4, "floor")
    drawing.text(x + 34, y, "bare cryptography of ours, on one thread", "note")


def _draw_axes(drawing: Drawing, panel: _Panel, title: str, *, is_first: bool) -> None:
    drawing.text(panel.left, panel.top - 10, title, "name")
    for power in range(panel.lowest, panel.highest + 1):
        y = panel.y(10.0**power)
        drawing.line(panel.left, y, panel.left + PANEL_WIDTH, y, "grid")
        if is_first:
            drawing.text(panel.left - 8, y + 4, _power_name(power), "tick y")
    for members in panel.sizes:
        drawing.text(panel.x(members), panel.top + PANEL_HEIGHT + 18, f"{members:,}", "tick x")


def _power_name(power: int) -> str:
    """Return what a power of ten microseconds is called."""
    unit, less = ("µs", 0) if power < 3 else ("ms", 3) if power < 6 else ("s", 6)
    return f"{10.0 ** (power - less):g} {unit}"


def _draw_cases(drawing: Drawing, panel: _Panel, cases: Sequence[Case], names: Sequence[str]) -> None:
    drawing.polyline([(panel.x(case.members), panel.y(case.floor.median)) for case in cases], "floor")
    for index in sorted(range(len(names)), key=lambda index: names[index] == OURS):  # ours on top
        shift = (index - (len(names) - 1) / 2) * APART
        spreads = [(case.members, case.samples[names[index]].time) for case in cases if names[index] in case.samples]
        for members, spread in spreads:
            x = panel.x(members) + shift
            drawing.line(
                x, panel.y(spread.lower_quartile), x, panel.y(spread.upper_quartile), f"quartiles q{_colour(index)}"
            )
        points = [(panel.x(members) + shift, panel.y(spread.median)) for members, spread in spreads]
        drawing.polyline(points, f"series s{_colour(index)}")
        for x, y in points:
            _draw_mark(drawing, index, x, y)


def _colour(index: int) -> int:
    return index % len(LIGHT[-1])


def _draw_mark(drawing: Drawing, index: int, x: float, y: float) -> None:
    css = f"m{_colour(index)}"
    match MARKS[index % len(MARKS)]:
        case "circle":
            drawing.circle(x, y, 4.5, css)
        case "square":
            drawing.rect(x - 3.5, y - 3.5, 7, 7, css)
        case "triangle":
            drawing.polygon([(x, y - 4.5), (x - 4.5, y + 3.5), (x + 4.5, y + 3.5)], css)
        case _:
            drawing.polygon([(x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)], css)
