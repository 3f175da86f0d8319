"""The rows: which are run, each as one JSON object, run side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verification.campaign.catalogue import BOARDS, BY_NAME, FAULTS, STATES, Fault
from verification.campaign.judge import Judge, Verdict, logged_charge_uc, outcome_of
from verification.campaign.rig import Rig
from verification.campaign.scenario import Findings, Scenario


@dataclass(frozen=True)
class Case:
    """One row to run."""

    fault: str
    state: str
    board: str = "nominal"


def cases(faults: Sequence[str] = (), states: Sequence[str] = ()) -> list[Case]:
    """Return every case, or those of `faults` and `states` only."""
    chosen = [BY_NAME[name] for name in faults] if faults else FAULTS
    return [
        Case(fault.name, state, board)
        for fault in chosen
        for state in STATES
        for board in fault.boards
        if not states or state in states
    ]


def node(row: Mapping[str, Any]) -> str:
    """Return what a row is called in the record of results, as if it were a test."""
    return f"verification/campaign/catalogue.py::{row['fault']}[{row['state']}-{row['board']}]"


def marked() -> dict[str, list[str]]:
    """Return the hazards that every row of the whole campaign proves, by `node`."""
    return {node(vars(case)): list(BY_NAME[case.fault].hazards) for case in cases()}


def run(case: Case, image: Path) -> dict[str, Any]:
    """Run one case on a virtual Pico from the flash `image` and return its row; what goes wrong fails the row."""
    fault = BY_NAME[case.fault]
    began = time.monotonic()
    try:
        with Rig(image, BOARDS[case.board], **fault.settings) as rig:
            found = Scenario(rig, fault, case.state).run()
        row = _judged(fault, case, found)
    except Exception as error:  # a row that cannot be run has failed, and must not hide the others
        row = {**_head(fault, case), "passed": False, "failures": [f"{type(error).__name__}: {error}"]}
    return {**row, "wall_s": round(time.monotonic() - began, 2)}


def run_all(chosen: Sequence[Case], image: Path, jobs: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of `chosen` as they come, `jobs` at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, case, image) for case in chosen]
        for future in as_completed(futures):
            yield future.result()


def _head(fault: Fault, case: Case) -> dict[str, Any]:
    return {
        "fault": case.fault,
        "state": case.state,
        "board": case.board,
        "text": fault.text,
        "hazards": list(fault.hazards),
    }


def _judged(fault: Fault, case: Case, found: Findings) -> dict[str, Any]:
    verdict = Judge(fault, case.state, case.board, found).verdict()
    name, share = verdict.worst
    return {
        **_head(fault, case),
        "passed": not verdict.failures,
        "failures": verdict.failures,
        "expected": verdict.expect.result,
        "worst_figure": name,
        "worst_share": round(share, 3),
        **_figures(verdict, found),
    }


def _figures(verdict: Verdict, found: Findings) -> dict[str, Any]:
    """Return what was measured, `limits` what it may be at most; units are in the names."""
    assert found.reading is not None and found.meter is not None and found.last is not None
    return {
        "peak_ua": round(found.reading.peak_ua, 1),
        "time_below_10ua_us": found.reading.t_below_us,
        "current_flowed_us": found.reading.on_us,
        "charge_after_uc": round(found.reading.charge_uc, 3),
        "meter_charge_uc": round(found.meter.charge_uc, 1),
        "log_charge_uc": logged_charge_uc(found.logs),
        "limits": {name: round(most, 1) for name, (_, most) in verdict.bounds.items()},
        "measured": {name: round(value, 3) for name, (value, _) in verdict.bounds.items()},
        "why": verdict.expect.why,
        "latched": found.last.fault_name,
        "refusal": found.refusal,
        "end_state": found.last.state_name,
        "log_outcome": outcome_of(found),
        "log_verified": all(log.verified for log in found.logs),
        "state_by_log": found.state_seen,
        "boots": found.boots,
    }
