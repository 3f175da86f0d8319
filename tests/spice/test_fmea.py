"""Rows of `make fmea` on the drawn circuit: what was found by hand is found, what does nothing is told so."""

from __future__ import annotations

from typing import Any

import pytest

from ionto_sim.spice import netlist as netlists
from verification.fmea import faults, runner
from verification.fmea.judge import judge
from verification.fmea.moments import FROZEN_LAST, FROZEN_LOW, HOLD_4

LEAK, HOLD_GONE, LIGHT = "SNS:GND:800", "C22:open:1", "D7:open:1"


@pytest.fixture(scope="module")
def measured() -> dict[tuple[str, str], dict[str, Any]]:
    rows = {name: row for row in faults.rows(faults.generate(faults.Circuit(netlists.read()))) for name in row.names}
    todo = {HOLD_4.name: [rows[LEAK], rows[HOLD_GONE], rows[LIGHT]]}
    return {(row["row"], row["moment"]): row for row in runner.run(todo, 2)}


def test_a_leak_above_the_sense_resistor_is_more_than_the_log_says(measured: dict[tuple[str, str], Any]) -> None:
    verdict = judge(measured[LEAK, HOLD_4.name])
    assert {"apart_ms", "over_ms"} <= set(verdict.violations)
    assert measured[LEAK, HOLD_4.name]["figures"]["peak_ua"] > 4_900


def test_a_relay_that_is_not_held_turns_the_pole_under_current(measured: dict[tuple[str, str], Any]) -> None:
    assert judge(measured[HOLD_GONE, FROZEN_LOW]).violations == ("wrong_pole_ms",)
    assert judge(measured[HOLD_GONE, HOLD_4.name]).violations == ()


def test_a_light_that_is_open_moves_no_node_and_the_current_ends_when_the_firmware_stops(
    measured: dict[tuple[str, str], Any],
) -> None:
    row = measured[LIGHT, FROZEN_LAST]
    assert row["same"] and measured[LIGHT, HOLD_4.name]["same"]
    assert judge(row).violations == ()
    assert 20 < row["figures"]["dark_ms"] <= 110
