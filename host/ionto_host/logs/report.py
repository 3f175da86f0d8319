"""A session's report: one page of HTML that needs nothing else, for the screen and for A4 paper."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ionto import sessionlog_format as layout
from ionto.version import FIRMWARE_VERSION
from ionto_host import pages
from ionto_host.device import messages
from ionto_host.logs import diff as logdiff
from ionto_host.logs import knowledge, plot
from ionto_host.logs.sessionfile import Event, Session, delivered, load_kohm, summary, why_short
from ionto_host.units import clock, human, printable, utc

_TEMPLATE = Path(__file__).with_name("report.html.j2")
SAFETY = (
    "For bench work, teaching and research. IontoPico is not a cleared medical device, and this page records what the "
    "device measured; it is not a clinical document. A verified log shows that no byte was changed by accident since "
    "the device wrote it. It does not show who was connected, or with what."
)
_DOSE_NAMES = {
    "drug": "drug",
    "site": "site",
    "current_ua": "current",
    "dose_uc": "dose",
    "area_mm2": "electrode area",
    "max_density_ua_cm2": "greatest density",
    "polarity": "polarity of the drug electrode",
    "ramp_up_ms": "ramp up",
    "ramp_down_ms": "ramp down",
    "waveform": "waveform",
    "pulse_on_ms": "pulse on",
    "pulse_off_ms": "pulse off",
    "pulse_edge_ms": "pulse edge",
    "reversal": "reversal",
    "reversal_interval_ms": "reversal interval",
    "max_extension_pct": "longest extension for poor contact",
    "starts": "starts",
    "screening": "screened",
}
_BOARD_NAMES = {
    "board_id": "board",
    "variant": "variant",
    "firmware": "firmware",
    "files": "manifest (SHA-256)",
    "micropython": "MicroPython",
    "reset_cause": "last reset",
    "store": "file system",
}
_ENDINGS = {
    "time_limit": "the contact was too poor to deliver the dose in the time allowed",
    "battery_low": "the battery was too low to go on",
    "stopped": "the session was ended by STOP",
    "aborted": "the session was ended from the computer",
    "log_full": "more happened in the session than its log has room for; it ramped down so that its end is recorded",
    "pain": "pain was reported; the current ramped down and the session ended",
    "stinging": "stinging was reported by the button with the current at its least; the session ramped down and ended",
    "interrupted": "a reset or a loss of power ended the session; the device closed its log when it came up again",
}
_MOST_EVENTS = 120


@dataclass(frozen=True)
class Fact:
    """A number for the top of the page, its name below, and a remark."""

    value: str
    unit: str
    name: str
    remark: str = ""


def page(session: Session, source: Path, altered: bool = False) -> str:
    """Return the report as HTML. Raises `MissingPartError` without matplotlib."""
    from markupsafe import Markup

    facts = summary(session)
    return pages.render(
        _TEMPLATE,
        title=printable(str(facts["name"] or "Session")),
        began=_began(session),
        session=session,
        source=source.name,
        sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        sound=session.verified and not altered,
        altered=altered,
        outcome=printable(session.outcome).replace("_", " "),
        outcome_kind=_outcome_kind(session),
        reasons=_reasons(session),
        facts=_facts(session, facts),
        figure=Markup(plot.svg(session)),
        dose=_dose_rows(session),
        comparison=logdiff.compare(session),
        selftest=_selftest_rows(session),
        board=_board_rows(session),
        events=[_event_row(event) for event in session.events[:_MOST_EVENTS]],
        more_events=max(0, len(session.events) - _MOST_EVENTS),
        damage=[item.describe() for item in session.damage],
        unknown=[text[:1].upper() + text[1:] for text in knowledge.told(session)],
        safety=SAFETY,
        version=FIRMWARE_VERSION,
    )


def _began(session: Session) -> str:
    started, by = session.dated
    if started is None:
        return "clock not set"
    afterwards = ", dated afterwards by the host that watched: clock not set"
    return f"{utc(started)} UTC" + (afterwards if by == "host" else "")


def _outcome_kind(session: Session) -> str:
    """Return "good", "fair" or "bad", which colours the outcome."""
    if session.outcome == "complete":
        return "good"
    return "bad" if session.outcome in ("fault", "interrupted", "unknown") else "fair"


def _reasons(session: Session) -> list[dict[str, str]]:
    """Return the faults of the session in words, each with what to do next."""
    kinds = (layout.FAULT_LATCHED, layout.SECOND_FAULT)
    codes = [event.code for event in session.events if event.event in kinds]
    told = [messages.message_for(code) for code in dict.fromkeys(codes)]
    reasons = [{"text": item.text, "action": item.action} for item in told]
    short = session.shortfall_uc
    if session.outcome in _ENDINGS:
        text = _ENDINGS[session.outcome]
        if session.outcome == "time_limit" and session.lowered_ua is not None:
            text = why_short(summary(session))
        missing = f"{short / 60_000:.3f} mA\u00b7min of the dose were not delivered." if short else ""
        reasons.append({"text": text, "action": missing})
    return reasons


def _facts(session: Session, facts: dict[str, Any]) -> list[Fact]:
    prescribed = facts["dose_prescribed_ma_min"]
    dose = Fact(delivered(facts), "mA\u00b7min", "charge delivered", "")
    if prescribed and facts["dose_delivered_ma_min"] is not None:
        part = facts["dose_delivered_ma_min"] / prescribed
        dose = Fact(dose.value, dose.unit, dose.name, f"{part:.1%} of {prescribed:g} prescribed")
    sense, second = session.end.get("sense_charge_uc"), session.second_charge_uc
    where = "before relay and leads" + ("; NOT what was counted" if session.charges_agree is False else "")
    independent = f"{sense / 60_000:.3f}" if type(sense) is int else "?"
    duration = facts["duration_s"]
    extended = facts["extended_s"]
    length = "at least, as far as it is recorded" if facts["at_least"] else "from START to the end"
    every = "as far as it is recorded" if facts["at_least"] or not session.samples else "of every 1 ms reading"
    loads = sorted(load for sample in session.samples if (load := load_kohm(sample)) is not None)
    spread = f"{loads[0]:.2f} to {loads[-1]:.2f}" if loads else "no steady current"
    return [
        dose,
        Fact("?" if second is None else f"{second / 60_000:.3f}", "mA\u00b7min", "second sensor's count", where),
        Fact(independent, "mA\u00b7min", "independent count", "measured at V(SNS)"),
        Fact(
            "?" if duration is None else clock(duration),
            "min:s",
            "duration",
            f"{clock(extended)} of it for poor contact" if extended else length,
        ),
        Fact(_number(facts["current_max_ma"], 3), "mA", "peak current", every),
        Fact(_number(facts["load_max_v"], 1), "V", "peak electrode voltage", "while current flows"),
        Fact(f"{loads[len(loads) // 2]:.2f}" if loads else "?", "kohm", "load, median", spread),
    ]


def _number(value: float | None, places: int) -> str:
    return "?" if value is None else f"{value:.{places}f}"


def _dose_rows(session: Session) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for field, name in _DOSE_NAMES.items():
        value = session.dose.get(field)
        idle = field.startswith(("pulse_", "reversal_")) and not value
        if value in (None, "") or idle:
            continue
        if type(value) is not int and not isinstance(value, str):
            text = f"{value}, which is no value of a dose"
        else:
            text = {"1": "+", "-1": "\u2212"}.get(str(value), "?") if field == "polarity" else human(field, value)
        rows.append((name, printable(text) + (" %" if field.endswith("_pct") else "")))
    digest = session.header.get("digest")
    return [*rows, ("digest (SHA-256)", printable(str(digest)))] if digest else rows


def _selftest_rows(session: Session) -> list[dict[str, str]]:
    results = session.test.get("selftest") or session.end.get("selftest") or []
    rows: list[dict[str, str]] = []
    for row in results if isinstance(results, list) else []:
        if isinstance(row, list) and len(row) == 6:
            name, passed, value, unit, low, high = row
            found = "" if value is None else f"{value} {unit}".strip()
            words = {"name": str(name), "found": found, "span": _span(low, high)}
            rows.append(
                {key: printable(text) for key, text in words.items()} | {"passed": "passed" if passed else "FAILED"}
            )
    return rows


def _span(low: Any, high: Any) -> str:
    if low is None:
        return "" if high is None else f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _board_rows(session: Session) -> list[tuple[str, str]]:
    header = session.header
    rows = [(name, str(header[field])) for field, name in _BOARD_NAMES.items() if header.get(field) not in (None, "")]
    strap = header.get("bench_strap")
    if strap is not None:
        rows.append(("bench strap", "FITTED: ran with USB connected" if strap else "not fitted"))
    rows.append(("clock", _began(session)))
    least = (("least battery", session.battery_min_mv), ("least 24 V rail", session.rail_min_mv))
    rows += [(name, f"{value / 1_000:.2f} V") for name, value in least if value is not None]
    parts = header.get("parts")
    if isinstance(parts, dict):
        rows.append(("nominal parts", ", ".join(f"{name} {value}" for name, value in map(_part, parts.items()))))
    calibration = header.get("calibration")
    if isinstance(calibration, dict):
        told = ", ".join(f"{name} {value}" for name, value in calibration.items())
        rows.append(("calibration", "none: the nominal parts hold" if calibration == {"state": "none"} else told))
    zero = session.test.get("zero_ua")
    if zero is not None:
        rows.append(("zero offset taken off", f"{zero} uA"))
    return [(name, printable(text)) for name, text in rows]


def _part(item: tuple[str, Any]) -> tuple[str, str]:
    """Return name and value of a nominal part: ("shunt", "10 ohm") for ("shunt_mohm", 10000)."""
    field, value = item
    if type(value) is int and field.endswith("_mohm"):
        return field.removesuffix("_mohm"), f"{value / 1_000:g} ohm"
    return field.removesuffix("_ohm"), f"{value} ohm" if field.endswith("_ohm") else str(value)


def _event_row(event: Event) -> dict[str, str]:
    seconds = event.t_ms / 1_000
    time = f"{int(seconds // 60)}:{seconds % 60:06.3f}"
    return {
        "time": time,
        "text": printable(event.describe()),
        "detail": _detail(event),
        "colour": plot.colour_of(event),
    }


def _detail(event: Event) -> str:
    """Return the numbers of `event` in words, where it has any."""
    if event.event == layout.STATE_CHANGED:
        return f"{event.value_b / 60_000:.3f} mA\u00b7min so far"
    if event.event == layout.FAULT_LATCHED:
        return f"at {event.value_a / 1_000:.3f} mA, set-point {event.value_b / 1_000:.3f} mA"
    if event.event == layout.CONTACT_LIMITED:
        return f"{event.value_a / 1_000:.3f} mA at {event.value_b / 1_000:.1f} V"
    if event.event == layout.COMFORT:
        return f"at {event.value_a / 1_000:.3f} mA"
    if event.event == layout.POLARITY:
        return f"{event.value_a / 60_000:.3f} mA\u00b7min so far, relay moved at {event.value_b / 1_000:.3f} mA"
    return ""
