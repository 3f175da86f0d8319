"""The INA219 driver against registers: configuration, signs, full scale, bus errors, bus recovery."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ina219_chip import RESET, Chip
from plant import take_raw

from ionto import ina219, limits, pins
from ionto.ina219 import Ina219
from ionto.reading import Reading

# Datasheet SBOS448: bits of the configuration register.
BUS_32V, MODE_SHUNT_CONTINUOUS, ADC_12_BIT = 1 << 13, 0b101, 0b0011
PGA_BITS = {40: 0b00, 80: 0b01, 160: 0b10, 320: 0b11}


def reading(made: Ina219, zero_ua: int = 0) -> Reading:
    """Sample, and return what the control step makes of it."""
    assert made.sample()
    taken = Reading()
    take_raw(taken, made.raw, made.ua_per_lsb, zero_ua, full_scale_raw=made.full_scale_raw)
    return taken


def sensor(chip: Chip, pga_mv: int = 80, shunt_mohm: int = 10_000) -> Ina219:
    """Return a configured driver of `chip`."""
    made = Ina219(chip, 0x40, shunt_mohm, pga_mv)
    assert made.configure()
    chip.log.clear()
    return made


@pytest.mark.hazard("HAZ-05")
@pytest.mark.parametrize("pga_mv", [40, 80, 160, 320])
def test_the_configuration_word(pga_mv: int) -> None:
    """32 V range, the PGA asked for, 12 bits, shunt only, continuous; no reset bit."""
    word = ina219.configuration(pga_mv)
    assert word & 0x7 == MODE_SHUNT_CONTINUOUS
    assert word >> 3 & 0xF == ADC_12_BIT
    assert word >> 11 & 0x3 == PGA_BITS[pga_mv]
    assert word & BUS_32V
    assert not word & 0x8000


@pytest.mark.parametrize("pga_mv", [0, 41, 640])
def test_an_unknown_range_is_an_error(pga_mv: int) -> None:
    with pytest.raises(ValueError):
        ina219.configuration(pga_mv)


@pytest.mark.parametrize("shunt_mohm", [3_000, 20_000_000, 10_001])
def test_a_shunt_without_whole_microamperes_is_an_error(shunt_mohm: int) -> None:
    with pytest.raises(ValueError, match="shunt_mohm"):
        Ina219(Chip(), 0x40, shunt_mohm, 80)


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize(("shunt_mohm", "ua"), [(10_000, 1), (100, 100), (1_000, 10)])
def test_current_per_step(shunt_mohm: int, ua: int) -> None:
    assert Ina219(Chip(), 0x40, shunt_mohm, 80).ua_per_lsb == ua


@pytest.mark.hazard("HAZ-02", "HAZ-03")
@pytest.mark.parametrize("variant", ["A", "B"])
def test_both_builds_read_past_their_hardware_ceiling(variant: str) -> None:
    """Against over-current unseen. Full scale lies above what the limiter passes."""
    build = limits.for_variant(variant)
    chip = Chip(pins.INA219_ADDRESS)
    made = sensor(chip, build.pga_range_mv, build.shunt_mohm)
    chip.registers[1] = build.hardware_ceiling_ua // made.ua_per_lsb
    taken = reading(made)
    assert not taken.full_scale
    assert taken.current_ua == build.hardware_ceiling_ua


@pytest.mark.hazard("HAZ-05")
def test_configuring_writes_reads_back_and_leaves_the_pointer_on_the_shunt() -> None:
    chip = Chip()
    made = sensor(chip)
    assert chip.registers[0] == ina219.configuration(80)
    assert chip.pointer == 1
    made.sample()
    made.sample()
    assert chip.log == ["read", "read"], "a sample is one read"


@pytest.mark.hazard("HAZ-05")
def test_configuration_that_does_not_take_is_told() -> None:
    """Against a sensor in the wrong range."""
    chip = Chip()
    chip.deaf = True
    assert not Ina219(chip, 0x40, 10_000, 80).configure()


@pytest.mark.hazard("HAZ-05")
def test_a_brown_out_is_seen_by_the_check() -> None:
    """Against a sensor reset to another range in the middle of a session."""
    chip = Chip()
    made = sensor(chip)
    assert made.check()
    assert chip.pointer == 1
    chip.registers[0] = RESET
    assert not made.check()
    assert made.configure()
    assert made.check()


@pytest.mark.hazard("HAZ-03", "HAZ-27")
@given(st.integers(-32_768, 32_767))
def test_every_register_value_is_a_signed_number(raw: int) -> None:
    chip = Chip()
    made = sensor(chip, 320)
    chip.registers[1] = raw
    taken = reading(made, zero_ua=3)
    assert made.raw == taken.raw == raw
    assert taken.current_ua == max(raw - 3, 0)
    assert taken.fresh


@pytest.mark.hazard("HAZ-02", "HAZ-03")
@pytest.mark.parametrize(("pga_mv", "end"), [(40, 4_000), (80, 8_000), (160, 16_000), (320, 32_000)])
@pytest.mark.parametrize("sign", [1, -1])
def test_full_scale_is_told_in_both_directions(pga_mv: int, end: int, sign: int) -> None:
    """Against a saturated sensor read as a current. The last step and the end are full scale, the one before is not."""
    chip = Chip()
    made = sensor(chip, pga_mv)
    for raw, full in ((end - 2, False), (end - 1, True), (end, True), (0, False)):
        chip.registers[1] = sign * raw
        taken = reading(made)
        assert taken.full_scale == full
        assert taken.raw == sign * raw
        assert taken.current_ua == max(sign * raw, 0)


@pytest.mark.hazard("HAZ-06")
@pytest.mark.parametrize("error", [5, 110, 19])
def test_a_sample_that_fails_is_false_and_leaves_the_last_value(error: int) -> None:
    """Against a dead I2C bus. No exception, no invented value."""
    chip = Chip()
    made = sensor(chip)
    chip.registers[1] = 123
    assert made.sample()
    chip.fail, chip.error = {len(chip.log) + 1}, error
    chip.registers[1] = 456
    assert not made.sample()
    assert made.raw == 123
    assert made.sample()
    assert made.raw == 456


@pytest.mark.hazard("HAZ-05", "HAZ-06")
@pytest.mark.parametrize("transfer", [1, 2, 3, 4])
def test_any_transfer_of_the_configuration_may_fail(transfer: int) -> None:
    """Against a dead I2C bus while it is configured."""
    chip = Chip()
    chip.fail = {transfer}
    assert not Ina219(chip, 0x40, 10_000, 80).configure()


@pytest.mark.hazard("HAZ-05", "HAZ-06")
@pytest.mark.parametrize("transfer", [1, 2, 3])
def test_a_check_that_fails_half_way_never_yields_a_plausible_current(transfer: int) -> None:
    """Against a pointer left on another register. What is read then is not a legal current of build A."""
    chip = Chip()
    made = sensor(chip)
    chip.registers[1] = 2_000
    chip.fail = {transfer}
    assert not made.check()
    taken = reading(made)
    assert taken.current_ua == 2_000 or taken.full_scale


@pytest.mark.hazard("HAZ-06")
def test_nobody_at_the_address() -> None:
    chip = Chip(0x41)
    made = Ina219(chip, 0x40, 10_000, 80)
    assert not made.configure()
    assert not made.check()
    assert not made.sample()


class Line:
    """An open-drain line that a stuck slave may hold low until it has seen enough clocks."""

    def __init__(self, log: list[tuple[str, int]], name: str, held: int = 0):
        self.log, self.name, self.level = log, name, 1
        self.held = held

    def value(self, level: int | None = None) -> int:
        """As machine.Pin.value."""
        if level is not None:
            self.level = level
            self.log.append((self.name, level))
        clocks = self.log.count(("scl", 1))
        return 0 if self.name == "sda" and clocks < self.held else self.level


@pytest.mark.hazard("HAZ-06")
@pytest.mark.parametrize(("held", "free"), [(0, True), (1, True), (9, True), (10, False)])
def test_bus_recovery_gives_nine_clocks_and_a_stop(held: int, free: bool) -> None:
    """Against a sensor stuck in a transfer. Nine clocks free it, a stop ends it, and a bus that stays stuck is told."""
    log: list[tuple[str, int]] = []
    scl, sda = Line(log, "scl"), Line(log, "sda", held)
    pauses: list[int] = []
    assert ina219.recover_bus(scl, sda, lambda: pauses.append(1)) == free
    assert log.count(("scl", 0)) == log.count(("scl", 1)) == 9
    assert log[0] == ("sda", 1)
    assert log[-2:] == [("sda", 0), ("sda", 1)], "SDA rises while SCL is high: a stop"
    assert len(pauses) >= 18


@pytest.mark.hazard("HAZ-06")
def test_a_conversion_fits_the_tick() -> None:
    """Two samples are 1 ms apart: never the same conversion twice, even with the slowest chip."""
    assert ina219.CONVERSION_MAX_US < 1_000
