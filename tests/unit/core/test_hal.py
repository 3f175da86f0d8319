"""hal_rp2 on a fake `machine`: what the pins do when, and that counts become the right microamperes and millivolts."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import ina226_chip
import pytest
from ina219_chip import Chip

from ionto import faults, kernel, limits, pins, ui
from ionto.guards import Guards
from ionto.ina219 import configuration
from ionto.reading import POLE_LINE, RELAY_LINE, Reading


class Bus:
    """I2C with both sensors on it."""

    def __init__(self, first: Chip, second: ina226_chip.Chip):
        self._chips = (first, second)

    def _at(self, address: int) -> Chip | ina226_chip.Chip:
        first, second = self._chips
        return second if address == pins.INA226_ADDRESS else first

    def writeto(self, address: int, data: bytes) -> None:
        """As machine.I2C.writeto."""
        self._at(address).writeto(address, data)

    def readfrom_into(self, address: int, buffer: bytearray) -> None:
        """As machine.I2C.readfrom_into."""
        self._at(address).readfrom_into(address, buffer)


class Machine:
    """The chip: pin levels, PWM duties, ADC counts. `acts` is what was done, in order."""

    def __init__(self) -> None:
        self.levels = dict.fromkeys(range(30), 1) | {pins.VBUS_SENSE: 0, pins.STOP_SENSE: 0}
        self.owner: dict[int, str] = {}
        self.floating: set[int] = set()
        self.duty: dict[int, int] = {}
        self.counts: dict[int, int] = {}
        self.acts: list[tuple[str, int, Any]] = []
        self.chip = Chip()
        self.second = ina226_chip.Chip()
        self.now_us = 0
        self.feeds = 0
        self.rose: set[int] = set()  # pins that have gone high, as INTR keeps it

    def edges(self) -> Any:
        """Return INTR0 to INTR3 by bytes: what is written to one is written to all four of its register."""
        chip = self

        class Edges:
            def __getitem__(self, address: int) -> int:
                first = 2 * (address - 0x400140F0)
                return 8 * (first in chip.rose) + 128 * (first + 1 in chip.rose)

            def __setitem__(self, address: int, value: int) -> None:
                register = (address - 0x400140F0) & ~3
                for byte in range(register, register + 4):
                    chip.rose -= {pin for pin in (2 * byte, 2 * byte + 1) if value >> 4 * (pin & 1) & 8}

        return Edges()

    def module(self) -> ModuleType:
        """Return it as the module `machine`."""
        chip = self

        class Pin:
            """GPIO."""

            IN, OUT, OPEN_DRAIN, PULL_UP, PULL_DOWN = 0, 1, 2, 1, 2

            def __init__(self, number: int, mode: int = -1, pull: int = -1, value: int | None = None):
                self.number = number
                if mode == self.OUT:
                    chip.owner[number] = "gpio"
                elif mode == self.IN:
                    chip.owner[number] = "input"
                    if number in chip.floating:
                        chip.levels[number] = int(pull == self.PULL_UP)
                if value is not None:
                    self.value(value)

            def value(self, level: int | None = None) -> int:
                """Read or drive."""
                if level is not None:
                    chip.levels[self.number] = int(bool(level))
                    chip.acts.append(("pin", self.number, int(bool(level))))
                return chip.levels[self.number]

        class PWM:
            """A slice; `deinit` leaves the pin where it froze, as on the chip."""

            def __init__(self, pin: Pin, freq: int, duty_u16: int):
                self.number = pin.number
                chip.owner[self.number] = "pwm"
                chip.acts.append(("pwm", self.number, freq))
                self.duty_u16(duty_u16)

            def duty_u16(self, duty: int) -> None:
                """Set the duty."""
                assert 0 <= duty <= 0xFFFF
                chip.duty[self.number] = duty
                chip.acts.append(("duty", self.number, duty))

            def deinit(self) -> None:
                """Stop; the level stays what it was."""
                chip.acts.append(("deinit", self.number, None))

        module = ModuleType("machine")
        module.__dict__.update(
            Pin=Pin,
            PWM=PWM,
            ADC=lambda pin: SimpleNamespace(read_u16=lambda: chip.counts.get(pin.number, 0)),
            I2C=lambda bus, scl, sda, freq, timeout: Bus(self.chip, self.second),
            WDT=lambda timeout: SimpleNamespace(feed=self._feed),
            mem32={},
            mem8=self.edges(),
        )
        return module

    def _feed(self) -> None:
        self.feeds += 1

    def time(self) -> SimpleNamespace:
        """Return what stands in for the module `time`."""
        return SimpleNamespace(
            ticks_us=lambda: self.now_us & 0x3FFFFFFF,
            ticks_diff=lambda late, early: ((late - early + 0x20000000) & 0x3FFFFFFF) - 0x20000000,
            ticks_add=lambda ticks, delta: (ticks + delta) & 0x3FFFFFFF,
            sleep_us=self._sleep_us,
        )

    def _sleep_us(self, wait_us: int) -> None:
        self.now_us += wait_us


@contextmanager
def board(variant: str = "A", now_us: int = 0) -> Iterator[tuple[Any, Any, Machine]]:
    """Yield (hal_rp2, a Hal, the chip)."""
    chip = Machine()
    chip.now_us = now_us
    with patch.dict(sys.modules, {"machine": chip.module()}):
        sys.modules.pop("ionto.hal_rp2", None)
        hal_rp2 = importlib.import_module("ionto.hal_rp2")
        with patch.object(hal_rp2, "time", chip.time()):
            yield hal_rp2, hal_rp2.Hal(limits.for_variant(variant)), chip
    sys.modules.pop("ionto.hal_rp2", None)


SETPOINT, HEARTBEAT, BOOST = pins.PWM_SETPOINT, pins.HEARTBEAT, pins.BOOST_ENABLE


def off(chip: Machine) -> bool:
    """Return True when no pin can pass current: set-point and heartbeat driven low as GPIO, boost low."""
    return (
        chip.owner.get(SETPOINT) == "gpio"
        and chip.levels[SETPOINT] == chip.levels[HEARTBEAT] == chip.levels[BOOST] == 0
    )


@pytest.mark.hazard("HAZ-12")
def test_making_it_leaves_the_output_off() -> None:
    """Against output on at boot."""
    with board() as (_, _, chip):
        assert off(chip)
        assert chip.levels[pins.POLARITY_RELAY] == 0
        assert chip.chip.registers[0] == configuration(80)


@pytest.mark.hazard("HAZ-12", "HAZ-15")
def test_cut_off_takes_the_pin_back_from_the_pwm() -> None:
    """Against a PWM pin frozen high. Stopping a slice leaves its pin where it was; only a GPIO driven low is off."""
    with board() as (_, hal, chip):
        hal.power_up()
        assert (chip.owner[SETPOINT], chip.duty[SETPOINT], chip.levels[BOOST]) == ("pwm", 0, 1)
        hal.set_duty(4_095)
        hal.beat(True)
        assert chip.duty[SETPOINT] == 4_095 << 4
        chip.levels[SETPOINT] = 1
        chip.acts.clear()
        hal.cut_off()
        assert off(chip)
        assert hal.duty() == 0
        assert chip.acts[0] == ("pin", HEARTBEAT, 0)
        assert ("duty", SETPOINT, 0) in chip.acts
        hal.set_duty(1_000)
        assert chip.duty[SETPOINT] == 0, "no duty before power_up"
        hal.cut_off()
        assert off(chip)


@pytest.mark.hazard("HAZ-09", "HAZ-12")
def test_power_up_starts_at_zero_again() -> None:
    with board() as (_, hal, chip):
        hal.power_up()
        hal.set_duty(3_000)
        hal.cut_off()
        hal.power_up()
        assert (chip.duty[SETPOINT], hal.duty()) == (0, 0)
        hal.power_up()
        assert chip.acts.count(("pwm", SETPOINT, pins.PWM_FREQ_HZ)) == 2


def test_the_duty_is_written_only_when_it_changes() -> None:
    with board() as (_, hal, chip):
        hal.power_up()
        chip.acts.clear()
        for duty in (5, 5, 5, 6, 0, 0):
            hal.set_duty(duty)
        assert chip.acts == [("duty", SETPOINT, duty << 4) for duty in (5, 6, 0)]


@pytest.mark.hazard("HAZ-16")
def test_a_beat_is_an_edge_with_output_on_and_food_for_the_watchdog_always() -> None:
    with board() as (_, hal, chip):
        hal.beat(True)
        assert chip.feeds == 0, "not armed yet"
        hal.start_watchdog()
        levels = []
        for _ in range(4):
            hal.beat(True)
            levels.append(chip.levels[HEARTBEAT])
        assert levels == [0, 1, 0, 1]
        chip.acts.clear()
        hal.beat(False)
        assert chip.acts == []
        assert chip.feeds == 5
        hal.still_heart()
        assert chip.levels[HEARTBEAT] == 0


def nothing_decides(hal: Any, reading: Reading) -> dict[str, Any]:
    """Return what a cycle calls besides `beat`, by name."""
    return {
        "wait_tick": hal.wait_tick,
        "read": lambda: hal.read(reading),
        "check_sensor": lambda: hal.check_sensor(reading),
        "look_back": lambda: hal.look_back(reading),
        "look_for_cause": lambda: hal.look_for_cause(reading),
        "recover_sensor": hal.recover_sensor,
        "read_second": lambda: hal.read_second(reading),
        "look_second": lambda: hal.look_second(reading),
        "check_second": lambda: hal.check_second(reading),
        "open_second": hal.open_second,
        "set_duty": lambda: hal.set_duty(1_000),
        "still_heart": hal.still_heart,
        "show": lambda: hal.show(ui.READY),
        "set_reversed": lambda: hal.set_reversed(True),
        "power_up": hal.power_up,
        "cut_off": hal.cut_off,
    }


@pytest.mark.hazard("HAZ-14", "HAZ-16")
def test_nothing_but_beat_feeds_the_watchdog() -> None:
    """Against a watchdog that is fed by a loop which judges nothing: waiting, measuring and showing do not feed it."""
    with board() as (_, hal, chip):
        hal.start_watchdog()
        for name, call in nothing_decides(hal, Reading()).items():
            for _ in range(3):
                call()
                chip.now_us += 300
            assert chip.feeds == 0, name
        hal.beat(False)
        hal.beat(True)
        assert chip.feeds == 2


@pytest.mark.hazard("HAZ-17", "HAZ-19")
def test_what_stop_and_usb_were_in_between_is_seen_once() -> None:
    """Against a glitch that falls between two readings: the chip keeps the edge, and only the pin's own."""
    with board() as (_, hal, chip):
        reading = Reading()
        hal.look_back(reading)
        assert not (reading.stop_open or reading.vbus)
        chip.rose = {pins.STOP_SENSE, pins.VBUS_SENSE, pins.STOP_SENSE + 1, pins.VBUS_SENSE - 1}
        hal.look_back(reading)
        assert reading.stop_open and reading.vbus
        assert chip.rose == {pins.STOP_SENSE + 1, pins.VBUS_SENSE - 1}
        reading.stop_open = reading.vbus = False
        hal.look_back(reading)
        assert not (reading.stop_open or reading.vbus)


@pytest.mark.hazard("HAZ-19")
def test_the_cause_of_a_lost_current_is_read_at_once() -> None:
    with board() as (_, hal, chip):
        reading = Reading()
        reading.rail_mv = 24_000
        chip.levels[pins.VBUS_SENSE] = chip.levels[pins.STOP_SENSE] = 1
        chip.counts[pins.ADC_RAIL] = 0x1000
        hal.look_for_cause(reading)
        assert reading.stop_open and reading.vbus
        assert reading.rail_mv == pytest.approx(3_300 * 11 / 16, rel=0.01)


@pytest.mark.hazard("HAZ-27")
@pytest.mark.parametrize("start_us", [0, 0x3FFFFFFF - 1_500])
def test_ticks_are_a_millisecond_apart_also_where_the_clock_wraps(start_us: int) -> None:
    with board(now_us=start_us) as (_, hal, chip):
        hal.wait_tick()
        times = []
        for _ in range(5):
            chip.now_us += 300
            times.append(hal.wait_tick())
        assert times == [1_000] * 5


@pytest.mark.hazard("HAZ-14")
def test_a_missed_tick_is_told_and_not_made_up_for() -> None:
    """Against a loop that hung and came back. Its length is told, and two samples are never closer than a tick."""
    with board() as (_, hal, chip):
        hal.wait_tick()
        chip.now_us += 7_300
        assert hal.wait_tick() == 7_300
        assert [hal.wait_tick() for _ in range(3)] == [1_000] * 3


def counts(volt: float) -> int:
    """Return what the ADC tells for `volt`: 12 bits, the upper ones repeated below."""
    raw = min(4_095, int(volt / 3.3 * 4_096))
    return raw << 4 | raw >> 8


def measured(
    hal: Any, chip: Machine, current_ua: int, rail_v: float = 24.0, load_ohm: float = 2_000.0, variant: str = "A"
) -> Reading:
    """Put a state of the board on the converters; return the reading after a few cycles."""
    build = limits.for_variant(variant)
    source_v = current_ua * build.sense_mohm / 1e9
    drain_v = rail_v - current_ua * (load_ohm + build.series_ohm) / 1e6
    chip.chip.registers[1] = round(current_ua * build.shunt_mohm / 1e4)
    chip.counts = {
        pins.ADC_SNS: counts(source_v),
        pins.ADC_DRAIN: counts(source_v + (drain_v - source_v) / 11),
        pins.ADC_RAIL: counts(rail_v / 11),
        pins.ADC_VSYS: counts(3.9 / 3),
    }
    reading = Reading()
    for _ in range(16):
        hal.read(reading)
    return reading


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize(
    ("variant", "current_ua"),
    [("A", 0), ("A", 100), ("A", 2_000), ("A", 4_000), ("B", 500), ("B", 10_000), ("B", 18_000)],
)
def test_counts_become_microamperes_and_millivolts(variant: str, current_ua: int) -> None:
    """Against a wrong scale. Every tap against the board's resistors, within two steps of its converter."""
    with board(variant) as (_, hal, chip):
        load_ohm = 2_000.0 if variant == "A" else 500.0
        reading = measured(hal, chip, current_ua, load_ohm=load_ohm, variant=variant)
        build = limits.for_variant(variant)
        step_ua = 3.3 / 4_096 / (build.sense_mohm / 1e9)
        assert reading.fresh and not reading.full_scale
        assert reading.current_ua == current_ua
        assert abs(reading.sense_ua - current_ua) <= 2 * step_ua
        assert abs(reading.rail_mv - 24_000) <= 25
        assert abs(reading.vsys_mv - 3_900) <= 10
        drain_mv = 24_000 - current_ua * (load_ohm + build.series_ohm) / 1_000
        assert abs(reading.drain_mv - drain_mv) <= 40
        assert abs(reading.load_mv - current_ua * load_ohm / 1_000) <= 70


@pytest.mark.hazard("HAZ-08")
@pytest.mark.parametrize("phase", range(8))
def test_a_lift_is_seen_by_guards_at_the_second_sample(phase: int) -> None:
    """Against an electrode lift. The guards' two samples are two cycles, in whatever turn the converters are read."""
    with board() as (_, hal, chip):
        build = limits.variant_a()
        guards = Guards(build)
        guards.begin(build.max_dose_uc, build.max_session_ms)
        reading = measured(hal, chip, 2_000)
        for _ in range(phase + 1):
            hal.read(reading)
            assert guards.step(1_000, reading, 2_000, True) == faults.NONE
        chip.chip.registers[1] = 0
        chip.counts[pins.ADC_SNS] = chip.counts[pins.ADC_DRAIN] = 0
        codes = []
        for _ in range(2):
            hal.read(reading)
            codes.append(guards.step(1_000, reading, 2_000, True))
        assert codes == [faults.NONE, faults.OPEN_CIRCUIT]


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("phase", range(8))
def test_a_shorted_shunt_is_seen_by_guards_within_five_samples(phase: int) -> None:
    """Against a shorted shunt. The sensor reads 0 while V(SNS) shows the current."""
    with board() as (_, hal, chip):
        build = limits.variant_a()
        guards = Guards(build)
        guards.begin(build.max_dose_uc, build.max_session_ms)
        reading = measured(hal, chip, 2_000)
        for _ in range(phase + 1):
            hal.read(reading)
            assert guards.step(1_000, reading, 2_000, True) == faults.NONE
        chip.chip.registers[1] = 0
        codes = []
        for _ in range(5):
            hal.read(reading)
            codes.append(guards.step(1_000, reading, 2_000, True))
        assert faults.SENSE_DISAGREE in codes


@pytest.mark.hazard("HAZ-10")
def test_the_zero_of_the_load_s_voltage_is_taken_off() -> None:
    with board() as (_, hal, chip):
        before_mv = measured(hal, chip, 500, load_ohm=500.0).load_mv
        for zero_mv in (-120, 90):
            hal.scale.load_zero_mv = zero_mv
            assert measured(hal, chip, 500, load_ohm=500.0).load_mv == before_mv - zero_mv


@pytest.mark.hazard("HAZ-03")
def test_the_zero_is_taken_off() -> None:
    with board() as (_, hal, chip):
        hal.scale.zero_16ths = 12 << 4
        assert measured(hal, chip, 1_000).current_ua == 988
        hal.scale.zero_16ths = -12 << 4
        assert measured(hal, chip, 1_000).current_ua == 1_012


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize(("variant", "raw"), [("A", 8_000), ("B", 2_000)])
def test_the_load_s_current_is_read_a_second_time(variant: str, raw: int) -> None:
    """Beside it stands what the first sensor said at that moment, and its zero is taken off."""
    with board(variant) as (_, hal, chip):
        hal.scale.second_zero = 0
        chip.second.registers[1] = raw
        reading = measured(hal, chip, 2_000, variant=variant)
        hal.read_second(reading)
        assert abs(reading.second_ua - (2_000 if variant == "A" else 2_006)) <= 1
        assert reading.block[kernel.R_BESIDE_UA] == 2_000
        chip.chip.registers[1] = 1_000
        hal.read(reading)
        assert reading.block[kernel.R_BESIDE_UA] == 2_000
        hal.scale.second_zero = raw
        hal.read_second(reading)
        assert (reading.second_ua, reading.block[kernel.R_BESIDE_UA]) == (0, 1_000)


@pytest.mark.hazard("HAZ-04", "HAZ-05", "HAZ-06")
@pytest.mark.parametrize(
    ("break_it", "told_by"),
    [
        (lambda second: setattr(second, "address", 0x42), "read_second"),
        (lambda second: setattr(second, "converts", False), "look_second"),
        (lambda second: second.registers.update({0: ina226_chip.RESET}), "check_second"),
    ],
    ids=["silent", "frozen", "reset"],
)
def test_a_second_sensor_that_is_gone_is_told_until_it_is_opened_again(
    break_it: Callable[[ina226_chip.Chip], None], told_by: str
) -> None:
    with board() as (_, hal, chip):
        reading = measured(hal, chip, 1_000)
        jobs = ("read_second", "look_second", "check_second")
        for _ in range(3):
            for job in jobs:
                getattr(hal, job)(reading)
        assert reading.second_ok
        break_it(chip.second)
        for job in jobs:
            for _ in range(3):
                getattr(hal, job)(reading)
            assert reading.second_ok == (jobs.index(job) < jobs.index(told_by))
        chip.second.address, chip.second.converts = 0x41, True
        assert hal.open_second()


@pytest.mark.hazard("HAZ-06")
def test_a_dead_bus_is_a_reading_that_is_not_fresh() -> None:
    """Against a dead I2C bus. No exception; the last current stays, marked."""
    with board() as (_, hal, chip):
        reading = measured(hal, chip, 1_000)
        chip.chip.address = 0x44
        hal.read(reading)
        assert (reading.fresh, reading.current_ua) == (False, 1_000)
        assert not hal.recover_sensor()
        chip.chip.address = 0x40
        assert hal.recover_sensor()
        hal.read(reading)
        assert reading.fresh


@pytest.mark.hazard("HAZ-05")
def test_the_configuration_is_read_back_and_the_pointer_put_back() -> None:
    """Against a sensor reset in a session. Checked every 128 cycles; then the shunt is read again."""
    with board() as (_, hal, chip):
        reading = measured(hal, chip, 1_000)
        hal.check_sensor(reading)
        assert reading.sensor_ok
        chip.chip.registers[0] = 0x399F
        hal.check_sensor(reading)
        assert not reading.sensor_ok
        hal.read(reading)
        assert reading.current_ua == 1_000


@pytest.mark.hazard("HAZ-05")
def test_a_sensor_that_is_silent_is_not_called_unconfigured() -> None:
    """A bus error is told as a stale sample, not as a reset sensor."""
    with board() as (_, hal, chip):
        reading = measured(hal, chip, 1_000)
        chip.chip.address = 0x44
        hal.read(reading)
        hal.check_sensor(reading)
        assert (reading.fresh, reading.sensor_ok) == (False, True)


@pytest.mark.hazard("HAZ-17", "HAZ-19")
def test_every_switch_is_read_within_sixteen_cycles() -> None:
    """Against STOP or USB unnoticed by the firmware. STOP is looked at every other cycle."""
    with board() as (_, hal, chip):
        reading = Reading()
        for number, name, active in (
            (pins.STOP_SENSE, "stop_open", 1),
            (pins.VBUS_SENSE, "vbus", 1),
            (pins.BENCH_STRAP, "bench_strap", 0),
            (pins.START_BUTTON, "start_pressed", 0),
        ):
            within = 2 if name == "stop_open" else 16
            for level in (active, 1 - active, active):
                chip.levels[number] = level
                for _ in range(within):
                    hal.read(reading)
                assert getattr(reading, name) == (level == active)


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("bits", range(16))
def test_lights_and_buzzer(bits: int) -> None:
    with board() as (_, hal, chip):
        hal.show(bits)
        for number, bit in ((pins.LED_READY, ui.READY), (pins.LED_CURRENT, ui.CURRENT), (pins.LED_FAULT, ui.FAULT)):
            assert chip.levels[number] == bool(bits & bit)
        assert bool(chip.duty[pins.BUZZER]) == bool(bits & ui.SOUND)


@pytest.mark.hazard("HAZ-18")
def test_the_relay_moves_when_the_output_has_been_off() -> None:
    with board() as (_, hal, chip):
        measured(hal, chip, 0)
        for is_reversed in (True, False):
            hal.power_up()
            hal.beat(True)
            for _ in range(limits.DEAD_MAN_MS):
                assert not hal.set_reversed(is_reversed)
                assert chip.levels[pins.POLARITY_RELAY] != is_reversed
                hal.still_heart()
            assert hal.set_reversed(is_reversed)
            assert chip.levels[pins.POLARITY_RELAY] == is_reversed == hal.reversed()


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("why", ["set-point", "current", "no sample"])
def test_the_relay_never_moves_under_current(why: str) -> None:
    """Whatever the session believes, the one function that moves the relay asks the pins and the sensor itself."""
    with board() as (_, hal, chip):
        for _ in range(limits.DEAD_MAN_MS):
            hal.still_heart()
        measured(hal, chip, 21 if why == "current" else 0)
        if why == "set-point":
            hal.power_up()
            hal.set_duty(1)
        elif why == "no sample":
            chip.chip.address = 0x44
        assert not hal.set_reversed(True)
        assert chip.levels[pins.POLARITY_RELAY] == 0 and not hal.reversed()


@pytest.mark.hazard("HAZ-12", "HAZ-15")
def test_quiet_pins_drives_low_whatever_can_pass_current() -> None:
    """Against a PWM pin left high by a soft reset."""
    with board() as (hal_rp2, _, chip):
        for number in (SETPOINT, HEARTBEAT, BOOST, pins.POLARITY_RELAY):
            chip.levels[number] = 1
        hal_rp2.quiet_pins()
        assert off(chip)
        assert chip.levels[pins.POLARITY_RELAY] == 0


@pytest.mark.hazard("HAZ-11", "HAZ-19")
def test_straps() -> None:
    with board() as (hal_rp2, _, chip):
        for level, variant in ((1, "A"), (0, "B")):
            chip.levels[pins.RANGE_STRAP] = level
            assert hal_rp2.read_variant() == variant
            chip.levels[pins.MAINTENANCE_STRAP] = level
            assert hal_rp2.maintenance_strap() == (level == 0)


def test_scratch_registers_are_the_four_that_nobody_else_uses() -> None:
    with board() as (hal_rp2, _, _):
        for index in range(4):
            hal_rp2.write_scratch(index, index + 7)
            assert hal_rp2.machine.mem32[0x4005800C + 4 * index] == hal_rp2.read_scratch(index) == index + 7


@pytest.mark.parametrize("variant", ["A", "B"])
def test_a_reading_fits_the_status_record(variant: str) -> None:
    """Every converter at either end: 16 bits hold it."""
    with board(variant) as (_, hal, chip):
        for sns in (0, 0xFFFF):
            for rest in (0, 0xFFFF):
                for raw in (0x8000, 0, 0x7FFF):
                    chip.counts = {
                        pins.ADC_SNS: sns,
                        pins.ADC_DRAIN: rest,
                        pins.ADC_RAIL: rest,
                        pins.ADC_VSYS: rest,
                    }
                    chip.chip.registers[1] = raw
                    reading = Reading()
                    for _ in range(16):
                        hal.read(reading)
                    assert -0x8000 <= reading.current_ua <= 0x7FFF, "16 bits of the status record"
                    assert 0 <= reading.sense_ua <= 0x7FFF
                    assert reading.load_mv >= 0 and reading.drain_mv >= 0
                    assert max(reading.rail_mv, reading.vsys_mv, reading.load_mv, reading.drain_mv) <= 0xFFFF


@pytest.mark.hazard("HAZ-06")
def test_a_stuck_bus_is_clocked_no_faster_than_100_khz() -> None:
    """Against clocks that a sensor which holds the bus cannot follow: 5 us for each half of one."""
    with board() as (_, hal, chip):
        chip.acts.clear()
        before_us = chip.now_us
        hal.recover_sensor()
        clocks = [level for kind, number, level in chip.acts if (kind, number) == ("pin", pins.I2C_SCL)]
        assert clocks.count(0) >= 1
        assert chip.now_us - before_us >= 5 * (len(clocks) - 1)


@pytest.mark.hazard("HAZ-13")
def test_the_heartbeat_rests_where_a_self_test_wants_it_and_low_after_a_cut() -> None:
    with board() as (_, hal, chip):
        hal.rest_heart(True)
        hal.still_heart()
        assert chip.levels[HEARTBEAT] == 1
        hal.cut_off()
        assert off(chip)
        hal.still_heart()
        assert chip.levels[HEARTBEAT] == 0


@pytest.mark.hazard("HAZ-19")
def test_the_interlock_is_tried_and_let_go() -> None:
    """Against a pin that stays at the interlock's gate: it is an input whenever the output is cut."""
    with board() as (_, hal, chip):
        assert chip.owner[pins.INTERLOCK_SENSE] == "input"
        for let_go in (lambda: hal.try_interlock(False), hal.cut_off):
            hal.try_interlock(True)
            assert (chip.owner[pins.INTERLOCK_SENSE], chip.levels[pins.INTERLOCK_SENSE]) == ("gpio", 1)
            let_go()
            assert chip.owner[pins.INTERLOCK_SENSE] == "input"


@pytest.mark.hazard("HAZ-18", "HAZ-19")
@pytest.mark.parametrize("level", [0, 1])
def test_the_sense_lines(level: int) -> None:
    """Each in its own cell in a self-test; in a session the pole is at most 8 ms old."""
    lines = (
        (pins.POLE_SENSE, kernel.R_POLE),
        (pins.RELAY_SENSE, kernel.R_RELAY),
        (pins.INTERLOCK_SENSE, kernel.R_INTERLOCK),
    )
    for number, cell in lines:
        with board() as (_, hal, chip):
            chip.levels.update({line: 1 - level for line, _ in lines} | {number: level})
            reading = Reading()
            hal.read_lines(reading)
            assert [reading.block[other] for _, other in lines] == [
                level if other == cell else 1 - level for _, other in lines
            ]
    with board() as (_, hal, chip):
        chip.levels[pins.POLE_SENSE] = level
        reading = Reading()
        for _ in range(8):
            hal.read(reading)
        assert reading.block[kernel.R_POLE] == level


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("level", [0, 1])
def test_a_line_that_nothing_drives_is_told(level: int) -> None:
    for floating, found in (
        (set(), POLE_LINE | RELAY_LINE),
        ({pins.POLE_SENSE}, RELAY_LINE),
        ({pins.RELAY_SENSE}, POLE_LINE),
    ):
        with board() as (_, hal, chip):
            chip.levels.update({pins.POLE_SENSE: level, pins.RELAY_SENSE: level})
            chip.floating = floating
            assert hal.lines() == found


@pytest.mark.hazard("HAZ-19")
@pytest.mark.parametrize(
    ("vbus", "strap", "gate", "blind"), [(1, 0, 0, True), (1, 0, 1, False), (1, 1, 0, False), (0, 0, 0, False)]
)
def test_an_interlock_that_does_not_see_a_computer(vbus: int, strap: int, gate: int, blind: bool) -> None:
    with board() as (_, hal, chip):
        chip.levels[pins.INTERLOCK_SENSE] = gate
        reading = Reading()
        reading.vbus, reading.bench_strap = bool(vbus), bool(strap)
        assert hal.interlock_blind(reading) is blind
