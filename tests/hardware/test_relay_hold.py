"""The relay's driver in SPICE: a wrong part fails a check, and what is held outlasts the dead-man."""

from dataclasses import replace

import pytest

from hardware.spice import runner
from hardware.spice.board import Board, board
from hardware.spice.check import Check
from hardware.spice.checks import dead_man, relay
from ionto_sim.spice import netlist

CHECKS = {check.item: check for check in relay.CHECKS}
LEAST, LONGEST = CHECKS["held after its pin, least"], CHECKS["held after its pin, longest"]
DELAY = CHECKS["from pin to coil"]


def with_value(reference: str, value: str) -> Board:
    drawing = netlist.read()
    part = replace(drawing.components[reference], value=value)
    return board(replace(drawing, components={**drawing.components, reference: part}), "A")


@pytest.mark.parametrize(
    ("reference", "value", "check"),
    [
        ("C22", "470n", LEAST),
        ("R45", "100k", LEAST),
        ("R44", "100k", LEAST),
        ("C22", "1.5u", LONGEST),
        ("R46", "1M", LONGEST),
        ("R44", "1k", DELAY),
    ],
)
def test_a_wrong_part_fails(reference: str, value: str, check: Check) -> None:
    outcome = runner.one(check, with_value(reference, value))
    assert not outcome.error
    assert not outcome.passed


def test_the_relay_outlasts_the_dead_man() -> None:
    longest_ms = max(check.limit.high or 0.0 for check in dead_man.CHECKS if check.unit == "ms")
    assert LEAST.limit.low is not None
    assert LEAST.limit.low > longest_ms


def test_full_hold_needs_no_more_than_fifty_milliseconds_of_the_pin() -> None:
    waves = relay.coil(board(netlist.read(), "A"))
    assert waves.volt("RELAY_HOLD").max() == pytest.approx(2.88, abs=0.02)
