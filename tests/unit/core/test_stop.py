"""STOP held for 20 ms ends a session in every state within 20 ms, whatever host, flash, log or START are doing."""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from plant import Device, device, dose_fields, press

import ionto
from ionto import dose, faults, protocol

STOP_US = 20_000
FLASH_US = 100_000  # of one flash operation
LOG_BYTES = 4_000
LONGEST_US = 10_000  # of a cycle in which a log is sent
STATES = (
    protocol.SELF_TESTING,
    protocol.ARMED,
    protocol.RAMP_UP,
    protocol.HOLD,
    protocol.RAMP_DOWN,
    protocol.REVERSING,
    protocol.PAUSED,
)
FIRMWARE = {path.stem: path for path in Path(ionto.__path__[0]).glob("*.py")}


def test_the_states_are_all_in_which_a_session_can_be() -> None:
    rest = {protocol.IDLE, protocol.DONE, protocol.FAULT, protocol.IN_MAINTENANCE}
    assert set(STATES) | rest == set(range(len(protocol.STATES)))


def slow_host(board: Device) -> None:
    """Let the host take 64 bytes every 20 ms, and every look at flash a millisecond."""
    left = [0]

    def wait() -> None:
        left[0] = (left[0] + 1) % 20
        if not left[0]:
            board.port.takes = 64

    board.port.takes = 0
    board.hal.on_wait = wait
    board.flash.on_stat = lambda: board.hal.spend(1_000)


def session_in(board: Device, state: int) -> None:
    """Bring `board` into `state`; the logs of 60 earlier sessions lie on its slow flash, and its host reads slowly."""
    for log_id in range(1, 61):
        board.flash.files[f"/logs/{log_id:06d}.ilog"] = bytes(LOG_BYTES)
    board.hal.bench_strap = True
    board.run(2)
    board.flash.write_us = FLASH_US
    board.start(dose_uc=24_000, reversal="half")
    if state == protocol.PAUSED:
        board.until(protocol.HOLD)
        board.code(protocol.PAUSE)
    board.until(state)
    slow_host(board)


def everything(board: Device) -> list[tuple[int, bytes, int]]:
    """Return the requests (type, payload, sequence) that keep a device busy, six LOG_READs first."""
    read = struct.pack("<III", 1, 0, LOG_BYTES)
    asked = [(protocol.LOG_READ, read)] * 6
    asked += [
        (protocol.LOG_LIST, struct.pack("<I", 0)),
        (protocol.LOG_DELETE, struct.pack("<I", 2)),
        (protocol.LOG_VERIFIED, struct.pack("<I", 3) + bytes(32)),
        (protocol.HEALTH, b""),
        (protocol.DOSE_PUSH, dose.canonical(dose_fields(board.build))),
        (protocol.SET_LIMITS, b'{"max_current_ua":3000}'),
    ]
    return [(kind, payload, sequence + 1) for sequence, (kind, payload) in enumerate(asked)]


@pytest.mark.hazard("HAZ-17", "HAZ-28")
@pytest.mark.parametrize("after_ms", [0, 3, 9, 150])
@pytest.mark.parametrize("state", STATES)
def test_stop_of_20_ms_ends_every_state_whatever_the_host_does(state: int, after_ms: int) -> None:
    """Against a host that queues reads of a log and takes them slowly: in a session nothing waits for it."""
    with device() as board:
        session_in(board, state)
        for request in everything(board):
            board.send(*request)
        board.run(after_ms)
        pressed_us = board.plant.now_us
        board.hal.stop_open = True
        while board.plant.now_us - pressed_us < STOP_US and board.state not in (protocol.DONE, protocol.FAULT):
            board.run(1)
        assert board.plant.now_us - pressed_us <= STOP_US
        assert (board.state, board.app.session.outcome) == (protocol.DONE, protocol.STOPPED)
        board.hal.stop_open = False
        before_uc = board.plant.charge_uc
        board.run(3_000)
        assert board.state == protocol.DONE
        assert board.plant.charge_uc - before_uc < 250


@pytest.mark.hazard("HAZ-17")
@pytest.mark.parametrize("state", STATES)
def test_nothing_is_written_to_flash_from_the_first_switch_to_the_end(state: int) -> None:
    """Against a STOP that falls into a flash operation: none is done in any state of a session."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start(dose_uc=24_000, reversal="half")
        written: list[str] = []
        board.flash.on_write = lambda path: written.append(protocol.STATES[board.state])
        board.until(protocol.HOLD)
        if state == protocol.PAUSED:
            board.code(protocol.PAUSE)
        for _ in range(20_000):
            if board.state == protocol.PAUSED:
                board.code(protocol.RESUME)
            board.run(1)
        assert board.state == protocol.DONE
        assert set(written) == {"DONE"}


def glitch(board: Device) -> None:
    """Open STOP for less than a look at it takes, as in a flash operation, which stops the loop."""
    board.hal.stop_open = True
    board.hal.stop_open = False


def abort(board: Device) -> None:
    """Ask for an abort."""
    board.send(protocol.ABORT)


@pytest.mark.hazard("HAZ-17", "HAZ-20")
@pytest.mark.parametrize(("end", "outcome"), [(glitch, protocol.STOPPED), (abort, protocol.ABORTED)])
def test_stop_in_any_step_of_a_start_ends_it_before_anything_is_switched_on(
    end: Callable[[Device], None], outcome: int
) -> None:
    """Its work is in steps, each may be a flash operation. A start that is counted has a log that tells its end."""
    outcomes = set()
    for steps in range(40):
        with device() as board:
            board.push(starts=3)
            board.flash.write_us = FLASH_US
            board.hal.start_pressed = True
            board.run(2_100)
            board.hal.start_pressed = False
            while not board.app.desk.errand.under_way():
                board.run(1)
            board.run(steps)
            if board.state == protocol.SELF_TESTING:
                break
            board.hal.calls.clear()
            end(board)
            board.run(10 if end is abort else 2)
            assert board.state in (protocol.IDLE, protocol.DONE), "within two cycles of the loop"
            board.run(3_000)
            assert "power_up" not in board.hal.calls and not board.hal.beats and not board.plant.charge_uc
            counted = board.app.kept.starts_left == 2
            told = [content["outcome"] for name, content in (board.log() if counted else []) if name == "end"]
            assert told == ([outcome] if counted else [])
            assert bool(board.logs) == counted
            outcomes.add((counted, board.state))
            assert board.code(protocol.CLEAR_FAULT) == 0
    assert outcomes == {(False, protocol.IDLE), (True, protocol.DONE)}


@pytest.mark.hazard("HAZ-13", "HAZ-17")
def test_with_stop_open_a_dose_is_taken_and_the_self_test_names_it_and_nothing_starts() -> None:
    with device() as board:
        board.hal.stop_open = True
        board.run(10)
        assert board.code(protocol.DOSE_PUSH, dose.canonical(dose_fields(board.build))) == 0
        assert board.code(protocol.START) == faults.STOP_OPEN
        assert board.code(protocol.SELF_TEST) == 0
        board.run(2_000)
        assert board.app.session.fault == faults.SELFTEST_STOP


@pytest.mark.hazard("HAZ-20", "HAZ-28")
def test_a_start_has_flash_for_itself() -> None:
    """While START works, a host that asks for files or flash has to wait, and a second START is refused."""
    with device() as board:
        board.push(starts=3)
        board.hal.start_pressed = True
        board.run(2_100)
        board.hal.start_pressed = False
        while not board.app.desk.errand.under_way():
            board.run(1)
        assert board.app.desk.start() == faults.WRONG_STATE
        assert board.app.desk.leave_for_maintenance() == faults.WRONG_STATE
        assert board.app.desk.self_test() == faults.WRONG_STATE
        assert board.code(protocol.LOG_LIST, struct.pack("<I", 0)) == faults.WRONG_STATE
        board.until(protocol.RAMP_UP)


@pytest.mark.hazard("HAZ-14", "HAZ-28")
def test_a_long_answer_to_a_slow_host_holds_no_cycle() -> None:
    """A log goes out as the host takes it; the loop has its turn in between, and its evidence."""
    with device() as board:
        board.flash.files["/logs/000001.ilog"] = bytes(10_000)
        slow_host(board)
        board.send(protocol.LOG_READ, struct.pack("<III", 1, 0, 10_000))
        longest_us = 0
        for _ in range(4_000):
            before_us = board.plant.now_us
            board.run(1)
            longest_us = max(longest_us, board.plant.now_us - before_us)
        assert longest_us <= LONGEST_US
        assert len(board.port.from_device) > 10_000, "all of it came"
        assert not board.app.link.busy() and not board.app.desk.sending_log


@pytest.mark.hazard("HAZ-20")
def test_a_host_that_has_gone_in_the_middle_of_a_log_does_not_keep_a_session_from_beginning() -> None:
    with device() as board:
        board.push()
        board.flash.files["/logs/000001.ilog"] = bytes(10_000)
        board.send(protocol.LOG_READ, struct.pack("<III", 1, 0, 10_000))
        board.run(20)
        board.port.reading_host = False
        board.send(protocol.LOG_READ, struct.pack("<III", 1, 0, 10_000))
        board.run(700)
        press(board, 2_100)
        assert board.state == protocol.SELF_TESTING


def callers(*names: str) -> set[tuple[str, str]]:
    """Return (module, function) of every place in the firmware that calls, or takes hold of, a method of `names`."""
    found = set()
    for module, path in FIRMWARE.items():
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                used = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
                found |= {(module, function.name) for name in names if name in used}
    return found


@pytest.mark.hazard("HAZ-14", "HAZ-17")
def test_the_watchdog_is_fed_and_time_is_waited_for_in_one_place() -> None:
    """Nothing but the main loop waits, and its beat, after the evidence of a cycle, is all that feeds the watchdog."""
    assert callers("feed", "_feed") == {("hal_rp2", "__init__"), ("hal_rp2", "start_watchdog"), ("hal_rp2", "beat")}
    assert callers("beat") == {("loop", "tick")}
    assert callers("wait_tick") == {("loop", "tick")}
    assert callers("sleep_us", "sleep", "sleep_ms") == {("hal_rp2", "wait_tick"), ("hal_rp2", "_half_clock")}
