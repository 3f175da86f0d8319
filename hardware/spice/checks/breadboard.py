"""The breadboard meets the same limits with through-hole parts; `expected` gives the values of the build guide."""

from __future__ import annotations

from hardware.spice import breadboard, measure
from hardware.spice.board import Board
from hardware.spice.check import FAULT, LIMITS, TABLE, Check, Found, Limit
from hardware.spice.checks.common import SAVED, duty_sweep, held
from hardware.spice.deck import Deck
from hardware.spice.engine import sweep, transient
from hardware.spice.stimuli import BEAT_HZ, heartbeat, step

_COOL_C, _WARM_C = 15.0, 35.0
_UP = {"high": ("R5",), "low": ("R3", "R4", "R9")}
_LONG = ("C4", "C5", "R17")
_FULL_MA = 4.963


def _values(board: Board) -> dict[str, float | str]:
    deck = breadboard.deck(board)
    return {**deck.values, **deck.settings}


def _full_ma(deck: Deck) -> float:
    return float(measure.shunt_ua(duty_sweep(deck, 1.0, 1.001, 1e-3))[0]) / 1e3


def full(board: Board) -> Found:
    """Return the current at 100 % duty, nominal and at the corner that raises it, for both op-amps, in mA."""
    found = {}
    ends = breadboard.stray(_values(board), **_UP)
    for opamp, offset_v in zip(breadboard.OPAMPS, (0.5e-3, 4.5e-3), strict=True):
        deck = breadboard.deck(board, opamp)
        found[f"{opamp}, nominal"] = _full_ma(deck)
        high_v = 3.3 * (1 + breadboard.SUPPLY)
        found[f"{opamp}, corner"] = _full_ma(deck.plus(**ends, vos_v=offset_v, v3v3=high_v))
    return found


def ceiling(board: Board) -> Found:
    """Return the limiter's current with the op-amp stuck high, 15 to 35 C, parts at both ends, in mA."""
    found = {}
    for temp, side, vbe_v in ((_COOL_C, "low", 0.02), (_WARM_C, "high", -0.02)):
        ends = breadboard.stray(_values(board), **{side: ("R12",)})
        deck = breadboard.deck(board, load_ohm=1.0).plus(opamp="STUCK_HIGH", vbe_q4_v=vbe_v, **ends).at(temp)
        found[f"{temp:g} C, R12 {side}"] = _full_ma(deck)
    return found


def off_ms(board: Board, stuck_high: bool, temp_c: float = 27.0, **settings: float) -> float:
    """Return the time from the last heartbeat to below 10 uA, in ms."""
    beats, last_s = heartbeat(30, stuck_high=stuck_high)
    deck = breadboard.deck(board).plus(heartbeat=beats, duty=0.8, **settings).at(temp_c)
    waves = transient(deck, last_s + 0.15, 2e-4, SAVED)
    return (measure.last_above_s(waves.x, measure.shunt_ua(waves), measure.OFF_UA) - last_s) * 1e3


def off(board: Board) -> Found:
    """Return the time to off, nominal and at the long corner, in ms."""
    ends = breadboard.stray(_values(board), high=_LONG)
    return {
        "stuck low, nominal": off_ms(board, False),
        "stuck high, nominal": off_ms(board, True),
        "stuck high, long corner": off_ms(board, True, _WARM_C, vth_q3_v=breadboard.THRESHOLD_V[0], **ends),
    }


def held_live(board: Board) -> Found:
    """Return the least current under a live heartbeat with the highest threshold, in mA."""
    beats, last_s = heartbeat(30)
    ends = breadboard.stray(_values(board), low=_LONG)
    deck = (
        breadboard.deck(board).plus(heartbeat=beats, duty=0.8, vth_q3_v=breadboard.THRESHOLD_V[1], **ends).at(_COOL_C)
    )
    waves = transient(deck, last_s, 2e-4, SAVED)
    return {
        "threshold 1.5 V, 15 C": float(measure.between(waves, measure.shunt_ua(waves), last_s - 20e-3, last_s).min())
        / 1e3
    }


def loop(board: Board) -> Found:
    """Return the overshoot of the sink's loop for both op-amps, in % of a step from 1 to 3 mA."""
    found = {}
    for opamp in breadboard.OPAMPS:
        for ohm in (1.0, 2200.0):
            deck = held(breadboard.deck(board, opamp, ohm)).plus(f"Vstep SETPOINT 0 {step(20e-6, 0.2, 0.6, 1e-8)}")
            waves = transient(deck, 220e-6, 2e-7, SAVED)
            found[f"{opamp}, {ohm:g} ohm"] = measure.overshoot(measure.shunt_ua(waves)[waves.x > 20e-6]) * 1e2
    return found


def compliance(board: Board) -> Found:
    """Return the load at which 4 mA have lost 1 %, in kohm."""
    deck = held(breadboard.deck(board)).plus(duty=4.0 / _FULL_MA)
    waves = sweep(deck, "Rload", 100.0, 7000.0, 10.0, SAVED)
    current = measure.shunt_ua(waves)
    return {"4 mA": float(waves.x[int((current < 0.99 * current[0]).argmax())]) / 1e3}


def expected(board: Board) -> dict[str, str]:
    """Return the values a maker should measure at each step of the build guide, as printed there."""
    half = duty_sweep(breadboard.deck(board), 0.5, 0.501, 1e-3)
    live, last_s = heartbeat(30)
    waves = transient(breadboard.deck(board).plus(heartbeat=live, duty=0.5), last_s, 2e-4, SAVED)
    stuck = duty_sweep(breadboard.deck(board, load_ohm=1000.0).plus(opamp="STUCK_HIGH"), 0.0, 0.001, 1e-3)
    first_s = measure.first_above_s(waves.x, measure.shunt_ua(waves), 100.0)
    half_ma = float(measure.shunt_ua(half)[0]) / 1e3
    return {
        "filter at half duty": f"{float(half.volt('SETPOINT')[0]):.3f} V",
        "sink at half duty": f"{half_ma:.2f} mA",
        "SNS at half duty": f"{float(half.volt('SNS')[0]):.3f} V",
        "shunt at half duty": f"{float(half.volt('SHUNT_HI')[0]) * 1e3:.1f} mV",
        "limiter": f"{float(measure.shunt_ua(stuck)[0]) / 1e3:.1f} mA",
        "pump, live": f"{float(measure.between(waves, waves.volt('PUMP'), last_s - 20e-3, last_s).mean()):.1f} V",
        "off, stuck low": f"{off_ms(board, False):.0f} ms",
        "off, stuck high": f"{off_ms(board, True):.0f} ms",
        "first edge that turns on": str(int(first_s * BEAT_HZ) + 1),
    }


_HOW = "ZVNL110A, ZVP2106A, BAT85, 2N3906"
CHECKS = (
    Check("breadboard", "current at 100 % duty", Limit(4.8, 5.3), "mA", FAULT, _HOW + "; corner, two op-amps", full),
    Check("breadboard", "limiter alone, 15 to 35 C", Limit(4.4, 6.1), "mA", LIMITS, _HOW + "; corners", ceiling),
    Check("breadboard", "dead-man", Limit(high=110.0), "ms", TABLE, _HOW + "; long corner at 35 C", off),
    Check(
        "breadboard", "current under a live heartbeat", Limit(low=3.8), "mA", "held", _HOW + "; short corner", held_live
    ),
    Check("breadboard", "overshoot of the sink's loop", Limit(high=25.0), "%", "stability", "MCP6022, MCP6002", loop),
    Check("breadboard", "load at 4 mA", Limit(low=5.16), "kohm", TABLE, "-1 %", compliance),
)
