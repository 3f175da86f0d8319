"""A session against its dose: what was prescribed, what the log says happened, and where they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from ionto import protocol
from ionto import sessionlog_format as layout
from ionto_host.logs.sessionfile import Session
from ionto_host.units import clock

DOSE_TOLERANCE = 0.005
COUNT_TOLERANCE = 0.02  # the independent measurement's own tolerance
CURRENT_TOLERANCE = 0.01
RAMP_TOLERANCE_MS = 250
_POLES = {1: "+", -1: "-"}
_POLE_CODES = {1: "+", 2: "-"}


@dataclass(frozen=True)
class Line:
    """One comparison; `agrees` is None where nothing can be said, or nothing was prescribed."""

    what: str
    prescribed: str
    found: str
    agrees: bool | None


def compare(session: Session) -> list[Line]:
    """Return the lines of the comparison; of a damaged log those that can be had."""
    dose = session.dose
    number = {name: value for name, value in dose.items() if type(value) is int}
    lines = [_outcome(session), _digest(session)]
    if number:
        lines += [
            *_charge(session, number),
            *_current(session, number, dose.get("waveform") == "dc"),
            *_ramps(session, number),
            _time(session),
            *_polarity(session, number, str(dose.get("reversal", "none"))),
            *_interruptions(session),
        ]
    return lines if _has_all(session) else [_as_far_as_known(line) for line in lines]


def agrees(lines: list[Line], session: Session) -> bool | None:
    """Return False when a line differs, True when a log that has the whole session has none that does, else None."""
    if any(line.agrees is False for line in lines):
        return False
    return True if _has_all(session) else None


def _has_all(session: Session) -> bool:
    """Return True when what is not in the log did not happen: only then is "none" an answer."""
    return session.whole and session.verified


_ABOUT_THE_LOG = ("dose digest",)
_NOTHING = ("none", "never")


def _as_far_as_known(line: Line) -> Line:
    """Return `line` of a log that lacks a part of its session: what is not in it may have been all the same.

    What is too much already stays a difference. What is too little, not there, or right so far says nothing.
    """
    if line.what == "outcome" or line.what in _ABOUT_THE_LOG:
        return line
    if line.found in (*_NOTHING, "unknown"):
        return replace(line, found="unknown", agrees=None)
    found = f"{line.found}, as far as it is recorded"
    too_much = line.agrees is False and line.what not in _TOO_LITTLE
    return replace(line, found=found, agrees=False if too_much else None)


_TOO_LITTLE = ("time with current", "last ramp down", "reversals")  # of which more may have come


def _outcome(session: Session) -> Line:
    return Line("outcome", protocol.OUTCOMES[protocol.COMPLETE], session.outcome, session.outcome == "complete")


def _digest(session: Session) -> Line:
    told, raw = session.header.get("digest"), session.header.get("dose")
    if not isinstance(told, str) or not isinstance(raw, str):
        return Line("dose digest", "unknown", "unknown", None)
    found = hashlib.sha256(raw.encode()).hexdigest()
    return Line("dose digest", f"{told[:12]}...", f"{found[:12]}...", told == found)


def _charge(session: Session, dose: dict[str, int]) -> Iterator[Line]:
    wanted = dose.get("dose_uc")
    if not wanted:
        return
    told = f"{wanted / 60_000:.3f} mA*min"
    counts = [("charge, controller's count", session.charge_uc, DOSE_TOLERANCE)]
    counts += [("charge, guards' count", _end(session, "guard_charge_uc"), DOSE_TOLERANCE)]
    counts += [("charge, independent count", _end(session, "sense_charge_uc"), COUNT_TOLERANCE)]
    second = _end(session, "second_charge_uc")
    if second is not None:
        found = f"{second / 60_000:.3f} mA*min"
        yield Line("charge, second sensor's count", "the controller's", found, session.charges_agree)
    for what, value_uc, tolerance in counts:
        if value_uc is None:
            yield Line(what, told, "unknown", None)
        else:
            part = value_uc / wanted - 1
            agrees = abs(part) <= tolerance if part > 0 or _has_all(session) else None
            yield Line(what, told, f"{value_uc / 60_000:.3f} mA*min ({part:+.2%})", agrees)


def _current(session: Session, dose: dict[str, int], steady: bool) -> Iterator[Line]:
    wanted = dose.get("current_ua")
    if not wanted:
        return
    holding = [item for item in session.samples if item.state == protocol.HOLD and item.setpoint_ua == wanted]
    cycles = sum(item.cycles or 1 for item in holding)
    if steady and cycles:
        mean = sum(item.current_mean_ua * (item.cycles or 1) for item in holding) / cycles
        off = mean / wanted - 1
        found = f"{mean / 1000:.3f} mA ({off:+.2%})" + (" until it was lowered" if session.lowered_ua else "")
        yield Line("current while holding, mean", f"{wanted / 1000:g} mA", found, abs(off) <= CURRENT_TOLERANCE)
    most = session.current_max_ua
    if most is not None:
        limit = wanted * (1 + CURRENT_TOLERANCE)
        yield Line("current, greatest", f"at most {limit / 1000:.3f} mA", f"{most / 1000:.3f} mA", most <= limit)
    area, allowed = dose.get("area_mm2"), dose.get("max_density_ua_cm2")
    if most is not None and area and allowed:
        density = most * 100 / area
        found = f"{density / 1000:.3f} mA/cm2"
        yield Line("current density", f"at most {allowed / 1000:g} mA/cm2", found, density <= allowed * 1.01)


def _ramps(session: Session, dose: dict[str, int]) -> Iterator[Line]:
    changes = [event for event in session.events if event.event == layout.STATE_CHANGED]
    for state, name, field in (
        (protocol.RAMP_UP, "first ramp up", "ramp_up_ms"),
        (protocol.RAMP_DOWN, "last ramp down", "ramp_down_ms"),
    ):
        wanted, found = dose.get(field), None
        pairs = [(a, b) for a, b in pairwise(changes) if a.code == state]
        if pairs:
            first, second = pairs[0] if state == protocol.RAMP_UP else pairs[-1]
            found = second.t_ms - first.t_ms
        if wanted is None:
            continue
        told = f"{wanted / 1000:g} s"
        if found is None:
            yield Line(name, told, "none", False)
        else:
            yield Line(name, told, f"{found / 1000:.2f} s", abs(found - wanted) <= RAMP_TOLERANCE_MS)


def _time(session: Session) -> Line:
    planned, taken = _end(session, "planned_on_ms"), _end(session, "on_ms")
    if not planned or taken is None:
        return Line("time with current", "unknown", "unknown", None)
    agrees = abs(taken - planned) <= max(1_000, 0.02 * planned)
    return Line("time with current", f"{clock(planned / 1000)} min:s", f"{clock(taken / 1000)} min:s", agrees)


def _polarity(session: Session, dose: dict[str, int], reversal: str) -> Iterator[Line]:
    poles = [_POLE_CODES.get(event.code, "?") for event in session.events if event.event == layout.POLARITY]
    wanted = _POLES.get(dose.get("polarity", 0), "?")
    if poles:
        yield Line("polarity at the start", wanted, poles[0], poles[0] == wanted)
    turns = max(0, len(poles) - 1)
    told = {"none": "none", "half": "1, at half of the dose"}.get(reversal)
    if told is None:
        told = f"every {clock(dose.get('reversal_interval_ms', 0) / 1000)} min:s"
    agrees = {"none": turns == 0, "half": turns == 1}.get(reversal)
    yield Line("reversals", told, str(turns) if turns else "none", agrees)


def _interruptions(session: Session) -> Iterator[Line]:
    events = session.events
    pauses = sum(e.event == layout.STATE_CHANGED and e.code == protocol.PAUSED for e in events)
    limited = sum(e.event == layout.CONTACT_LIMITED and e.code == 1 for e in events)
    faults = [event.describe() for event in events if event.event in (layout.FAULT_LATCHED, layout.SECOND_FAULT)]
    yield Line("pauses", "none", str(pauses) if pauses else "none", not pauses)
    yield Line("contact decided the current", "never", _times(limited), not limited)
    yield Line("current lowered for comfort", "never", _lowered(session), not session.lowered_ua)
    yield Line("faults", "none", ", ".join(faults) or "none", not faults)


def _lowered(session: Session) -> str:
    return f"to {session.lowered_ua / 1000:g} mA" if session.lowered_ua else "never"


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _end(session: Session, name: str) -> int | None:
    value = session.end.get(name)
    return value if type(value) is int and value >= 0 else None
