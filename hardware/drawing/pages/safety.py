"""Sheet: dead-man, USB interlock, STOP, and the high-side switch with its limiter."""

from __future__ import annotations

from ..page import Page
from ..shapes import Anchor

_NOTE = """Output on needs all of: heartbeat edges, STOP closed, no computer on USB (or the bench strap).

Dead-man. Each rising edge moves C4's charge through D1 into C5; R17 bleeds it. At 250 Hz PUMP holds Q3 on;
without edges it is off within 60 ms (110 ms at the worst tolerance), whether the pin stays high or low.
C4 must stay much smaller than C5: one stray edge must not lift PUMP to Q3's threshold. R17 must be fitted.
HEARTBEAT is GP22: its neighbours on the Pico are GND and RUN, a bridge to the PWM pin cannot feed the pump.

Limiter. Q4 takes Q2's gate away at 0.65 V across Rlim: A 5.2 to 6.0 mA, B 26 to 31 mA over 0 to 55 C. It knows
nothing of firmware, set-point, U3 or U4. Rlim is the last word on the current: never fit R13 in A.

STOP is in series with Q3, no firmware between. D6 lets STOP_SENSE see the loop but not feed it: a pin driven
or pulled low cannot stand in for the switch.

Interlock. VBUS turns on Q5, which shorts PUMP. It keeps a computer and an output apart; it does not isolate.
Bench strap: pole 1-2 takes the interlock out, pole 3-4 tells the firmware. A pin cannot do the first."""


def build(page: Page) -> None:
    """Draw the sheet."""
    page.note(_NOTE, (13, 26))
    _dead_man(page)
    _interlock(page)
    _switch(page)
    _limiter(page)
    _stop(page)


def _dead_man(page: Page) -> None:
    page.block("Dead-man", 12, 80, 112, 111)
    page.port("HEARTBEAT", (26, 100), "left", "input")
    series = page.add("R16", 37, 100, turn=90)
    page.wire((26, 100), series["1"])
    page.probe("TP14", (30, 100))
    store = page.add("C4", 51, 100, turn=90)
    page.wire(series["2"], store["1"])
    page.label("PUMP_IN", (41, 100))
    diodes = page.add("D1", 67, 100)
    page.wire(store["2"], diodes["3"])
    page.label("PUMP_AC", (55, 100))
    page.ground(diodes["1"], 2)
    page.wire(diodes["2"], (67, 88), (120, 88))
    page.label("PUMP", (104.5, 88))
    page.probe("TP8", (94, 88))
    for name, x in (("C5", 78), ("R17", 88)):
        part = page.add(name, x, 93)
        page.wire((x, 88), part["1"])
        page.ground(part["2"])


def _interlock(page: Page) -> None:
    page.block("USB interlock and bench strap", 12, 112, 112, 148)
    page.rail("VBUS", (32, 119))
    top = page.add("R18", 40, 121, turn=90)
    page.wire((32, 119), (32, 121), top["1"])
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
    strap = page.add("JP1", 78, 132, anchors=(Anchor(0, -4.2), Anchor(0, -5.9)))
    page.wire((70, 121), (70, 130), strap["1"])
    page.wire(strap["3"], (68, 134), (68, 142), (30, 142))
    page.port("BENCH_STRAP", (30, 142), "left", "output")
    page.wire(strap["2"], (87, 130), (87, 137))
    page.wire(strap["4"], (87, 134))
    page.rail("GND", (87, 137))


def _switch(page: Page) -> None:
    page.block("High side: switch and limiter", 113, 18, 221, 96)
    gate = page.add("Q3", 124, 88)
    page.wire(gate["2"], (126, 102))
    drive = page.add("R15", 126, 75)
    page.wire(gate["3"], drive["2"])
    page.label("Q3_D", (126, 81))
    page.wire(drive["1"], (126, 58))
    switch = page.add("Q2", 152, 58, anchors=(Anchor(3.6, 2.6, "left"), Anchor(3.6, 0.9, "left")))
    page.wire((126, 58), switch["1"])
    page.label("HS_GATE", (140, 58))
    page.probe("TP15", (132, 58), text="left")
    hold = page.add("R14", 139, 52)
    page.wire(hold["2"], (139, 58))
    page.wire(hold["1"], (139, 46), (154, 46))
    page.label("HS_SRC", (147, 46))
    page.wire(switch["3"], (154, 68), (196, 68))
    page.label("HS_OUT", (158, 68))
    page.probe("TP9", (184, 68))
    page.port("HS_OUT", (196, 68), "right", "output")


def _limiter(page: Page) -> None:
    sense = page.add("Q4", 128, 38, mirror=True)
    page.wire(sense["3"], (126, 58))
    page.wire(sense["2"], (126, 31), (190, 31))
    base = page.add("R27", 139, 38, turn=90)
    page.wire(sense["1"], base["1"])
    page.wire(base["2"], (146, 38), (146, 46))
    limit = page.add("R12", 154, 38)
    page.wire((154, 31), limit["1"])
    page.wire(limit["2"], (154, 54))
    extra = page.add("R13", 167, 38)
    page.wire((167, 31), extra["1"])
    page.wire(extra["2"], (167, 43), (154, 43))
    page.supply("RAIL_24V", (142, 31))
    bypass = page.add("C10", 190, 38)
    page.wire((190, 31), bypass["1"])
    page.ground(bypass["2"])


def _stop(page: Page) -> None:
    page.block("STOP", 113, 97, 221, 126)
    button = page.add("SW1", 126, 110, turn=90, anchors=(Anchor(3.6, 0.9, "left"), Anchor(3.6, -0.9, "left")))
    page.wire((126, 102), button["2"])
    page.ground(button["1"])
    see = page.add("D6", 146, 103, turn=90)
    page.wire((126, 103), see["3"])
    page.label("STOP_LOOP", (131, 103))
    series = page.add("R28", 160, 103, turn=90)
    page.wire(see["1"], series["1"])
    page.wire(series["2"], (196, 103))
    page.port("STOP_SENSE", (196, 103), "right", "output")
