"""A small record of a bench run, as the suite writes them."""

from dataclasses import asdict

from ionto_host.bench import record
from ionto_host.bench.record import FLOWS, READS, Row


def row(quantity, value, limit, test="test_accuracy[1000]", **at):
    seen = {"meter_ua": 2_001.0, "board_ua": 2_002.0, "meter_uncertainty_ua": 3.0}
    made = Row(quantity, value, "uA", -limit, limit, at, seen)
    return {"test": test, **asdict(made), "passed": made.passed}


def run_of(flows=1.0, began=1_800_000_000, outcome="passed", **changes):
    """A small record."""
    at = {"set_ua": 2_000, "load_ohm": 1_000}
    rows = [row(FLOWS, flows, 15.5, **at), row(READS, 1.0, 15.5, **at)]
    rows.append({**row(record.LOGS, 0, 0), "seen": {"pulled": 5}})
    result = {"test": "test_accuracy[1000]", "title": "Accuracy.", "hazards": ["HAZ-03"], "tier": "bench"}
    lacking = {
        **result,
        "test": "test_stop",
        "title": "STOP.",
        "outcome": "skipped",
        "reason": "bench lacks: switch stop",
    }
    return {
        "kind": record.KIND,
        "schema": record.SCHEMA,
        "tier": "bench",
        "began_unix_s": began,
        "duration_s": 65.0,
        "host": {"ionto": "0.1.0", "python": "3.11", "system": "x"},
        "passed": outcome == "passed",
        "stopped": "",
        "board": {"board_id": "e661", "variant": "A", "firmware": "0.1.0", "micropython": "1.28.0"},
        "calibration": {"state": "none"},
        "meter": {
            "name": "dmm <1>", "identification": "Maker,Model", "range_ua": 8_000.0,
            "uncertainty_ppm": 1_000.0, "uncertainty_ua": 1.0,
        },
        "bench": {"name": "bench 1", "port": "/dev/ttyACM0", "capabilities": ["meter"]},
        "room": {"place": "lab", "temperature_c": "23"},
        "results": [{**result, "outcome": outcome, "reason": "", "duration_s": 1.0}, {**lacking, "duration_s": 0.0}],
        "rows": rows,
        "series": [{"test": "t", "name": "dose", "columns": ["s", "uA"], "rows": [[0, 0], [1, 2_000]],
                    "set_ua": 2_000, "load_ohm": 1_000.0}],
        **changes,
    }  # fmt: skip
