"""What a fault is, electrically: five kinds of change to the drawn circuit, as data. Ohm, and factors of a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Node = tuple[str, str]  # (reference, pin number), as in the netlist

SHORT_OHM = 0.1
LEAK_OHM = 1e9  # what a board leaks to a node that nothing else holds: a gate with its part broken off
UP, DOWN = "up", "down"


@dataclass(frozen=True)
class Opened:
    """The pins `pins` of one part come off their nets; `leak` says which way the net or pin that floats is pulled."""

    pins: frozenset[Node]
    leak: str = ""
    floating: str = ""  # the net that floats; "" when it is the pin itself


@dataclass(frozen=True)
class Bridged:
    """Two nets are joined through `ohm`; `nets` in alphabetical order."""

    nets: tuple[str, str]
    ohm: float


@dataclass(frozen=True)
class Scaled:
    """The value of a resistor or capacitor is `factor` times what is drawn."""

    part: str
    factor: float


@dataclass(frozen=True)
class Failed:
    """A part fails in a way that no joining or parting of its pins tells: `how` is a word of `typical.FAILURES`."""

    part: str
    how: str


Change: TypeAlias = Opened | Bridged | Scaled | Failed


def bridged(first: str, second: str, ohm: float = SHORT_OHM) -> Bridged:
    """Return a bridge between two nets, the same whichever is named first."""
    low, high = sorted((first, second))
    return Bridged((low, high), ohm)
