"""The firmware in closed loop with the drawn circuit, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import plant
import pytest

from ionto import calibration, kernel, protocol
from ionto.limits import Limits
from ionto.pins import PWM_TOP
from ionto.reading import Reading, Scale
from ionto_sim import parameters
from ionto_sim.circuit import DRAIN, FULL_DUTY, RAIL, SNS, VSYS
from ionto_sim.spice.circuit import SpiceCircuit

CONVERSION_US = 532
MICROVOLT_PER_LSB = 10
OTHERS = {kernel.TAKE_RAIL: RAIL, kernel.TAKE_VSYS: VSYS}  # what the other slots read, the test's HAL says itself


class DrawnPlant:
    """The drawn circuit in the place of the unit tests' plant."""

    switch_shorted = False  # nothing is broken here: flash waits for the meter

    def __init__(self, build: Limits, load_ohm: float = 2_000.0):
        self._build = build
        self.circuit = SpiceCircuit(build.variant, parameters.board(build.variant), load_ohm)
        self.circuit.set_bench_strap(0, True)
        self.sensor_ok, self.sensor = True, "ok"
        self.now_us = 0
        self._boost = False
        self._slot = 0
        self._scale = Scale(build)

    @property
    def duty(self) -> int:
        """Of `PWM_TOP`."""
        return self.circuit.duty * PWM_TOP // FULL_DUTY

    @duty.setter
    def duty(self, duty: int) -> None:
        self.circuit.set_duty(self.now_us, duty * FULL_DUTY // (PWM_TOP + 1))

    @property
    def boost(self) -> bool:
        """Whether the converter is enabled."""
        return self._boost

    @boost.setter
    def boost(self, on: bool) -> None:
        if on != self._boost:
            self._boost = on
            self.circuit.set_boost(self.now_us, on)

    def heartbeat(self, level: int) -> None:
        """The heartbeat pin goes to `level`."""
        self.circuit.heartbeat(self.now_us, level)

    @property
    def closed(self) -> bool:
        """Whether the high side is told to conduct."""
        return self.circuit.on

    @property
    def current_ua(self) -> float:
        """Through the load."""
        return self.circuit.current_ua()

    def advance(self, dt_us: int) -> None:
        """Let time pass."""
        self.now_us += dt_us
        self.circuit.advance(self.now_us)

    def read(self, reading: Reading, zero_ua: int = 0, gain_q15: int = calibration.UNITY_Q15) -> None:
        """Measure as the board's layer does: the shunt each cycle, the taps in turn."""
        circuit, now, scale = self.circuit, self.now_us, self._scale
        full = self._build.pga_range_mv * 100
        nanovolt = circuit.shunt_nv(now - CONVERSION_US, now, now)
        raw = max(-full, min(full, round(nanovolt / 1e3 / MICROVOLT_PER_LSB)))
        scale.zero_ua, scale.gain_q15 = zero_ua, gain_q15
        slot = self._slot = (self._slot + 1) & 7
        first = circuit.adc_u16(DRAIN if slot & 1 else SNS, now)
        second = circuit.adc_u16(OTHERS[slot], now) if slot in OTHERS else 0
        kernel.take(reading.block, scale.block, (raw & 0xFFFF).to_bytes(2, "big"), 1, slot, first, second)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The whole application on CPython, its pins on the drawn circuit of variant A and 2 kohm."""
    monkeypatch.setattr(plant, "Plant", DrawnPlant)
    with plant.device("A") as made:
        yield made
        made.plant.circuit.close()


def test_a_session_ends_with_its_dose_through_the_load(device: Any) -> None:
    device.hal.bench_strap = True
    device.run(10)
    device.start(current_ua=2_000, dose_uc=6_000)
    device.until(protocol.HOLD, most=5_000)
    device.run(100)
    assert device.plant.current_ua == pytest.approx(2_000, rel=0.005)
    device.finish(10_000)
    session = device.app.session
    assert protocol.STATES[session.state] == "DONE"
    meter = device.plant.circuit.meter.read()
    assert session.charge_uc == pytest.approx(6_000, abs=20)
    assert meter["charge_uc"] == pytest.approx(session.charge_uc, rel=0.005)
    assert meter["now_ua"] < 1


def test_firmware_that_stops_is_cut_off_by_the_circuit(device: Any) -> None:
    device.hold(current_ua=4_000, dose_uc=40_000)
    circuit, start = device.plant.circuit, device.plant.now_us
    circuit.meter.mark("stopped")
    device.plant.advance(200_000)
    since = circuit.meter.read_mark("stopped")
    assert since["elapsed_us"] == device.plant.now_us - start
    assert 20_000 < since["t_below_us"] < 60_000
