"""A deck: blocks of the circuit, filled with values, and what is done to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from ionto_sim.spice.places import MODELS

HERE = Path(__file__).parent
BLOCKS = HERE / "blocks"
ROOM_C = 27.0

_PLACE = re.compile(r"\{([A-Za-z]\w*)\}")

# Blocks of the whole circuit; the PWM as its mean, which is what the filter leaves of it.
WHOLE = (
    "power",
    "pwm_average",
    "setpoint",
    "sink",
    "high_side",
    "dead_man",
    "interlock",
    "output",
    "sensing",
)
ONLY_B = {"sink": "sink_b", "high_side": "high_side_b"}

# What is no part of the schematic: sources, models and spreads. Text goes in as it is, numbers in SI units.
REST: Mapping[str, float | str] = {
    "boost": 24.0,
    "boost_ohm": 10.0,
    "v3v3": 3.3,
    "duty": 0.0,
    "pwm": 0.0,
    "reference": "LM4040",
    "reference_v": 2.5,
    "heartbeat": 0.0,
    "vbus": 0.0,
    "interlock_pin": 0.0,
    "interlock_pin_ohm": 1e9,
    "relay": 0.0,
    "relay_pin": 0.0,
    "relay_pin_ohm": 40.0,
    "relay_leak_a": 0.0,
    "relay_base_a": 0.0,
    "coil_ohm": 91.0,
    "sw1_ohm": 0.1,
    "vos_v": 0.0,
    "vth_q1_v": 0.0,
    "vth_q2_v": 0.0,
    "vth_q3_v": 0.0,
    "vth_q5_v": 0.0,
    "vth_q8_v": 0.0,
    "vbe_q4_v": 0.0,
    "vbe_q9_v": 0.0,
    "vbe_q6_v": 0.0,
    "opamp": "MCP6022",
    "sink_fet": "BSS138",
    "high_fet": "BSS84",
    "enable_fet": "BSS138",
    "pump_diode": "BAS70",
    "hold_bjt": "BC847B",
    "relay_fet": "AO3401A",
}


class DeckError(Exception):
    """A netlist that cannot be made: a value that no part gives."""


@dataclass(frozen=True)
class Deck:
    """One circuit: block names, values by designator (ohm, farad) or stimulus, further lines, temperature in C."""

    values: Mapping[str, float | str]
    blocks: tuple[str, ...] = WHOLE
    lines: tuple[str, ...] = ()
    temp_c: float = ROOM_C
    options: tuple[str, ...] = ()
    settings: Mapping[str, float | str] = field(default_factory=dict)

    def plus(self, *lines: str, **settings: float | str) -> Deck:
        """Return the deck with `lines` added and `settings` (a designator or a key of `REST`) changed."""
        return replace(self, lines=self.lines + lines, settings={**self.settings, **settings})

    def at(self, temp_c: float) -> Deck:
        """Return the deck at `temp_c`."""
        return replace(self, temp_c=temp_c)

    def text(self, analysis: str) -> str:
        """Return the netlist with `analysis` (".tran ...", ".dc ..."); DeckError when a value is missing."""
        filled = {**REST, **self.values, **self.settings}
        body = [fill(block_text(name), filled, name) for name in self.blocks]
        options = " ".join((f"temp={self.temp_c:g}", "tnom=27", "gmin=1e-13", "method=gear", *self.options))
        return "\n".join(
            ("* IontoPico", f".include {MODELS}", *body, *self.lines, f".options {options}", analysis, ".end", "")
        )


@cache
def block_text(name: str) -> str:
    """Return the template of the block `name`."""
    return (BLOCKS / f"{name}.cir").read_text(encoding="ascii")


def fill(template: str, values: Mapping[str, float | str], name: str) -> str:
    """Return `template` with every {placeholder} replaced; DeckError naming those without a value."""
    missing = sorted({key for key in _PLACE.findall(template) if key not in values})
    if missing:
        raise DeckError(f"block {name}: no value for {', '.join(missing)}; is it in the schematic's netlist?")
    return _PLACE.sub(lambda match: _number(values[match.group(1)]), template)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"


def designators(blocks: Iterable[str]) -> set[str]:
    """Return the designators (R12, C5) whose values the templates of `blocks` ask for."""
    found = {key for name in blocks for key in _PLACE.findall(block_text(name))}
    return {key for key in found if key not in REST}
