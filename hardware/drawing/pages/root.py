"""The root sheet: the blocks and every net between them."""

from __future__ import annotations

from ..page import Page, SheetBox

_WARNING = """For bench work, teaching and research. Not a cleared medical device: do not connect it to a person.
Nothing here isolates the electrodes from the battery, from USB or from a computer's mains earth."""
_VARIANTS = """One board, two populations. The drawing shows A.

A   0 to 5 mA, drug iontophoresis (dose at most 4 mA)
B   0 to 25 mA, tap water (dose at most 18 mA)

Value     what A fits.
Value_B   what B fits instead; "fit" marks a part that A
          leaves out (crossed out: R10, R13, R26, R53,
          R56, Q11, Q12).
          "omit": B leaves it out (Q1, Q2).
No Value_B: the same part in both.

A variant is soldered, never switched."""
_NUMBERS = (
    ("", "A", "B"),
    ("set-point at 100 % duty", "4.975 mA", "24.95 mA"),
    ("limiters, 0 to 55 C", "4.7 to 5.6 mA", "25 to 30 mA"),
    ("dead-man", "60 ms, 110 ms at the worst", ""),
    ("shunt R11, monitor U5", "10 ohm, address 40h", ""),
    ("shunt R55, monitor U7", "10 ohm, 41h", "2.49 ohm"),
    ("rail", "24.0 V, clamped at 27 V", ""),
)
_RAILS = (
    """Rails (global): VBAT after fuse and switch, VSYS and 3V3 of the Pico, RAIL_24V, VBUS of the USB socket, GND."""
)

_INSIDE = (
    ("pico", "Raspberry Pi Pico\nMicroPython, 1 kHz\nFRAM", (3, 60)),
    ("safety", "dead-man, USB interlock,\nSTOP, limiter", (19, 9.5)),
    ("power", "cell, 24 V boost,\nrail divider", (22, 4)),
    ("set_point", "2.5 V x duty x 0.4", (17, 8.5)),
    ("output", "second measurement,\nrelay, pole sense,\nJ2 E+, J3 E-", (20, 14)),
    ("sink", "op-amp and FET,\nRs, shunt, INA219", (20, 18)),
    ("user", "three lights, buzzer,\nSTART, straps", (23, 16)),
)


def build(page: Page, children: dict[str, Page]) -> None:
    """Draw the sheet with its seven children."""
    boxes = _boxes(children)
    page.boxes.extend(boxes.values())
    pico = boxes["pico"]
    for name in ("safety", "power", "set_point", "sink", "user"):
        for net, _, side, _ in boxes[name].pins:
            if side == "left" and net in [pin[0] for pin in pico.pins]:
                page.wire(pico[net], boxes[name][net])
                page.label(net, (pico[net][0] + 6, pico[net][1]))
    _chain(page, boxes)
    page.note("IontoPico: constant current for iontophoresis", (24, 18), 4.0, bold=True)
    page.note(_WARNING, (24, 27), 2.0, bold=True)
    for name, content, at in _INSIDE:
        page.note(content, (boxes[name].x + at[0], boxes[name].y + at[1]), 1.5)
    page.note(_RAILS, (24, 200))
    page.note("Variants", (266, 60), 2.0, bold=True)
    page.note(_VARIANTS, (266, 64))
    page.note("Numbers", (266, 106), 2.0, bold=True)
    for row, cells in enumerate(_NUMBERS):
        for cell, x in zip(cells, (266, 288, 304), strict=True):
            if cell:
                page.note(cell, (x, 110 + 1.8 * row))


def _chain(page: Page, boxes: dict[str, SheetBox]) -> None:
    """Draw the nets between the analogue blocks."""
    output, sink, pico = boxes["output"], boxes["sink"], boxes["pico"]
    for net in ("HS_SRC", "HS_SHUNT", "HS_OUT"):
        page.wire(boxes["safety"][net], output[net])
        page.label(net, (170, output[net][1]))
    for net, x in (("RELAY_SENSE", 184), ("POLE_SENSE", 192)):
        y = pico[net][1]
        page.wire(pico[net], (x, y), (x, output[net][1]), output[net])
        page.label(net, (pico[net][0] + 6, y))
    for net, x in (("I2C_SDA", 205), ("I2C_SCL", 208)):
        page.wire((x, sink[net][1]), (x, output[net][1]), output[net])
    page.wire(pico["POLARITY_RELAY"], (188, pico["POLARITY_RELAY"][1]), (188, 70), output["POLARITY_RELAY"])
    page.label("POLARITY_RELAY", (pico["POLARITY_RELAY"][0] + 6, pico["POLARITY_RELAY"][1]))
    page.wire(output["DRAIN"], (198, 78), (198, 112), sink["DRAIN"])
    page.label("DRAIN", (200, 112))
    page.wire(boxes["set_point"]["SETPOINT"], sink["SETPOINT"])
    page.label("SETPOINT", (170, 117))


def _boxes(children: dict[str, Page]) -> dict[str, SheetBox]:
    top = 56
    rows = (
        (64, "HEARTBEAT", "output"), (68, "STOP_SENSE", "input"), (72, "BENCH_STRAP", "input"),
        (76, "INTERLOCK_SENSE", "bidirectional"), (102, "RELAY_SENSE", "input"), (108, "POLE_SENSE", "input"),
        (90, "BOOST_ENABLE", "output"), (94, "ADC_RAIL", "input"), (105, "POLARITY_RELAY", "output"),
        (117, "PWM_SETPOINT", "output"), (130, "I2C_SDA", "bidirectional"), (134, "I2C_SCL", "output"),
        (138, "ADC_SNS", "input"), (142, "ADC_DRAIN", "input"), (156, "LED_READY", "output"),
        (160, "LED_CURRENT", "output"), (164, "LED_FAULT", "output"), (168, "BUZZER", "output"),
        (172, "START_BUTTON", "input"), (176, "MAINTENANCE_STRAP", "input"), (180, "RANGE_STRAP", "input"),
    )  # fmt: skip
    opposite = {"output": "input", "input": "output", "bidirectional": "bidirectional"}
    left = {net: (net, opposite[shape], "left", y) for y, net, shape in rows}

    def box(name: str, x: float, y: float, height: float, nets: str, *more: tuple[str, str, str, float]) -> SheetBox:
        pins = [left[net] for net in nets.split()] + list(more)
        moved = tuple((net, shape, side, at_y - y) for net, shape, side, at_y in pins)
        return SheetBox(children[name], x, y, 44, height, moved)

    pico_pins = tuple((net, shape, "right", y - top) for y, net, shape in rows)
    return {
        "pico": SheetBox(children["pico"], 24, top, 44, 130, pico_pins),
        "power": box("power", 120, 84, 16, "BOOST_ENABLE ADC_RAIL"),
        "safety": box(
            "safety", 120, 58, 21, "HEARTBEAT STOP_SENSE BENCH_STRAP INTERLOCK_SENSE",
            ("HS_SRC", "output", "right", 60), ("HS_SHUNT", "output", "right", 63), ("HS_OUT", "output", "right", 66),
        ),
        "set_point": box("set_point", 120, 111, 12, "PWM_SETPOINT", ("SETPOINT", "output", "right", 117)),
        "output": box(
            "output", 212, 58, 40, "", ("HS_SRC", "input", "left", 60), ("HS_SHUNT", "input", "left", 63),
            ("HS_OUT", "input", "left", 66), ("POLARITY_RELAY", "input", "left", 70),
            ("DRAIN", "passive", "left", 78), ("RELAY_SENSE", "output", "left", 82),
            ("POLE_SENSE", "output", "left", 86),
            ("I2C_SDA", "bidirectional", "left", 90), ("I2C_SCL", "input", "left", 94),
        ),
        "sink": box(
            "sink", 212, 106, 42, "I2C_SDA I2C_SCL ADC_SNS ADC_DRAIN", ("DRAIN", "passive", "left", 112),
            ("SETPOINT", "input", "left", 117),
        ),
        "user": box(
            "user", 120, 150, 36,
            "LED_READY LED_CURRENT LED_FAULT BUZZER START_BUTTON MAINTENANCE_STRAP RANGE_STRAP",
        ),
    }  # fmt: skip
