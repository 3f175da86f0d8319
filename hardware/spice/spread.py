"""How far parts stray from their value: tolerances of the schematic, device spreads of the datasheets, temperatures.

A corner moves chosen parts to their limits; a sample puts every part at random within its limits (seeded).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hardware.spice.board import Board

COLD_C, ROOM_C, WARM_C, HOT_C = 0.0, 27.0, 50.0, 55.0
TEMPS_C = (COLD_C, ROOM_C, WARM_C)
SEED = 20_24


@dataclass(frozen=True)
class Range:
    """Limits of one setting of a deck, and where they come from. SI units."""

    name: str
    low: float
    high: float
    source: str


DEVICES = (
    Range("vth_q3_v", -0.5, 0.2, "BSS138/D: threshold 0.8, 1.3, 1.5 V at 1 mA"),
    Range("vth_q5_v", -0.5, 0.2, "BSS138/D"),
    Range("vth_q1_v", -0.5, 0.2, "BSS138/D"),
    Range("vth_q2_v", -0.9, 0.3, "BSS84/D: threshold -0.8, -1.7, -2.0 V at 1 mA"),
    Range("vbe_q4_v", -0.02, 0.02, "3906: factor 2 in saturation current"),
    Range("vbe_q9_v", -0.02, 0.02, "3906"),
    Range("vbe_q6_v", -0.075, 0.045, "BC847 series: 0.58, 0.655, 0.70 V at 2 mA"),
    Range("vth_q8_v", -0.4, 0.4, "AO3401A: threshold -0.5, -0.9, -1.3 V at 0.25 mA"),
    Range("relay_leak_a", 0.0, 0.5e-6, "BAS70: 0.1 uA at 25 C and 50 V, five times as much at 50 C"),
    Range("relay_base_a", 0.0, 0.1e-6, "BC847B: hFE down to 60 at 10 uA"),
    Range("relay_pin_ohm", 20.0, 170.0, "RP2040: at least 2.62 of 3.3 V at 4 mA"),
    Range("coil_ohm", 81.9, 100.1, "G6K-2F-Y: 91 ohm, 10 %, at 23 C"),
    Range("vos_v", -0.5e-3, 0.5e-3, "MCP6022, DS20001685"),
    Range("v3v3", 3.234, 3.366, "Pico's RT6150 regulator, 2 %"),
    Range("reference_v", 2.4913, 2.5087, "LM4040A: 0.1 %, and 100 ppm/K over 25 K"),
)
_DEVICE = {device.name: device for device in DEVICES}


def corner(board: Board, high: tuple[str, ...] = (), low: tuple[str, ...] = ()) -> dict[str, float]:
    """Return the settings with the parts or devices named in `high` and `low` at those limits, the others nominal."""
    ends = {name: _limit(board, name, 1) for name in high}
    ends.update({name: _limit(board, name, -1) for name in low})
    return ends


def samples(board: Board, names: tuple[str, ...], count: int) -> Iterator[Mapping[str, float]]:
    """Yield `count` settings with every part of `names` at random within its limits; the same in each run."""
    chance = random.Random(SEED)
    for _ in range(count):
        yield {name: chance.uniform(_limit(board, name, -1), _limit(board, name, 1)) for name in names}


def _limit(board: Board, name: str, side: int) -> float:
    if name in _DEVICE:
        return _DEVICE[name].high if side > 0 else _DEVICE[name].low
    return board.ohm_or_farad(name) * (1 + side * board.tolerance(name))
