"""The page for people: build/fmea.html, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ionto_sim.spice.netlist import Netlist
from verification.fmea import places
from verification.fmea.moments import NAMES
from verification.fmea.results import Cell, Line

_MOST_NAMES = 6


def render(found: Sequence[Line], netlist: Netlist, summary: str) -> str:
    """Return the page."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    table = [_row(line, netlist) for line in found]
    return environment.get_template("page.html.j2").render(summary=summary, moments=NAMES, lines=table)


def _row(line: Line, netlist: Netlist) -> dict[str, Any]:
    cells = {cell.moment: _cell(cell) for cell in line.cells}
    others = line.row.names[1:]
    more = f" and {len(others) - _MOST_NAMES} more" if len(others) > _MOST_NAMES else ""
    return {
        "key": line.row.key,
        "others": ", ".join(others[:_MOST_NAMES]) + more,
        "places": [(part, places.link(netlist, part)) for part in line.parts[:_MOST_NAMES]],
        "cells": [cells.get(name) for name in NAMES],
    }


def _cell(cell: Cell) -> dict[str, str]:
    verdict, fault = cell.verdict, cell.measured["fault"]
    if verdict.violations:
        return {"look": "bad", "word": ", ".join(verdict.violations), "why": verdict.why}
    look = "cut" if fault or verdict.result == "refused" else "ok"
    return {"look": look, "word": fault or verdict.result, "why": verdict.why}
