"""Sheet: lights, buzzer, START, straps."""

from __future__ import annotations

from ..page import Page
from ..shapes import Anchor

_NOTE = """MAINT fitted at power-up: the board stays in maintenance, output off, and takes files over USB.
Range strap R26 tells the firmware which build this is: open = A, fitted = B. It belongs to R10, R13, R20, R21
and the parts of column B and is soldered with them. It is no switch: a shorted contact must not give 25 mA in a drug
build. The strap alone gives nothing: the current comes from R9 to R13, and the self-test finds a strap that contradicts
them."""


def build(page: Page) -> None:
    """Draw the sheet."""
    _lights(page)
    _buzzer(page)
    _start(page)
    _straps(page)
    page.note(_NOTE, (14, 136))


def _lights(page: Page) -> None:
    page.block("Lights", 12, 26, 108, 74)
    rows = (("LED_READY", "R39", "D7", 38), ("LED_CURRENT", "R40", "D8", 51), ("LED_FAULT", "R41", "D9", 64))
    for net, resistor, light, y in rows:
        page.port(net, (36, y), "left", "input")
        series = page.add(resistor, 52, y, turn=90)
        page.wire((36, y), series["1"])
        led = page.add(light, 72, y, turn=90, anchors=(Anchor(0, 3.6), Anchor(0, -2.2)))
        page.wire(series["2"], led["2"])
        page.wire(led["1"], (84, y), (84, y + 3))
        page.rail("GND", (84, y + 3))


def _buzzer(page: Page) -> None:
    page.block("Buzzer, 2.7 kHz", 110, 26, 221, 90)
    series = page.add("R42", 172, 44)
    page.supply("VSYS", series["1"])
    sounder = page.add("BZ1", 176, 55)
    page.wire(series["2"], (172, 54), sounder["1"])
    driver = page.add("Q7", 170, 74)
    page.wire(sounder["2"], (172, 56), driver["3"])
    wheel = page.add("D10", 162, 55, anchors=(Anchor(-1.8, 0.9, "right"), Anchor(-1.8, -0.9, "right")))
    page.wire(wheel["1"], (162, 50), (172, 50))
    page.wire(wheel["2"], (162, 62), (172, 62))
    page.ground(driver["2"])
    page.port("BUZZER", (130, 74), "left", "input")
    page.wire((130, 74), driver["1"])
    pull = page.add("R36", 148, 79)
    page.wire((148, 74), pull["1"])
    page.ground(pull["2"])


def _start(page: Page) -> None:
    page.block("START", 12, 76, 108, 104)
    page.port("START_BUTTON", (36, 88), "left", "output")
    series = page.add("R43", 46, 88, turn=90)
    page.wire((36, 88), series["1"])
    button = page.add("SW2", 80, 88)
    page.wire(series["2"], button["1"])
    smooth = page.add("C20", 62, 93)
    page.wire((62, 88), smooth["1"])
    page.ground(smooth["2"])
    page.wire(button["2"], (92, 88), (92, 91))
    page.rail("GND", (92, 91))


def _straps(page: Page) -> None:
    page.block("Straps", 12, 106, 108, 133)
    page.port("MAINTENANCE_STRAP", (40, 115), "left", "output")
    strap = page.add("JP2", 66, 115)
    page.wire((40, 115), strap["1"])
    page.wire(strap["2"], (78, 115), (78, 117))
    page.rail("GND", (78, 117))
    page.port("RANGE_STRAP", (40, 126), "left", "output")
    solder = page.add("R26", 66, 126, turn=90)
    page.wire((40, 126), solder["1"])
    page.wire(solder["2"], (78, 126), (78, 128))
    page.rail("GND", (78, 128))
