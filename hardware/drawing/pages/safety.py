"""Sheet: dead-man, USB interlock, STOP, and the high-side switch with its limiters and the second shunt."""

from __future__ import annotations

from ..page import Page, Point
from ..shapes import Anchor

_NOTE = """Output on needs all of: heartbeat edges, STOP closed, no computer on USB (or the bench strap).

Dead-man. Each rising edge moves the charge of C4 and C23 through D1 into C5; R17 and R48 bleed it. At 250 Hz
PUMP holds Q3 on; without edges it is off within 60 ms (110 ms at the worst tolerance), whether the pin stays
high or low. Two capacitors in a row pass no level when one shorts; one bleeder alone takes twice as long.
C4 and C23 together must stay much smaller than C5: one stray edge must not lift PUMP to Q3's threshold.
HEARTBEAT is GP22: its neighbours on the Pico are GND and RUN, a bridge to the PWM pin cannot feed the pump.

Two limiters in a row, no part shared: Q4 with R12, Q9 with R51. Either takes Q2's gate away at 0.65 V across
its resistor: A 4.7 to 5.6 mA, B 25 to 30 mA over 0 to 55 C. They know nothing of firmware, set-point, U3, U4.
R12 and R51 are the last word on the current: never fit R13 or R53 in A.
R14 beside R49 and R15 before R50: one open or one short leaves Q2 off without Q3 and its gate under 20 V.
R55 is the shunt of U7, before Q2: U7 hangs on the rail and draws nothing from the load when Q2 is off. R14 and
R49 are before it: what drives the gate does not pass it. R64 holds the source of Q2 should R55 be open.

STOP is in series with Q3, no firmware between. D6 lets STOP_SENSE see the loop but not feed it: a pin driven
or pulled low cannot stand in for the switch. R59 sends 1.1 mA through the contact: 60 uA do not keep it clean.

Interlock. VBUS turns on Q5, which shorts PUMP. It keeps a computer and an output apart; it does not isolate.
INTERLOCK_SENSE reads Q5's gate when a computer is there; driven high it tries Q5 without one; driven low it
leaves 2.4 V there, enough for Q5. Bench strap: pole 1-2 takes the interlock out, pole 3-4 tells the firmware."""


_RIGHT = (Anchor(-0.4, -3.4, "left"), Anchor(-0.4, -5.1, "left"))  # of a transistor whose left side is taken


def build(page: Page) -> None:
    """Draw the sheet."""
    page.note(_NOTE, (13, 19))
    _dead_man(page)
    _interlock(page)
    _switch(page)
    _limiters(page)
    _stop(page)


def _dead_man(page: Page) -> None:
    page.block("Dead-man", 12, 64, 112, 111)
    page.port("HEARTBEAT", (24, 100), "left", "input")
    series = page.add("R16", 33, 100, turn=90)
    page.wire((24, 100), series["1"])
    page.probe("TP14", (26, 100))
    first = page.add("C4", 48, 100, turn=90)
    page.wire(series["2"], first["1"])
    page.label("PUMP_IN", (36, 100))
    second = page.add("C23", 64, 100, turn=90)
    page.wire(first["2"], second["1"])
    page.label("PUMP_MID", (51, 100))
    diodes = page.add("D1", 80, 100)
    page.wire(second["2"], diodes["3"])
    page.label("PUMP_AC", (67.5, 100))
    page.ground(diodes["1"], 2)
    page.wire(diodes["2"], (80, 78))
    page.wire((48, 78), (103, 78), (103, 88), (120, 88))
    page.label("PUMP", (106, 88))
    page.probe("TP8", (92, 78))
    for name, x in (("C5", 48), ("R17", 58), ("R48", 68)):
        part = page.add(name, x, 83)
        page.wire((x, 78), part["1"])
        page.ground(part["2"])


def _interlock(page: Page) -> None:
    page.block("USB interlock and bench strap", 12, 112, 112, 148)
    page.rail("VBUS", (17, 119))
    once = page.add("D13", 23, 121, turn=270)
    page.wire((17, 119), (17, 121), once["1"])
    top = page.add("R18", 38, 121, turn=90)
    page.wire(once["3"], top["1"])
    page.label("USB_FED", (27, 121))
    short = page.add("Q5", 101, 121)
    page.wire(top["2"], short["1"])
    page.label("INTERLOCK_GATE", (81, 121))
    page.probe("TP11", (50, 121))
    page.wire(short["3"], (103, 88))
    page.ground(short["2"])
    for name, x in (("R19", 48), ("C17", 58)):
        part = page.add(name, x, 126)
        page.wire((x, 121), part["1"])
        page.ground(part["2"])
    see = page.add("R57", 54, 137, turn=90)
    page.wire((64, 121), (64, 137), see["2"])
    page.wire(see["1"], (32, 137))
    page.port("INTERLOCK_SENSE", (32, 137), "left", "bidirectional")
    strap = page.add("JP1", 78, 132, anchors=(Anchor(0, -4.2), Anchor(0, -5.9)))
    page.wire((70, 121), (70, 130), strap["1"])
    page.wire(strap["3"], (68, 134), (68, 143), (30, 143))
    page.port("BENCH_STRAP", (30, 143), "left", "output")
    page.wire(strap["2"], (87, 130), (87, 137))
    page.wire(strap["4"], (87, 134))
    page.rail("GND", (87, 137))


def _switch(page: Page) -> None:
    page.block("High side: switch and two limiters", 113, 18, 221, 96)
    gate = page.add("Q3", 124, 88)
    page.wire(gate["2"], (126, 102))
    first = page.add("R15", 126, 66)
    second = page.add("R50", 126, 74)
    page.wire(first["2"], second["1"])
    page.label("HS_DRIVE", (126, 70))
    page.wire(gate["3"], second["2"])
    page.label("Q3_D", (126, 82))
    page.wire(first["1"], (126, 60))
    switch = page.add("Q2", 180, 78, anchors=(Anchor(3.6, 2.6, "left"), Anchor(3.6, 0.9, "left")))
    page.wire((118, 60), (150, 60), (150, 78), switch["1"])
    page.label("HS_GATE", (118, 60))
    page.probe("TP15", (133, 60), text="left")
    for name, x in (("R14", 136), ("R49", 143)):
        hold = page.add(name, x, 55)
        page.wire((x, 50), hold["1"])
        page.wire(hold["2"], (x, 60))
    page.wire((136, 50), (182, 50))
    page.label("HS_SRC", (147, 50))
    switch_b = page.add("Q12", 202, 78)
    page.wire((174, 78), (174, 83), (197, 83), (197, 78), switch_b["1"])
    page.wire((182, 70), (204, 70), switch_b["3"])
    page.wire(switch_b["2"], (204, 91))
    page.wire(switch["3"], (182, 91), (210, 91))
    page.port("HS_OUT", (210, 91), "right", "output")
    page.probe("TP9", (190, 91))
    _second_shunt(page, switch["2"])


def _second_shunt(page: Page, source: Point) -> None:
    """Draw the shunt of U7, which measures on another sheet, between limiters and switch."""
    for name, x, end, shown in (("R64", 168, 64, ()), ("R55", 182, 66, ("Tolerance",)), ("R56", 198, 66, ("Value_B",))):
        part = page.add(name, x, 57, shown=("Reference", "Value", *shown))
        page.wire((x, 50), part["1"])
        page.wire(part["2"], (x, end))
    page.wire((182, 50), (210, 50))
    page.port("HS_SRC", (210, 50), "right", "output")
    page.wire((168, 64), (182, 64))
    page.wire((182, 66), (210, 66))
    page.port("HS_SHUNT", (210, 66), "right", "output")
    page.wire((182, 66), source)


def _limiters(page: Page) -> None:
    """Draw two limiters in a row: either takes the gate of Q2 by itself."""
    first = page.add("Q4", 120, 32, mirror=True, anchors=_RIGHT)
    page.wire(first["3"], (118, 60))
    page.wire(first["2"], (118, 26), (190, 26))
    second = page.add("Q9", 130, 44, mirror=True, anchors=_RIGHT)
    page.wire(second["3"], (128, 60))
    page.wire(second["2"], (128, 38), (154, 38))
    page.label("LIMIT_MID", (133, 38))
    rows = ((first, "R27", "R12", "R13", 26, 32, 38), (second, "R52", "R51", "R53", 38, 44, 50))
    for sense, protection, limit, extra, top, y, bottom in rows:
        base = page.add(protection, 141, y, turn=90)
        page.wire(sense["1"], base["1"])
        page.wire(base["2"], (147, y), (147, bottom))
        main = page.add(limit, 154, y)
        page.wire((154, top), main["1"])
        page.wire(main["2"], (154, bottom))
        more = page.add(extra, 167, y)
        page.wire((154, top + 2), (167, top + 2), more["1"])
        page.wire(more["2"], (167, bottom - 2), (154, bottom - 2))
    page.supply("RAIL_24V", (144, 26))
    bypass = page.add("C10", 190, 32)
    page.wire((190, 26), bypass["1"])
    page.ground(bypass["2"])


def _stop(page: Page) -> None:
    page.block("STOP", 113, 97, 221, 128)
    button = page.add("SW1", 126, 118, turn=90, anchors=(Anchor(3.6, 0.9, "left"), Anchor(3.6, -0.9, "left")))
    page.wire((126, 102), button["2"])
    page.ground(button["1"])
    see = page.add("D6", 146, 112, turn=90)
    page.wire((126, 112), see["3"])
    page.label("STOP_LOOP", (131, 112))
    wetting = page.add("R59", 153, 107)
    page.supply("3V3", wetting["1"], 1)
    page.wire(wetting["2"], (153, 112))
    series = page.add("R28", 168, 112, turn=90)
    page.wire(see["1"], series["1"])
    page.label("STOP_FEED", (154, 112))
    page.wire(series["2"], (196, 112))
    page.port("STOP_SENSE", (196, 112), "right", "output")
