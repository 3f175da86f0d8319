"""Transfer: current over duty, its linearity, what the op-amp's offset does, and 100 % duty at every tolerance."""

from __future__ import annotations

import numpy as np

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import FAULT, LIMITS, SECOND, TABLE, Check, Found, Limit, around
from hardware.spice.checks import ceiling
from hardware.spice.checks.common import current_ma, duty_of, duty_sweep, loaded
from hardware.spice.spread import COLD_C, ROOM_C, TEMPS_C, WARM_C, corner, samples
from ionto import pins
from ionto.limits import for_variant

_PARTS = ("R3", "R4", "R5", "R9", "R11")
_UP = {"high": ("R5", "reference_v", "vos_v"), "low": ("R3", "R4", "R9", "R11")}
_B_UP = {"high": _UP["high"], "low": ("R3", "R4", "R9", "R10", "R11")}
_SAMPLES = 60


def full(board: Board) -> Found:
    """Return the current at 100 % duty with nominal parts, in mA; in A the limiters hold less above 40 C."""
    return {f"{temp:g} C": current_ma(loaded(board).at(temp), 1.0) for temp in (COLD_C, ROOM_C)}


def largest_dose(board: Board) -> Found:
    """Return by how much the largest dose's current is off at 50 C with the limiters at their lowest, in %."""
    asked_ma = for_variant(board.variant).max_current_ua / 1e3
    ends = corner(board, high=ceiling.resistors(board), low=ceiling.BASES)
    flowing_ma = current_ma(loaded(board).plus(**ends).at(WARM_C), duty_of(board, asked_ma))
    return {f"{asked_ma:g} mA": abs(flowing_ma / asked_ma - 1) * 1e2}


def linearity(board: Board) -> Found:
    """Return the largest distance of the current from a straight line over 5 to 85 % duty, in uA: what doses ask."""
    found = {}
    for temp in TEMPS_C:
        waves = duty_sweep(loaded(board).at(temp), 0.05, 0.85, 0.05)
        current = measure.shunt_ua(waves)
        found[f"{temp:g} C"] = float(np.abs(current - np.polyval(np.polyfit(waves.x, current, 1), waves.x)).max())
    return found


def offset(board: Board) -> Found:
    """Return by how much 0.5 mV of op-amp offset moves the current, in uA."""
    deck = loaded(board)
    middle = current_ma(deck, 0.5)
    return {
        f"{sign * 0.5:+g} mV": abs(current_ma(deck.plus(vos_v=sign * 0.5e-3), 0.5) - middle) * 1e3 for sign in (-1, 1)
    }


def zero(board: Board) -> Found:
    """Return the current at duty 0 with the output on, at both ends of the offset, in uA."""
    return {
        f"{vos * 1e3:+g} mV": current_ma(loaded(board).plus(vos_v=vos), 0.0) * 1e3 for vos in (-0.5e-3, 0.0, 0.5e-3)
    }


def pwm_step(board: Board) -> Found:
    """Return the current of one step of the firmware's PWM in the middle of the range, in uA."""
    deck, middle = loaded(board), (pins.PWM_TOP // 2) / (pins.PWM_TOP + 1)
    waves = duty_sweep(deck, middle, middle + 64 / (pins.PWM_TOP + 1), 64 / (pins.PWM_TOP + 1))
    current = measure.shunt_ua(waves)
    return {f"TOP {pins.PWM_TOP}, {pins.PWM_FREQ_HZ} Hz": float(current[-1] - current[0]) / 64}


def full_at_corners(board: Board) -> Found:
    """Return the current at 100 % duty with every part at the end that raises it, and with random ones, in mA."""
    ends = _B_UP if board.variant == "B" else _UP
    found = {
        f"corner, {temp:g} C": current_ma(loaded(board).plus(**corner(board, **ends)).at(temp), 1.0) for temp in TEMPS_C
    }
    names = (*_PARTS, "reference_v", "vos_v", "v3v3")
    for index, settings in enumerate(samples(board, names, _SAMPLES)):
        found[f"sample {index}"] = current_ma(loaded(board).plus(**settings), 1.0)
    return found


def spare(board: Board) -> Found:
    """Return what 100 % duty gives at the lowest corner, in mA: more than the trip current."""
    low = {"high": ("R3", "R4", "R9", "R11"), "low": ("R5", "reference_v", "vos_v")}
    return {
        f"corner, {temp:g} C": current_ma(loaded(board).plus(**corner(board, **low)).at(temp), 1.0) for temp in TEMPS_C
    }


_SWEEP = "duty swept, output held on"
CHECKS = (
    Check("transfer", "current at 100 % duty", around(4.974, 0.001), "mA", TABLE, _SWEEP + ", 0 and 27 C", full),
    Check("transfer", "current at 100 % duty", around(24.95, 0.002), "mA", TABLE, _SWEEP + ", 0 and 27 C", full, "B"),
    Check("transfer", "largest dose, lowest limiters", Limit(high=0.1), "%", SECOND, "50 C, corner", largest_dose),
    Check("transfer", "largest dose, lowest limiters", Limit(high=0.1), "%", SECOND, "50 C, corner", largest_dose, "B"),
    Check("transfer", "INL", Limit(high=0.002), "uA", TABLE, "straight line, 5 to 85 %, 0 to 50 C", linearity),
    Check("transfer", "INL", Limit(high=0.01), "uA", TABLE, "straight line, 5 to 85 %, 0 to 50 C", linearity, "B"),
    Check("transfer", "one step of the PWM", around(1.215, 0.01), "uA", TABLE, "64 steps in the middle", pwm_step),
    Check("transfer", "one step of the PWM", around(6.09, 0.01), "uA", TABLE, "64 steps in the middle", pwm_step, "B"),
    Check("transfer", "shift by 0.5 mV offset", Limit(high=2.55), "uA", TABLE, _SWEEP, offset),
    Check("transfer", "shift by 0.5 mV offset", Limit(high=12.75), "uA", TABLE, _SWEEP, offset, "B"),
    Check("transfer", "current at duty 0, output on", Limit(high=10.0), "uA", "counts as off", "offset +-0.5 mV", zero),
    Check(
        "transfer",
        "PWM stuck at 100 %, tolerances",
        Limit(high=5.05),
        "mA",
        FAULT,
        f"corner at 0 to 50 C, {_SAMPLES} samples",
        full_at_corners,
    ),
    Check(
        "transfer",
        "PWM stuck at 100 %, tolerances",
        Limit(high=25.4),
        "mA",
        FAULT,
        f"corner at 0 to 50 C, {_SAMPLES} samples",
        full_at_corners,
        "B",
    ),
    Check("transfer", "100 % duty passes the trip current", Limit(low=4.4), "mA", LIMITS, "lowest corner", spare),
)
