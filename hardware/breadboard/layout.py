"""The breadboard build as data: which leg of which part is in which hole, and what is connected by that.

A hole is named as printed on the board: row a to j and column 1 to 63 ("e12"), or a rail with a column: "T+" and "T-"
above (3.3 V and GND), "B+" and "B-" below (24 V and GND).
"""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS = 63
TOP, BOTTOM = "abcde", "fghij"
RAILS = {"T+": "3V3", "T-": "GND", "B+": "RAIL_24V", "B-": "GND"}


@dataclass(frozen=True)
class Part:
    """A part by the schematic's designator; `legs` are (pin as in the schematic, hole)."""

    reference: str
    kind: str
    label: str
    legs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Wire:
    """A wire between two holes, or from a hole to something beside the board (a name in capitals).

    The picture leads it through the corners `via`: column and row, counted from the upper rail.
    """

    start: str
    end: str
    color: str
    via: tuple[tuple[float, float], ...] = ()


def _two(reference: str, kind: str, label: str, first: str, second: str) -> Part:
    """Return a part with two legs, `first` being pin 1 or the anode."""
    pins = ("A", "K") if kind == "diode" else ("1", "2")
    return Part(reference, kind, label, ((pins[0], first), (pins[1], second)))


def _three(reference: str, label: str, pins: str, columns: tuple[int, int, int], row: str) -> Part:
    """Return a TO-92 part, flat face towards row j: pins from left to right."""
    legs = tuple((pin, f"{row}{column}") for pin, column in zip(pins, columns, strict=True))
    return Part(reference, "to92", label, legs)


# Legs of the DIP-8: 1 to 4 from left to right in row f, 5 to 8 from right to left in row e.
_DIP = ("f30", "f31", "f32", "f33", "e33", "e32", "e31", "e30")
# The INA219 breakout's header in row a; VIN+ and VIN- are the ends of its shunt, here 10 ohm.
_INA = ("VCC", "GND", "SCL", "SDA", "VIN-", "VIN+")

PARTS = (
    _two("R2", "resistor", "4.7k", "j22", "B-22"),
    _two("R3", "resistor", "15k", "f22", "f25"),
    _two("C1", "capacitor", "100n", "i25", "B-25"),
    _two("R4", "resistor", "15k", "g25", "g28"),
    _two("R5", "resistor", "13k", "h28", "B-27"),
    _two("C2", "capacitor", "100n", "i28", "B-29"),
    Part("U4", "dip8", "MCP6022", tuple((str(pin + 1), hole) for pin, hole in enumerate(_DIP))),
    _two("C3", "capacitor", "220p", "g31", "g30"),
    _two("R6", "resistor", "1k", "h30", "h36"),
    _two("R7", "resistor", "100k", "j36", "B-36"),
    _two("R8", "resistor", "10k", "i31", "i37"),
    _three("Q1", "ZVNL110A", "DGS", (35, 36, 37), "g"),
    _two("R9", "resistor", "191", "h37", "h40"),
    Part("U5", "module", "INA219", tuple((pin, f"a{22 + place}") for place, pin in enumerate(_INA))),
    _two("C16", "capacitor", "100n", "b30", "T-29"),
    _two("R22", "resistor", "10M", "b35", "b33"),
    _two("R23", "resistor", "1M", "c33", "c37"),
    _two("R33", "resistor", "1k", "b31", "b28"),
    _two("R34", "resistor", "1k", "d37", "d40"),
    _two("R20", "resistor", "150", "f44", "e43"),
    _two("R21", "resistor", "150", "a35", "a38"),
    _two("R24", "resistor", "1M", "B+43", "h42"),
    _two("R25", "resistor", "100k", "j42", "B-41"),
    _three("Q2", "ZVP2106A", "DGS", (44, 45, 46), "g"),
    _two("R12", "resistor", "121", "B+46", "j46"),
    _two("R27", "resistor", "1k", "h51", "h46"),
    _two("R14", "resistor", "220k", "i46", "i52"),
    _three("Q4", "2N3906", "EBC", (50, 51, 52), "g"),
    _two("R15", "resistor", "180k", "h52", "h55"),
    _three("Q3", "ZVNL110A", "DGS", (55, 56, 57), "g"),
    _two("D6", "diode", "BAT85", "h60", "h57"),
    _two("R28", "resistor", "1k", "i60", "i63"),
    _two("R16", "resistor", "330", "c45", "c48"),
    _two("C4", "capacitor", "22n", "d48", "d50"),
    Part("D1", "diode", "BAT85", (("A", "T-50"), ("AK", "a50"))),
    Part("D1", "diode", "BAT85", (("AK", "b50"), ("K", "b53"))),
    _two("C5", "capacitor", "150n", "a53", "T-53"),
    _two("R17", "resistor", "360k", "a55", "T-55"),
    _two("LOAD", "load", "2.2k", "c38", "c43"),
)

# Pico with its USB socket to the left: pins 1 to 20 from left to right in row h, 40 to 21 in row c.
PICO = {pin: f"h{pin}" if pin <= 20 else f"c{41 - pin}" for pin in range(1, 41)}

WIRES = (
    Wire("a5", "T+5", "red"),
    Wire("a3", "T-3", "black"),
    Wire("j3", "B-3", "black"),
    Wire("T-62", "B-62", "black"),
    Wire("i4", "i22", "orange"),
    Wire("b22", "T+22", "red"),
    Wire("b23", "T-23", "black"),
    Wire("j7", "d24", "blue", ((7, 15.0), (20.8, 15.0), (20.8, 6.0))),
    Wire("j6", "e25", "green", ((6, 15.5), (21.4, 15.5), (21.4, 7.0))),
    Wire("b26", "T-26", "black"),
    Wire("d27", "f40", "purple", ((28, 6.5), (40, 6.5))),
    Wire("i32", "f28", "yellow", ((32, 12.6), (29, 12.6), (29, 10.0))),
    Wire("j33", "B-33", "black"),
    Wire("a30", "T+30", "red"),
    Wire("d31", "d32", "grey"),
    Wire("e35", "f35", "brown"),
    Wire("e37", "f37", "yellow"),
    Wire("a28", "b10", "grey", ((28, 2.5), (10, 2.5))),
    Wire("b40", "b7", "yellow", ((40, 1.6), (7, 1.6))),
    Wire("f42", "b9", "pink", ((42, 9.0), (41, 9.0), (41, 1.9), (9, 1.9))),
    Wire("j45", "j52", "blue", ((45, 14.7), (52, 14.7))),
    Wire("j50", "B+50", "red"),
    Wire("b12", "a45", "orange", ((12, 2.2), (45, 2.2))),
    Wire("d53", "f56", "orange"),
    Wire("c53", "c55", "orange"),
    Wire("j14", "j63", "green", ((14, 15.2), (63, 15.2))),
    Wire("j57", "STOP", "green"),
    Wire("B-59", "STOP", "black"),
    Wire("j12", "START", "blue"),
    Wire("B-11", "START", "black"),
    Wire("j15", "B-15", "black"),
    Wire("B+63", "SUPPLY +24 V", "red"),
    Wire("B-63", "SUPPLY 0 V", "black"),
)


def node(hole: str) -> str:
    """Return what a hole is connected to inside the board: a half column ("T12"), or a rail ("T+")."""
    if hole[:2] in RAILS:
        return hole[:2]
    return f"{'T' if hole[0] in TOP else 'B'}{hole[1:]}"


def groups() -> dict[str, str]:
    """Return for every node the representative of what the wires connect it to; STOP and START are open."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for wire in WIRES:
        if not wire.end[0].isupper() or wire.end[:2] in RAILS:
            parent[root(node(wire.start))] = root(node(wire.end))
    parent[root("T-")] = root("B-")
    everything = [node(hole) for part in PARTS for _, hole in part.legs] + [node(hole) for hole in PICO.values()]
    return {name: root(name) for name in {*everything, *parent}}
