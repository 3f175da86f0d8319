"""Session logs as the device writes them: read up to and after damage, typed, and summed up."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ionto import protocol, settings
from ionto import sessionlog_format as layout
from ionto_host.device import messages
from ionto_host.logs import records as logrecords
from ionto_host.logs.records import Damage, Record, Sample, good_prefix
from ionto_host.logs.watched import Watched
from ionto_host.units import human, ma, ma_min

__all__ = ("Damage", "Event", "Sample", "Session", "decode", "good_prefix", "read", "summary")

NO_END = "the end record is missing"
# What keeps a log from telling the whole session: `Session.flaws`; `knowledge` has the sentences.
INTERRUPTED, NO_END_FLAW, DAMAGED, NO_SAMPLES = "interrupted", "no end", "damaged", "no samples"

MIN_LOAD_CURRENT_UA = 50  # below it, voltage over current is noise
# So far apart are the charges of the two sensors at most where the firmware lets a session go on.
APART_SHARE = 0.05
APART_UA = 50
APART_UC = 50  # of what flowed when they were last looked at

_EVENT = struct.Struct(layout.EVENT_FORMAT)


class Event(NamedTuple):
    """Something that happened at `t_ms`; the fields are `layout.EVENT_FIELDS`."""

    t_ms: int
    event: int
    code: int
    value_a: int
    value_b: int

    @property
    def name(self) -> str:
        """The kind of event in words."""
        return layout.EVENT_NAMES.get(self.event, f"event {self.event}")

    def describe(self) -> str:
        """Return what happened, e.g. "state HOLD" or "fault OPEN_CIRCUIT"."""
        if self.event == layout.STATE_CHANGED:
            return f"state {state_name(self.code)}"
        if self.event == layout.FAULT_LATCHED:
            return f"fault {messages.name_of(self.code)}"
        if self.event == layout.REQUESTED:
            return f"request {_COMMANDS.get(self.code, self.code)}"
        if self.event == layout.CONTACT_LIMITED:
            return "contact limited" if self.code else "contact good again"
        if self.event == layout.BUTTON:
            return {1: "button START", 2: "button STOP"}.get(self.code, f"button {self.code}")
        if self.event == layout.POLARITY:
            return f"polarity {_POLES.get(self.code, self.code)}"
        if self.event == layout.SECOND_FAULT:
            return f"second fault {messages.name_of(self.code)}"
        if self.event == layout.COMFORT:
            return _describe_comfort(self)
        if self.event == layout.SETTINGS:
            return _describe_setting(self)
        if self.event == layout.GAP:
            return f"gap of {self.code} ms without a sample, {self.value_b} to {self.value_a} uC"
        return f"{self.name}, code {self.code}"


def _describe_comfort(event: Event) -> str:
    """Return what a person reported, and what became of the current, e.g. "comfort stinging, lowered to 1.5 mA"."""
    felt = FELT.get(event.code, str(event.code))
    return f"comfort {felt}" + (f", lowered to {ma(event.value_b):g} mA" if event.value_b else "")


def _describe_setting(event: Event) -> str:
    """Return which settable limit was changed before the session, from what to what."""
    if event.code >= len(settings.FIELDS):
        return f"limit {event.code} set"
    name = settings.FIELDS[event.code][0]
    return f"{name} set from {human(name, event.value_a)} to {human(name, event.value_b)}"


FELT = {protocol.TINGLING: "tingling", protocol.STINGING: "stinging", protocol.PAIN: "pain"}
_POLES = {1: "+", 2: "-"}
_COMMANDS = {
    protocol.START: "start",
    protocol.PAUSE: "pause",
    protocol.RESUME: "resume",
    protocol.ABORT: "abort",
    protocol.CLEAR_FAULT: "clear",
    protocol.SELF_TEST: "self-test",
    protocol.SET_CLOCK: "clock",
    protocol.MAINTENANCE: "maintenance",
    protocol.COMFORT: "comfort",
}


@dataclass
class Session:
    """A session log, read. `header`, `test` and `end` are JSON of the arm, test and end records, empty if missing."""

    size_bytes: int = 0
    format: int = 0
    records: int = 0
    header: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    test: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)
    watched: Watched | None = None  # what a host saw of it: another source, joined by `store.joined`
    seen_began_unix_s: int | None = None  # by a host's clock, where the board's was not set: joined likewise
    chain: bytes = b""  # SHA-256 chain of the last record; empty in format 1

    @property
    def verified(self) -> bool:
        """True when every byte belongs to a record whose CRC and chain hold, none missing, arm and end are there."""
        return not self.damage and bool(self.header) and bool(self.end)

    @property
    def open_ended(self) -> bool:
        """True when nothing but the end record is missing: its session goes on, or is just being written."""
        return not self.end and [item.reason for item in self.damage] == [NO_END]

    @property
    def flaws(self) -> list[str]:
        """What keeps the log from telling the whole session, in a word or two each; empty for nothing.

        A log whose every checksum holds has flaws too: a reset that cut the session short took the samples with it.
        """
        damaged = any(item.reason != NO_END for item in self.damage)
        interrupted = self.end.get("outcome") == protocol.INTERRUPTED
        found = ((INTERRUPTED, interrupted), (NO_END_FLAW, not self.end), (DAMAGED, damaged))
        return [name for name, has in (*found, (NO_SAMPLES, not self.samples)) if has]

    @property
    def dose(self) -> dict[str, Any]:
        """The canonical dose in the arm record; empty when the record is missing or holds none."""
        dose = self.header.get("dose")
        return _json_object(dose.encode()) or {} if isinstance(dose, str) else {}

    @property
    def board_id(self) -> str:
        """The board that wrote the log, from its header; empty when the header does not say."""
        value = self.header.get("board_id")
        return value if isinstance(value, str) else ""

    @property
    def log_id(self) -> int | None:
        """The id of the log on its board; None when the header does not say, as in format 1."""
        value = self.header.get("log")
        return value if type(value) is int and value >= 0 else None

    @property
    def started_unix_s(self) -> int | None:
        """When the session began, s since 1970 UTC; None when the clock of the board was not set."""
        value = self.header.get("time_unix_s")
        usable = type(value) is int and protocol.CLOCK_FROM_S <= value <= protocol.CLOCK_TO_S
        return value if usable and self.header.get("clock_set") is True else None

    @property
    def dated(self) -> tuple[int | None, str]:
        """When the session began, s since 1970 UTC, and by whose clock: "board" or "host"; None and "" are unknown."""
        if self.started_unix_s is not None:
            return self.started_unix_s, "board"
        return self.seen_began_unix_s, "host" if self.seen_began_unix_s is not None else ""

    @property
    def outcome(self) -> str:
        """The outcome in words; "unknown" when the end record is missing."""
        value = self.end.get("outcome", "unknown")
        if isinstance(value, int) and 0 <= value < len(protocol.OUTCOMES):
            return protocol.OUTCOMES[value]
        return str(value)

    @property
    def charge_uc(self) -> int | None:
        """The delivered charge by the controller, uC: of the end record, or of the last sample; None of neither.

        Of a session that is not `whole` more may have been delivered.
        """
        known = self._end_number("charge_uc") or [sample.charge_uc for sample in self.samples[-1:]]
        return known[0] if known else None

    @property
    def second_charge_uc(self) -> int | None:
        """The charge by the second sensor, at the load's other side, uC; None when the end record lacks it."""
        return next(iter(self._end_number("second_charge_uc")), None)

    @property
    def charges_agree(self) -> bool | None:
        """False when both sensors' charges are more apart than 5 % or 50 uA, the greater; None: one is unknown."""
        first, second, on = self.charge_uc, self.second_charge_uc, self._end_number("on_ms")
        if not self.whole or first is None or second is None:
            return None
        allowed_uc = max(first * APART_SHARE, APART_UA * on[0] / 1_000 if on else 0) + APART_UC
        return abs(second - first) <= allowed_uc

    @property
    def duration_s(self) -> float | None:
        """Time of the end record, the last sample or event, s after the session began; None without any."""
        last = [*self._end_number("t_ms"), *(item.t_ms for item in (*self.samples[-1:], *self.events[-1:]))]
        return max(last) / 1_000 if last else None

    @property
    def current_max_ua(self) -> int | None:
        """The greatest current in samples, faults and end record; None without any."""
        faults = [item.value_a for item in self.events if item.event == layout.FAULT_LATCHED]
        return max(
            [*self._end_number("max_current_ua"), *(sample.current_max_ua for sample in self.samples), *faults],
            default=None,
        )

    @property
    def shortfall_uc(self) -> int | None:
        """What is missing of the dose, in uC; None when the end record does not say so."""
        return next(iter(self._end_number("shortfall_uc")), None)

    @property
    def comfort(self) -> list[Event]:
        """The comfort reports of the session: `code` of `FELT`, `value_a` current in uA, `value_b` lower one or 0."""
        return [event for event in self.events if event.event == layout.COMFORT]

    @property
    def lowered_ua(self) -> int | None:
        """The current that a comfort report lowered the session to last, in uA; None when none did."""
        return next((event.value_b for event in reversed(self.comfort) if event.value_b), None)

    @property
    def screening(self) -> str:
        """What was asked before the dose was pushed, and answered, in one line; empty in a log without it."""
        text = self.dose.get("screening")
        return text if isinstance(text, str) else ""

    @property
    def rail_min_mv(self) -> int | None:
        """The least voltage of the 24 V rail from the first full current on, in mV; None when the end lacks it."""
        return next(iter(self._end_number("min_rail_mv")), None)

    @property
    def battery_min_mv(self) -> int | None:
        """The least voltage of the battery (VSYS) from the first full current on, in mV; None when the end lacks it."""
        return next(iter(self._end_number("min_vsys_mv")), None)

    @property
    def extended_s(self) -> float | None:
        """By how much a poor contact made the time with current longer, in s; None when the end does not say so."""
        on, planned = self._end_number("on_ms"), self._end_number("planned_on_ms")
        if not on or not planned:
            return None
        limited = any(item.event == layout.CONTACT_LIMITED and item.code for item in self.events)
        return max(0, on[0] - planned[0]) / 1_000 if limited else 0.0

    @property
    def whole(self) -> bool:
        """True when the device ended the session and wrote the charge; after an interruption the rest is unknown."""
        return bool(self._end_number("charge_uc")) and self.end.get("outcome") != protocol.INTERRUPTED

    def _end_number(self, name: str) -> list[int]:
        """Return the number `name` of the end record in a list, empty when the record lacks it."""
        value = self.end.get(name)
        return [value] if type(value) is int and 0 <= value <= 0xFFFFFFFF else []


def read(path: Path) -> Session:
    """Return the session in the log file `path`; see `decode`. OSError when the file cannot be read."""
    return decode(path.read_bytes())


def decode(data: bytes) -> Session:
    """Return the session in the bytes of a log; damage is named in `Session.damage` and read past.

    Raises `NotALogError` when `data` does not begin as a log, or is of an unknown format version.
    """
    form = logrecords.format_of(data)
    session = Session(size_bytes=len(data), format=form.version)
    for item in logrecords.scan(data):
        if isinstance(item, Damage):
            session.damage.append(item)
        else:
            session.records += 1
            session.chain = item.chain
            _add(session, form, item)
    _check_ends(session)
    return session


def _add(session: Session, form: logrecords.Format, record: Record) -> None:
    if record.kind == layout.SAMPLES:
        session.samples += [form.to_sample(*fields) for fields in form.sample.iter_unpack(record.payload)]
    elif record.kind == layout.EVENTS:
        session.events += map(Event._make, _EVENT.iter_unpack(record.payload))
    else:
        body = _json_object(record.payload)
        if body is None:
            reason = f"the {layout.RECORD_NAMES[record.kind]} record is not JSON"
            session.damage.append(Damage(record.offset, record.size_bytes, reason))
        elif record.kind == layout.ARM:
            session.header = body
        elif record.kind == layout.TEST:
            session.test = body
        else:
            session.end = body


def _json_object(payload: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _check_ends(session: Session) -> None:
    if not session.header:
        session.damage.append(Damage(logrecords.MAGIC.size, 0, "the arm record is missing"))
    if not session.end:
        session.damage.append(Damage(session.size_bytes, 0, NO_END))


def delivered(facts: dict[str, Any]) -> str:
    """Return the delivered dose in `facts`, a `summary`: "0.500", "at least 0.500", or "unknown"."""
    value = facts["dose_delivered_ma_min"]
    if value is None:
        return "unknown"
    return f"at least {value:.3f}" if facts["at_least"] else f"{value:.3f}"


def summary(session: Session) -> dict[str, Any]:
    """Return the session in a dozen numbers, human units in the names; what a damaged log lacks is None."""
    dose_uc = session.dose.get("dose_uc")
    charge_uc, max_ua = session.charge_uc, session.current_max_ua
    loaded_mv = [sample.load_max_mv for sample in session.samples if has_current(sample)]
    return {
        "board_id": session.board_id,
        "log_id": session.log_id,
        "started_unix_s": session.dated[0],
        "dated_by": session.dated[1],
        "outcome": session.outcome,
        "name": session.dose.get("name"),
        "drug": session.dose.get("drug"),
        "dose_prescribed_ma_min": ma_min(dose_uc) if isinstance(dose_uc, int) else None,
        "dose_delivered_ma_min": None if charge_uc is None else ma_min(charge_uc),
        "second_count_ma_min": None if session.second_charge_uc is None else ma_min(session.second_charge_uc),
        "charges_agree": session.charges_agree,
        "shortfall_ma_min": None if session.shortfall_uc is None else ma_min(session.shortfall_uc),
        "extended_s": session.extended_s,
        "at_least": not session.whole,  # the dose delivered, the duration and the maxima
        "duration_s": session.duration_s,
        "current_max_ma": None if max_ua is None else ma(max_ua),
        "load_max_v": max(loaded_mv) / 1_000 if loaded_mv else None,
        "rail_min_v": None if session.rail_min_mv is None else session.rail_min_mv / 1_000,
        "battery_min_v": None if session.battery_min_mv is None else session.battery_min_mv / 1_000,
        "screening": session.screening,
        "comfort": [
            {"time_s": e.t_ms / 1_000, "current_ma": ma(e.value_a), "report": e.describe()} for e in session.comfort
        ],
        "lowered_to_ma": None if session.lowered_ua is None else ma(session.lowered_ua),
        "faults": [messages.name_of(item.code) for item in session.events if item.event == layout.FAULT_LATCHED],
        "samples": len(session.samples),
        "events": len(session.events),
        "records": session.records,
        "size_bytes": session.size_bytes,
        "format": session.format,
        "chain": session.chain.hex(),
        "log_verified": session.verified,
        "damage": [item.describe() for item in session.damage],
        "flaws": session.flaws,
    }


def why_short(facts: dict[str, Any]) -> str:
    """Return why a session with `facts`, a `summary`, ran out of time before its dose was complete."""
    if facts["lowered_to_ma"] is None:
        return "the contact was too poor for the time allowed"
    return f"the current was lowered to {facts['lowered_to_ma']:g} mA for comfort, and the time limit stayed"


def has_current(sample: Sample) -> bool:
    """Return True when enough current flows in `sample` for its load voltage to mean something."""
    return sample.current_mean_ua > MIN_LOAD_CURRENT_UA


def has_load_voltage(sample: Sample) -> bool:
    """Return True when the mean voltage of `sample` is one with current in it.

    After a lift most readings of the period are of the open circuit, whose voltage is the supply's: their mean is
    above the greatest voltage, which counts only readings with current.
    """
    return has_current(sample) and sample.load_mv <= sample.load_max_mv


def load_kohm(sample: Sample) -> float | None:
    """Return the load of `sample` in kohm; None without current, or while the current changes quickly.

    It is mean voltage over mean current, which a steep ramp or a lift within the period would falsify.
    """
    steady = 5 * (sample.current_max_ua - sample.current_min_ua) < sample.current_mean_ua
    return sample.load_mv / sample.current_mean_ua if has_current(sample) and steady else None


def state_name(state: int) -> str:
    """Return `state` in words, as in `protocol.STATES`."""
    return protocol.STATES[state] if state < len(protocol.STATES) else f"state {state}"
