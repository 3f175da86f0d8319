"""An electrode lifts and touches again: judged by charge and by the time above the ceiling, never by the peak."""

from __future__ import annotations

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import ADR, Check, Found, Limit
from hardware.spice.checks.common import duty_of, held
from hardware.spice.deck import Deck
from hardware.spice.engine import Waves, transient
from hardware.spice.rawfile import Vector
from hardware.spice.stimuli import pulses

LIFT_S, TOUCH_S, END_S = 200e-6, 1.2e-3, 1.3e-3
_WINDOW_S = 60e-6
_CABLE_F = 100e-12
_CASES = {
    "A": ((1.0, 2000.0), (2.0, 1000.0), (2.0, 5000.0), (4.0, 1000.0), (4.0, 2000.0), (4.0, 4000.0)),
    "B": ((5.0, 500.0), (15.0, 200.0), (15.0, 500.0)),
}
_ABOVE_UA = {"A": 6000.0, "B": 30800.0}


def touched(board: Board, current_ma: float, ohm: float, with_c6: bool = False, step_s: float = 2e-7) -> Waves:
    """Return the waves of a load of `ohm` at `current_ma` that lifts for 1 ms and touches again; 100 pF of cable."""
    deck: Deck = held(board.deck()).plus(
        f"Rload E_PLUS LOAD {ohm:g}",
        "Vload LOAD CONTACT_END 0",
        "Scontact CONTACT_END E_MINUS TOUCHES 0 CONTACT",
        f"Vtouches TOUCHES 0 {pulses([(LIFT_S, 0.0), (TOUCH_S, 1.0)], 1.0)}",
        f"Ccable E_PLUS E_MINUS {_CABLE_F:g}",
        duty=duty_of(board, current_ma),
        **({} if with_c6 else {"C6": 1e-18}),
    )
    return transient(deck, END_S, step_s, ("i(vload)", "v(shunt_hi)", "v(drain)", "v(oa_out)"))


def load_ua(waves: Waves) -> Vector:
    """Return the current through the load, in uA."""
    return waves.ampere("vload") * 1e6


def _after(waves: Waves) -> tuple[Vector, Vector]:
    """Return time and load current of the 60 us after the touch."""
    here = (waves.x >= TOUCH_S) & (waves.x <= TOUCH_S + _WINDOW_S)
    return waves.x[here], load_ua(waves)[here]


def excess_charge(board: Board, with_c6: bool = False) -> Found:
    """Return the charge beyond the set-point in 60 us after the touch, in nC."""
    found = {}
    for current_ma, ohm in _CASES[board.variant]:
        x, current = _after(touched(board, current_ma, ohm, with_c6))
        found[f"{current_ma:g} mA, {ohm:g} ohm"] = measure.charge_nc(x, (current - current_ma * 1e3).clip(min=0.0))
    return found


def excess_charge_with_c6(board: Board) -> Found:
    """Return the same with the EMI capacitor fitted, in nC."""
    return excess_charge(board, with_c6=True)


def time_above(board: Board, with_c6: bool = False) -> Found:
    """Return for how long the load's current is above the ceiling after the touch, in us."""
    level = _ABOVE_UA[board.variant]
    return {
        f"{current_ma:g} mA, {ohm:g} ohm": measure.time_above_us(
            *_after(touched(board, current_ma, ohm, with_c6)), level
        )
        for current_ma, ohm in _CASES[board.variant]
    }


def time_above_with_c6(board: Board) -> Found:
    """Return the same with the EMI capacitor fitted, in us."""
    return time_above(board, with_c6=True)


def step_independence(board: Board) -> Found:
    """Return by how much the charge changes with a five times finer time step, in %: it may be judged."""
    charges = []
    for step_s in (2e-7, 4e-8):
        x, current = _after(touched(board, 4.0, 1000.0, step_s=step_s))
        charges.append(measure.charge_nc(x, current))
    return {"4 mA, 1000 ohm": abs(charges[1] / charges[0] - 1) * 1e2}


def while_lifted(board: Board) -> Found:
    """Return the current through the shunt and the drain's voltage while lifted, in uA: what the firmware sees."""
    found = {}
    for current_ma, ohm in _CASES[board.variant]:
        waves = touched(board, current_ma, ohm)
        found[f"{current_ma:g} mA, {ohm:g} ohm"] = float(
            measure.between(waves, measure.shunt_ua(waves), TOUCH_S - 1e-4, TOUCH_S - 1e-5).max()
        )
    return found


_HOW = "1 ms off a resistor; 60 us after the touch"
CHECKS = (
    Check("re-contact", "charge beyond set-point, 100 pF", Limit(high=30.0), "nC", ADR, _HOW, excess_charge),
    Check("re-contact", "time above 6 mA, 100 pF", Limit(high=1.6), "us", ADR, _HOW, time_above),
    Check("re-contact", "charge beyond set-point, with C6", Limit(high=42.0), "nC", ADR, _HOW, excess_charge_with_c6),
    Check("re-contact", "time above 6 mA, with C6", Limit(high=4.5), "us", ADR, _HOW, time_above_with_c6),
    Check(
        "re-contact", "charge beyond set-point, with C6", Limit(high=140.0), "nC", ADR, _HOW, excess_charge_with_c6, "B"
    ),
    Check("re-contact", "charge by time step", Limit(high=2.0), "%", "validity", "200 and 40 ns", step_independence),
    Check("re-contact", "current while lifted", Limit(high=10.0), "uA", "counts as off", _HOW, while_lifted),
)
