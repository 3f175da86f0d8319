"""`make hardware` in the terminal: one table of item, limit, worst result and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from hardware.spice.check import Outcome


@dataclass(frozen=True)
class Row:
    """One line of the table; `verdict` is True for pass."""

    group: str
    item: str
    variant: str
    limit: str
    worst: str
    where: str
    verdict: bool


def row_of(outcome: Outcome) -> Row:
    """Return the line of a SPICE check."""
    check = outcome.check
    unit = f" {check.unit}" if check.unit else ""
    worst = "no result" if outcome.error else f"{outcome.worst:.4g}{unit}"
    where = outcome.error or outcome.worst_case
    return Row(check.group, check.item, check.variant, f"{check.limit}{unit}", worst, where, outcome.passed)


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the table and the count of what failed."""
    table = Table(title="IontoPico hardware", title_justify="left", pad_edge=False)
    for heading in ("group", "item", "", "limit", "worst", "where", ""):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("limit", "worst") else "left")
    before = ""
    for row in rows:
        if before and row.group != before:
            table.add_section()
        verdict = "[green]pass[/]" if row.verdict else "[bold red]FAIL[/]"
        table.add_row(
            "" if row.group == before else row.group, row.item, row.variant, row.limit, row.worst, row.where, verdict
        )
        before = row.group
    console.print(table)
    failed = [row for row in rows if not row.verdict]
    console.print(
        f"{len(rows) - len(failed)} of {len(rows)} pass" + "".join(f"\n  FAIL {r.group}: {r.item}" for r in failed)
    )
