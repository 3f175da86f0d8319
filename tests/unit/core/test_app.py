"""The application on a fake board: order of things, evidence for the heartbeat, flash, buttons, boot, commands.

The fake board asserts in every test that the heartbeat comes from the control step with a fresh sample, and that
nothing is written to flash with the output on (plant.Device).
"""

from __future__ import annotations

import hashlib
import json
import runpy
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from fault_hazards import marked
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from plant import (
    OPEN_OHM,
    Board,
    Device,
    FakeHal,
    Flash,
    Plant,
    Port,
    answers,
    device,
    dose_fields,
    press,
    read_log,
    request,
)

import ionto
from ionto import app as app_module
from ionto import bootmode, dose, faults, kernel, limits, protocol, version

FIRMWARE = Path(__file__).parents[3] / "firmware"
LIVE = (protocol.HELLO, protocol.STATUS, protocol.PAUSE, protocol.ABORT, protocol.COMFORT)
COMMANDS = {
    name: value
    for name, value in vars(protocol).items()
    if name
    in "HELLO STATUS DOSE_PUSH DOSE_READ START PAUSE RESUME ABORT CLEAR_FAULT SET_CLOCK SELF_TEST MAINTENANCE "
    "SET_LIMITS CALIBRATION HEALTH LOG_LIST LOG_READ LOG_DELETE LOG_VERIFIED COMFORT".split()
}
LONG = {"current_ua": 2_000, "dose_uc": 60_000}


def detail(content: bytes) -> dict[str, Any]:
    """Return the JSON of an error frame."""
    return json.loads(content[struct.calcsize(protocol.ERROR_FORMAT) :])


# A session.


@pytest.mark.hazard("HAZ-22")
@pytest.mark.parametrize("variant", ["A", "B"])
def test_a_session_from_push_to_log(variant: str) -> None:
    """The main job: the dose by the independent meter, and a log that says the same."""
    with device(variant, load_ohm=600.0) as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.finish()
        fields = dose_fields(board.build)
        records = board.log()
        summary = records[-1][1]
        assert abs(board.plant.charge_uc - fields["dose_uc"]) <= fields["dose_uc"] * 0.005
        assert (summary["outcome"], summary["fault"]) == (protocol.COMPLETE, faults.NONE)
        for name in ("charge_uc", "guard_charge_uc", "sense_charge_uc"):
            assert abs(summary[name] - board.plant.charge_uc) <= fields["dose_uc"] * 0.005
        assert [name for name, _ in records][0] == "arm"
        assert json.loads(records[0][1]["dose"]) == fields
        assert records[0][1]["digest"] == hashlib.sha256(dose.canonical(fields)).hexdigest()
        assert summary["samples"] == sum(len(rows) for name, rows in records if name == "samples")
        assert summary["events"] == sum(len(rows) for name, rows in records if name == "events")
        assert summary["samples_lost"] == summary["events_lost"] == 0


@pytest.mark.hazard("HAZ-31")
def test_the_arm_record_is_on_flash_before_the_first_edge_of_the_ramp() -> None:
    """Against current without a record. At the first heartbeat of all, the self-test's, the arm record is there."""
    with device() as board:
        seen: list[list[str]] = []
        check = board.hal.on_beat

        def beaten(alive: bool) -> None:
            check(alive)
            if alive and (names := [name for name, _ in board.log()]) not in seen:
                seen.append(names)

        board.hal.on_beat = beaten
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.until(protocol.ARMED)
        assert board.logs.keys() <= {"/logs/000001.ilog"}
        assert not board.app.session.output_on
        board.until(protocol.HOLD)
        assert seen == [["arm"], ["arm", "test"]]


@pytest.mark.hazard("HAZ-14")
@pytest.mark.parametrize("write_us", [0, 5_000, 150_000, 800_000])
def test_slow_flash_does_not_fail_the_start(write_us: int) -> None:
    """A flash write stops the CPU for far longer than a cycle; it is over before lateness counts."""
    with device() as board:
        board.flash.write_us = write_us
        board.hold()
        assert (board.state, board.app.session.fault) == (protocol.HOLD, faults.NONE)
        assert board.plant.peak_ua <= 2_020
        board.finish()
        assert board.log()[-1][1]["outcome"] == protocol.COMPLETE


@pytest.mark.hazard("HAZ-16")
def test_an_edge_every_second_cycle_while_current_flows() -> None:
    with device() as board:
        board.hold(**LONG)
        before = board.hal.beats
        board.run(1_000)
        assert board.hal.beats - before == 500


@pytest.mark.hazard("HAZ-06", "HAZ-16")
def test_no_edge_without_a_fresh_sample() -> None:
    """Against a stale sample. A cycle whose read fails gives no edge; the second one in a row ends the session."""
    with device() as board:
        board.hold(**LONG)
        for _ in range(10):
            board.plant.sensor = "stale"
            before = board.hal.beats
            board.run(1)
            assert board.hal.beats == before
            board.plant.sensor = "ok"
            board.run(1)
        assert board.app.session.fault == faults.NONE
        board.plant.sensor = "stale"
        board.run(2)
        assert board.app.session.fault == faults.SENSOR_STALE
        before = board.hal.beats
        board.plant.sensor = "ok"
        board.run(250)
        assert board.hal.beats == before


@pytest.mark.hazard("HAZ-12", "HAZ-16")
@pytest.mark.parametrize("ticks", [400])
def test_no_edge_at_rest_and_the_watchdog_is_fed_all_the_time(ticks: int) -> None:
    with device() as board:
        beats, feeds = board.hal.beats, board.hal.feeds
        board.run(ticks)
        assert board.hal.beats == beats == 0
        assert board.hal.feeds - feeds == ticks // 2


FAULTS: list[tuple[str, dict[str, Any], list[int], int]] = [
    ("electrode lift", {"load_ohm": OPEN_OHM}, [faults.OPEN_CIRCUIT], 3),
    ("electrodes shorted", {"load_ohm": 0.0}, [faults.SHORT_CIRCUIT], 10),
    ("sensor stale", {"sensor": "stale"}, [faults.SENSOR_STALE], 3),
    ("sensor stuck", {"sensor": "stuck"}, [faults.SENSOR_STUCK], 400),
    ("sensor reset", {"sensor_ok": False}, [faults.SENSOR_CONFIG], 129),
    ("sink stuck high", {"forced_ua": 5_610.0}, [faults.OVER_CURRENT, faults.OVER_CURRENT_ABSOLUTE], 3),
    ("shunt shorted", {"shunt_factor": 0.0}, [faults.SENSE_DISAGREE], 5),
    ("rail low", {"nominal_rail_mv": 19_000}, [faults.RAIL_LOW], 22),
    ("rail high", {"nominal_rail_mv": 28_000}, [faults.RAIL_HIGH], 22),
]


@pytest.mark.parametrize(
    ("change", "codes", "within"),
    marked((name, codes[0], [change, codes, within]) for name, change, codes, within in FAULTS),
)
def test_a_fault_cuts_the_output_in_the_tick_that_sees_it(
    change: dict[str, Any], codes: list[int], within: int
) -> None:
    """`cut_off` is called in that tick, and the log tells the fault."""
    with device() as board:
        board.hold(**LONG)
        for name, value in change.items():
            setattr(board.plant, name, value)
        for _ in range(within):
            board.hal.calls.clear()
            board.app.tick()
            if board.app.session.fault:
                break
        assert board.app.session.fault in codes
        assert board.hal.calls[:1] == ["cut_off"]
        assert (board.hal.powered, board.hal.duty(), board.app.session.output_on) == (False, 0, False)
        board.run(350)
        assert board.plant.current_ua == 0
        end = board.log()[-1]
        assert (end[0], end[1]["outcome"], end[1]["fault"]) == ("end", protocol.FAULTED, board.app.session.fault)
        latched = [row for name, rows in board.log() if name == "events" for row in rows if row["event"] == 2]
        assert [row["code"] for row in latched] == [board.app.session.fault]


@pytest.mark.hazard("HAZ-22")
@pytest.mark.parametrize("forced_ua", [None, 5_610.0])
def test_what_flows_after_the_cut_is_in_the_log(forced_ua: float | None) -> None:
    """The filter's tail, and all that a sink stuck high passes until the dead-man opens; both counts of it."""
    with device() as board:
        board.hold(**LONG)
        if forced_ua is None:
            board.code(protocol.ABORT)
        else:
            board.plant.forced_ua = forced_ua
        board.run(350)
        assert board.plant.current_ua == 0
        end = board.log()[-1][1]
        assert end["charge_uc"] == pytest.approx(board.plant.charge_uc, rel=0.005)
        assert end["guard_charge_uc"] == pytest.approx(board.plant.charge_uc, rel=0.005)


@pytest.mark.hazard("HAZ-14")
def test_a_late_loop_cuts_the_output_and_the_log_says_how_late() -> None:
    """Against a loop that hung and came back."""
    with device() as board:
        board.hold(**LONG)
        board.hal.spend(40_000)
        board.run(1)
        assert board.app.session.fault == faults.LATE_LOOP
        assert not board.hal.powered
        board.run(250)
        assert board.log()[-1][1]["late_max_us"] == 40_000


@pytest.mark.hazard("HAZ-17")
def test_stop_cuts_the_output_in_the_same_tick() -> None:
    """STOP: hardware cuts by itself; the firmware ends the session as well."""
    with device() as board:
        board.hold(**LONG)
        board.hal.stop_open = True
        board.run(1)
        assert (board.state, board.hal.powered) == (protocol.DONE, False)
        board.run(250)
        assert board.log()[-1][1]["outcome"] == protocol.STOPPED


@pytest.mark.hazard("HAZ-17")
def test_abort_over_usb_cuts_the_output_within_two_ticks_of_the_last_byte() -> None:
    """Against a deaf abort. The request's 12 bytes come in two a tick, one tick takes it, the next is off."""
    with device() as board:
        board.hold(**LONG)
        while board.app.loop.cycle & 31 != 1:  # no other job has its turn meanwhile
            board.run(1)
        board.send(protocol.ABORT)
        board.run(7)
        assert not board.app.session.output_on
        board.run(1)
        assert not board.hal.powered


@pytest.mark.hazard("HAZ-19")
def test_a_computer_that_appears_without_the_strap_is_a_fault() -> None:
    """Against a computer on USB."""
    with device() as board:
        board.hold(**LONG)
        board.hal.bench_strap, board.hal.vbus = False, True
        board.run(1)
        assert (board.app.session.fault, board.hal.powered) == (faults.USB_APPEARED, False)


@pytest.mark.hazard("HAZ-14", "HAZ-17")
def test_one_job_a_cycle_while_current_flows() -> None:
    """Against a link that delays. Sensor check, lights, log and link take turns; an abort is still heard in 10 ms."""
    with device() as board:
        board.hold(**LONG)
        board.port.to_device.extend(bytes(1_000))
        before, looks = board.port.moved_in, 0
        for _ in range(256):
            jobs, moved, samples = board.hal.jobs, board.port.moved_in, board.app.log.sample_count
            words = board.board.scratch.copy()
            board.run(1)
            done = (
                board.hal.jobs > jobs,
                board.port.moved_in > moved,
                board.app.log.sample_count > samples,
                board.board.scratch != words,
            )
            assert sum(done) <= 1
            looks += not any(done)
        assert looks == 2
        assert 242 < board.port.moved_in - before < 246, (
            "two checks, shows and looks at START, four words, 2 or 3 samples"
        )
        board.port.to_device.clear()
        board.send(protocol.ABORT)
        board.run(10)
        assert not board.hal.powered


@pytest.mark.hazard("HAZ-14", "HAZ-28")
def test_two_bytes_a_tick_at_most_while_current_flows() -> None:
    """Against a link that delays the loop. However much the host sends."""
    with device() as board:
        board.hold(**LONG)
        board.port.to_device.extend(b"\x00\xa5garbage" * 200 + request(protocol.STATUS) * 50)
        for _ in range(300):
            before = board.port.moved_in, board.port.moved_out
            board.run(1)
            assert board.port.moved_in - before[0] <= 2
            assert board.port.moved_out - before[1] <= 2
        assert board.state == protocol.HOLD


@pytest.mark.hazard("HAZ-03")
def test_the_zero_found_by_the_self_test_corrects_the_current() -> None:
    """Against a sensor offset taken for current."""
    for offset_ua in (-15, 15):
        with device() as board:
            board.plant.sensor_offset_ua = offset_ua
            board.hold(current_ua=1_000, dose_uc=6_000)
            assert abs(board.hal.scale.zero_ua - offset_ua) <= 1
            board.run(300)
            assert abs(board.plant.current_ua - 1_000) <= 5
            board.finish()
            assert abs(board.plant.charge_uc - 6_000) <= 40
            assert board.app.session.outcome == protocol.COMPLETE


@pytest.mark.hazard("HAZ-27")
def test_a_negative_offset_never_shows_as_a_huge_charge() -> None:
    """Against a wrapped counter. Status, samples and scratch registers hold unsigned numbers."""
    with device() as board:
        board.plant.sensor_offset_ua = -18
        board.hal.bench_strap = True
        board.run(2)
        board.start(current_ua=100, dose_uc=13_000, ramp_up_ms=120_000)
        for _ in range(30):
            board.run(250)
            assert board.status()["charge_uc"] < 100
            assert board.board.scratch[bootmode.SCRATCH_CHARGE_UC] < 100
        board.code(protocol.ABORT)
        board.run(250)
        rows = [row for name, content in board.log() if name == "samples" for row in content]
        assert rows and all(row["charge_uc"] < 100 for row in rows)


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("polarity", [1, -1])
def test_polarity_reaches_the_relay_and_the_status(polarity: int) -> None:
    """Against a wrong polarity. The relay moves before the ramp, never under current, and the status tells it."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start(polarity=polarity, **LONG)
        board.until(protocol.RAMP_UP)
        assert board.hal.relay == (polarity == -1)
        board.until(protocol.HOLD)
        assert board.hal.relay == (polarity == -1)
        told = {"output_on", "bench_strap", "dose_loaded", "log_open"} | ({"reversed"} if polarity == -1 else set())
        assert flag_names(board.status()["flags"]) == told


@pytest.mark.hazard("HAZ-18")
def test_a_second_dose_of_the_other_polarity_moves_the_relay_back() -> None:
    with device() as board:
        for polarity in (-1, 1):
            board.hold(polarity=polarity)
            assert board.hal.relay == (polarity == -1)
            board.finish()
        assert len(board.logs) == 2


# The log while things go wrong.


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
        assert times[0] < 1_000, "from before the pause"
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
def test_flash_that_fails_after_the_session_is_a_fault_and_nothing_hangs() -> None:
    """Against a log that is not written. Told as a fault; after clearing, the device works on."""
    with device() as board:
        board.hold()
        board.until(protocol.DONE)

        def fail(name: str) -> None:
            raise OSError(28)

        board.flash.fail = fail
        board.run(250)
        assert board.app.session.fault == faults.LOG_WRITE_FAILED
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
    """Against memory overrun. The record buffer is held, so growing it would raise BufferError."""
    with device() as board:
        held = memoryview(board.app.log._record)
        board.hal.bench_strap = True
        board.run(2)
        assert board.code(protocol.DOSE_PUSH, longest_dose()) == 0
        assert board.ask(protocol.DOSE_READ)[1] == longest_dose()
        assert board.code(protocol.START) == 0
        board.until(protocol.HOLD)
        assert board.log()[0][1]["dose"].encode() == longest_dose()
        assert len(held) >= len(board.flash.files["/logs/000001.ilog"]) - 10


# The START button.


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


@pytest.mark.hazard("HAZ-16")
def test_the_heartbeat_rests_low_after_the_self_test() -> None:
    """Against a heartbeat stuck high. Between self-test and ramp the pin is low, not where the last edge left it."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        levels = set()
        while board.state in (protocol.IDLE, protocol.SELF_TESTING, protocol.ARMED):
            board.run(1)
            if not board.app.session.output_on:
                levels.add(board.hal.level)
        assert levels == {0}
        assert board.hal.beats > 50


# Boot.


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
        assert board.app.session.fault == faults.LOG_WRITE_FAILED
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
        assert board.app.session.fault == faults.LOG_WRITE_FAILED, "told again"
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


# Leaving, and main.py.


@pytest.mark.hazard("HAZ-29")
def test_maintenance_is_answered_before_leaving() -> None:
    """The run ends, the output is off, the next boot is maintenance, and the host has its answer."""
    with device(booted=False) as board:
        board.hal.bench_strap = True
        board.hal.on_wait = lambda: board.send(protocol.MAINTENANCE) if not board.port.moved_in else None
        board.live()
        assert answers(board.port.from_device)[0] == (protocol.MAINTENANCE | protocol.RESPONSE, 1, b"")
        assert board.hal.calls[-1] == "cut_off"
        assert bootmode.Boot(board.board.scratch[0], False).maintenance


def test_maintenance_does_not_wait_for_a_host_that_is_gone() -> None:
    with device(booted=False) as board:
        board.port.reading_host = False
        board.hal.bench_strap = True
        board.hal.on_wait = lambda: board.send(protocol.MAINTENANCE) if not board.port.moved_in else None
        board.live()
        assert board.plant.now_us < 5_000_000


@contextmanager
def modules(**fakes: ModuleType | SimpleNamespace) -> Iterator[None]:
    """Replace modules; ionto.start, which binds what it imports, is imported anew, whatever a test had imported."""
    replaced = {name.replace("__", "."): fake for name, fake in fakes.items()}
    with patch.dict(sys.modules, replaced), patch.dict(vars(ionto)):
        for name in ("start", *(name.partition(".")[2] for name in replaced)):
            vars(ionto).pop(name, None)
        sys.modules.pop("ionto.start", None)
        yield


class Script:
    """main.py under fakes: pushes a dose, starts, and in HOLD calls `then`."""

    def __init__(self, then: Any):
        self.then = then
        self.board = Board()
        self.port = Port()
        self.plant = Plant(limits.variant_a())
        self.hal = FakeHal(limits.variant_a(), self.plant)
        self.hal.on_wait = self._wait
        self.hal.bench_strap = True
        self.app: Any = None
        self.resets = 0
        self.interrupts: list[int] = []
        self._cycle = 0

    def _wait(self) -> None:
        self._cycle += 1
        if self._cycle == 10:
            self.port.to_device.extend(request(3, 1, dose.canonical(dose_fields(limits.variant_a(), **LONG))))
        elif self._cycle == 50:
            self.port.to_device.extend(request(5, 2))
        elif self._cycle > 3_000:
            raise AssertionError("the script did not end the run")
        elif self.app.session.state == protocol.HOLD and self.app.session.setpoint_ua == LONG["current_ua"]:
            self.then(self)

    def run(self, boot: Any = None) -> None:
        """Run firmware/main.py itself, the modules of the board replaced."""
        script = self

        class App(app_module.App):
            """The application, with a handle for the script."""

            def __init__(self, *parts: Any):
                super().__init__(*parts)
                script.app = self

        board_module = ModuleType("ionto.hal_rp2")
        for name in ("read_scratch", "write_scratch", "board_id", "unix_time_s", "set_clock"):
            setattr(board_module, name, getattr(self.board, name))
        board_module.__dict__.update(
            Hal=lambda build: self.hal,
            read_variant=lambda: "A",
            quiet_pins=self.hal.cut_off,
            light_maintenance=lambda: self.hal.show(5),
            reset=self._reset,
        )
        serial_module = ModuleType("ionto.serialport")
        serial_module.__dict__["SerialPort"] = lambda: self.port
        collector = SimpleNamespace(threshold=lambda size: None)
        fakes = {
            "gc": collector,
            "ionto__hal_rp2": board_module,
            "ionto__serialport": serial_module,
        }
        taken = patch.object(app_module.micropython, "kbd_intr", self.interrupts.append)
        with device(booted=False), modules(**fakes), patch.object(app_module, "App", App), taken:
            boot = boot or bootmode.Boot(0, False)
            runpy.run_path(str(FIRMWARE / "main.py"), {"BOOT": boot}, run_name="__main__")

    def _reset(self) -> None:
        self.resets += 1


class Bang(Exception):
    """Raised by a test inside the tick."""


def bang(*parts: Any) -> Any:
    raise Bang


PLACES = {
    "sampling": lambda script: patch.object(script.hal, "read", bang),
    "guards": lambda script: patch.object(kernel, "judge", bang),
    "session": lambda script: patch.object(kernel, "advance", bang),
    "controller": lambda script: patch.object(kernel, "control", bang),
    "duty": lambda script: patch.object(script.hal, "set_duty", bang),
    "heartbeat": lambda script: patch.object(script.hal, "beat", bang),
    "log": lambda script: patch.object(kernel, "window", bang),
    "link": lambda script: patch.object(script.app.link, "poll", bang),
    "lights": lambda script: patch.object(script.hal, "show", bang),
}


@pytest.mark.hazard("HAZ-15")
@pytest.mark.parametrize("place", list(PLACES))
def test_an_exception_anywhere_in_the_tick_cuts_the_output(place: str) -> None:
    """Against a firmware exception with current flowing. main.py's last act is to cut, whatever was raised where."""
    script = Script(lambda script: PLACES[place](script).start())
    try:
        with pytest.raises(Bang):
            script.run()
    finally:
        patch.stopall()
    assert script.hal.calls[-1] == "cut_off"
    assert (script.hal.powered, script.hal.duty()) == (False, 0)
    assert script.plant.current_ua > 1_000, "it did flow"
    script.plant.advance(110_000)
    assert script.plant.current_ua == 0
    assert bootmode.Boot(script.board.scratch[0], False).cause == bootmode.WATCHDOG
    assert script.interrupts == [-1, 3]


@pytest.mark.hazard("HAZ-15")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
def test_what_is_no_ordinary_exception_cuts_the_output_as_well(error: type[BaseException]) -> None:
    """Against a firmware exception with current flowing."""

    def raise_it(script: Script) -> None:
        raise error

    script = Script(raise_it)
    with pytest.raises(error):
        script.run()
    assert script.hal.calls[-1] == "cut_off"


@pytest.mark.hazard("HAZ-15", "HAZ-29")
def test_main_resets_into_maintenance_when_the_application_leaves() -> None:
    def leave(script: Script) -> None:
        script.app.session.abort()
        if not script.resets and script.app.desk.leave_for_maintenance() == 0:
            script.hal.on_wait = lambda: None

    script = Script(leave)
    script.hal.on_wait = lambda: leave(script)
    script.run()
    assert script.resets == 1
    assert script.hal.calls[-1] == "cut_off"


@pytest.mark.hazard("HAZ-12", "HAZ-29")
def test_main_in_maintenance_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """No watchdog, no application, every pin quiet; the person is told."""
    script = Script(bang)
    script.run(bootmode.Boot(0, True))
    assert script.app is None
    assert not script.hal.watchdog
    assert script.hal.calls[-1] == "cut_off"
    assert "output is off" in capsys.readouterr().out


@pytest.mark.hazard("HAZ-11")
@pytest.mark.parametrize("broken", ["max_current_ua", "trip_current_ua"])
def test_main_refuses_limits_that_contradict_each_other(broken: str) -> None:
    """Against contradicting limits. The application does not start."""
    build = limits.variant_a()
    setattr(build, broken, 10_000)
    script = Script(bang)
    with patch.object(limits, "for_variant", lambda name: build), pytest.raises(ValueError, match=broken):
        script.run()
    assert script.app is None


@pytest.mark.hazard("HAZ-12", "HAZ-15")
def test_boot_py_quiets_the_pins_first_and_leaves_word() -> None:
    """Against a PWM pin left high by a soft reset. The first act of every boot is to drive it low."""
    acts: list[Any] = []
    fake = ModuleType("ionto.hal_rp2")
    fake.__dict__.update(
        quiet_pins=lambda: acts.append("quiet"),
        read_scratch=lambda index: acts.append("read") or bootmode.mark(bootmode.RUNNING, 0),
        maintenance_strap=lambda: False,
        write_scratch=lambda index, word: acts.append((index, word)),
    )
    with modules(ionto__hal_rp2=fake, micropython=ModuleType("micropython")):
        left = runpy.run_path(str(FIRMWARE / "boot.py"))
    assert acts[0] == "quiet"
    assert acts[-1] == (bootmode.SCRATCH_MARK, bootmode.mark(bootmode.BOOTED, 1))
    assert left["BOOT"].cause == bootmode.WATCHDOG


# Commands.


@pytest.mark.hazard("HAZ-28", "HAZ-29")
def test_while_current_flows_only_five_commands_are_answered() -> None:
    """Against a host that disturbs a session. The others get OUTPUT_ON, without any detail, and change nothing."""
    with device() as board:
        board.hold(current_ua=2_000, dose_uc=100_000)
        for name, kind in COMMANDS.items():
            if kind in LIVE:
                continue
            payload = dose.canonical(dose_fields(board.build)) if name == "DOSE_PUSH" else b"\x01\x00\x00\x00"
            told = board.ask(kind, payload)
            assert told == (protocol.ERROR, struct.pack("<HBB", faults.OUTPUT_ON, kind, protocol.HOLD)), name
            assert board.state == protocol.HOLD
            assert board.app.session.dose.dose_uc == 100_000
        for kind in (protocol.HELLO, protocol.STATUS, protocol.COMFORT, protocol.PAUSE, protocol.ABORT):
            payload = b"\x01\x00\x00" if kind == protocol.COMFORT else b""
            assert board.ask(kind, payload)[0] == kind | protocol.RESPONSE


@pytest.mark.hazard("HAZ-28", "HAZ-29")
def test_every_unknown_command_is_answered_as_such() -> None:
    """Against a way in that nobody meant. All 236 of them, at rest."""
    with device() as board:
        for kind in sorted(set(range(256)) - set(COMMANDS.values())):
            told = (protocol.ERROR, struct.pack("<HBB", faults.UNKNOWN_COMMAND, kind, protocol.IDLE))
            assert board.ask(kind, b"import os") == told


@pytest.mark.hazard("HAZ-28")
@pytest.mark.parametrize("name", ["SET_CLOCK", "LOG_LIST", "LOG_READ", "LOG_DELETE", "LOG_VERIFIED", "COMFORT"])
@pytest.mark.parametrize("length", [0, 1, 2, 5, 11, 13, 100])
def test_a_payload_of_the_wrong_length_is_refused(name: str, length: int) -> None:
    with device() as board:
        assert board.code(COMMANDS[name], bytes(length)) == faults.BAD_PAYLOAD


@pytest.mark.hazard("HAZ-28")
def test_a_damaged_request_is_told() -> None:
    with device() as board:
        frame = bytearray(request(protocol.START, 9))
        frame[-1] ^= 0xFF
        board.port.to_device.extend(frame)
        board.run(10)
        assert answers(board.port.from_device) == [
            (protocol.ERROR, 9, struct.pack("<HBB", faults.BAD_FRAME, protocol.START, protocol.IDLE))
        ]


def test_hello_says_who_the_board_is() -> None:
    with device("B") as board:
        told = json.loads(board.ask(protocol.HELLO, b"\x01")[1])
        assert told["board_id"] == board.board.board_id()
        assert (told["variant"], told["protocol"], told["micropython"]) == ("B", version.PROTOCOL_VERSION, "1.29.0")
        assert told["reset_cause"] == bootmode.POWER_ON
        assert told["limits"] == board.build.public()
        assert len(json.dumps(told)) <= protocol.MAX_PAYLOAD_BYTES


def test_hello_while_current_flows() -> None:
    """A host that attaches in the middle of a session learns who the board is, as well as at rest."""
    with device() as board:
        board.hold(**LONG)
        told = json.loads(board.ask(protocol.HELLO, b"\x01")[1])
        assert told["board_id"] == board.board.board_id()
        assert told["limits"] == board.build.public()


def flag_names(flags: int) -> set[str]:
    """Return the names of the flags that are set."""
    return {name for index, name in enumerate(protocol.FLAGS) if flags >> index & 1}


@pytest.mark.hazard("HAZ-24", "HAZ-33")
def test_the_status_record_tells_the_truth() -> None:
    with device() as board:
        rest = board.status()
        assert (rest["state"], rest["outcome"], rest["fault"], rest["charge_uc"], rest["duty"]) == (0, 0, 0, 0, 0)
        assert rest["flags"] == 0
        assert rest["load_ohm"] == 1_000_000
        board.hold(**LONG)
        board.run(350)
        held = board.status()
        assert held["state"] == protocol.HOLD
        assert flag_names(held["flags"]) == {"output_on", "bench_strap", "dose_loaded", "log_open"}
        assert held["setpoint_ua"] == 2_000
        assert abs(held["current_ua"] - 2_000) <= 10 and abs(held["sense_ua"] - 2_000) <= 10
        assert abs(held["load_ohm"] - 2_000) <= 60
        assert abs(held["duty"] - 2_000 * 4_095 / 4_975) <= 10
        assert (held["rail_mv"], held["vsys_mv"], held["dose_uc"]) == (24_000, 3_900, 60_000)
        assert abs(held["charge_uc"] - board.plant.charge_uc) <= 80, "sending takes 31 ms"
        assert abs(held["remaining_ms"] - (60_000 - held["charge_uc"]) / 2 - 500) <= 10
        assert held["session_id"] == 1


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("vbus", True, protocol.FLAG_VBUS),
        ("bench_strap", True, protocol.FLAG_BENCH_STRAP),
        ("stop_open", True, protocol.FLAG_STOP_OPEN),
    ],
)
def test_switches_show_in_the_flags(name: str, value: bool, flag: int) -> None:
    with device() as board:
        setattr(board.hal, name, value)
        board.run(2)
        assert board.status()["flags"] == flag


@pytest.mark.hazard("HAZ-01", "HAZ-25")
def test_a_pushed_dose_is_read_back_and_a_refused_one_leaves_it() -> None:
    """Against a dose that is not what the person confirmed."""
    with device() as board:
        assert board.code(protocol.DOSE_READ) == faults.NO_DOSE
        raw = dose.canonical(dose_fields(board.build, dose_uc=7_777))
        told = json.loads(board.ask(protocol.DOSE_PUSH, raw)[1])
        assert told == {"digest": hashlib.sha256(raw).hexdigest()}
        answer, content = board.ask(
            protocol.DOSE_PUSH, dose.canonical(dose_fields(board.build, current_ua=4_001)), sequence=7
        )
        assert answer == protocol.ERROR
        assert struct.unpack_from("<HB", content) == (faults.OUT_OF_RANGE, protocol.DOSE_PUSH)
        assert detail(content) == {
            "code": faults.OUT_OF_RANGE,
            "field": "current_ua",
            "value": 4_001,
            "low": 100,
            "high": 4_000,
        }
        assert board.ask(protocol.DOSE_READ) == (protocol.DOSE_READ | protocol.RESPONSE, raw)


@pytest.mark.hazard("HAZ-28")
def test_the_longest_refusal_still_fits_a_frame() -> None:
    """Against overrun of the answer's buffer. The buffer is held, so growing it would raise BufferError."""
    with device() as board:
        held = memoryview(board.app.link.payload())
        raw = b'{"' + b"\\u00e9" * 127 + b'":1}'
        assert board.code(protocol.DOSE_PUSH, raw) == faults.UNKNOWN_FIELD
        big = dose.canonical(dose_fields(board.build)).replace(b'"dose_uc":6000', b'"dose_uc":' + b"9" * 350)
        assert board.code(protocol.DOSE_PUSH, big) == faults.OUT_OF_RANGE
        assert len(held) >= protocol.MAX_PAYLOAD_BYTES + protocol.OVERHEAD_BYTES


@pytest.mark.hazard("HAZ-17", "HAZ-19", "HAZ-20")
def test_start_without_dose_strap_or_closed_stop_is_refused() -> None:
    with device() as board:
        assert board.code(protocol.START) == faults.NO_DOSE
        board.push()
        board.hal.vbus = True
        board.run(2)
        assert board.code(protocol.START) == faults.USB_PRESENT
        board.hal.bench_strap = True
        board.hal.stop_open = True
        board.run(2)
        assert board.code(protocol.START) == faults.STOP_OPEN
        assert board.state == protocol.IDLE
        assert board.hal.calls.count("power_up") == 0


def test_the_clock_is_set() -> None:
    with device() as board:
        assert board.code(protocol.SET_CLOCK, struct.pack("<I", 1_800_000_000)) == 0
        assert board.board.clock_s == 1_800_000_000
        assert board.status()["flags"] & protocol.FLAG_CLOCK_SET


def test_a_clock_from_before_the_release_was_never_set() -> None:
    for clock_s, known in ((0, False), (1_600_000_000, False), (1_750_000_000, True)):
        scratch = Board()
        scratch.clock_s = clock_s
        with device(board=scratch) as board:
            assert bool(board.status()["flags"] & protocol.FLAG_CLOCK_SET) == known


@pytest.mark.hazard("HAZ-13")
def test_a_self_test_by_command_is_answered_when_it_is_over() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        answer, content = board.ask(protocol.SELF_TEST, sequence=5)
        assert answer == protocol.SELF_TEST | protocol.RESPONSE
        rows = json.loads(content)["results"]
        assert len(rows) == 13 and all(row[1] for row in rows)
        assert board.state == protocol.IDLE
        assert board.flash.logs == {}
        assert json.loads(board.ask(protocol.SELF_TEST, protocol.SELF_TEST_LAST)[1])["results"] == rows
        assert board.state == protocol.IDLE


@pytest.mark.hazard("HAZ-13")
def test_a_failed_self_test_is_answered_with_the_row_that_failed() -> None:
    with device() as board:
        board.plant.load_ohm = OPEN_OHM
        rows = json.loads(board.ask(protocol.SELF_TEST)[1])["results"]
        assert [row[1] for row in rows][-1] is False
        assert board.state == protocol.FAULT


@pytest.mark.parametrize("offset_ms", range(490, 503))
def test_the_self_test_answer_waits_for_the_one_before(offset_ms: int) -> None:
    """Against answers mixed up. A status on its way out is finished before the self-test's answer begins."""
    with device() as board:
        board.send(protocol.SELF_TEST, sequence=1)
        board.run(offset_ms)
        board.port.reading_host = False
        board.send(protocol.STATUS, sequence=2)
        board.run(20)
        board.port.reading_host = True
        board.run(350)
        kinds = sorted(kind for kind, _, _ in answers(board.port.from_device))
        assert kinds == [protocol.STATUS | protocol.RESPONSE, protocol.SELF_TEST | protocol.RESPONSE]


# Logs over the link.


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
    ("offset", "count"), [(0, 65_536), (0, 5_000), (0, 1_024), (1, 1_024), (1_023, 2), (4_999, 10), (0, 0)]
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
        assert detail(content)["high"] == 65_536
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
        board.run(250)
        board.port.reading_host = True
        board.run(250)
        assert board.code(protocol.LOG_LIST, struct.pack("<I", 0)) == 0


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


class DeviceMachine(RuleBasedStateMachine):
    """A whole device with commands, garbage, buttons, loads and resets at random.

    The fake board checks heartbeat and flash in every cycle; here are the dose, the answers and the logs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flash, self.scratch = Flash(), Board()
        self.open()

    def open(self) -> None:
        self._context = device(flash=self.flash, board=self.scratch)
        self.board = self._context.__enter__()
        self.board.hal.bench_strap = True
        self.board.run(2)

    def teardown(self) -> None:
        self.board.code(protocol.ABORT)
        self.board.run(250)
        for log_id in range(1, len(self.board.logs) + 1):
            assert self.board.log(log_id)[0][0] == "arm"
            assert self.board.log(log_id)[-1][0] == "end"
        self._context.__exit__(None, None, None)

    @rule(ms=st.sampled_from([1, 5, 60, 300, 700]))
    def time_passes(self, ms: int) -> None:
        self.board.run(ms)

    @rule(kind=st.sampled_from([protocol.START, protocol.PAUSE, protocol.RESUME, protocol.ABORT, protocol.STATUS]))
    def command(self, kind: int) -> None:
        self.board.code(kind)
        if kind == protocol.ABORT:
            assert not self.board.app.session.output_on

    @rule(kind=st.integers(0, 4), to_ua=st.sampled_from([0, 50, 400, 1_500, 4_000, 0xFFFF]))
    def comfort(self, kind: int, to_ua: int) -> None:
        block = self.board.app.session.block
        before = block[kernel.S_GOAL_UA]
        self.board.code(protocol.COMFORT, struct.pack(protocol.COMFORT_FORMAT, kind, to_ua))
        assert block[kernel.S_GOAL_UA] <= before

    @rule(current_ua=st.sampled_from([500, 2_000, 4_000]))
    def push(self, current_ua: int) -> None:
        before = self.board.app.session.dose
        code = self.board.push(current_ua=current_ua, dose_uc=max(6_000, current_ua * 3 // 2))
        assert (code == 0) == (self.board.app.session.dose is not before)

    @rule()
    def session(self) -> None:
        self.board.push()
        if self.board.code(protocol.START) == 0:
            self.board.until(protocol.HOLD, protocol.FAULT, most=4_000)

    @rule()
    def clear(self) -> None:
        self.board.run(350)
        self.board.code(protocol.CLEAR_FAULT)

    @rule(data=st.binary(max_size=40))
    def garbage(self, data: bytes) -> None:
        self.board.port.to_device.extend(data)
        self.board.run(220)
        del self.board.port.from_device[:]

    @rule(load_ohm=st.sampled_from([0.0, 20_000.0, OPEN_OHM]), ms=st.sampled_from([1, 3, 200]))
    def contact(self, load_ohm: float, ms: int) -> None:
        self.board.plant.load_ohm = load_ohm
        self.board.run(ms)
        self.board.plant.load_ohm = 2_000.0

    @rule(ms=st.sampled_from([1, 2, 50]))
    def sensor_fails(self, ms: int) -> None:
        self.board.plant.sensor = "stale"
        self.board.run(ms)
        self.board.plant.sensor = "ok"

    @rule()
    def stop(self) -> None:
        self.board.hal.stop_open = True
        self.board.run(3)
        assert not self.board.hal.powered
        self.board.hal.stop_open = False

    @rule(ms=st.sampled_from([300, 2_100]))
    def start_button(self, ms: int) -> None:
        press(self.board, ms)

    @rule(power=st.booleans())
    def reset(self, power: bool) -> None:
        self._context.__exit__(None, None, None)
        if power:
            self.scratch.scratch = [0, 0, 0, 0]
        elif bootmode.Boot(self.scratch.scratch[0], False).unplanned >= 3:
            self.scratch.scratch[0] = bootmode.mark(bootmode.BOOTED, 0)
        self.open()
        assert not self.board.app.session.output_on
        assert not self.board.hal.powered

    @invariant()
    def the_board_is_off_unless_a_session_says_on(self) -> None:
        hal, session = self.board.hal, self.board.app.session
        assert hal.powered or hal.duty() == 0
        if session.state in (protocol.IDLE, protocol.PAUSED, protocol.IN_MAINTENANCE):
            assert not session.output_on and session.setpoint_ua == 0
        if session.state == protocol.FAULT:
            assert session.fault and not session.output_on

    @invariant()
    def no_more_than_the_dose(self) -> None:
        session = self.board.app.session
        if session.dose is not None and session.state not in (protocol.IDLE, protocol.SELF_TESTING):
            assert session.charge_uc <= session.dose.dose_uc * 1.005 + 60


TestDeviceMachine = DeviceMachine.TestCase
TestDeviceMachine.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
