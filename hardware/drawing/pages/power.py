"""Sheet: battery, Pico supply, 24 V boost converter and its divider."""

from __future__ import annotations

from ..page import Page, Point
from ..shapes import Anchor

_NOTE = """Boost output: A 1.233 V x (1 + R30 / R31) = 24.0 V, B 0.6 V x (1 + R30 / R31) = 24.0 V. Fixed resistors: no
trimmer may raise the compliance. It is fed from the battery's side of D4: USB alone never makes 24 V.
D3 clamps a boost without feedback at 27 V, 28.3 V at the worst; F1 bounds what the cell feeds it. Q2 stands 50 V.
R32 keeps the boost off while the Pico is in reset. With the boost off the rail sits at VBAT less D5: the dead-man,
not the boost, is what turns the output off.
VSYS at most 5.5 V: one Li-ion cell or three AA cells. D4 and Q10 keep USB's 5 V out of the cell, each by itself.
C25: without it the TPS61040 pulses in bursts. SW3 carries the boost's current.
One footprint of six pads for U6: MT3608 (B) has VIN on pad 5; the TPS61040 (A) has five pins, its pin 5 lies on pad 6.
B fits L1, R30, R31 and C9 of column B."""


def build(page: Page) -> None:
    """Draw the sheet."""
    _battery(page)
    _boost(page)
    _feedback(page)
    _divider(page)
    page.note(_NOTE, (14, 127))


def _battery(page: Page) -> None:
    page.block("Battery and Pico supply", 12, 24, 158, 68)
    cell = page.add("BT1", 26, 53, anchors=(Anchor(2.6, 0.9, "left"), Anchor(2.6, -0.9, "left")))
    page.ground(cell["2"], 3)
    fuse = page.add("F1", 36, 44, turn=90)
    page.wire(cell["1"], (26, 44), fuse["1"])
    reverse = page.add("D11", 46, 51)
    page.wire((46, 44), reverse["1"])
    page.ground(reverse["2"], 5)
    switch = page.add("SW3", 60, 44)
    page.wire(fuse["2"], switch["1"])
    diode = page.add("D4", 90, 44, turn=270)
    page.wire(switch["2"], diode["2"])
    page.supply("VBAT", (70, 44))
    page.flag((76, 44))
    page.probe("TP13", (82, 44))
    _parting(page, diode["1"])
    page.wire((110, 44), (134, 44))
    page.supply("VSYS", (118, 44))
    page.flag((126, 44))
    store = page.add("C8", 134, 51)
    page.wire((134, 44), store["1"])
    page.ground(store["2"], 5)
    page.flag((148, 57))
    page.wire((148, 57), (148, 59))
    page.rail("GND", (148, 59))


def _parting(page: Page, feed: Point) -> None:
    """Draw Q10 after D4: with VBUS at its gate it is off, and its body diode points from the cell to VSYS."""
    part = page.add("Q10", 106, 46, turn=90, mirror=True, anchors=(Anchor(0, 5.6), Anchor(0, 3.9)))
    page.wire(feed, part["3"])
    page.label("VSYS_IN", (94, 44))
    page.wire(part["1"], (106, 54), (98, 54), (98, 53))
    page.rail("VBUS", (98, 53))
    low = page.add("R58", 112, 57)
    page.wire((106, 54), low["1"])
    page.ground(low["2"], 1)


def _boost(page: Page) -> None:
    page.block("24 V boost converter", 12, 70, 158, 123)
    converter = page.add("U6", 80, 98, anchors=(Anchor(-6, 9.6, "left"), Anchor(-6, 7.9, "left")))
    page.wire((30, 92), (30, 95), converter["5"])
    page.rail("VBAT", (30, 92))
    feed = page.add("C7", 42, 100)
    page.wire((42, 95), feed["1"])
    page.ground(feed["2"], 1)
    choke = page.add("L1", 80, 79, turn=90)
    page.wire((62, 95), (62, 79), choke["1"])
    page.wire(choke["2"], (94, 79), (94, 95))
    page.ground(converter["2"])
    page.port("BOOST_ENABLE", (30, 112), "left", "input")
    page.wire((30, 112), (66, 112), (66, 101), converter["4"])
    pull = page.add("R32", 54, 116)
    page.wire((54, 112), pull["1"])
    page.ground(pull["2"], 1)
    rectifier = page.add("D5", 104, 95, turn=270)
    page.wire(converter["1"], rectifier["2"])
    page.wire(converter["6"], (70, 97), (70, 95))
    page.wire(rectifier["1"], (168, 95))


def _feedback(page: Page) -> None:
    top = page.add("R30", 114, 100)
    bottom = page.add("R31", 114, 111)
    page.wire((114, 95), top["1"])
    page.wire(top["2"], bottom["1"])
    page.ground(bottom["2"], 1)
    page.wire((88, 101), (98, 101), (98, 106), (114, 106))
    page.label("BOOST_FB", (99, 106))
    forward = page.add("C25", 109, 100, anchors=(Anchor(-1.9, 0.9, "right"), Anchor(-1.9, -0.9, "right")))
    page.wire((109, 95), forward["1"])
    page.wire(forward["2"], (109, 106))
    store = page.add("C9", 131, 100)
    page.wire((131, 95), store["1"])
    page.ground(store["2"])
    clamp = page.add("D3", 147, 100)
    page.wire((147, 95), clamp["1"])
    page.ground(clamp["2"])
    page.supply("RAIL_24V", (124, 95), 4)
    page.flag((139, 95))
    page.probe("TP3", (152, 95))


def _divider(page: Page) -> None:
    page.block("Rail to the ADC: / 11", 160, 84, 221, 123)
    top = page.add("R24", 168, 100)
    bottom = page.add("R25", 168, 111)
    page.wire((168, 95), top["1"])
    page.wire(top["2"], bottom["1"])
    page.ground(bottom["2"], 1)
    hold = page.add("C15", 184, 111)
    page.wire((168, 105), (196, 105))
    page.wire((184, 105), hold["1"])
    page.ground(hold["2"], 1)
    page.port("ADC_RAIL", (196, 105), "right", "output")
