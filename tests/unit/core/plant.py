"""A small board for the unit tests: circuit, HAL and application, in virtual time and without hardware.

Its flash is `fake_flash`, its serial port `fake_port`. It is written from the hardware design's numbers and shares
nothing with the simulator in host/ionto_sim, so that the two can be wrong in different ways. Currents in uA, voltages
in mV, times in us, charge in uC.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from fake_flash import Flash, logs_on, read_log
from fake_port import Port, answers, request

from ionto import app as app_module
from ionto import (
    bootmode,
    calibration,
    dose,
    identity,
    keeper,
    keptdose,
    kernel,
    limits,
    oldlogs,
    protocol,
    requests,
    settings,
)
from ionto.controller import Controller
from ionto.findings import HEART_HIGH, INTERLOCK, OTHER_POLE
from ionto.guards import Guards
from ionto.limits import Limits
from ionto.pins import PWM_TOP
from ionto.reading import POLE_LINE, RELAY_LINE, Reading, Scale
from ionto.selftest import SelfTest
from ionto.session import Session

OPEN_OHM = 1e12
FLASH_MOST_UA = 80.0  # of the meter, at a flash operation: what one dead measurement leaves the other to see
SECOND_ZERO_UA = 5  # of the second sensor, which the self-test finds
_ON_STATES = (protocol.SELF_TESTING, protocol.RAMP_UP, protocol.HOLD, protocol.RAMP_DOWN)
# Filter 15k/100n, 15k/(100n in parallel with 20k): 8.6 ms to 1 %.
_SLOW_US, _FAST_US = 1730.0, 520.0
# Dead-man: 22n into 150n in parallel with 470k, BSS138 gate.
_PUMP_MV, _PUMP_SHARE, _PUMP_LOW_US, _PUMP_HIGH_US, _GATE_MV = 2900.0, 0.128, 70_500.0, 80_840.0, 1031.0
_RELAY_HOLD_US = 220_000
# inner: everything in series with the load when the sink is fully on; sink: drain to ground then.
_OHMS = {"A": {"inner": 790.0, "sink": 225.0}, "B": {"inner": 179.0, "sink": 58.0}}


def _filters(dt_us: int) -> tuple[float, float]:
    """Return what `dt_us` takes from the error of each filter."""
    return 1.0 - math.exp(-dt_us / _SLOW_US), 1.0 - math.exp(-dt_us / _FAST_US)


_FILTERS = _filters(1_000)


def a_dose(build: Limits, **changes: Any) -> dose.Dose:
    """Return a short valid dose of `build` with `changes` to its fields."""
    return dose.parse(dose.canonical(dose_fields(build, **changes)), build)


def dose_fields(build: Limits, **changes: Any) -> dict[str, Any]:
    """Return the fields of a short valid dose (A: 2 mA, 5 mC, 3.5 s; B: 10 mA, 60 mC, 11 s) with `changes`."""
    big = build.variant == "B"
    fields: dict[str, Any] = {
        "schema": 1,
        "name": "short",
        "drug": "none",
        "site": "bench",
        "current_ua": 10_000 if big else 2_000,
        "dose_uc": 60_000 if big else 6_000,
        "area_mm2": 10_000 if big else 1_000,
        "polarity": 1,
        "ramp_up_ms": 5_000 if big else 1_000,
        "ramp_down_ms": 5_000 if big else 1_000,
        "waveform": "dc",
        "pulse_on_ms": 0,
        "pulse_off_ms": 0,
        "pulse_edge_ms": 0,
        "reversal": "none",
        "reversal_interval_ms": 0,
        "max_extension_pct": 50,
        "starts": 3,
        "max_density_ua_cm2": 500,
    }
    return fields | changes


def take_raw(
    reading: Reading,
    raw: int,
    ua_per_lsb: int = 1,
    zero_ua: float = 0,
    gain_q15: int = calibration.UNITY_Q15,
    full_scale_raw: int = 32_767,
) -> None:
    """Put the shunt register `raw` into `reading`, as a cycle does whose ADC reads nothing."""
    measuring = measured_with(zero_ua, gain_q15, full_scale_raw, ua_per_lsb)
    kernel.take(reading.block, measuring, (raw & 0xFFFF).to_bytes(2, "big"), 1, kernel.TAKE_RAIL, 0, 0)


@cache
def measured_with(zero_ua: float, gain_q15: int, full_scale_raw: int, ua_per_lsb: int = 1) -> tuple[int, ...]:
    """Return what the kernel is told of a board that measures so."""
    return (ua_per_lsb, round(zero_ua * 16) + kernel.M_BIAS, gain_q15, full_scale_raw, 0, 0, 0, 0, kernel.M_BIAS)


class Plant:
    """The analogue board: `advance` it with what the pins do, then `read` what the firmware would measure.

    Faults are plain attributes: `load_ohm` (`OPEN_OHM` for a lifted electrode), `sensor` ("ok", "stale", "stuck"),
    `forced_ua` (sink stuck), `switch_shorted` (dead-man bypassed), `rail_mv`, `vsys_mv`, `shunt_factor`, `sense_factor`
    and `adc_stuck` (V(SNS)), `pump_low_us`, `pump_high_us` (how slowly the dead-man lets go), `interlock_dead`,
    `trying_by_itself`, `relay_hold_us`, `relay_stuck`, `coil_forced`, `pole_forced` (what the lines read), `lines`
    (that something is connected to), `second` ("ok", "silent", "stuck", "frozen") and `second_factor`. `leak_share`
    of what the sense node's sensors see passes the load besides, unseen by them.
    """

    def __init__(self, build: Limits, load_ohm: float = 2_000.0, noise: bool = True, seed: int = 1):
        self._build = build
        self._inner_ohm = _OHMS[build.variant]["inner"]
        self._sink_ohm = _OHMS[build.variant]["sink"]
        self._full_scale = build.pga_range_mv * 100 - 1
        self.load_ohm = load_ohm
        self.noise = noise
        self.gain = 1.0  # of the set-point path
        self.offset_ua = 0.0
        self.sensor_offset_ua = 0.0
        self.shunt_factor = 1.0
        self.sensor = "ok"
        self.sensor_ok = True
        self.forced_ua: float | None = None
        self.switch_shorted = False
        self.adc_stuck = False
        self.adc_wide = False  # steps of the ADC, and its four wide codes
        self.sense_factor = 1.0
        self._sense_ua = 0
        self.second = "ok"
        self.second_factor = 1.0
        self.leak_share = 0.0
        self._second_raw = 0
        self._second_step = 0
        self.nominal_rail_mv = 24_000
        self.vsys_mv = 3_900
        self.boost = False
        self.duty = 0
        self.now_us = 0
        self.current_ua = 0.0
        self.charge_uc = 0.0  # the independent meter: what has truly flowed
        self.peak_ua = 0.0
        self._seed = seed
        self._a = self._b = 0.0
        self._pump_mv = 0.0
        self._level = 0
        self._raw = 0
        self._closed = False
        self.pump_low_us, self.pump_high_us = _PUMP_LOW_US, _PUMP_HIGH_US
        self.interlock_dead = False
        self.trying = False  # INTERLOCK_SENSE is driven high
        self.relay = False  # its pin
        self.relay_hold_us = _RELAY_HOLD_US
        self.relay_stuck = False
        self.pole_forced: int | None = None
        self.coil_forced: bool | None = None
        self.trying_by_itself = False
        self.lines = POLE_LINE | RELAY_LINE
        self._held_us = 0

    @property
    def coil(self) -> bool:
        """Whether the relay's coil is driven, and RELAY_SENSE high: by its pin, or still held."""
        if self.coil_forced is not None:
            return self.coil_forced
        return self.relay or self._held_us > 0

    @property
    def pole(self) -> int:
        """POLE_SENSE: 1 while a current that it can see flows out of E+."""
        if self.pole_forced is not None:
            return self.pole_forced
        if self.current_ua <= self._build.pole_ua * 0.55:
            return 0
        return int(self.relay_stuck or not self.coil)

    def set_relay(self, level: bool) -> None:
        """The relay's pin goes to `level`."""
        if self.relay and not level:
            self._held_us = self.relay_hold_us
        self.relay = level

    def heartbeat(self, level: int) -> None:
        """The heartbeat pin goes to `level`."""
        if level and not self._level:
            self._pump_mv += max(0.0, _PUMP_MV - self._pump_mv) * _PUMP_SHARE
        self._level = level

    @property
    def closed(self) -> bool:
        """Whether the dead-man lets current through."""
        return self.switch_shorted or self._pump_mv > _GATE_MV

    def advance(self, dt_us: int) -> None:
        """Let `dt_us` pass, in pieces of 1 ms at most."""
        if dt_us == 1_000:
            self._piece(dt_us)
            return
        while dt_us > 0:
            piece = min(dt_us, 1_000)
            self._piece(piece)
            dt_us -= piece

    def _piece(self, dt_us: int) -> None:
        self.now_us += dt_us
        before = self.current_ua
        slow, fast = _FILTERS if dt_us == 1_000 else _filters(dt_us)
        self._pump_mv *= math.exp(-dt_us / (self.pump_high_us if self._level else self.pump_low_us))
        if self.trying and not self.interlock_dead:
            self._pump_mv = 0.0
        if self._held_us:
            self._held_us = max(0, self._held_us - dt_us)
        self._a += (self._build.full_scale_ua * self.duty / PWM_TOP * self.gain - self._a) * slow
        self._b += (self._a - self._b) * fast
        current = 0.0
        if self.switch_shorted or self._pump_mv > _GATE_MV:
            asked = self._b + self.offset_ua if self.forced_ua is None else self.forced_ua
            most = self.rail_mv * 1_000.0 / (self.load_ohm + self._inner_ohm)
            current = max(0.0, min(asked, most, self._build.hardware_ceiling_ua))
        self.current_ua = current
        self.charge_uc += (before + current) * (1.0 + self.leak_share) * dt_us / 2e6
        if current > self.peak_ua:
            self.peak_ua = current

    @property
    def rail_mv(self) -> int:
        """The 24 V rail, or the battery behind the boost's diode."""
        return self.nominal_rail_mv if self.boost else 3_550

    def _dither(self) -> float:
        """Return noise of up to 1.5 uA: as wide as steps of the register, so that their mean is true."""
        if not self.noise:
            return 0.0
        self._seed = (self._seed * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._seed >> 16) % 3_000 / 1_000 - 1.4995

    def _converted(self, current_ua: float) -> int:
        """Return what the RP2040's ADC makes of V(SNS): codes 511, 1535 ... are 9 steps wide."""
        step_ua = 805.664e6 / self._build.sense_mohm / 1e3
        steps = current_ua / step_ua + self._dither()
        off = (steps + 1) % 1_024 - 512
        if abs(off) <= 4.5:
            steps -= off
        return max(0, int(int(steps + 0.5) * step_ua))

    def _adc_noise(self) -> int:
        """Return what no ADC is free of: 0 to 2 uA."""
        self._seed = (self._seed * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._seed >> 16) % 3

    def read(self, reading: Reading, zero_ua: float = 0, gain_q15: int = calibration.UNITY_Q15) -> None:
        """Fill the analogue part of `reading`, the current corrected by `zero_ua` and `gain_q15`."""
        current = self.current_ua
        block = reading.block
        block[kernel.R_FRESH] = self.sensor != "stale"
        block[kernel.R_SENSOR_OK] = self.sensor_ok
        if self.sensor != "stale":
            if self.sensor != "stuck":
                self._raw = round(current * self.shunt_factor + self.sensor_offset_ua + self._dither())
            measuring = measured_with(zero_ua, gain_q15, self._full_scale)
            kernel.take(block, measuring, (self._raw & 0xFFFF).to_bytes(2, "big"), 1, kernel.TAKE_RAIL, 0, 0)
        if not self.adc_stuck:
            seen_ua = current * self.sense_factor
            self._sense_ua = self._converted(seen_ua) if self.adc_wide else int(seen_ua + 0.5) + self._adc_noise()
        rail_mv = self.rail_mv
        drain_mv = 0.0
        if self.switch_shorted or self._pump_mv > _GATE_MV:
            drop_ohm = self.load_ohm + self._inner_ohm - self._sink_ohm
            drain_mv = max(rail_mv - current * drop_ohm / 1e3, current * self._sink_ohm / 1e3)
        load_mv = rail_mv - drain_mv - current * self._build.series_ohm / 1e3
        block[kernel.R_SENSE_UA] = self._sense_ua
        block[kernel.R_SOURCE_MV] = int(current * self._build.sense_mohm / 1e6)
        block[kernel.R_RAIL_MV] = rail_mv
        block[kernel.R_VSYS_MV] = self.vsys_mv
        block[kernel.R_DRAIN_MV] = int(drain_mv)
        block[kernel.R_LOAD_MV] = int(load_mv) if load_mv > 0.0 else 0
        block[kernel.R_POLE] = self.pole

    def read_lines(self, reading: Reading) -> None:
        """Fill what only a self-test reads."""
        reading.block[kernel.R_POLE] = self.pole
        reading.block[kernel.R_RELAY] = self.coil
        reading.block[kernel.R_INTERLOCK] = self.trying or self.trying_by_itself

    def read_second(self, reading: Reading, zero: int = 0) -> None:
        """Fill what `reading` has of the second sensor, `zero` (in its LSB) taken off; it sees the load's current."""
        gain_q14 = (2_500 << 14) // self._build.second_mohm
        if self.second in ("ok", "frozen"):
            self._second_step += 1
            load_ua = self.current_ua * (1.0 + self.leak_share) * self.second_factor
            self._second_raw = round((load_ua + SECOND_ZERO_UA) * 16_384 / gain_q14) + self._second_step % 3
        measuring = (0, 0, 0, 0, 0, 0, zero + kernel.M_BIAS, gain_q14)
        register = (self._second_raw & 0xFFFF).to_bytes(2, "big")
        kernel.take_second(reading.block, measuring, register, int(self.second != "silent"))
        if self.second == "frozen":
            reading.second_ok = False


class Rig:
    """Session, guards, self-test and controller on a plant: the pure core without application, log and link."""

    def __init__(self, build: Limits | None = None, **plant: Any):
        self.build = build or limits.variant_a()
        self.plant = Plant(self.build, **plant)
        self.reading = Reading()
        self.guards = Guards(self.build)
        self.selftest = SelfTest(self.build)
        self.selftest.files = (4, "")
        self.notes: list[tuple[int, ...]] = []
        self.session = Session(self.build, self.selftest, self.guards, self._note)
        self.controller = Controller(self.build.full_scale_ua, PWM_TOP)
        self.zero_ua: float = 0
        self.second_zero = 0
        self.dt_us = 1_000
        self.auto_arm = True
        self.reversed = False
        self.switched_ua = 0.0  # the greatest current that the relay ever switched, output off or not
        self._cycle = 0
        self._level = 0
        self.tick()

    def _note(self, *note: int) -> None:
        self.notes.append(note)

    def tick(self) -> None:
        """One cycle, in the order of ionto.loop.Loop.tick."""
        session, reading, plant = self.session, self.reading, self.plant
        plant.advance(self.dt_us)
        plant.read(reading, self.zero_ua)
        fault = self.guards.step(self.dt_us, reading, session.setpoint_ua, session.output_on)
        before = session.state
        session.step(self.dt_us, reading, fault)
        if session.state != before:
            self._changed()
        if self._cycle & 3 == 3:
            plant.read_second(reading, self.second_zero)
        if session.state == protocol.SELF_TESTING:
            self._prove()
        on = session.state in (protocol.SELF_TESTING, protocol.RAMP_UP, protocol.HOLD, protocol.RAMP_DOWN)
        plant.boost = on or session.state == protocol.ARMED
        drive_ua, steady = session.drive_ua(), session.block[kernel.S_STEADY]
        if session.state == protocol.HOLD:
            duty = kernel.control(self.controller.block, drive_ua, reading.current_ua, steady)
        else:
            duty = self.controller.step(drive_ua, reading.current_ua, steady)
        plant.duty = duty if plant.boost else 0
        self._cycle += 1
        if not session.output_on:
            self._level = int(self.selftest.drive & HEART_HIGH != 0)
        elif self._cycle & 1 and reading.fresh and not session.fault:
            self._level ^= 1
        plant.heartbeat(self._level)
        if self.auto_arm and session.state == protocol.ARMED:
            self.zero_ua, self.second_zero = self.selftest.zero_16ths / 16, self.selftest.second_zero
            self.guards.compare()
            self._set_pole()
            session.armed()
        elif session.may_turn and session.state == protocol.REVERSING:
            self._set_pole()
            session.turned()

    def _prove(self) -> None:
        """Drive what the self-test wants besides, as ionto.loop.Loop does."""
        plant, drive = self.plant, self.selftest.drive
        self.selftest.lines = plant.lines
        self.zero_ua = self.selftest.zero_16ths / 16
        plant.trying = drive & INTERLOCK != 0
        asked = drive & OTHER_POLE != 0
        if asked != plant.relay and not self._level and not plant.closed and plant.current_ua < 20:
            plant.set_relay(asked)
        self.reading.block[kernel.R_MOVED] = plant.relay == asked
        plant.read_lines(self.reading)

    def _set_pole(self) -> None:
        """Move the relay, with what the application's own place promises."""
        assert not self.session.output_on
        assert not self.plant.closed, "the dead-man still lets current through"
        self.reversed = self.session.pole < 0
        self.plant.set_relay(self.reversed)
        self.switched_ua = max(self.switched_ua, self.plant.current_ua)

    def _changed(self) -> None:
        if self.session.state == protocol.SELF_TESTING:
            self.second_zero = 0
        else:
            self.plant.trying = False
        if not self.session.output_on:
            self.controller.reset()

    def run(self, ticks: int) -> None:
        """Run `ticks` cycles."""
        for _ in range(ticks):
            self.tick()

    def until(self, *states: int, most: int = 60_000) -> int:
        """Run until the session is in one of `states`; return the cycles it took, AssertionError after `most`."""
        for count in range(most):
            if self.session.state in states:
                return count
            self.tick()
        raise AssertionError(f"still in {protocol.STATES[self.session.state]} after {most} ms")

    def start(self, plan: dose.Dose | None = None) -> int:
        """Load `plan` (or the short dose) and start; return the answer's code."""
        code = self.session.load(plan or a_dose(self.build))
        return code or self.session.start(self.reading)

    def deliver(self, plan: dose.Dose | None = None) -> None:
        """Start and run into HOLD, with 50 ms of it."""
        assert self.start(plan) == 0
        self.until(protocol.HOLD)
        self.run(50)


class FakeHal:
    """The methods of ionto.hal_rp2.Hal on a `Plant`. `calls` holds what matters for the order of things.

    Time spent in a cycle (`spend`) makes the next tick late, as on the board.
    """

    def __init__(self, build: Limits, plant: Plant):
        self._build = build
        self.plant = plant
        self.scale = Scale(build)
        self.calls: list[str] = []
        self.beats = 0
        self.feeds = 0
        self.watchdog = False
        self.powered = False
        self.relay = False
        self.lights = 0
        self.start_pressed = False
        self._stop_open = self._vbus = False
        self._stop_rose = self._vbus_rose = False
        self.bench_strap = False
        self.recovers = True
        self.jobs = 0  # sensor checks, looks back and shows
        self.in_step = False
        self.on_wait: Callable[[], None] = lambda: None
        self.on_beat: Callable[[bool], None] = lambda alive: None
        self.on_feed: Callable[[], None] = lambda: None
        self._spent_us = 0
        self._duty = 0
        self.level = self._rest_level = 0
        self._still_ms = limits.DEAD_MAN_MS
        self.blind = False
        self.cut_off()

    @property
    def stop_open(self) -> bool:
        """The STOP loop; that it was opened is kept until `look_back`, as the chip keeps an edge."""
        return self._stop_open

    @stop_open.setter
    def stop_open(self, is_open: bool) -> None:
        self._stop_rose |= is_open and not self._stop_open
        self._stop_open = is_open

    @property
    def vbus(self) -> bool:
        """A computer is plugged in; kept likewise."""
        return self._vbus

    @vbus.setter
    def vbus(self, present: bool) -> None:
        self._vbus_rose |= present and not self._vbus
        self._vbus = present

    def spend(self, dt_us: int) -> None:
        """Let the present cycle take `dt_us` longer."""
        self._spent_us += dt_us

    def wait_tick(self) -> int:
        """As the real one: 1000 us, or more after a cycle that took longer."""
        self.on_wait()
        dt_us = max(1_000, self._spent_us)
        self._spent_us = 0
        self.plant.advance(dt_us)
        return dt_us

    def check_sensor(self, reading: Reading) -> None:
        """Say in `reading` whether the sensor is configured."""
        self.jobs += 1
        if reading.fresh:
            reading.sensor_ok = self.plant.sensor_ok

    def read_second(self, reading: Reading) -> None:
        """Read the second sensor."""
        self.jobs += 1
        before = reading.second_ok
        self.plant.read_second(reading, self.scale.second_zero)
        if self.plant.second == "frozen":  # it answers, and only a look at its flag tells
            reading.second_ok = before

    def look_second(self, reading: Reading) -> None:
        """Say in `reading` whether the second sensor converts."""
        self.jobs += 1
        if self.plant.second == "frozen":
            reading.second_ok = False

    def check_second(self, reading: Reading) -> None:
        """Say in `reading` whether the second sensor is configured."""
        self.jobs += 1

    def open_second(self) -> bool:
        """Try the second sensor again."""
        self.calls.append("open_second")
        return self.plant.second != "silent"

    def timing(self, level: int) -> None:
        """The loop timing pin: high while a control step runs."""
        self.in_step = level != 0

    def read(self, reading: Reading) -> None:
        """Fill `reading`."""
        checked = reading.sensor_ok
        self.plant.read(reading, self.scale.zero_16ths / 16, self.scale.gain_q15)
        reading.sensor_ok = checked  # told by `check_sensor` alone
        reading.start_pressed, reading.stop_open = self.start_pressed, self.stop_open
        reading.vbus, reading.bench_strap = self.vbus, self.bench_strap

    def look_back(self, reading: Reading) -> None:
        """What STOP and VBUS were since the last look."""
        self.jobs += 1
        reading.stop_open = reading.stop_open or self._stop_rose
        reading.vbus = reading.vbus or self._vbus_rose
        self._stop_rose = self._vbus_rose = False

    def look_for_cause(self, reading: Reading) -> None:
        """Read STOP, VBUS and the rail now."""
        reading.stop_open, reading.vbus, reading.rail_mv = self.stop_open, self.vbus, self.plant.rail_mv
        self.look_back(reading)

    def cut_off(self) -> None:
        """Set-point pin, heartbeat and boost low."""
        self.calls.append("cut_off")
        self.powered = False
        self.plant.boost = False
        self._duty = self.plant.duty = 0
        self.level = self._rest_level = 0
        self.plant.trying = False
        self.plant.heartbeat(0)

    def power_up(self) -> None:
        """Boost on, PWM running."""
        self.calls.append("power_up")
        self.powered = True
        self.plant.boost = True

    def set_duty(self, duty: int) -> None:
        """Set-point duty, 0 to 4095."""
        assert 0 <= duty <= PWM_TOP
        if self.powered:
            self._duty = self.plant.duty = duty

    def duty(self) -> int:
        """The duty last set."""
        return self._duty

    def beat(self, output_on: bool) -> None:
        """Heartbeat edge when `output_on`, and the watchdog."""
        self.on_beat(output_on)
        if output_on:
            self._still_ms = 0
            self.beats += 1
            self.level ^= 1
            self.plant.heartbeat(self.level)
        self.on_feed()
        self.feeds += 1

    def rest_heart(self, high: bool) -> None:
        """Where the heartbeat rests."""
        self._rest_level = int(high)

    def try_interlock(self, on: bool) -> None:
        """Drive the gate of the interlock."""
        self.plant.trying = on

    def read_lines(self, reading: Reading) -> None:
        """Read the sense lines."""
        self.plant.read_lines(reading)

    def lines(self) -> int:
        """The lines that something is connected to."""
        return self.plant.lines

    def interlock_blind(self, reading: Reading) -> bool:
        """Whether the interlock misses a computer."""
        return self.blind and self.vbus and not self.bench_strap

    def still_heart(self) -> None:
        """Heartbeat at rest."""
        self._still_ms += 1
        self.level = self._rest_level
        self.plant.heartbeat(self.level)

    def set_reversed(self, is_reversed: bool) -> bool:
        """The polarity relay; it must not switch a current, nor move while the dead-man is closed."""
        if is_reversed == self.relay:
            return True
        if self._still_ms < limits.DEAD_MAN_MS or self.plant.current_ua > 20:
            return False
        assert self.plant.current_ua < 10
        assert not self.plant.closed
        self.calls.append("relay")
        self.relay = is_reversed
        self.plant.set_relay(is_reversed)
        return True

    def reversed(self) -> bool:
        """Whether the relay is switched."""
        return self.relay

    def start_watchdog(self) -> None:
        """Arm the watchdog."""
        self.watchdog = True

    def show(self, bits: int) -> None:
        """LEDs and buzzer."""
        self.jobs += 1
        self.lights = bits

    def recover_sensor(self) -> bool:
        """Try the sensor again."""
        self.calls.append("recover_sensor")
        if self.recovers:
            self.plant.sensor, self.plant.sensor_ok = "ok", True
        return self.recovers


class Board:
    """The functions of ionto.hal_rp2 beside the class: scratch registers, clock, identity. Survives a reset."""

    def __init__(self) -> None:
        self.scratch = [0, 0, 0, 0]
        self.clock_s = 1_600_000_000

    def read_scratch(self, index: int) -> int:
        """Read a scratch register."""
        return self.scratch[index]

    def write_scratch(self, index: int, value: int) -> None:
        """Write a scratch register, 32 bits."""
        self.scratch[index] = value & 0xFFFFFFFF

    def board_id(self) -> str:
        """Return a fixed id."""
        return "e66038b7133c5a2b"

    def unix_time_s(self) -> int:
        """Return the clock."""
        return self.clock_s

    def set_clock(self, unix_s: int) -> None:
        """Set the clock."""
        self.clock_s = unix_s


class Device:
    """A whole device: the application on fakes. Made by `device`."""

    def __init__(self, build: Limits, flash: Flash, board: Board, **plant: Any):
        self.build = build
        self.flash = flash
        self.board = board
        self.plant = Plant(build, **plant)
        self.hal = FakeHal(build, self.plant)
        self.port = Port()
        boot = bootmode.Boot(board.read_scratch(bootmode.SCRATCH_MARK), False)
        board.write_scratch(bootmode.SCRATCH_MARK, boot.word())
        self.app = app_module.App(self.hal, board, self.port, boot, build, settings.Settings(build))
        flash.on_write = self._written
        self.hal.on_beat = self._beaten
        self.hal.on_feed = self._fed

    def _beaten(self, alive: bool) -> None:
        """Invariant 1: the one place, and for an edge a state, no fault and a sample of this cycle."""
        session = self.app.session
        assert self.hal.in_step, "heartbeat outside the control step"
        if alive:
            assert session.output_on and session.state in _ON_STATES
            assert not session.fault
            assert self.app.reading.fresh, "heartbeat without a sample"

    def _fed(self) -> None:
        assert self.hal.in_step, "watchdog fed outside the step"

    def _written(self, path: str) -> None:
        """Invariant 6: no flash operation while current flows, by the meter; a broken cut-off gets a time to end."""
        assert not self.app.session.output_on, "flash write with the output on"
        if not self.plant.switch_shorted:
            assert self.plant.current_ua <= FLASH_MOST_UA, "flash write while current flows"
        self.hal.calls.append("write " + path)
        self.hal.spend(self.flash.write_us)

    @property
    def state(self) -> int:
        """The session's state."""
        return self.app.session.state

    def boot(self) -> None:
        """Run the application's beginning and its first ticks."""
        self.run(3)

    def run(self, ticks: int) -> None:
        """Run `ticks` cycles; the first call begins the application."""
        if not self.hal.watchdog:
            self.app.begin()
        for _ in range(ticks):
            self.app.tick()

    def live(self) -> None:
        """Run the application from begin to end, as ionto.start does; for a device that will leave."""
        self.app.begin()
        while self.app.tick():
            pass
        self.app.end()

    def until(self, *states: int, most: int = 60_000) -> int:
        """Run until in one of `states`; return the cycles it took."""
        for count in range(most):
            if self.state in states:
                return count
            self.app.tick()
        raise AssertionError(f"still in {protocol.STATES[self.state]} after {most} ms")

    def send(self, kind: int, payload: bytes = b"", sequence: int = 1) -> None:
        """Put a request on the wire."""
        self.port.to_device.extend(request(kind, sequence, payload))

    def ask(self, kind: int, payload: bytes = b"", sequence: int = 1, most: int = 2_000) -> tuple[int, bytes]:
        """Send a request, run until its answer is in; return (type, payload) of the only frame that came."""
        del self.port.from_device[:]
        self.send(kind, payload, sequence)
        for _ in range(most):
            self.app.tick()
            if self.port.from_device and not self.app.link.busy():
                break
        frames = answers(self.port.from_device)
        assert [frame[1] for frame in frames] == [sequence], frames
        return frames[0][0], frames[0][2]

    def code(self, kind: int, payload: bytes = b"") -> int:
        """Return the error code that the request is answered with, 0 when it was accepted."""
        answer, content = self.ask(kind, payload)
        if answer != protocol.ERROR:
            assert answer == kind | protocol.RESPONSE
            return 0
        code, refused, _ = struct.unpack_from(protocol.ERROR_FORMAT, content)
        assert refused == kind
        return code

    def status(self) -> dict[str, int]:
        """Return the status record."""
        answer, content = self.ask(protocol.STATUS)
        assert answer == protocol.STATUS | protocol.RESPONSE, struct.unpack_from("<H", content)
        names = [name for name, _ in protocol.STATUS_FIELDS]
        return dict(zip(names, struct.unpack(protocol.STATUS_FORMAT, content), strict=True))

    def push(self, **changes: Any) -> int:
        """Push the short dose with `changes`; return the code."""
        return self.code(protocol.DOSE_PUSH, dose.canonical(dose_fields(self.build, **changes)))

    def start(self, **changes: Any) -> None:
        """Push a dose and start it; it must be accepted."""
        assert self.push(**changes) == 0
        assert self.code(protocol.START) == 0

    def hold(self, **changes: Any) -> None:
        """Push a dose, start it on the bench strap and run into HOLD, with 50 ms of it."""
        self.hal.bench_strap = True
        self.run(2)
        self.start(**changes)
        self.until(protocol.HOLD)
        self.run(50)

    @property
    def logs(self) -> dict[str, bytes]:
        """The log files on flash."""
        return self.flash.logs

    def log(self, log_id: int = 1) -> list[tuple[str, Any]]:
        """Return the records of a log on flash."""
        return read_log(self.flash.files[f"/logs/{log_id:06d}.ilog"])

    def finish(self, most: int = 60_000) -> None:
        """Run until the session is over, the output settled and its log written."""
        self.until(protocol.DONE, protocol.FAULT, most=most)
        self.run(250)


@contextmanager
def device(
    variant: str = "A", flash: Flash | None = None, board: Board | None = None, booted: bool = True, **plant: Any
) -> Iterator[Device]:
    """Yield a device whose modules see the fake flash instead of the machine's files."""
    flash = flash or Flash()
    implementation = SimpleNamespace(version=(1, 29, 0, ""), _mpy=2822, name="micropython")
    collector = SimpleNamespace(collect=lambda: 0, mem_free=lambda: 100_000, threshold=lambda size: None)
    with ExitStack() as stack:
        for target, name, fake in (
            (requests, "os", flash),
            (identity, "sys", SimpleNamespace(implementation=implementation)),
            (keeper, "os", flash),
            (oldlogs, "os", flash),
            *((module, "gc", collector) for module in (app_module, requests, keeper)),
            (requests, "open", flash.open),
            (keptdose, "open", flash.open),
        ):
            stack.enter_context(patch.object(target, name, fake, create=True))
        stack.enter_context(logs_on(flash))
        made = Device(limits.for_variant(variant), flash, board or Board(), **plant)
        if booted:
            made.boot()
        yield made


def press(board: Device, ms: int = 100) -> None:
    """Hold START for `ms`, then let go."""
    board.hal.start_pressed = True
    board.run(ms)
    board.hal.start_pressed = False
    board.run(3)
    while board.app.desk.errand.under_way():
        board.run(1)
