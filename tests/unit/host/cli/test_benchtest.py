"""`ionto selftest --bench`: every step with its range, told, asked, judged; what it names is on the board."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from fake_device import FakeDevice
from shell import Shell

from ionto import protocol
from ionto_host.board import benchtest
from ionto_sim.spice import netlist

STEPS = [step for stage in benchtest.STAGES for step in stage.steps]
BENCH = str(Path(__file__).parents[4] / "examples" / "bench_resistor.toml")
LATENT = ("bleeders", "gate", "pump-1", "pump-2", "divider-1", "divider-2", "limiter-1-alone", "limiter-2-alone")


def middle(step: benchtest.Step, variant: str = "A") -> float:
    """Return a value that passes."""
    return sum(step.ranges[variant]) / 2


def typed(monkeypatch: pytest.MonkeyPatch, *answers: object) -> None:
    """Let a person type `answers`."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))


@pytest.mark.hazard("HAZ-13")
def test_every_step_passes_in_the_middle_of_its_range_and_fails_outside() -> None:
    assert len({step.key for step in STEPS}) == len(STEPS) >= 19
    assert set(LATENT) <= {step.key for step in STEPS}
    for step in STEPS:
        for variant, (low, high) in step.ranges.items():
            assert step.passes(variant, middle(step, variant)) and step.passes(variant, low)
            width = high - low
            assert not step.passes(variant, low - width) and not step.passes(variant, high + width)


@pytest.mark.hazard("HAZ-13")
def test_one_of_two_parts_that_is_gone_fails_its_step() -> None:
    """Against a pair of which one is open or shorted: the other gives the right time, but not the right value."""
    wrong = {"bleeders": 750.0, "gate": 442.0, "gate-drive-1": 0.0, "divider-2": 0.0, "pump-1": 0.0, "limiter-1": 0.0}
    for step in STEPS:
        if step.key in wrong:
            assert not step.passes("A", wrong[step.key])


def test_every_part_that_a_step_names_is_on_the_board() -> None:
    parts = netlist.read().components
    named = {name for step in STEPS for name in re.findall(r"\b[A-Z]{1,2}\d+\b", f"{step.finds} {step.do}")}
    assert named - {"J2", "J3"} <= set(parts), named - set(parts)


@pytest.mark.hazard("HAZ-13", "HAZ-18")
def test_a_person_is_led_through_it(ionto: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step says what is right; a value may have a comma and its unit; what is no number is asked for again."""
    answers = [f"{middle(step):g} {step.unit}" for step in STEPS]
    typed(monkeypatch, "about right", "374,9", *answers[1:])
    found = ionto.json("selftest", "--bench")
    assert ionto.code == 0 and found["passed"] and len(found["bench"]) == len(STEPS)
    assert "367 to 383 kohm" in ionto.err and "unplug" in ionto.err and 'A number of kohm, or "skip".' in ionto.err


@pytest.mark.hazard("HAZ-13")
def test_what_fails_or_is_left_out_is_said_and_exits_with_5(
    ionto: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer, word in (("750", "R17 or R48"), ("skip", "left out")):
        typed(monkeypatch, answer, *[middle(step) for step in STEPS[1:]])
        assert ionto("selftest", "--bench") == 5
        assert word in ionto.out


def test_the_last_result_and_a_bench_do_not_go_together(ionto: Shell, fake: FakeDevice) -> None:
    assert ionto("selftest", "--last", "--bench") == 2
    assert "Leave one of the two out." in ionto.err


@pytest.mark.hazard("HAZ-13")
def test_a_board_that_fails_its_self_test_is_not_measured(ionto: Shell, fake: FakeDevice) -> None:
    fake.ends_in = protocol.FAULT
    ionto("dose", "push", BENCH)
    ionto("start")
    assert ionto("monitor", "--interval", "0.05") == 5
    assert ionto("selftest", "--bench") == 5
    assert "FAIL" in ionto.out and "TP8" not in ionto.err
