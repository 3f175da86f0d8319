"""The simulated ADC has the wide codes of the RP2040's, and no guard takes them for a fault, at any current."""

from __future__ import annotations

from collections import Counter

import pytest

from ionto import faults, kernel, limits
from ionto.guards import Guards
from ionto.limits import Limits
from ionto.reading import Reading, Scale
from ionto_sim import adc, parameters
from ionto_sim.compat import Noise

A, B = limits.variant_a(), limits.variant_b()
LSB = 1 << 20
MV_PER_LSB = 3_300 / 4_096


def codes(wide_lsb: float) -> list[int]:
    """Return the code in the middle of every eighth of an LSB over the range."""
    return [adc.code(at * LSB // 8 + LSB // 16, *adc.stretch(wide_lsb)) for at in range(8 * 4_096)]


def test_four_codes_are_nine_steps_wide_and_none_is_missing() -> None:
    """As published in RP2040-E11; the rest is narrower by as much in all, so that the ends stay where they are."""
    found = codes(9.0)
    assert found == sorted(found)
    assert set(found) == set(range(4_096))
    widths = {code: count / 8 for code, count in Counter(found).items()}
    assert {code for code, width in widths.items() if width > 2} == set(adc.WIDE_CODES)
    assert all(widths[code] == pytest.approx(9.0, abs=0.3) for code in adc.WIDE_CODES)
    assert max(abs(code - at / 8) for at, code in enumerate(found)) <= 5.2


def test_without_wide_codes_it_is_ideal() -> None:
    assert codes(1.0) == [min((at + 4) // 8, 4_095) for at in range(8 * 4_096)]


class Board:
    """What the guards see of a board that holds `current_ua` through a fair load, every conversion with its noise."""

    def __init__(self, build: Limits, current_ua: int):
        values = parameters.board(build.variant)
        self.stretch = adc.stretch(values["adc_wide_lsb"])
        self.noise_lsb = values["adc_noise_lsb"]
        self.noise = Noise(current_ua)
        self.current_ua = current_ua
        source_mv = current_ua * build.sense_mohm / 1e6
        drain_mv = max(source_mv + 600.0, 24_000.0 - current_ua * 3.0)
        self.millivolts = {0: source_mv, 1: source_mv + (drain_mv - source_mv) / 11}
        self.rail_mv = 24_000.0 / 11
        self.measure = Scale(build).block
        self.reading = Reading()
        self.reading.bench_strap = True
        self.frozen: dict[int, int] = {}

    def count(self, millivolt: float) -> int:
        """Return `read_u16` of `millivolt` at the pin."""
        raw = int(millivolt / MV_PER_LSB * LSB) + int(self.noise.next() * self.noise_lsb * 1_024)
        found = adc.code(raw, *self.stretch)
        return found << 4 | found >> 8

    def read(self, cycle: int) -> Reading:
        """Return what the cycle reads."""
        raw = self.current_ua + cycle % 3 - 1
        slot = cycle & 7
        first = self.count(self.millivolts[slot & 1])
        second = self.count(self.rail_mv) if slot == kernel.TAKE_RAIL else 0
        if self.frozen:
            first, second = self.frozen[slot & 1], self.frozen[2] if slot == kernel.TAKE_RAIL else 0
        if slot & 1 == 0 and slot == kernel.TAKE_VSYS:
            second = self.count(1_300.0)
        kernel.take(self.reading.block, self.measure, raw.to_bytes(2, "big"), 1, slot, first, second)
        self.reading.stop_open = self.reading.vbus = False
        return self.reading


def judged(board: Board, build: Limits, cycles: int) -> list[int]:
    """Return the verdicts, but for the first cycles, in which not everything has been read."""
    guards = Guards(build)
    guards.begin(build.max_dose_uc, build.max_session_ms)
    guards.block[kernel.G_ENVELOPE] = board.current_ua
    for cycle in range(8):
        board.read(cycle)
    return [guards.step(1_000, board.read(cycle), board.current_ua, True) for cycle in range(cycles)]


@pytest.mark.hazard("HAZ-04")
@pytest.mark.parametrize(
    ("build", "currents"),
    [
        (A, range(2_020, 2_090, 5)),
        (B, range(10_150, 10_430, 20)),
        (A, range(500, 4_001, 250)),
        (B, range(1_000, 18_001, 1_700)),
    ],
    ids=["A, wide", "B, wide", "A", "B"],
)
def test_no_current_is_taken_for_a_fault(build: Limits, currents: range) -> None:
    """Against ADC_STUCK and SENSE_DISAGREE where nothing is broken: 2.06 mA lies in the middle of code 511."""
    for current_ua in currents:
        assert set(judged(Board(build, current_ua), build, 1_600)) == {faults.NONE}, current_ua


@pytest.mark.hazard("HAZ-04")
@pytest.mark.parametrize("current_ua", [2_053, 1_500])
def test_an_adc_that_keeps_every_result_is_told_in_a_wide_code_too(current_ua: int) -> None:
    board = Board(A, current_ua)
    board.frozen = {slot: board.count(volt) for slot, volt in board.millivolts.items()} | {2: board.count(2_181.8)}
    found = judged(board, A, 1_400)
    assert faults.ADC_STUCK in found
    assert found.index(faults.ADC_STUCK) < (1_300 if current_ua == 2_053 else 1_010)
