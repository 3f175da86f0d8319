"""Draw the breadboard build as SVG: `python -m hardware.breadboard.picture` writes hardware/pictures/breadboard.svg."""

from __future__ import annotations

from hardware.breadboard import layout
from hardware.breadboard.layout import Part, Wire
from hardware.folders import PICTURES

PATH = PICTURES / "breadboard.svg"

_PITCH = 22.0
_LEFT, _ABOVE = 70.0, 120.0
_ROWS = {"T+": 0.0, "T-": 1.0, **{row: 3.0 + place for place, row in enumerate("abcde")}}
_ROWS |= {row: 10.0 + place for place, row in enumerate("fghij")} | {"B+": 16.0, "B-": 17.0}
_WIDTH, _HEIGHT = _LEFT * 2 + (layout.COLUMNS + 1) * _PITCH + 20, 600.0
_COLORS = {
    "red": "#d32f2f",
    "black": "#222222",
    "orange": "#ef6c00",
    "yellow": "#c9a300",
    "green": "#2e7d32",
    "blue": "#1565c0",
    "purple": "#7b1fa2",
    "grey": "#78909c",
    "brown": "#795548",
    "pink": "#d81b60",
}
_BESIDE = {"STOP": (57.0, 20.2), "START": (11.0, 20.2), "SUPPLY +24 V": (65.2, 16.0), "SUPPLY 0 V": (65.2, 17.0)}
_NOTES = {
    "STOP": "STOP, normally closed",
    "START": "START button",
    "SUPPLY +24 V": "+24 V",
    "SUPPLY 0 V": "0 V",
}
_NAMED = {3: "GND", 4: "GP2", 6: "GP4", 7: "GP5", 12: "GP9", 14: "GP10", 15: "GP11", 29: "GP22"}
_NAMED |= {31: "GP26", 32: "GP27", 34: "GP28", 36: "3V3", 38: "GND"}

Point = tuple[float, float]


def place(hole: str) -> Point:
    """Return where a hole is in the picture, in px."""
    if hole in _BESIDE:
        column, row = _BESIDE[hole]
        return _LEFT + column * _PITCH, _ABOVE + row * _PITCH
    row, column = (hole[:2], hole[2:]) if hole[:2] in layout.RAILS else (hole[0], hole[1:])
    return _LEFT + int(column) * _PITCH, _ABOVE + _ROWS[row] * _PITCH


def _text(at: Point, text: str, size: float = 11, color: str = "#222", anchor: str = "middle", weight: str = "") -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    how = f'font-size="{size:g}" fill="{color}" text-anchor="{anchor}"{bold}'
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" {how}>{text}</text>'


def _rect(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" {more}/>'


def _line(start: Point, end: Point, color: str, width: float) -> str:
    ends = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-width="{width:g}" stroke-linecap="round"/>'


def _board() -> list[str]:
    """Return the board: body, gap, rails, holes, names of rows and columns."""
    right, bottom = _LEFT + (layout.COLUMNS + 1) * _PITCH, _ABOVE + 18 * _PITCH
    drawn = [
        _rect(_LEFT - 20, _ABOVE - 20, right - _LEFT + 40, bottom - _ABOVE + 20, "#f4f1e8", 'rx="8" stroke="#c9c3b3"')
    ]
    drawn.append(_rect(_LEFT - 20, _ABOVE + 8.1 * _PITCH, right - _LEFT + 40, 0.8 * _PITCH, "#e2dccb"))
    for rail, net in layout.RAILS.items():
        y = _ABOVE + _ROWS[rail] * _PITCH
        color = "#d32f2f" if rail.endswith("+") else "#1565c0"
        shift = -8 if rail.endswith("+") else 10
        drawn.append(_line((_LEFT, y + shift), (right, y + shift), color, 1))
        drawn.append(
            _text((_LEFT - 24, y + 4), {"RAIL_24V": "24 V", "3V3": "3.3 V"}.get(net, net), 11, color, "end", "bold")
        )
    for column in range(1, layout.COLUMNS + 1):
        for row in _ROWS:
            x, y = place(f"{row}{column}")
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="#b9b2a0"/>')
        if column % 5 == 0 or column == 1:
            for row in (2.25, 15.1):
                drawn.append(_text((_LEFT + column * _PITCH, _ABOVE + row * _PITCH + 3), str(column), 9, "#8a8371"))
    for row in "abcdefghij":
        drawn.append(_text((_LEFT - 4, place(f"{row}1")[1] + 3), row, 10, "#8a8371"))
    return drawn


def _pico() -> list[str]:
    """Return the Pico over its two rows, with the pins that are used named."""
    left, top = place("c1")
    right, bottom = place("h20")
    drawn = [_rect(left - 12, top - 4, right - left + 24, bottom - top + 8, "#2f6f4f", 'rx="6" opacity="0.95"')]
    drawn.append(_rect(left - 26, (top + bottom) / 2 - 22, 30, 44, "#b0bec5", 'rx="3"'))
    drawn.append(
        _text(((left + right) / 2 + 10, (top + bottom) / 2 + 5), "Raspberry Pi Pico", 17, "#ffffff", weight="bold")
    )
    drawn.append(_text((left + 6, (top + bottom) / 2 + 4), "USB", 9, "#37474f"))
    for pin, hole in layout.PICO.items():
        x, y = place(hole)
        drawn.append(_rect(x - 3.5, y - 3.5, 7, 7, "#ffd54f" if pin in _NAMED else "#90a4ae"))
        if pin in _NAMED:
            inside = y - 9 if pin <= 20 else y + 17
            drawn.append(_text((x, inside), _NAMED[pin], 8.5, "#ffffff"))
    return drawn


def _label(part: Part, at: Point, size: float = 9.5) -> str:
    """Return the part's name and value on a light ground."""
    text = part.label if part.kind == "load" else f"{part.reference} {part.label}"
    width = len(text) * size * 0.56 + 4
    ground = _rect(at[0] - width / 2, at[1] - size + 1, width, size + 2.5, "#ffffff", 'rx="2" opacity="0.88"')
    return ground + _text(at, text, size)


def _axial(part: Part) -> list[str]:
    """Return a part with two legs: resistor, capacitor or diode between its holes."""
    (_, first), (_, second) = part.legs
    start, end = place(first), place(second)
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    fill = {"resistor": "#e3c08f", "capacitor": "#f2a65a", "diode": "#455a64", "load": "#ffe082"}[part.kind]
    length = max(((start[0] - end[0]) ** 2 + (start[1] - end[1]) ** 2) ** 0.5, 1.0)
    unit = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    half = min(length * 0.38, 24.0 if part.kind != "load" else 40.0)
    body = [(middle[0] + side * half * unit[0], middle[1] + side * half * unit[1]) for side in (-1, 1)]
    drawn = [_line(start, end, "#8d8d8d", 1.6), _line(body[0], body[1], fill, 10).replace("round", "butt")]
    if part.kind == "diode":
        band = [(body[1][0] - part * unit[0], body[1][1] - part * unit[1]) for part in (9, 4)]
        drawn.append(_line(band[0], band[1], "#ffffff", 10).replace("round", "butt"))
    drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="#555"/>' for x, y in (start, end)]
    return drawn


def _axial_label(part: Part) -> str:
    """Return the label on the part's body, along it."""
    start, end = (place(hole) for _, hole in part.legs)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    aside = 12.0 if part.kind == "diode" else 0.0  # the band stays visible
    label = _label(part, (x, y + 3.5 - aside))
    if abs(start[0] - end[0]) > abs(start[1] - end[1]):
        return label
    return f'<g transform="rotate(-90 {x:.1f} {y:.1f})">{label}</g>'


def _transistor(part: Part) -> list[str]:
    """Return a TO-92 part seen from above, flat face towards row j, with its pins named."""
    points = [place(hole) for _, hole in part.legs]
    x, y = points[1]
    drawn = [f'<path d="M {x - 27:.1f} {y + 8:.1f} A 27 22 0 0 1 {x + 27:.1f} {y + 8:.1f} Z" fill="#37474f"/>']
    for (pin, _), (at, _) in zip(part.legs, points, strict=True):
        drawn.append(_text((at, y + 5), pin, 9.5, "#ffffff", weight="bold"))
    return drawn


def _dip(part: Part) -> list[str]:
    """Return the op-amp across the gap, notch to the left."""
    left, top = place("e30")
    right, bottom = place("f33")
    drawn = [_rect(left - 9, top + 4, right - left + 18, bottom - top - 8, "#37474f", 'rx="3"')]
    drawn.append(f'<path d="M {left - 9:.1f} {(top + bottom) / 2 - 6:.1f} a 6 6 0 0 1 0 12" fill="#f4f1e8"/>')
    drawn.append(_text(((left + right) / 2, (top + bottom) / 2 + 4), part.label, 11, "#ffffff", weight="bold"))
    for pin, hole in part.legs:
        x, y = place(hole)
        drawn.append(_rect(x - 3, y - 3, 6, 6, "#cfd8dc"))
        drawn.append(_text((x, y + 13 if hole[0] == "e" else y - 7), pin, 8, "#ffffff"))
    return drawn


def _module(part: Part) -> list[str]:
    """Return the sensor's breakout above its header in row a."""
    left, row = place(part.legs[0][1])
    right, _ = place(part.legs[-1][1])
    top = _ABOVE - 96
    drawn = [_rect(left - 14, top, right - left + 28, 62, "#283593", 'rx="5"')]
    drawn.append(_text(((left + right) / 2, top + 19), "INA219 breakout", 12, "#ffffff", weight="bold"))
    drawn.append(_text(((left + right) / 2, top + 34), "shunt R11 10 ohm", 10, "#c5cae9"))
    for pin, hole in part.legs:
        x, _ = place(hole)
        drawn.append(_line((x, top + 58), (x, row), "#b0bec5", 3))
        drawn.append(_text((x, top + 52), pin, 8, "#ffffff"))
    return drawn


def _wire(wire: Wire) -> list[str]:
    """Return a wire through its corners, which are rounded."""
    corners = [(_LEFT + column * _PITCH, _ABOVE + row * _PITCH) for column, row in wire.via]
    points = [place(wire.start), *corners, place(wire.end)]
    path = f"M {points[0][0]:.1f} {points[0][1]:.1f}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near, far = _towards(corner, before, 9.0), _towards(corner, after, 9.0)
        path += f" L {near[0]:.1f} {near[1]:.1f} Q {corner[0]:.1f} {corner[1]:.1f} {far[0]:.1f} {far[1]:.1f}"
    path += f" L {points[-1][0]:.1f} {points[-1][1]:.1f}"
    shape = f'<path d="{path}" fill="none" stroke-linecap="round"'
    drawn = [f'{shape} stroke="#ffffff" stroke-width="5" opacity="0.7"/>']
    drawn.append(f'{shape} stroke="{_COLORS[wire.color]}" stroke-width="3"/>')
    ends = [points[0]] if wire.end in _BESIDE else [points[0], points[-1]]
    return drawn + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="{_COLORS[wire.color]}"/>' for x, y in ends]


def _towards(start: Point, end: Point, most: float) -> Point:
    """Return the point on the way from `start` to `end`, at most `most` px or half the way from `start`."""
    length = max(((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5, 1e-6)
    part = min(most / length, 0.5)
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])


def _note(name: str) -> str:
    """Return the name of what is beside the board: under it, or to the right."""
    x, y = place(name)
    if name.startswith("SUPPLY"):
        return _text((x + 6, y + 4), _NOTES[name], 13, anchor="start", weight="bold")
    return _text((x, y + 16), _NOTES[name], 13, weight="bold")


_DRAW = {"to92": _transistor, "dip8": _dip, "module": _module}


def svg() -> str:
    """Return the whole picture."""
    drawn = [_rect(0, 0, _WIDTH, _HEIGHT, "#ffffff"), *_board(), *_pico()]
    for part in layout.PARTS:
        drawn += _DRAW.get(part.kind, _axial)(part)
    for wire in layout.WIRES:
        drawn += _wire(wire)
    for part in layout.PARTS:
        if part.kind in ("resistor", "capacitor", "diode", "load"):
            drawn.append(_axial_label(part))
        elif part.kind == "to92":
            x, y = place(part.legs[1][1])
            drawn.append(_label(part, (x, y - 18)))
    drawn += [_note(name) for name in _BESIDE]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" font-family="sans-serif">'
    return "\n".join([head, *drawn, "</svg>", ""])


if __name__ == "__main__":
    PATH.write_text(svg(), encoding="utf-8")
