"""Single faults: what flows with one part failed, whether the sensors disagree, whether the cut-offs still work."""

from __future__ import annotations

from collections.abc import Mapping

from hardware.spice import measure
from hardware.spice.board import Board
from hardware.spice.check import FAULT, SECOND, Check, Found, Limit, around
from hardware.spice.checks import ceiling, dead_man
from hardware.spice.checks.common import LOAD_OHM, SAVED, current_ma, duty_of, duty_sweep, loaded
from hardware.spice.deck import Deck
from hardware.spice.engine import sweep
from hardware.spice.spread import COLD_C, HOT_C, ROOM_C, WARM_C, corner
from hardware.spice.stimuli import short

_ASKED_MA = {"A": 4.0, "B": 18.0}
_LOADS_OHM = (1.0, 1000.0)


def _with(board: Board, name: str, ohm: float | None = None) -> Deck:
    """Return the loaded board with the fault `name`."""
    deck = loaded(board, ohm)
    return deck.plus(*_LINES.get(name, ()), **_SETTINGS.get(name, {}))


_LINES: Mapping[str, tuple[str, ...]] = {
    "sink FET short": (short("DRAIN", "SNS"),),
    "Rs short": (short("SNS", "SHUNT_HI"),),
    "shunt short": (short("SHUNT_HI", "0", 1e-3),),
    "high-side FET short": (short("HS_SHUNT", "HS_OUT"),),
    "Q3 short": (short("Q3_D", "STOP_LOOP"),),
}
_SETTINGS: Mapping[str, Mapping[str, float | str]] = {
    "op-amp stuck high": {"opamp": "STUCK_HIGH"},
    "op-amp stuck low": {"opamp": "STUCK_LOW"},
    "shunt open": {"R11": 1e9},
    "reference open": {"reference": "REFERENCE_OPEN"},
}
_CEILING = ("op-amp stuck high", "sink FET short", "Rs short", "reference open")


def load_ma(
    board: Board, name: str, temp_c: float = ROOM_C, ohm: float | None = None, duty: float | None = None
) -> float:
    """Return the current through the load with the fault `name`, output held on, in mA."""
    asked = duty_of(board, _ASKED_MA[board.variant]) if duty is None else duty
    deck = _with(board, name, ohm).at(temp_c)
    waves = duty_sweep(deck, asked, asked + 1e-3, 1e-3)
    drop_v = waves.volt("E_PLUS")[0] - waves.volt("E_MINUS")[0]
    return float(drop_v) / (LOAD_OHM[board.variant] if ohm is None else ohm) * 1e3


def at_the_ceiling(board: Board) -> Found:
    """Return the current of every fault that the limiter catches, at 27 C, in mA."""
    return {
        f"{name}, {ohm:g} ohm": load_ma(board, name, ohm=ohm, duty=1.0)
        for name in _CEILING
        for ohm in _LOADS_OHM[: 1 + (board.variant == "A")]
    }


def at_the_ceiling_cold(board: Board) -> Found:
    """Return the same at 0 C with the limiters' resistors low and both Vbe high, in mA."""
    ends = corner(board, high=("vbe_q4_v", "vbe_q9_v"), low=ceiling.resistors(board))
    found = {}
    for name in _CEILING:
        waves = duty_sweep(_with(board, name, 1.0).plus(**ends).at(COLD_C), 1.0, 1.001, 1e-3)
        found[name] = float(waves.volt("E_PLUS")[0] - waves.volt("E_MINUS")[0]) * 1e3
    return found


def sensor_sees(board: Board) -> Found:
    """Return the current that the INA219 shows for those faults, in mA: over the trip current."""
    found = {}
    for name in _CEILING:
        for temp in (COLD_C, HOT_C):
            waves = duty_sweep(_with(board, name).at(temp), 1.0, 1.001, 1e-3)
            found[f"{name}, {temp:g} C"] = float(measure.shunt_ua(waves)[0]) / 1e3
    return found


def still_cut(board: Board) -> Found:
    """Return the time from the last heartbeat to off with a fault of the sink, stuck high, long corner, in ms."""
    ends = {**corner(board, low=("vth_q3_v",)), **corner(board, high=dead_man.PUMP)}
    found = {}
    for name in ("op-amp stuck high", "sink FET short", "Rs short", "shunt short"):
        asked = duty_of(board, _ASKED_MA[board.variant])
        waves, last_s = dead_man.decay_of(_with(board, name).plus(duty=asked, **ends).at(WARM_C), stuck_high=True)
        current = (waves.volt("E_PLUS") - waves.volt("E_MINUS")) / LOAD_OHM[board.variant] * 1e6
        found[name] = (measure.last_above_s(waves.x, current, measure.OFF_UA) - last_s) * 1e3
    return found


def stuck_low(board: Board) -> Found:
    """Return the current with the op-amp stuck low, in uA: the firmware reports too little."""
    return {f"{temp:g} C": load_ma(board, "op-amp stuck low", temp) * 1e3 for temp in (COLD_C, WARM_C)}


def shunt_shorted(board: Board) -> Found:
    """Return the current at 100 % duty with the shunt shorted, in mA."""
    return {"27 C": load_ma(board, "shunt short", duty=1.0)}


def shunt_shorted_reading(board: Board) -> Found:
    """Return what the INA219 shows with the shunt shorted at 100 % duty, in uA: V(SNS) says otherwise."""
    waves = duty_sweep(_with(board, "shunt short"), 1.0, 1.001, 1e-3)
    return {"INA219": float(measure.shunt_ua(waves)[0])}


def shunt_shorted_sns(board: Board) -> Found:
    """Return V(SNS) with the shunt shorted at 100 % duty, in V: the independent measurement that trips."""
    waves = duty_sweep(_with(board, "shunt short"), 1.0, 1.001, 1e-3)
    return {"V(SNS)": float(waves.volt("SNS")[0])}


def shunt_opened(board: Board) -> Found:
    """Return the current with the shunt open, in uA."""
    return {"27 C": load_ma(board, "shunt open") * 1e3}


def latent(board: Board) -> Found:
    """Return by how much the current changes with a shorted cut-off, in %: nothing shows, only a self-test finds it."""
    sound = load_ma(board, "")
    return {name: abs(load_ma(board, name) / sound - 1) * 1e2 for name in ("high-side FET short", "Q3 short")}


def latent_found(board: Board) -> Found:
    """Return the current without a heartbeat and a shorted cut-off, in mA: what the self-test sees when it tries."""
    found = {}
    for name in ("high-side FET short", "Q3 short"):
        duty = duty_of(board, 1.0)
        waves = sweep(_with(board, name).plus("Vnone PUMP 0 0"), "Vduty", duty, duty + 1e-3, 1e-3, SAVED)
        found[name] = float(measure.shunt_ua(waves)[0]) / 1e3
    return found


def limiter_failed(board: Board) -> Found:
    """Return by how much 4 mA change with one limiter off the board, in %: latent, for the bench self-test."""
    sound = load_ma(board, "")
    return {
        f"{name} missing": abs(current_ma(loaded(board).plus(**{setting: 5.0}), duty_of(board, 4.0)) / sound - 1) * 1e2
        for name, setting in ceiling.OFF.items()
    }


_HOW = "one part failed, duty 100 %"
CHECKS = (
    Check(
        "single fault", "stuck op-amp, shorts, reference", Limit(high=6.0), "mA", FAULT, _HOW + ", 27 C", at_the_ceiling
    ),
    Check("single fault", "the same at 0 C, tolerances", Limit(high=6.0), "mA", SECOND, _HOW, at_the_ceiling_cold),
    Check(
        "single fault", "the same at 0 C, tolerances", Limit(high=32.0), "mA", SECOND, _HOW, at_the_ceiling_cold, "B"
    ),
    Check(
        "single fault",
        "INA219 is over the trip current",
        Limit(low=4.4),
        "mA",
        FAULT,
        _HOW + ", 0 and 55 C",
        sensor_sees,
    ),
    Check(
        "single fault",
        "dead-man still cuts, tolerances",
        Limit(high=110.0),
        "ms",
        FAULT,
        "stuck high, long corner",
        still_cut,
    ),
    Check("single fault", "op-amp stuck low", Limit(high=3.0), "uA", FAULT, "4 mA asked", stuck_low),
    Check("single fault", "shunt shorted", around(5.11, 0.005), "mA", SECOND, _HOW + ": the limiters", shunt_shorted),
    Check("single fault", "shunt shorted: INA219 shows", Limit(high=10.0), "uA", FAULT, _HOW, shunt_shorted_reading),
    Check(
        "single fault",
        "shunt shorted: V(SNS)",
        Limit(low=0.95),
        "V",
        FAULT,
        "disagrees with the INA219",
        shunt_shorted_sns,
    ),
    Check("single fault", "shunt open", Limit(high=10.0), "uA", FAULT, "4 mA asked", shunt_opened),
    Check("single fault", "cut-off shorted, output on: change", Limit(high=0.1), "%", FAULT, "latent", latent),
    Check(
        "single fault",
        "cut-off shorted, no heartbeat",
        Limit(low=0.9),
        "mA",
        FAULT,
        "1 mA: what a self-test finds",
        latent_found,
    ),
    Check(
        "single fault",
        "one limiter missing: change",
        Limit(high=0.1),
        "%",
        FAULT,
        "4 mA; latent: bench self-test",
        limiter_failed,
    ),
)
