"""Symbols as data: pins and graphics in units of the 1.27 mm grid, y upwards, and their form in a KiCad library."""

from __future__ import annotations

from dataclasses import dataclass, field

from .sexpr import Atom, Node

GRID_MM = 1.27
TEXT_MM = 1.27


def mm(units: float) -> float:
    """Return `units` of the grid in millimetres."""
    return round(units * GRID_MM, 4)


def font(size_mm: float = TEXT_MM, *, bold: bool = False, italic: bool = False) -> list[Node]:
    """Return a font of `size_mm`."""
    node: list[Node] = ["font", ["size", size_mm, size_mm]]
    if bold:
        node.append(["bold", True])
    if italic:
        node.append(["italic", True])
    return node


def effects(size_mm: float = TEXT_MM, justify: str = "", *, hide: bool = False, bold: bool = False) -> list[Node]:
    """Return text effects; `justify` holds KiCad's words, nothing for centred."""
    node: list[Node] = ["effects", font(size_mm, bold=bold)]
    if justify:
        node.append(["justify", *[Atom(word) for word in justify.split()]])
    if hide:
        node.append(["hide", True])
    return node


@dataclass(frozen=True)
class Pin:
    """A pin whose wire end is at (x, y); `angle` points from there into the symbol (0 right, 90 up)."""

    number: str
    name: str
    kind: str
    x: float
    y: float
    angle: int
    length: float = 1.0

    def node(self) -> list[Node]:
        """Return the pin as KiCad writes it."""
        return [
            "pin",
            Atom(self.kind),
            Atom("line"),
            ["at", mm(self.x), mm(self.y), self.angle],
            ["length", mm(self.length)],
            ["name", self.name or "~", effects(1.0)],
            ["number", self.number, effects(1.0)],
        ]


Graphic = list[Node]


def line(*points: tuple[float, float], width: float = 0.0, fill: str = "none") -> Graphic:
    """Return a polyline; `width` in mm, 0 for KiCad's default."""
    stroke = ["stroke", ["width", width or 0.1524], ["type", Atom("default")]]
    pts: list[Node] = ["pts", *[["xy", mm(x), mm(y)] for x, y in points]]
    return ["polyline", pts, stroke, ["fill", ["type", Atom(fill)]]]


def box(x1: float, y1: float, x2: float, y2: float, *, fill: str = "background", width: float = 0.254) -> Graphic:
    """Return a rectangle; `width` in mm."""
    stroke = ["stroke", ["width", width], ["type", Atom("default")]]
    return ["rectangle", ["start", mm(x1), mm(y1)], ["end", mm(x2), mm(y2)], stroke, ["fill", ["type", Atom(fill)]]]


def circle(x: float, y: float, radius: float, *, fill: str = "none", width: float = 0.1524) -> Graphic:
    """Return a circle; `width` in mm."""
    stroke = ["stroke", ["width", width], ["type", Atom("default")]]
    return ["circle", ["center", mm(x), mm(y)], ["radius", mm(radius)], stroke, ["fill", ["type", Atom(fill)]]]


def arc(start: tuple[float, float], mid: tuple[float, float], end: tuple[float, float]) -> Graphic:
    """Return an arc through three points."""
    stroke = ["stroke", ["width", 0.2032], ["type", Atom("default")]]
    points = [["start", *map(mm, start)], ["mid", *map(mm, mid)], ["end", *map(mm, end)]]
    return ["arc", *points, stroke, ["fill", ["type", Atom("none")]]]


def words(content: str, x: float, y: float, size_mm: float = 1.0) -> Graphic:
    """Return text drawn inside a symbol."""
    return ["text", content, ["at", mm(x), mm(y), 0], effects(size_mm)]


@dataclass(frozen=True)
class Unit:
    """One drawn unit of a symbol: what is seen and what is connected."""

    graphics: tuple[Graphic, ...]
    pins: tuple[Pin, ...]
    body: tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True)
class Anchor:
    """Where an instance puts a text: offset (y upwards) and justification ("left", "right", "" for centred)."""

    x: float
    y: float
    justify: str = ""


@dataclass(frozen=True)
class Symbol:
    """A library symbol; `anchors` says where the visible fields go, one below the other, when it is not turned."""

    name: str
    prefix: str
    description: str
    units: tuple[Unit, ...]
    anchors: tuple[Anchor, ...] = (Anchor(2.0, 1.0, "left"), Anchor(2.0, -1.0, "left"))
    show_numbers: bool = False
    show_names: bool = False
    power: bool = False
    in_bom: bool = True
    keywords: str = ""
    datasheet: str = field(default="")

    def node(self, library: str = "") -> list[Node]:
        """Return the symbol as KiCad writes it, its name prefixed by `library` inside a schematic."""
        name = f"{library}:{self.name}" if library else self.name
        node: list[Node] = ["symbol", name]
        if self.power:
            node.append(["power"])
        if not self.show_numbers:
            node.append(["pin_numbers", ["hide", True]])
        node.append(["pin_names", ["offset", 0.508]] + ([] if self.show_names else [["hide", True]]))
        node += [["exclude_from_sim", False], ["in_bom", self.in_bom], ["on_board", True]]
        node += self._properties()
        for index, unit in enumerate(self.units, 1):
            node.append(["symbol", f"{self.name}_{index}_1", *unit.graphics, *[pin.node() for pin in unit.pins]])
        node.append(["embedded_fonts", False])
        return node

    def _properties(self) -> list[Node]:
        first, second = self.anchors[0], self.anchors[1]
        rows = (
            ("Reference", self.prefix, first, self.power),
            ("Value", self.name, second, False),
            ("Footprint", "", Anchor(0, 0), True),
            ("Datasheet", self.datasheet, Anchor(0, 0), True),
            ("Description", self.description, Anchor(0, 0), True),
        )
        return [
            ["property", key, value, ["at", mm(at.x), mm(at.y), 0], effects(justify=at.justify, hide=hide)]
            for key, value, at, hide in rows
        ]
