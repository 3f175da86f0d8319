"""The START button and the lights."""

from __future__ import annotations

import pytest
from app_words import LONG
from plant import OPEN_OHM, device, press

from ionto import protocol, ui


@pytest.mark.hazard("HAZ-20")
def test_a_press_of_two_seconds_starts_and_a_shorter_one_does_not() -> None:
    """Against start by a touch."""
    with device() as board:
        board.push()
        for ms in (1, 500, 1_990):
            press(board, ms)
            assert board.state == protocol.IDLE
        press(board, 2_010)
        assert board.state == protocol.SELF_TESTING
        board.finish()
        assert board.app.session.outcome == protocol.COMPLETE


@pytest.mark.hazard("HAZ-20")
def test_a_press_is_timed_and_its_cycles_are_not_counted() -> None:
    """Against a press that a board takes for a shorter one: a cycle at rest is longer than its millisecond there."""
    with device() as board:
        board.push()
        board.hal.on_wait = lambda: board.hal.spend(1_600)
        press(board, 1_240)
        assert board.state == protocol.IDLE
        press(board, 1_260)
        assert board.state == protocol.SELF_TESTING


@pytest.mark.hazard("HAZ-20")
def test_a_button_that_is_never_let_go_starts_nothing() -> None:
    """Against a shorted button: closed at boot or later, for ever or past 10 s, it is no person."""
    with device() as board:
        board.push()
        for ms in (12_000, 60_000):
            press(board, ms)
            assert board.state == protocol.IDLE
        press(board, 2_100)
        assert board.state == protocol.SELF_TESTING


@pytest.mark.hazard("HAZ-20")
def test_a_press_acts_in_the_state_it_began_in() -> None:
    """Against start by a press that was meant for something else: held through the end of a session."""
    with device() as board:
        board.hold(starts=2)
        board.hal.start_pressed = True
        board.code(protocol.ABORT)
        board.run(3_000)
        board.hal.start_pressed = False
        board.run(10)
        assert board.state == protocol.DONE


@pytest.mark.hazard("HAZ-19")
def test_a_press_on_battery_needs_no_strap_and_with_usb_it_does() -> None:
    """Against a computer on USB. The button obeys the same interlock as the command."""
    with device() as board:
        board.hal.vbus = True
        board.run(2)
        board.push()
        press(board, 2_100)
        assert board.state == protocol.IDLE
        board.hal.vbus = False
        press(board, 2_100)
        assert board.state == protocol.SELF_TESTING


def test_a_press_resumes_a_pause() -> None:
    with device() as board:
        board.hold(dose_uc=8_000)
        board.code(protocol.PAUSE)
        board.until(protocol.PAUSED)
        press(board, 1_500)
        assert board.state == protocol.PAUSED
        press(board, 2_100)
        assert board.state == protocol.RAMP_UP
        board.finish()
        assert board.app.session.outcome == protocol.COMPLETE


@pytest.mark.hazard("HAZ-20", "HAZ-31")
def test_the_log_tells_a_start_by_button() -> None:
    """Who started it, a person or the host, can be told afterwards."""
    for by_button in (True, False):
        with device() as board:
            board.hal.bench_strap = True
            board.push()
            if by_button:
                press(board, 2_100)
            else:
                board.code(protocol.START)
            board.finish()
            events = [row for name, rows in board.log() if name == "events" for row in rows]
            presses = [(row["code"], row["value_b"]) for row in events if row["event"] == 5]
            assert presses == ([(1, 0)] if by_button else [])


@pytest.mark.hazard("HAZ-20", "HAZ-21")
def test_a_press_clears_no_fault() -> None:
    with device() as board:
        board.hold(**LONG)
        board.plant.load_ohm = OPEN_OHM
        board.until(protocol.FAULT)
        board.plant.load_ohm = 2_000.0
        press(board, 5_000)
        assert board.state == protocol.FAULT


@pytest.mark.hazard("HAZ-33")
def test_lights_follow_the_state() -> None:
    with device() as board:
        board.run(300)
        assert board.hal.lights == 1
        board.hold(**LONG)
        board.run(300)
        assert board.hal.lights == 2


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize(("state", "bit", "flashes"), [(protocol.PAUSED, 2, 2), (protocol.FAULT, 4, 3)])
def test_lights_blink_as_their_pattern_says(state: int, bit: int, flashes: int) -> None:
    with device() as board:
        board.hold(dose_uc=8_000)
        if state == protocol.PAUSED:
            board.code(protocol.PAUSE)
        else:
            board.plant.load_ohm = OPEN_OHM
        board.until(state)
        board.run(350)
        shown = []
        for _ in range(2 * 16 * 128):
            board.run(1)
            shown.append(bool(board.hal.lights & bit))
        assert sum(shown) == pytest.approx(2 * flashes * 128, abs=128)
        changes = sum(first != second for first, second in zip(shown, shown[1:], strict=False))
        assert abs(changes - 2 * 2 * flashes) <= 1, "on and off again as often as the pattern says"


def test_a_new_state_is_shown_at_once_though_a_press_was_refused_just_before() -> None:
    """The red light of the refusal has two seconds, and no part in the self-test that the host starts meanwhile."""
    with device() as board:
        board.push()
        board.hal.vbus = True
        board.run(2)
        press(board, 2_100)
        board.run(130)
        assert board.hal.lights & ui.FAULT
        board.hal.vbus = False
        board.run(2)
        assert board.code(protocol.START) == 0
        board.until(protocol.SELF_TESTING)
        board.run(ui.STEP_MS)
        shown = set()
        for _ in range(4 * ui.STEP_MS):
            board.run(1)
            shown.add(board.hal.lights)
        assert shown == {0, ui.READY}


def test_the_buzzer_of_a_fault_is_quiet_after_ten_seconds() -> None:
    with device() as board:
        board.hold(**LONG)
        board.plant.load_ohm = OPEN_OHM
        board.until(protocol.FAULT)
        sounding_s = set()
        for ms in range(15_000):
            board.run(1)
            if board.hal.lights & ui.SOUND:
                sounding_s.add(ms // 1_000)
        assert len(sounding_s) >= 4 and 7 <= max(sounding_s) <= 10


@pytest.mark.hazard("HAZ-16")
def test_the_heartbeat_rests_low_after_the_self_test() -> None:
    """Against a heartbeat stuck high. Between self-test and ramp the pin is low, not where the last edge left it.

    Once it rests high: the self-test times how long the dead-man lets it. A press of STOP takes it low at once.
    """
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        rests = []
        while board.state in (protocol.IDLE, protocol.SELF_TESTING, protocol.ARMED):
            board.run(1)
            if not board.app.session.output_on and (not rests or rests[-1] != board.hal.level):
                rests.append(board.hal.level)
        assert rests == [0, 1, 0]
        assert board.hal.beats > 50


@pytest.mark.hazard("HAZ-13", "HAZ-17")
def test_stop_ends_a_self_test_whose_heartbeat_rests_high() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        while not board.hal.level or board.app.session.output_on:
            board.run(1)
        board.hal.stop_open = True
        board.run(2)
        assert (board.state, board.hal.level, board.plant.boost) == (protocol.DONE, 0, False)
