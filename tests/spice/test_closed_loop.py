"""The firmware in closed loop with the drawn circuit, in this process: the device that `make fmea` breaks, sound."""

from __future__ import annotations

from itertools import takewhile

import pytest

from ionto import protocol
from verification.fmea import children
from verification.fmea.bench import Bench
from verification.fmea.moments import FROZEN_LAST

_MOST_MS = 10_000


def _until(bench: Bench, *states: int) -> None:
    for _ in takewhile(lambda _: bench.state not in states, range(_MOST_MS)):
        bench.tick()
    assert bench.state in states, protocol.STATES[bench.state]


@pytest.fixture(scope="module")
def holding() -> Bench:
    """The one device of this process, in HOLD at 2 mA for 100 ms."""
    bench = Bench({"current_ua": 2_000, "dose_uc": 6_000})
    bench.hold_start()
    bench.let_go()
    _until(bench, protocol.HOLD)
    for _ in range(100):
        bench.tick()
    return bench


def test_firmware_that_stops_is_cut_off_by_the_circuit(holding: Bench) -> None:
    def freeze(_: int, emit: children.Emit) -> None:
        holding.freeze(FROZEN_LAST)
        points = (holding.tick_frozen() for _ in range(500))
        emit({"flowing_ms": sum(1 for _ in takewhile(lambda point: abs(point.load_ua) > 10, points))})

    [answer] = children.each([0], freeze, 1)
    assert answer.error == ""
    assert 20 < answer.content["flowing_ms"] < 60


def test_a_session_ends_with_its_dose_through_the_load(holding: Bench) -> None:
    assert holding.tick().load_ua == pytest.approx(2_000, rel=0.005)
    _until(holding, protocol.DONE, protocol.FAULT)
    assert holding.fault_name == ""
    last = [holding.tick() for _ in range(200)][-1]
    assert holding.charge_uc == pytest.approx(6_000, rel=0.005)
    assert abs(last.load_ua) < 1
