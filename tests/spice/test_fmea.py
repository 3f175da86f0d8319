"""Rows of `make fmea` on the drawn circuit: what was found by hand is found, what does nothing is told so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ionto_sim.spice import netlist as netlists
from verification.fmea import __main__ as command
from verification.fmea import causes, faults, runner, store
from verification.fmea.judge import judge
from verification.fmea.moments import FROZEN_LAST, FROZEN_LOW, HOLD_4

LEAK, HOLD_GONE, LIGHT = "SNS:GND:800", "C22:open:1", "D7:open:1"


@pytest.fixture(scope="module")
def measured() -> dict[tuple[str, str], dict[str, Any]]:
    rows = {name: row for row in faults.rows(faults.generate(faults.Circuit(netlists.read()))) for name in row.names}
    todo = {HOLD_4.name: [rows[LEAK], rows[HOLD_GONE], rows[LIGHT]]}
    return {(row["row"], row["moment"]): row for row in runner.run(todo, 2)}


def test_a_leak_above_the_sense_resistor_is_told_before_it_is_a_violation(measured: dict[tuple[str, str], Any]) -> None:
    row = measured[LEAK, HOLD_4.name]
    assert (row["fault"], judge(row).violations) == ("LOAD_DISAGREE", ())
    assert row["figures"]["peak_ua"] > 4_900 and 20 < row["figures"]["apart_ms"] <= 100


def test_a_relay_that_is_not_held_turns_the_pole_under_current(measured: dict[tuple[str, str], Any]) -> None:
    assert judge(measured[HOLD_GONE, FROZEN_LOW]).violations == ("let_go_ms",)
    assert judge(measured[HOLD_GONE, HOLD_4.name]).violations == ()


def test_a_light_that_is_open_moves_no_node_and_the_current_ends_when_the_firmware_stops(
    measured: dict[tuple[str, str], Any],
) -> None:
    row = measured[LIGHT, FROZEN_LAST]
    assert row["same"] and measured[LIGHT, HOLD_4.name]["same"]
    assert judge(row).violations == ()
    assert 20 < row["figures"]["dark_ms"] <= 110


def test_what_the_command_writes_is_what_the_trace_of_hazards_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for how in ("--fresh", "--json"):  # measured now, and read back
        done = CliRunner().invoke(command.main, ["--fault", LIGHT, "--at", HOLD_4.name, how])
        assert done.exit_code == 0, done.output
        [row] = json.loads(causes.OUTPUT.read_text(encoding="utf-8"))
        assert (row["id"], row["moment"], row["sources"]) == (LIGHT, HOLD_4.name, store.digest())
        assert causes.problems() == []
        assert "1 rows of this tree measured" in causes.summary()


def test_what_is_left_out_of_the_sources_is_not_run_by_the_bench() -> None:
    program = (
        "import sys; from verification.fmea.bench import Bench; from verification.fmea.moments import SESSIONS; "
        "Bench(SESSIONS[0].dose).rest(); print([name for name in sys.modules if name.startswith('ionto.')])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=store.ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "'ionto.usblink'" in run.stdout and f"'ionto.{Path(store.LEFT_OUT).stem}'" not in run.stdout
