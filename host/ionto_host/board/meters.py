"""Reference meters: what a calibration and the bench compare the board with.

`Meter` is the interface; `METERS` names those that `ionto calibrate --meter` knows. The instruments of a bench are
in `ionto_host.bench`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from ionto_host.errors import UsageError
from ionto_host.transport import simulators

Ask = Callable[[str], float]  # asks a person for a current in mA


@dataclass(frozen=True)
class Accuracy:
    """What a meter promises: its range, and how far off a reading may be, as ppm of the reading and a constant."""

    range_ua: float = float("inf")
    gain_ppm: float = 0.0
    offset_ua: float = 0.0

    def uncertainty_ua(self, current_ua: float) -> float:
        """Return how far off a reading of `current_ua` may be, in uA, once the meter's zero has been taken off."""
        return abs(current_ua) * self.gain_ppm / 1e6 + self.offset_ua


@dataclass(frozen=True)
class Sample:
    """One reading: `t_s` on the meter's own clock, seconds of an arbitrary beginning, and the current in uA."""

    t_s: float
    current_ua: float


class Meter(ABC):
    """An ammeter in series with the load.

    `name` says which one, `automatic` whether it reads without a person, `identification` what it is (maker, chip,
    address, serial number), `accuracy` what it promises.
    """

    name = ""
    automatic = True
    identification = ""
    accuracy = Accuracy()

    @abstractmethod
    def read_ua(self) -> float:
        """Return the current now, in uA; positive in the direction of the dose's polarity +."""

    def sample(self) -> Sample:
        """Return a reading with the time at which it was taken."""
        return Sample(time.monotonic(), self.read_ua())

    def close(self) -> None:
        """Let go of the instrument."""
        return


class TypedMeter(Meter):
    """A meter that a person reads and types in, in mA."""

    automatic = False
    identification = "read by a person"

    def __init__(self, name: str, ask: Ask, accuracy: Accuracy | None = None) -> None:
        self.name = name
        self._ask = ask
        self.accuracy = accuracy or Accuracy()

    def read_ua(self) -> float:
        """Return what the person types, in uA."""
        return self._ask("What does the reference meter show, in mA?") * 1_000


class SimulatorMeter(Meter):
    """The independent meter of the virtual Pico at `port`, of the only one that runs without."""

    identification = "true current of the simulated circuit"

    def __init__(self, name: str, port: str = "") -> None:
        self.name = name
        self._folder = simulators.folder_of(port) if port else None

    def read_ua(self) -> float:
        """Return the true current in the load now, in uA."""
        with simulators.connect(self._folder) as pico:
            return float(pico.meter().now_ua)


METERS: dict[str, Callable[[str, Ask, str], Meter]] = {
    "typed": lambda name, ask, port: TypedMeter(name or "typed in", ask),
    "sim": lambda name, ask, port: SimulatorMeter(name or "simulator's meter", port),
}


def open_meter(kind: str, name: str, ask: Ask, port: str = "") -> Meter:
    """Return the meter of `kind`, called `name`, for the board at `port`; `UsageError` for a kind that is not known."""
    try:
        return METERS[kind](name, ask, port)
    except KeyError:
        raise UsageError(f"there is no meter {kind!r}", f"Known: {', '.join(METERS)}.") from None
