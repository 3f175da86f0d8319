"""The load's current measured a second time: what the INA226 before switch, relay and leads sees."""

from __future__ import annotations

from hardware.spice.board import Board
from hardware.spice.check import SECOND, Check, Found, Limit
from hardware.spice.checks.common import LOAD_OHM, SAVED, duty_of, duty_sweep, loaded
from hardware.spice.measure import SHUNT_OHM

_SAVED = (*SAVED, "v(hs_src)", "v(hs_shunt)")
_SHUNT_OHM = {"A": 10.0, "B": 10.0 * 3.32 / 13.32}
_CURRENTS_MA = {"A": (0.1, 0.5, 4.0), "B": (1.0, 10.0, 18.0)}
_LEAKS = {
    "none": (), "SNS 201 ohm to GND": ("Rleak SNS 0 201",), "SNS 4 k to GND": ("Rleak SNS 0 4k",),
    "DRAIN 100 k to GND": ("Rleak DRAIN 0 100k",), "E- 100 k to GND": ("Rleak E_MINUS 0 100k",),
}  # fmt: skip


def _seen(board: Board, current_ma: float, *lines: str) -> tuple[float, float, float]:
    """Return the load's current and what U7 and U5 read, in uA."""
    duty = duty_of(board, current_ma)
    load_ohm = LOAD_OHM[board.variant]
    waves = duty_sweep(loaded(board, load_ohm).plus(*lines), duty, duty + 1e-3, 1e-3, saved=_SAVED)
    names = ("E_PLUS", "E_MINUS", "HS_SRC", "HS_SHUNT", "SHUNT_HI")
    volt = {name: float(waves.volt(name)[0]) for name in names}
    return (
        (volt["E_PLUS"] - volt["E_MINUS"]) / load_ohm * 1e6,
        (volt["HS_SRC"] - volt["HS_SHUNT"]) / _SHUNT_OHM[board.variant] * 1e6,
        volt["SHUNT_HI"] / SHUNT_OHM * 1e6,
    )


def off_the_load(board: Board) -> Found:
    """Return how far U7, less its reading at set-point 0, is off the load's current, in uA, with and without a leak.

    Its bias of 10 uA is taken as falling with the voltage at its inputs: the most that a data sheet leaves open.
    """
    load_ua, zero_ua, _ = _seen(board, 0.0)
    found = {}
    for name, lines in _LEAKS.items():
        for current_ma in _CURRENTS_MA[board.variant]:
            flowing_ua, read_ua, _ = _seen(board, current_ma, *lines)
            found[f"{current_ma:g} mA, {name}"] = abs((read_ua - zero_ua) - (flowing_ua - load_ua))
    return found


def told(board: Board) -> Found:
    """Return by how much U7 and U5 differ per microampere of the load's that U5 does not see, with a leak."""
    found = {}
    for name, lines in _LEAKS.items():
        if lines:
            _, sound_ua, control_ua = _seen(board, 0.5)
            flowing_ua, read_ua, seen_ua = _seen(board, 0.5, *lines)
            found[name] = ((read_ua - sound_ua) - (seen_ua - control_ua)) / (flowing_ua - seen_ua)
    return found


_HOW = "output on, set-points over the range"
CHECKS = (
    Check("second measurement", "U7 off the load's current", Limit(high=6.0), "uA", SECOND, _HOW, off_the_load),
    Check("second measurement", "U7 off the load's current", Limit(high=6.0), "uA", SECOND, _HOW, off_the_load, "B"),
    Check("second measurement", "difference to U5 per leak", Limit(0.98, 1.02), "", SECOND, "at 0.5 mA", told),
)
