"""Sheet: polarity relay, lead resistors, electrodes."""

from __future__ import annotations

from ..drawing import Page
from ..shapes import Anchor

_NOTE = """\
At rest E+ is the positive electrode. The firmware moves the relay only with the output disabled for 120 ms and the
current at 0: contacts that open under current spark and wear. C22 holds the relay past the dead-man: a Pico that
resets lets go of POLARITY_RELAY while current may still flow for 110 ms.
A contact that welds while the other moves joins HS_OUT and DRAIN: the current then passes beside the electrodes,
still held by sink and limiter, and the firmware sees a load of 0 ohm.

R20, R21 keep the loop stable and limit the current of a cable's charge at re-contact. C6 and the cable together
at most 1 nF.

The electrodes are NOT isolated. Through Q1, Q2 and the dividers they are joined to the battery, to GND and, with a
cable plugged in, to the computer and its mains earth. Never have a computer and an electrode connected together;
mount USB and J2, J3 so that only one of them can be reached at a time."""


def build(page: Page) -> None:
    """Draw the sheet."""
    _contacts(page)
    _coil(page)
    _leads(page)
    page.note(_NOTE, (14, 122))


def _contacts(page: Page) -> None:
    page.block("Polarity", 32, 28, 124, 116)
    relay = page.add("K1", 100, 70)
    page.port("DRAIN", (30, 42), "left", "passive")
    page.port("HS_OUT", (30, 48), "left", "input")
    page.wire((30, 42), (109, 42), relay["5"])
    page.wire(relay["2"], (95, 42))
    page.wire((30, 48), (105, 48), relay["7"])
    page.wire(relay["4"], (99, 48))
    page.probe("TP10", (46, 42))


def _coil(page: Page) -> None:
    page.wire((91, 63), (91, 59), (80, 59))
    page.rail("3V3", (86, 57))
    page.wire((86, 57), (86, 59))
    wheel = page.add("D2", 80, 70, anchors=(Anchor(-1.8, 0.9, "right"), Anchor(-1.8, -0.9, "right")))
    page.wire((80, 59), wheel["1"])
    page.wire(wheel["2"], (80, 82), (91, 82))
    driver = page.add("Q6", 89, 104)
    page.wire((91, 77), driver["3"])
    page.ground(driver["2"])
    page.port("POLARITY_RELAY", (26, 104), "left", "input")
    charge = page.add("R44", 42, 104, turn=90)
    page.wire((26, 104), charge["1"])
    once = page.add("D12", 56, 104, turn=270)
    page.wire(charge["2"], once["1"])
    page.label("RELAY_IN", (45, 104))
    page.wire(once["3"], driver["1"])
    page.label("RELAY_GATE", (76, 104))
    for name, x in (("R35", 36), ("C22", 64), ("R45", 74)):
        part = page.add(name, x, 109)
        page.wire((x, 104), part["1"])
        page.ground(part["2"], 1)


def _leads(page: Page) -> None:
    page.block("Leads and electrodes", 126, 66, 204, 104)
    for name, jack, net, pin, y in (("R20", "J2", "OUT_A", (107, 77), 80), ("R21", "J3", "OUT_B", (97, 77), 92)):
        lead = page.add(name, 142, y, turn=90)
        page.wire(pin, (pin[0], y), lead["1"])
        page.label(net, (128, y))
        socket = page.add(jack, 184, y, mirror=False, anchors=(Anchor(0.4, 0.8, "left"), Anchor(0.4, -0.9, "left")))
        page.wire(lead["2"], socket["1"])
        page.label("E_PLUS" if jack == "J2" else "E_MINUS", (166, y))
    filter_ = page.add("C6", 156, 86)
    page.wire((156, 80), filter_["1"])
    page.wire(filter_["2"], (156, 92))
