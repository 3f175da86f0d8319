"""How parts fail that is more than a resistance between pins, and what no pin of the netlist tells.

What the circuit's model knows of a part (an output that sticks, a converter that runs away) is in its own table,
`ionto_sim.spice.parts`; here is what leaks, what a converter shows of a sound voltage, and pins of the Pico that stick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ionto import pins
from ionto_sim.spice.parts import PIN_OHM

if TYPE_CHECKING:
    from verification.fmea.chip import Chip

LEAKY_OHM = 100_000.0  # a junction or a gate oxide that was damaged, by static charge for example
_FLOAT_OHM = 1e8

# Letters of the reference, and the pairs of pins by name between which such a part leaks.
LEAKY: dict[str, tuple[tuple[str, str], ...]] = {
    "Q": (("G", "S"), ("G", "D"), ("D", "S"), ("B", "E"), ("B", "C"), ("C", "E")),
    "D": (("A", "K"), ("A", "AK"), ("AK", "K"), ("A", "COM"), ("B", "COM")),
    "C": (("1", "2"),),
}


@dataclass(frozen=True)
class Shows:
    """What a sensor `part` shows; the defaults are a sound one. `fixed` in its LSB; "stuck" is what it shows now."""

    part: str
    what: str
    silent: bool = False
    fixed: int | str | None = None
    gain: float = 1.0
    offset_raw: int = 0

    def apply(self, chip: Chip) -> None:
        """Let the chip show it from now on."""
        shown = chip.readouts[self.part]
        raw = chip.sensors[self.part].registers[1]
        shown.fixed = (raw - 0x10000 if raw & 0x8000 else raw) if self.fixed == "stuck" else _number(self.fixed)
        shown.silent, shown.gain, shown.offset_raw = self.silent, self.gain, self.offset_raw


def _number(fixed: int | str | None) -> int | None:
    return fixed if isinstance(fixed, int) else None


@dataclass(frozen=True)
class Refers:
    """The reference of the Pico's ADC is `factor` of what it should be."""

    what: str
    factor: float

    def apply(self, chip: Chip) -> None:
        """Let it be so from now on."""
        chip.adc_vref = self.factor


@dataclass(frozen=True)
class Sticks:
    """A pin of the Pico that does what it does whatever the firmware says."""

    what: str
    gpio: int
    ohm: float
    level: float

    def apply(self, chip: Chip) -> None:
        """Let the pin do so from now on."""
        chip.stuck[self.gpio] = (self.ohm, self.level)
        chip.drive(self.gpio, self.ohm, self.level)


@dataclass(frozen=True)
class Resets:
    """The chip is held in reset."""

    what: str

    def apply(self, chip: Chip) -> None:
        """Reset it."""
        chip.die()


Outside = Shows | Refers | Sticks | Resets
_PINS = ("PWM_SETPOINT", "HEARTBEAT", "BOOST_ENABLE", "POLARITY_RELAY")
_WAYS = {"high": (PIN_OHM, 1.0), "low": (PIN_OHM, 0.0), "float": (_FLOAT_OHM, 0.0)}


def _sensor(part: str, full_raw: int, raw_50_ua: int) -> Mapping[str, Outside]:
    """Return how the sensor `part` fails; its register ends at `full_raw` and has `raw_50_ua` at 50 uA in variant A."""
    return {
        "silent": Shows(part, "no answer on I2C", silent=True),
        "stuck": Shows(part, "the same reading for ever", fixed="stuck"),
        "zero": Shows(part, "reads 0", fixed=0),
        "full": Shows(part, "reads full scale", fixed=full_raw),
        "gain:x0.5": Shows(part, "reads half", gain=0.5),
        "gain:x0.9": Shows(part, "reads 10 % too little", gain=0.9),
        "gain:x1.1": Shows(part, "reads 10 % too much", gain=1.1),
        "gain:x2": Shows(part, "reads twice", gain=2.0),
        "offset:+": Shows(part, "reads 50 uA too much", offset_raw=raw_50_ua),
        "offset:-": Shows(part, "reads 50 uA too little", offset_raw=-raw_50_ua),
    }


PICO: Mapping[str, Outside] = {
    "reset": Resets("held in reset: every pin floats"),
    "VREF:-10%": Refers("the reference of its ADC is 10 % low", 0.9),
    "VREF:+10%": Refers("the reference of its ADC is 10 % high", 1.1),
    **{
        f"{name}:{word}": Sticks(f"{name} stuck {word}", getattr(pins, name), *way)
        for name in _PINS
        for word, way in _WAYS.items()
    },
}
_OUTSIDE: Mapping[str, Mapping[str, Outside]] = {
    "U5": _sensor("U5", 8_000, 50),
    "U7": _sensor("U7", 0x7FFF, 200),
    "A1": PICO,
}


def outside(part: str) -> Mapping[str, Outside]:
    """Return the failures of a part that are not of the circuit, by name."""
    return _OUTSIDE.get(part, {})
