"""The two limiters alone: the sink asks for all it can get, and only R12 with Q4 and R51 with Q9 hold the current."""

from __future__ import annotations

from hardware.spice.board import Board
from hardware.spice.check import LIMITS, SECOND, Check, Found, Limit, around
from hardware.spice.checks.common import current_ma, loaded
from hardware.spice.spread import COLD_C, HOT_C, ROOM_C, corner

_LOADS_OHM = {"A": (1.0, 1000.0), "B": (1.0, 100.0)}
OFF = {"Q4": "vbe_q4_v", "Q9": "vbe_q9_v"}  # the setting that takes a limiter's transistor off the board, at 5 V
BASES = tuple(OFF.values())


def _limiter(board: Board, temp_c: float, **settings: float) -> Found:
    """Return the current with the op-amp stuck high, by load, in mA."""
    return {
        f"{ohm:g} ohm, {temp_c:g} C": current_ma(
            loaded(board, ohm).plus(opamp="STUCK_HIGH", **settings).at(temp_c), 0.0
        )
        for ohm in _LOADS_OHM[board.variant]
    }


def resistors(board: Board) -> tuple[str, ...]:
    """Return the resistors that set both ceilings of the board's variant."""
    return ("R12", "R51", "R13", "R53") if board.variant == "B" else ("R12", "R51")


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
    """Return the ceiling at 0 C, parts at their worst: both limiters and each alone, Q2 early and late, in mA."""
    ends = corner(board, high=BASES, low=resistors(board))
    return {
        f"{case}, Q2 {q2}, {missing or 'none'} missing": value
        for q2, side in (("early", {"high": ("vth_q2_v",)}), ("late", {"low": ("vth_q2_v",)}))
        for missing in ("", *OFF)
        for case, value in _limiter(
            board, COLD_C, **{**ends, **corner(board, **side), **({OFF[missing]: 5.0} if missing else {})}
        ).items()
    }


def lowest(board: Board) -> Found:
    """Return the ceiling at 55 C with the resistors high and both Vbe low, in mA."""
    return _limiter(board, HOT_C, **corner(board, high=resistors(board), low=BASES))


_HOW = "op-amp stuck high, two loads"
CHECKS = (
    Check("limiter", "ceiling at 0 C", around(5.55, 0.01), "mA", SECOND, _HOW, cold),
    Check("limiter", "ceiling at 27 C", around(5.14, 0.01), "mA", SECOND, _HOW, room),
    Check("limiter", "ceiling at 55 C", around(4.70, 0.01), "mA", SECOND, _HOW, hot),
    Check("limiter", "ceiling at 0 C", around(29.5, 0.015), "mA", SECOND, _HOW, cold, "B"),
    Check("limiter", "ceiling at 27 C", around(27.3, 0.015), "mA", SECOND, _HOW, room, "B"),
    Check("limiter", "ceiling at 55 C", around(25.0, 0.015), "mA", SECOND, _HOW, hot, "B"),
    Check("limiter", "highest ceiling, tolerances", Limit(high=6.0), "mA", SECOND, _HOW + ", 0 C, corner", highest),
    Check(
        "limiter", "highest ceiling, tolerances", Limit(high=32.0), "mA", SECOND, _HOW + ", 0 C, corner", highest, "B"
    ),
    Check("limiter", "lowest ceiling over the trip current", Limit(low=4.4), "mA", LIMITS, _HOW + ", 55 C", lowest),
    Check(
        "limiter", "lowest ceiling over the trip current", Limit(low=20.0), "mA", LIMITS, _HOW + ", 55 C", lowest, "B"
    ),
)
