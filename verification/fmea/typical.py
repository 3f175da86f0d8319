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
    """What a converter shows; the defaults are a sound one. `fixed` in LSB of 10 uV; "stuck" is what it shows now."""

    what: str
    silent: bool = False
    fixed: int | str | None = None
    gain: float = 1.0
    offset_raw: int = 0
    vref: float = 1.0

    def apply(self, chip: Chip) -> None:
        """Let the chip show it from now on."""
        shown = chip.readout
        raw = chip.sensor.registers[1]
        shown.fixed = (raw - 0x10000 if raw & 0x8000 else raw) if self.fixed == "stuck" else _number(self.fixed)
        shown.silent, shown.gain, shown.offset_raw, shown.vref = self.silent, self.gain, self.offset_raw, self.vref


def _number(fixed: int | str | None) -> int | None:
    return fixed if isinstance(fixed, int) else None


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


Outside = Shows | Sticks | Resets
_PINS = ("PWM_SETPOINT", "HEARTBEAT", "BOOST_ENABLE", "POLARITY_RELAY")
_WAYS = {"high": (PIN_OHM, 1.0), "low": (PIN_OHM, 0.0), "float": (_FLOAT_OHM, 0.0)}

SENSOR: Mapping[str, Outside] = {
    "silent": Shows("no answer on I2C", silent=True),
    "stuck": Shows("the same reading for ever", fixed="stuck"),
    "zero": Shows("reads 0", fixed=0),
    "full": Shows("reads full scale", fixed=8_000),
    "gain:x0.5": Shows("reads half", gain=0.5),
    "gain:x0.9": Shows("reads 10 % too little", gain=0.9),
    "gain:x1.1": Shows("reads 10 % too much", gain=1.1),
    "gain:x2": Shows("reads twice", gain=2.0),
    "offset:+": Shows("reads 50 uA too much", offset_raw=50),
    "offset:-": Shows("reads 50 uA too little", offset_raw=-50),
}
PICO: Mapping[str, Outside] = {
    "reset": Resets("held in reset: every pin floats"),
    "VREF:-10%": Shows("the reference of its ADC is 10 % low", vref=0.9),
    "VREF:+10%": Shows("the reference of its ADC is 10 % high", vref=1.1),
    **{
        f"{name}:{word}": Sticks(f"{name} stuck {word}", getattr(pins, name), *way)
        for name in _PINS
        for word, way in _WAYS.items()
    },
}
_OUTSIDE: Mapping[str, Mapping[str, Outside]] = {"U5": SENSOR, "A1": PICO}


def outside(part: str) -> Mapping[str, Outside]:
    """Return the failures of a part that are not of the circuit, by name."""
    return _OUTSIDE.get(part, {})
