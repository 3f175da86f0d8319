"""The rows as JSON, as a table on the terminal, and as a table in docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from verification.benchmarks.catalogue import Result, Spec, Tier

DOCUMENT = Path("docs/performance.md")
BEGIN = "<!-- made by python -m verification.benchmarks --write-doc: begin -->"
END = "<!-- made by python -m verification.benchmarks --write-doc: end -->"
_TIERS = ("host", "virtual", "emulated")
_HEADINGS = ("benchmark", "unit", *_TIERS, "peer", "ratio", "goal", "met")
_NOT_RUN = "not run"
_WIDTH = 150  # narrower, nothing of the table can be read


def measured(tier: Tier, spec: Spec, result: Result) -> dict[str, Any]:
    """Return the JSON row of a value. `ratio` is how many times better than the peer, over 1 is better."""
    value, peer = result.value, result.peer_value
    return {
        **_base(tier, spec),
        "value": value,
        "met": spec.goal.met(value) if spec.goal else None,
        "peer_value": peer,
        "ratio": _ratio(spec, value, peer),
        "parts": dict(result.parts),
        "note": result.note,
    }


def not_run(tier: Tier, spec: Spec, reason: str) -> dict[str, Any]:
    """Return the JSON row of what was not measured, with the reason and what to do."""
    return {
        **_base(tier, spec),
        "value": None,
        "met": None,
        "peer_value": None,
        "ratio": None,
        "parts": {},
        "note": reason,
    }


def _base(tier: Tier, spec: Spec) -> dict[str, Any]:
    goal = str(spec.goal) if spec.goal else ""
    return {
        "key": spec.key,
        "name": spec.name,
        "tier": tier,
        "unit": spec.unit,
        "goal": goal,
        "how": spec.how,
        "peer": spec.peer,
    }


def _ratio(spec: Spec, value: float, peer: float | None) -> float | None:
    if not peer or not value:
        return None
    return value / peer if spec.unit.endswith("/s") else peer / value


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table, what was not run and why, and what missed its goal."""
    console = Console()
    console.width = max(console.width, _WIDTH)
    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*_cells(row), style="bold red" if row["met"] is False else "")
    console.print(table)
    for reason in dict.fromkeys(row["note"] for row in rows if row["note"]):
        console.print(f"{_NOT_RUN}: {reason}", markup=False)
    missed = [row["name"] for row in rows if row["met"] is False]
    open_goals = [row["name"] for row in rows if row["goal"] and row["value"] is None]
    console.print(f"goals missed: {', '.join(missed) or 'none'}", markup=False)
    console.print(f"goals not looked at: {', '.join(open_goals) or 'none'}", markup=False)


def _cells(row: dict[str, Any]) -> list[str]:
    values = [_number(row["value"]) if row["tier"] == tier else "" for tier in _TIERS]
    peer = f"{_number(row['peer_value'])} {row['peer']}" if row["peer"] else ""
    ratio = f"{row['ratio']:.1f}" if row["ratio"] else ""
    met = {True: "yes", False: "MISSED", None: ""}[row["met"]]
    return [row["name"], row["unit"], *values, peer, ratio, row["goal"], met]


def _number(value: float | None) -> str:
    if value is None:
        return _NOT_RUN
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def write_json(path: Path, machine: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    """Write what was measured and on what."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": machine, "rows": list(rows)}, indent=2) + "\n", encoding="utf-8")


def write_document(source: Path) -> None:
    """Put the rows of the JSON file `source` between the markers of docs/performance.md; ValueError without them."""
    content = json.loads(source.read_text(encoding="utf-8"))
    text = DOCUMENT.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{DOCUMENT} has to hold the lines {BEGIN} and {END} once each")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    body = "\n".join(_markdown(content["machine"], content["rows"]))
    DOCUMENT.write_text(f"{head}{BEGIN}\n{body}\n{END}{tail}", encoding="utf-8")


def _markdown(machine: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Iterable[str]:
    yield "Measured on " + "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items()) + "."
    yield ""
    yield from _markdown_table([*_HEADINGS, "how"], [[*_cells(row), row["how"]] for row in rows])


def _markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|" + "---|" * len(headings)
    for row in rows:
        yield f"| {' | '.join(row)} |"
