"""The record of one run of a bench: what was measured with what, as JSON that two runs can be compared by."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ionto_host import wholefile
from ionto_host.errors import IntegrityError

KIND, SCHEMA = "ionto bench record", 1
FLOWS, READS = "current that flows less set-point", "board's reading less meter's"  # what the accuracy table shows
LOGS = "logs that do not verify"
# What every record has, however early its run ended; the rest are facts, which may be missing.
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "tier": str,
    "began_unix_s": (int, float),
    "duration_s": (int, float),
    "host": dict,
    "passed": bool,
    "stopped": str,
    "results": list,
    "rows": list,
    "series": list,
}
_ENTRIES = {
    "results": {"test", "title", "outcome", "reason"},
    "rows": {"test", "quantity", "value", "unit", "low", "high", "conditions", "seen", "passed"},
    "series": {"test", "name", "columns", "rows"},
}
ROW, SERIES, FACTS = "ionto_row", "ionto_series", "ionto_facts"  # names of pytest's user properties


@dataclass(frozen=True)
class Row:
    """One quantity that was measured and has limits; `conditions` are the set-points it was measured at.

    `low` and `high` are in `unit`, None where there is none; `seen` is what it was made from, or was seen beside it.
    """

    quantity: str
    value: float
    unit: str
    low: float | None
    high: float | None
    conditions: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True inside the limits."""
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    def words(self) -> str:
        """Return the row as a sentence."""
        where = ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in self.conditions.items()
        )
        span = limits_words(self.low, self.high)
        return f"{self.quantity}{f' ({where})' if where else ''}: {self.value:.6g} {self.unit}, {span}"


def limits_words(low: float | None, high: float | None) -> str:
    """Return limits in words."""
    if low is None and high is None:
        return "no limit"
    if low is None:
        return f"at most {high:.6g}"
    return f"at least {low:.6g}" if high is None else f"{low:.6g} to {high:.6g}"


def canonical(record: Mapping[str, Any]) -> bytes:
    """Return what the signature of `record` is taken over: its JSON with sorted keys, without the signature."""
    body = {name: value for name, value in record.items() if name != "sha256"}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signature(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 over `canonical`, 64 hex digits."""
    return hashlib.sha256(canonical(record)).hexdigest()


def write(record: dict[str, Any], path: Path) -> None:
    """Sign `record` and write it to `path`, whole or not at all."""
    record = json.loads(canonical(record))
    signed = {**record, "sha256": signature(record)}
    path.parent.mkdir(parents=True, exist_ok=True)
    wholefile.write(path, json.dumps(signed, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Return the record in `path`; `IntegrityError` for what is none, and for one whose signature does not hold."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise IntegrityError(f"{path} is not JSON: {error}", "Give a record that `ionto bench run` wrote.") from error
    if not isinstance(record, dict) or record.get("kind") != KIND or record.get("schema") != SCHEMA:
        raise IntegrityError(f"{path} is no record of a bench run", "Give a record that `ionto bench run` wrote.")
    if record.get("sha256") != signature(record):
        raise IntegrityError(
            f"{path} was changed after it was written: its SHA-256 does not hold", "Run the bench again."
        )
    if wrong := _lacking(record):
        raise IntegrityError(f"{path} lacks {wrong}", "Give a record that `ionto bench run` wrote.")
    return record


def _lacking(record: Mapping[str, Any]) -> str:
    """Return what a record has to have and this one has not, in words; "" for nothing."""
    for name, kind in _FIELDS.items():
        if not isinstance(record.get(name), kind):
            return f"the field {name}, or it is of another type"
    for name, needed in _ENTRIES.items():
        for entry in record[name]:
            if not isinstance(entry, dict) or not needed <= entry.keys():
                return f"a field of an entry in {name}; each has {', '.join(sorted(needed))}"
    return ""


def encode_row(row: Row) -> str:
    """Return `row` as the text of a property."""
    return json.dumps({**asdict(row), "passed": row.passed}, ensure_ascii=False)


def stamp(unix_s: float) -> str:
    """Return a moment as in the names of records."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(unix_s))
