"""Sheet: the current sink, the INA219 and what the ADC sees."""

from __future__ import annotations

from ..page import Page
from ..shapes import Anchor

_PRECISE = ("Reference", "Value", "Tolerance", "Value_B")
_NOTE = """\
I = SETPOINT / (Rs + shunt): A 191 + 10 ohm, B 191 || 35.7 + 10 ohm. R9, R10, R11 0.1 %: they set the most that the
set-point path can pass, and the firmware takes V(SNS) / (Rs + R11) as the second measurement of the current.
R11 sits on the low side: there the INA219 sees no common mode (on the high side it over-reads by 95 uA at 24 V).
IN+ and IN- go to R11's own pads. A0 = A1 = GND: address 40h. The address is the firmware's; do not change it.
R7 holds Q1 off while U4 has no supply. C3, R8: 2.2 us, the loop stays stable with up to 1 nF at the output.
R23 returns to SNS, not to GND: the divider's own current (2.2 uA at 24 V) then passes R11 and is measured. R22 before
R54: with one shorted SNS is not tied to DRAIN; a single resistor there would let the load have all the limiter gives.
V(SNS) goes to the ADC past U4 and U5, so that neither can hide the current from the firmware.
B fits Q11 in place of Q1: SOT-223 (1 gate, 2 and tab drain, 3 source), up to 0.6 W when the output is shorted."""


def build(page: Page) -> None:
    """Draw the sheet."""
    _loop(page)
    _resistors(page)
    _drain_divider(page)
    _second_measurement(page)
    _monitor(page)
    _supply(page)
    page.note(_NOTE, (14, 130))


def _loop(page: Page) -> None:
    page.block("Sink: holds V(SNS) at SETPOINT", 12, 28, 127, 126)
    page.port("SETPOINT", (24, 58), "left", "input")
    page.wire((24, 58), (54, 58))
    amplifier = page.add("U4", 60, 60)
    series = page.add("R6", 77, 60, turn=90)
    page.wire(amplifier["1"], series["1"])
    page.label("OA_OUT", (67, 60))
    left = (Anchor(-3.0, 6.0, "right"), Anchor(-3.0, 4.3, "right"))
    sink = page.add("Q1", 100, 60, anchors=left)
    sink_b = page.add("Q11", 112, 60)
    page.wire((94, 60), (94, 65), (106, 65), (106, 60), sink_b["1"])
    page.wire(sink_b["3"], (114, 66))
    page.wire(sink_b["2"], (114, 40), (102, 40))
    page.wire(series["2"], sink["1"])
    page.label("SINK_GATE", (86, 60))
    pull = page.add("R7", 84, 65)
    page.wire((84, 60), pull["1"])
    page.ground(pull["2"])
    compensation = page.add("C3", 60, 72, turn=90)
    page.wire(amplifier["2"], (48, 62), (48, 82), (73, 82))
    page.wire((48, 72), compensation["1"])
    page.wire(compensation["2"], (72, 72), (72, 60))
    feedback = page.add("R8", 76, 82, turn=90)
    page.label("FEEDBACK", (50, 82))
    page.wire(feedback["2"], (92, 82), (92, 72), (102, 72))
    page.label("SNS", (93, 72))
    page.probe("TP6", (98, 72), text="left")
    page.wire(sink["3"], (102, 34), (142, 34))
    page.port("DRAIN", (142, 34), "right", "passive")


def _resistors(page: Page) -> None:
    main = page.add("R9", 102, 85, shown=_PRECISE)
    page.wire((102, 64), main["1"])
    extra = page.add("R10", 113, 85, shown=("Reference", "Value", "Value_B"), anchors=None)
    page.wire((102, 80), (113, 80), extra["1"])
    shunt = page.add("R11", 102, 112, shown=_PRECISE)
    page.wire(main["2"], shunt["1"])
    page.wire(extra["2"], (113, 90), (102, 90))
    page.ground(shunt["2"], 6)


def _drain_divider(page: Page) -> None:
    page.block("Drain voltage, divided by 11 about SNS", 129, 28, 221, 67.5)
    top = page.add("R22", 134, 38)
    middle = page.add("R54", 134, 47)
    bottom = page.add("R23", 134, 58)
    page.wire((134, 34), top["1"])
    page.wire(top["2"], middle["1"])
    page.label("DRAIN_MID", (134, 42.5))
    page.wire(middle["2"], bottom["1"])
    page.wire(bottom["2"], (134, 66), (102, 66))
    page.wire((134, 53), (158, 53))
    page.label("DRAIN_DIV", (137, 53))
    smooth = page.add("C12", 149, 58)
    page.wire((149, 53), smooth["1"])
    page.ground(smooth["2"], 1)
    buffer = page.add("U4", 164, 55, unit=2)
    page.wire(buffer["6"], (156, 57), (156, 63), (173, 63), (173, 55))
    series = page.add("R33", 180, 55, turn=90)
    page.wire(buffer["7"], series["1"])
    hold = page.add("C13", 187, 59)
    page.wire(series["2"], (200, 55))
    page.wire((187, 55), hold["1"])
    page.ground(hold["2"], 1)
    page.port("ADC_DRAIN", (200, 55), "right", "output")


def _second_measurement(page: Page) -> None:
    page.block("Second measurement of the current", 129, 68.5, 221, 87)
    series = page.add("R34", 180, 75, turn=90)
    page.wire((120, 66), (120, 75), series["1"])
    hold = page.add("C14", 187, 79)
    page.wire(series["2"], (200, 75))
    page.wire((187, 75), hold["1"])
    page.ground(hold["2"], 1)
    page.port("ADC_SNS", (200, 75), "right", "output")


def _monitor(page: Page) -> None:
    page.block("Monitor, 40h", 129, 88, 221, 126)
    monitor = page.add("U5", 152, 110)
    page.wire((102, 106), monitor["1"])
    page.label("SHUNT_HI", (106, 106))
    page.probe("TP7", (120, 106), text="left")
    page.wire(monitor["2"], (120, 114), (120, 117), (102, 117))
    page.wire(monitor["4"], (152, 94))
    page.rail("3V3", (152, 94))
    bypass = page.add("C19", 140, 99)
    page.wire((152, 96), bypass["1"])
    page.ground(bypass["2"], 1)
    page.ground(monitor["3"], 1)
    page.wire(monitor["7"], (166, 112), (166, 116))
    page.wire(monitor["8"], (166, 114))
    page.rail("GND", (166, 116))
    for name, net, x, y in (("R37", "I2C_SDA", 178, 106), ("R38", "I2C_SCL", 188, 109)):
        pull = page.add(name, x, 99)
        page.supply("3V3", pull["1"], 1)
        page.wire(pull["2"], (x, y))
        page.wire((161, y), (200, y))
        page.port(net, (200, y), "right", "bidirectional" if net == "I2C_SDA" else "input")


def _supply(page: Page) -> None:
    power = page.add("U4", 30, 104, unit=3, anchors=(Anchor(2.6, 0.9, "left"), Anchor(2.6, -0.9, "left")))
    page.wire(power["8"], (30, 95))
    page.rail("3V3", (30, 95))
    page.ground(power["4"], 1)
    bypass = page.add("C18", 46, 102)
    page.wire((30, 97), (46, 97), bypass["1"])
    page.ground(bypass["2"], 5)
