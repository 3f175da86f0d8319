"""The session on a plant: directed cases, then a state machine of random commands, buttons, faults and loads."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from plant import OPEN_OHM, Rig, a_dose, dose_fields

from ionto import dose, faults, kernel, limits, protocol
from ionto.limits import Limits

A, B = limits.variant_a(), limits.variant_b()
ON_STATES = (protocol.SELF_TESTING, protocol.RAMP_UP, protocol.HOLD, protocol.RAMP_DOWN)
ENDS = (protocol.DONE, protocol.FAULT, protocol.IDLE)


def run_dose(plan: dose.Dose, build: Limits = A, **plant: Any) -> Rig:
    """Deliver `plan` to its end; return the rig."""
    rig = Rig(build, **plant)
    assert rig.start(plan) == 0
    rig.until(protocol.DONE, protocol.FAULT, most=120_000)
    return rig


def states(rig: Rig) -> list[int]:
    """Return the states that the session went through, in order."""
    return [code for event, code, _, _ in rig.notes if event == 1]


@pytest.mark.hazard("HAZ-22", "HAZ-24")
@settings(max_examples=6)
@given(
    st.integers(500, 4_000),
    st.integers(1_000, 2_500),
    st.integers(1_000, 2_500),
    st.integers(0, 4_000),
    st.floats(0.98, 1.02),
    st.integers(-12, 12),
)
def test_a_dose_is_complete_within_half_a_percent(
    current_ua: int, up_ms: int, down_ms: int, hold_ms: int, gain: float, sensor_offset_ua: int
) -> None:
    """Against a wrong dose. By the independent meter, for any dose, gain error and sensor offset."""
    ramps_uc = current_ua * (up_ms + down_ms) // 2_000
    dose_uc = max(6_000, ramps_uc + current_ua * hold_ms // 1_000)
    plan = a_dose(A, current_ua=current_ua, dose_uc=dose_uc, ramp_up_ms=up_ms, ramp_down_ms=down_ms)
    rig = Rig(A)
    rig.plant.gain, rig.plant.sensor_offset_ua = gain, sensor_offset_ua
    assert rig.start(plan) == 0
    rig.until(protocol.DONE, protocol.FAULT)
    assert (rig.session.outcome, rig.session.fault) == (protocol.COMPLETE, faults.NONE)
    quantum_uc = 25 + rig.plant.now_us / 1e6  # 8 ms units of the ramp; zero known to 1 uA
    assert abs(rig.session.charge_uc - dose_uc) <= dose_uc * 0.005 + quantum_uc
    assert abs(rig.plant.charge_uc - dose_uc) <= dose_uc * 0.005 + quantum_uc
    assert rig.plant.peak_ua <= current_ua * 1.01 + 6


def test_the_states_of_a_plain_session() -> None:
    rig = run_dose(a_dose(A))
    assert states(rig) == [
        protocol.SELF_TESTING,
        protocol.ARMED,
        protocol.RAMP_UP,
        protocol.HOLD,
        protocol.RAMP_DOWN,
        protocol.DONE,
    ]
    assert rig.session.remaining_ms() == 0
    assert abs(rig.session.on_ms - 4_340) < 50  # the self-test's 320 ms are among them
    assert rig.session.max_current_ua <= 2_030


def test_variant_b_completes() -> None:
    rig = run_dose(a_dose(B), B, load_ohm=500.0)
    assert rig.session.outcome == protocol.COMPLETE
    assert abs(rig.plant.charge_uc - 60_000) <= 300


@pytest.mark.hazard("HAZ-31")
def test_nothing_flows_before_the_arm_record() -> None:
    """Against current without a record. ARMED lasts until the application says that the record is on flash."""
    rig = Rig()
    rig.auto_arm = False
    rig.start()
    rig.until(protocol.ARMED)
    rig.run(100)
    before_uc = rig.plant.charge_uc
    rig.run(1_000)
    assert rig.session.state == protocol.ARMED
    assert not rig.session.output_on
    assert rig.plant.charge_uc == before_uc
    rig.session.armed()
    assert rig.session.state == protocol.RAMP_UP


@pytest.mark.hazard("HAZ-09")
def test_a_late_first_cycle_does_not_jump() -> None:
    """Against a step of current. The cycle before the first edge may be long; the ramp still begins at its own rate."""
    rig = Rig()
    rig.auto_arm = False
    rig.start(a_dose(A, current_ua=4_000, dose_uc=20_000))
    rig.until(protocol.ARMED)
    rig.session.armed()
    rig.dt_us = 150_000
    rig.tick()
    assert rig.session.setpoint_ua <= 10
    rig.dt_us = 1_000
    rig.run(100)
    assert rig.session.state == protocol.RAMP_UP, rig.session.fault


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize("state", [protocol.IDLE, protocol.HOLD, protocol.PAUSED, protocol.DONE, protocol.FAULT])
def test_armed_counts_in_armed_only(state: int) -> None:
    rig = at_state(state)
    rig.session.armed()
    assert rig.session.state == state


def at_state(state: int) -> Rig:
    """Return a rig whose session is in `state`, run there once and copied."""
    return copy.deepcopy(_rig_at(state))


@cache
def _rig_at(state: int) -> Rig:
    rig = Rig()
    if state == protocol.IDLE:
        return rig
    if state == protocol.IN_MAINTENANCE:
        assert rig.session.leave() == 0
        return rig
    rig.auto_arm = state != protocol.ARMED
    assert rig.start(a_dose(A, reversal="half") if state == protocol.REVERSING else None) == 0
    if state == protocol.PAUSED:
        rig.until(protocol.HOLD)
        assert rig.session.pause() == 0
    elif state == protocol.FAULT:
        rig.until(protocol.HOLD)
        rig.plant.load_ohm = OPEN_OHM
    rig.until(state)
    return rig


EVERY_STATE = pytest.mark.parametrize("state", range(len(protocol.STATES)), ids=protocol.STATES)


@pytest.mark.hazard("HAZ-17")
@EVERY_STATE
def test_abort_is_accepted_everywhere_and_the_output_is_off_at_once(state: int) -> None:
    """Against an abort that is not obeyed. In every state it is answered with 0 and leaves no output behind."""
    rig = at_state(state)
    fault = rig.session.fault
    assert rig.session.abort() == faults.NONE
    assert not rig.session.output_on
    assert rig.session.setpoint_ua == 0
    assert rig.session.drive_ua() == 0
    assert rig.session.fault == fault
    under_way = state not in (protocol.IDLE, protocol.DONE, protocol.IN_MAINTENANCE, protocol.FAULT)
    assert rig.session.state == (protocol.DONE if under_way else state)
    if under_way:
        assert rig.session.outcome == protocol.ABORTED
    rig.run(120)
    assert rig.plant.current_ua == 0


@pytest.mark.hazard("HAZ-17")
@EVERY_STATE
def test_stop_ends_a_session_in_the_same_cycle(state: int) -> None:
    """Against a STOP that the firmware does not obey. It ends what is under way; a button at rest changes nothing."""
    rig = at_state(state)
    rig.reading.stop_open = True
    rig.tick()
    under_way = state not in (protocol.IDLE, protocol.DONE, protocol.IN_MAINTENANCE, protocol.FAULT)
    assert rig.session.state == (protocol.DONE if under_way else state)
    assert not rig.session.output_on
    if under_way:
        assert rig.session.outcome == protocol.STOPPED


@pytest.mark.hazard("HAZ-21")
@EVERY_STATE
def test_a_fault_latches_from_every_state(state: int) -> None:
    """Against a fault that is ignored. Output off in the same cycle; the first fault is the one that stays."""
    rig = at_state(state)
    first = rig.session.fault or faults.RAIL_LOW
    rig.session.step(1_000, rig.reading, faults.RAIL_LOW)
    rig.session.step(1_000, rig.reading, faults.RAIL_HIGH)
    assert (rig.session.state, rig.session.fault) == (protocol.FAULT, first)
    assert (rig.session.output_on, rig.session.setpoint_ua) == (False, 0)


@pytest.mark.hazard("HAZ-25")
@EVERY_STATE
def test_a_dose_is_frozen_while_a_session_is_under_way(state: int) -> None:
    """Against a dose changed after ARM. Loading is refused and the old dose stays, unless the device rests."""
    rig = at_state(state)
    before = rig.session.dose
    other = a_dose(A, dose_uc=60_000)
    code = rig.session.load(other)
    if state in (protocol.IDLE, protocol.DONE, protocol.IN_MAINTENANCE):
        assert (code, rig.session.dose) == (faults.NONE, other)
    else:
        assert (code, rig.session.dose) == (faults.WRONG_STATE, before)


@pytest.mark.hazard("HAZ-20")
@EVERY_STATE
def test_start_and_self_test_only_from_rest(state: int) -> None:
    for request in ("start", "test"):
        rig = at_state(state)
        rig.session.dose = rig.session.dose or a_dose(A)
        charge_uc = rig.session.charge_uc
        code = getattr(rig.session, request)(rig.reading)
        if state in (protocol.IDLE, protocol.DONE):
            assert (code, rig.session.state) == (faults.NONE, protocol.SELF_TESTING)
        else:
            assert code == (faults.FAULT_LATCHED if state == protocol.FAULT else faults.WRONG_STATE)
            assert (rig.session.state, rig.session.charge_uc) == (state, charge_uc)


@pytest.mark.hazard("HAZ-20")
@EVERY_STATE
def test_pause_and_resume_only_where_they_mean_something(state: int) -> None:
    rig = at_state(state)
    assert (rig.session.pause() == 0) == (state in (protocol.RAMP_UP, protocol.HOLD, protocol.REVERSING))
    rig = at_state(state)
    assert (rig.session.resume(rig.reading) == 0) == (state == protocol.PAUSED)


@pytest.mark.hazard("HAZ-29")
@EVERY_STATE
def test_maintenance_is_refused_while_a_session_is_under_way(state: int) -> None:
    rig = at_state(state)
    code = rig.session.leave()
    if state in (protocol.IDLE, protocol.DONE, protocol.FAULT, protocol.IN_MAINTENANCE):
        assert (code, rig.session.state) == (faults.NONE, protocol.IN_MAINTENANCE)
    else:
        assert code in (faults.OUTPUT_ON, faults.WRONG_STATE)
        assert rig.session.state == state


@pytest.mark.hazard("HAZ-20")
def test_a_start_without_a_dose_is_refused() -> None:
    rig = Rig()
    assert rig.session.start(rig.reading) == faults.NO_DOSE
    assert rig.session.state == protocol.IDLE


@pytest.mark.hazard("HAZ-17", "HAZ-19")
@pytest.mark.parametrize(
    ("switches", "code"),
    [
        ({"vbus": True}, faults.USB_PRESENT),
        ({"vbus": True, "bench_strap": True}, faults.NONE),
        ({"stop_open": True}, faults.STOP_OPEN),
        ({"stop_open": True, "vbus": True, "bench_strap": True}, faults.STOP_OPEN),
    ],
)
def test_interlocks_of_start_test_and_resume(switches: dict[str, bool], code: int) -> None:
    """Against a computer on USB and an open STOP. Refused before anything moves, on the bench strap accepted."""
    for request, state in (("start", protocol.IDLE), ("test", protocol.IDLE), ("resume", protocol.PAUSED)):
        rig = at_state(state)
        rig.session.dose = rig.session.dose or a_dose(A)
        for name, value in switches.items():
            setattr(rig.reading, name, value)
        if (request, code) == ("test", faults.STOP_OPEN):
            continue  # what STOP does is a row of the test's table
        assert getattr(rig.session, request)(rig.reading) == code
        assert (rig.session.state == state) == (code != faults.NONE)


@pytest.mark.hazard("HAZ-19")
def test_usb_that_appears_during_a_session_is_a_fault() -> None:
    """Against a computer plugged in while current flows."""
    rig = at_state(protocol.HOLD)
    rig.reading.vbus = True
    rig.tick()
    assert rig.session.fault == faults.USB_APPEARED


# Clearing.


@pytest.mark.hazard("HAZ-21")
def test_a_fault_is_cleared_only_when_its_cause_is_gone() -> None:
    """Against a fault cleared too early. Sensor missing, misconfigured or current left: refused."""
    rig = at_state(protocol.FAULT)
    rig.run(200)
    for name, value in (("fresh", False), ("sensor_ok", False), ("current_ua", 21)):
        rig.tick()
        setattr(rig.reading, name, value)
        assert rig.session.clear(rig.reading) == faults.CAUSE_REMAINS
        assert rig.session.state == protocol.FAULT
    rig.tick()
    assert rig.session.clear(rig.reading) == faults.NONE
    assert (rig.session.state, rig.session.fault) == (protocol.IDLE, faults.NONE)


@pytest.mark.hazard("HAZ-21")
def test_clearing_has_hysteresis() -> None:
    """The current that is tolerated for clearing is well under the one that trips with the output off."""
    rig = at_state(protocol.FAULT)
    rig.run(1_000)
    rig.reading.current_ua = 20
    assert rig.session.clear(rig.reading) == faults.NONE
    for _ in range(300):
        rig.reading.current_ua = 20
        assert rig.guards.step(1_000, rig.reading, 0, False) == faults.NONE


@pytest.mark.hazard("HAZ-21")
def test_time_alone_clears_nothing() -> None:
    rig = at_state(protocol.FAULT)
    rig.plant.load_ohm = 2_000.0
    rig.run(5_000)
    assert (rig.session.state, rig.session.fault) == (protocol.FAULT, faults.OPEN_CIRCUIT)


@EVERY_STATE
def test_clear_without_a_fault_changes_nothing(state: int) -> None:
    if state == protocol.FAULT:
        return
    rig = at_state(state)
    assert rig.session.clear(rig.reading) == faults.NONE
    assert rig.session.state == state


# Pause and resume.


@pytest.mark.hazard("HAZ-22")
@settings(max_examples=4)
@given(st.lists(st.tuples(st.integers(1, 1_500), st.integers(0, 300)), min_size=1, max_size=3))
def test_pauses_keep_the_charge(pauses: list[tuple[int, int]]) -> None:
    """Against a dose lost or repeated by a pause. Wherever they fall, the dose comes out the same."""
    rig = Rig()
    rig.start(a_dose(A, dose_uc=10_000))
    for after_ms, rest_ms in pauses:
        rig.until(protocol.RAMP_UP, protocol.DONE)
        rig.run(after_ms)
        if rig.session.pause() != 0:
            break
        rig.until(protocol.PAUSED)
        rig.run(60)
        kept_uc = rig.session.charge_uc
        rig.run(rest_ms)
        assert rig.session.charge_uc == kept_uc
        assert not rig.session.output_on
        rig.plant.boost = True
        assert rig.session.resume(rig.reading) == 0
    rig.until(protocol.DONE, protocol.FAULT)
    assert (rig.session.outcome, rig.session.fault) == (protocol.COMPLETE, faults.NONE)
    assert abs(rig.plant.charge_uc - 10_000) <= 50 + 25 * (1 + len(pauses))


@pytest.mark.hazard("HAZ-09")
def test_a_pause_ramps_down_and_a_resume_ramps_up() -> None:
    rig = at_state(protocol.HOLD)
    assert rig.session.pause() == 0
    setpoints = []
    while rig.session.state == protocol.RAMP_DOWN:
        assert not rig.session.contact_limited
        rig.tick()
        setpoints.append(rig.session.setpoint_ua)
    assert rig.session.state == protocol.PAUSED
    assert setpoints.count(0) >= 20, "the filter settles before the output goes off"
    assert setpoints == sorted(setpoints, reverse=True)
    assert max(first - second for first, second in zip(setpoints, setpoints[1:], strict=False)) <= 3
    rig.session.resume(rig.reading)
    setpoints = []
    while rig.session.state == protocol.RAMP_UP:
        rig.tick()
        setpoints.append(rig.session.setpoint_ua)
    assert setpoints == sorted(setpoints)
    assert setpoints[0] <= 2


def test_from_its_start_on_the_whole_dose_is_missing() -> None:
    """A session that ends before its first current says so in its log."""
    rig = Rig(A)
    assert rig.start(a_dose(A, dose_uc=9_000)) == 0
    rig.run(2)
    assert (rig.session.state, rig.session.shortfall_uc) == (protocol.SELF_TESTING, 9_000)
    assert (rig.session.charge_uc, rig.session.on_ms, rig.session.max_current_ua) == (0, 0, 0)
    rig.session.abort()
    assert (rig.session.shortfall_uc, rig.session.planned_on_ms) == (9_000, 0)


@pytest.mark.parametrize(
    "pulses",
    [{}, {"waveform": "pulsed", "pulse_on_ms": 250, "pulse_off_ms": 250, "pulse_edge_ms": 20}],
    ids=["dc", "pulsed"],
)
def test_a_last_ramp_that_would_bring_far_too_little_is_given_up_and_the_dose_completed(pulses: dict[str, Any]) -> None:
    """It comes back at the top of a pulse, by the ramp of the dose, without any more than the dose asks for."""
    rig = Rig(A)
    rig.deliver(a_dose(A, current_ua=2_000, dose_uc=20_000, **pulses))
    rig.run(150)
    rig.session.happened(kernel.E_DOSE, rig.reading)
    assert (rig.session.state, rig.session.ending) == (protocol.RAMP_DOWN, True)
    rig.run(1)
    assert (rig.session.state, rig.session.ending) == (protocol.HOLD, False)
    rig.run(100)
    assert rig.session.setpoint_ua > 1_950
    rig.until(protocol.DONE)
    assert rig.session.outcome == protocol.COMPLETE
    assert abs(rig.plant.charge_uc - 20_000) <= 100
    assert rig.plant.peak_ua <= 2_020


def test_after_its_only_turn_a_session_turns_no_more() -> None:
    """The last ramp down is one to the end, which cannot be made a pause as one to a reversal can."""
    rig = Rig(A)
    rig.deliver(a_dose(A, current_ua=2_000, dose_uc=12_000, reversal="half"))
    rig.until(protocol.RAMP_DOWN)
    rig.until(protocol.HOLD)
    rig.until(protocol.RAMP_DOWN)
    assert rig.session.pause() == faults.WRONG_STATE
    rig.until(protocol.DONE)
    assert rig.session.outcome == protocol.COMPLETE


# Contact, battery, time.


@pytest.mark.hazard("HAZ-24")
def test_contact_limited_dose_is_complete() -> None:
    """Against a dose cut short by a poor contact. The device holds what the contact allows until the dose is in."""
    plan = a_dose(A, current_ua=4_000, dose_uc=40_000, ramp_up_ms=3_000, ramp_down_ms=6_000, max_extension_pct=100)
    rig = run_dose(plan, load_ohm=15_000.0)
    assert any(event == 4 and code == 1 for event, code, _, _ in rig.notes), "never seen as contact-limited"
    assert (rig.session.outcome, rig.session.fault) == (protocol.COMPLETE, faults.NONE)
    assert abs(rig.plant.charge_uc - 40_000) <= 200


@pytest.mark.hazard("HAZ-22")
def test_a_contact_that_recovers_in_the_ramp_down_gives_no_more_than_the_dose() -> None:
    """Against too much charge. The contact is poor until the last ramp begins, then good."""
    rig = Rig(load_ohm=15_000.0)
    rig.start(a_dose(A, current_ua=4_000, dose_uc=20_000, ramp_up_ms=1_000, ramp_down_ms=6_000))
    rig.until(protocol.RAMP_DOWN)
    rig.plant.load_ohm = 1_000.0
    rig.until(protocol.DONE, protocol.FAULT)
    assert rig.plant.charge_uc <= 20_000 * 1.005


@pytest.mark.hazard("HAZ-24")
def test_contact_limited_is_told_and_withdrawn() -> None:
    rig = Rig()
    rig.deliver(a_dose(A, current_ua=4_000, dose_uc=80_000))
    assert not rig.session.contact_limited
    rig.plant.load_ohm = 9_000.0
    rig.run(150)
    assert rig.session.contact_limited
    rig.plant.load_ohm = 2_000.0
    rig.run(400)
    assert not rig.session.contact_limited
    assert [code for event, code, _, _ in rig.notes if event == 4] == [1, 0]


@pytest.mark.hazard("HAZ-24")
@pytest.mark.parametrize(("load_ohm", "forced_ua"), [(11_185.0, None), (2_000.0, 1_860.0)])
def test_what_is_not_contact_limited(load_ohm: float, forced_ua: float | None) -> None:
    """Full current at the end of the compliance, or too little with compliance left, is not the contact's doing."""
    rig = Rig()
    rig.deliver(a_dose(A, dose_uc=80_000))
    rig.plant.load_ohm, rig.plant.forced_ua = load_ohm, forced_ua
    rig.run(250)
    assert (rig.session.fault, rig.session.contact_limited) == (faults.NONE, False)


@pytest.mark.hazard("HAZ-22", "HAZ-23")
def test_the_guards_are_told_the_dose_and_a_sixteenth_more_time() -> None:
    """Against an endless session. The independent ceilings are set at the start, and with them at every start anew."""
    for build in (A, B):
        rig = Rig(build)
        with patch.object(rig.guards, "begin") as begin:
            rig.start()
        begin.assert_called_once_with(a_dose(build).dose_uc, build.max_session_ms * 17 // 16)


@pytest.mark.hazard("HAZ-26")
def test_a_low_battery_ends_the_session_in_order() -> None:
    """Against a low battery. Ramp down, outcome told, no fault."""
    rig = at_state(protocol.HOLD)
    rig.plant.vsys_mv = 3_250
    rig.until(protocol.RAMP_DOWN, most=200)
    rig.until(protocol.DONE, protocol.FAULT)
    assert (rig.session.outcome, rig.session.fault) == (protocol.BATTERY_ENDED, faults.NONE)


@pytest.mark.hazard("HAZ-26")
def test_a_battery_at_its_limit_is_good_enough() -> None:
    rig = at_state(protocol.HOLD)
    rig.plant.vsys_mv = A.min_vsys_mv
    rig.run(200)
    assert rig.session.state == protocol.HOLD


@pytest.mark.hazard("HAZ-26")
def test_one_odd_battery_sample_does_not_end_a_session() -> None:
    rig = at_state(protocol.HOLD)
    for _ in range(5):
        rig.plant.vsys_mv = 3_000
        rig.tick()
        rig.plant.vsys_mv = 3_900
        rig.run(10)
    assert rig.session.state == protocol.HOLD


@pytest.mark.hazard("HAZ-23")
def test_a_session_that_lasts_too_long_ends_in_order() -> None:
    """Against an endless session. A contact that allows little ends at the time limit, told as such."""
    build = limits.variant_a()
    build.max_session_ms = 20_000
    build.max_ramp_ms, build.max_dose_uc = 1_200, 80_000  # what such a session can hold
    rig = Rig(build, load_ohm=40_000.0)
    assert rig.start(a_dose(build, current_ua=2_000, dose_uc=30_000)) == 0
    rig.until(protocol.DONE, protocol.FAULT)
    assert (rig.session.outcome, rig.session.fault) == (protocol.TIME_ENDED, faults.NONE)
    assert rig.session.on_ms <= 21_200
    assert rig.plant.charge_uc < 15_000


def test_remaining_time_falls_to_the_end() -> None:
    rig = Rig()
    rig.start(a_dose(A, dose_uc=20_000))
    rig.until(protocol.RAMP_UP)
    remaining = rig.session.remaining_ms()
    assert abs(remaining - 10_500) < 100  # half a ramp less than the whole
    rig.until(protocol.HOLD)
    rig.run(500)
    at = rig.session.remaining_ms()
    left = rig.until(protocol.DONE)
    assert abs(at - left) < 120


@pytest.mark.hazard("HAZ-22")
def test_a_second_session_starts_from_nothing() -> None:
    rig = run_dose(a_dose(A))
    assert rig.start() == 0
    assert (rig.session.charge_uc, rig.session.t_ms, rig.session.on_ms) == (0, 0, 0)
    assert rig.session.outcome == protocol.OUTCOME_NONE
    rig.until(protocol.DONE, protocol.FAULT)
    assert abs(rig.session.charge_uc - 6_000) <= 55


class SessionMachine(RuleBasedStateMachine):
    """Everything at once, at random, on the plant. The invariants are those of the architecture."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.plan: dose.Dose | None = None
        self.started: dose.Dose | None = None
        self.kept_uc = 0
        self.meter_uc = 0.0
        self.latched = faults.NONE
        self.aborted = False
        self.wanted_ua = 0  # what comfort has lowered the current to
        self.set_ua = 0

    @property
    def session(self) -> Any:
        return self.rig.session

    def tick(self) -> None:
        before = self.session.state
        self.rig.tick()
        self.look(before)

    def look(self, before: int) -> None:
        """Check what must hold after every single cycle."""
        session, plan = self.session, self.started
        if session.output_on:
            assert session.state in ON_STATES
            assert session.fault == faults.NONE
        most_ua = 50 if session.state == protocol.SELF_TESTING else (plan.current_ua if plan else 0)
        if session.state in (protocol.RAMP_UP, protocol.HOLD, protocol.RAMP_DOWN) and self.wanted_ua:
            most_ua = min(most_ua, max(self.wanted_ua, self.set_ua))
        self.set_ua = session.setpoint_ua
        assert 0 <= session.setpoint_ua <= most_ua
        assert session.drive_ua() <= most_ua + 2
        assert self.rig.plant.current_ua <= A.hardware_ceiling_ua
        if before == protocol.FAULT:
            assert session.state == protocol.FAULT, "left by itself"
        if session.state == protocol.FAULT and self.latched == faults.NONE:
            self.latched = session.fault

    @rule(ms=st.sampled_from([1, 2, 7, 30, 150, 400, 1_100]))
    def time_passes(self, ms: int) -> None:
        for _ in range(ms):
            self.tick()

    @rule(current_ua=st.sampled_from([700, 2_000, 4_000]), hold_ms=st.integers(0, 1_500))
    def load(self, current_ua: int, hold_ms: int) -> None:
        dose_uc = max(6_000, current_ua * (1_000 + hold_ms) // 1_000)
        plan = a_dose(A, current_ua=current_ua, dose_uc=dose_uc)
        before = self.session.dose
        if self.session.load(plan) == faults.NONE:
            self.plan = plan
        else:
            assert self.session.dose is before

    @rule()
    def start(self) -> None:
        reading = self.rig.reading
        before = self.session.state
        code = self.session.start(reading)
        if code == faults.NONE:
            assert before in (protocol.IDLE, protocol.DONE)
            assert not reading.stop_open
            assert not reading.vbus or reading.bench_strap
            self.started, self.meter_uc, self.latched = self.plan, self.rig.plant.charge_uc, faults.NONE
            self.wanted_ua = 0
        else:
            assert self.session.state == before

    @rule()
    def start_and_reach_hold(self) -> None:
        self.load(2_000, 1_200)
        self.start()
        for _ in range(1_700):
            self.tick()

    @rule()
    def self_test(self) -> None:
        if self.session.test(self.rig.reading) == faults.NONE:
            self.meter_uc = self.rig.plant.charge_uc

    @rule()
    def pause(self) -> None:
        self.session.pause()

    @rule()
    def resume(self) -> None:
        charge_uc = self.session.charge_uc
        self.session.resume(self.rig.reading)
        assert self.session.charge_uc == charge_uc

    @rule(kind=st.integers(0, 4), to_ua=st.sampled_from([0, 99, 100, 500, 1_500, 1_999, 2_000, 4_000, 0xFFFF]))
    def comfort(self, kind: int, to_ua: int) -> None:
        """A comfort request never raises the set-point, nor what it goes to, in any state."""
        session = self.session
        goal_ua, setpoint_ua = session.block[kernel.S_GOAL_UA], session.setpoint_ua
        code = session.comfort(kind, to_ua, self.rig.reading)
        assert session.setpoint_ua <= setpoint_ua
        assert session.block[kernel.S_GOAL_UA] <= goal_ua
        if to_ua and code == faults.NONE:
            assert kind == protocol.STINGING and 100 <= to_ua < goal_ua
            self.wanted_ua = to_ua

    @rule()
    def abort(self) -> None:
        assert self.session.abort() == faults.NONE
        assert not self.session.output_on
        assert self.session.drive_ua() == 0
        self.tick()
        assert self.rig.plant.duty == 0

    @rule()
    def clear(self) -> None:
        reading, before = self.rig.reading, self.session.state
        code = self.session.clear(reading)
        if before == protocol.FAULT and code == faults.NONE:
            assert reading.fresh and reading.sensor_ok and reading.current_ua <= 20
            self.latched = faults.NONE
        elif before == protocol.FAULT:
            assert self.session.state == protocol.FAULT

    @rule(ms=st.sampled_from([1, 20]))
    def stop(self, ms: int) -> None:
        self.rig.reading.stop_open = True
        for _ in range(ms):
            self.tick()
            assert not self.session.output_on
        self.rig.reading.stop_open = False

    @rule(vbus=st.booleans(), strap=st.booleans())
    def usb(self, vbus: bool, strap: bool) -> None:
        self.rig.reading.vbus, self.rig.reading.bench_strap = vbus, strap
        self.tick()
        assert not (self.session.output_on and vbus and not strap)

    @rule()
    def unplug(self) -> None:
        self.rig.reading.vbus = False

    @rule(load_ohm=st.sampled_from([0.0, 500.0, 4_000.0, 12_000.0, 100_000.0, OPEN_OHM]), ms=st.integers(1, 60))
    def load_changes(self, load_ohm: float, ms: int) -> None:
        before = self.rig.plant.load_ohm
        self.rig.plant.load_ohm = load_ohm
        self.time_passes(ms)
        self.rig.plant.load_ohm = before

    @rule(sensor=st.sampled_from(["stale", "stuck"]), ms=st.sampled_from([1, 2, 3, 300]))
    def sensor_fails(self, sensor: str, ms: int) -> None:
        self.rig.plant.sensor = sensor
        self.time_passes(ms)
        self.rig.plant.sensor = "ok"

    @rule(forced_ua=st.sampled_from([0.0, 4_975.0, 6_000.0]), ms=st.sampled_from([1, 3, 200]))
    def sink_sticks(self, forced_ua: float, ms: int) -> None:
        self.rig.plant.forced_ua = forced_ua
        self.time_passes(ms)
        self.rig.plant.forced_ua = None

    @rule(dt_us=st.sampled_from([1_900, 2_500, 2_600, 90_000]))
    def late(self, dt_us: int) -> None:
        self.tick()
        was_on = self.session.output_on
        self.rig.dt_us = dt_us
        self.tick()
        self.rig.dt_us = 1_000
        if was_on and dt_us > 2_500:
            assert not self.session.output_on

    @rule()
    @precondition(lambda self: self.session.state == protocol.FAULT)
    def recover(self) -> None:
        self.time_passes(250)
        self.clear()

    @invariant()
    def charge_never_exceeds_the_dose(self) -> None:
        plan, session = self.started, self.session
        if plan is None or session.state == protocol.SELF_TESTING:
            return
        most_uc = plan.dose_uc * 1.005 + 50 + plan.current_ua * 2 / 125
        assert session.charge_uc <= most_uc
        # What a stuck sink passes until it is cut (2 ms, then the dead-man's 60 ms) is not the session's to hold.
        assert self.rig.plant.charge_uc - self.meter_uc <= most_uc * 1.06 + 20 * 6 * 80

    @invariant()
    def a_complete_dose_is_the_dose(self) -> None:
        plan, session = self.started, self.session
        if plan and session.state == protocol.DONE and session.outcome == protocol.COMPLETE:
            assert abs(session.charge_uc - plan.dose_uc) <= plan.dose_uc * 0.005

    @invariant()
    def the_fault_is_the_first_one(self) -> None:
        if self.session.state == protocol.FAULT:
            assert self.session.fault == self.latched != faults.NONE
        else:
            assert self.session.fault == faults.NONE


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


def test_dose_fields_helper_is_what_the_machine_loads() -> None:
    assert a_dose(A).dose_uc == dose_fields(A)["dose_uc"]


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("polarity", [1, -1])
def test_a_relay_that_flips_in_a_session_is_told(polarity: int) -> None:
    """Told within 100 ms, at either pole, and latched: nothing else would notice, the current is the right one."""
    rig = Rig()
    rig.deliver(a_dose(rig.build, polarity=polarity))
    rig.plant.pole_forced = 0 if polarity > 0 else 1
    assert rig.until(protocol.FAULT, most=200) <= 100
    assert rig.session.fault == faults.WRONG_POLE
