"""Hazards against their tests: what is proven, what is missing, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from verification.hazards.document import Hazard
from verification.hazards.record import FAILED, PASSED, Record

NOT_RUN = "not run"
_WIDTH = 150  # narrower, nothing of the table can be read


@dataclass(frozen=True)
class Row:
    """One hazard with the outcome of each of its tests, by node id: passed, failed, skipped or not run."""

    hazard: Hazard
    outcomes: dict[str, str]
    required: dict[str, bool]

    def problems(self) -> list[str]:
        """Return why the hazard is not proven, as sentences."""
        if not any(self.required.values()):
            return [f"{self.hazard.key} has no test that `make test` runs"]
        return [
            f"{self.hazard.key}: {node} {outcome if outcome != FAILED else 'did not pass'}"
            for node, outcome in self.outcomes.items()
            if outcome != PASSED and (self.required[node] or outcome == FAILED)
        ]

    def tier(self, name: str) -> str:
        """Return "passed of all" for the tests of the tier `name`; "" without one."""
        outcomes = [outcome for node, outcome in self.outcomes.items() if tier_of(node) == name]
        passed = outcomes.count(PASSED)
        return "" if not outcomes else f"{passed}" if passed == len(outcomes) else f"{passed} of {len(outcomes)}"


def tier_of(node: str) -> str:
    """Return the tier of a test: the folder below tests/, or "campaign" below verification/."""
    return node.split("/")[1]


def rows(hazards: Sequence[Hazard], known: Record) -> list[Row]:
    """Return one row a hazard."""
    return [_row(hazard, known) for hazard in hazards]


def _row(hazard: Hazard, known: Record) -> Row:
    nodes = sorted(node for node, keys in known.marked.items() if hazard.key in keys)
    outcomes = {node: known.results.get(node, NOT_RUN) for node in nodes}
    return Row(hazard, outcomes, {node: known.must_run(node) for node in nodes})


def tiers(table_rows: Sequence[Row]) -> list[str]:
    """Return the tiers that hold tests of some hazard, those of `make test` first."""
    found = {tier_of(node): row.required[node] for row in table_rows for node in row.outcomes}
    return sorted(found, key=lambda name: (not found[name], name))


def summary(known: Record) -> str:
    """Return how many tests of each tier prove a hazard, and how many of them passed, in words."""
    words = []
    for name in sorted({tier_of(node) for node in known.marked}):
        nodes = [node for node in known.marked if tier_of(node) == name]
        words.append(f"{name} {sum(known.results.get(node) == PASSED for node in nodes)} of {len(nodes)}")
    return "passed: " + ", ".join(words)


def show(table_rows: Sequence[Row], console: Console) -> None:
    """Print the matrix: a line a hazard, a column a tier."""
    names = tiers(table_rows)
    table = Table("hazard", "", "harm", "mitigated by", *names, "proven", title="Tests passed, by hazard and tier")
    for row in table_rows:
        hazard = row.hazard
        proven = "NO" if row.problems() else "yes"
        mitigated = ", ".join(name.lower() for name in hazard.mitigations)
        table.add_row(hazard.key, hazard.title, hazard.severity, mitigated, *map(row.tier, names), proven)
    console.width = max(console.width, _WIDTH)
    console.print(table)
