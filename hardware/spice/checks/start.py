"""Start: how many edges turn the output on, what a stray edge does, and what flows while the power comes up."""

from __future__ import annotations

import numpy as np

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import LIMITS, TABLE, Check, Found, Limit
from hardware.spice.checks.common import SAVED, loaded
from hardware.spice.checks.dead_man import decay
from hardware.spice.engine import Waves, transient
from hardware.spice.spread import COLD_C, ROOM_C, WARM_C, corner
from hardware.spice.stimuli import BEAT_HZ, heartbeat, pwl

_FLOWING_UA = 100.0


def edges_until_on(board: Board, temp_c: float = ROOM_C, **settings: float) -> float:
    """Return the rising edge, counted from 1, at which more than 100 uA flow."""
    waves, _ = decay(board, False, temp_c, **settings)
    return float(int(measure.first_above_s(waves.x, measure.shunt_ua(waves), _FLOWING_UA) * BEAT_HZ) + 1)


def nominal_edges(board: Board) -> Found:
    """Return the edge that turns the output on at 27 C."""
    return {"27 C": edges_until_on(board)}


def edges_at_corners(board: Board) -> Found:
    """Return the edge that turns the output on at both ends of Q3's threshold and of temperature."""
    return {
        "threshold 0.8 V, 50 C": edges_until_on(board, WARM_C, **corner(board, low=("vth_q3_v",))),
        "threshold 1.5 V, 0 C": edges_until_on(board, COLD_C, **corner(board, high=("vth_q3_v",))),
    }


def stray_edge(board: Board) -> Found:
    """Return the largest current after one edge at full set-point, at the corner that turns on first, in uA."""
    found = {}
    ends = {**corner(board, low=("vth_q3_v", "C5")), **corner(board, high=("C4",))}
    for name, settings, temp in (("nominal", {}, ROOM_C), ("corner, 50 C", ends, WARM_C)):
        source, _ = heartbeat(1, stuck_high=True)
        deck = loaded(board).plus(heartbeat=source, duty=1.0, **settings).at(temp)
        found[name] = float(measure.shunt_ua(transient(deck, 20e-3, 2e-5, SAVED)).max())
    return found


def power_up(board: Board, rise_s: float, supply_s: float, temp_c: float) -> Waves:
    """Return the waves of both supplies coming up after 1 ms: the rail within `rise_s`, 3.3 V within `supply_s`."""
    rail = pwl([(0, 0), (1e-3, 0), (1e-3 + rise_s, 24.0)])
    supply = pwl([(0, 0), (1e-3, 0), (1e-3 + supply_s, 3.3)])
    deck = loaded(board, 10.0).plus(boost=rail, v3v3=supply, duty=0.0).at(temp_c)
    return transient(deck, 21e-3, 2e-5, SAVED)


_CASES = ((1e-3, 1e-3), (1e-4, 1e-3), (1e-3, 1e-4), (1e-4, 1e-2))


def _power_ups(board: Board) -> dict[str, Waves]:
    return {
        f"rail {rail * 1e3:g} ms, 3V3 {supply * 1e3:g} ms, {temp:g} C": power_up(board, rail, supply, temp)
        for rail, supply in _CASES
        for temp in (COLD_C, WARM_C)
    }


def _lead_ua(board: Board, waves: Waves) -> np.ndarray:
    """Return the current in the load, from the voltage across its 10 ohm, in uA."""
    return (waves.volt("E_PLUS") - waves.volt("E_MINUS")) / 10.0 * 1e6


def power_up_peak(board: Board) -> Found:
    """Return the largest current through the shunt while the power comes up, in mA."""
    return {case: float(np.abs(measure.shunt_ua(waves)).max()) / 1e3 for case, waves in _power_ups(board).items()}


def power_up_charge(board: Board) -> Found:
    """Return the charge through the load while the power comes up, in nC."""
    return {
        case: measure.charge_nc(waves.x, np.abs(_lead_ua(board, waves))) for case, waves in _power_ups(board).items()
    }


CHECKS = (
    Check("start", "rising edge that turns on", Limit(4, 4), "", TABLE, "250 Hz from rest", nominal_edges),
    Check(
        "start",
        "rising edge that turns on, tolerances",
        Limit(2, 8),
        "",
        LIMITS,
        "threshold spread, 0 and 50 C",
        edges_at_corners,
    ),
    Check("start", "current after one stray edge", Limit(high=0.5), "uA", TABLE, "duty 100 %, corner", stray_edge),
    Check(
        "start",
        "power-up, largest current",
        Limit(high=0.021),
        "mA",
        TABLE,
        "four orders of rising, 0 and 50 C",
        power_up_peak,
    ),
    Check("start", "power-up, charge", Limit(high=1.0), "nC", TABLE, "through the load", power_up_charge),
)
