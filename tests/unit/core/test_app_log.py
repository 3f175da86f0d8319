"""The log of a session while things go wrong: refusals, ends around ARM, flash that is full or fails."""

from __future__ import annotations

import pytest
from app_words import COMMANDS
from fake_flash import read_log
from plant import device, dose_fields

from ionto import dose, faults, limits, protocol


@pytest.mark.hazard("HAZ-31")
def test_a_refused_start_leaves_the_log_of_a_paused_session_alone() -> None:
    """Against a lost log. START in PAUSED is refused and nothing of what was logged before is gone."""
    with device() as board:
        board.hold(dose_uc=8_000)
        board.run(500)
        assert board.code(protocol.PAUSE) == 0
        board.until(protocol.PAUSED)
        assert board.code(protocol.START) == faults.WRONG_STATE
        assert board.code(protocol.SELF_TEST) == faults.WRONG_STATE
        board.run(300)
        assert board.code(protocol.RESUME) == 0
        board.finish()
        records = board.log()
        times = [row["t_ms"] for name, rows in records if name == "samples" for row in rows]
        assert times[0] < 2_000, "from before the pause"
        assert records[-1][1]["charge_uc"] == pytest.approx(8_000, abs=50)


@pytest.mark.hazard("HAZ-20")
@pytest.mark.parametrize("request_name", ["START", "SELF_TEST"])
def test_a_refused_start_during_a_self_test_changes_nothing(request_name: str) -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.run(100)
        assert board.code(COMMANDS[request_name]) == faults.WRONG_STATE
        board.finish()
        assert board.log()[-1][1]["outcome"] == protocol.COMPLETE


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize("way", ["abort", "stop", "fault"])
def test_a_session_that_ends_between_arm_and_ramp_has_a_whole_log(way: str) -> None:
    """Against a log left open. Whatever happens while the arm record is written, the file gets its end."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.until(protocol.ARMED)
        if way == "abort":
            board.app.session.abort()
        elif way == "stop":
            board.hal.stop_open = True
        else:
            board.plant.switch_shorted, board.plant.forced_ua = True, 500.0
        board.until(protocol.DONE, protocol.FAULT, most=300)
        board.run(250)
        for data in board.logs.values():
            assert read_log(data)[-1][0] == "end"
        board.hal.stop_open, board.plant.switch_shorted, board.plant.forced_ua = False, False, None
        board.run(350)
        board.code(protocol.CLEAR_FAULT)
        assert board.code(protocol.START) == 0


@pytest.mark.hazard("HAZ-17", "HAZ-31")
@pytest.mark.parametrize("ticks", range(1, 14))
def test_a_stop_just_after_the_start_leaves_no_log_open(ticks: int) -> None:
    """Against a log not closed. Also when STOP is seen in the cycle after the one that took the request."""
    with device() as board:
        board.hold()
        board.code(protocol.ABORT)
        board.run(250)
        board.send(protocol.START)
        board.run(ticks)
        board.hal.stop_open = True
        board.run(250)
        assert not board.hal.powered
        assert all(board.log(number)[-1][0] == "end" for number in range(1, len(board.logs) + 1))


@pytest.mark.hazard("HAZ-17", "HAZ-31")
@pytest.mark.parametrize("after_ms", [*range(497, 505), 515, 530])
def test_an_abort_around_arm_leaves_no_log_open(after_ms: int) -> None:
    """Against an open log. The request may arrive in any cycle while the record is written and the relay settles."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.run(after_ms)
        assert board.code(protocol.ABORT) == 0
        board.run(250)
        assert board.state == protocol.DONE
        assert all(read_log(data)[-1][0] == "end" for data in board.logs.values())
        assert board.code(protocol.START) == 0


@pytest.mark.hazard("HAZ-31")
def test_every_event_that_matters_is_in_the_log() -> None:
    with device() as board:
        board.hold(dose_uc=8_000)
        board.code(protocol.PAUSE)
        board.until(protocol.PAUSED)
        board.code(protocol.RESUME)
        board.finish()
        events = [row for name, rows in board.log() if name == "events" for row in rows]
        states = [row["code"] for row in events if row["event"] == 1]
        requests = [row["code"] for row in events if row["event"] == 3]
        assert states == [1, 2, 3, 4, 5, 7, 3, 4, 5, 6]
        assert requests == [protocol.PAUSE, protocol.RESUME]
        assert [row["t_ms"] for row in events] == sorted(row["t_ms"] for row in events)


@pytest.mark.hazard("HAZ-31")
def test_full_disk_refuses_the_start() -> None:
    """Against a full disk. Refused with its own code before anything moves; after a deletion it starts."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        assert board.push() == 0
        board.flash.free_blocks = 15
        assert board.push() == faults.FILESYSTEM_FULL, "while a computer is there to pull logs with"
        assert board.code(protocol.START) == faults.FILESYSTEM_FULL
        assert (board.state, board.hal.calls.count("power_up")) == (protocol.IDLE, 0)
        board.flash.free_blocks = 16
        assert board.code(protocol.START) == 0


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize("operation", ["open wb", "write"])
def test_flash_that_refuses_the_arm_record_means_no_current(operation: str) -> None:
    """Against a full disk at START. Refused, and the output never came on."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)

        def fail(name: str) -> None:
            if name == operation:
                raise OSError(28)

        board.push()
        board.flash.fail = fail
        assert board.code(protocol.START) == faults.FILESYSTEM_FULL
        board.run(1_000)
        assert (board.state, board.plant.charge_uc) == (protocol.IDLE, 0), "not even the self-test's current"


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize(("errno", "code"), [(5, faults.LOG_WRITE_FAILED), (28, faults.FILESYSTEM_FULL)])
def test_flash_that_fails_after_the_session_is_a_fault_and_nothing_hangs(errno: int, code: int) -> None:
    """Against a log that is not written. Told as a fault, a full flash as one; after clearing, the device works on."""
    with device() as board:
        board.hold()
        board.until(protocol.DONE)

        def fail(name: str) -> None:
            raise OSError(errno)

        board.flash.fail = fail
        board.run(250)
        assert board.app.session.fault == code
        board.flash.fail = lambda name: None
        board.run(350)
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.run(250)
        assert board.code(protocol.START) == 0


def longest_dose() -> bytes:
    """Return the longest dose that is accepted: every text full of characters that JSON escapes, all 1024 bytes."""
    fields = dose_fields(limits.variant_a(), name='"' * 40, drug="\\" * 40, site="\x01" * 40, screening="x" * 240)
    raw = dose.canonical(fields)
    return raw[:-1] + b" " * (dose.MAX_BYTES - len(raw)) + b"}"


@pytest.mark.hazard("HAZ-27", "HAZ-31")
def test_the_largest_dose_fits_the_arm_record() -> None:
    """Against a dose that is accepted and cannot be logged."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        assert board.code(protocol.DOSE_PUSH, longest_dose()) == 0
        assert board.ask(protocol.DOSE_READ)[1] == longest_dose()
        assert board.code(protocol.START) == 0
        board.until(protocol.HOLD)
        assert board.log()[0][1]["dose"].encode() == longest_dose()
