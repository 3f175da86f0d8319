"""Reference meters: what a calibration and the bench compare the board with.

A meter is anything with a `name` and `read_ua`; `METERS` names those that `ionto calibrate --meter` knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ionto_host import simulators
from ionto_host.errors import UsageError

Ask = Callable[[str], float]  # asks a person for a current in mA


class Meter(Protocol):
    """An ammeter in series with the load. `name` says which one, `automatic` whether it reads without a person."""

    name: str
    automatic: bool

    def read_ua(self) -> float:
        """Return the current now, in uA; positive in the direction of the dose's polarity +."""
        ...


class TypedMeter:
    """A meter that a person reads and types in, in mA."""

    automatic = False

    def __init__(self, name: str, ask: Ask) -> None:
        self.name = name
        self._ask = ask

    def read_ua(self) -> float:
        """Return what the person types, in uA."""
        return self._ask("What does the reference meter show, in mA?") * 1_000


class SimulatorMeter:
    """The independent meter of the only virtual Pico that runs."""

    automatic = True

    def __init__(self, name: str) -> None:
        self.name = name

    def read_ua(self) -> float:
        """Return the true current in the load now, in uA."""
        with simulators.connect(None) as pico:
            return float(pico.meter().now_ua)


METERS: dict[str, Callable[[str, Ask], Meter]] = {
    "typed": lambda name, ask: TypedMeter(name or "typed in", ask),
    "sim": lambda name, ask: SimulatorMeter(name or "simulator's meter"),
}


def open_meter(kind: str, name: str, ask: Ask) -> Meter:
    """Return the meter of `kind`, called `name`; `UsageError` for a kind that is not known."""
    try:
        return METERS[kind](name, ask)
    except KeyError:
        raise UsageError(f"there is no meter {kind!r}", f"Known: {', '.join(METERS)}.") from None
