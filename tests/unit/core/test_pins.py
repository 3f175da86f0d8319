"""The pin table: complete, without doubles, and clear of what the Pico uses itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ionto import pins
from ionto_host.tables import pin_numbers

TABLE = pin_numbers()
PINOUT = Path(__file__).parents[3] / "hardware" / "pinout.md"


@pytest.mark.hazard("HAZ-16")
def test_the_table_holds_every_pin_once() -> None:
    assert {"PWM_SETPOINT", "HEARTBEAT", "ADC_VSYS"} <= set(TABLE), "first, middle and last of the file"
    assert not {"I2C_BUS", "PWM_TOP"} & set(TABLE), "settings are no pins"
    assert len(set(TABLE.values())) == len(TABLE)


def test_every_pin_exists_and_is_free() -> None:
    """GPIO 0 to 22 and 26 to 28 are on the header; 23 to 25 and 29 are the Pico's own, used for what they are."""
    own = {"VBUS_SENSE": 24, "LED_BOARD": 25, "ADC_VSYS": 29}
    for name, number in TABLE.items():
        assert number == own[name] if name in own else number in {*range(23), 26, 27, 28}
        assert number not in (3, 23), "guard beside the set-point; the regulator's mode pin"


def test_every_pin_is_where_the_page_for_the_builder_has_it() -> None:
    """The page is made from the drawing; the Pico's own pins are on no header."""
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| GP(\d+) \|", PINOUT.read_text(encoding="utf-8"), re.MULTILINE)
    on_header = {name: number for name, number in TABLE.items() if number in {*range(23), 26, 27, 28}}
    assert {name: int(number) for name, number in rows} == on_header


def test_peripherals_are_on_pins_that_have_them() -> None:
    """RP2040 datasheet, function table: I2C0 on 0/1 mod 4, ADC on 26 to 29, PWM slices not shared."""
    assert pins.I2C_BUS == 0
    assert pins.I2C_SDA % 4 == 0
    assert pins.I2C_SCL % 4 == 1
    assert {TABLE[name] for name in TABLE if name.startswith("ADC_")} == {26, 27, 28, 29}
    assert pins.PWM_SETPOINT // 2 % 8 != pins.BUZZER // 2 % 8, "one slice has one frequency"


@pytest.mark.hazard("HAZ-16")
def test_the_heartbeat_is_no_neighbour_of_the_set_point_or_a_clock() -> None:
    """Against a bridge that feeds the dead-man. Only GND and RUN are beside it, and no PWM runs on it."""
    assert pins.HEARTBEAT == 22
    assert pins.PWM_SETPOINT == 2


def test_the_pwm_has_4096_steps() -> None:
    assert abs(125_000_000 / (pins.PWM_TOP + 1) - pins.PWM_FREQ_HZ) < 1
