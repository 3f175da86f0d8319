"""The session log, read back by a decoder of our own: what was put in is on flash, in order, and nothing overflows."""

from __future__ import annotations

import errno
import hashlib
import struct
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fake_flash import Flash, logs_on, read_log
from hypothesis import given, settings
from hypothesis import strategies as st

from ionto import kernel, sessionlog
from ionto import sessionlog_format as fmt
from ionto.reading import Reading
from ionto.sessionlog import SessionLog

MINUTE_MS = 60_000


@contextmanager
def logging(flash: Flash | None = None) -> Iterator[tuple[SessionLog, Flash]]:
    """Yield a log and its flash."""
    flash = flash or Flash()
    with logs_on(flash):
        yield SessionLog("/logs"), flash


def reading(current_ua: int = 0, load_mv: int = 0) -> Reading:
    """Return a reading with these two."""
    made = Reading()
    made.current_ua, made.load_mv = current_ua, load_mv
    made.second_ua = current_ua * 2
    return made


def take(log: SessionLog, t_ms: int, setpoint_ua: int, found: Reading, state: int, charge_uc: int) -> None:
    """Give `log` one cycle of a session with this time, set-point and charge."""
    plan = array("i", bytes(4 * kernel.S_SIZE))
    plan[kernel.S_T_MS], plan[kernel.S_SETPOINT_UA], plan[kernel.S_CHARGE_UC] = t_ms, setpoint_ua, charge_uc
    log.sample(plan, found.block, state)


def flush(log: SessionLog) -> int:
    """Flush to the end; return the number of steps."""
    for steps in range(1, 100):
        if log.flush_step():
            return steps
    raise AssertionError("never done")


def rows(records: list[tuple[str, Any]], kind: str) -> list[dict[str, int]]:
    """Return the rows of all records of `kind`."""
    return [row for name, content in records if name == kind for row in content]


def only_log(flash: Flash) -> list[tuple[str, Any]]:
    """Return the records of the one log on `flash`."""
    (data,) = flash.logs.values()
    return read_log(data)


def test_the_layout_is_what_the_format_page_says() -> None:
    """Golden sizes: a change of them is a new format version."""
    assert fmt.SAMPLE_BYTES == struct.calcsize(fmt.SAMPLE_FORMAT) == 26
    assert fmt.EVENT_BYTES == struct.calcsize(fmt.EVENT_FORMAT) == 16
    assert fmt.RECORD_HEAD_BYTES == struct.calcsize(fmt.RECORD_HEAD_FORMAT) == 6
    assert fmt.RECORD_OVERHEAD_BYTES == fmt.RECORD_HEAD_BYTES + fmt.CHAIN_BYTES + 4
    assert (len(fmt.SAMPLE_FIELDS), fmt.SAMPLE_BYTES) == (kernel.L_SIZE, kernel._B_SIZE)
    assert (fmt.ARM, fmt.SAMPLES, fmt.EVENTS, fmt.END) == (1, 2, 3, 4)
    assert (fmt.SAMPLES_PER_RECORD, fmt.EVENTS_PER_RECORD) == (80, 100)


@pytest.mark.hazard("HAZ-31")
def test_the_arm_record_is_a_whole_file_by_itself() -> None:
    with logging() as (log, flash):
        log.arm({"dose": "x", "digest": "y"})
        assert flash.files.keys() == {"/logs/000001.ilog"}
        assert only_log(flash) == [("arm", {"dose": "x", "digest": "y"})]


@pytest.mark.hazard("HAZ-32")
def test_golden_bytes_of_a_small_log() -> None:
    with logging() as (log, flash):
        log.reset()
        log.arm({"a": 1})
        take(log, 100, 4_000, reading(3_999, 8_000), 4, 400)
        log.event(100, 1, 4, 3, 400)
        flush(log)
        log.close({"b": 2})
    data, chain, at = flash.files["/logs/000001.ilog"], b"IONTOLOG\x03\x00", 10
    assert data[:10] == chain
    for head in (
        "a90100000800" + "7b2261223a20317d",
        "a90201001a00" + "6400000090010000a00f9f0f9f0f9f0f3e1f401f401f01000400",
        "a90302001000" + "64000000010004000300000090010000",
        "a90403000800" + "7b2262223a20327d",
    ):
        body = bytes.fromhex(head)
        chain = hashlib.sha256(chain + body).digest()
        body += chain
        body += zlib.crc32(body).to_bytes(4, "little")
        assert data[at : at + len(body)] == body
        at += len(body)
    assert at == len(data)


@pytest.mark.hazard("HAZ-31")
@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 6_000), min_size=100, max_size=100), min_size=1, max_size=4),
    st.integers(0, 4_000),
    st.integers(0, 30_000),
)
def test_mean_least_and_greatest_are_those_of_the_period(
    windows: list[list[int]], setpoint_ua: int, load_mv: int
) -> None:
    """Every reading is in exactly one period, so no extreme is lost."""
    with logging() as (log, flash):
        log.reset()
        log.arm({})
        t_ms = 0
        for window in windows:
            for current_ua in window:
                t_ms += 1
                take(log, t_ms, setpoint_ua, reading(current_ua, load_mv + current_ua), 4, t_ms * 2)
        flush(log)
        got = rows(only_log(flash), "samples")
    assert got == [
        {
            "t_ms": (index + 1) * 100,
            "charge_uc": (index + 1) * 200,
            "setpoint_ua": setpoint_ua,
            "current_mean_ua": sum(window) // 100,
            "current_min_ua": min(window),
            "current_max_ua": max(window),
            "second_mean_ua": 2 * sum(window) // 100,
            "load_mv": load_mv + sum(window) // 100,
            "load_max_mv": max([load_mv + current for current in window if current > 50], default=0),
            "cycles": 100,
            "state": 4,
            "flags": 0,
        }
        for index, window in enumerate(windows)
    ]


@pytest.mark.hazard("HAZ-31")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6_000), st.randoms(use_true_random=False))
def test_a_session_of_any_length_fits_and_no_extreme_disappears(windows: int, random: Any) -> None:
    """Against a log that ends before its session. Samples are merged in pairs; what they tell stays true."""
    with logging() as (log, flash):
        log.arm({})
        told, t_ms, cycles = [], 0, 0
        while len(told) < windows:  # each turn of the loop is one cycle that closes a window
            t_ms += log.window[kernel.W_PERIOD_MS]
            current_ua = random.randrange(51, 6_000)
            take(log, t_ms, 4_000, reading(current_ua, current_ua * 3), 4, t_ms * 2)
            cycles += 1
            told.append(current_ua)
        plan = array("i", bytes(4 * kernel.S_SIZE))
        log.close_window(plan, 4)
        assert log.samples_lost == 0
        flush(log)
        got = rows(only_log(flash), "samples")
    assert len(got) <= 880 and (windows < 810 or len(got) >= 405)
    assert sum(row["cycles"] for row in got) == cycles
    at = 0
    for row in got:
        part = told[at : at + row["cycles"]]
        at += row["cycles"]
        assert (row["current_min_ua"], row["current_max_ua"]) == (min(part), max(part))
        assert row["load_max_mv"] == 3 * max(part)
        assert abs(row["current_mean_ua"] - sum(part) / len(part)) <= 1 + len(part).bit_length() / 2
        assert abs(row["second_mean_ua"] - 2 * sum(part) / len(part)) <= 1 + len(part).bit_length() / 2
        assert row["charge_uc"] == 2 * row["t_ms"]
    assert [row["t_ms"] for row in got] == sorted(row["t_ms"] for row in got)


@pytest.mark.hazard("HAZ-31")
def test_eighty_minutes_with_long_pauses_fit() -> None:
    """Every 100 ms of 80 min of current, hours of pauses between: nothing is lost, 12.8 s a sample at worst."""
    with logging() as (log, flash):
        log.arm({})
        t_ms = 0
        for step in range(48_000):
            t_ms += 100 if step % 10_000 else 3_600_000
            take(log, t_ms, 4_000, reading(4_000 + step % 7), 4, 0)
        assert (log.samples_lost, log.events_lost) == (0, 0)
        log.close_window(array("i", bytes(4 * kernel.S_SIZE)), 4)
        flush(log)
        got = rows(only_log(flash), "samples")
    assert sum(row["cycles"] for row in got) == 48_000
    assert log.window[kernel.W_PERIOD_MS] <= 12_800 and len(got) >= 500


@pytest.mark.hazard("HAZ-31")
def test_the_buffers_never_overflow_and_what_was_lost_is_counted() -> None:
    """Against an overrun of the log. Events beyond their buffer are counted; samples alone never cost one."""
    with logging() as (log, flash):
        log.reset()
        log.arm({})
        for index in range(700):
            log.event(index, fmt.STATE_CHANGED, 1, index, 0)
            take(log, (index + 1) * 100, 1, reading(index % 100), 4, index)
        assert (log.event_count, log.events_lost) == (400, 300)
        flush(log)
        log.close({})
        records = only_log(flash)
    assert [row["charge_uc"] for row in rows(records, "samples")] == list(range(700))
    assert [row["value_a"] for row in rows(records, "events")] == list(range(400))
    assert records[-1] == ("end", {})


@pytest.mark.hazard("HAZ-31")
@given(st.integers(0, 160), st.integers(0, 100))
def test_records_hold_what_they_may_and_keep_the_order(samples: int, events: int) -> None:
    with logging() as (log, flash):
        log.reset()
        log.arm({})
        for index in range(samples):
            take(log, (index + 1) * 100, index, reading(), 4, 0)
        for index in range(events):
            log.event(index, fmt.STATE_CHANGED, 1, -index, 2**31 - 1)
        flush(log)
        log.close({"samples": samples})
        records = only_log(flash)
    assert [len(content) for name, content in records if name == "samples"] == sizes(samples, 80)
    assert [len(content) for name, content in records if name == "events"] == sizes(events, 100)
    assert [row["setpoint_ua"] for row in rows(records, "samples")] == list(range(samples))
    assert [row["value_a"] for row in rows(records, "events")] == [-index for index in range(events)]
    assert [name for name, _ in records][-1] == "end"


def sizes(count: int, most: int) -> list[int]:
    """Return how `count` rows are split into records of `most`."""
    return [most] * (count // most) + ([count % most] if count % most else [])


def test_one_flush_step_writes_one_record() -> None:
    """Each step is one short flash operation, so the watchdog is fed in between."""
    with logging() as (log, flash):
        writes: list[str] = []
        log.reset()
        log.arm({})
        for index in range(200):
            take(log, (index + 1) * 100, 0, reading(), 4, 0)
        flash.on_write = writes.append
        for _ in range(3):
            before = len(writes)
            assert not log.flush_step()
            assert len(writes) == before + 1
        assert log.flush_step()
        assert len(writes) == 3


@pytest.mark.hazard("HAZ-32")
def test_ids_count_up_and_are_found_again() -> None:
    with logging() as (log, flash):
        for expected in (1, 2, 3):
            log.reset()
            log.arm({})
            assert log.log_id == expected
        flash.files["/logs/000041.ilog"] = b""
        log.arm({})
        assert log.log_id == 42
        assert log.ids() == [1, 2, 3, 41, 42]


@pytest.mark.hazard("HAZ-32")
def test_a_deleted_id_does_not_come_back() -> None:
    """Against logs mixed up. Also when the file that remembers is damaged, nothing is overwritten."""
    with logging() as (log, flash):
        for expected in (1, 2, 3):
            log.arm({})
            assert log.log_id == expected
        log.delete(1)
        log.delete(3)
        assert log.ids() == [2]
        log.arm({})
        assert log.log_id == 4
        log.delete(4)
        flash.files["/logs/book"] = b""
        later = SessionLog("/logs")
        later.book.open()
        later.arm({})
        assert later.log_id == 3
        assert later.ids() == [2, 3]


@pytest.mark.hazard("HAZ-32")
def test_other_files_in_the_folder_are_no_logs() -> None:
    """Against a stray file that ends the application. Names that are no ids are left alone."""
    with logging() as (log, flash):
        for name in ("notes.txt", "x.ilog", ".ilog", "1234567.ilog", "000002.ilog.bak"):
            flash.files["/logs/" + name] = b""
        assert log.ids() == [1_234_567]
        log.arm({})
        assert log.log_id == 1_234_568


@pytest.mark.hazard("HAZ-32")
def test_a_reset_forgets_the_last_session() -> None:
    with logging() as (log, flash):
        log.reset()
        take(log, 50, 0, reading(5_000), 4, 0)
        take(log, 100, 0, reading(5_000), 4, 0)
        take(log, 150, 0, reading(5_000), 4, 0)
        log.event(1, 1, 1, 1, 1)
        log.reset()
        log.arm({})
        take(log, 100, 0, reading(7), 4, 0)
        flush(log)
        records = only_log(flash)
    assert [name for name, _ in records] == ["arm", "samples"]
    assert rows(records, "samples")[0]["current_max_ua"] == 7


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize("operation", ["open wb", "write"])
def test_flash_that_refuses_is_told(operation: str) -> None:
    """Against a full disk. An OSError comes out, whatever the operation."""
    with logging() as (log, flash):
        flash.fail = full(operation)
        with pytest.raises(OSError, match="28"):
            log.arm({})
        assert flash.files == {}, "a file without an arm record is no log"


def full(operation: str) -> Any:
    """Return what raises ENOSPC at `operation`."""

    def fail(name: str) -> None:
        if name == operation:
            raise OSError(errno.ENOSPC, "28")

    return fail


@pytest.mark.hazard("HAZ-27", "HAZ-31")
def test_a_record_that_does_not_fit_is_refused_before_anything_is_written() -> None:
    """Against a record that no host takes. A payload has at most 3,542 bytes, with its head and tail 3.5 KiB."""
    with logging() as (log, flash):
        fits = "x" * (3_542 - len('{"text": ""}'))
        with pytest.raises(OSError):
            log.arm({"text": fits + "x"})
        assert flash.files == {}
        log.arm({"text": fits})
        assert only_log(flash) == [("arm", {"text": fits})]
        with pytest.raises(OSError):
            log.close({"text": fits + "x"})


# Found at boot.


@pytest.mark.hazard("HAZ-26", "HAZ-31", "HAZ-32")
@pytest.mark.parametrize("records", range(4))
def test_a_session_that_was_cut_short_is_closed_in_sequence(records: int) -> None:
    """Against a power cut. Whatever was written, the end record continues the count and the log reads whole."""
    with logging() as (log, flash):
        log.reset()
        log.arm({"x": 1})
        for index in range(200):
            take(log, (index + 1) * 100, 0, reading(), 4, 0)
        for _ in range(records):
            log.flush_step()
        path = "/logs/000001.ilog"
        sequence, chain, ended, sound = sessionlog.scan(path)
        assert (sequence, ended, sound) == (1 + records, False, True)
        SessionLog("/logs").close_interrupted(1, sequence, chain, {"outcome": 7})
        assert sessionlog.scan(path)[::2] == (2 + records, True)
        assert only_log(flash)[-1] == ("end", {"outcome": 7})


@pytest.mark.hazard("HAZ-31")
def test_a_finished_session_is_seen_as_such() -> None:
    with logging() as (log, _):
        log.reset()
        log.arm({})
        flush(log)
        log.close({})
        assert sessionlog.scan("/logs/000001.ilog")[::2] == (2, True)


@pytest.mark.hazard("HAZ-27", "HAZ-31")
@given(st.integers(0, 32_000), st.integers(0, 2**30 - 1), st.integers(0, 2**30 - 1))
def test_extremes_of_every_field_are_kept(current_ua: int, t_ms: int, charge_uc: int) -> None:
    with logging() as (log, flash):
        log.reset()
        log.arm({})
        take(log, 100, 24_950, reading(current_ua, 36_300), 9, charge_uc)
        log.event(t_ms, 5, 65_535, -(2**31), 2**31 - 1)
        flush(log)
        records = only_log(flash)
    sample = rows(records, "samples")[0]
    assert (sample["current_mean_ua"], sample["charge_uc"], sample["load_mv"]) == (current_ua, charge_uc, 36_300)
    event = rows(records, "events")[0]
    assert (event["t_ms"], event["code"], event["value_a"], event["value_b"]) == (t_ms, 65_535, -(2**31), 2**31 - 1)
