"""The wiring picture of docs/bench.md: `python -m release.bench_picture` draws it with the firmware's own pins."""

from __future__ import annotations

from html import escape
from pathlib import Path

from ionto import pins
from ionto_host.bench.wiring import ELECTRODES, HEARTBEAT_POINT, TIMING_POINT

PICTURE = Path("docs/pictures/bench.svg")
_SIZE = (960, 520)
_INK, _QUIET, _SOFT = "#1d2733", "#5d6b7a", "#f5f7fa"
_CURRENT, _BUS, _USB, _SWITCH = "#b5541c", "#14639e", "#3c7a4a", "#7a4fa3"

_SAFETY = "Nobody is connected to a bench. For bench work, teaching and research; not a cleared medical device."

Point = tuple[float, float]


def _box(x: float, y: float, wide: float, high: float, title: str, *lines: str) -> str:
    parts = [f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="6" fill="{_SOFT}" stroke="{_INK}"/>']
    parts.append(_text(x + 12, y + 22, title, bold=True))
    parts += [_text(x + 12, y + 40 + 16 * index, line, size=12, colour=_QUIET) for index, line in enumerate(lines)]
    return "".join(parts)


def _text(
    x: float, y: float, words: str, size: int = 14, colour: str = _INK, bold: bool = False, end: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{weight}{anchor}>{escape(words)}</text>'


def _wire(colour: str, *points: Point, dashed: bool = False) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"{dash}/>'


def _pin(x: float, y: float, words: str, colour: str, left: bool = False) -> str:
    label = _text(x - 9 if left else x + 9, y + 4, words, size=12, end=left)
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>{label}'


def _boxes() -> list[str]:
    return [
        _box(20, 190, 150, 110, "Computer", "runs ionto", "bench.toml"),
        _box(40, 350, 160, 70, "USB isolator", "so that the meter floats"),
        _box(250, 40, 170, 80, "USB hub", "its sockets can be", "switched (uhubctl)"),
        _box(250, 330, 175, 110, "MCP2221 or FT232H", "USB to I2C, and", "pins for the relays"),
        _box(520, 30, 240, 210, "IontoPico, on its battery"),
        _box(540, 330, 170, 110, "INA219 module", "its own 10 ohm shunt,", "address 0x41"),
        _box(800, 330, 140, 110, "Load", "500 ohm to 5 kohm,", "1 %, 0.25 W,", "by relays"),
    ]


def _wires() -> list[str]:
    plus, minus = ELECTRODES
    return [
        _wire(_USB, (170, 220), (210, 220), (210, 80), (250, 80)),
        _wire(_USB, (420, 80), (520, 80)),
        _wire(_USB, (95, 300), (95, 350)),
        _wire(_USB, (200, 385), (250, 385)),
        _wire(_BUS, (425, 370), (540, 370)),
        _wire(_BUS, (425, 410), (540, 410)),
        _text(432, 363, "SDA, SCL", size=12, colour=_BUS),
        _text(432, 428, "3.3 V, GND", size=12, colour=_BUS),
        _wire(_CURRENT, (515, 410), (515, 455), (730, 455), (730, 395)),
        _text(522, 471, "GND of meter and bridge at IN-", size=12, colour=_CURRENT),
        _wire(_CURRENT, (760, 180), (785, 180), (785, 285), (600, 285), (600, 330)),
        _wire(_CURRENT, (710, 395), (800, 395)),
        _wire(_CURRENT, (870, 330), (870, 140), (760, 140)),
        _wire(_SWITCH, (335, 330), (335, 190), (520, 190), dashed=True),
        _wire(_SWITCH, (335, 440), (335, 490), (870, 490), (870, 440), dashed=True),
        _text(345, 184, "relay in the heartbeat wire", size=12, colour=_SWITCH),
        _text(345, 484, "relays choose the load, or lift it", size=12, colour=_SWITCH),
        _pin(520, 80, "USB of the Pico", _USB),
        _pin(520, 190, f"GP{pins.HEARTBEAT}, {HEARTBEAT_POINT}: heartbeat", _SWITCH),
        _pin(520, 116, f"JP1 (GP{pins.BENCH_STRAP} to GND): bench strap", _INK),
        _pin(520, 220, f"GP{pins.LOOP_TIMING}, {TIMING_POINT}: loop timing, to a scope", _INK),
        _pin(760, 180, f"{plus}, +", _CURRENT, left=True),
        _pin(760, 140, f"{minus}, -", _CURRENT, left=True),
        _pin(600, 330, "", _CURRENT),
        _text(609, 322, "IN+", size=12),
        _pin(710, 395, "IN-", _CURRENT, left=True),
        _pin(800, 395, "", _CURRENT),
        _text(20, 515, _SAFETY, size=12, colour=_QUIET),
    ]


def picture() -> str:
    """Return the picture as SVG."""
    wide, high = _SIZE
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'font-family="Helvetica, Arial, Liberation Sans, sans-serif">'
        "<title>The wiring of a bench: board, meter and load in series, switched through the USB bridge</title>"
        f'<rect width="{wide}" height="{high}" fill="#ffffff"/>'
    )
    return "\n".join([head, *_boxes(), *_wires(), "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
