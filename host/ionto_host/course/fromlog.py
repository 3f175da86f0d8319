"""What a course keeps of a pulled session log: a dozen facts and a short series to draw."""

from __future__ import annotations

import hashlib
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ionto import protocol
from ionto import sessionlog_format as layout
from ionto_host.errors import IontoError
from ionto_host.logs import sessionfile
from ionto_host.logs import store as logstore
from ionto_host.logs.sessionfile import Sample, Session, has_current
from ionto_host.units import ma, ma_min

POINTS = 160  # of a drawn session
KEPT = (
    "outcome",
    "dose_prescribed_ma_min",
    "dose_delivered_ma_min",
    "at_least",
    "duration_s",
    "current_max_ma",
    "load_max_v",
    "extended_s",
    "lowered_to_ma",
    "faults",
    "log_verified",
    "flaws",
)


@dataclass(frozen=True)
class FromLog:
    """A log as a course keeps it: path, hash, the digest of its dose, when it began (Unix, None unknown), content."""

    path: Path
    sha256: str
    digest: str
    time_s: int | None
    facts: dict[str, Any]
    series: dict[str, list[float]]


def read(path: Path) -> FromLog:
    """Return what a course keeps of the log `path`; errors as `sessionfile.read`."""
    session = logstore.joined(sessionfile.read(path))
    facts = sessionfile.summary(session)
    kept = {key: facts.get(key) for key in KEPT} | {"contact_ma": contact_ma(session), "comfort": comfort(session)}
    begun = session.header.get("time_unix_s")
    time_s = begun if isinstance(begun, int) and begun > protocol.CLOCK_FROM_S else session.seen_began_unix_s
    dose = session.header.get("dose")
    digest = hashlib.sha256(dose.encode()).hexdigest() if isinstance(dose, str) else ""
    return FromLog(path, hashlib.sha256(path.read_bytes()).hexdigest(), digest, time_s, kept, series(session))


def candidates(digest: str, known: set[str]) -> list[FromLog]:
    """Return the pulled logs of the dose `digest` that are not among the hashes `known`, newest first."""
    found: list[FromLog] = []
    for path in sorted(logstore.stored(), key=lambda item: item.stat().st_mtime, reverse=True):
        try:
            log = read(path)
        except IontoError:
            continue
        if log.digest == digest and log.sha256 not in known:
            found.append(log)
    return found


def comfort(session: Session) -> list[dict[str, Any]]:
    """Return the comfort reports: what was felt, after how many s, at which mA, and to which mA it lowered or None."""
    return [
        {
            "felt": sessionfile.FELT.get(item.code, f"comfort {item.code}"),
            "time_s": item.t_ms / 1_000,
            "current_ma": ma(item.value_a),
            "lowered_to_ma": ma(item.value_b) if item.value_b else None,
        }
        for item in session.comfort
    ]


def contact_ma(session: Session) -> float | None:
    """Return the current in mA that flowed while the contact was too poor for the dose; None if it never was."""
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for event in session.events:
        if event.event != layout.CONTACT_LIMITED:
            continue
        if event.code and begin is None:
            begin = event.t_ms
        elif not event.code and begin is not None:
            spans.append((begin, event.t_ms))
            begin = None
    if begin is not None:
        spans.append((begin, 1 << 32))
    inside = [
        sample.current_mean_ua
        for sample in session.samples
        if sample.state == protocol.HOLD and any(low <= sample.t_ms <= high for low, high in spans)
    ]
    return round(ma(statistics.median(inside)), 3) if inside else None


def _volts(sample: Sample) -> float:
    """Return the voltage of the load; with the current off in the middle of the sample, that before it went."""
    seen_mv = min(sample.load_mv, sample.load_max_mv) if sample.load_max_mv else sample.load_mv
    return seen_mv / 1_000 if has_current(sample) else 0.0


def series(session: Session) -> dict[str, list[float]]:
    """Return at most `POINTS` samples to draw: minutes, mA, V across the load, mA*min."""
    step = max(1, -(-len(session.samples) // POINTS))
    taken = session.samples[::step]
    if session.samples and taken[-1] is not session.samples[-1]:
        taken = [*taken, session.samples[-1]]
    return {
        "min": [round(item.t_ms / 60_000, 4) for item in taken],
        "ma": [round(ma(item.current_mean_ua), 3) for item in taken],
        "v": [round(_volts(item), 2) for item in taken],
        "ma_min": [round(ma_min(item.charge_uc), 3) for item in taken],
    }
