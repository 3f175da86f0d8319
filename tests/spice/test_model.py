"""The fast model of the circuit against the drawing in ngspice, over whole sessions: within 2 %.

Both are driven alike, cycle by cycle, as the firmware does: heartbeat, ramps, the sensor's and the ADC's readings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ionto_sim import parameters
from ionto_sim.circuit import DRAIN, FULL_DUTY, RAIL, SNS, Circuit
from ionto_sim.spice.circuit import SpiceCircuit

WITHIN = 0.02
NEAR_UA, NEAR_LSB = 3.0, 12
CYCLE_US = 1_000
RAMP_MS, HOLD_MS = 150, 150
STUCK_LOW, STUCK_HIGH = 0, 1
VALUES = {**parameters.IDEAL, "adc_noise_lsb": 0.0}


@dataclass
class Session:
    """What instruments saw: current by cycle in uA, readings in the middle of the hold, time to below 10 uA."""

    current_ua: list[float]
    shunt_nv: int
    taps: dict[int, int]
    charge_uc: float
    spike_ua: float
    dark_us: int


def session(circuit: Any, full_ua: float, peak_ua: float, stuck: int) -> Session:
    """Ramp up to `peak_ua`, hold, ramp half-way down; then the firmware stops with the heartbeat at `stuck`."""
    now = 0
    seen: list[float] = []
    shunt, taps = 0, {}
    circuit.set_bench_strap(now, True)
    circuit.set_boost(now, True)
    for _ in range(60):
        now += CYCLE_US
        circuit.advance(now)
    total = 2 * RAMP_MS + HOLD_MS
    for cycle in range(total):
        shape = min(cycle, RAMP_MS, total - cycle / 2) / RAMP_MS
        circuit.set_duty(now, round(max(shape, 0.02) * peak_ua / full_ua * FULL_DUTY))
        if cycle & 1:
            circuit.heartbeat(now, cycle >> 1 & 1)
        now += CYCLE_US
        circuit.advance(now)
        seen.append(circuit.current_ua())
        if cycle == RAMP_MS + HOLD_MS - 20:
            shunt = circuit.shunt_nv(now - 532, now, now)
            taps = {tap: circuit.adc_u16(tap, now) >> 4 for tap in (DRAIN, RAIL, SNS)}
    for level in ((0, 1), (1, 0))[stuck == STUCK_LOW]:
        now += 2 * CYCLE_US
        circuit.advance(now)
        circuit.heartbeat(now, level)
    circuit.settle_at(now)
    circuit.meter.mark("stopped")
    for _ in range(400):
        now += CYCLE_US // 4
        circuit.advance(now)
    circuit.settle_at(now)
    meter, since = circuit.meter.read(), circuit.meter.read_mark("stopped")
    assert since["t_below_us"] is not None, "the current still flows"
    return Session(seen, shunt, taps, meter["charge_uc"], meter["spike_ua"], since["t_below_us"])


CASES = [
    # variant, load, current in uA, heartbeat stuck
    ("A", 2_000, 1_000, STUCK_LOW),
    ("A", 500, 4_000, STUCK_HIGH),
    ("A", "short", 500, STUCK_LOW),
    ("A", "skin", 4_000, STUCK_LOW),
    ("A", 15_000, 100, STUCK_HIGH),
    ("A", 9_000, 4_000, STUCK_LOW),  # more than the rail can drive
    ("B", 500, 20_000, STUCK_LOW),
    ("B", "skin", 2_000, STUCK_HIGH),
]


@pytest.mark.parametrize(("variant", "load", "peak_ua", "stuck"), CASES)
def test_a_session_is_the_same_in_the_fast_model(variant: str, load: Any, peak_ua: float, stuck: int) -> None:
    values = parameters.board(variant, **VALUES)
    full_ua = 1e6 / (values["sense_ohm"] + values["shunt_ohm"])
    drawn = SpiceCircuit(variant, values, load)
    truth = session(drawn, full_ua, peak_ua, stuck)
    drawn.close()
    model = session(Circuit(values, load), full_ua, peak_ua, stuck)

    flowing = [pair for pair in zip(model.current_ua, truth.current_ua, strict=True) if min(pair) > 10]
    assert len(flowing) > 2 * RAMP_MS
    apart = [abs(fast - slow) - max(NEAR_UA, WITHIN * slow) for fast, slow in flowing]
    assert sorted(apart)[-3] <= 0, "two cycles may differ: the current begins within one, and ends within one"
    assert model.charge_uc == pytest.approx(truth.charge_uc, rel=WITHIN)
    assert model.shunt_nv == pytest.approx(truth.shunt_nv, rel=WITHIN)
    for tap, count in truth.taps.items():
        assert model.taps[tap] == pytest.approx(count, rel=WITHIN, abs=NEAR_LSB), tap
    assert model.dark_us == pytest.approx(truth.dark_us, rel=WITHIN, abs=CYCLE_US // 2)
    assert model.spike_ua == pytest.approx(truth.spike_ua, rel=0.25), "the microseconds in which the output closes"
