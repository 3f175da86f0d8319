"""Sheet: the second current monitor, polarity relay, lead resistors, electrodes."""

from __future__ import annotations

from ..page import Page, Point
from ..shapes import Anchor

_NOTE = """\
U7 measures the current before switch, relay and leads, U5 after the load: a leak between them is the difference. Its
shunt is R55, before Q2; its bus pin is at GND, so that no part of it passes current of the load with Q2 off. U9 about
R20: POLE_SENSE is high while current flows out of E+; whatever fails in it, at most 0.25 mA leak past R60, R61.
RELAY_SENSE: how long the coil is held.

At rest E+ is the positive electrode. The firmware moves the relay only with the output disabled for 120 ms and the
current at 0: contacts that open under current spark and wear.
C22 holds the relay past the dead-man: a Pico that resets lets go of POLARITY_RELAY while current may still flow for
110 ms. Without C22 the relay would fall back under it and turn it round. Held 218 ms, 134 to 309 ms with every
tolerance over 0 to 50 C; Q6 is a bipolar transistor because the threshold of a FET varies too much for that.
A contact that welds while the other moves joins HS_OUT and DRAIN: the current then passes beside the electrodes,
still held by sink and limiter, and the firmware sees a load of 0 ohm.

R20, R21 keep the loop stable and limit the current of a cable's charge at re-contact. C6, C24 and the cable together
at most 1 nF; D14 adds 30 pF and leaks less than 0.1 uA at 32 V. C6 before C24, so that one that shorts does
not take the load's current.

The electrodes are NOT isolated. Through Q1, Q2 and the dividers they are joined to the battery, to GND and, with a
cable plugged in, to the computer and its mains earth. Never have a computer and an electrode connected together;
mount USB and J2, J3 so that only one of them can be reached at a time."""


def build(page: Page) -> None:
    """Draw the sheet."""
    _contacts(page)
    _leads(page)
    _second_measurement(page)
    _pole(page)
    page.note(_NOTE, (14, 122))


def _contacts(page: Page) -> None:
    page.block("Polarity", 32, 22, 124, 116)
    relay = page.add("K1", 100, 70)
    page.port("DRAIN", (30, 37), "left", "passive")
    page.port("HS_OUT", (30, 43), "left", "input")
    page.wire((30, 37), (109, 37), relay["5"])
    page.wire(relay["2"], (95, 37))
    page.wire((30, 43), (105, 43), relay["7"])
    page.wire(relay["4"], (99, 43))
    page.probe("TP10", (58, 37))
    _coil(page, relay["1"], relay["8"])
    _hold(page)


def _coil(page: Page, plus: Point, minus: Point) -> None:
    """Draw Q8, which feeds the coil, with its pull-up and the free-wheeling diode."""
    driver = page.add("Q8", 89, 56, anchors=(Anchor(-3.0, 4.0, "right"), Anchor(-3.0, 2.3, "right")))
    hold_off = page.add("R47", 76, 53, anchors=(Anchor(-1.8, 0.9, "right"), Anchor(-1.8, -0.9, "right")))
    page.wire(hold_off["1"], (91, 50), driver["2"])
    page.rail("3V3", (84, 50))
    page.wire(driver["3"], plus)
    page.label("RELAY_COIL", (81, 62))
    see = page.add("R63", 56, 62, turn=90)
    page.wire((80, 62), see["2"])
    page.wire(see["1"], (30, 62))
    page.port("RELAY_SENSE", (30, 62), "left", "output")
    wheel = page.add("D2", 80, 70, anchors=(Anchor(-1.8, 0.9, "right"), Anchor(-1.8, -0.9, "right")))
    page.wire((91, 62), (80, 62), wheel["1"])
    page.wire(wheel["2"], (80, 82), (91, 82))
    page.wire(minus, (91, 82))
    page.ground((91, 82))
    page.wire((70, 97), (70, 56), driver["1"])


def _hold(page: Page) -> None:
    """Draw the pin's way to Q6: C22 is charged through D12 and lets go of Q6 late."""
    page.note("Holds the relay past the dead-man\nwhen the Pico resets", (34, 94))
    page.port("POLARITY_RELAY", (26, 104), "left", "input")
    charge = page.add("R44", 46, 104, turn=90)
    page.wire((26, 104), charge["1"])
    once = page.add("D12", 60, 104, turn=270)
    page.wire(charge["2"], once["1"])
    page.label("RELAY_IN", (49, 104))
    base = page.add("R46", 83, 104, turn=90)
    page.wire(once["3"], base["1"])
    page.label("RELAY_HOLD", (64, 104))
    late = page.add("Q6", 100, 104)
    page.wire(base["2"], late["1"])
    page.label("RELAY_BASE", (86, 104))
    page.ground(late["2"])
    page.wire(late["3"], (102, 97), (70, 97))
    page.label("RELAY_GATE", (76, 97))
    for name, x in (("R35", 36), ("C22", 65), ("R45", 74)):
        part = page.add(name, x, 109)
        page.wire((x, 104), part["1"])
        page.ground(part["2"], 1)


def _second_measurement(page: Page) -> None:
    """Draw the INA226 that measures about the shunt before the high-side switch; its bus pin is not used."""
    page.block("Second measurement, 41h", 126, 14, 204, 64)
    monitor = page.add("U7", 160, 46)
    for net, pin in (("HS_SRC", "10"), ("HS_SHUNT", "9")):
        page.wire((140, monitor[pin][1]), monitor[pin])
        page.port(net, (140, monitor[pin][1]), "left", "input")
    page.wire(monitor["8"], (148, 44))
    page.ground((148, 44), 2)
    page.wire(monitor["6"], (160, 22))
    page.rail("3V3", (160, 22))
    bypass = page.add("C26", 170, 28)
    page.wire((160, 25), bypass["1"])
    page.ground(bypass["2"], 1)
    page.ground(monitor["7"], 1)
    page.nothing(monitor["3"])
    page.wire(monitor["2"], (178, 49), (178, 48))
    page.rail("3V3", (178, 48))
    page.wire(monitor["1"], (174, 52))
    page.ground((174, 52), 2)
    for net, y, shape in (("I2C_SDA", 40, "bidirectional"), ("I2C_SCL", 43, "input")):
        page.wire((169, y), (188, y))
        page.port(net, (188, y), "right", shape)


def _pole(page: Page) -> None:
    """Draw the amplifier about R20: its output is high while current flows out of E+."""
    page.block("Pole", 126, 100, 204, 127)
    amplifier = page.add("U9", 164, 112, anchors=(Anchor(6.4, -3.0, "left"), Anchor(6.4, -4.7, "left")))
    first = page.add("R60", 146, 109, turn=90)
    second = page.add("R61", 146, 115, turn=90)
    page.wire((134, 80), (134, 109), first["1"])
    page.wire((150, 80), (150, 104), (138, 104), (138, 115), second["1"])
    page.wire(first["2"], amplifier["4"])
    page.wire(second["2"], amplifier["5"])
    page.wire(amplifier["3"], (164, 103))
    page.rail("3V3", (164, 103))
    bypass = page.add("C28", 176, 106)
    page.wire((164, 103), bypass["1"])
    page.ground(bypass["2"], 1)
    page.wire(amplifier["2"], (162, 121))
    page.wire(amplifier["1"], (166, 121), (162, 121))
    page.rail("GND", (162, 121))
    series = page.add("R62", 184, 112, turn=90)
    page.wire(amplifier["6"], series["1"])
    page.wire(series["2"], (190, 112))
    page.port("POLE_SENSE", (190, 112), "right", "output")


def _leads(page: Page) -> None:
    page.block("Leads and electrodes", 126, 66, 204, 99)
    for name, jack, net, pin, y in (("R20", "J2", "OUT_A", (107, 77), 80), ("R21", "J3", "OUT_B", (97, 77), 94)):
        lead = page.add(name, 142, y, turn=90)
        page.wire(pin, (pin[0], y), lead["1"])
        page.label(net, (128, y))
        socket = page.add(jack, 184, y, mirror=False, anchors=(Anchor(0.4, 0.8, "left"), Anchor(0.4, -0.9, "left")))
        page.wire(lead["2"], socket["1"])
        page.label("E_PLUS" if jack == "J2" else "E_MINUS", (162, y))
    page.add("C6", 156, 83)
    second = page.add("C24", 156, 91)
    page.wire((156, 86), second["1"])
    page.wire((156, 87), (159, 87))
    page.label("EMI_MID", (159, 87))
    clamp = page.add("D14", 174, 87)
    page.wire((174, 80), clamp["1"])
    page.wire(clamp["2"], (174, 94))
    page.ground(clamp["3"], 1)
