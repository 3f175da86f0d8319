"""Boost and rail: the clamp, a rail that sags and comes back, a boost that stops."""

from __future__ import annotations

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import ADR, FAULT, Check, Found, Limit
from hardware.spice.checks.common import SAVED, duty_of, held, loaded
from hardware.spice.engine import sweep, transient
from hardware.spice.rawfile import Vector
from hardware.spice.spread import TEMPS_C
from hardware.spice.stimuli import load, pwl

# What a runaway boost can push into the clamp: 0.8 W (TPS61040, 400 mA peak) or 30 mA at 27 V.
_RUNAWAY_A = 0.03
_SAG = ((0.0, 24.0), (5e-3, 24.0), (10e-3, 12.0), (15e-3, 12.0), (17e-3, 24.0))
_MIDDLE_MA = {"A": 4.0, "B": 18.0}
_SAG_OHM = {"A": 4500.0, "B": 900.0}


def clamp(board: Board) -> Found:
    """Return the rail with the boost's feedback open and its power going into D3, in V."""
    found = {}
    for temp in TEMPS_C:
        deck = held(board.deck().plus(load(1e6), "Irunaway 0 RAIL_24V 0", boost_ohm=1e9).at(temp))
        waves = sweep(deck, "Irunaway", 0.0, _RUNAWAY_A, _RUNAWAY_A / 10, ("v(rail_24v)",))
        found[f"{temp:g} C"] = float(waves.volt("RAIL_24V")[-1])
    return found


def adc_at_clamp(board: Board) -> Found:
    """Return ADC_RAIL at a rail of 30 V, in V: the Pico's input stands it."""
    deck = held(board.deck().plus(load(2000.0), "Vclamped RAIL_24V 0 30"))
    waves = sweep(deck.plus(boost=30.0), "Vclamped", 29.9, 30.0, 0.1, ("v(adc_rail)",))
    return {"30 V": float(waves.volt("ADC_RAIL")[-1])}


def _sagging(board: Board) -> tuple[Vector, Vector]:
    """Return time and current of a rail that sags to 12 V and comes back, in s and uA."""
    current_ma = _MIDDLE_MA[board.variant]
    deck = held(board.deck().plus(load(_SAG_OHM[board.variant]), boost=pwl(_SAG), duty=duty_of(board, current_ma)))
    waves = transient(deck, 30e-3, 5e-6, SAVED)
    return waves.x, measure.shunt_ua(waves)


def sag_overshoot(board: Board) -> Found:
    """Return by how much the current passes the set-point when the rail comes back, in %."""
    _, current = _sagging(board)
    return {"24 to 12 to 24 V": (float(current.max() / current[0]) - 1) * 1e2}


def sag_charge(board: Board) -> Found:
    """Return the charge beyond the set-point when the rail comes back, in nC."""
    x, current = _sagging(board)
    return {"24 to 12 to 24 V": measure.charge_nc(x, (current - current[0]).clip(min=0.0))}


def sag_current(board: Board) -> Found:
    """Return the part of the set-point that flows at 12 V, in %: it falls."""
    _, current = _sagging(board)
    return {"12 V": float(current.min() / current[0]) * 1e2}


def boost_stops(board: Board) -> Found:
    """Return by how much the current passes the set-point when the boost stops, in %."""
    current_ma = _MIDDLE_MA[board.variant]
    deck = loaded(board, 4000.0 if board.variant == "A" else 800.0).plus(
        boost=pwl([(0.0, 24.0), (5e-3, 24.0), (6e-3, 3.3)]), duty=duty_of(board, current_ma)
    )
    waves = transient(held(deck), 30e-3, 2e-5, SAVED)
    current = measure.shunt_ua(waves)
    return {"24 to 3.3 V": (float(current.max()) / float(current[0]) - 1) * 1e2}


_HOW = "to 12 V and back in 2 ms"
CHECKS = (
    Check(
        "rail",
        "clamp, boost's feedback open",
        Limit(24.5, 30.0),
        "V",
        "parts stand 50 V",
        "30 mA into D3, 0 to 50 C",
        clamp,
    ),
    Check("rail", "ADC_RAIL at a rail of 30 V", Limit(high=3.3), "V", "Pico's input", "divider", adc_at_clamp),
    Check("rail", "peak after a sag", Limit(high=5.0), "%", ADR, _HOW, sag_overshoot),
    Check("rail", "charge beyond set-point after a sag", Limit(high=25.0), "nC", ADR, _HOW, sag_charge),
    Check("rail", "charge beyond set-point after a sag", Limit(high=100.0), "nC", ADR, _HOW, sag_charge, "B"),
    Check("rail", "current at 12 V, of the set-point", Limit(high=70.0), "%", FAULT, "falls", sag_current),
    Check("rail", "peak when the boost stops", Limit(high=0.1), "%", FAULT, "to 3.3 V in 1 ms", boost_stops),
)
