"""What a reader would stumble over: text on text, text on a symbol, a wire through a symbol or a text.

Sizes are estimated: a character of KiCad's stroke font is about 0.9 of its height wide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from .page import Page, Placed
from .shapes import GRID_MM, TEXT_MM

_ASPECT = 0.9
_PAPER_MM = {"A4": (297.0, 210.0), "A3": (420.0, 297.0)}
_MARGIN_MM = 12.0
_TITLE_MM = (110.0, 34.0)
_SHRINK = 0.12  # of the grid: touching edges are no collision


@dataclass(frozen=True)
class Area:
    """Something drawn: what it is, and where, in grid units."""

    what: str
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area) -> bool:
        """Return True when the two cover common ground."""
        across = self.left < other.right - _SHRINK and other.left < self.right - _SHRINK
        return across and self.top < other.bottom - _SHRINK and other.top < self.bottom - _SHRINK


def collisions(page: Page) -> list[str]:
    """Return a sentence for each collision on `page`; nothing for a readable sheet."""
    words, bodies, wires = list(_texts(page)), list(_bodies(page)), list(_wires(page))
    pairs = [*combinations(words, 2), *combinations(bodies, 2)]
    pairs += [(word, body) for word in words for body in bodies]
    pairs += [(thing, wire) for thing in (*words, *bodies) for wire in wires]
    found = [f"{page.name}: {one.what} meets {other.what}" for one, other in pairs if one.meets(other)]
    return found + [f"{page.name}: {area.what} leaves the sheet" for area in (*words, *bodies) if _outside(page, area)]


def _outside(page: Page, area: Area) -> bool:
    width, height = (size / GRID_MM for size in _PAPER_MM[page.paper])
    edge = _MARGIN_MM / GRID_MM
    if area.left < edge or area.top < edge or area.right > width - edge or area.bottom > height - edge:
        return True
    return area.right > width - edge - _TITLE_MM[0] / GRID_MM and area.bottom > height - edge - _TITLE_MM[1] / GRID_MM


def _text(what: str, content: str, x: float, middle: float, justify: str, size_mm: float = TEXT_MM) -> Area:
    size = size_mm / GRID_MM
    width = len(content) * size * _ASPECT
    left = x if "left" in justify else x - width if "right" in justify else x - width / 2
    return Area(f"{what} '{content}'", left, middle - size / 2, left + width, middle + size / 2)


def _texts(page: Page) -> Iterator[Area]:
    for item in page.placed:
        for key, value, (x, y), justify, hidden in item.texts():
            if not hidden:
                shown = f"{key}: {value}" if key == "Value_B" else value
                yield _text(f"{item.reference} {key}", shown, x, y, justify)
    for kind, net, (x, y), side, _ in page.labels:
        if kind == "label":
            yield _text("label", net, x, y - 0.8, "left" if side == "right" else "right")
        else:
            yield _text("port", net, x + (1.5 if side == "right" else -1.5), y, "left" if side == "right" else "right")
    for content, (x, y), size_mm, _ in page.notes:
        lines = content.split("\n")
        step = size_mm * 1.6 / GRID_MM
        widest = max(lines, key=len)
        area = _text("note", widest, x, y + size_mm / 2 / GRID_MM, "left", size_mm)
        yield Area(area.what, area.left, y, area.right, y + step * len(lines))


def _bodies(page: Page) -> Iterator[Area]:
    for item in page.placed:
        yield _body(item)


def _body(item: Placed) -> Area:
    left, bottom, right, top = item.symbol.units[item.unit - 1].body
    corners = [item.place(left, bottom), item.place(right, top)]
    xs, ys = zip(*corners, strict=True)
    return Area(f"body of {item.reference}", min(xs), min(ys), max(xs), max(ys))


def _wires(page: Page) -> Iterator[Area]:
    for (x1, y1), (x2, y2) in page.wires:
        left, right, top, bottom = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
        half = _SHRINK
        yield Area(f"wire {x1},{y1} to {x2},{y2}", left - half, top - half, right + half, bottom + half)
