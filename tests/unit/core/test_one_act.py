"""One act does one thing: `clear` without a fault changes nothing, a press of START allows one act within 10 s."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from plant import Device, device, press

from ionto import faults, protocol
from ionto.hand import WINDOW_US

WINDOW_MS = WINDOW_US // 1_000
LONG_DOSE = {"dose_uc": 60_000}
TWO_POLES = {"dose_uc": 24_000, "reversal": "half"}


@contextmanager
def session_in(state: int) -> Iterator[Device]:
    """Yield a device in `state`, without a latched fault, on the bench strap."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        if state == protocol.IN_MAINTENANCE:
            board.app.session.leave()
        elif state == protocol.REVERSING:
            board.hold(**TWO_POLES)
        elif state in (protocol.SELF_TESTING, protocol.ARMED, protocol.RAMP_UP):
            board.start()
        elif state != protocol.IDLE:
            board.hold(**LONG_DOSE)
        if state in (protocol.PAUSED, protocol.RAMP_DOWN):
            assert board.code(protocol.PAUSE) == 0
        if state == protocol.DONE:
            assert board.code(protocol.ABORT) == 0
        board.until(state)
        yield board


def flash_of(board: Device) -> dict[str, bytes]:
    """Return all files of the device."""
    return copy.deepcopy(board.flash.files | board.flash.system)


@pytest.mark.hazard("HAZ-31", "HAZ-21")
@pytest.mark.parametrize("state", [state for state in range(len(protocol.STATES)) if state != protocol.FAULT])
def test_clear_without_a_fault_changes_nothing(state: int) -> None:
    """Against a log that `clear` closes while the session lives on: the rest of the dose would flow unlogged."""
    with session_in(state) as board:
        keeper, session = board.app.keeper, board.app.session
        before = (keeper.todo, keeper.log_open, session.state, session.outcome)
        files = flash_of(board)
        board.app.desk.clear_fault()
        assert (keeper.todo, keeper.log_open, session.state, session.outcome) == before
        assert flash_of(board) == files


@pytest.mark.hazard("HAZ-31", "HAZ-21")
def test_a_session_that_pauses_keeps_its_log_whatever_is_cleared() -> None:
    """`pause`, `clear`, `resume`: what flows afterwards is in the log, and the end record is the session's own."""
    with device() as board:
        board.hold(**LONG_DOSE)
        assert board.code(protocol.PAUSE) == 0
        board.until(protocol.PAUSED)
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.run(500)
        assert board.app.keeper.log_open
        assert board.code(protocol.RESUME) == 0
        board.until(protocol.HOLD)
        board.run(3_000)
        assert board.code(protocol.ABORT) == 0
        board.finish()
        end = board.log()[-1][1]
        assert end["outcome"] == protocol.ABORTED
        assert end["charge_uc"] == pytest.approx(board.plant.charge_uc, rel=0.01)


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize("state", [protocol.PAUSED, protocol.REVERSING])
def test_no_current_without_an_open_log(state: int) -> None:
    """Whatever has closed the log of a session that is under way: no current comes back."""
    with session_in(state) as board:
        board.app.keeper.log_open = False
        board.code(protocol.RESUME)
        board.run(1_000)
        assert not board.app.session.output_on
        assert board.plant.current_ua < 1


# One press.


def raise_limit(board: Device) -> int:
    """Lower a limit, which anybody may; return the code for raising it again."""
    assert board.code(protocol.SET_LIMITS, json.dumps({"max_current_ua": 1_000}).encode()) == 0
    return board.code(protocol.SET_LIMITS, json.dumps({"max_current_ua": 1_001}).encode())


def started_by_button(board: Device) -> None:
    """A person starts a session with the button, on battery, no strap."""
    board.push(**LONG_DOSE)
    press(board, 2_100)
    assert board.state == protocol.SELF_TESTING


def started_by_host(board: Device) -> None:
    """A host starts a session; a person pressed START before."""
    board.push(**LONG_DOSE)
    press(board)
    assert board.code(protocol.START) == 0


def pressed_in_self_test(board: Device) -> None:
    """START is pressed again while the self-test runs."""
    started_by_button(board)
    press(board)


def pressed_in_hold(board: Device) -> None:
    """START is pressed while current flows."""
    started_by_button(board)
    board.until(protocol.HOLD)
    press(board)


@pytest.mark.hazard("HAZ-20", "HAZ-29")
@pytest.mark.parametrize("how", [started_by_button, started_by_host, pressed_in_self_test, pressed_in_hold])
def test_the_press_that_started_a_session_is_used_up(how: Callable[[Device], None]) -> None:
    """Against a computer that comes later and goes on with a pause, or raises a limit, by a press of long ago."""
    with device() as board:
        how(board)
        board.until(protocol.HOLD)
        assert board.code(protocol.PAUSE) == 0
        board.until(protocol.PAUSED)
        assert board.code(protocol.RESUME) == faults.NEEDS_HAND
        board.code(protocol.ABORT)
        board.finish()
        assert board.code(protocol.MAINTENANCE) == faults.NEEDS_HAND
        assert raise_limit(board) == faults.NEEDS_HAND


@pytest.mark.hazard("HAZ-20", "HAZ-29")
def test_a_press_lasts_ten_seconds_also_while_a_self_test_runs() -> None:
    with device() as board:
        press(board)
        board.send(protocol.SELF_TEST)
        board.run(WINDOW_MS + 200)
        assert board.code(protocol.MAINTENANCE) == faults.NEEDS_HAND


@pytest.mark.hazard("HAZ-20", "HAZ-29")
def test_a_press_that_allowed_a_request_starts_nothing_when_it_ends() -> None:
    """START is held for two seconds and a host has had its act by it: letting go is not a second one."""
    with device() as board:
        board.push()
        assert board.code(protocol.SET_LIMITS, b'{"max_current_ua":3000}') == 0
        board.hal.start_pressed = True
        board.run(1_000)
        assert board.code(protocol.SET_LIMITS, b'{"max_current_ua":4000}') == 0
        board.run(1_500)
        board.hal.start_pressed = False
        board.run(10)
        assert board.state == protocol.IDLE
        press(board, 2_100)
        assert board.state == protocol.SELF_TESTING
