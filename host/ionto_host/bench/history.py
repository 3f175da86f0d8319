"""The records of a board over time: keeping them beside its logs, and comparing one run with another."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import platformdirs

from ionto_host.bench import record
from ionto_host.device.messages import calibration_words
from ionto_host.errors import IntegrityError

SUFFIX = ".bench.json"


def folder() -> Path:
    """Return the folder of the records of all boards, beside the pulled logs of the user."""
    return Path(platformdirs.user_data_dir("ionto", appauthor=False)) / "bench"


def board_of(run: Mapping[str, Any]) -> str:
    """Return the board of a record; "unknown" when the run did not come so far."""
    return str(run.get("board", {}).get("board_id") or "unknown")


def keep(path: Path, place: Path) -> Path:
    """Copy the record in `path` to the records in `place`, and return where it is."""
    run = record.read(path)
    target = place / f"{board_of(run)}-{record.stamp(run['began_unix_s'])}{SUFFIX}"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return target


def earlier(run: Mapping[str, Any], place: Path) -> list[dict[str, Any]]:
    """Return the sound records in `place` of the same board on the same tier before `run`, newest first."""
    found: list[dict[str, Any]] = []
    for path in sorted(place.glob(f"{board_of(run)}-*{SUFFIX}"), reverse=True) if place.is_dir() else []:
        try:
            other = record.read(path)
        except IntegrityError:
            continue
        if other["began_unix_s"] < run["began_unix_s"] and other["tier"] == run["tier"]:
            found.append(other)
    return found


@dataclass(frozen=True)
class Change:
    """One quantity in two runs, under the same conditions."""

    test: str
    quantity: str
    conditions: dict[str, Any]
    unit: str
    before: float
    after: float
    passed_before: bool
    passed_after: bool

    @property
    def change(self) -> float:
        """What it is more now, in `unit`."""
        return self.after - self.before


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side: what both measured, what only one did, and which tests ended otherwise."""

    changes: list[Change]
    only_before: list[str]
    only_after: list[str]
    outcomes: list[tuple[str, str, str]]
    different: list[tuple[str, str, str]]


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Return what is different between two records."""
    old, new = _by_key(before["rows"]), _by_key(after["rows"])
    changes = [_change(old[key], new[key]) for key in new if key in old]
    ends = {result["test"]: result["outcome"] for result in before["results"]}
    outcomes = [
        (result["test"], ends[result["test"]], result["outcome"])
        for result in after["results"]
        if ends.get(result["test"], result["outcome"]) != result["outcome"]
    ]
    return Comparison(
        changes,
        [_name(old[key]) for key in old if key not in new],
        [_name(new[key]) for key in new if key not in old],
        outcomes,
        [(name, a, b) for name, a, b in _about(before, after) if a != b],
    )


def _about(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    fields = (
        ("board", ("board", "board_id")),
        ("firmware", ("firmware_sha256",)),
        ("meter", ("meter", "name")),
        ("calibration", ("calibration",)),
        ("room", ("room",)),
        ("tier", ("tier",)),
    )
    return [(name, _deep(before, path), _deep(after, path)) for name, path in fields]


def _deep(run: Mapping[str, Any], path: Sequence[str]) -> str:
    value: Any = run
    for name in path:
        value = value.get(name, {}) if isinstance(value, Mapping) else {}
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in sorted(value.items())) or "?"
    return str(value)


def _by_key(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {(row["test"], row["quantity"], tuple(sorted(row["conditions"].items()))): row for row in rows}


def _change(old: dict[str, Any], new: dict[str, Any]) -> Change:
    return Change(
        new["test"],
        new["quantity"],
        new["conditions"],
        new["unit"],
        old["value"],
        new["value"],
        old["passed"],
        new["passed"],
    )


def _name(row: dict[str, Any]) -> str:
    at = ", ".join(f"{name} {value}" for name, value in row["conditions"].items())
    return f"{row['test']}: {row['quantity']}" + (f" ({at})" if at else "")


@dataclass(frozen=True)
class Drift:
    """How far the current that flows has moved since an earlier run, over the points that both measured; ppm."""

    began_unix_s: int
    meter: str
    calibration: str
    count: int
    mean_ppm: float | None
    greatest_ppm: float | None


def drift(run: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> list[Drift]:
    """Return the drift of `run` against each of `before`."""
    return [_drift(run, other) for other in before]


def _drift(run: Mapping[str, Any], other: Mapping[str, Any]) -> Drift:
    moved = [
        change.change / change.conditions["set_ua"] * 1e6
        for change in compare(other, run).changes
        if change.quantity == record.FLOWS
    ]
    return Drift(
        other["began_unix_s"],
        str(other.get("meter", {}).get("name", "?")),
        calibration_words(other.get("calibration", {})),
        len(moved),
        fmean(moved) if moved else None,
        max(moved, key=abs) if moved else None,
    )
