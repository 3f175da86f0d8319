"""The result for people: a table by file, the survivors, and what is wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from verification.mutants.trial import KILLED

LEAST_KILLED_PERCENT = 95.0


def show(answer: dict[str, Any], console: Console) -> None:
    """Print the table and every mutant that survived."""
    table = Table("file", "tried", "killed", "equivalent", "survived")
    by_file: dict[str, Counter[str]] = {}
    for row in answer["mutants"]:
        by_file.setdefault(row["file"], Counter())[_kind(row)] += 1
    for file, counts in sorted(by_file.items()):
        kinds = (counts[kind] for kind in ("killed", "equivalent", "survived"))
        table.add_row(file, *map(str, (counts.total(), *kinds)))
    console.print(table)
    for row in answer["mutants"]:
        if _kind(row) == "survived":
            console.print(
                f"[bold]{row['file']}:{row['at']}[/] {row['function']} ({row['operator']}, {row['tests']} tests)"
            )
            console.print(f"  - {escape(row['line'])}\n  + {escape(row['mutated'])}", highlight=False)
    console.print(
        f"{answer['tried']} of {answer['of']} mutants, seed {answer['seed']}: {answer['killed']} killed "
        f"({answer['killed_percent']} %), {answer['equivalent']} equivalent "
        f"({answer['older']} of them tried on older sources), {answer['survived']} survived; "
        f"{answer['wall_s']} s"
    )


def _kind(row: dict[str, Any]) -> str:
    if row["outcome"] == KILLED:
        return "killed"
    return "equivalent" if row["reason"] else "survived"


def problems(answer: dict[str, Any]) -> list[str]:
    """Return what keeps the answer from being a good one, each a line that says what to do."""
    found = [f"stale, not a mutant of these sources: {key}" for key in answer["stale"]]
    for row in answer["mutants"]:
        if row["outcome"] == KILLED and row["reason"]:
            found.append(f"called equivalent, but {row['by']} notices it: {row['line']} -> {row['mutated']}")
    if answer["survived"]:
        found.append(
            f"{answer['survived']} survived: write a test that notices each, or its reason into equivalents.toml"
        )
    if answer["killed_percent"] < LEAST_KILLED_PERCENT:
        found.append(f"{answer['killed_percent']} % killed; at least {LEAST_KILLED_PERCENT:g} % are wanted")
    return found
