"""The page of a course: HTML that needs nothing else, with small multiples of the sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ionto.version import FIRMWARE_VERSION
from ionto_host import pages
from ionto_host.course import overview, planner, svg
from ionto_host.course.overview import Overview
from ionto_host.course.store import Course, Recorded
from ionto_host.library.model import CONTEXT, QUANTITIES, STOP_SEVERITY, Figure, Library, Preset
from ionto_host.notice import NOTICE
from ionto_host.units import clock, ma

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_WORDS = {
    "current_ma": "current",
    "dose_ma_min": "dose",
    "density_ma_cm2": "density",
    "minutes": "time",
    "ramp_s": "ramp",
    "sessions": "sessions",
    "interval_days": "interval",
}
_SEVERITY_COLOURS = ("#9aa5b1", "#d8a32a", "#c2591a", "#b3261e")


def render(
    course: Course,
    sessions: Sequence[Recorded],
    view: Overview,
    lib: Library,
    sites: dict[str, list[tuple[date, float]]],
    now: datetime,
) -> str:
    """Return the page. `sites` is {site: [(day, mA*min)]} of the subject."""
    from markupsafe import Markup

    preset = lib.preset(course.preset)
    done = [(item.day, str(item.facts.get("outcome", "unknown"))) for item in sessions]
    cards = [{**card, "picture": Markup(card["picture"])} for card in _cards(sessions, lib)]
    next_day, next_words = _next(course, view)
    return pages.render(
        _TEMPLATE,
        course=course,
        view=view,
        preset_name=f"{preset.condition.name}, {preset.drug.name}",
        notice=NOTICE,
        next_day=next_day,
        next_words=next_words,
        calendar=Markup(svg.calendar(planner.planned(course.plan), done, view.ahead)),
        cards=cards,
        unknown_doses=sum(item.facts.get("dose_delivered_ma_min") is None for item in sessions),
        cumulative=Markup(svg.cumulative(sites)),
        reactions=_reaction_rows(sessions, lib),
        figures=_figures(preset, lib),
        version=FIRMWARE_VERSION,
        written=now.strftime("%Y-%m-%d %H:%M"),
    )


def _next(course: Course, view: Overview) -> tuple[str, str]:
    if not view.ahead:
        return "complete", "every planned session is done"
    day = f"{view.ahead[0].day} {view.ahead[0]:%b %Y}"
    if view.next_s is None:
        return day, "first session"
    return day, f"next session; not before {datetime.fromtimestamp(view.next_s):%Y-%m-%d %H:%M}"


def _cards(sessions: Sequence[Recorded], lib: Library) -> list[dict[str, Any]]:
    series = [item.series for item in sessions]
    x_max = svg.nice_end(max((max(data.get("min") or [0]) for data in series), default=0))
    ma_max = svg.nice_end(max((max(data.get("ma") or [0]) for data in series), default=0))
    v_max = svg.nice_end(max((max(data.get("v") or [0]) for data in series), default=0))
    return [_card(number, item, lib, (x_max, ma_max, v_max)) for number, item in enumerate(sessions, 1)]


def _card(number: int, item: Recorded, lib: Library, axes: tuple[float, float, float]) -> dict[str, Any]:
    facts = item.facts
    begun = datetime.fromtimestamp(item.time_s)
    outcome = str(facts.get("outcome", "unknown"))
    title = f"session {number}: current and voltage over time"
    log = ("verified" if facts.get("log_verified") else "damaged") if item.log_path else "none"
    log = ", ".join([log, *(flaw for flaw in overview.flaws(item) if flaw != "damaged")])
    return {
        "number": number,
        "day": f"{begun.day} {begun:%b %Y}",
        "begun": f"{begun:%Y-%m-%d %H:%M}",
        "outcome": outcome,
        "colour": svg.colour_of(outcome),
        "picture": svg.session(item.series, axes, title, _felt(facts), "no samples" if item.log_path else "no log"),
        "comfort": overview.comfort_words(facts),
        "lowered": _number(facts.get("lowered_to_ma"), "%.2f"),
        "delivered": _delivered(facts),
        "prescribed": _number(facts.get("dose_prescribed_ma_min"), "%g"),
        "time": "-" if facts.get("duration_s") is None else clock(float(facts["duration_s"])),
        "proposed": _number(item.push.screening.get("therapy", {}).get("proposed_current_ma"), "%g"),
        "current": f"{ma(int(item.push.dose['current_ua'])):g}",
        "contact": _number(facts.get("contact_ma"), "%.2f"),
        "volts": _number(facts.get("load_max_v"), "%.1f"),
        "reactions": overview.names(item.reactions, lib),
        "note": item.note,
        "faults": ", ".join(facts.get("faults") or []),
        "log": log,
    }


def _delivered(facts: dict[str, Any]) -> str:
    given = facts.get("dose_delivered_ma_min")
    if given is None:
        return "unknown"
    return ("at least " if facts.get("at_least") else "") + _number(given, "%.2f")


def _felt(facts: dict[str, Any]) -> list[tuple[float, str]]:
    times = [float(item["time_s"]) / 60 for item in facts.get("comfort") or []]
    return list(zip(times, overview.comfort_words(facts), strict=True))


def _number(value: Any, form: str) -> str:
    return "-" if value is None else form % float(value)


def _reaction_rows(sessions: Sequence[Recorded], lib: Library) -> list[dict[str, Any]]:
    seen = {name for item in sessions for name in item.reactions}
    rows: list[dict[str, Any]] = []
    for item in lib.reactions.values():
        if item.id in seen:
            colour = _SEVERITY_COLOURS[min(item.severity, STOP_SEVERITY)]
            marks = [item.id in session.reactions for session in sessions]
            rows.append({"name": item.name, "colour": colour, "marks": marks})
    return rows


def _figures(preset: Preset, lib: Library) -> list[dict[str, Any]]:
    drug = preset.drug
    rows = [{"what": "pole", "figure": drug.pole, "default": False, "source": lib.cite(drug.source)}]
    rows += [_figure("strength", item, lib, False) for item in drug.strength]
    for quantity in QUANTITIES:
        default = preset.regime.careful(quantity)
        figures = preset.regime.figures[quantity]
        several = len([item for item in figures if item.kind != CONTEXT]) > 1
        rows += [_figure(_WORDS[quantity], item, lib, several and item is default) for item in figures]
    return rows


def _figure(what: str, item: Figure, lib: Library, default: bool) -> dict[str, Any]:
    words = item.words() + (", context only" if item.kind == CONTEXT else "")
    return {"what": what, "figure": words, "default": default, "source": lib.cite(item.source)}
