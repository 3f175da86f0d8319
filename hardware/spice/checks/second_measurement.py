"""The load's current measured a second time: what the INA226 before relay and leads sees when something leaks."""

from __future__ import annotations

from hardware.spice.board import Board
from hardware.spice.check import SECOND, Check, Found, Limit
from hardware.spice.checks.common import LOAD_OHM, SAVED, duty_of, duty_sweep, loaded
from hardware.spice.measure import SHUNT_OHM

_SAVED = (*SAVED, "v(hs_drain)")
_SHUNT_OHM = {"A": 10.0, "B": 10.0 * 3.32 / 13.32}
_CURRENTS_MA = {"A": (0.1, 0.5, 4.0), "B": (1.0, 10.0, 18.0)}
_LEAKS = {
    "none": (), "SNS 201 ohm to GND": ("Rleak SNS 0 201",), "SNS 4 k to GND": ("Rleak SNS 0 4k",),
    "DRAIN 100 k to GND": ("Rleak DRAIN 0 100k",), "E- 100 k to GND": ("Rleak E_MINUS 0 100k",),
}  # fmt: skip


def _seen(board: Board, current_ma: float, *lines: str, ohm: float | None = None) -> tuple[float, float, float, float]:
    """Return the load's current, what U7 and U5 read, in uA, and U7's bus voltage less the drain's, in V."""
    duty = duty_of(board, current_ma)
    load_ohm = LOAD_OHM[board.variant] if ohm is None else ohm
    waves = duty_sweep(loaded(board, load_ohm).plus(*lines), duty, duty + 1e-3, 1e-3, saved=_SAVED)
    names = ("E_PLUS", "E_MINUS", "HS_DRAIN", "HS_OUT", "SHUNT_HI", "DRAIN")
    volt = {name: float(waves.volt(name)[0]) for name in names}
    return (
        (volt["E_PLUS"] - volt["E_MINUS"]) / load_ohm * 1e6,
        (volt["HS_DRAIN"] - volt["HS_OUT"]) / _SHUNT_OHM[board.variant] * 1e6,
        volt["SHUNT_HI"] / SHUNT_OHM * 1e6,
        volt["HS_DRAIN"] - volt["DRAIN"],
    )


def off_the_load(board: Board) -> Found:
    """Return how far U7, less its reading at set-point 0, is off the load's current, in uA, with and without a leak.

    Its bias of 10 uA is taken as falling with the voltage at its inputs: the most that a data sheet leaves open.
    """
    load_ua, zero_ua, _, _ = _seen(board, 0.0)
    found = {}
    for name, lines in _LEAKS.items():
        for current_ma in _CURRENTS_MA[board.variant]:
            flowing_ua, read_ua, _, _ = _seen(board, current_ma, *lines)
            found[f"{current_ma:g} mA, {name}"] = abs((read_ua - zero_ua) - (flowing_ua - load_ua))
    return found


def told(board: Board) -> Found:
    """Return by how much U7 and U5 differ per microampere of the load's that U5 does not see, with a leak."""
    found = {}
    for name, lines in _LEAKS.items():
        if lines:
            _, sound_ua, control_ua, _ = _seen(board, 0.5)
            flowing_ua, read_ua, seen_ua, _ = _seen(board, 0.5, *lines)
            found[name] = ((read_ua - sound_ua) - (seen_ua - control_ua)) / (flowing_ua - seen_ua)
    return found


def load_volt(board: Board) -> Found:
    """Return by how many mV the bus pin less the drain tells 500 ohm from a short across the load at 0.5 mA."""
    *_, shorted_v = _seen(board, 0.5, ohm=0.1)
    *_, sound_v = _seen(board, 0.5, ohm=500.0)
    return {"500 ohm": (sound_v - shorted_v) * 1e3}


_HOW = "output on, set-points over the range"
CHECKS = (
    Check("second measurement", "U7 off the load's current", Limit(high=6.0), "uA", SECOND, _HOW, off_the_load),
    Check("second measurement", "U7 off the load's current", Limit(high=6.0), "uA", SECOND, _HOW, off_the_load, "B"),
    Check("second measurement", "difference to U5 per leak", Limit(0.98, 1.02), "", SECOND, "at 0.5 mA", told),
    Check("second measurement", "short of the load told by", Limit(low=200.0), "mV", SECOND, "at 0.5 mA", load_volt),
)
