"""What several checks share: a running output, sweeps of the duty, currents by variant."""

from __future__ import annotations

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.deck import Deck
from hardware.spice.engine import Waves, sweep
from hardware.spice.stimuli import load

SAVED = (
    "v(shunt_hi)",
    "v(sns)",
    "v(setpoint)",
    "v(pump)",
    "v(drain)",
    "v(hs_out)",
    "v(e_plus)",
    "v(e_minus)",
    "v(rail_24v)",
)
LOAD_OHM = {"A": 2000.0, "B": 200.0}
FULL_MA = {"A": 4.974, "B": 24.95}


def held(deck: Deck) -> Deck:
    """Return the deck with the pump's output held at 2.2 V, as a live heartbeat does: for operating points."""
    return deck.plus("Vheld PUMP 0 2.2")


def loaded(board: Board, ohm: float | None = None) -> Deck:
    """Return the whole board with a resistor between the electrodes, by default one that every current can pass."""
    return board.deck().plus(load(LOAD_OHM[board.variant] if ohm is None else ohm))


def duty_sweep(
    deck: Deck, start: float = 0.0, stop: float = 1.0, step: float = 0.05, saved: tuple[str, ...] = SAVED
) -> Waves:
    """Return the operating points of the held `deck` over the duty."""
    return sweep(held(deck), "Vduty", start, stop, step, saved)


def current_ma(deck: Deck, duty: float) -> float:
    """Return the current through the shunt at `duty` with the output held on, in mA."""
    waves = duty_sweep(deck, duty, duty + 0.001, 0.002)
    return float(measure.shunt_ua(waves)[0]) / 1e3


def duty_of(board: Board, current_ma: float) -> float:
    """Return the duty that asks for `current_ma`."""
    return current_ma / FULL_MA[board.variant]
