"""Work through the checks on every core and keep what was found."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hardware.spice.board import Board, board
from hardware.spice.check import Check, Outcome, judge
from hardware.spice.deck import DeckError
from hardware.spice.engine import SimulationError
from hardware.spice.rawfile import RawFileError
from ionto_sim.spice.netlist import Netlist

_TROUBLE = (SimulationError, DeckError, RawFileError, subprocess.TimeoutExpired)


def run(
    netlist: Netlist, checks: Iterable[Check], tell: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """Return the outcomes of `checks` on the schematic's `netlist`, in their order; each is told as it comes."""
    boards = {variant: board(netlist, variant) for variant in ("A", "B")}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = []
        for outcome in pool.map(lambda check: one(check, boards[check.variant]), checks):
            tell(outcome)
            done.append(outcome)
    return done


def one(check: Check, variant: Board) -> Outcome:
    """Return the outcome of one check; a simulation that fails is a failed check."""
    start = time.monotonic()
    try:
        found = check.measure(variant)
    except _TROUBLE as error:
        return Outcome(check, {}, error=f"{type(error).__name__}: {error}", seconds=time.monotonic() - start)
    return judge(check, found, time.monotonic() - start)


def write_json(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write every outcome with all its cases."""
    rows = [
        {
            "group": outcome.check.group,
            "item": outcome.check.item,
            "variant": outcome.check.variant,
            "low": outcome.check.limit.low,
            "high": outcome.check.limit.high,
            "unit": outcome.check.unit,
            "source": outcome.check.source,
            "how": outcome.check.how,
            "worst": None if outcome.error else outcome.worst,
            "worst_case": outcome.worst_case,
            "passed": outcome.passed,
            "error": outcome.error,
            "seconds": round(outcome.seconds, 2),
            "cases": dict(outcome.found),
        }
        for outcome in outcomes
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
