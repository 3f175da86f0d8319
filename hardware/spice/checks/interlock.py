"""USB interlock and STOP: how fast they take the output away, and when it comes back."""

from __future__ import annotations

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import ADR, SECOND, TABLE, Check, Found, Limit
from hardware.spice.checks.common import SAVED, duty_of, loaded
from hardware.spice.engine import Waves, transient
from hardware.spice.spread import COLD_C, ROOM_C, WARM_C, corner
from hardware.spice.stimuli import LOGIC_V, heartbeat, pulses, step

_PLUG_S = 100.3e-3
_UNPLUG_S = 120.3e-3
_END_S = 180e-3
_FLOWING_UA = 100.0
_CASES = (
    ("27 C", ROOM_C, {}, {}),
    (
        "VBUS 4.4 V, Q5 late, 0 C",
        COLD_C,
        {"high": ("vth_q5_v", "C17", "R18", "C5"), "low": ("vth_q3_v", "R19")},
        {"vbus_v": 4.4},
    ),
    ("VBUS 5.5 V, Q5 early, 50 C", WARM_C, {"low": ("vth_q5_v", "vth_q3_v")}, {"vbus_v": 5.5}),
)


def plugged(board: Board, temp_c: float = ROOM_C, vbus_v: float = 5.0, **settings: float) -> Waves:
    """Return the waves of a session at 4 mA into which a computer is plugged for 20 ms; the heartbeat goes on."""
    beats, _ = heartbeat(44)
    vbus = pulses([(_PLUG_S, vbus_v), (_UNPLUG_S, 0.0)])
    deck = loaded(board).plus(heartbeat=beats, duty=duty_of(board, 4.0), vbus=vbus, **settings).at(temp_c)
    return transient(deck, _END_S, 1e-4, SAVED)


def _off_ms(waves: Waves, event_s: float) -> float:
    """Return the time from an event to below 10 uA within the next 15 ms, in ms."""
    here = (waves.x >= event_s) & (waves.x <= event_s + 15e-3)
    current = measure.shunt_ua(waves)[here]
    return (measure.last_above_s(waves.x[here], current, measure.OFF_UA) - event_s) * 1e3


def off(board: Board) -> Found:
    """Return the time from VBUS to below 10 uA, in ms."""
    return {"27 C": _off_ms(plugged(board), _PLUG_S)}


def off_at_corners(board: Board) -> Found:
    """Return the time from VBUS of 4.4 to 5.5 V to below 10 uA with a late Q5 and an early Q3, in ms."""
    return {
        name: _off_ms(plugged(board, temp, **corner(board, **ends), **more), _PLUG_S)
        for name, temp, ends, more in _CASES
    }


def again(board: Board) -> Found:
    """Return the time from unplugging until the output is on again by itself, in ms: why the firmware has to latch."""
    waves = plugged(board)
    after = waves.x > _UNPLUG_S
    on_s = measure.first_above_s(waves.x[after], measure.shunt_ua(waves)[after], _FLOWING_UA)
    return {"27 C": (on_s - _UNPLUG_S) * 1e3}


def strapped(board: Board) -> Found:
    """Return the current with VBUS present and the bench strap fitted (INTERLOCK_GATE to GND), in mA."""
    beats, last_s = heartbeat(20)
    deck = loaded(board).plus("Rstrap INTERLOCK_GATE 0 0.1", heartbeat=beats, duty=duty_of(board, 4.0), vbus=5.0)
    waves = transient(deck, last_s, 1e-4, SAVED)
    return {"VBUS 5 V": float(measure.shunt_ua(waves)[-1]) / 1e3}


def tried(board: Board) -> Found:
    """Return the time from INTERLOCK_SENSE driven high to below 10 uA without a computer, live heartbeat, in ms."""
    beats, _ = heartbeat(44)
    pin = pulses([(_PLUG_S, LOGIC_V), (_UNPLUG_S, 0.0)])
    deck = loaded(board).plus(heartbeat=beats, duty=duty_of(board, 4.0), interlock_pin=pin, interlock_pin_ohm=40.0)
    found = {}
    for name, temp, ends in (
        ("27 C", ROOM_C, {}),
        ("Q5 late, 0 C", COLD_C, {"high": ("vth_q5_v", "C17", "R57", "C5")}),
    ):
        waves = transient(deck.plus(**corner(board, **ends)).at(temp), _END_S, 1e-4, SAVED)
        found[name] = _off_ms(waves, _PLUG_S)
    return found


def held_down(board: Board) -> Found:
    """Return the current with VBUS of 4.4 V and INTERLOCK_SENSE driven low, in uA: a pin cannot undo the interlock."""
    beats, last_s = heartbeat(30)
    deck = loaded(board).plus(heartbeat=beats, duty=duty_of(board, 4.0), vbus=4.4, interlock_pin_ohm=40.0)
    waves = transient(deck.plus(**corner(board, high=("vth_q5_v",))).at(COLD_C), last_s, 1e-4, SAVED)
    return {"Q5 late, 0 C": float(measure.shunt_ua(waves).max())}


def stop(board: Board) -> Found:
    """Return the time from the STOP loop opening to below 10 uA with a live heartbeat, in ms."""
    found = {}
    for temp in (COLD_C, WARM_C):
        beats, _ = heartbeat(30)
        deck = loaded(board).plus(
            f"Vstop PRESSED 0 {step(_PLUG_S, 1.0, 0.0)}",
            "Sstop STOP_LOOP 0 PRESSED 0 CONTACT",
            heartbeat=beats,
            duty=duty_of(board, 4.0),
            sw1_ohm=1e9,
            **corner(board, low=("vth_q3_v",)),
        )
        found[f"{temp:g} C"] = _off_ms(transient(deck.at(temp), _PLUG_S + 16e-3, 1e-4, SAVED), _PLUG_S)
    return found


CHECKS = (
    Check("interlock", "VBUS to off", Limit(high=0.2), "ms", ADR, "5 V plugged at 4 mA, live heartbeat", off),
    Check(
        "interlock",
        "VBUS to off, tolerances",
        Limit(high=1.0),
        "ms",
        "half a sample",
        "4.4 to 5.5 V, corners",
        off_at_corners,
    ),
    Check("interlock", "on again after unplugging", Limit(8.0, 24.0), "ms", TABLE, "heartbeat goes on", again),
    Check("interlock", "tried by its pin", Limit(high=2.0), "ms", SECOND, "GP20 high, no computer", tried),
    Check("interlock", "VBUS, its pin held low", Limit(high=10.0), "uA", SECOND, "4.4 V, live heartbeat", held_down),
    Check(
        "interlock", "current with bench strap", Limit(low=3.9), "mA", "bench strap", "INTERLOCK_GATE to GND", strapped
    ),
    Check(
        "interlock", "STOP to off", Limit(high=1.0), "ms", ADR, "loop opens, live heartbeat, early Q3, 0 and 50 C", stop
    ),
)
