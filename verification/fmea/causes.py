"""Which part causes which hazard: the listed violations of `make fmea`, for the hazard page and `make trace`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ionto_sim.spice.netlist import natural
from verification.fmea import known, store

OUTPUT = Path("build/fmea.json")
# The hazard of each figure of `judge.LIMITS`; a row that could not be simulated leaves open whether the model is right.
HAZARDS: Mapping[str, str] = {
    "peak_ua": "HAZ-02",
    "over_ms": "HAZ-02",
    "apart_ms": "HAZ-03",
    "off_ua": "HAZ-12",
    "dark_ms": "HAZ-14",
    "wrong_pole_ms": "HAZ-18",
    "let_go_ms": "HAZ-18",
    "excess_uc": "HAZ-22",
    "cell_ua": "HAZ-26",
    "gate_mv": "HAZ-13",
    "error": "HAZ-34",
}


def part_of(label: str) -> str:
    """Return the part or net that a row's label begins with."""
    return label.split(":", 1)[0].split("~", 1)[0]


def parts(listed: known.Violations | None = None) -> dict[str, list[str]]:
    """Return the parts and nets of the listed violations by hazard, in the order of a parts list."""
    found: dict[str, set[str]] = {}
    for label, violations in (known.read() if listed is None else listed).items():
        for name in violations:
            found.setdefault(HAZARDS[name], set()).add(part_of(label))
    return {key: sorted(names, key=natural) for key, names in found.items()}


def problems(path: Path = OUTPUT, listed: known.Violations | None = None) -> list[str]:
    """Return what the last sweep found that the list does not have, and the other way round, as sentences."""
    difference = known.compare(*_found(_rows(path)), known.read() if listed is None else listed)
    return [
        *(f"{label} violates a limit and is not listed" for label in difference.new),
        *(f"{label} is listed and violates nothing" for label in difference.gone),
        *(f"{label} violates something else than listed" for label in difference.other),
    ]


def summary(path: Path = OUTPUT) -> str:
    """Return how many rows there are, and how many of them violate a limit as listed, in words."""
    rows, listed = _rows(path), known.read()
    measured = f"{len(rows)} rows of this tree measured" if rows else "no row of this tree measured (make fmea)"
    places = len({part_of(label) for label in listed})
    return f"fmea: {len(listed)} listed violations of {places} parts and nets; {measured}"


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the last sweep that are of the present sources."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    sources = store.digest() if rows else ""
    return [row for row in rows if row["sources"] == sources]


def _found(rows: Iterable[dict[str, Any]]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    labels = {known.label(row["id"], row["moment"]): tuple(row["violates"]) for row in rows}
    return {label: violations for label, violations in labels.items() if violations}, list(labels)
