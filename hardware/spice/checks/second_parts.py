"""Where one part alone decided, two do: with either of them open or shorted every limit still holds."""

from __future__ import annotations

from collections.abc import Mapping

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import SECOND, Check, Found, Limit
from hardware.spice.checks import dead_man
from hardware.spice.checks.common import LOAD_OHM, SAVED, duty_of, held, loaded
from hardware.spice.deck import Deck
from hardware.spice.engine import sweep
from hardware.spice.stimuli import short

_OPEN_OHM = 1e12
_RUNAWAY_V = 28.35  # the rail at the top of D3's tolerance
_GATE = (*SAVED, "v(hs_src)", "v(hs_gate)")
_PUMP: Mapping[str, tuple[str, ...]] = {
    "R17 open": (), "R48 open": (),
    "C4 short": (short("PUMP_IN", "PUMP_MID"),), "C23 short": (short("PUMP_MID", "PUMP_AC"),),
}  # fmt: skip
_GATES: Mapping[str, tuple[str, ...]] = {
    "R14 open": (), "R49 open": (),
    "R15 short": (short("HS_GATE", "HS_DRIVE"),), "R50 short": (short("HS_DRIVE", "Q3_D"),),
}  # fmt: skip
_LEAKS: Mapping[str, str] = {
    "R22 short": short("DRAIN", "DRAIN_MID"),
    "R54 short": short("DRAIN_MID", "DRAIN_DIV"),
    "C6 short": short("E_PLUS", "EMI_MID"),
    "C24 short": short("EMI_MID", "E_MINUS"),
}


def _failed(deck: Deck, name: str, lines: tuple[str, ...]) -> Deck:
    """Return the deck with the fault `name`: an open resistor by its value, a short by `lines`."""
    part, kind = name.split()
    return deck.plus(**{part: _OPEN_OHM}) if kind == "open" else deck.plus(*lines)


def still_lets_go(board: Board) -> Found:
    """Return the time from the last heartbeat to off with a part of the pump failed, pin low and high, in ms."""
    found = {}
    for name, lines in _PUMP.items():
        for high in (False, True):
            deck = _failed(loaded(board).plus(duty=duty_of(board, 4.0)), name, lines)
            waves, last_s = dead_man.decay_of(deck, high)
            off_s = measure.last_above_s(waves.x, measure.shunt_ua(waves), measure.OFF_UA) - last_s
            found[f"{name}, stuck {'high' if high else 'low'}"] = off_s * 1e3
    return found


def gate_volt(board: Board) -> Found:
    """Return the gate voltage of Q2 with a part of its divider failed and the rail run away to its clamp, in V."""
    found = {}
    for name, lines in _GATES.items():
        deck = held(_failed(loaded(board).plus(boost=_RUNAWAY_V), name, lines))
        waves = sweep(deck, "Vduty", 0.5, 0.501, 1e-3, _GATE)
        found[name] = float(waves.volt("HS_SRC")[0] - waves.volt("HS_GATE")[0])
    return found


def still_off(board: Board) -> Found:
    """Return the current with Q3 off and a resistor of Q2's gate failed, in uA."""
    found = {}
    for name, lines in _GATES.items():
        deck = _failed(loaded(board).plus("Vnone PUMP 0 0"), name, lines)
        waves = sweep(deck, "Vduty", 0.5, 0.501, 1e-3, SAVED)
        found[name] = float(measure.shunt_ua(waves)[0])
    return found


def load_current_change(board: Board) -> Found:
    """Return by how much the load's current changes with a part beside it shorted, in % at 0.1 and 4 mA."""
    found = {}
    for name, line in _LEAKS.items():
        for asked_ma in (0.1, 4.0):
            duty = duty_of(board, asked_ma)
            sound, failed = (
                sweep(held(deck), "Vduty", duty, duty + 1e-3, 1e-3, SAVED)
                for deck in (loaded(board), loaded(board).plus(line))
            )
            ratio = _load_ua(board, failed.volt("E_PLUS")[0] - failed.volt("E_MINUS")[0]) / _load_ua(
                board, sound.volt("E_PLUS")[0] - sound.volt("E_MINUS")[0]
            )
            found[f"{name}, {asked_ma:g} mA"] = abs(float(ratio) - 1) * 1e2
    return found


def _load_ua(board: Board, volt: float) -> float:
    return volt / LOAD_OHM[board.variant] * 1e6


CHECKS = (
    Check(
        "second parts",
        "dead-man with one of two failed",
        Limit(high=110.0),
        "ms",
        SECOND,
        "R17, R48 open; C4, C23 shorted; 27 C",
        still_lets_go,
    ),
    Check(
        "second parts",
        "gate of Q2, one of two failed",
        Limit(high=20.0),
        "V",
        SECOND,
        "R14, R49 open; R15, R50 shorted; rail at its clamp",
        gate_volt,
    ),
    Check("second parts", "off with one of two failed", Limit(high=10.0), "uA", SECOND, "the same, Q3 off", still_off),
    Check(
        "second parts",
        "load's current, one of two shorted: change",
        Limit(high=0.5),
        "%",
        SECOND,
        "R22, R54, C6, C24 at 0.1 and 4 mA",
        load_current_change,
    ),
)
