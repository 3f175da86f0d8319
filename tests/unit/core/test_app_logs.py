"""Session logs over the link: read, listed, deleted, made room for."""

from __future__ import annotations

import json
import struct

import pytest
from app_words import detail, flag_names
from fake_flash import Flash
from fake_port import answers
from plant import Board, Device, device

from ionto import faults, kernel, protocol, version


def with_logs(board: Device, sizes: dict[int, int]) -> None:
    """Put files of these sizes on the flash."""
    for log_id, size in sizes.items():
        board.flash.files[f"/logs/{log_id:06d}.ilog"] = bytes((log_id + at) % 251 for at in range(size))


def read_log_over_link(board: Device, log_id: int, offset: int, count: int) -> bytes:
    """Send LOG_READ, check every frame and return the bytes."""
    del board.port.from_device[:]
    board.send(protocol.LOG_READ, struct.pack("<III", log_id, offset, count), sequence=3)
    board.run(30)
    data, at = b"", offset
    frames = answers(board.port.from_device)
    for kind, sequence, payload in frames:
        assert (kind, sequence) == (protocol.LOG_READ | protocol.RESPONSE, 3)
        assert struct.unpack_from("<I", payload)[0] == at
        data += payload[4:]
        at += len(payload) - 4
    assert len(frames[-1][2]) == 4, "an empty frame ends it"
    return data


@pytest.mark.parametrize(
    ("offset", "count"), [(0, 65_536), (0, 5_000), (0, 1_024), (1, 1_024), (1_023, 2), (4_999, 10), (3, 7), (0, 0)]
)
def test_a_log_is_read_in_any_piece(offset: int, count: int) -> None:
    with device() as board:
        with_logs(board, {4: 5_000})
        content = board.flash.files["/logs/000004.ilog"]
        assert read_log_over_link(board, 4, offset, count) == content[offset : offset + count]


@pytest.mark.parametrize("offset", [5_000, 5_001, 2**31, 2**32 - 1])
def test_reading_behind_the_end_gives_nothing(offset: int) -> None:
    with device() as board:
        with_logs(board, {4: 5_000})
        assert read_log_over_link(board, 4, offset, 100) == b""


def test_too_long_a_read_and_no_such_log_are_refused() -> None:
    with device() as board:
        with_logs(board, {4: 10})
        answer, content = board.ask(protocol.LOG_READ, struct.pack("<III", 4, 0, 65_537))
        assert answer == protocol.ERROR
        assert [detail(content)[name] for name in ("low", "high")] == [1, 65_536]
        for kind, payload in (
            (protocol.LOG_READ, struct.pack("<III", 5, 0, 1)),
            (protocol.LOG_DELETE, struct.pack("<I", 2**32 - 1)),
        ):
            assert board.code(kind, payload) == faults.NO_SUCH_LOG


@pytest.mark.hazard("HAZ-28")
def test_a_host_that_stops_reading_a_log_does_not_stop_the_device() -> None:
    """Against a host that dies in the middle of a pull."""
    with device() as board:
        with_logs(board, {4: 60_000})
        board.port.reading_host = False
        board.send(protocol.LOG_READ, struct.pack("<III", 4, 0, 60_000))
        board.run(700)
        board.port.reading_host = True
        board.run(250)
        assert board.code(protocol.LOG_LIST, struct.pack("<I", 0)) == 0
        assert len(read_log_over_link(board, 4, 0, 5_000)) == 5_000, "asked again, it is sent again"


def test_a_log_that_flash_does_not_give_ends_without_the_frame_that_says_it_is_whole() -> None:
    with device() as board:
        with_logs(board, {4: 60_000})

        def fail(name: str) -> None:
            if name == "readinto":
                raise OSError(5)

        board.flash.fail = fail
        board.send(protocol.LOG_READ, struct.pack("<III", 4, 0, 60_000))
        board.run(250)
        assert answers(board.port.from_device) == []
        board.flash.fail = lambda name: None
        assert len(read_log_over_link(board, 4, 0, 5_000)) == 5_000


@pytest.mark.parametrize("first", [0, 39, 40, 100])
def test_logs_are_listed_from_an_id_on_sixty_at_a_time(first: int) -> None:
    with device() as board:
        with_logs(board, {log_id: 20_000 + log_id for log_id in range(1, 100)})
        held = memoryview(board.app.link.payload())
        told = json.loads(board.ask(protocol.LOG_LIST, struct.pack("<I", first))[1])
        expected = [[log_id, 20_000 + log_id, 0] for log_id in range(max(first, 1), 100)]
        assert told == {"logs": expected[:60], "more": len(expected) > 60}
        assert len(held) >= protocol.MAX_PAYLOAD_BYTES


def chain_of(board: Device, log_id: int) -> bytes:
    """Return the chain at the end of a log."""
    return board.flash.files[f"/logs/{log_id:06d}.ilog"][-36:-4]


def session_on(board: Device) -> None:
    """Run one short session to its end, its log written."""
    board.hal.bench_strap = True
    board.run(2)
    board.start(dose_uc=8_000)
    board.finish()


@pytest.mark.hazard("HAZ-31", "HAZ-32")
def test_a_full_disk_drops_pulled_logs_only_and_else_refuses() -> None:
    """Against a lost log. What no host has verified stays, and START says that the disk is full."""
    with device() as board:
        flash = board.flash
        for _ in range(3):
            session_on(board)
        verified = struct.pack("<I32s", 2, chain_of(board, 2))
        assert board.code(protocol.LOG_VERIFIED, verified) == 0
        assert board.code(protocol.LOG_VERIFIED, verified) == 0, "told again"
        assert board.code(protocol.LOG_VERIFIED, struct.pack("<I32s", 1, chain_of(board, 2))) == faults.OTHER_LOG
        assert board.code(protocol.LOG_VERIFIED, struct.pack("<I32s", 9, bytes(32))) == faults.NO_SUCH_LOG
        rows = json.loads(board.ask(protocol.LOG_LIST, struct.pack("<I", 0))[1])["logs"]
        assert [(row[0], row[2]) for row in rows] == [(1, 0), (2, 1), (3, 0)]
    flash.free_blocks = 2

    def count_room(path: str) -> None:
        flash.free_blocks = 200 if path == "/logs/000002.ilog" else flash.free_blocks

    with device(flash=flash) as board:  # the mark was on flash
        flash.on_write = count_room
        session_on(board)
        assert sorted(flash.logs) == ["/logs/000001.ilog", "/logs/000003.ilog", "/logs/000004.ilog"]
        assert board.push(dose_uc=8_000) == 0
        flash.free_blocks = 2
        before = dict(flash.logs)
        assert board.push(dose_uc=8_000) == faults.FILESYSTEM_FULL
        assert board.code(protocol.START) == faults.FILESYSTEM_FULL
        assert flash.logs == before


@pytest.mark.hazard("HAZ-31")
def test_a_log_folder_that_cannot_be_read_is_a_fault_and_is_told() -> None:
    """Against a damaged file system that is passed over."""
    flash = Flash()
    flash.folders = set()
    flash.fail = lambda operation: (_ for _ in ()).throw(OSError(84)) if operation == "mkdir" else None
    with device(flash=flash) as board:
        board.run(2)
        assert board.app.session.fault == faults.LOG_WRITE_FAILED
        told = json.loads(board.ask(protocol.HELLO, bytes([version.PROTOCOL_VERSION]))[1])
        assert told["logs"] == "unreadable"


@pytest.mark.hazard("HAZ-31")
def test_the_book_of_logs_is_kept_and_a_new_file_system_has_another_name() -> None:
    """Against a reformatted file system that passes for the old one."""
    with device() as board:
        board.run(2)
        first = json.loads(board.ask(protocol.HELLO, bytes([version.PROTOCOL_VERSION]))[1])
        assert first["logs"] == "new" and len(first["store"]) == 8
        flash = board.flash
    with device(flash=flash) as board:
        again = json.loads(board.ask(protocol.HELLO, bytes([version.PROTOCOL_VERSION]))[1])
        assert (again["logs"], again["store"]) == ("kept", first["store"])
    flash.files["/logs/book"] = b"{} torn"
    with device(flash=flash) as board:
        assert json.loads(board.ask(protocol.HELLO, bytes([version.PROTOCOL_VERSION]))[1])["logs"] == "damaged"


@pytest.mark.hazard("HAZ-31")
def test_the_status_tells_how_much_of_the_log_is_still_to_be_written() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start(dose_uc=8_000)
        seen = []
        for _ in range(60_000):
            board.run(1)
            values = board.app.commands._values
            board.app.desk.fill_status(values)
            seen.append(values[kernel.T_LOG_LEFT])
            if board.state == protocol.DONE and not board.app.keeper.log_open:
                break
        left = [value for value in seen if value]
        assert left and left == sorted(left, reverse=True) and seen[-1] == 0


@pytest.mark.hazard("HAZ-31")
def test_a_log_is_deleted_and_the_open_one_is_not() -> None:
    """Against a lost log. The file of the session under way cannot be deleted; finished ones can."""
    with device() as board:
        board.hold(dose_uc=8_000)
        board.code(protocol.PAUSE)
        board.until(protocol.PAUSED)
        board.run(5)
        assert board.code(protocol.LOG_DELETE, struct.pack("<I", 1)) == faults.WRONG_STATE
        board.code(protocol.ABORT)
        board.run(250)
        assert board.log()[-1][1]["outcome"] == protocol.ABORTED
        assert board.code(protocol.LOG_DELETE, struct.pack("<I", 1)) == 0
        assert board.logs == {}


@pytest.mark.hazard("HAZ-32")
def test_an_id_is_never_used_twice() -> None:
    """Against logs mixed up. The id of a deleted log is not given to another session, reset or not."""
    flash, scratch = Flash(), Board()
    for expected in (1, 2, 3):
        with device(flash=flash, board=scratch) as board:
            board.code(protocol.CLEAR_FAULT)
            board.hold()
            assert board.status()["session_id"] == expected
            board.finish()
            assert not flag_names(board.status()["flags"]) & {"log_open", "output_on"}
            assert board.code(protocol.LOG_DELETE, struct.pack("<I", expected)) == 0


@pytest.mark.hazard("HAZ-15", "HAZ-31")
def test_a_log_that_cannot_be_read_is_an_error_and_not_an_exception() -> None:
    with device() as board:
        with_logs(board, {1: 100})

        def fail(name: str) -> None:
            raise OSError(5)

        board.flash.fail = fail
        assert board.code(protocol.LOG_READ, struct.pack("<III", 1, 0, 10)) == faults.FLASH_FAILED
        assert board.code(protocol.LOG_DELETE, struct.pack("<I", 1)) == faults.FLASH_FAILED
