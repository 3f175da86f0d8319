"""A contact that comes and goes: nothing is learnt from it, the current comes back by a ramp, the dose is met."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import Rig, a_dose

from ionto import dose, faults, limits, protocol
from ionto.controller import Controller
from ionto.limits import Limits
from ionto.pins import PWM_TOP

A, B = limits.variant_a(), limits.variant_b()
INNER_OHM = {"A": 790.0, "B": 179.0}
HALF_PERCENT = 0.005
PULSES = {"waveform": "pulsed", "pulse_on_ms": 300, "pulse_off_ms": 300, "pulse_edge_ms": 50}


def load_for(build: Limits, current_ua: float) -> float:
    """Return the load (ohm) through which the rail drives `current_ua` at most."""
    return 24e6 / current_ua - INNER_OHM[build.variant]


def run(rig: Rig, most: int = 200_000) -> None:
    """Run until the session is over and its tail has flowed."""
    rig.until(protocol.DONE, protocol.FAULT, most=most)
    rig.run(150)


def assert_met(rig: Rig, plan: dose.Dose) -> None:
    """The dose is in by the independent meter within 0.5 %, the session complete and without a fault."""
    assert (rig.session.outcome, rig.session.fault) == (protocol.COMPLETE, faults.NONE)
    assert abs(rig.plant.charge_uc - plan.dose_uc) <= plan.dose_uc * HALF_PERCENT


# What is learnt.


@pytest.mark.hazard("HAZ-07", "HAZ-24")
@pytest.mark.parametrize(
    ("load_ohm", "edge_ms"), [(14_000.0, 100), (14_000.0, 200), (14_000.0, 1_000), (20_000.0, 1_000), (11_300.0, 200)]
)
def test_pulses_through_a_poor_contact_complete(load_ohm: float, edge_ms: int) -> None:
    """Against over-current from a push that the integral learnt while the contact decided the current."""
    pulses = {"waveform": "pulsed", "pulse_on_ms": edge_ms + 300, "pulse_off_ms": edge_ms + 100}
    plan = a_dose(A, dose_uc=12_000, max_extension_pct=100, pulse_edge_ms=edge_ms, **pulses)
    rig = Rig(load_ohm=load_ohm)
    rig.start(plan)
    run(rig)
    assert_met(rig, plan)


@pytest.mark.hazard("HAZ-07")
@pytest.mark.parametrize("build", [A, B], ids="AB")
@pytest.mark.parametrize("share", [0.2, 0.7, 0.93, 0.97, 0.99, 1.01])
@pytest.mark.parametrize("poor_ms", [30, 600])
def test_a_contact_that_recovers_gives_no_more_than_a_hundredth_too_much(
    build: Limits, share: float, poor_ms: int
) -> None:
    """Against an overshoot at recovery: from just below the set-point, where the sink is barely fully on, as well."""
    full_ua = build.max_current_ua
    good_ohm = load_for(build, full_ua * 2)
    rig = Rig(build, load_ohm=good_ohm)
    rig.deliver(a_dose(build, current_ua=full_ua, dose_uc=full_ua * 20, area_mm2=20_000))
    rig.run(300)
    for _ in range(3):
        rig.plant.load_ohm = load_for(build, full_ua * share)
        rig.run(poor_ms)
        rig.plant.load_ohm = good_ohm
        rig.run(40)
    rig.run(600)
    assert rig.session.fault == faults.NONE
    assert rig.plant.peak_ua <= full_ua * 1.01 + 2


@pytest.mark.hazard("HAZ-07")
@pytest.mark.parametrize("build", [A, B], ids="AB")
@settings(max_examples=10)
@given(st.lists(st.tuples(st.floats(0.15, 2.5), st.integers(1, 400)), min_size=5, max_size=25), st.floats(0.98, 1.02))
def test_load_steps_at_random_trip_nothing(build: Limits, steps: list[tuple[float, int]], gain: float) -> None:
    """Against OVER_CURRENT in a session in which nothing is broken."""
    full_ua = build.max_current_ua
    rig = Rig(build, load_ohm=load_for(build, full_ua * 2))
    rig.plant.gain = gain
    rig.deliver(a_dose(build, current_ua=full_ua, dose_uc=full_ua * 30, area_mm2=20_000))
    rig.run(300)
    for share, ms in steps:
        rig.plant.load_ohm = load_for(build, full_ua * share)
        rig.run(ms)
    assert (rig.session.fault, rig.session.state) == (faults.NONE, protocol.HOLD)


# How the current comes back, and how the dose ends.


@pytest.mark.hazard("HAZ-09")
@pytest.mark.parametrize("current_ua", [500, 4_000])
@pytest.mark.parametrize("ramp_up_ms", [1_000, 3_000])
def test_the_current_comes_back_by_the_ramp_of_the_dose(current_ua: int, ramp_up_ms: int) -> None:
    """Against a step of the current at recovery. Set-point and current, in every cycle."""
    rig = Rig()
    rig.deliver(a_dose(A, current_ua=current_ua, dose_uc=current_ua * 20, ramp_up_ms=ramp_up_ms))
    rig.plant.load_ohm = load_for(A, current_ua * 0.3)
    rig.run(400)
    assert rig.session.contact_limited
    assert rig.session.setpoint_ua < current_ua * 0.32 + 50
    rig.plant.load_ohm = 1_000.0
    rig.run(20)
    currents = []
    for _ in range(ramp_up_ms):
        rig.tick()
        currents.append(rig.plant.current_ua)
    steepest = current_ua / ramp_up_ms * 1.1 + 2
    assert max(after - before for before, after in zip(currents, currents[1:], strict=False)) <= steepest
    assert not rig.session.contact_limited
    assert currents[-1] == pytest.approx(current_ua, rel=0.01)


@pytest.mark.hazard("HAZ-22", "HAZ-24")
@pytest.mark.parametrize("dose_uc", [40_000, 12_000, 6_000])
@pytest.mark.parametrize("before_uc", [4_000, 1_000, 200, 50])
def test_a_contact_that_recovers_late_ends_with_the_dose(dose_uc: int, before_uc: int) -> None:
    """Against CHARGE_EXCEEDED where nothing is broken, and a dose that is over by what comes back."""
    plan = a_dose(A, current_ua=4_000, dose_uc=dose_uc, max_extension_pct=100)
    rig = Rig(load_ohm=10_000.0)
    rig.start(plan)
    while plan.dose_uc - rig.session.charge_uc > before_uc:
        rig.tick()
    rig.plant.load_ohm = 2_000.0
    run(rig)
    assert_met(rig, plan)
    assert rig.plant.peak_ua <= 4_000 * 1.01


@pytest.mark.hazard("HAZ-22", "HAZ-24")
@pytest.mark.parametrize("more", [{}, {"reversal": "half"}], ids=["dc", "half"])
@pytest.mark.parametrize(
    ("at_part", "ms", "share"),
    [(0.95, 20, 0.2), (0.95, 5_000, 0.2), (0.95, 300, 0.9), (0.5, 60, 0.3), (0.5, 5_000, 0.9), (0.2, 300, 0.7)],
)
def test_a_contact_lost_in_the_last_ramp_costs_nothing_of_the_dose(
    at_part: float, ms: int, share: float, more: dict[str, Any]
) -> None:
    """Against a dose cut short. The ramp waits, or is given up for HOLD, until what is missing has flowed."""
    plan = a_dose(A, current_ua=4_000, dose_uc=20_000, ramp_down_ms=2_000, max_extension_pct=100, **more)
    rig = Rig()
    rig.start(plan)
    while rig.session.state != protocol.RAMP_DOWN or rig.session.setpoint_ua > 4_000 * at_part:
        rig.tick()
    rig.plant.load_ohm = load_for(A, 4_000 * at_part * share)
    rig.run(ms)
    rig.plant.load_ohm = 2_000.0
    run(rig)
    assert_met(rig, plan)


@pytest.mark.hazard("HAZ-24")
def test_a_contact_lost_for_good_in_the_last_ramp_ends_in_time_and_says_what_is_missing() -> None:
    plan = a_dose(A, current_ua=4_000, dose_uc=20_000, ramp_down_ms=8_000, max_extension_pct=0)
    rig = Rig()
    rig.start(plan)
    rig.until(protocol.RAMP_DOWN)
    rig.plant.load_ohm = load_for(A, 700)
    run(rig)
    assert (rig.session.outcome, rig.session.fault) == (protocol.TIME_ENDED, faults.NONE)
    assert rig.session.shortfall_uc == pytest.approx(plan.dose_uc - rig.plant.charge_uc, abs=100)


@pytest.mark.hazard("HAZ-24")
def test_who_pauses_or_ends_the_ramp_down_to_a_reversal_does_not_wait_for_its_charge() -> None:
    for outcome in (protocol.OUTCOME_NONE, protocol.PAIN_ENDED):
        rig = Rig()
        rig.start(a_dose(A, current_ua=4_000, dose_uc=20_000, ramp_down_ms=2_000, reversal="half"))
        rig.until(protocol.RAMP_DOWN)
        rig.plant.load_ohm = load_for(A, 700)
        if outcome:
            rig.session.end(outcome)
        else:
            assert rig.session.pause() == faults.NONE
        assert rig.until(protocol.PAUSED, protocol.DONE) < 2_100
        assert rig.session.state == (protocol.DONE if outcome else protocol.PAUSED)


@pytest.mark.hazard("HAZ-22", "HAZ-24")
@settings(max_examples=8)
@given(
    st.sampled_from([A, B]),
    st.floats(0.0, 1.0),
    st.integers(0, 3_000),
    st.integers(0, 3_000),
    st.floats(0.98, 1.02),
    st.sampled_from([0, 1, 5]),
)
def test_the_least_dose_is_met_whatever_its_ramps(
    build: Limits, part: float, up_ms: int, down_ms: int, gain: float, more_ms: int
) -> None:
    """Within 0.5 %: the smallest charge that the ramps leave room for, and what a few ms more give."""
    current_ua = build.min_current_ua + int(part * (build.max_current_ua - build.min_current_ua))
    up_ms, down_ms = build.min_ramp_ms + up_ms, build.min_ramp_ms + down_ms
    dose_uc = max(build.min_dose_uc, current_ua * (up_ms + down_ms) // 2_000 + 1 + current_ua * more_ms // 1_000)
    times = {"ramp_up_ms": up_ms, "ramp_down_ms": down_ms, "max_extension_pct": 100}
    plan = a_dose(build, current_ua=current_ua, dose_uc=dose_uc, area_mm2=20_000, **times)
    rig = Rig(build, load_ohm=load_for(build, current_ua * 2))
    rig.plant.gain = gain
    rig.start(plan)
    run(rig)
    assert_met(rig, plan)


# The set-point path at the corners of its tolerance.


@pytest.mark.hazard("HAZ-07", "HAZ-24")
@pytest.mark.parametrize("offset_ua", [-limits.PATH_UA, limits.PATH_UA])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("edge_ms", [20, 1_000])
@pytest.mark.parametrize("build", [A, B], ids="AB")
def test_a_path_at_the_corner_of_its_tolerance_completes(
    build: Limits, edge_ms: int, sign: int, offset_ua: int
) -> None:
    """Against OVER_CURRENT on a slow edge: what the trim learnt at the top is too much on the way down."""
    full_ua = build.max_current_ua
    pulses = {
        "waveform": "pulsed",
        "pulse_on_ms": edge_ms + 200,
        "pulse_off_ms": edge_ms + 200,
        "pulse_edge_ms": edge_ms,
    }
    plan = a_dose(build, current_ua=full_ua, dose_uc=full_ua * 8, area_mm2=20_000, **pulses)
    rig = Rig(build, load_ohm=load_for(build, full_ua * 2))
    rig.plant.gain, rig.plant.offset_ua = 1 + sign * limits.PATH_PPM / 1e6, offset_ua
    rig.start(plan)
    run(rig)
    assert_met(rig, plan)
    assert rig.plant.peak_ua <= full_ua * 1.01 + 3


@pytest.mark.hazard("HAZ-07")
@pytest.mark.parametrize("build", [A, B], ids="AB")
def test_the_trim_reaches_the_corner_of_the_tolerance(build: Limits) -> None:
    """At every current of the build, with what is left for temperature and age."""
    for setpoint_ua in (build.min_current_ua, build.max_current_ua):
        controller = Controller(build.full_scale_ua, PWM_TOP)
        needed_ua = setpoint_ua * limits.PATH_PPM / 1e6 + limits.PATH_UA
        for _ in range(5_000):
            controller.step(setpoint_ua, setpoint_ua - 40)
        assert controller.trim_ua() >= 1.5 * needed_ua


@pytest.mark.hazard("HAZ-22")
@pytest.mark.parametrize("more_uc", range(0, 660, 60))
def test_a_dose_that_ends_on_the_edge_of_a_pulse_is_met(more_uc: int) -> None:
    """Against too much charge: on an edge of 20 ms what is to come grows by 2.7 % of the least dose in a cycle."""
    pulses = {"waveform": "pulsed", "pulse_on_ms": 100, "pulse_off_ms": 100, "pulse_edge_ms": 20}
    plan = a_dose(A, current_ua=3_300, dose_uc=6_000 + more_uc, **pulses)
    rig = Rig()
    rig.start(plan)
    run(rig)
    assert_met(rig, plan)


# The least current.


@pytest.mark.hazard("HAZ-22", "HAZ-24")
@settings(max_examples=10)
@given(st.floats(-20.0, 20.0), st.floats(-2.5, 2.5), st.integers(1, 1_000_000), st.sampled_from([{}, PULSES]))
def test_the_least_current_meets_its_dose(zero_ua: float, offset_ua: float, seed: int, more: dict[str, Any]) -> None:
    """Within 0.5 %, whatever fraction of a step the sensor's zero has: 0.5 uA of 0.1 mA would be as much."""
    current_ua = 200 if more else A.min_current_ua
    plan = a_dose(A, current_ua=current_ua, dose_uc=A.min_dose_uc, max_extension_pct=100, **more)
    rig = Rig(load_ohm=5_000.0, seed=seed)
    rig.plant.sensor_offset_ua, rig.plant.offset_ua = zero_ua, offset_ua
    rig.start(plan)
    run(rig)
    assert_met(rig, plan)
