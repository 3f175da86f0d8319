"""What a course amounts to: done against plan, dose, reactions, warnings, when the next session may be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ionto.limits import variant_a
from ionto_host.course import planner
from ionto_host.course.fit import Past
from ionto_host.course.store import Course, Push, Recorded
from ionto_host.library.model import LOWER_SEVERITY, STOP_SEVERITY, Library
from ionto_host.units import clock

NONE = "none"


@dataclass(frozen=True)
class Overview:
    """A course at one moment. Doses in mA*min; `next_s` is the Unix time before which no session may be."""

    done: int
    ahead: tuple[date, ...]
    delivered_ma_min: float
    at_least: bool
    next_s: int | None
    open_push: Push | None
    repeating: tuple[str, ...]
    stopped_by: tuple[str, ...]
    warnings: tuple[str, ...]


def look(
    course: Course,
    sessions: Sequence[Recorded],
    at_site: Sequence[Recorded],
    open_push: Push | None,
    lib: Library,
    now_s: int,
) -> Overview:
    """Return the overview of `course` at `now_s` (Unix).

    `sessions` are its own; what they add up to. `at_site` are those of the subject at its site in every course: the
    interval and what reactions forbid go by them.
    """
    days = [item.day for item in sessions]
    today = course.plan.start if course.bench else datetime.fromtimestamp(now_s).date()  # a played course has its own
    ahead = planner.remaining(course.plan, days, today)
    known = [item.facts.get("dose_delivered_ma_min") for item in sessions]
    doses = [float(value) for value in known if value is not None]
    unsure = len(doses) < len(sessions) or any(item.facts.get("at_least") for item in sessions)
    times = [item.time_s for item in at_site] + ([open_push.time_s] if open_push else [])
    histories = (at_site, [item for item in at_site if item.preset == course.preset])
    often = int(lib.rules["reactions-that-repeat"].value)
    again = sorted({name for each in histories for name in planner.repeating(felt(each), often)})
    stops = sorted({name for each in histories for name in _stops(each, lib)})
    warnings = _warnings(sessions, open_push, again, stops, lib)
    earliest = planner.earliest_s(course.plan, times)
    parts = (sum(doses), unsure, earliest, open_push, tuple(again), tuple(stops), tuple(warnings))
    return Overview(len(sessions), tuple(ahead), *parts)


def felt(sessions: Sequence[Recorded]) -> list[frozenset[str]]:
    """Return what was felt in and after each session, oldest first: recorded, or reported while it ran."""
    return [(frozenset(item.reactions) | frozenset(reported(item.facts))) - {NONE} for item in sessions]


def reported(facts: dict[str, Any]) -> list[str]:
    """Return what the comfort reports in the log of a session said, each once, as ids of reactions."""
    return list(dict.fromkeys(str(item["felt"]) for item in facts.get("comfort") or []))


def comfort_words(facts: dict[str, Any]) -> list[str]:
    """Return each comfort report in words: "stinging after 8:12 at 2.00 mA, lowered to 1.50 mA"."""
    told: list[str] = []
    for item in facts.get("comfort") or []:
        lowered = item.get("lowered_to_ma")
        text = f"{item['felt']} after {clock(float(item['time_s']))} at {item['current_ma']:.2f} mA"
        told.append(text + (f", lowered to {lowered:.2f} mA" if lowered else ""))
    return told


def past(sessions: Sequence[Recorded], preset: str, lib: Library) -> list[Past]:
    """Return what `fit.propose` needs of earlier sessions at a site for one of `preset` (an id)."""
    none_ua = variant_a().probe_ua  # a self-test has more: no current flowed
    found: list[Past] = []
    for item, reactions in zip(sessions, felt(sessions), strict=True):
        current = Decimal(int(item.push.dose["current_ua"])) / 1_000
        bad = [each["current_ma"] for each in item.facts.get("comfort") or [] if _lowers(each["felt"], lib)]
        bad = [at_ma for at_ma in bad if at_ma * 1_000 > none_ua]  # in a pause, or between two pulses: of the session
        values = (item.facts.get("contact_ma"), min(bad, default=None), item.facts.get("lowered_to_ma"))
        numbers = [None if value is None else Decimal(str(value)) for value in values]
        found.append(Past(current, reactions, *numbers, same_preset=item.preset == preset))
    return found


def _lowers(reaction: str, lib: Library) -> bool:
    return reaction in lib.reactions and lib.reactions[reaction].severity >= LOWER_SEVERITY


def _stops(sessions: Sequence[Recorded], lib: Library) -> list[str]:
    last = sessions[-1].reactions if sessions else ()
    return [name for name in last if name in lib.reactions and lib.reactions[name].severity >= STOP_SEVERITY]


def _warnings(
    sessions: Sequence[Recorded], open_push: Push | None, again: list[str], stops: list[str], lib: Library
) -> list[str]:
    told: list[str] = []
    if again:
        told.append(f"{names(again, lib)} came back: after each of the last sessions. Lower the next one, or end here.")
    if stops:
        told.append(
            f"{names(stops, lib)} after the last session at the site: no further one until a person has looked at it."
        )
    for number, item in enumerate(sessions, 1):
        faults = item.facts.get("faults") or []
        if faults:
            told.append(f"session {number} ended in {', '.join(faults)}.")
        grave = [text for text in comfort_words(item.facts) if _lowers(text.split()[0], lib)]
        if grave:
            told.append(f"during session {number}: {'; '.join(grave)}.")
        told += _unknown(number, item)
        if item.log_path and item.facts.get("log_verified") is False:
            told.append(f"the log of session {number} is damaged: its figures are the least that is known.")
    if open_push:
        given = datetime.fromtimestamp(open_push.time_s)
        told.append(f"a dose was pushed on {given:%Y-%m-%d %H:%M} and its session is not recorded yet.")
    return told


def flaws(item: Recorded) -> list[str]:
    """Return what keeps the log of a session from telling the whole of it, as its log was when it was recorded."""
    return [str(flaw) for flaw in item.facts.get("flaws") or []]


def _unknown(number: int, item: Recorded) -> list[str]:
    """Return what is not known of session `number`, beside what damage took."""
    told = []
    if item.facts.get("outcome") == "interrupted":
        unknown = item.facts.get("dose_delivered_ma_min") is None
        known = "how much flowed is not known" if unknown else "its figures are the least that is known"
        told.append(f"session {number} was interrupted by a reset or a loss of power: {known}.")
    if "no end" in flaws(item):
        told.append(f"the log of session {number} has no end: its figures are the least that is known.")
    if "no samples" in flaws(item):
        told.append(f"the log of session {number} has no samples: its current and voltage over time are not known.")
    if not item.log_path:
        told.append(f"session {number} has no log: how much flowed is not known.")
    return told


def names(ids: Sequence[str], lib: Library) -> str:
    """Return the reactions `ids` in words."""
    return ", ".join(lib.reactions[item].name if item in lib.reactions else item for item in ids)


def as_data(course: Course, view: Overview) -> dict[str, Any]:
    """Return course and overview for `--json`."""
    return {
        "course": course.id,
        "subject": course.subject,
        "preset": course.preset,
        "site": course.site,
        "bench": course.bench,
        "sessions_planned": course.plan.sessions,
        "sessions_done": view.done,
        "every_days": course.plan.spacing_days,
        "min_interval_h": course.plan.min_interval_h,
        "dose_delivered_ma_min": round(view.delivered_ma_min, 4),
        "at_least": view.at_least,
        "ahead": [day.isoformat() for day in view.ahead],
        "next_not_before": view.next_s and datetime.fromtimestamp(view.next_s).isoformat(timespec="minutes"),
        "open_push": view.open_push and view.open_push.digest,
        "repeating": list(view.repeating),
        "stopped_by": list(view.stopped_by),
        "warnings": list(view.warnings),
    }
