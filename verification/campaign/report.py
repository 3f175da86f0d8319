"""The rows as a table, fault by state, with what failed below it, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from verification.campaign.catalogue import STATES

_WIDTH = 150  # narrower, nothing of the table can be read
_FIGURES = (
    ("peak_ua", "greatest current", "uA"),
    ("time_ms", "longest time to below 10 uA after a fault, with what the firmware may take", "ms"),
    ("charge_after_uc", "most charge after a fault", "uC"),
    ("log_error_uc", "log against meter", "uC"),
    ("dose_error_uc", "dose against meter", "uC"),
    ("overshoot_ua", "current over the set-point in a session that goes on", "uA"),
)


def show(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the table, the greatest figures, and every failure."""
    console.width = max(console.width, _WIDTH)
    console.print(_table(rows))
    console.print(
        "A figure is the share of its bound that the worst of current, time, charge, dose and log takes; of several "
        "boards the worst.",
        highlight=False,
    )
    for line in (*_greatest(rows), *_failures(rows)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    failed = sum(not row["passed"] for row in rows)
    console.print(f"{len(rows)} rows, {len(rows) - failed} passed, {failed} failed", highlight=False)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    states = [state for state in STATES if any(row["state"] == state for row in rows)]
    table = Table("fault", *states)
    for fault in dict.fromkeys(row["fault"] for row in rows):
        table.add_row(
            fault, *(_cell([row for row in rows if (row["fault"], row["state"]) == (fault, state)]) for state in states)
        )
    return table


def _cell(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    share = max(row.get("worst_share", 0.0) for row in rows)
    if all(row["passed"] for row in rows):
        return f"[green]{share:4.0%}[/]"
    return "[bold red]FAILED[/]"


def _greatest(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the greatest of each figure, in words, with its row and its bound."""
    lines = []
    for name, text, unit in _FIGURES:
        measured = [row for row in rows if name in row.get("measured", {})]
        if measured:
            row = max(measured, key=lambda item: item["measured"][name])
            lines.append(f"{text}: {row['measured'][name]:,.0f} of {row['limits'][name]:,.0f} {unit} ({_where(row)})")
    return lines


def _failures(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [f"FAILED {_where(row)}: {'; '.join(row['failures'])}" for row in rows if not row["passed"]]


def _where(row: dict[str, Any]) -> str:
    board = "" if row["board"] == "nominal" else f", {row['board']} tolerances"
    return f"{row['fault']} in {row['state']}{board}"


def write_json(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows as a JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")
