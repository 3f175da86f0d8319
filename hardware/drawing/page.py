"""A sheet under construction: parts, wires, labels and notes on a 1.27 mm grid, y downwards as on paper."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from .parts import PARTS, Part
from .sexpr import Atom, Node
from .shapes import Anchor, Symbol, effects, font, mm
from .symbols import BY_NAME

LIBRARY = "iontopico"
PROJECT = "iontopico"
REVISION = "B"
DATE = "2026-11-29"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "iontopico schematic")
_LINE = 1.7  # of text, in grid units
Point = tuple[float, float]


def stable_uuid(*parts: object) -> str:
    """Return the UUID of whatever `parts` name, the same in every run."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in parts)))


@dataclass
class Placed:
    """An instance of a symbol on a sheet; `placed["2"]` is where pin 2 is connected."""

    symbol: Symbol
    reference: str
    x: float
    y: float
    turn: int
    mirror: bool
    unit: int
    value: str
    part: Part | None
    shown: tuple[str, ...]
    anchors: tuple[Anchor, ...] | None

    def __getitem__(self, number: str) -> Point:
        """Return the place of the pin `number` on the sheet; KeyError when this unit has none."""
        for pin in self.symbol.units[self.unit - 1].pins:
            if pin.number == number:
                return self.place(pin.x, pin.y)
        raise KeyError(f"{self.reference} unit {self.unit} has no pin {number}")

    def place(self, x: float, y: float) -> Point:
        """Return where the symbol's point (x, y upwards) is on the sheet."""
        for _ in range(self.turn // 90):
            x, y = -y, x
        return (self.x + (-x if self.mirror else x), self.y - y)

    def fields(self) -> list[tuple[str, str]]:
        """Return the instance's properties beside the reference, in order."""
        own = self.part.fields() if self.part else []
        datasheet = self.symbol.datasheet
        description = self.part.description if self.part else self.symbol.description
        return [("Value", self.value), ("Footprint", ""), ("Datasheet", datasheet), ("Description", description), *own]

    def texts(self) -> list[tuple[str, str, Point, str, bool]]:
        """Return `(key, value, place, justification, hidden)` of every property, visible ones below each other."""
        rows = [("Reference", self.reference), *self.fields()]
        first, second = self._anchors()
        seen = [key for key, value in rows if key in self.shown and value]
        texts = []
        for key, value in rows:
            if key in seen:
                index = seen.index(key)
                at = first if index == 0 else Anchor(second.x, second.y - _LINE * (index - 1), second.justify)
                texts.append((key, value, (self.x + at.x, self.y - at.y), at.justify, False))
            else:
                texts.append((key, value, (self.x, self.y), "", True))
        return texts

    def _anchors(self) -> tuple[Anchor, Anchor]:
        if self.anchors:
            return self.anchors[0], self.anchors[-1]
        first, second = self.symbol.anchors
        if self.turn in (90, 270):
            away = 2.8 if symbol_is_wide(self.symbol) else 2.2
            return Anchor(0, away), Anchor(0, -away)
        if self.mirror and first.justify:
            return Anchor(-first.x, first.y, "right"), Anchor(-second.x, second.y, "right")
        return first, second


@dataclass(frozen=True)
class SheetBox:
    """A child sheet drawn on the root: `pins` are (name, shape, side, distance from the top in grid units)."""

    page: Page
    x: float
    y: float
    width: float
    height: float
    pins: tuple[tuple[str, str, str, float], ...]

    def __getitem__(self, name: str) -> Point:
        """Return where the pin `name` is connected; KeyError when there is none."""
        for pin, _, side, down in self.pins:
            if pin == name:
                return (self.x if side == "left" else self.x + self.width, self.y + down)
        raise KeyError(name)


@dataclass
class Page:
    """One sheet. `name` is also its file's and, for a child, its place in the names of its nets."""

    name: str
    title: str
    number: int
    paper: str = "A4"
    comments: tuple[str, ...] = ()
    placed: list[Placed] = field(default_factory=list)
    wires: list[tuple[Point, Point]] = field(default_factory=list)
    labels: list[tuple[str, str, Point, str, str]] = field(default_factory=list)  # kind, net, place, side, shape
    boxes: list[SheetBox] = field(default_factory=list)
    open_pins: list[Point] = field(default_factory=list)
    notes: list[tuple[str, Point, float, bool]] = field(default_factory=list)
    frames: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def file(self) -> str:
        """Return the sheet's file name."""
        return f"{self.name}.kicad_sch"

    # What a page function calls.

    def add(
        self,
        reference: str,
        x: float,
        y: float,
        *,
        turn: int = 0,
        mirror: bool = False,
        unit: int = 1,
        shown: Iterable[str] = ("Reference", "Value", "Value_B"),
        anchors: tuple[Anchor, ...] | None = None,
    ) -> Placed:
        """Place the part `reference` of `generator.parts` with its centre at (x, y), turned counter-clockwise."""
        part = PARTS[reference]
        symbol = BY_NAME[part.symbol]
        placed = Placed(symbol, reference, x, y, turn, mirror, unit, part.value, part, tuple(shown), anchors)
        self.placed.append(placed)
        return placed

    def rail(self, name: str, at: Point) -> None:
        """Connect `at` to the global rail `name`, drawn above it (GND: below)."""
        self._virtual(BY_NAME[name], at, name, ("Value",) if name != "GND" else ())

    def flag(self, at: Point) -> None:
        """Tell ERC that the net at `at` is fed."""
        self._virtual(BY_NAME["PWR_FLAG"], at, "PWR_FLAG", ("Value",))

    def _virtual(self, symbol: Symbol, at: Point, value: str, shown: tuple[str, ...]) -> None:
        count = sum(item.symbol.prefix == symbol.prefix for item in self.placed)
        reference = f"{symbol.prefix}{self.number}{count + 1:02d}"
        anchors = (symbol.anchors[1], symbol.anchors[1])
        self.placed.append(Placed(symbol, reference, *at, 0, False, 1, value, None, shown, anchors))

    def wire(self, *points: Point) -> None:
        """Draw a wire through `points`; each piece is horizontal or vertical."""
        for start, end in pairwise(points):
            if start[0] != end[0] and start[1] != end[1]:
                raise ValueError(f"{self.name}: wire {start} to {end} is neither horizontal nor vertical")
            self.wires.append((start, end))

    def ground(self, at: Point, drop: float = 2) -> None:
        """Take `at` down to ground."""
        end = (at[0], at[1] + drop)
        self.wire(at, end)
        self.rail("GND", end)

    def supply(self, name: str, at: Point, rise: float = 2) -> None:
        """Take `at` up to the rail `name`."""
        end = (at[0], at[1] - rise)
        self.wire(at, end)
        self.rail(name, end)

    def label(self, net: str, at: Point, side: str = "right") -> None:
        """Name the wire at `at`; the text is above it and runs to `side`."""
        self.labels.append(("label", net, at, side, ""))

    def port(self, net: str, at: Point, side: str, shape: str) -> None:
        """Join the wire's end `at` to the sheet's pin `net`; the flag is drawn to `side`, `shape` input or output."""
        self.labels.append(("hierarchical_label", net, at, side, shape))

    def nothing(self, at: Point) -> None:
        """Mark the pin at `at` as unconnected on purpose."""
        self.open_pins.append(at)

    def note(self, content: str, at: Point, size_mm: float = 1.27, *, bold: bool = False) -> None:
        """Write `content`, its top left corner at `at`."""
        self.notes.append((content, at, size_mm, bold))

    def block(self, title: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """Frame a block with a dashed line and put its title inside, at the top left."""
        self.frames.append((x1, y1, x2, y2))
        self.note(title, (x1 + 1.2, y1 + 1), 1.8, bold=True)

    def probe(self, reference: str, at: Point, rise: float = 2, text: str = "right") -> None:
        """Put the test point `reference` above the wire at `at`; its texts to the right or, with "left", left."""
        x, justify = (0.9, "left") if text == "right" else (-0.9, "right")
        anchors = (Anchor(x, 2.4, justify), Anchor(x, 0.8, justify))
        test = self.add(reference, at[0], at[1] - rise, shown=("Reference",), anchors=anchors)
        self.wire(test["1"], at)

    # What the writer and the checks ask.

    def junctions(self) -> list[Point]:
        """Return the places where three or more ends of wires or pins meet."""
        ends = Counter(point for wire in self.wires for point in wire)
        pins = Counter(place for item in self.placed for place in pin_places(item))
        pins.update(place for box in self.boxes for place in [box[pin[0]] for pin in box.pins])
        joints = []
        for point in sorted(set(ends) | set(pins)):
            through = sum(2 for wire in self.wires if _inside(point, wire))
            if ends[point] + pins[point] + through >= 3 and (ends[point] or through):
                joints.append(point)
        return joints

    def pieces(self) -> list[tuple[Point, Point]]:
        """Return the wires cut at their junctions, as KiCad keeps them."""
        joints = self.junctions()
        pieces = []
        for start, end in self.wires:
            inner = [point for point in joints if _inside(point, (start, end))]
            inner.sort(reverse=start > end)
            stops = [start, *inner, end]
            pieces += pairwise(stops)
        return pieces


def symbol_is_wide(symbol: Symbol) -> bool:
    """Return True when the body reaches past the usual place of a turned part's texts."""
    return symbol.prefix in ("C", "F")


def pin_places(item: Placed) -> list[Point]:
    """Return where the pins of `item` are connected."""
    return [item.place(pin.x, pin.y) for pin in item.symbol.units[item.unit - 1].pins]


def _inside(point: Point, wire: tuple[Point, Point]) -> bool:
    (x1, y1), (x2, y2) = wire
    if point in wire:
        return False
    if x1 == x2 == point[0]:
        return min(y1, y2) < point[1] < max(y1, y2)
    return y1 == y2 == point[1] and min(x1, x2) < point[0] < max(x1, x2)


def at(point: Point, angle: int | None = 0) -> list[Node]:
    """Return a place as KiCad writes it."""
    node: list[Node] = ["at", mm(point[0]), mm(point[1])]
    return node if angle is None else [*node, angle]


def text_effects(size_mm: float, justify: str, *, hide: bool = False, bold: bool = False) -> list[Node]:
    """Return text effects in the order KiCad 9 writes them inside a schematic."""
    return effects(size_mm, justify, hide=hide, bold=bold)


def note_effects(size_mm: float, bold: bool) -> list[Node]:
    """Return the effects of a note: its place is its top left corner."""
    return ["effects", font(size_mm, bold=bold), ["justify", Atom("left"), Atom("top")]]
