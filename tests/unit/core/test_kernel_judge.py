"""Each guard by itself: what it takes for wrong, for how many cycles, and that one good cycle starts it again."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ionto import faults, kernel, limits
from ionto.guards import Guards
from ionto.reading import Reading

A = limits.variant_a()
SETPOINT_UA = 1_000
GOOD = {
    "fresh": 1,
    "current_ua": 1_000,
    "sense_ua": 1_000,
    "second_ua": 1_000,
    "beside_ua": 1_000,
    "drain_mv": 10_000,
    "source_mv": 201,
    "load_mv": 4_000,
    "rail_mv": 24_000,
    "strap": 1,
    "pole": 1,
}


class Guard(NamedTuple):
    """What `nearly` holds and `wrong` breaks, `samples` times in a row, with `code`."""

    name: str
    nearly: dict[str, int]
    wrong: dict[str, int]
    samples: int
    code: int


def flowing(current_ua: int, **more: int) -> dict[str, int]:
    """Return a reading on which every measurement of the current agrees."""
    return {"current_ua": current_ua, "sense_ua": current_ua, "second_ua": current_ua, "beside_ua": current_ua, **more}


STILL = {"raw": 77, "second_raw": 77}
# The envelope of the set-point stays 7 uA behind it: a quarter of that, 1 uA, is added where the current may lag.
GUARDS = (
    Guard("over", flowing(1_122), flowing(1_123), 2, faults.OVER_CURRENT),
    Guard("trip", flowing(1_122), flowing(4_401), 1, faults.OVER_CURRENT_ABSOLUTE),
    Guard("range", {}, {"full_scale": 1}, 1, faults.OVER_CURRENT_ABSOLUTE),
    Guard("under", flowing(878), flowing(877), 300, faults.UNDER_CURRENT),
    Guard("compliance", flowing(500, drain_mv=1_500), flowing(500, drain_mv=1_501), 300, faults.UNDER_CURRENT),
    Guard("silent", {}, {"fresh": 0}, 2, faults.SENSOR_STALE),
    Guard("configuration", {}, {"sensor_ok": 0}, 1, faults.SENSOR_CONFIG),
    Guard("stuck", {**STILL, "drain_mv": 601}, {"raw": 77, "drain_mv": 602}, 200, faults.SENSOR_STUCK),
    Guard("apart high", {"sense_ua": 1_122}, {"sense_ua": 1_123}, 4, faults.SENSE_DISAGREE),
    Guard("apart low", {"sense_ua": 878}, {"sense_ua": 877}, 4, faults.SENSE_DISAGREE),
    Guard("second", {}, {"second_ok": 0}, 1, faults.SECOND_SENSOR),
    Guard("second stuck", {**STILL, "drain_mv": 601}, {"second_raw": 77, "drain_mv": 602}, 20, faults.SECOND_SENSOR),
    Guard("load takes more", {"second_ua": 1_032}, {"second_ua": 1_033}, 8, faults.LOAD_DISAGREE),
    Guard("load takes less", {"second_ua": 968}, {"second_ua": 967}, 8, faults.LOAD_DISAGREE),
    Guard("lifted", flowing(30, drain_mv=399), flowing(29, drain_mv=399), 2, faults.OPEN_CIRCUIT),
    Guard("hardly touching", flowing(125, drain_mv=399), flowing(124, drain_mv=399), 1_000, faults.LOAD_OUT_OF_RANGE),
    Guard("shorted", {"load_mv": 150}, {"load_mv": 149}, 8, faults.SHORT_CIRCUIT),
    Guard("pole", {}, {"pole": 0}, 64, faults.WRONG_POLE),
    Guard("USB", {"vbus": 1}, {"vbus": 1, "strap": 0}, 1, faults.USB_APPEARED),
    Guard("rail low", {"rail_mv": 20_000}, {"rail_mv": 19_999}, 20, faults.RAIL_LOW),
    Guard("rail high", {"rail_mv": 27_500}, {"rail_mv": 27_501}, 20, faults.RAIL_HIGH),
)


class Bench:
    """Guards in a long session of 1 mA, in which every sensor has long been alive."""

    def __init__(self) -> None:
        self.guards = Guards(A)
        self.guards.begin(A.max_dose_uc, A.max_session_ms)
        self.guards.compare()
        self.guards.expect(SETPOINT_UA)
        self.guards.expect_pole(1)
        self.cycle = 0
        assert set(self.codes(100, {})) == {faults.NONE}

    def codes(self, cycles: int, changes: dict[str, int]) -> list[int]:
        """Return the verdicts of so many cycles, good but for `changes`; the sensors move by 1 LSB unless told."""
        return [self._code(changes) for _ in range(cycles)]

    def _code(self, changes: dict[str, int]) -> int:
        self.cycle += 1
        odd = self.cycle & 1
        moving = {"raw": 100 + odd, "second_raw": 100 + odd, "second_serial": self.cycle, "rail_mv": 24_000 + odd}
        reading = Reading()
        for name, value in {**GOOD, **moving, **changes}.items():
            reading.block[getattr(kernel, "R_" + name.upper())] = value
        if reading.sense_ua == reading.current_ua:
            reading.sense_ua += odd
        return self.guards.step(1_000, reading, SETPOINT_UA, True)


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.name.replace(" ", "_") for guard in GUARDS])
def test_a_guard_counts_wrong_cycles_in_a_row_and_no_others(guard: Guard) -> None:
    """Against a threshold or a count that is one off, and against a count that a good cycle does not end."""
    bench = Bench()
    assert set(bench.codes(guard.samples + 1, guard.nearly)) == {faults.NONE}, "within its bound"
    assert bench.codes(guard.samples - 1, guard.wrong) == [faults.NONE] * (guard.samples - 1)
    assert set(bench.codes(2, {}) + bench.codes(1, guard.nearly)) == {faults.NONE}
    assert bench.codes(guard.samples, guard.wrong) == [*[faults.NONE] * (guard.samples - 1), guard.code]


def test_a_current_that_is_low_beside_a_compliance_that_is_left_is_no_lift() -> None:
    assert set(Bench().codes(20, flowing(29, drain_mv=400))) == {faults.NONE}


def test_a_sense_input_that_stands_still_is_told_in_the_thousandth_cycle() -> None:
    """From the one that brought the value on."""
    bench = Bench()
    assert set(bench.codes(1_000, {"sense_ua": 1_002})) == {faults.NONE}
    assert bench.codes(1, {"sense_ua": 1_002}) == [faults.ADC_STUCK]


@pytest.mark.parametrize("source_mv", [407, 416, 407 + 825])
def test_in_a_wide_code_of_the_adc_its_other_channels_show_that_it_lives(source_mv: int) -> None:
    """V(SNS) stands still with the rail moving for as long as it likes; with the rail still too, for 250 cycles."""
    bench, wide = Bench(), {"sense_ua": 1_002, "source_mv": source_mv}
    assert set(bench.codes(3_000, wide)) == {faults.NONE}
    last_mv = 24_000 + (bench.cycle & 1)
    assert set(bench.codes(250, {**wide, "rail_mv": last_mv})) == {faults.NONE}
    assert bench.codes(1, {**wide, "rail_mv": last_mv}) == [faults.ADC_STUCK]


@pytest.mark.parametrize("source_mv", [406, 417])
def test_beside_a_wide_code_nothing_but_the_sense_input_counts(source_mv: int) -> None:
    bench = Bench()
    assert bench.codes(1_001, {"sense_ua": 1_002, "source_mv": source_mv})[-1] == faults.ADC_STUCK


FROM_THE_FIRST = {"over", "silent", "lifted", "hardly touching", "shorted", "pole", "rail low", "rail high"}


@pytest.mark.parametrize(
    "guard", [guard for guard in GUARDS if guard.name in FROM_THE_FIRST], ids=lambda guard: guard.name
)
def test_with_the_output_off_in_between_a_guard_counts_from_nothing(guard: Guard) -> None:
    """The others need a sensor that has been alive, or a current that has settled."""
    bench = Bench()
    assert bench.codes(guard.samples - 1, guard.wrong) == [faults.NONE] * (guard.samples - 1)
    assert bench.guards.step(1_000, Reading(), 0, False) == faults.NONE
    assert bench.codes(guard.samples, guard.wrong) == [*[faults.NONE] * (guard.samples - 1), guard.code]


@pytest.mark.parametrize(
    ("time_limit_ms", "cycles", "code"),
    [(90_000, 8_031, faults.CHARGE_EXCEEDED), (7_000, 7_000, faults.TIME_EXCEEDED)],
)
def test_a_ceiling_is_passed_in_the_first_cycle_beyond_it(time_limit_ms: int, cycles: int, code: int) -> None:
    """A dose of 8 mC and a 256th, at 1 uC a cycle; and the time."""
    bench = Bench()
    bench.guards.begin(8_000, time_limit_ms)
    assert set(bench.codes(cycles, {})) == {faults.NONE}
    assert bench.codes(1, {}) == [code]


def test_the_other_measurement_has_a_ceiling_of_its_own() -> None:
    """A dose of 8 mC, a 16th and 500 uC, of which each pair of cycles brings 2,243 nC."""
    bench = Bench()
    bench.guards.begin(8_000, 90_000)
    bench.guards.compare()
    reached = 0
    while bench.guards.sense_charge_uc <= 9_000:
        told = bench.codes(1, {"sense_ua": 1_121 + reached % 2})
        reached += 1
    assert told == [faults.CHARGE_EXCEEDED]
    assert bench.guards.charge_uc < 8_031
