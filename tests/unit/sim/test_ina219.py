"""The INA219 model against the datasheet (TI SBOS448)."""

from __future__ import annotations

import pytest

from ionto_sim import ina219_model as model

CONTINUOUS_SHUNT_12BIT = 0x2000 | 0x0800 | 0x3 << 7 | 0x3 << 3 | 0x5
WINDOW_US = 532


class Source:
    """A shunt voltage in nV that steps from `before` to `after` at `step_us`."""

    def __init__(self, before: int = 0, after: int | None = None, step_us: int = 0, bus: float = 0.0) -> None:
        self.before = before
        self.after = before if after is None else after
        self.step_us = step_us
        self.bus = bus

    def shunt_nv(self, start_us: int, end_us: int, now_us: int) -> int:
        """Return the mean over the window."""
        early = min(max(self.step_us - start_us, 0), end_us - start_us)
        return (self.before * early + self.after * (end_us - start_us - early)) // (end_us - start_us)

    def bus_mv(self) -> float:
        """Return the bus voltage."""
        return self.bus


def chip(source: Source, gain: float = 1.0, offset_uv: float = 0.0, noise_uv: float = 0.0) -> model.Ina219:
    """Return a chip on `source`, without errors unless given."""
    return model.Ina219(source, gain, offset_uv, noise_uv, 7)


def write(sensor: model.Ina219, register: int, word: int, now_us: int) -> None:
    """Write a register over the bus."""
    sensor.write(bytes([register, word >> 8, word & 0xFF]), now_us)


def read(sensor: model.Ina219, register: int, now_us: int) -> int:
    """Point at a register and read it over the bus."""
    sensor.write(bytes([register]), now_us)
    buffer = bytearray(2)
    sensor.read_into(buffer, now_us)
    return buffer[0] << 8 | buffer[1]


@pytest.mark.hazard("HAZ-34")
def test_power_on_state() -> None:
    sensor = chip(Source())
    assert read(sensor, model.CONFIG, 0) == 0x399F
    assert [read(sensor, register, 0) for register in (1, 2, 3, 4, 5)] == [0] * 5


def test_pointer_stays_for_reads_without_a_register() -> None:
    sensor = chip(Source(12_340_000))
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    sensor.write(bytes([model.SHUNT]), 0)
    for at in (1000, 2000, 3000):
        buffer = bytearray(2)
        sensor.read_into(buffer, at)
        assert buffer == bytes([1234 >> 8, 1234 & 0xFF])


def test_configuration_keeps_what_is_written_and_the_reset_bit_resets() -> None:
    sensor = chip(Source())
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    assert read(sensor, model.CONFIG, 10) == CONTINUOUS_SHUNT_12BIT
    write(sensor, model.CALIBRATION, 0x1235, 20)
    assert read(sensor, model.CALIBRATION, 30) == 0x1234, "bit 0 of the calibration is always 0"
    write(sensor, model.CONFIG, 0x8000, 40)
    assert read(sensor, model.CONFIG, 50) == 0x399F
    assert read(sensor, model.CALIBRATION, 50) == 0


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(("microvolt", "raw"), [(0, 0), (14.9, 1), (15.1, 2), (49_750, 4975), (-49_750, -4975)])
def test_shunt_voltage_is_quantised_to_10_uv(microvolt: float, raw: int) -> None:
    sensor = chip(Source(round(microvolt * 1000)))
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    assert model.signed(read(sensor, model.SHUNT, 600)) == raw


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(("pga", "limit"), [(0, 4000), (1, 8000), (2, 16000), (3, 32000)])
def test_shunt_clips_at_the_pga_range(pga: int, limit: int) -> None:
    for sign in (1, -1):
        sensor = chip(Source(sign * 400_000_000))
        write(sensor, model.CONFIG, (CONTINUOUS_SHUNT_12BIT & ~0x1800) | pga << 11, 0)
        assert model.signed(read(sensor, model.SHUNT, 600)) == sign * limit


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(
    ("adc", "time_us"),
    [(0, 84), (1, 148), (2, 276), (3, 532), (8, 532), (9, 1060), (10, 2130), (11, 4260), (12, 8510), (13, 17020)]
    + [(14, 34050), (15, 68100), (4, 84)],
)
def test_conversion_time_follows_the_adc_setting(adc: int, time_us: int) -> None:
    sensor = chip(Source(20_000_000))
    write(sensor, model.CONFIG, (CONTINUOUS_SHUNT_12BIT & ~0x78) | adc << 3, 1000)
    assert read(sensor, model.SHUNT, 1000 + time_us - 1) == 0
    assert read(sensor, model.SHUNT, 1000 + time_us) == 2000


def test_nine_bits_are_coarser() -> None:
    sensor = chip(Source(20_030_000))
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT & ~0x78, 0)
    assert read(sensor, model.SHUNT, 100) % 8 == 0


@pytest.mark.hazard("HAZ-34")
def test_conversion_averages_its_own_window() -> None:
    sensor = chip(Source(0, 40_000_000, step_us=WINDOW_US // 2))
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    assert read(sensor, model.SHUNT, WINDOW_US) == 2000
    assert read(sensor, model.SHUNT, 2 * WINDOW_US - 1) == 2000
    assert read(sensor, model.SHUNT, 2 * WINDOW_US) == 4000


def test_both_channels_take_turns() -> None:
    sensor = chip(Source(10_000_000, bus=12_000.0))
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT | 0x7, 0)
    assert read(sensor, model.BUS, 1063) == 0
    assert read(sensor, model.BUS, 1064) == 3000 << 3 | 0x2


def test_triggered_mode_converts_once() -> None:
    source = Source(10_000_000)
    sensor = chip(source)
    write(sensor, model.CONFIG, (CONTINUOUS_SHUNT_12BIT & ~0x7) | 0x1, 0)
    assert read(sensor, model.SHUNT, 600) == 1000
    source.before = source.after = 20_000_000
    assert read(sensor, model.SHUNT, 5000) == 1000
    write(sensor, model.CONFIG, (CONTINUOUS_SHUNT_12BIT & ~0x7) | 0x1, 6000)
    assert read(sensor, model.SHUNT, 6600) == 2000


def test_power_down_keeps_the_last_result() -> None:
    sensor = chip(Source(10_000_000))
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    read(sensor, model.SHUNT, 1000)
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT & ~0x7, 1000)
    sensor.source.after = 0
    assert read(sensor, model.SHUNT, 9000) == 1000


@pytest.mark.hazard("HAZ-34")
def test_conversion_ready_clears_on_reading_power_and_on_configuring() -> None:
    sensor = chip(Source(10_000_000))
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    assert read(sensor, model.BUS, 600) & 0x2
    assert read(sensor, model.BUS, 610) & 0x2
    read(sensor, model.POWER, 620)
    assert not read(sensor, model.BUS, 630) & 0x2
    assert read(sensor, model.BUS, 2 * WINDOW_US) & 0x2
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 1100)
    assert not read(sensor, model.BUS, 1110) & 0x2


def test_current_power_and_overflow_come_from_the_calibration() -> None:
    sensor = chip(Source(40_000_000, bus=10_000.0))
    write(sensor, model.CONFIG, 0x399F, 0)
    assert read(sensor, model.CURRENT, 2000) == 0
    write(sensor, model.CALIBRATION, 8192, 2000)
    assert read(sensor, model.CURRENT, 2100) == 8000
    assert read(sensor, model.POWER, 2100) == 8000 * 2500 // 5000
    assert not read(sensor, model.BUS, 2100) & 0x1
    write(sensor, model.CALIBRATION, 0xFFFE, 2200)
    assert read(sensor, model.BUS, 2300) & 0x1


@pytest.mark.hazard("HAZ-34")
def test_gain_offset_and_noise() -> None:
    sensor = chip(Source(40_000_000), gain=1.005, offset_uv=50.0)
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    assert read(sensor, model.SHUNT, 600) == 4025
    readings = {}
    for seed in (1, 2):
        noisy = model.Ina219(Source(40_000_000), 1.0, 0.0, 20.0, seed)
        write(noisy, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
        readings[seed] = [read(noisy, model.SHUNT, at) for at in range(1000, 401_000, 1000)]
    mean = sum(readings[1]) / 400
    deviation = (sum((value - mean) ** 2 for value in readings[1]) / 400) ** 0.5
    assert mean == pytest.approx(4000, abs=0.5)
    assert deviation == pytest.approx(2.0, abs=0.5)
    assert readings[1] != readings[2]
    again = model.Ina219(Source(40_000_000), 1.0, 0.0, 20.0, 1)
    write(again, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    assert [read(again, model.SHUNT, at) for at in range(1000, 401_000, 1000)] == readings[1]


def test_stuck_register_keeps_its_value_while_conversions_go_on() -> None:
    source = Source(10_000_000)
    sensor = chip(source)
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    read(sensor, model.SHUNT, 1000)
    sensor.stuck = True
    source.before = source.after = 30_000_000
    assert read(sensor, model.SHUNT, 5000) == 1000
    assert read(sensor, model.BUS, 5000) & 0x2


def test_state_survives_dump_and_restore() -> None:
    sensor = model.Ina219(Source(40_000_000), 1.0, 0.0, 20.0, 1)
    write(sensor, model.CONFIG, CONTINUOUS_SHUNT_12BIT, 0)
    sensor.write(bytes([model.SHUNT]), 0)
    other = model.Ina219(Source(40_000_000), 1.0, 0.0, 20.0, 9)
    other.restore(sensor.dump())
    for at in range(1000, 20_000, 1000):
        mine, others = bytearray(2), bytearray(2)
        sensor.read_into(mine, at)
        other.read_into(others, at)
        assert mine == others
