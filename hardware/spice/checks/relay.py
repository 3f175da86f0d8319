"""Polarity relay: nothing flows while it switches with the output disabled; what a hot switch would give."""

from __future__ import annotations

import numpy as np

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import ADR, LIMITS, Check, Found, Limit
from hardware.spice.checks.common import duty_of, loaded
from hardware.spice.engine import Waves, transient
from hardware.spice.rawfile import Vector
from hardware.spice.spread import COLD_C, ROOM_C, WARM_C, corner
from hardware.spice.stimuli import heartbeat, pulses, pwl
from ionto.limits import RELAY_MS

_BEATS = 12
_LAST_S = 46e-3
_SWITCH_S = 166e-3
_TRAVEL_S = 3e-3
_BOUNCE_S = 0.4e-3
_PIN_HIGH_S = 1e-3
_PIN_LOW_S = 51e-3
_SUPPLY_V = 3.3
_DRIFT = {-1: -0.12, 1: 0.05}  # of an X7R beside its tolerance: 0 to 50 C, 3 V, ten years
_GONE_S, _FALL_S, _PART_S = 60.3e-3, 1e-3, 1e-3  # the contacts part 1 ms after the coil's current at the earliest
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


def coil(board: Board, temp_c: float = ROOM_C, **settings: float) -> Waves:
    """Return the waves of the relay's driver whose pin is high from 1 ms on for 50 ms."""
    pin_v = settings.get("v3v3", _SUPPLY_V)
    deck = board.deck(("relay_driver",)).plus(relay_pin=f"PULSE(0 {pin_v:g} 1m 1u 1u 50m 10)", **settings).at(temp_c)
    return transient(deck, 0.6, 1e-3, ("i(vcoil)", "v(relay_hold)"))


def _held_ms(waves: Waves, coil_ma: float) -> float:
    """Return how long the coil has more than `coil_ma` after its pin went low, in ms."""
    return (measure.last_above_s(waves.x, waves.ampere("vcoil") * 1e3, coil_ma) - _PIN_LOW_S) * 1e3


def _end(board: Board, side: int, *parts: str) -> dict[str, float]:
    """Return the corner that holds the relay shortest (-1) or longest (1), C22 with its drift."""
    more, less = ("R45", "R46", "C22", "v3v3"), ("vbe_q6_v", "relay_leak_a", "relay_base_a", *parts)
    ends = corner(board, high=more, low=less) if side > 0 else corner(board, high=less, low=more)
    return {**ends, "C22": ends["C22"] * (1 + _DRIFT[side])}


def _ends(board: Board, coil_ma: float, side: int) -> Found:
    """Return how long the relay is held, nominal and at the corners of one side, with a coil of low and high ohm."""
    found = {"nominal": _held_ms(coil(board), coil_ma)}
    for temp in (COLD_C, WARM_C):
        for part in ("low", "high"):
            settings = {**_end(board, side, "vth_q8_v", "relay_pin_ohm"), **corner(board, **{part: ("coil_ohm",)})}
            found[f"{temp:g} C, coil {part}"] = _held_ms(coil(board, temp, **settings), coil_ma)
    return found


def least_hold(board: Board) -> Found:
    """Return the time from the pin's low to less coil current than operates the relay for sure, in ms."""
    return _ends(board, _OPERATE_MA, -1)


def longest_hold(board: Board) -> Found:
    """Return the time from the pin's low to less coil current than any relay is held by, in ms."""
    return _ends(board, _RELEASE_MA, 1)


def operate_delay(board: Board) -> Found:
    """Return the time from the pin's high to the coil current that operates the relay for sure, in ms."""
    found = {}
    for name, temp, settings in (
        ("nominal", ROOM_C, {}),
        ("fast corner, 50 C", WARM_C, {**_end(board, 1, "relay_pin_ohm"), "C22": _end(board, -1)["C22"]}),
        ("slow corner, 0 C", COLD_C, {**_end(board, -1), "C22": _end(board, 1)["C22"]}),
        ("slow corner, 50 C", WARM_C, {**_end(board, -1), "C22": _end(board, 1)["C22"]}),
    ):
        waves = coil(board, temp, **settings)
        found[name] = (measure.first_above_s(waves.x, waves.ampere("vcoil") * 1e3, _OPERATE_MA) - _PIN_HIGH_S) * 1e3
    return found


def without_supply(board: Board) -> Found:
    """Return the current 1 ms after the coil has too little of a 3V3 that collapses within 1 ms, in uA."""
    source, _ = heartbeat(40)
    fall = pwl([(0.0, _SUPPLY_V), (_GONE_S, _SUPPLY_V), (_GONE_S + _FALL_S, 0.0)])
    deck = loaded(board).plus(heartbeat=source, duty=duty_of(board, 4.0), v3v3=fall)
    part_s = _GONE_S + _FALL_S * (1 - 0.8 * 3.0 / _SUPPLY_V) + _PART_S
    waves = transient(deck, part_s + 2e-3, 2e-5, ("v(shunt_hi)",))
    return {"4 mA, 3V3 gone in 1 ms": float(measure.between(waves, measure.shunt_ua(waves), part_s, 1.0).max())}


CHECKS = (
    Check(
        "relay",
        "held after its pin, least",
        Limit(low=125.0),
        "ms",
        "past the dead-man",
        "corners, to less than operates it",
        least_hold,
    ),
    Check(
        "relay",
        "held after its pin, longest",
        Limit(high=RELAY_MS - 70.0),
        "ms",
        LIMITS,
        "corners; 70 ms to fall, bounce and spare",
        longest_hold,
    ),
    Check("relay", "from pin to coil", Limit(0.5, 5.0), "ms", "a glitch is none", "corners", operate_delay),
    Check(
        "relay",
        "current when 3V3 is gone",
        Limit(high=5.0),
        "uA",
        "only at I = 0",
        "contacts part after 1 ms",
        without_supply,
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
