"""What no self-test can find, because a part beside it does the same: steps for a person with a meter, as one table.

The values are those of hardware/README.md, "Test a built board"; a test compares the parts with the netlist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Range = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """One measurement: `do` it, `unit`, what it may be in each variant; `finds` names the parts to look at if not."""

    key: str
    do: str
    unit: str
    ranges: dict[str, Range]
    finds: str

    def passes(self, variant: str, value: float) -> bool:
        """Return True when `value` is in the range of `variant` ("A" or "B")."""
        low, high = self.ranges[variant]
        return low <= value <= high


@dataclass(frozen=True)
class Stage:
    """Steps with the board in one condition: `prepare` it."""

    prepare: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Found:
    """The result of one step: `value` None when it was left out."""

    key: str
    value: float | None
    unit: str
    low: float
    high: float
    ok: bool
    finds: str


def _both(low: float, high: float) -> dict[str, Range]:
    return {"A": (low, high), "B": (low, high)}


STAGES = (
    Stage(
        "Power off: no cell, no cable, the Pico out of its sockets, nothing at the electrodes. An ohmmeter.",
        (
            Step("bleeders", "TP8 PUMP to TP1 GND, when it stands still", "kohm", _both(367, 383), "R17 or R48"),
            Step("gate", "across R14 (pads of Q2's gate and source)", "kohm", _both(216, 226), "R14 or R49"),
            Step("gate-drive-1", "across R15", "kohm", _both(98, 102), "R15"),
            Step("gate-drive-2", "across R50", "kohm", _both(98, 102), "R50"),
            Step("divider-1", "across R22", "Mohm", _both(4.8, 5.1), "R22"),
            Step("divider-2", "across R54", "Mohm", _both(4.8, 5.1), "R54"),
            Step("limiter-1", "across R12", "ohm", {"A": (118, 124), "B": (22, 23.5)}, "R12, R13"),
            Step("limiter-2", "across R51", "ohm", {"A": (118, 124), "B": (22, 23.5)}, "R51, R53"),
            Step("hold-1", "across R45", "kohm", _both(176, 184), "R45"),
            Step("hold-2", "across R46", "kohm", _both(176, 184), "R46"),
        ),
    ),
    Stage(
        "The same, with a capacitance meter.",
        (
            Step("pump-1", "across C4", "nF", _both(44, 50), "C4"),
            Step("pump-2", "across C23", "nF", _both(44, 50), "C23"),
        ),
    ),
    Stage(
        "The Pico still out. 3.9 V at the cell's contacts from a supply limited to 100 mA [B: 400 mA], 3.3 V at TP2 "
        "limited to 50 mA, Pico pin 9 joined to TP2. 470 ohm and a milliammeter in series from TP9 HS_OUT to TP1. TP8 "
        "PUMP to TP2 through 10k.",
        (
            Step("limiters", "the milliammeter", "mA", {"A": (4.7, 5.6), "B": (25, 30)}, "Q4, Q9, R27, R52"),
            Step("limiter-2-alone", "R12 bridged", "mA", {"A": (4.9, 5.7), "B": (25.9, 30.3)}, "Q9, R51, R52"),
            Step("limiter-1-alone", "R51 bridged instead", "mA", {"A": (4.9, 5.7), "B": (25.9, 30.3)}, "Q4, R12, R27"),
            Step("interlock", "5 V at Pico pin 40", "mA", _both(0, 0.001), "D13, R18, R19, C17, Q5"),
            Step("stop", "5 V off again, STOP pressed", "mA", _both(0, 0.001), "SW1, its wires"),
        ),
    ),
    Stage(
        "The 470 ohm off. 2.2k [B: 470 ohm, 0.5 W] and the milliammeter from J2 (red lead) to J3, pin 4 joined to TP2.",
        (
            Step(
                "socket-plus",
                "the milliammeter, with its sign",
                "mA",
                {"A": (4.9, 5.05), "B": (24.6, 25.3)},
                "J2 and J3 swapped",
            ),
            Step(
                "socket-minus",
                "pin 4 open, pin 10 joined to TP2, then pin 4 joined to TP2 again",
                "mA",
                {"A": (-5.05, -4.9), "B": (-25.3, -24.6)},
                "K1, its contacts",
            ),
        ),
    ),
)


def run(variant: str, tell: Callable[[str], None], ask: Callable[[Step, str], float | None]) -> Iterator[Found]:
    """Go through every step of `variant`: `tell` what to prepare, `ask` for each value (None: left out)."""
    for stage in STAGES:
        tell(stage.prepare)
        for step in stage.steps:
            low, high = step.ranges[variant]
            value = ask(step, f"{low:g} to {high:g} {step.unit}")
            passed = value is not None and step.passes(variant, value)
            yield Found(step.key, value, step.unit, low, high, passed, step.finds)


def summary(found: list[Found]) -> dict[str, Any]:
    """Return how many steps passed, failed and were left out, and the keys of the last two."""
    failed = [item.key for item in found if not item.ok and item.value is not None]
    left_out = [item.key for item in found if item.value is None]
    return {"passed": not failed and not left_out, "failed": failed, "left_out": left_out}
