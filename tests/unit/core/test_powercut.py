"""Power is cut, or the chip resets, at every flash operation of a session: littlefs on a flash that tears, and a model.

The real `SessionLog` works on the real littlefs (`littleflash`). After a cut the board boots as `OldLogs.open` does,
may be cut again, and boots. The whole application is cut in test_app_powercut.py.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import pytest
from fake_flash import logs_on, read_log
from hypothesis import given, settings
from hypothesis import strategies as st
from littleflash import FOLDER, PAGE, Chip, Disk

from ionto import kernel, protocol, sessionlog
from ionto import sessionlog_format as fmt
from ionto.reading import Reading
from ionto.sessionlog import SessionLog
from ionto_host.logs import sessionfile


def logs_of(disk: Disk) -> dict[int, bytes]:
    """Return every log's bytes by id."""
    return {int(path[-11:-5]): data for path, data in disk.logs.items()}


def boot(disk: Disk) -> SessionLog:
    """Do with the logs what `OldLogs.open` does, without numbers of the chip."""
    log = SessionLog(FOLDER)
    log.book.open()
    ids = log.ids()
    if ids:
        sequence, chain, ended, _ = sessionlog.scan(log.path(ids[-1]))
        if not sequence:
            log.delete(ids[-1])
        elif not ended:
            log.close_interrupted(ids[-1], sequence, chain, {"outcome": protocol.INTERRUPTED})
    return log


def run_session(log: SessionLog, samples: int, events: int, done: Callable[[str], None]) -> None:
    """Run one session; `done` is told of each record that the firmware knows to be on flash."""
    log.reset()
    log.arm({"dose": "{}", "board_id": "b", "digest": "d" * 64})
    done("arm")
    log.add_test({"zero_ua": 3, "selftest": []})
    done("test")
    plan, reading = array("i", bytes(4 * kernel.S_SIZE)), Reading()
    for index in range(samples):
        plan[kernel.S_T_MS], reading.current_ua = (index + 1) * log.window[kernel.W_PERIOD_MS], 1_000 + index % 50
        log.sample(plan, reading.block, protocol.HOLD)
    for index in range(events):
        log.event(index, fmt.STATE_CHANGED, protocol.HOLD, index, 0)
    left = log.records_left()
    while not log.flush_step():
        done("data")
        left -= 1
        assert log.records_left() == left
    log.close({"outcome": protocol.COMPLETE, "charge_uc": 1})
    done("end")


@cache
def prepared(older: int) -> tuple[bytes, dict[int, bytes]]:
    """Return a flash with `older` sessions, the first of them pulled and verified, and their logs."""
    disk = Disk(Chip(), blank=True)
    with logs_on(disk):
        log = boot(disk)
        for _ in range(older):
            run_session(log, 90, 4, lambda name: None)
        logs = logs_of(disk)
        if logs:
            assert log.verified(1, logs[1][-36:-4])
    return bytes(disk.chip.buffer), logs


def sessions_cut(
    older: int, samples: int, events: int, numbers: Iterable[int] | None = None, torn: int = 128
) -> Iterator[Any]:
    """Run one session after `older` ones; yield for each cut the flash and the records that were known to be on it.

    `numbers`: of the operations that are cut; all without it.
    """
    start, _ = prepared(older)
    disk = Disk(Chip(start))
    known: list[tuple[int, str]] = []
    with logs_on(disk):
        log = boot(disk)
        disk.chip.begin()
        run_session(log, samples, events, lambda name: known.append((len(disk.chip.operations), name)))
    most = len(disk.chip.operations)
    for number in numbers or range(1, most + 1):
        yield disk.chip.cut(min(number, most), torn), [name for after, name in known if after < min(number, most)]


def relogs_on(content: bytes, again_at: int = 0) -> tuple[Disk, SessionLog]:
    """Return the disk after the boot that follows a cut; with `again_at` that boot is cut too, and another follows."""
    disk = Disk(Chip(content))
    disk.chip.begin()
    with logs_on(disk):
        log = boot(disk)
    if again_at and disk.chip.operations:
        return relogs_on(disk.chip.cut(min(again_at, len(disk.chip.operations))))
    return disk, log


def judge(content: bytes, older: dict[int, bytes], known: list[str], again_at: int = 0) -> None:
    """The model: what was acknowledged is there, the session is closed, what was there before is as it was."""
    disk, log = relogs_on(content, again_at)
    logs, pulled = logs_of(disk), log.book.pulled
    for log_id, data in older.items():
        assert logs.pop(log_id) == data, "an older log was touched"
    assert pulled == ([1] if older else []), "the mark of a verified copy was lost"
    assert len(logs) <= 1
    told = [row[0] for row in log.book.cut_short]
    if known:
        (data,) = logs.values()
        names = [name if name not in ("samples", "events") else "data" for name, _ in read_log(data)]
        assert names[: len(known)] == known, "an acknowledged record is gone"
    assert set(told) <= set(logs)
    for log_id, data in logs.items():
        session = sessionfile.decode(data)
        assert (log_id in told) == (session.outcome == "interrupted"), "cut short, and nobody is told"
        assert session.verified, session.damage
        assert session.outcome in ("complete", "interrupted")
        assert session.outcome == "complete" or known[-1:] != ["end"]


@pytest.mark.hazard("HAZ-26", "HAZ-31", "HAZ-32")
@pytest.mark.parametrize("older", [0, 3])
def test_every_flash_operation_of_a_session(older: int) -> None:
    """Against a lost or half-written log: a cut at each operation in turn, from the arm record to the end."""
    _, logs = prepared(older)
    cuts = 0
    for content, known in sessions_cut(older, 300, 30):
        judge(content, logs, known)
        cuts += 1
    assert cuts > 40, "the session was cut at every operation"
    assert known[0] == "arm" and "data" in known


@pytest.mark.hazard("HAZ-26", "HAZ-31", "HAZ-32")
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1_300),
    st.integers(0, 200),
    st.integers(0, 2),
    st.integers(1, 200),
    st.integers(0, 12),
    st.integers(0, PAGE),
)
def test_any_session_cut_twice(samples: int, events: int, older: int, cut_at: int, again_at: int, torn: int) -> None:
    """Also when the power goes again while the boot closes what the first cut left."""
    _, logs = prepared(older)
    for content, known in sessions_cut(older, samples, events, [cut_at], torn):
        judge(content, logs, known, again_at)


@pytest.mark.hazard("HAZ-31")
def test_a_cut_while_a_log_is_marked_and_deleted() -> None:
    """Either it is gone or it is whole; an id never comes again."""
    start, logs = prepared(2)
    disk = Disk(Chip(start))
    with logs_on(disk):
        log = boot(disk)
        disk.chip.begin()
        log.verified(2, logs[2][-36:-4])
        log.delete(2)
    for number in range(1, len(disk.chip.operations) + 1):
        after, log = relogs_on(disk.chip.cut(number))
        left = logs_of(after)
        assert left.pop(1) == logs[1]
        assert left in ({}, {2: logs[2]})
        with logs_on(after):
            assert log.last_id() == 2
            log.arm({})
            assert log.log_id == 3


def test_the_tear_is_real() -> None:
    """The model would notice: after its first operation a file is not there."""
    disk = Disk(Chip(), blank=True)
    disk.chip.begin()
    with disk.open("/logs/000001.ilog", "wb") as stream:
        stream.write(b"x" * 10_000)
    most = len(disk.chip.operations)
    sizes = [len(logs_of(Disk(Chip(disk.chip.cut(number)))).get(1, b"")) for number in (1, most + 1)]
    assert sizes == [0, 10_000]
