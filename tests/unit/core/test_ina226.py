"""The INA226 driver against registers: configuration, signs, silence, a chip that does not convert, no allocation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ina226_chip import RESET, Chip

from ionto import ina226, kernel, limits
from ionto.ina226 import Ina226
from ionto.reading import Reading, Scale


def sensor(chip: Chip) -> Ina226:
    """Return a configured driver of `chip`."""
    made = Ina226(chip, 0x41)
    assert made.configure()
    chip.log.clear()
    return made


@pytest.mark.hazard("HAZ-05")
def test_the_configuration_word() -> None:
    """Datasheet SBOS547: no average, shunt 588 us, continuously; no reset, bit 14 as it must be."""
    word = ina226.CONFIGURATION
    assert word & 0x8000 == 0 and word >> 12 == 0b0100
    assert (word >> 9 & 7, word >> 6 & 7, word >> 3 & 7, word & 7) == (0b000, 0b010, 0b011, 0b101)


@pytest.mark.hazard("HAZ-05")
def test_configuring_writes_reads_back_and_leaves_the_pointer_on_the_shunt() -> None:
    chip = Chip()
    assert Ina226(chip, 0x41).configure()
    assert chip.registers[0] == ina226.CONFIGURATION
    assert chip.pointer == 1


@pytest.mark.hazard("HAZ-05", "HAZ-06")
@pytest.mark.parametrize("wrong", ["deaf", "absent"])
def test_a_chip_that_does_not_take_the_configuration_is_told(wrong: str) -> None:
    chip = Chip(0x40 if wrong == "absent" else 0x41)
    chip.deaf = wrong == "deaf"
    assert not Ina226(chip, 0x41).configure()


@pytest.mark.hazard("HAZ-05")
def test_a_brown_out_is_seen_by_the_check() -> None:
    chip = Chip()
    made = sensor(chip)
    assert made.check()
    chip.registers[0] = RESET
    assert not made.check()
    assert chip.pointer == 1


@pytest.mark.hazard("HAZ-06")
def test_a_sample_is_one_bare_read_of_the_shunt() -> None:
    chip = Chip()
    made = sensor(chip)
    chip.registers[1] = 0xFF38
    assert made.sample()
    assert (chip.log, bytes(made.shunt)) == (["read"], b"\xff\x38")


@pytest.mark.hazard("HAZ-04")
def test_a_look_tells_a_chip_that_does_not_convert() -> None:
    """Against a frozen reading. The flag is cleared by reading it, and only a conversion sets it again."""
    chip = Chip()
    made = sensor(chip)
    chip.converts = True
    assert [made.look(), made.look()] == [True, True]
    chip.converts = False
    assert not made.look()
    assert chip.pointer == 1


@pytest.mark.hazard("HAZ-06")
@given(st.integers(min_value=1, max_value=5), st.sampled_from(["sample", "check", "look"]))
def test_every_transfer_that_fails_is_false_and_nothing_raises(nth: int, what: str) -> None:
    chip = Chip()
    made = sensor(chip)
    chip.converts = True
    chip.fail = {nth}
    transfers = {"sample": 1, "check": 3, "look": 3}[what]
    assert getattr(made, what)() == (nth > transfers)


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("variant", ["A", "B"])
@pytest.mark.parametrize("current_ua", [0, 100, 4_000])
def test_the_register_becomes_microamperes(variant: str, current_ua: int) -> None:
    """2.5 uV a step across R55, in B with R56 beside it; to half a microampere and 0.1 %."""
    build = limits.for_variant(variant)
    ohm = 10.0 if variant == "A" else 10.0 * 3.32 / 13.32
    scale, reading = Scale(build), Reading()
    scale.second_zero = -7
    raw = round(current_ua * ohm / 2.5) - 7
    kernel.take_second(reading.block, scale.block, (raw & 0xFFFF).to_bytes(2, "big"), 1)
    assert abs(reading.second_ua - current_ua) <= 1 + current_ua / 1_000


@pytest.mark.hazard("HAZ-06")
def test_the_third_read_without_an_answer_is_a_sensor_that_is_gone() -> None:
    """A disturbed transfer or two are not."""
    reading, scale = Reading(), Scale(limits.variant_a())
    for answered in (0, 0, 1, 0, 0):
        kernel.take_second(reading.block, scale.block, b"\x00\x00", answered)
        assert reading.second_ok
    kernel.take_second(reading.block, scale.block, b"\x00\x00", 0)
    assert not reading.second_ok
