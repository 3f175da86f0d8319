"""The breadboard of `hardware/build_guide.md`: the same circuit with through-hole parts, no relay, no interlock.

Its load is a resistor, so it has one part where the board has two.
"""

from __future__ import annotations

from collections.abc import Mapping

from hardware.spice.board import Board
from hardware.spice.deck import Deck

BLOCKS = ("power", "pwm_average", "setpoint", "sink", "high_side", "dead_man", "breadboard_output", "sensing")

# Values that differ from the board's, in ohm and farad. The PWM pin itself drives the filter: 13k instead of 20k brings
# 3.3 V to the 1.00 V that 2.5 V gives there. BAT85 drop less than BAS70: smaller R17 keeps the dead-man below 110 ms.
# The second parts of the board are bridged (R50, R51, R54, R55, C23) or left out (R48, R49, R59, Q9).
VALUES: Mapping[str, float] = {
    "R5": 13e3, "R1": 0.1, "R17": 360e3, "C4": 22e-9, "R14": 220e3, "R15": 180e3, "R22": 10e6,
    **dict.fromkeys(("R50", "R51", "R55"), 0.1), "R54": 1e3, **dict.fromkeys(("R48", "R49", "R59"), 1e12),
    "C23": 1e-3, "vbe_q9_v": 5.0,
}  # fmt: skip
MODELS: Mapping[str, str] = {
    "sink_fet": "ZVNL110A",
    "high_fet": "ZVP2106A",
    "enable_fet": "ZVNL110A",
    "pump_diode": "BAT85",
    "reference": "REFERENCE_OPEN",
}
OPAMPS = ("MCP6022", "MCP6002")

# ZVNL110A: threshold 0.75 to 1.5 V at 1 mA, 1.2 V in the middle. Metal film 1 %, film capacitors 5 %, 3.3 V 2 %.
THRESHOLD_V = (-0.45, 0.3)
RESISTOR, CAPACITOR, SUPPLY = 0.01, 0.05, 0.02


def deck(board: Board, opamp: str = OPAMPS[0], load_ohm: float = 2200.0) -> Deck:
    """Return the breadboard with a resistor between the output terminals."""
    plain = board.deck(BLOCKS)
    return plain.plus(f"Rload E_PLUS E_MINUS {load_ohm:g}", **MODELS, **VALUES, opamp=opamp)


def stray(
    deck_values: Mapping[str, float | str], high: tuple[str, ...] = (), low: tuple[str, ...] = ()
) -> dict[str, float]:
    """Return the parts named in `high` and `low` at the ends of what through-hole parts have."""
    ends = {}
    for names, side in ((high, 1), (low, -1)):
        for name in names:
            part = CAPACITOR if name.startswith("C") else RESISTOR
            ends[name] = float(deck_values[name]) * (1 + side * part)
    return ends
