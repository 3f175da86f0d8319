"""The load's current, measured a second time: what it finds, how fast, and that a sound board never trips it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import Rig, a_dose, device
from test_guards import SETPOINT_UA, good, guards

from ionto import faults, kernel, limits, protocol

A, B = limits.variant_a(), limits.variant_b()
WITHIN_MS = 100
CURRENTS = pytest.mark.parametrize("current_ua", [100, 250, 500, 1_000, 2_000, 4_000])
FASTEST = {"ramp_up_ms": 1_000, "ramp_down_ms": 1_000, "area_mm2": 20_000}


def told_apart(current_ua: int) -> float:
    """Return what the load's current may be away from the log's before it must be told, in uA: 5 % or 50 uA."""
    return max(50.0, 0.05 * current_ua)


def holding(current_ua: int, **changes: Any) -> Rig:
    """Return a rig in HOLD at `current_ua`, with half a second of it."""
    rig = Rig(A)
    rig.deliver(a_dose(A, **{"current_ua": current_ua, "dose_uc": current_ua * 60, **FASTEST, **changes}))
    rig.run(500)
    assert rig.session.state == protocol.HOLD
    return rig


# What is found.


@pytest.mark.hazard("HAZ-03")
@CURRENTS
@pytest.mark.parametrize("error", [-0.009, 0.0, 0.009])
def test_a_leak_of_five_percent_or_50_ua_is_latched_within_100_ms(current_ua: int, error: float) -> None:
    """Against a load that gets more than the log says (C5), also where the sensors' own errors hide a part of it."""
    rig = holding(current_ua)
    rig.plant.second_factor = 1.0 + error
    rig.run(100)
    rig.plant.leak_share = told_apart(current_ua) / current_ua
    assert rig.until(protocol.FAULT, most=WITHIN_MS) <= WITHIN_MS
    assert rig.session.fault == faults.LOAD_DISAGREE


@pytest.mark.hazard("HAZ-03", "HAZ-24")
@CURRENTS
def test_a_load_that_gets_less_is_told_as_well(current_ua: int) -> None:
    """Against a dose that is logged and not delivered: a leak to the load's other side."""
    rig = holding(current_ua)
    rig.plant.leak_share = -told_apart(current_ua) / current_ua
    rig.until(protocol.FAULT, most=WITHIN_MS)
    assert rig.session.fault == faults.LOAD_DISAGREE


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("share", [0.8, 1.25])
def test_both_measurements_wrong_together_are_found(share: float) -> None:
    """Against case F12: INA219 and V(SNS) 20 % low at 0.5 mA, so that the loop gives the load 25 % more."""
    rig = Rig(A)
    rig.plant.shunt_factor = rig.plant.sense_factor = share
    rig.start(a_dose(A, current_ua=500, dose_uc=30_000, **FASTEST))
    rig.until(protocol.FAULT, protocol.HOLD, most=3_000)
    rig.run(WITHIN_MS)
    assert rig.session.fault == faults.LOAD_DISAGREE
    assert rig.plant.charge_uc < 400


@pytest.mark.hazard("HAZ-04", "HAZ-06")
@CURRENTS
@pytest.mark.parametrize("how", ["silent", "frozen"])
def test_a_second_sensor_that_is_gone_is_latched_within_100_ms(current_ua: int, how: str) -> None:
    rig = holding(current_ua)
    rig.plant.second = how
    rig.until(protocol.FAULT, most=WITHIN_MS)
    assert rig.session.fault == faults.SECOND_SENSOR


@pytest.mark.hazard("HAZ-04")
@pytest.mark.parametrize("current_ua", [500, 1_000, 4_000])
def test_a_register_that_never_changes_is_a_stuck_one(current_ua: int) -> None:
    """The dither of the set-point, from 0.5 mA on, is eight of its steps."""
    rig = holding(current_ua)
    rig.plant.second = "stuck"
    rig.until(protocol.FAULT, most=WITHIN_MS)
    assert rig.session.fault == faults.SECOND_SENSOR


@pytest.mark.hazard("HAZ-06")
def test_a_second_sensor_that_is_gone_keeps_its_fault() -> None:
    rig = holding(1_000)
    rig.plant.second = "silent"
    rig.until(protocol.FAULT)
    rig.run(200)
    assert rig.session.clear(rig.reading) == faults.CAUSE_REMAINS
    rig.plant.second, rig.reading.second_ok = "ok", True
    rig.run(200)
    assert rig.session.clear(rig.reading) == faults.NONE


# What is counted.


@pytest.mark.hazard("HAZ-22")
def test_the_charge_is_counted_from_both() -> None:
    """Each count on its own sensor, what flows after the cut included; on a sound board they agree within 1 %."""
    rig = holding(2_000, dose_uc=6_000)
    rig.until(protocol.DONE)
    rig.run(200)
    assert rig.guards.second_charge_uc == pytest.approx(rig.plant.charge_uc, rel=0.01)
    assert rig.guards.second_charge_uc == pytest.approx(rig.guards.charge_uc, rel=0.01)


@pytest.mark.hazard("HAZ-22")
def test_only_the_second_count_sees_what_leaks() -> None:
    rig = holding(2_000)
    rig.plant.leak_share = 0.02  # too little to be told
    before = rig.guards.charge_uc, rig.guards.second_charge_uc
    rig.run(1_000)
    first_uc, second_uc = rig.guards.charge_uc - before[0], rig.guards.second_charge_uc - before[1]
    assert second_uc / first_uc == pytest.approx(1.02, abs=0.002)


# What is sound.


@pytest.mark.hazard("HAZ-24")
@settings(max_examples=12)
@given(st.sampled_from([100, 400, 800, 1_000, 4_000]), st.sampled_from([-0.009, 0.009]), st.sampled_from([-6.0, 6.0]))
def test_the_errors_of_sound_parts_never_trip_it(current_ua: int, gain: float, bias_ua: float) -> None:
    """The budget in ionto.guards, all of it to one side, through ramp up, hold and ramp down."""
    rig = Rig(A)
    plan = a_dose(A, current_ua=current_ua, dose_uc=max(6_000, current_ua * 3), **FASTEST)
    rig.start(plan)
    rig.until(protocol.RAMP_UP)
    rig.plant.second_factor = 1.0 + gain
    rig.plant.leak_share = bias_ua / current_ua
    rig.until(protocol.DONE, protocol.FAULT, most=90_000)
    assert (rig.session.fault, rig.session.outcome) == (faults.NONE, protocol.COMPLETE)


@pytest.mark.hazard("HAZ-24")
@pytest.mark.parametrize(
    "waveform",
    [
        {"waveform": "pulsed", "pulse_on_ms": 100, "pulse_off_ms": 100, "pulse_edge_ms": 20},
        {"waveform": "pulsed", "pulse_on_ms": 200, "pulse_off_ms": 150, "pulse_edge_ms": 45},
        {"waveform": "pulsed", "pulse_on_ms": 2_000, "pulse_off_ms": 1_500, "pulse_edge_ms": 1_000},
        {"reversal": "half"},
    ],
    ids=["edges of 20 ms", "edges of 45 ms", "edges of 1 s", "reversal"],
)
def test_edges_and_reversals_never_trip_it(waveform: dict[str, Any]) -> None:
    rig = Rig(A)
    assert rig.start(a_dose(A, current_ua=4_000, dose_uc=20_000, **FASTEST, **waveform)) == 0
    rig.until(protocol.DONE, protocol.FAULT, most=90_000)
    assert (rig.session.fault, rig.session.outcome) == (faults.NONE, protocol.COMPLETE)


@pytest.mark.hazard("HAZ-24")
@settings(max_examples=8)
@given(st.lists(st.tuples(st.sampled_from([2_000.0, 9_000.0, 30_000.0, 80_000.0]), st.integers(1, 90)), min_size=8))
def test_a_restless_contact_never_trips_it(contacts: list[tuple[float, int]]) -> None:
    """Contact that comes and goes moves both measurements alike: whatever ends the session, this does not."""
    rig = holding(2_000)
    for load_ohm, ms in contacts:
        rig.plant.load_ohm = load_ohm
        rig.run(ms)
        assert rig.session.fault not in (faults.LOAD_DISAGREE, faults.SECOND_SENSOR)


# Sample by sample.


def compared(second_ua: int, serial: int, **changes: int) -> Any:
    """Return a healthy reading with a new conversion of the second sensor."""
    reading = good(serial=serial, **changes)
    reading.second_ua = second_ua
    reading.block[kernel.R_SECOND_SERIAL] = serial
    reading.block[kernel.R_BESIDE_UA] = SETPOINT_UA
    reading.second_raw = serial
    return reading


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("sign", [-1, 1])
def test_eight_in_a_row_to_one_side_are_a_fault(sign: int) -> None:
    """1/32 of 2 mA is 62 uA: one more is apart, and a change of sides or one that agrees begins anew."""
    judge = guards()
    judge.compare()
    near, far = SETPOINT_UA + sign * 62, SETPOINT_UA + sign * 63
    serial = 1
    for second_ua in [near] * 20 + [far] * 7 + [near] + [far] * 7 + [SETPOINT_UA - sign * 63] * 7 + [far] * 7:
        serial += 1
        assert judge.step(1_000, compared(second_ua, serial), SETPOINT_UA, True) == faults.NONE
    assert judge.step(1_000, compared(far, serial + 1), SETPOINT_UA, True) == faults.LOAD_DISAGREE


@pytest.mark.hazard("HAZ-03")
def test_a_conversion_counts_once() -> None:
    judge = guards()
    judge.compare()
    for _ in range(100):
        assert judge.step(1_000, compared(3_000, 2), SETPOINT_UA, True) == faults.NONE


def test_nothing_is_compared_before_both_have_their_zero() -> None:
    """In the self-test the two still have their offsets; it compares them itself."""
    judge = guards()
    for serial in range(2, 40):
        assert judge.step(1_000, compared(3_000, serial), SETPOINT_UA, True) == faults.NONE


def test_the_application_looks_whether_the_second_sensor_still_converts() -> None:
    """Below the dither's current nothing in the reading itself tells: a steady current is a steady register."""
    with device() as board:
        board.hold(current_ua=200, dose_uc=30_000)
        board.plant.second = "frozen"
        board.until(protocol.FAULT, most=WITHIN_MS)
        assert board.app.session.fault == faults.SECOND_SENSOR
