"""Measured rows with their verdicts: what the page, the document and the list of known violations are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from verification.fmea import byhand, known
from verification.fmea.faults import Row
from verification.fmea.judge import Verdict, judge
from verification.fmea.moments import BEFORE, NAMES, WITHIN

Measured = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One fault at one moment."""

    moment: str
    verdict: Verdict
    measured: Measured


@dataclass(frozen=True)
class Line:
    """One fault with all its names, at all the moments that were measured."""

    row: Row
    parts: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def violations(self) -> list[Cell]:
        """The moments at which it violates something, worst first."""
        return sorted((cell for cell in self.cells if cell.verdict.violations), key=lambda cell: -cell.verdict.share)

    @property
    def worst(self) -> float:
        """The greatest share of a limit."""
        return max((cell.verdict.share for cell in self.cells), default=0.0)

    @property
    def noticed(self) -> bool:
        """Return True when the firmware refused or tripped at some moment."""
        return any(cell.measured["fault"] for cell in self.cells)

    @property
    def latent(self) -> bool:
        """Return True when at no moment something was noticed, nor violated."""
        return not self.noticed and not self.violations


def lines(rows: Iterable[Row], parts: Mapping[str, str], measured: Mapping[tuple[str, str], Measured]) -> list[Line]:
    """Return what was measured as lines, worst first; `parts` has the part or net of each fault's id."""
    found = []
    for row in rows:
        cells = tuple(_cells(row, measured))
        if cells:
            found.append(Line(row, tuple(dict.fromkeys(parts[name] for name in row.names)), cells))
    return sorted(found, key=lambda line: (not line.violations, -line.worst, line.row.key))


def _cells(row: Row, measured: Mapping[tuple[str, str], Measured]) -> Iterable[Cell]:
    before = [measured[row.key, moment.name] for moment in BEFORE if (row.key, moment.name) in measured]
    refusal = next((found["fault"] for found in before if not found.get("error") and found["refused"]), "")
    for name in NAMES:
        found = measured.get((row.key, name))
        if found is not None:
            verdict = judge(found)
            if name in WITHIN and "error" not in verdict.violations:
                verdict = _found_before(row, refusal, verdict)
            yield Cell(name, verdict, found)


def _found_before(row: Row, refusal: str, verdict: Verdict) -> Verdict:
    """Return the verdict on a second fault when the first is refused, or is for a person to find."""
    if refusal:
        return Verdict((), "refused", f"{refusal} before the session, so that it does not come to this", 0.0)
    step = next((byhand.FOUND[name] for name in row.names if name in byhand.FOUND), None)
    if step and verdict.violations:
        return Verdict((), "by hand", f"step {step[0]} of ionto selftest --bench: {step[1]}; {verdict.why}", 0.0)
    return verdict


def violations(found: Iterable[Line]) -> dict[str, tuple[str, ...]]:
    """Return what each row violates, by the row's label; rows without a violation are not there."""
    return {
        known.label(line.row.key, cell.moment): cell.verdict.violations
        for line in found
        for cell in line.cells
        if cell.verdict.violations
    }
