"""What a boot finds: sessions cut short, logs, flash, resets, a dead sensor."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from app_words import LONG
from fake_flash import Flash, read_log
from plant import OPEN_OHM, Board, Device, device

from ionto import bootmode, faults, protocol, version


def crash_in_hold() -> tuple[Flash, Board, int]:
    """Run into a session and leave it there, as a watchdog reset does; return flash, board and the charge so far."""
    with device() as board:
        board.hold(**LONG)
        board.run(2_000)
        return board.flash, board.board, board.app.session.charge_uc


@pytest.mark.hazard("HAZ-31")
def test_a_lost_session_is_closed_with_what_the_chip_still_knows() -> None:
    """Against a watchdog reset in a session. Charge and time to 64 ms, cause told, fault latched."""
    flash, scratch, charge_uc = crash_in_hold()
    with device(flash=flash, board=scratch) as board:
        end = board.log()[-1]
        assert end[0] == "end"
        assert end[1]["outcome"] == protocol.INTERRUPTED
        assert end[1]["cause"] == bootmode.WATCHDOG
        assert 0 <= charge_uc - end[1]["charge_uc"] <= 2_000 * 65 // 1_000
        assert end[1]["t_ms"] > 2_000
        assert (board.state, board.app.session.fault) == (protocol.FAULT, faults.UNPLANNED_RESET)
        assert not board.app.session.output_on
        assert board.code(protocol.START) == faults.FAULT_LATCHED
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.hold()
        assert board.app.log.log_id == 2


@pytest.mark.hazard("HAZ-26", "HAZ-31")
def test_a_session_lost_with_the_power_is_closed_without_numbers() -> None:
    """Against a power cut. What is not known is not invented."""
    flash, _, _ = crash_in_hold()
    with device(flash=flash) as board:
        end = board.log()[-1][1]
        assert (end["outcome"], end["cause"]) == (protocol.INTERRUPTED, bootmode.POWER_ON)
        assert "charge_uc" not in end
        assert board.state == protocol.IDLE


@pytest.mark.hazard("HAZ-31")
def test_a_finished_session_is_left_alone_at_boot() -> None:
    with device() as board:
        board.hold()
        board.finish()
        flash, scratch = board.flash, board.board
    before = dict(flash.files)
    with device(flash=flash, board=scratch) as board:
        assert board.flash.files == before
        assert board.app.log.log_id == 1


def hello(board: Device) -> dict[str, Any]:
    """Return the answer to HELLO."""
    return json.loads(board.ask(protocol.HELLO, bytes([version.PROTOCOL_VERSION]))[1])


@pytest.mark.hazard("HAZ-24", "HAZ-26")
@pytest.mark.parametrize("reset", [True, False])
def test_a_session_that_was_cut_short_is_told_until_it_was_pulled(reset: bool) -> None:
    """Against less than the dose taken for the dose. With its charge where the chip knows it, over further boots."""
    flash, scratch, charge_uc = crash_in_hold()
    for _ in range(2):
        with device(flash=flash, board=scratch if reset else Board()) as board:
            ((log_id, told_uc),) = hello(board)["cut_short"]
            assert log_id == 1
            if reset:
                assert 0 <= charge_uc - told_uc <= 2_000 * 65 // 1_000
            else:
                assert told_uc == -1
    with device(flash=flash) as board:
        chain = board.logs["/logs/000001.ilog"][-36:-4]
        assert board.code(protocol.LOG_VERIFIED, struct.pack(protocol.LOG_VERIFIED_FORMAT, 1, chain)) == 0
        assert hello(board)["cut_short"] == []
    with device(flash=flash) as board:
        assert hello(board)["cut_short"] == []


def test_a_cut_short_session_that_is_deleted_is_told_no_more() -> None:
    flash, _, _ = crash_in_hold()
    with device(flash=flash) as board:
        assert len(hello(board)["cut_short"]) == 1
        assert board.code(protocol.LOG_DELETE, struct.pack("<I", 1)) == 0
        assert hello(board)["cut_short"] == []


@pytest.mark.hazard("HAZ-31")
def test_every_log_is_examined_not_only_the_newest() -> None:
    """Against an open log behind a newer one: the flash refused to close it, a person cleared the fault and went on."""
    flash, scratch, _ = crash_in_hold()

    def fail(name: str) -> None:
        if name in ("write", "open ab"):
            raise OSError(28)

    flash.fail = fail
    with device(flash=flash, board=scratch) as board:
        board.run(10)
        assert board.app.session.fault == faults.FILESYSTEM_FULL
        flash.fail = lambda name: None
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.hold()  # at once: the log of the lost session is still open
        assert board.app.log.log_id == 2
        flash, scratch = board.flash, board.board
    with device(flash=flash, board=scratch) as board:
        board.code(protocol.CLEAR_FAULT)
        board.run(3_000)
        assert [board.log(number)[-1][0] for number in (1, 2)] == ["end", "end"]
        assert [row[0] for row in hello(board)["cut_short"]] == [2, 1]
        before = dict(flash.files)
        board.run(3_000)
        assert flash.files == before


@pytest.mark.hazard("HAZ-31")
def test_a_log_that_cannot_be_closed_is_tried_again_after_clearing() -> None:
    flash, scratch, _ = crash_in_hold()

    def fail(name: str) -> None:
        if name in ("write", "open ab"):
            raise OSError(28)

    flash.fail = fail
    with device(flash=flash, board=scratch) as board:
        board.run(10)
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.run(1_100)
        assert board.app.session.fault == faults.FILESYSTEM_FULL, "told again"
        flash.fail = lambda name: None
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.run(1_100)
        assert board.log()[-1][0] == "end"


@pytest.mark.hazard("HAZ-31")
def test_a_reset_while_the_log_is_written_closes_what_is_there() -> None:
    """Against a power cut in a flush. The records that made it stay readable, the end is added behind them."""
    with device() as board:
        board.hold(current_ua=1_000, dose_uc=9_000)
        board.until(protocol.DONE)
        board.run(127)
        flash, scratch = board.flash, board.board
    assert read_names(flash)[-1] != "end"
    with device(flash=flash, board=scratch):
        assert read_names(flash)[-1] == "end"
        assert "samples" in read_names(flash)


def read_names(flash: Flash) -> list[str]:
    """Return the record names of the one log on `flash`."""
    (data,) = flash.logs.values()
    return [name for name, _ in read_log(data)]


@pytest.mark.hazard("HAZ-31")
def test_full_flash_at_boot_is_a_fault_and_the_application_runs() -> None:
    """Against a full disk. A lost session that cannot be closed must not keep the device from coming up."""
    flash, scratch, _ = crash_in_hold()

    def fail(name: str) -> None:
        if name in ("write", "open ab"):
            raise OSError(28)

    flash.fail = fail
    with device(flash=flash, board=scratch) as board:
        board.run(10)
        assert board.state == protocol.FAULT
        assert board.ask(protocol.STATUS)[0] == protocol.STATUS | protocol.RESPONSE


@pytest.mark.hazard("HAZ-30", "HAZ-32")
def test_stray_files_do_not_stop_the_application() -> None:
    flash = Flash()
    flash.files["/logs/readme.ilog"] = b"hello"
    with device(flash=flash) as board:
        assert json.loads(board.ask(protocol.LOG_LIST, struct.pack("<I", 0))[1]) == {"logs": [], "more": False}


def test_the_log_folder_is_made() -> None:
    flash = Flash()
    flash.folders.clear()
    with device(flash=flash):
        assert flash.folders == {"/logs"}


def test_a_log_folder_that_cannot_be_made_is_a_fault_and_the_application_runs() -> None:
    """Once a second it looks for old logs, of which it knows nothing then."""
    flash = Flash()
    flash.folders.clear()

    def fail(name: str) -> None:
        if name == "mkdir":
            raise OSError(5)

    flash.fail = fail
    with device(flash=flash) as board:
        board.run(2_500)
        assert (board.state, board.app.session.fault) == (protocol.FAULT, faults.LOG_WRITE_FAILED)


def test_the_log_of_a_first_session_that_fails_its_self_test_is_completed() -> None:
    """Against a keeper that looks for the record of a self-test that was passed, where none ever was."""
    with device() as board:
        board.hal.bench_strap = True
        board.plant.load_ohm = OPEN_OHM
        board.run(2)
        board.start()
        board.until(protocol.FAULT)
        board.run(700)
        assert [name for name, _ in board.log()] == ["arm", "samples", "events", "end"]
        assert board.log()[-1][1]["fault"] == faults.SELFTEST_LOAD


def test_a_boot_writes_nothing_to_flash_but_the_first() -> None:
    """Which keeps the variant that the strap says."""
    flash, acts = Flash(), []
    flash.fail = acts.append
    with device(flash=flash):
        assert acts
    acts.clear()
    with device(flash=flash) as board:
        board.run(2_500)
    assert set(acts) <= {"open r", "open rb", "readinto"}


@pytest.mark.hazard("HAZ-30")
def test_resets_are_forgiven_after_a_minute() -> None:
    """Two unplanned resets an hour apart are not a loop."""
    scratch = Board()
    scratch.scratch[0] = bootmode.mark(bootmode.RUNNING, 1)
    with device(board=scratch) as board:
        assert scratch.scratch[0] == bootmode.mark(bootmode.RUNNING, 2)
        board.run(59_000)
        assert scratch.scratch[0] == bootmode.mark(bootmode.RUNNING, 2)
        board.run(2_000)
        assert scratch.scratch[0] == bootmode.mark(bootmode.RUNNING, 0)
        assert json.loads(board.ask(protocol.HELLO, b"\x01")[1])["unplanned_resets"] == 0


@pytest.mark.hazard("HAZ-06")
def test_a_dead_sensor_is_tried_again_once_a_second_at_rest() -> None:
    """Against a dead I2C bus. Bus recovery at rest; never with current."""
    with device() as board:
        board.plant.sensor = "stale"
        board.hal.recovers = False
        board.hal.calls.clear()
        board.run(3_000)
        assert board.hal.calls.count("recover_sensor") == 3
        board.hal.recovers = True
        board.run(1_000)
        assert board.app.reading.fresh
        board.hal.calls.clear()
        board.run(3_000)
        assert "recover_sensor" not in board.hal.calls


@pytest.mark.hazard("HAZ-06")
def test_without_a_sensor_nothing_starts() -> None:
    """Against a missing sensor."""
    with device() as board:
        board.hal.recovers = False
        board.plant.sensor = "stale"
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.until(protocol.FAULT)
        assert board.app.session.fault == faults.SELFTEST_SENSOR
        board.run(350)  # the log is written first
        assert board.code(protocol.CLEAR_FAULT) == faults.CAUSE_REMAINS
        assert board.plant.charge_uc == 0
