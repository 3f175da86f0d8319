"""The application through a session: order of things, evidence for the heartbeat, what cuts the output, the relay.

The fake board asserts in every test that the heartbeat comes from the control step with a fresh sample, and that
nothing is written to flash with the output on (plant.Device).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from app_words import LONG, flag_names
from fake_port import request
from fault_hazards import marked
from plant import OPEN_OHM, device, dose_fields

from ionto import bootmode, dose, faults, protocol


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
        for name in ("charge_uc", "guard_charge_uc", "sense_charge_uc", "second_charge_uc"):
            assert abs(summary[name] - board.plant.charge_uc) <= fields["dose_uc"] * 0.005
        last = [row for name, rows in records if name == "samples" for row in rows if row["state"] == protocol.HOLD][-1]
        assert abs(last["second_mean_ua"] - last["current_mean_ua"]) <= 5
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
        assert seen == [["arm"]], "and nothing more before the session is over: flash stops the loop"
        board.finish()
        assert [name for name, _ in board.log()] == ["arm", "test", "samples", "events", "end"]
        assert board.status()["outcome"] == protocol.COMPLETE


def test_the_relay_moves_once_for_a_reversal_and_the_session_goes_on() -> None:
    with device() as board:
        board.hold(dose_uc=12_000, reversal="half")
        board.until(protocol.REVERSING)
        poles = []
        while board.state == protocol.REVERSING:
            board.run(1)
            poles.append(board.plant.relay)
        assert poles == sorted(poles) and {*poles} == {False, True}
        board.finish()
        assert board.app.session.outcome == protocol.COMPLETE


def test_on_a_bench_the_lines_that_are_not_connected_are_left_out() -> None:
    """The application asks the board for them when the self-test begins."""
    with device() as board:
        board.plant.lines = 0
        board.hold()
        assert [row[2] for row in board.app.selftest.results].count("not fitted") == 3


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
        assert board.hal.feeds - feeds == ticks


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
    """Against a deaf abort. The request's 12 bytes come in two a tick, one tick takes it, the next is off.

    Every fourth tick is the second sensor's.
    """
    with device() as board:
        board.hold(**LONG)
        while board.app.loop.cycle & 31 != 1:  # no other job has its turn meanwhile
            board.run(1)
        board.send(protocol.ABORT)
        board.run(9)
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
    """Against a link that delays. Sensor check, lights, log and link take turns; an abort is heard in 12 ms."""
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
        assert 166 < board.port.moved_in - before < 172, (
            "64 reads, eight looks, two checks of the second sensor; two checks, shows, looks at START and looks back, "
            "four words, 2 or 3 samples"
        )
        board.port.to_device.clear()
        board.send(protocol.ABORT)
        board.run(12)
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


@pytest.mark.hazard("HAZ-19")
def test_a_computer_that_the_interlock_does_not_see_is_a_fault_at_rest() -> None:
    """Not at the first look, in which the plug may be on its way, nor with the strap; cleared, it comes again."""
    with device() as board:
        board.hal.blind = board.hal.vbus = board.hal.bench_strap = True
        board.run(1_000)
        assert board.state == protocol.IDLE
        board.hal.bench_strap = False
        board.run(200)
        assert board.state == protocol.IDLE
        board.run(400)
        assert (board.state, board.app.session.fault) == (protocol.FAULT, faults.INTERLOCK_BLIND)
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.run(600)
        assert board.app.session.fault == faults.INTERLOCK_BLIND
        board.hal.blind = False
        assert board.code(protocol.CLEAR_FAULT) == 0
        board.run(600)
        assert board.state == protocol.IDLE


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("end", ["the session's", "a stop in the self-test"])
def test_a_self_test_begins_with_the_relay_at_rest(end: str) -> None:
    """Whatever the last session, or a self-test that was cut short, left of it; and without current it lets go."""
    with device() as board:
        board.hold(polarity=-1, starts=3)
        if end == "the session's":
            board.finish()
        else:
            board.finish()
            board.start()
            while not board.plant.relay or board.state != protocol.SELF_TESTING:
                board.run(1)
            board.hal.stop_open = True
            board.run(300)
            board.hal.stop_open = False
            board.run(10)
        board.start()
        board.until(protocol.HOLD)
        assert board.app.selftest.results[3] == ("relay at rest", True, "", "", None, None)
        assert not board.hal.relay
