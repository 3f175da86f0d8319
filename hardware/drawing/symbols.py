"""The symbols of the project's own library, so that the drawing opens on a KiCad without any library."""

from __future__ import annotations

from .shapes import Anchor, Graphic, Pin, Symbol, Unit, arc, box, circle, line, words

_THICK = 0.254
RIGHT_TEXT = (Anchor(1.8, 0.9, "left"), Anchor(1.8, -0.9, "left"))


def _vertical(names: tuple[str, str] = ("", ""), numbers: tuple[str, str] = ("1", "2")) -> tuple[Pin, ...]:
    """Return the pins of a part with two ends, the first one on top."""
    return (
        Pin(numbers[0], names[0], "passive", 0, 3, 270, 1.0),
        Pin(numbers[1], names[1], "passive", 0, -3, 90, 1.0),
    )


def _two(name: str, prefix: str, description: str, graphics: list[Graphic], **kind: str) -> Symbol:
    body = (-1.2, -2.0, 1.2, 2.0)
    numbers = (kind.get("top", "1"), kind.get("bottom", "2"))
    names = (kind.get("top_name", ""), kind.get("bottom_name", ""))
    return Symbol(name, prefix, description, (Unit(tuple(graphics), _vertical(names, numbers), body),), RIGHT_TEXT)


def _cathode_up(*bar: tuple[float, float]) -> list[Graphic]:
    """Return a diode whose current flows down to up; `bar` is the cathode's line."""
    return [
        line((0, 2), (0, -2)),
        line((-1, -0.9), (1, -0.9), (0, 0.9), (-1, -0.9), width=_THICK, fill="outline"),
        line(*bar, width=_THICK),
    ]


_SCHOTTKY_BAR = ((-1, 0.4), (-1, 0.9), (1, 0.9), (1, 1.4))
_RAYS = [
    line((1.2, 0.2), (2.2, 1.0)),
    line((1.7, 1.0), (2.2, 1.0), (2.1, 0.5)),
    line((1.4, -0.8), (2.4, 0.0)),
    line((1.9, 0.0), (2.4, 0.0), (2.3, -0.5)),
]
RESISTOR = _two("R", "R", "Resistor", [box(-0.8, 2, 0.8, -2, fill="none")])
CAPACITOR = _two(
    "C",
    "C",
    "Capacitor, unpolarised",
    [
        line((-1.5, 0.5), (1.5, 0.5), width=0.4),
        line((-1.5, -0.5), (1.5, -0.5), width=0.4),
        line((0, 2), (0, 0.5)),
        line((0, -2), (0, -0.5)),
    ],
)
INDUCTOR = _two("L", "L", "Inductor", [arc((0, y + 1), (0.6, y + 0.5), (0, y)) for y in (1, 0, -1, -2)])
FUSE = _two(
    "Polyfuse",
    "F",
    "Resettable fuse",
    [box(-0.8, 2, 0.8, -2, fill="none"), line((-1.3, -1.9), (-1.3, -1.3), (1.3, 1.3)), line((0, 2), (0, -2))],
)
DIODE = _two("D", "D", "Diode", _cathode_up((-1, 0.9), (1, 0.9)), top="1", bottom="2", top_name="K", bottom_name="A")
SCHOTTKY = _two(
    "D_Schottky",
    "D",
    "Schottky diode",
    _cathode_up(*_SCHOTTKY_BAR),
    top="1",
    bottom="2",
    top_name="K",
    bottom_name="A",
)
BAS70 = _two(
    "BAS70",
    "D",
    "Schottky diode, SOT-23",
    _cathode_up(*_SCHOTTKY_BAR),
    top="3",
    bottom="1",
    top_name="K",
    bottom_name="A",
)
ZENER = _two(
    "D_Zener",
    "D",
    "Zener diode",
    _cathode_up((-1.3, 0.4), (-1, 0.9), (1, 0.9), (1.3, 1.4)),
    top="1",
    bottom="2",
    top_name="K",
    bottom_name="A",
)
LED = _two(
    "LED",
    "D",
    "Light-emitting diode",
    [
        line((0, 2), (0, -2)),
        line((-1, 0.9), (1, 0.9), (0, -0.9), (-1, 0.9), width=_THICK, fill="outline"),
        line((-1, -0.9), (1, -0.9), width=_THICK),
        *_RAYS,
    ],
    top="2",
    bottom="1",
    top_name="A",
    bottom_name="K",
)
BATTERY = _two(
    "Battery",
    "BT",
    "Battery, one cell",
    [
        line((-1.6, 0.5), (1.6, 0.5), width=_THICK),
        line((-0.8, -0.5), (0.8, -0.5), width=0.5),
        line((0, 2), (0, 0.5)),
        line((0, -2), (0, -0.5)),
        line((0.8, 1.6), (1.8, 1.6)),
        line((1.3, 2.1), (1.3, 1.1)),
    ],
    top_name="+",
    bottom_name="-",
)


def _both_ways(y: float) -> list[Graphic]:
    """Return a clamp that conducts both ways, its middle at `y`."""
    return [
        line((-1, y + 0.9), (1, y + 0.9), (0, y), (-1, y + 0.9), width=_THICK),
        line((-1, y - 0.9), (1, y - 0.9), (0, y), (-1, y - 0.9), width=_THICK),
        line((-1.4, y + 0.3), (-1, y), (1, y), (1.4, y - 0.3), width=_THICK),
    ]


CLAMP = Symbol(
    "Clamp_Dual",
    "D",
    "Two clamps, each both ways, to a common pin; SOT-23: 1 and 2 lines, 3 common",
    (
        Unit(
            (
                *_both_ways(2.5),
                *_both_ways(-2.5),
                line((0, 4), (0, 3.4)),
                line((0, 1.6), (0, -1.6)),
                line((0, -3.4), (0, -4)),
                line((0, 0), (2, 0)),
                circle(0, 0, 0.2, fill="outline"),
            ),
            (
                Pin("1", "A", "passive", 0, 6, 270, 2.0),
                Pin("2", "B", "passive", 0, -6, 90, 2.0),
                Pin("3", "COM", "passive", 4, 0, 180, 2.0),
            ),
            (-1.4, -4, 1.4, 4),
        ),
    ),
    (Anchor(2.2, 4.6, "left"), Anchor(2.2, 2.9, "left")),
    show_numbers=True,
)
REFERENCE = Symbol(
    "LM4040",
    "U",
    "Shunt voltage reference, SOT-23",
    (
        Unit(
            tuple(_cathode_up((-1.3, 0.4), (-1, 0.9), (1, 0.9), (1, 1.4))),
            (
                Pin("1", "K", "passive", 0, 3, 270),
                Pin("2", "A", "passive", 0, -3, 90),
                Pin("3", "NC", "no_connect", -3, 0, 0, 1.8),
            ),
            (-1.2, -2, 1.2, 2),
        ),
    ),
    RIGHT_TEXT,
)

_DUAL = (
    line((0, 3), (0, -3)),
    line((-1, -2.6), (1, -2.6), (0, -0.9), (-1, -2.6), width=_THICK, fill="outline"),
    line((-1, -1.3), (-1, -0.9), (1, -0.9), (1, -0.5), width=_THICK),
    line((-1, 0.9), (1, 0.9), (0, 2.6), (-1, 0.9), width=_THICK, fill="outline"),
    line((-1, 2.2), (-1, 2.6), (1, 2.6), (1, 3.0), width=_THICK),
    line((-2, 0), (0, 0)),
    circle(0, 0, 0.2, fill="outline"),
)
BAS70_04 = Symbol(
    "BAS70-04",
    "D",
    "Two Schottky diodes in series, SOT-23",
    (
        Unit(
            _DUAL,
            (
                Pin("2", "K", "passive", 0, 4, 270),
                Pin("3", "AK", "passive", -3, 0, 0),
                Pin("1", "A", "passive", 0, -4, 90),
            ),
            (-1.4, -3.2, 1.4, 3.2),
        ),
    ),
    RIGHT_TEXT,
    show_numbers=True,
)

# Field-effect transistors: gate on the left, current from top to bottom of the drawing.
_CHANNEL = (
    line((-3, 0), (-0.9, 0)),
    line((-0.9, 1.5), (-0.9, -1.5), width=_THICK),
    line((-0.3, 1.9), (-0.3, 1.0), width=_THICK),
    line((-0.3, 0.45), (-0.3, -0.45), width=_THICK),
    line((-0.3, -1.0), (-0.3, -1.9), width=_THICK),
    circle(0.4, 0, 2.3, width=_THICK),
)


_SOT23 = {"G": "1", "S": "2", "D": "3"}
_SOT223 = {"G": "1", "D": "2", "S": "3"}  # the tab is the drain too: pad 2 of KiCad's SOT-223-3_TabPin2


def _fet(top: str, bottom: str, numbers: dict[str, str]) -> tuple[Pin, ...]:
    return (
        Pin("1", "G", "input", -4, 0, 0, 1.0),
        Pin(numbers[top], top, "passive", 2, 4, 270, 2.0),
        Pin(numbers[bottom], bottom, "passive", 2, -4, 90, 2.0),
    )


_FET_TEXT = (Anchor(3.6, 0.9, "left"), Anchor(3.6, -0.9, "left"))
_N_CHANNEL = (
    *_CHANNEL,
    line((-0.3, 1.45), (2, 1.45), (2, 2)),
    line((-0.3, -1.45), (2, -1.45), (2, -2)),
    line((-0.3, 0), (1, 0), (1, -1.45)),
    line((-0.1, 0), (0.5, 0.4), (0.5, -0.4), (-0.1, 0), fill="outline"),
    line((2, 1.45), (2, -1.45)),
    line((1.5, -0.4), (2.5, -0.4), (2, 0.4), (1.5, -0.4), fill="outline"),
    line((1.5, 0.4), (2.5, 0.4)),
)
_P_CHANNEL = (
    *_CHANNEL,
    line((-0.3, 1.45), (2, 1.45), (2, 2)),
    line((-0.3, -1.45), (2, -1.45), (2, -2)),
    line((-0.3, 0), (1, 0), (1, 1.45)),
    line((0.8, 0), (0.2, 0.4), (0.2, -0.4), (0.8, 0), fill="outline"),
    line((2, 1.45), (2, -1.45)),
    line((1.5, -0.4), (2.5, -0.4), (2, 0.4), (1.5, -0.4), fill="outline"),
    line((1.5, 0.4), (2.5, 0.4)),
)


def _transistor(name: str, description: str, graphics: tuple[Graphic, ...], pins: tuple[Pin, ...]) -> Symbol:
    unit = Unit(graphics, pins, (-2.2, -2.3, 2.8, 2.3))
    return Symbol(name, "Q", description, (unit,), _FET_TEXT, show_numbers=True)


NMOS = _transistor(
    "NMOS_GSD", "N-channel MOSFET, SOT-23: 1 gate, 2 source, 3 drain", _N_CHANNEL, _fet("D", "S", _SOT23)
)
NMOS_SOT223 = _transistor(
    "NMOS_GDS", "N-channel MOSFET, SOT-223: 1 gate, 2 drain (and tab), 3 source", _N_CHANNEL, _fet("D", "S", _SOT223)
)
PMOS = _transistor(
    "PMOS_GSD",
    "P-channel MOSFET, SOT-23: 1 gate, 2 source, 3 drain; source on top",
    _P_CHANNEL,
    _fet("S", "D", _SOT23),
)
PMOS_SOT223 = _transistor(
    "PMOS_GDS",
    "P-channel MOSFET, SOT-223: 1 gate, 2 drain (and tab), 3 source; source on top",
    _P_CHANNEL,
    _fet("S", "D", _SOT223),
)
PNP = Symbol(
    "PNP_BEC",
    "Q",
    "PNP transistor, SOT-23: 1 base, 2 emitter, 3 collector; emitter on top",
    (
        Unit(
            (
                line((-3, 0), (-0.4, 0)),
                line((-0.4, 1.5), (-0.4, -1.5), width=0.4),
                line((-0.4, 0.6), (2, 2)),
                line((-0.4, -0.6), (2, -2)),
                line((0.1, 0.9), (0.95, 0.9), (0.5, 1.65), (0.1, 0.9), fill="outline"),
                circle(0.5, 0, 2.3, width=_THICK),
            ),
            (
                Pin("1", "B", "input", -4, 0, 0, 1.0),
                Pin("2", "E", "passive", 2, 4, 270, 2.0),
                Pin("3", "C", "passive", 2, -4, 90, 2.0),
            ),
            (-2.0, -2.3, 2.8, 2.3),
        ),
    ),
    _FET_TEXT,
    show_numbers=True,
)
NPN = Symbol(
    "NPN_BEC",
    "Q",
    "NPN transistor, SOT-23: 1 base, 2 emitter, 3 collector; collector on top",
    (
        Unit(
            (
                line((-3, 0), (-0.4, 0)),
                line((-0.4, 1.5), (-0.4, -1.5), width=0.4),
                line((-0.4, 0.6), (2, 2)),
                line((-0.4, -0.6), (2, -2)),
                line((1.6, -1.75), (0.75, -1.65), (1.15, -1.0), (1.6, -1.75), fill="outline"),
                circle(0.5, 0, 2.3, width=_THICK),
            ),
            (
                Pin("1", "B", "input", -4, 0, 0, 1.0),
                Pin("2", "E", "passive", 2, -4, 90, 2.0),
                Pin("3", "C", "passive", 2, 4, 270, 2.0),
            ),
            (-2.0, -2.3, 2.8, 2.3),
        ),
    ),
    _FET_TEXT,
    show_numbers=True,
)

_TRIANGLE = (
    line((-4, 4), (4, 0), (-4, -4), (-4, 4), width=_THICK, fill="background"),
    line((-3.4, 2), (-2.4, 2)),
    line((-2.9, 2.5), (-2.9, 1.5)),
    line((-3.4, -2), (-2.4, -2)),
)


def _amplifier(plus: str, minus: str, out: str) -> Unit:
    return Unit(
        _TRIANGLE,
        (
            Pin(plus, "+", "input", -6, 2, 0, 2.0),
            Pin(minus, "-", "input", -6, -2, 0, 2.0),
            Pin(out, "", "output", 6, 0, 180, 2.0),
        ),
        (-4, -4, 4, 4),
    )


OPAMP = Symbol(
    "OpAmp_Dual",
    "U",
    "Dual rail-to-rail operational amplifier, SOIC-8",
    (
        _amplifier("3", "2", "1"),
        _amplifier("5", "6", "7"),
        Unit(
            (box(-2, 3, 2, -3),),
            (Pin("8", "V+", "power_in", 0, 5, 270, 2.0), Pin("4", "V-", "power_in", 0, -5, 90, 2.0)),
            (-2, -3, 2, 3),
        ),
    ),
    (Anchor(-3.0, 6.4, "left"), Anchor(-3.0, 4.7, "left")),
    show_numbers=True,
)


def _chip(
    name: str,
    description: str,
    size: tuple[float, float, float, float],
    pins: tuple[Pin, ...],
    extra: tuple[Graphic, ...] = (),
    prefix: str = "U",
    text_x: float | None = None,
) -> Symbol:
    left, bottom, right, top = size
    unit = Unit((box(left, top, right, bottom), *extra), pins, size)
    x = left if text_x is None else text_x
    anchors = (Anchor(x, top + 2.8, "left"), Anchor(x, top + 1.1, "left"))
    return Symbol(name, prefix, description, (unit,), anchors, show_numbers=True, show_names=True)


SWITCH_1G3157 = _chip(
    "74LVC1G3157",
    "Analogue change-over switch, SC-70-6: S low joins A and B1, S high joins A and B2",
    (-6, -8, 6, 6),
    (
        Pin("1", "B2", "passive", -8, 4, 0, 2.0),
        Pin("3", "B1", "passive", -8, 0, 0, 2.0),
        Pin("6", "S", "input", -8, -6, 0, 2.0),
        Pin("4", "A", "passive", 8, 2, 180, 2.0),
        Pin("5", "VCC", "power_in", 0, 8, 270, 2.0),
        Pin("2", "GND", "power_in", 0, -10, 90, 2.0),
    ),
    (
        circle(-1.4, 3.4, 0.3),
        circle(-1.4, 0.6, 0.3),
        circle(1.8, 2, 0.3),
        line((1.5, 1.9), (-1.2, 0.9), width=_THICK),
        line((-3.2, 4), (-2.4, 3.4), (-1.7, 3.4)),
        line((-3.2, 0), (-2.4, 0.6), (-1.7, 0.6)),
        line((2.1, 2), (3.6, 2)),
    ),
    text_x=1.0,
)
INA219 = _chip(
    "INA219",
    "Current monitor with I2C, SOT-23-8",
    (-7, -7, 7, 7),
    (
        Pin("1", "IN+", "input", -9, 4, 0, 2.0),
        Pin("2", "IN-", "input", -9, -4, 0, 2.0),
        Pin("6", "SDA", "bidirectional", 9, 4, 180, 2.0),
        Pin("5", "SCL", "input", 9, 1, 180, 2.0),
        Pin("7", "A0", "input", 9, -2, 180, 2.0),
        Pin("8", "A1", "input", 9, -4, 180, 2.0),
        Pin("4", "VS", "power_in", 0, 9, 270, 2.0),
        Pin("3", "GND", "power_in", 0, -9, 90, 2.0),
    ),
    text_x=1.0,
)
INA226 = _chip(
    "INA226",
    "Current and voltage monitor with I2C, 36 V, VSSOP-10",
    (-7, -9, 7, 9),
    (
        Pin("10", "IN+", "input", -9, 6, 0, 2.0),
        Pin("8", "VBUS", "input", -9, 2, 0, 2.0),
        Pin("9", "IN-", "input", -9, -6, 0, 2.0),
        Pin("4", "SDA", "bidirectional", 9, 6, 180, 2.0),
        Pin("5", "SCL", "input", 9, 3, 180, 2.0),
        Pin("3", "ALERT", "open_collector", 9, 0, 180, 2.0),
        Pin("2", "A0", "input", 9, -3, 180, 2.0),
        Pin("1", "A1", "input", 9, -6, 180, 2.0),
        Pin("6", "VS", "power_in", 0, 11, 270, 2.0),
        Pin("7", "GND", "power_in", 0, -11, 90, 2.0),
    ),
    text_x=1.0,
)
INA190 = _chip(
    "INA190",
    "Current-sense amplifier, -0.2 to 40 V, SC-70-6",
    (-6, -5, 6, 5),
    (
        Pin("4", "IN+", "input", -8, 3, 0, 2.0),
        Pin("5", "IN-", "input", -8, -3, 0, 2.0),
        Pin("6", "OUT", "output", 8, 0, 180, 2.0),
        Pin("3", "VS", "power_in", 0, 7, 270, 2.0),
        Pin("2", "GND", "power_in", -2, -7, 90, 2.0),
        Pin("1", "REF", "input", 2, -7, 90, 2.0),
    ),
    text_x=1.0,
)
FRAM = _chip(
    "FRAM_I2C",
    "Ferroelectric memory with I2C, SOIC-8",
    (-6, -7, 6, 7),
    (
        Pin("1", "A0", "input", -8, 4, 0, 2.0),
        Pin("2", "A1", "input", -8, 1, 0, 2.0),
        Pin("3", "A2", "input", -8, -2, 0, 2.0),
        Pin("7", "WP", "input", -8, -5, 0, 2.0),
        Pin("5", "SDA", "bidirectional", 8, 4, 180, 2.0),
        Pin("6", "SCL", "input", 8, 0, 180, 2.0),
        Pin("8", "VDD", "power_in", 0, 9, 270, 2.0),
        Pin("4", "VSS", "power_in", 0, -9, 90, 2.0),
    ),
    text_x=1.0,
)
BOOST = _chip(
    "Boost_SOT23",
    "Boost converter on six pads: MT3608 has VIN on 5, TPS61040's pin 5 in SOT-23-5 lies on pad 6",
    (-6, -5, 6, 5),
    (
        Pin("5", "VIN", "power_in", -8, 3, 0, 2.0),
        Pin("6", "VIN_SOT5", "power_in", -8, 1, 0, 2.0),
        Pin("4", "EN", "input", -8, -3, 0, 2.0),
        Pin("1", "SW", "passive", 8, 3, 180, 2.0),
        Pin("3", "FB", "input", 8, -3, 180, 2.0),
        Pin("2", "GND", "power_in", 0, -7, 90, 2.0),
    ),
)

_LEFT_HEADER = (
    "GP0", "GP1", "GND", "GP2", "GP3", "GP4", "GP5", "GND", "GP6", "GP7",
    "GP8", "GP9", "GND", "GP10", "GP11", "GP12", "GP13", "GND", "GP14", "GP15",
)  # fmt: skip
_RIGHT_HEADER = (
    "VBUS", "VSYS", "GND", "3V3_EN", "3V3", "ADC_VREF", "GP28", "AGND", "GP27", "GP26",
    "RUN", "GP22", "GND", "GP21", "GP20", "GP19", "GP18", "GND", "GP17", "GP16",
)  # fmt: skip
_PICO_KINDS = {
    "VBUS": "power_out",
    "VSYS": "power_in",
    "3V3": "power_out",
    "GND": "power_in",
    "AGND": "power_in",
    "3V3_EN": "input",
    "ADC_VREF": "passive",
    "RUN": "input",
}


def _pico_pins() -> tuple[Pin, ...]:
    pins = []
    for index, name in enumerate(_LEFT_HEADER):
        pins.append(Pin(str(index + 1), name, _PICO_KINDS.get(name, "bidirectional"), -13, 38 - 4 * index, 0, 2.0))
    for index, name in enumerate(_RIGHT_HEADER):
        pins.append(Pin(str(40 - index), name, _PICO_KINDS.get(name, "bidirectional"), 13, 38 - 4 * index, 180, 2.0))
    return tuple(pins)


PICO = _chip(
    "Pico",
    "Raspberry Pi Pico module, pins as on the board seen from above, USB on top",
    (-11, -41, 11, 42),
    _pico_pins(),
    (box(-2.5, 43.5, 2.5, 39.5, fill="none"), words("USB", 0, 41.4, 1.0)),
    prefix="A",
)
RELAY = Symbol(
    "Relay_DPDT",
    "K",
    "Signal relay, two change-over contacts, G6K numbering; drawn at rest",
    (
        Unit(
            (
                box(-13, 5, 13, -5),
                box(-11, 1.6, -7, -1.6, fill="none"),
                line((-11, -1.2), (-7, 1.2)),
                line((-9, 5), (-9, 1.6)),
                line((-9, -1.6), (-9, -5)),
                line((-7, 0), (-1.8, 0)),
                line((-0.8, 0), (7.4, 0)),
                line((-3, -5), (-3, -2.4)),
                line((-3, -2.4), (-4.8, 2.2), width=_THICK),
                line((-5, 5), (-5, 2.4), (-4.5, 2.4)),
                line((-1, 5), (-1, 2.4), (-1.5, 2.4)),
                line((7, -5), (7, -2.4)),
                line((7, -2.4), (5.2, 2.2), width=_THICK),
                line((5, 5), (5, 2.4), (5.5, 2.4)),
                line((9, 5), (9, 2.4), (8.5, 2.4)),
            ),
            (
                Pin("1", "+", "passive", -9, 7, 270, 2.0),
                Pin("8", "-", "passive", -9, -7, 90, 2.0),
                Pin("2", "NC1", "passive", -5, 7, 270, 2.0),
                Pin("4", "NO1", "passive", -1, 7, 270, 2.0),
                Pin("3", "COM1", "passive", -3, -7, 90, 2.0),
                Pin("7", "NC2", "passive", 5, 7, 270, 2.0),
                Pin("5", "NO2", "passive", 9, 7, 270, 2.0),
                Pin("6", "COM2", "passive", 7, -7, 90, 2.0),
            ),
            (-13, -5, 13, 5),
        ),
    ),
    (Anchor(13.6, 1.0, "left"), Anchor(13.6, -0.8, "left")),
    show_numbers=True,
)


def _push(name: str, description: str, bridge: list[Graphic]) -> Symbol:
    unit = Unit(
        (circle(-1.6, 0, 0.35), circle(1.6, 0, 0.35), line((-3, 0), (-1.95, 0)), line((1.95, 0), (3, 0)), *bridge),
        (Pin("1", "", "passive", -4, 0, 0, 1.0), Pin("2", "", "passive", 4, 0, 180, 1.0)),
        (-3, -1, 3, 2.6),
    )
    return Symbol(name, "SW", description, (unit,), (Anchor(0, 4.6), Anchor(0, -2.0)))


BUTTON_NO = _push(
    "Button_NO", "Push button, normally open", [line((-2.2, 1.2), (2.2, 1.2), width=_THICK), line((0, 1.2), (0, 2.6))]
)
BUTTON_NC = _push(
    "Button_NC",
    "Push button, normally closed",
    [line((-2.2, -0.45), (2.2, -0.45), width=_THICK), line((0, -0.45), (0, 2.6)), line((-1, 2.6), (1, 2.6))],
)
SLIDE = Symbol(
    "Switch_SPST",
    "SW",
    "Switch",
    (
        Unit(
            (circle(-1.6, 0, 0.35), circle(1.6, 0, 0.35), line((-1.3, 0.15), (1.6, 1.6), width=_THICK)),
            (Pin("1", "", "passive", -4, 0, 0, 2.05), Pin("2", "", "passive", 4, 0, 180, 2.05)),
            (-2, -0.6, 2, 1.8),
        ),
    ),
    (Anchor(0, 3.4), Anchor(0, -2.0)),
)


def _strap(*ys: float) -> list[Graphic]:
    return [
        part
        for y in ys
        for side in (-1, 1)
        for part in (circle(1.2 * side, y, 0.45), line((2.4 * side, y), (1.65 * side, y)))
    ]


STRAP = Symbol(
    "Strap_1x2",
    "JP",
    "Header for a jumper cap, one pole",
    (
        Unit(
            (box(-2.4, 1.1, 2.4, -1.1), *_strap(0)),
            (Pin("1", "", "passive", -4, 0, 0, 1.6), Pin("2", "", "passive", 4, 0, 180, 1.6)),
            (-2.4, -1.1, 2.4, 1.1),
        ),
    ),
    (Anchor(0, 2.2), Anchor(0, -2.2)),
    show_numbers=True,
)
STRAP_2X2 = Symbol(
    "Strap_2x2",
    "JP",
    "Header 2x2 for one double jumper cap: poles 1-2 and 3-4",
    (
        Unit(
            (box(-2.4, 3.1, 2.4, -3.1), *_strap(2, -2)),
            (
                Pin("1", "", "passive", -4, 2, 0, 1.6),
                Pin("2", "", "passive", 4, 2, 180, 1.6),
                Pin("3", "", "passive", -4, -2, 0, 1.6),
                Pin("4", "", "passive", 4, -2, 180, 1.6),
            ),
            (-2.4, -3.1, 2.4, 3.1),
        ),
    ),
    (Anchor(0, 5.6), Anchor(0, 4.0)),
    show_numbers=True,
)
JACK = Symbol(
    "Jack",
    "J",
    "Shrouded 4 mm socket",
    (
        Unit(
            (circle(-1.2, 0, 0.8, width=_THICK), circle(-1.2, 0, 0.3, fill="outline")),
            (Pin("1", "", "passive", -4, 0, 0, 2.0),),
            (-2, -0.9, -0.4, 0.9),
        ),
    ),
    (Anchor(0.4, 0.8, "left"), Anchor(0.4, -0.8, "left")),
)
BUZZER = Symbol(
    "Buzzer",
    "BZ",
    "Magnetic buzzer",
    (
        Unit(
            (
                arc((0, 2.2), (2.2, 0), (0, -2.2)),
                line((0, 2.2), (0, -2.2), width=_THICK),
            ),
            (Pin("1", "+", "passive", -2, 1, 0, 2.0), Pin("2", "-", "passive", -2, -1, 0, 2.0)),
            (0, -2.2, 2.2, 2.2),
        ),
    ),
    (Anchor(3.0, 0.9, "left"), Anchor(3.0, -0.9, "left")),
)
TEST_POINT = Symbol(
    "TestPoint",
    "TP",
    "Test point",
    (Unit((circle(0, 1.7, 0.5, width=_THICK),), (Pin("1", "", "passive", 0, 0, 90, 1.2),), (-0.5, 0, 0.5, 2.2)),),
    (Anchor(0, 3.0), Anchor(0.9, 1.7, "left")),
)


def _supply(name: str) -> Symbol:
    """Return a rail drawn as a bar on top of its pin."""
    unit = Unit(
        (line((0, 0), (0, 1.2)), line((-1, 1.2), (1, 1.2), width=_THICK)),
        (Pin("1", name, "power_in", 0, 0, 90, 0.0),),
        (-1, 0, 1, 1.2),
    )
    return Symbol(name, "#PWR", f"Rail {name}", (unit,), (Anchor(0, -2), Anchor(0, 2.1)), power=True, in_bom=False)


SUPPLIES = tuple(_supply(name) for name in ("3V3", "VBAT", "VSYS", "VBUS", "RAIL_24V"))
GROUND = Symbol(
    "GND",
    "#PWR",
    "Common ground, the battery's negative end",
    (
        Unit(
            (
                line((0, 0), (0, -0.8)),
                line((-1.1, -0.8), (1.1, -0.8), width=_THICK),
                line((-0.7, -1.3), (0.7, -1.3), width=_THICK),
                line((-0.25, -1.8), (0.25, -1.8), width=_THICK),
            ),
            (Pin("1", "GND", "power_in", 0, 0, 270, 0.0),),
            (-1.1, -1.8, 1.1, 0),
        ),
    ),
    (Anchor(0, -4), Anchor(0, -2.8)),
    power=True,
    in_bom=False,
)
FLAG = Symbol(
    "PWR_FLAG",
    "#FLG",
    "Tells the electrical rules check that this net is fed from here",
    (
        Unit(
            (line((0, 0), (0, 0.7)), line((0, 0.7), (-0.6, 1.2), (0, 1.7), (0.6, 1.2), (0, 0.7))),
            (Pin("1", "pwr", "power_out", 0, 0, 90, 0.0),),
            (-0.6, 0, 0.6, 1.7),
        ),
    ),
    (Anchor(0, 4), Anchor(0, 2.5)),
    power=True,
    in_bom=False,
)
ALL = (
    RESISTOR, CAPACITOR, INDUCTOR, FUSE, DIODE, SCHOTTKY, BAS70, BAS70_04, ZENER, LED, BATTERY, REFERENCE, CLAMP, NMOS,
    NMOS_SOT223, PMOS, PMOS_SOT223, PNP, NPN, OPAMP, SWITCH_1G3157, INA219, INA226, INA190, FRAM, BOOST, PICO, RELAY,
    BUTTON_NO, BUTTON_NC, SLIDE, STRAP, STRAP_2X2, JACK, BUZZER, TEST_POINT, *SUPPLIES, GROUND, FLAG,
)  # fmt: skip
BY_NAME = {symbol.name: symbol for symbol in ALL}
