"""As much of SVG as a chart needs."""

from __future__ import annotations

from html import escape

__all__ = ["Drawing"]


class Drawing:
    """A drawing that is written from back to front. Coordinates are in pixels, from the upper left."""

    def __init__(self, width: int, height: int, *, title: str, style: str) -> None:
        box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{style}</style>",
        ]

    def rect(self, x: float, y: float, width: float, height: float, css: str, *, radius: float = 0) -> None:
        """Draw a rectangle."""
        self._add("rect", css, x=x, y=y, width=width, height=height, rx=radius)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Draw a straight line."""
        self._add("line", css, x1=x1, y1=y1, x2=x2, y2=y2)

    def polyline(self, points: list[tuple[float, float]], css: str) -> None:
        """Draw a line through points."""
        self._add("polyline", css, points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points))

    def circle(self, x: float, y: float, radius: float, css: str) -> None:
        """Draw a circle around a point."""
        self._add("circle", css, cx=x, cy=y, r=radius)

    def polygon(self, points: list[tuple[float, float]], css: str) -> None:
        """Draw a closed shape."""
        self._add("polygon", css, points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points))

    def text(self, x: float, y: float, text: str, css: str) -> None:
        """Write a line of text."""
        self._parts.append(f'<text class="{css}" x="{_number(x)}" y="{_number(y)}">{escape(text)}</text>')

    def finish(self) -> str:
        """Return the whole file."""
        return "\n".join([*self._parts, "</svg>", ""])

    def _add(self, name: str, css: str, **attributes: float | str) -> None:
        written = "".join(f' {key}="{_number(value)}"' for key, value in attributes.items())
        self._parts.append(f'<{name} class="{css}"{written}/>')


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
