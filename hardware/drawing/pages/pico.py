"""Sheet: the Raspberry Pi Pico. Nets carry the names of firmware/lib/ionto/pins.py."""

from __future__ import annotations

from ..page import Page

_LEFT = (
    ("PWM_SETPOINT", "4", "output"), ("I2C_SDA", "6", "bidirectional"), ("I2C_SCL", "7", "output"),
    ("BOOST_ENABLE", "9", "output"), ("POLARITY_RELAY", "10", "output"), ("RANGE_STRAP", "11", "input"),
    ("START_BUTTON", "12", "input"), ("STOP_SENSE", "14", "input"), ("BENCH_STRAP", "15", "input"),
    ("MAINTENANCE_STRAP", "16", "input"), ("LED_READY", "17", "output"), ("LED_CURRENT", "19", "output"),
    ("LED_FAULT", "20", "output"),
)  # fmt: skip
_RIGHT = (
    ("ADC_SNS", "34", "input"), ("ADC_RAIL", "32", "input"), ("ADC_DRAIN", "31", "input"),
    ("HEARTBEAT", "29", "output"), ("BUZZER", "21", "output"), ("INTERLOCK_SENSE", "26", "bidirectional"),
    ("RELAY_SENSE", "25", "input"), ("POLE_SENSE", "24", "input"),
)  # fmt: skip
_OPEN = ("1", "2", "5", "27", "30", "35", "37")
_NOTE = """Placed for safety, not for the layout:
- PWM_SETPOINT (pin 4) lies between GND and GP3, and
  GP3 stays open as a guard.
- HEARTBEAT (pin 29) lies between GND and RUN, across
  the board from the PWM pin.

On the module itself, no wire here:
  GP24 VBUS_SENSE, GP25 LED_BOARD, GP29 ADC_VSYS (VSYS / 3).
A Pico W uses these three for its radio: fit a Pico.

Straps and buttons use the Pico's own pull-ups
(50 to 80k): open reads 1. LOOP_TIMING is high while a
control step runs; look at it with an oscilloscope.

Pico 2: the external pull-downs here are 4.7k, below the
8.2k its erratum E9 asks for."""


def build(page: Page) -> None:
    """Draw the sheet."""
    module = page.add("A1", 92, 84)
    for net, pin, shape in _LEFT:
        x, y = module[pin]
        page.wire((x, y), (x - 14, y))
        page.port(net, (x - 14, y), "left", shape)
    for net, pin, shape in _RIGHT:
        x, y = module[pin]
        page.wire((x, y), (x + 14, y))
        page.port(net, (x + 14, y), "right", shape)
    for pin in ("3", "8", "13", "18"):
        x, y = module[pin]
        page.wire((x, y), (x - 3, y), (x - 3, y + 1))
        page.rail("GND", (x - 3, y + 1))
    for pin in ("23", "28", "33", "38"):
        x, y = module[pin]
        page.wire((x, y), (x + 3, y), (x + 3, y + 1))
        page.rail("GND", (x + 3, y + 1))
    for pin in _OPEN:
        page.nothing(module[pin])
    x, y = module["22"]
    page.wire((x, y), (x + 20, y))
    page.label("LOOP_TIMING", (x + 6, y))
    page.probe("TP12", (x + 20, y))
    _supply(page, module["40"][0])
    _memory(page)
    page.note(_NOTE, (152, 88))


def _memory(page: Page) -> None:
    page.block("Record that survives, 50h", 164, 20, 221, 78)
    memory = page.add("U8", 192, 56)
    for pin in "1237":
        x, y = memory[pin]
        page.wire((x, y), (178, y))
    page.wire((178, 52), (178, 63))
    page.rail("GND", (178, 63))
    page.ground(memory["4"], 1)
    page.wire(memory["8"], (192, 40))
    page.rail("3V3", (192, 40))
    bypass = page.add("C27", 208, 44)
    page.wire((192, 41), bypass["1"])
    page.ground(bypass["2"], 1)
    for net, pin in (("I2C_SDA", "5"), ("I2C_SCL", "6")):
        x, y = memory[pin]
        page.wire((x, y), (x + 2, y))
        page.label(net, (x + 2, y))


def _supply(page: Page, x: float) -> None:
    for name, y, dx in (("VBUS", 46, 5), ("VSYS", 50, 13)):
        page.wire((x, y), (x + dx, y), (x + dx, 43))
        page.rail(name, (x + dx, 43))
    page.wire((x, 62), (x + 43, 62))
    page.supply("3V3", (x + 32, 62))
    page.probe("TP2", (x + 24, 62))
    bypass = page.add("C21", x + 43, 69)
    page.wire((x + 43, 62), bypass["1"])
    page.ground(bypass["2"])
    page.probe("TP1", (x + 55, 73), 3)
    page.rail("GND", (x + 55, 73))
