"""Polarity relay: nothing flows while it switches with the output disabled; what a hot switch would give."""

from __future__ import annotations

import numpy as np

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import ADR, LIMITS, Check, Found, Limit
from hardware.spice.checks.common import duty_of
from hardware.spice.engine import Waves, transient
from hardware.spice.rawfile import Vector
from hardware.spice.spread import COLD_C, ROOM_C, WARM_C, corner
from hardware.spice.stimuli import heartbeat, pulses
from ionto.limits import RELAY_MS

_BEATS = 12
_LAST_S = 46e-3
_SWITCH_S = 166e-3
_TRAVEL_S = 3e-3
_BOUNCE_S = 0.4e-3
_PIN_LOW_S = 51e-3
_OPERATE_MA = 26.4  # G6K-2F-Y DC3: 91 ohm, operates at 80 % of 3 V at most, releases at 10 % at least
_RELEASE_MA = 3.3


def _moves(at_s: float) -> str:
    """Return the contacts' way: off, 3 ms in the air, then two bounces of 0.4 ms, then changed over for good."""
    edges = [(at_s, 0.5), (at_s + _TRAVEL_S, 1.0)]
    for bounce in range(2):
        start = at_s + _TRAVEL_S + _BOUNCE_S * (2 * bounce + 1)
        edges += [(start, 0.5), (start + _BOUNCE_S, 1.0)]
    return pulses(edges)


def _switched(board: Board, at_s: float, beats: int, end_s: float) -> tuple[Waves, Vector]:
    """Return the waves of the relay moving at `at_s`, and the current in the skin in uA."""
    source, _ = heartbeat(beats)
    deck = board.deck().plus(
        "Vlead E_PLUS LEAD 0",
        "Rskin LEAD SKIN 500",
        "Rdeep SKIN E_MINUS 4000" if board.variant == "A" else "Rdeep SKIN E_MINUS 400",
        "Cdeep SKIN E_MINUS 50n",
        heartbeat=source,
        duty=duty_of(board, 4.0),
        relay=_moves(at_s),
    )
    waves = transient(deck, end_s, 5e-5, ("i(vlead)", "v(shunt_hi)", "v(drain)"))
    return waves, waves.ampere("vlead") * 1e6


def _cold(board: Board) -> tuple[Vector, Vector]:
    """Return time and current around a switch 120 ms after the last heartbeat."""
    waves, current = _switched(board, _SWITCH_S, _BEATS, _SWITCH_S + 20e-3)
    here = waves.x >= _SWITCH_S
    return waves.x[here], current[here]


def disabled_current(board: Board) -> Found:
    """Return the largest current in the load from the switch on, output disabled 120 ms before, in uA."""
    return {"4 mA, disabled": float(np.abs(_cold(board)[1]).max())}


def disabled_charge(board: Board) -> Found:
    """Return the charge in the load from the switch on, in nC."""
    x, current = _cold(board)
    return {"4 mA, disabled": measure.charge_nc(x, np.abs(current))}


def hot_charge(board: Board) -> Found:
    """Return the charge beyond the set-point when the relay moves at 4 mA (a fault), in nC."""
    waves, current = _switched(board, 40e-3, 20, 60e-3)
    here = waves.x >= 40e-3
    excess = (np.abs(current[here]) - 4e3).clip(min=0.0)
    return {"4 mA, live": measure.charge_nc(waves.x[here], excess)}


def _held_ms(board: Board, coil_ma: float, temp_c: float = ROOM_C, **settings: float) -> float:
    """Return how long the coil has more than `coil_ma` after its pin, high for 50 ms, went low, in ms."""
    deck = board.deck(("relay_driver",)).plus(relay_pin="PULSE(0 3.3 1m 1u 1u 50m 10)", **settings).at(temp_c)
    waves = transient(deck, 0.7, 1e-3, ("i(v3v3)",))
    return (measure.last_above_s(waves.x, np.abs(waves.ampere("v3v3")) * 1e3, coil_ma) - _PIN_LOW_S) * 1e3


def least_hold(board: Board) -> Found:
    """Return the time from the pin's low to less coil current than operates the relay for sure, in ms."""
    quick = corner(board, low=("R45", "C22", "v3v3"), high=("vth_q6_v", "relay_leak_a"))
    return {
        "nominal": _held_ms(board, _OPERATE_MA),
        "short corner, 0 C": _held_ms(board, _OPERATE_MA, COLD_C, **quick),
        "short corner, 50 C": _held_ms(board, _OPERATE_MA, WARM_C, **quick),
    }


def longest_hold(board: Board) -> Found:
    """Return the time from the pin's low to less coil current than any relay is held by, in ms."""
    slow = corner(board, high=("R45", "C22", "v3v3"), low=("vth_q6_v",))
    return {
        "nominal": _held_ms(board, _RELEASE_MA),
        "long corner, 0 C": _held_ms(board, _RELEASE_MA, COLD_C, **slow),
        "long corner, 50 C": _held_ms(board, _RELEASE_MA, WARM_C, **slow),
    }


CHECKS = (
    Check("relay", "held after its pin, least", Limit(low=112.0), "ms", "past the dead-man", "corners", least_hold),
    Check(
        "relay",
        "held after its pin, longest",
        Limit(high=RELAY_MS - 10.0),
        "ms",
        LIMITS,
        "corners; 10 ms to fall and bounce",
        longest_hold,
    ),
    Check(
        "relay",
        "current while switching, disabled",
        Limit(high=5.0),
        "uA",
        "only at I = 0",
        "3 ms in the air, bounces",
        disabled_current,
    ),
    Check(
        "relay",
        "charge while switching, disabled",
        Limit(high=25.0),
        "nC",
        ADR,
        "20 ms from the switch on",
        disabled_charge,
    ),
    Check(
        "relay",
        "charge beyond the set-point, hot",
        Limit(high=1000.0),
        "nC",
        ADR,
        "fault: relay moves at 4 mA",
        hot_charge,
    ),
)
