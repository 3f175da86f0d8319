"""The limiter alone: the sink asks for all it can get, and only R12 and Q4 hold the current."""

from __future__ import annotations

from hardware.spice.board import Board
from hardware.spice.check import ADR, LIMITS, TABLE, Check, Found, Limit, around
from hardware.spice.checks.common import current_ma, loaded
from hardware.spice.spread import COLD_C, HOT_C, ROOM_C, corner

_LOADS_OHM = {"A": (1.0, 1000.0), "B": (1.0, 100.0)}


def _limiter(board: Board, temp_c: float, **settings: float) -> Found:
    """Return the current with the op-amp stuck high, by load, in mA."""
    return {
        f"{ohm:g} ohm, {temp_c:g} C": current_ma(
            loaded(board, ohm).plus(opamp="STUCK_HIGH", **settings).at(temp_c), 0.0
        )
        for ohm in _LOADS_OHM[board.variant]
    }


def _parts(board: Board) -> tuple[str, ...]:
    return ("R12", "R13") if board.variant == "B" else ("R12",)


def cold(board: Board) -> Found:
    """Return the ceiling at 0 C, in mA."""
    return _limiter(board, COLD_C)


def room(board: Board) -> Found:
    """Return the ceiling at 27 C, in mA."""
    return _limiter(board, ROOM_C)


def hot(board: Board) -> Found:
    """Return the ceiling at 55 C, in mA."""
    return _limiter(board, HOT_C)


def highest(board: Board) -> Found:
    """Return the ceiling at 0 C with R12 low, Q4's Vbe high and Q2's threshold at both ends, in mA."""
    ends = corner(board, high=("vbe_q4_v",), low=_parts(board))
    return {
        f"{case}, Q2 {q2}": value
        for q2, side in (("early", {"high": ("vth_q2_v",)}), ("late", {"low": ("vth_q2_v",)}))
        for case, value in _limiter(board, COLD_C, **ends, **corner(board, **side)).items()
    }


def lowest(board: Board) -> Found:
    """Return the ceiling at 55 C with R12 high and Q4's Vbe low, in mA."""
    return _limiter(board, HOT_C, **corner(board, high=_parts(board), low=("vbe_q4_v",)))


_HOW = "op-amp stuck high, two loads"
CHECKS = (
    Check("limiter", "ceiling at 0 C", around(6.03, 0.01), "mA", TABLE, _HOW, cold),
    Check("limiter", "ceiling at 27 C", around(5.61, 0.01), "mA", TABLE, _HOW, room),
    Check("limiter", "ceiling at 55 C", around(5.17, 0.01), "mA", TABLE, _HOW, hot),
    Check("limiter", "ceiling at 0 C", around(30.8, 0.015), "mA", TABLE, _HOW, cold, "B"),
    Check("limiter", "ceiling at 27 C", around(28.6, 0.015), "mA", TABLE, _HOW, room, "B"),
    Check("limiter", "ceiling at 55 C", around(26.3, 0.015), "mA", TABLE, _HOW, hot, "B"),
    Check("limiter", "highest ceiling, tolerances", Limit(high=6.35), "mA", ADR, _HOW + ", 0 C, corner", highest),
    Check("limiter", "highest ceiling, tolerances", Limit(high=32.5), "mA", ADR, _HOW + ", 0 C, corner", highest, "B"),
    Check("limiter", "lowest ceiling over the trip current", Limit(low=4.4), "mA", LIMITS, _HOW + ", 55 C", lowest),
    Check(
        "limiter", "lowest ceiling over the trip current", Limit(low=20.0), "mA", LIMITS, _HOW + ", 55 C", lowest, "B"
    ),
)
