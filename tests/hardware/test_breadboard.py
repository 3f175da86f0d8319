"""The breadboard's holes make the schematic's nets; its picture and the values in the build guide are current."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from hardware.breadboard import layout, picture
from hardware.spice import breadboard
from hardware.spice.board import board
from hardware.spice.checks.breadboard import expected
from ionto import pins
from ionto_sim.spice import netlist
from ionto_sim.spice.quantity import number

GUIDE = Path(__file__).parents[2] / "hardware" / "build_guide.md"
# The breadboard leaves out the reference's switch, the relay, the ADC's filters and the second parts; D1 is two diodes.
SAME_NET = {"SP_PWM": "PWM_SETPOINT", "OUT_A": "HS_OUT", "OUT_B": "DRAIN"}
SAME_NET |= {"PUMP_MID": "PUMP_AC", "LIMIT_MID": "HS_SRC", "HS_DRIVE": "Q3_D", "DRAIN_MID": "DRAIN_DIV"}
SAME_NET |= {"HS_SHUNT": "HS_SRC"}
MODULE = {"VCC": "3V3", "GND": "GND", "SCL": "I2C_SCL", "SDA": "I2C_SDA", "VIN-": "GND", "VIN+": "SHUNT_HI"}
PICO_PINS = {
    3: "GND",
    4: "PWM_SETPOINT",
    6: "I2C_SDA",
    7: "I2C_SCL",
    12: "START_BUTTON",
    14: "STOP_SENSE",
    15: "BENCH_STRAP",
    29: "HEARTBEAT",
    31: "ADC_DRAIN",
    32: "ADC_RAIL",
    34: "ADC_SNS",
    36: "3V3",
    38: "GND",
}


def nets_by_group() -> dict[str, set[str]]:
    """Return the schematic's nets that meet in each connected group of the breadboard."""
    drawing, group = netlist.read(), layout.groups()
    found: dict[str, set[str]] = defaultdict(set)
    for rail, net in layout.RAILS.items():
        found[group.get(rail, rail)].add(net)
    for part in layout.PARTS:
        for pin, hole in part.legs:
            if part.reference == "U5":
                net = MODULE[pin]
            elif part.reference == "LOAD":
                net = {"1": "E_MINUS", "2": "E_PLUS"}[pin]
            else:
                net = drawing.net_of(part.reference, pin)
            found[group[layout.node(hole)]].add(SAME_NET.get(net, net))
    for pin, net in PICO_PINS.items():
        found[group[layout.node(layout.PICO[pin])]].add(net)
    return found


def test_every_group_is_one_net_of_the_schematic() -> None:
    mixed = {name: nets for name, nets in nets_by_group().items() if len(nets - {"BENCH_STRAP"}) > 1}
    assert mixed == {}


def test_no_net_is_in_two_groups() -> None:
    count = Counter(net for nets in nets_by_group().values() for net in nets)
    assert {net for net, groups in count.items() if groups > 1} == set()


def test_bench_strap_is_fitted() -> None:
    assert {"GND", "BENCH_STRAP"} in nets_by_group().values()


def test_two_legs_never_share_a_hole() -> None:
    holes = [hole for part in layout.PARTS for _, hole in part.legs] + list(layout.PICO.values())
    holes += [hole for wire in layout.WIRES for hole in (wire.start, wire.end) if hole[0].islower()]
    assert [hole for hole, count in Counter(holes).items() if count > 1] == []


def test_pico_pins_are_those_of_the_firmware() -> None:
    gpio_of_pin = {4: 2, 6: 4, 7: 5, 12: 9, 14: 10, 15: 11, 29: 22, 31: 26, 32: 27, 34: 28}
    for pin, gpio in gpio_of_pin.items():
        assert getattr(pins, PICO_PINS[pin]) == gpio


def test_values_are_those_of_spice() -> None:
    values = breadboard.deck(board(netlist.read(), "A"))
    simulated = {**values.values, **values.settings}
    for part in layout.PARTS:
        if re.fullmatch(r"[RC]\d+", part.reference) and part.reference in simulated:
            assert number(part.label) == pytest.approx(float(simulated[part.reference])), part.reference


def test_picture_is_current() -> None:
    assert picture.PATH.read_text(encoding="utf-8") == picture.svg()


def test_values_in_the_build_guide_are_those_of_spice() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for name, value in expected(board(netlist.read(), "A")).items():
        assert value in text, name


def test_parts_list_of_the_build_guide_names_every_value() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for part in layout.PARTS:
        assert part.label in text, part.reference
