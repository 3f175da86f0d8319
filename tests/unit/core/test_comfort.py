"""Comfort during a session: tingling, stinging, pain; by command and by the button. The current only ever goes down."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import OPEN_OHM, Device, Rig, a_dose, device

from ionto import faults, kernel, limits, protocol
from ionto import sessionlog_format as fmt
from ionto.plan import DC
from ionto.ui import CURRENT, FAULT

A, B = limits.variant_a(), limits.variant_b()
LONG = {"current_ua": 2_000, "dose_uc": 60_000}
PULSES = {"waveform": "pulsed", "pulse_on_ms": 250, "pulse_off_ms": 250, "pulse_edge_ms": 20}


def report(board: Device, kind: int, to_ua: int = 0) -> int:
    """Send a comfort report; return the code it is answered with."""
    return board.code(protocol.COMFORT, struct.pack(protocol.COMFORT_FORMAT, kind, to_ua))


def events(board: Device, kind: int) -> list[dict[str, int]]:
    """Return the events of `kind` in the first log."""
    return [row for name, rows in board.log() if name == "events" for row in rows if row["event"] == kind]


def press(board: Device, ms: int) -> None:
    """Hold START for `ms`, then let go and let the board see it."""
    board.hal.start_pressed = True
    board.run(ms)
    board.hal.start_pressed = False
    board.run(130)


# By command.


def test_tingling_is_logged_with_time_and_current_and_changes_nothing() -> None:
    with device() as board:
        board.hold(**LONG)
        assert report(board, protocol.TINGLING) == faults.NONE
        assert board.status()["target_ua"] == 2_000
        board.code(protocol.ABORT)
        board.run(350)
        (row,) = events(board, fmt.COMFORT)
        assert (row["code"], row["value_b"]) == (protocol.TINGLING, 0)
        assert row["t_ms"] > 1_500 and abs(row["value_a"] - 2_000) < 20


@pytest.mark.hazard("HAZ-17")
@pytest.mark.parametrize("state", [protocol.RAMP_UP, protocol.HOLD, protocol.PAUSED])
def test_pain_ramps_down_and_ends_with_its_own_outcome(state: int) -> None:
    with device() as board:
        board.hold(**LONG)
        if state != protocol.HOLD:
            board.code(protocol.PAUSE)
            board.until(protocol.PAUSED)
        if state == protocol.RAMP_UP:
            board.code(protocol.RESUME)
            board.run(300)
        assert board.state == state
        assert report(board, protocol.PAIN) == faults.NONE
        seen = set()
        while board.state != protocol.DONE:
            seen.add(board.state)
            board.run(1)
        assert seen <= {protocol.RAMP_DOWN}
        board.run(350)
        end = board.log()[-1][1]
        assert (end["outcome"], end["fault"]) == (protocol.PAIN_ENDED, faults.NONE)
        assert end["shortfall_uc"] > 50_000
        assert [row["code"] for row in events(board, fmt.COMFORT)] == [protocol.PAIN]


def test_pain_while_the_dose_ends_is_logged_and_the_dose_stays_complete() -> None:
    with device() as board:
        board.hold()
        board.until(protocol.RAMP_DOWN)
        assert report(board, protocol.PAIN) == faults.NONE
        assert report(board, protocol.STINGING, 500) == faults.WRONG_STATE, "it is going to zero"
        board.until(protocol.DONE)
        board.run(350)
        assert board.log()[-1][1]["outcome"] == protocol.COMPLETE
        assert len(events(board, fmt.COMFORT)) == 1


@pytest.mark.hazard("HAZ-09")
@pytest.mark.parametrize(
    ("kind", "to_ua", "code"),
    [
        (protocol.STINGING, 2_000, faults.OUT_OF_RANGE),
        (protocol.STINGING, 2_001, faults.OUT_OF_RANGE),
        (protocol.STINGING, 0xFFFF, faults.OUT_OF_RANGE),
        (protocol.STINGING, 99, faults.OUT_OF_RANGE),
        (protocol.TINGLING, 1_000, faults.BAD_PAYLOAD),
        (protocol.PAIN, 1_000, faults.BAD_PAYLOAD),
        (0, 0, faults.BAD_PAYLOAD),
        (4, 0, faults.BAD_PAYLOAD),
    ],
)
def test_what_would_raise_or_means_nothing_is_refused(kind: int, to_ua: int, code: int) -> None:
    """Against a current raised by a report. Refused, nothing changed, and nothing is in the log."""
    with device() as board:
        board.hold(**LONG)
        assert report(board, kind, to_ua) == code
        assert board.status()["target_ua"] == board.app.session.setpoint_ua == 2_000
        board.code(protocol.ABORT)
        board.run(350)
        assert events(board, fmt.COMFORT) == []


@pytest.mark.parametrize("state", [protocol.IDLE, protocol.SELF_TESTING, protocol.DONE, protocol.FAULT])
def test_without_a_session_there_is_nothing_to_report(state: int) -> None:
    rig = Rig()
    if state != protocol.IDLE:
        rig.start()
    if state == protocol.FAULT:
        rig.session.fail(faults.RAIL_LOW, rig.reading)
    rig.until(state)
    for kind in (protocol.TINGLING, protocol.STINGING, protocol.PAIN):
        assert rig.session.comfort(kind, 0, rig.reading) == faults.WRONG_STATE
    assert rig.session.state == state


def lowered(rig: Rig, to_ua: int) -> None:
    """Report stinging in HOLD and watch the set-point go down to `to_ua`, never faster than the dose's ramp."""
    plan = rig.session.dose
    assert rig.session.comfort(protocol.STINGING, to_ua, rig.reading) == faults.NONE
    steepest = plan.current_ua / plan.ramp_down_ms + 1
    at = rig.session.setpoint_ua
    for _ in range(plan.ramp_down_ms):
        rig.tick()
        if plan.waveform == DC:
            assert at - steepest <= rig.session.setpoint_ua <= at
        at = rig.session.setpoint_ua
    assert rig.session.block[kernel.S_TARGET_UA] == to_ua
    assert rig.session.fault == faults.NONE


@pytest.mark.hazard("HAZ-09", "HAZ-22")
@settings(max_examples=8)
@given(
    st.sampled_from([500, 2_000, 4_000]),
    st.integers(100, 499),
    st.sampled_from([1_000, 1_700]),
    st.sampled_from([1_000, 2_500]),
    st.sampled_from(["dc", "pulsed"]),
)
def test_a_lowered_dose_is_complete_without_overshoot(
    current_ua: int, share: int, up_ms: int, down_ms: int, waveform: str
) -> None:
    """Against a dose that is wrong after a report. No guard trips, the charge is right, the current stays lower."""
    more = PULSES if waveform == "pulsed" else {}
    dose_uc = current_ua * (up_ms + down_ms + 2_500) // 1_000
    plan = a_dose(
        A,
        current_ua=current_ua,
        dose_uc=max(6_000, dose_uc),
        ramp_up_ms=up_ms,
        ramp_down_ms=down_ms,
        max_extension_pct=100,
        **more,
    )
    rig = Rig()
    rig.deliver(plan)
    to_ua = max(rig.session.least_ua(), current_ua - current_ua * share // 1_000)
    lowered(rig, to_ua)
    rig.plant.peak_ua = 0.0
    rig.until(protocol.DONE, protocol.FAULT, most=120_000)
    assert (rig.session.outcome, rig.session.fault) == (protocol.COMPLETE, faults.NONE)
    assert abs(rig.plant.charge_uc - plan.dose_uc) <= plan.dose_uc * 0.005 + 10
    assert rig.plant.peak_ua <= to_ua * 1.015 + 8


@pytest.mark.hazard("HAZ-09")
@pytest.mark.parametrize("part", [0.2, 0.9])
def test_stinging_in_the_ramp_up_stops_it_where_it_is_told(part: float) -> None:
    """Below the new current it goes on to there; above, it turns into HOLD and comes down."""
    rig = Rig()
    rig.start(a_dose(A, **LONG))
    rig.until(protocol.RAMP_UP)
    rig.run(int(1_000 * part))
    before = rig.session.setpoint_ua
    assert rig.session.comfort(protocol.STINGING, 1_000, rig.reading) == faults.NONE
    most = 0
    for _ in range(2_500):
        rig.tick()
        most = max(most, rig.session.setpoint_ua)
    assert (rig.session.state, rig.session.setpoint_ua) == (protocol.HOLD, 1_000)
    assert most <= max(before, 1_000)
    assert rig.session.fault == faults.NONE


@pytest.mark.hazard("HAZ-09")
def test_the_lower_current_holds_for_later_ramps_and_reversals() -> None:
    """In pauses, reversals, and when a pause comes while it is still going down."""
    rig = Rig()
    rig.deliver(a_dose(A, current_ua=2_000, dose_uc=30_000, reversal="interval", reversal_interval_ms=4_000))
    assert rig.session.comfort(protocol.STINGING, 1_200, rig.reading) == faults.NONE
    rig.run(50)
    assert rig.session.pause() == faults.NONE
    rig.until(protocol.PAUSED)
    assert rig.session.comfort(protocol.STINGING, 1_100, rig.reading) == faults.NONE
    rig.run(100)
    rig.plant.boost = True
    assert rig.session.resume(rig.reading) == faults.NONE
    turns, most, before = 0, 0, rig.session.state
    while rig.session.state not in (protocol.DONE, protocol.FAULT):
        rig.tick()
        most = max(most, rig.session.setpoint_ua)
        turns += rig.session.state == protocol.REVERSING != before
        before = rig.session.state
    assert rig.session.fault == faults.NONE
    assert turns >= 3 and most == 1_100
    assert rig.session.outcome in (protocol.COMPLETE, protocol.TIME_ENDED)


@pytest.mark.hazard("HAZ-24")
def test_the_time_limit_stays_and_the_shortfall_is_told() -> None:
    with device() as board:
        board.hold(current_ua=2_000, dose_uc=8_000, max_extension_pct=0)
        assert report(board, protocol.STINGING, 200) == faults.NONE
        told = board.status()["remaining_ms"]
        board.until(protocol.DONE)
        board.run(350)
        end = board.log()[-1][1]
        assert end["outcome"] == protocol.TIME_ENDED
        assert end["shortfall_uc"] == pytest.approx(8_000 - board.plant.charge_uc, abs=40)
        assert told < 9_000, "no more than the time limit leaves"


def test_pulses_keep_their_mean_above_the_least_current() -> None:
    rig = Rig()
    rig.deliver(a_dose(A, **{**LONG, **PULSES}))
    assert rig.session.least_ua() == 200
    assert rig.session.comfort(protocol.STINGING, 199, rig.reading) == faults.OUT_OF_RANGE
    lowered(rig, 200)


# By the button.


def test_a_long_press_in_hold_lowers_by_a_quarter() -> None:
    with device() as board:
        board.hold(**LONG)
        press(board, 2_200)
        board.run(260)  # two looks at the button
        assert board.status()["target_ua"] == 1_500
        board.run(1_000)
        assert (board.state, board.app.session.setpoint_ua) == (protocol.HOLD, 1_500)
        press(board, 2_200)
        board.run(260)
        assert board.status()["target_ua"] == 1_125
        board.code(protocol.ABORT)
        board.run(350)
        rows = events(board, fmt.COMFORT)
        assert [(row["code"], row["value_b"]) for row in rows] == [(2, 1_500), (2, 1_125)]
        assert len(events(board, fmt.BUTTON)) == 2


@pytest.mark.hazard("HAZ-20")
@pytest.mark.parametrize("ms", [300, 1_700, 10_300, 15_000])
def test_a_short_press_and_a_stuck_button_do_nothing(ms: int) -> None:
    with device() as board:
        board.hold(current_ua=2_000, dose_uc=100_000)
        press(board, ms)
        assert board.status()["target_ua"] == 2_000
        assert board.state == protocol.HOLD


@pytest.mark.hazard("HAZ-20")
def test_a_press_that_began_before_hold_or_ends_after_it_is_no_report() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start(**LONG)
        board.until(protocol.RAMP_UP)
        board.hal.start_pressed = True
        board.until(protocol.HOLD)
        board.run(3_000)
        board.hal.start_pressed = False
        board.run(200)
        assert board.status()["target_ua"] == 2_000
        board.hal.start_pressed = True
        board.run(2_500)
        board.code(protocol.PAUSE)
        board.until(protocol.PAUSED)
        board.hal.start_pressed = False
        board.run(200)
        assert (board.state, board.status()["target_ua"]) == (protocol.PAUSED, 2_000)


def test_at_the_least_current_a_long_press_ends_the_session() -> None:
    with device() as board:
        board.hold(current_ua=110, dose_uc=13_000)
        press(board, 2_200)
        assert board.status()["target_ua"] == 100, "not below the least that the device delivers"
        board.run(1_100)
        press(board, 2_200)
        board.until(protocol.DONE)
        board.run(350)
        assert board.log()[-1][1]["outcome"] == protocol.STINGING_ENDED


def test_lights_and_buzzer_say_that_the_report_is_heard() -> None:
    with device() as board:
        board.hold(**LONG)
        press(board, 2_200)
        shown = set()
        for _ in range(16):
            board.run(128)
            shown.add(board.hal.lights)
        assert any(bits & 8 for bits in shown), "the buzzer"
        assert all(bits & 2 for bits in shown), "current flows all the time"
        board.run(128)
        assert board.hal.lights == 2


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("refused", [False, True])
def test_a_fault_shows_at_once_after_a_long_press(refused: bool) -> None:
    """The 2 s of the answer, taken or refused, do not hide that the electrode came off."""
    with device() as board:
        board.hold(**LONG)
        board.app.log.crowded = lambda: refused
        press(board, 2_200)
        assert board.status()["target_ua"] == (2_000 if refused else 1_500)
        board.run(130)
        board.plant.load_ohm = OPEN_OHM
        board.until(protocol.FAULT)
        shown = set()
        for _ in range(16):  # a round of the pattern
            board.run(128)
            shown.add(board.hal.lights)
        assert any(bits & FAULT for bits in shown) and not any(bits & CURRENT for bits in shown)


# What the log keeps.


@pytest.mark.hazard("HAZ-31")
def test_who_pauses_and_resumes_for_ever_loses_no_event() -> None:
    """Against a dropped event. The session ends by itself before its log has no room for its end, and says why."""
    with device() as board:
        board.hold(current_ua=500, dose_uc=100_000)
        asked = 0
        while board.state not in (protocol.DONE, protocol.FAULT) and asked < 400:
            asked += 1
            if board.code(protocol.PAUSE if board.state in (protocol.RAMP_UP, protocol.HOLD) else protocol.RESUME):
                break
            board.until(protocol.PAUSED, protocol.HOLD, protocol.DONE)
        assert asked > 100
        board.run(350)
        end = board.log()[-1][1]
        assert (end["outcome"], end["events_lost"]) == (protocol.LOG_FULL, 0)
        rows = events(board, fmt.STATE_CHANGED)
        assert rows[-1]["code"] == protocol.DONE
        assert end["events"] == sum(len(part) for name, part in board.log() if name == "events") < 400
        assert end["shortfall_uc"] > 0


@pytest.mark.hazard("HAZ-28", "HAZ-31")
def test_chatter_is_refused_with_a_reason_and_pain_is_still_obeyed() -> None:
    """Against a host that fills the log. What makes events is refused; pain, abort and a fault find their room."""
    with device() as board:
        board.hold(current_ua=500, dose_uc=100_000)
        codes = [report(board, protocol.TINGLING) for _ in range(400)]
        assert codes.count(faults.NONE) > 300 and codes[-1] == faults.EVENTS_FULL
        assert board.code(protocol.PAUSE) == faults.EVENTS_FULL
        assert report(board, protocol.STINGING, 400) == faults.EVENTS_FULL
        assert board.state == protocol.HOLD
        assert report(board, protocol.PAIN) == faults.NONE
        for _ in range(30):
            report(board, protocol.PAIN)
            board.code(protocol.ABORT)
        board.run(350)
        end = board.log()[-1][1]
        assert end["events_lost"] == 0
        assert events(board, fmt.STATE_CHANGED)[-1]["code"] == protocol.DONE
        assert board.code(protocol.PAUSE) == faults.WRONG_STATE


@pytest.mark.hazard("HAZ-26")
def test_the_end_record_has_the_least_voltages_of_the_session() -> None:
    """From the first full current on, so that the start of the boost converter is none; as extremes."""
    with device() as board:
        board.hold(**LONG)
        board.plant.vsys_mv, board.plant.nominal_rail_mv = 3_620, 23_100
        board.run(5)
        board.plant.vsys_mv, board.plant.nominal_rail_mv = 3_900, 24_000
        board.run(500)
        board.code(protocol.ABORT)
        board.run(350)
        end = board.log()[-1][1]
        assert (end["min_vsys_mv"], end["min_rail_mv"]) == (3_620, 23_100)


@pytest.mark.hazard("HAZ-26")
def test_the_rail_that_trips_is_the_least_and_without_current_there_is_none() -> None:
    with device() as board:
        board.hold(**LONG)
        board.plant.nominal_rail_mv = 19_000
        board.run(400)
        assert board.log()[-1][1]["min_rail_mv"] == 19_000
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start(**LONG)
        board.until(protocol.ARMED)
        board.code(protocol.ABORT)
        board.run(350)
        end = board.log()[-1][1]
        assert end["min_rail_mv"] is end["min_vsys_mv"] is None


def test_a_refusal_names_the_state() -> None:
    with device() as board:
        for kind, state in ((protocol.PAUSE, protocol.IDLE), (protocol.RESUME, protocol.HOLD)):
            if state == protocol.HOLD:
                board.hold(**LONG)
            told: Any = board.ask(kind)
            code = faults.WRONG_STATE if state == protocol.IDLE else faults.OUTPUT_ON
            assert told == (protocol.ERROR, struct.pack("<HBB", code, kind, state))
