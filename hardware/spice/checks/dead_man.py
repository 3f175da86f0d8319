"""Dead-man: how long the output stays on after the heartbeat stops, and at which rates it does not turn on."""

from __future__ import annotations

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import ADR, LIMITS, TABLE, Check, Found, Limit
from hardware.spice.checks.common import SAVED, duty_of, loaded
from hardware.spice.deck import Deck
from hardware.spice.engine import Waves, transient
from hardware.spice.spread import COLD_C, ROOM_C, TEMPS_C, WARM_C, corner, samples
from hardware.spice.stimuli import BEAT_HZ, heartbeat

_BEATS = 30
_TAIL_S = 0.15
PUMP = ("C4", "C23", "C5", "R17", "R48")
_SAMPLES = 24
_DUTY_MA = {"A": 4.0, "B": 20.0}


def decay(
    board: Board, stuck_high: bool, temp_c: float = ROOM_C, hz: float = BEAT_HZ, **settings: float
) -> tuple[Waves, float]:
    """Return the waves of a heartbeat that stops, at 4 mA [20 mA], and the time of its last edge in s."""
    deck = loaded(board).plus(duty=duty_of(board, _DUTY_MA[board.variant]), **settings).at(temp_c)
    return decay_of(deck, stuck_high, hz)


def decay_of(deck: Deck, stuck_high: bool, hz: float = BEAT_HZ) -> tuple[Waves, float]:
    """Return the waves of `deck` with a heartbeat that stops, and the time of its last edge in s."""
    source, last_s = heartbeat(_BEATS if hz >= BEAT_HZ else 12, hz, stuck_high)
    return transient(deck.plus(heartbeat=source), last_s + _TAIL_S, 2e-4, SAVED), last_s


def off_ms(board: Board, stuck_high: bool, temp_c: float = ROOM_C, **settings: float) -> float:
    """Return the time from the last edge to below 10 uA, in ms."""
    waves, last_s = decay(board, stuck_high, temp_c, **settings)
    return (measure.last_above_s(waves.x, measure.shunt_ua(waves), measure.OFF_UA) - last_s) * 1e3


def stuck_low(board: Board) -> Found:
    """Return the time to off with the pin stuck low at 27 C, in ms."""
    return {"27 C": off_ms(board, False)}


def stuck_high(board: Board) -> Found:
    """Return the time to off with the pin stuck high at 27 C, in ms."""
    return {"27 C": off_ms(board, True)}


def over_temperature(board: Board) -> Found:
    """Return the time to off for both levels from 0 to 50 C, in ms."""
    return {
        f"stuck {'high' if high else 'low'}, {temp:g} C": off_ms(board, high, temp)
        for high in (False, True)
        for temp in TEMPS_C
    }


def longest(board: Board) -> Found:
    """Return the time to off, stuck high: lowest threshold, long corner, random boards, in ms."""
    low_threshold = corner(board, low=("vth_q3_v",))
    found = {
        "threshold 0.8 V": off_ms(board, True, **low_threshold),
        "long corner, 50 C": off_ms(board, True, WARM_C, **low_threshold, **corner(board, high=PUMP)),
    }
    for index, settings in enumerate(samples(board, (*PUMP, "vth_q3_v"), _SAMPLES)):
        found[f"sample {index}, 50 C"] = off_ms(board, True, WARM_C, **settings)
    return found


def shortest(board: Board) -> Found:
    """Return the time to off, stuck low, at the short corner, in ms: what a late loop may take."""
    high_threshold = corner(board, high=("vth_q3_v",))
    return {
        "threshold 1.5 V": off_ms(board, False, **high_threshold),
        "short corner, 0 C": off_ms(board, False, COLD_C, **high_threshold, **corner(board, low=PUMP)),
    }


def at_50_hz(board: Board) -> Found:
    """Return the least current between edges at a 50 Hz heartbeat, in uA: below 10 uA it is not held."""
    waves, last_s = decay(board, False, hz=50.0)
    return {"27 C": float(measure.between(waves, measure.shunt_ua(waves), last_s - 45e-3, last_s).min())}


def at_25_hz(board: Board) -> Found:
    """Return the largest current at a 25 Hz heartbeat, in uA."""
    waves, _ = decay(board, False, hz=25.0)
    return {"27 C": float(measure.shunt_ua(waves).max())}


def slow_at_corner(board: Board) -> Found:
    """Return the least current between edges at 25 Hz at the long corner, in uA: not held there either."""
    settings = {**corner(board, low=("vth_q3_v",)), **corner(board, high=PUMP)}
    waves, last_s = decay(board, False, WARM_C, 25.0, **settings)
    return {"long corner, 50 C": float(measure.between(waves, measure.shunt_ua(waves), last_s - 90e-3, last_s).min())}


def held_at_corner(board: Board) -> Found:
    """Return the least current under a live heartbeat at the short corner, in mA: it is held everywhere."""
    settings = {**corner(board, high=("vth_q3_v",)), **corner(board, low=PUMP)}
    waves, last_s = decay(board, False, COLD_C, **settings)
    return {
        "short corner, 0 C": float(measure.between(waves, measure.shunt_ua(waves), last_s - 20e-3, last_s).min()) / 1e3
    }


_HOW = "250 Hz, then no edge; to below 10 uA"
CHECKS = (
    Check("dead-man", "heartbeat stuck low", Limit(high=50.5), "ms", TABLE, _HOW, stuck_low),
    Check("dead-man", "heartbeat stuck high", Limit(high=59.5), "ms", TABLE, _HOW, stuck_high),
    Check("dead-man", "0 to 50 C", Limit(high=60.0), "ms", TABLE, _HOW, over_temperature),
    Check(
        "dead-man",
        "every tolerance, stuck high",
        Limit(high=110.0),
        "ms",
        TABLE,
        f"corners, {_SAMPLES} samples",
        longest,
    ),
    Check(
        "dead-man",
        "every tolerance, stuck high",
        Limit(high=110.0),
        "ms",
        TABLE,
        f"corners, {_SAMPLES} samples",
        longest,
        "B",
    ),
    Check("dead-man", "least hold", Limit(low=20.0), "ms", ADR, "corners, stuck low; ten edges", shortest),
    Check(
        "dead-man",
        "current at the short corner, live",
        Limit(low=3.9),
        "mA",
        "held everywhere",
        "250 Hz",
        held_at_corner,
    ),
    Check("dead-man", "50 Hz: current between edges", Limit(high=10.0), "uA", TABLE, "slow heartbeat", at_50_hz),
    Check("dead-man", "25 Hz: largest current", Limit(high=10.0), "uA", TABLE, "slow heartbeat", at_25_hz),
    Check(
        "dead-man",
        "25 Hz, tolerances: between edges",
        Limit(high=10.0),
        "uA",
        LIMITS,
        "long corner, 50 C",
        slow_at_corner,
    ),
)
