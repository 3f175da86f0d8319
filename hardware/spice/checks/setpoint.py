"""Set-point: the filter's step response, PWM ripple, and the stability of the sink's loop."""

from __future__ import annotations

import numpy as np

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import ADR, LIMITS, TABLE, Check, Found, Limit
from hardware.spice.checks.common import SAVED, held, loaded
from hardware.spice.engine import Waves, transient
from hardware.spice.spread import TEMPS_C, corner
from hardware.spice.stimuli import PWM_HZ, load, pwm, skin, step

_STEP_S = 1e-3
_SLOWEST = ("C1", "C2", "R3", "R4", "R5")
_RIPPLE_END_S = 25e-3


def step_response(board: Board, temp_c: float = 27.0, **settings: float) -> Waves:
    """Return the waves of a step from 0 to 80 % duty 1 ms after the start."""
    deck = held(loaded(board).plus(duty=step(_STEP_S, 0.0, 0.8), **settings).at(temp_c))
    return transient(deck, 41e-3, 2e-5, SAVED)


def _settled_ms(waves: Waves, part: float) -> float:
    return (measure.settled_s(waves.x, measure.shunt_ua(waves), part) - _STEP_S) * 1e3


def to_one_percent(board: Board) -> Found:
    """Return the time to 1 % after a step, by temperature, in ms."""
    return {f"{temp:g} C": _settled_ms(step_response(board, temp), 1e-2) for temp in TEMPS_C}


def to_one_permille(board: Board) -> Found:
    """Return the time to 0.1 % after a step, by temperature, in ms."""
    return {f"{temp:g} C": _settled_ms(step_response(board, temp), 1e-3) for temp in TEMPS_C}


def to_one_permille_at_corner(board: Board) -> Found:
    """Return the time to 0.1 % with every part at its slow end, in ms."""
    return {"slow corner": _settled_ms(step_response(board, **corner(board, high=_SLOWEST)), 1e-3)}


def overshoot_percent(board: Board) -> Found:
    """Return by how much the current overshoots a step, in % of the step."""
    return {f"{temp:g} C": measure.overshoot(measure.shunt_ua(step_response(board, temp))) * 1e2 for temp in TEMPS_C}


def ripple(board: Board) -> Found:
    """Return the ripple at the PWM's frequency once settled, from SETPOINT, by duty, in uA peak to peak."""
    source_ohm = board.source_ohm()
    found = {}
    for duty in (0.2, 0.5, 0.8):
        deck = board.deck(("power", "pwm_switched", "setpoint")).plus(pwm=pwm(duty))
        waves = transient(deck, _RIPPLE_END_S, 5e-7, ("v(setpoint)",))
        tail = waves.x > _RIPPLE_END_S - 8 / PWM_HZ
        current = waves.volt("SETPOINT")[tail] / source_ohm * 1e6
        level = np.polyval(np.polyfit(waves.x[tail], current, 1), waves.x[tail])
        found[f"{duty:.0%}"] = float(np.ptp(current - level))
    return found


def loop_overshoot(board: Board) -> Found:
    """Return the overshoot of the sink's loop, stepped at SETPOINT, for loads from a short to skin, in %."""
    found = {}
    resistor, deep = ((2000.0, skin()), (400.0, skin(150.0, 500.0, 250e-9)))[board.variant == "B"]
    loads = {"short": (load(1.0),), "resistor": (load(resistor),), "skin": deep}
    for name, lines in loads.items():
        for cable in (0.0, 0.5e-9):
            deck = held(board.deck().plus(*lines, f"Ccable E_MINUS 0 {cable + 1e-15:g}"))
            deck = deck.plus(f"Vstep SETPOINT 0 {step(20e-6, 0.2, 0.6 if board.variant == 'A' else 0.4, 1e-8)}")
            waves = transient(deck, 220e-6, 2e-7, SAVED)
            current = measure.shunt_ua(waves)
            after = waves.x > 20e-6
            found[f"{name}, cable {cable * 1e12:g} pF"] = measure.overshoot(current[after]) * 1e2
    return found


_HOW = "duty 0 to 80 %, 0 to 50 C"
CHECKS = (
    Check("set-point", "time to 1 %", Limit(high=8.65), "ms", TABLE, _HOW, to_one_percent),
    Check("set-point", "time to 0.1 %", Limit(high=12.65), "ms", TABLE, _HOW, to_one_permille),
    Check(
        "set-point",
        "time to 0.1 %, tolerances",
        Limit(high=20.0),
        "ms",
        LIMITS,
        "slow corner",
        to_one_permille_at_corner,
    ),
    Check("set-point", "overshoot", Limit(high=0.01), "%", TABLE, _HOW, overshoot_percent),
    Check("set-point", "ripple, peak to peak", Limit(high=0.2), "uA", ADR, "PWM edge by edge", ripple),
    Check("set-point", "ripple, peak to peak", Limit(high=1.0), "uA", ADR, "PWM edge by edge", ripple, "B"),
    Check(
        "set-point",
        "overshoot of the sink's loop",
        Limit(high=25.0),
        "%",
        "stability",
        "step at SETPOINT",
        loop_overshoot,
    ),
    Check(
        "set-point",
        "overshoot of the sink's loop",
        Limit(high=25.0),
        "%",
        "stability",
        "step at SETPOINT",
        loop_overshoot,
        "B",
    ),
)
