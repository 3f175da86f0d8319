"""Small drawings as inline SVG: one session, the calendar of a course, the dose of a site over time. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

BLUE, ORANGE, GREEN, RED, GREY, LIGHT = "#1f5fa8", "#c2591a", "#2f7d4f", "#b3261e", "#5f6b7a", "#e3e8ee"
OUTCOME_COLOURS = {"complete": GREEN, **dict.fromkeys(("fault", "interrupted"), RED)}


@dataclass(frozen=True)
class Frame:
    """The place of a plot in its picture, and what its axes end at."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_max: float
    y_max: float

    def x(self, value: float) -> float:
        """Return where `value` of the x axis lies."""
        return self.left + (self.width - self.left - self.right) * value / self.x_max

    def y(self, value: float, y_max: float | None = None) -> float:
        """Return where `value` of the y axis that ends at `y_max` lies."""
        room = self.height - self.top - self.bottom
        return self.height - self.bottom - room * value / (y_max or self.y_max)


def nice_end(value: float) -> float:
    """Return a round number not below `value`, and above 0, for the end of an axis."""
    if value < 1e-9 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999)


def colour_of(outcome: str) -> str:
    """Return the colour of the outcome of a session."""
    return GREY if outcome == "unknown" else OUTCOME_COLOURS.get(outcome, ORANGE)


def session(
    data: dict[str, list[float]],
    axes: tuple[float, float, float],
    title: str,
    felt: Sequence[tuple[float, str]] = (),
    nothing: str = "no log",
) -> str:
    """Return one small multiple: current (area, mA, left axis) and voltage of the load (line, V, right axis).

    `axes` are the ends in min, mA and V; `felt` the comfort reports: (min, in words); `nothing` what to say where there
    is nothing to draw.
    """
    x_max, ma_max, v_max = axes
    frame = Frame(320, 172, 36, 36, 18, 32, x_max, ma_max)
    parts = [_grid(frame, v_max)]
    points = list(zip(data.get("min", []), data.get("ma", []), data.get("v", []), strict=False))
    if points:
        current = [(frame.x(x), frame.y(ma)) for x, ma, _ in points]
        base = frame.y(0)
        area = f"{current[0][0]:.1f},{base:.1f} {_path(current)} {current[-1][0]:.1f},{base:.1f}"
        parts.append(f'<polygon points="{area}" fill="{BLUE}" fill-opacity="0.14"/>')
        parts.append(_line(current, BLUE, 1.8))
        volts = [(frame.x(x), frame.y(v, v_max)) for x, _, v in points]
        parts.append(_line(volts, ORANGE, 1.4))
        parts += [_report(frame, minute, words) for minute, words in felt]
    else:
        parts.append(_text(frame.width / 2, frame.height / 2, nothing, anchor="middle", size=12))
    return _svg(frame.width, frame.height, title, parts)


def _report(frame: Frame, minute: float, words: str) -> str:
    """Return a mark above the plot, with a thin line through it and its words as a tip."""
    x, top, base = frame.x(minute), frame.top, frame.y(0)
    shape = f'<path d="M{x - 5:.1f} {top - 9:.1f}h10l-5 9z" fill="{RED}"/>'
    line = f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{base:.1f}" stroke="{RED}" stroke-dasharray="2 3"/>'
    return f"<g><title>{escape(words)}</title>{shape}{line}</g>"


def _grid(frame: Frame, v_max: float) -> str:
    parts = [
        _text(2, 11, "mA", colour=BLUE),
        _text(frame.width - 2, 11, "V", colour=ORANGE, anchor="end"),
        _text(frame.width - frame.right, frame.height - 2, "min", anchor="end"),
    ]
    for share in (0, 0.5, 1):
        y = frame.y(share * frame.y_max)
        parts.append(_rule(frame.left, y, frame.width - frame.right, y, GREY if share == 0 else LIGHT))
        parts.append(_text(frame.left - 4, y + 3.5, f"{share * frame.y_max:g}", BLUE, "end"))
        parts.append(_text(frame.width - frame.right + 4, y + 3.5, f"{share * v_max:g}", ORANGE))
    for share in (0, 0.5):
        x = share * frame.x_max
        parts.append(_text(frame.x(x), frame.height - frame.bottom + 13, f"{x:g}", anchor="middle"))
    parts.append(_text(frame.x(frame.x_max), frame.height - frame.bottom + 13, f"{frame.x_max:g}", anchor="end"))
    return "".join(parts)


def calendar(planned: Sequence[date], done: Sequence[tuple[date, str]], ahead: Sequence[date]) -> str:
    """Return the weeks of a course: planned days as ticks, sessions done as dots by outcome, days ahead as rings."""
    days = [*planned, *(day for day, _ in done), *ahead]
    first, last = min(days), max(days)
    span = max(1, (last - first).days)
    frame = Frame(1000, 84, 24, 24, 8, 8, span, 1)
    axis = 44.0
    parts = [_rule(frame.left, axis, frame.width - frame.right, axis, GREY)]
    for day in planned:
        x = frame.x((day - first).days)
        parts.append(_rule(x, axis - 12, x, axis + 12, "#b9c3cf"))
    for day in ahead:
        x = frame.x((day - first).days)
        parts.append(f'<circle cx="{x:.1f}" cy="{axis}" r="7" fill="#fff" stroke="{GREY}" stroke-width="1.5"/>')
    for number, (day, outcome) in enumerate(done, 1):
        x = frame.x((day - first).days)
        parts.append(f'<circle cx="{x:.1f}" cy="{axis}" r="9" fill="{colour_of(outcome)}"/>')
        parts.append(_text(x, axis + 3.8, str(number), "#ffffff", "middle", 12))
    parts += _day_labels(frame, first, [day for day, _ in done] + list(ahead))
    return _svg(frame.width, frame.height, "planned and done sessions over the weeks", parts)


def _day_labels(frame: Frame, first: date, days: list[date]) -> list[str]:
    """Return the dates under the axis, those left out that would collide."""
    parts: list[str] = []
    last_x = -100.0
    for day in sorted(set(days)):
        x = frame.x((day - first).days)
        if x - last_x >= 58:
            anchor = "start" if x < 40 else "end" if x > frame.width - 40 else "middle"
            shift = -16 if anchor == "start" else 16 if anchor == "end" else 0
            parts.append(_text(x + shift, 74, f"{day.day} {day:%b}", anchor=anchor, size=13))
            last_x = x
    return parts


def cumulative(sites: dict[str, list[tuple[date, float]]]) -> str:
    """Return the charge in mA*min that each site got over time, as steps; {site: [(day, mA*min of the session)]}."""
    days = [day for sessions in sites.values() for day, _ in sessions]
    if not days:
        return ""
    first, span = min(days), max(1, (max(days) - min(days)).days)
    highest = nice_end(max(sum(dose for _, dose in sessions) for sessions in sites.values()))
    frame = Frame(1000, 200, 64, 190, 28, 36, span, highest)
    parts = [_text(frame.left - 6, 11, "mA*min", anchor="end", size=13)]
    for share in (0, 0.5, 1):
        y = frame.y(share * highest)
        parts.append(_rule(frame.left, y, frame.width - frame.right, y, GREY if share == 0 else LIGHT))
        parts.append(_text(frame.left - 6, y + 4, f"{share * highest:g}", anchor="end", size=13))
    for index, (site, sessions) in enumerate(sites.items()):
        parts += _steps(frame, first, site, sessions, (BLUE, ORANGE, GREEN, RED)[index % 4])
    parts += [
        _text(frame.x(0), frame.height - 12, _short(first), size=13),
        _text(frame.x(span), frame.height - 12, _short(max(days)), anchor="end", size=13),
    ]
    return _svg(frame.width, frame.height, "dose per site over time", parts)


def _short(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _steps(frame: Frame, first: date, site: str, sessions: list[tuple[date, float]], colour: str) -> list[str]:
    total, parts = 0.0, []
    points: list[tuple[float, float]] = [(frame.x(0), frame.y(0))]
    for day, dose in sorted(sessions):
        x = frame.x((day - first).days)
        points += [(x, frame.y(total)), (x, frame.y(total + dose))]
        total += dose
        parts.append(f'<circle cx="{x:.1f}" cy="{frame.y(total):.1f}" r="3.5" fill="{colour}"/>')
    points.append((frame.width - frame.right, points[-1][1]))
    label = _text(points[-1][0] + 8, points[-1][1] + 4, f"{site[:18]} {total:.4g}", colour, size=13)
    return [_line(points, colour, 1.8), *parts, label]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _line(points: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    return f'<polyline points="{_path(points)}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, colour: str = GREY, anchor: str = "start", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}>{escape(text)}</text>"


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" xmlns="http://www.w3.org/2000/svg">'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"
