"""Compliance: the largest load between the electrodes through which a current still flows within 1 %."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import TABLE, Check, Found, Limit
from hardware.spice.checks.common import SAVED, duty_of, held
from hardware.spice.engine import Waves, sweep
from hardware.spice.spread import TEMPS_C
from hardware.spice.stimuli import load

_LOST = 0.99
_ROUNDED = 0.99  # the table gives two or three digits
# The design's first table less the leads that the first revision had, 440 ohm [94].
_TABLE_KOHM = {
    "A": ((1, 23.46), (2, 11.36), (3, 7.36), (4, 5.26), (5, 4.06)),
    "B": ((10, 2.246), (15, 1.436), (20, 1.036), (25, 0.786)),
}


def load_sweep(board: Board, current_ma: float, most_ohm: float, temp_c: float = 27.0) -> Waves:
    """Return the operating points over the load's resistance from 1 % to all of `most_ohm`, asking for `current_ma`."""
    duty = min(1.0, duty_of(board, current_ma))
    deck = held(board.deck().plus(load(1.0), duty=duty).at(temp_c))
    return sweep(deck, "Rload", most_ohm / 100, most_ohm, most_ohm / 400, SAVED)


def largest_kohm(board: Board, current_ma: float, most_kohm: float, temp_c: float = 27.0) -> float:
    """Return the load at which the current has lost 1 %, in kohm, on a straight line between two points."""
    waves = load_sweep(board, current_ma, most_kohm * 1e3, temp_c)
    current = measure.shunt_ua(waves)
    below = int(np.argmax(current < _LOST * current[0]))
    if below == 0:
        return float("nan")
    part = (current[below - 1] - _LOST * current[0]) / (current[below - 1] - current[below])
    ohm = waves.x[below - 1] + part * (waves.x[below] - waves.x[below - 1])
    return float(ohm) / 1e3


def _measure(current_ma: float, table_kohm: float) -> Callable[[Board], Found]:
    def measured(board: Board) -> Found:
        return {f"{temp:g} C": largest_kohm(board, current_ma, 1.2 * table_kohm, temp) for temp in TEMPS_C}

    return measured


CHECKS = tuple(
    Check(
        "compliance",
        f"load at {current} mA",
        Limit(low=_ROUNDED * kohm),
        "kohm",
        TABLE,
        f"-1 % of the current at 24 V, 0 to 50 C; {kohm:g} less rounding",
        _measure(current, kohm),
        variant,
    )
    for variant, rows in _TABLE_KOHM.items()
    for current, kohm in rows
)
