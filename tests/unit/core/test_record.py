"""What the record of a session says besides its samples: the header before the current, the summary after it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from plant import OPEN_OHM, Device, Flash, device, dose_fields

from ionto import faults, kernel, protocol, settings, ui
from ionto import sessionlog_format as fmt

LONG = {"current_ua": 2_000, "dose_uc": 60_000}


def header(board: Device, log_id: int = 1) -> dict[str, Any]:
    """Return the arm record."""
    return board.log(log_id)[0][1]


@pytest.mark.hazard("HAZ-25", "HAZ-32")
def test_the_header_says_which_log_when_on_which_parts_and_for_which_dose() -> None:
    """Against a log that could be another's. Each number from where it comes from."""
    with device() as board:
        board.board.clock_s = 1_790_000_123
        for log_id in (1, 2):
            board.hold()
            told = header(board, log_id)
            raw = json.dumps(dose_fields(board.build), sort_keys=True, separators=(",", ":"))
            assert (told["log"], told["time_unix_s"], told["dose"]) == (log_id, 1_790_000_123, raw)
            assert told["digest"] == hashlib.sha256(raw.encode()).hexdigest()
            parts = ("shunt_mohm", "sense_mohm", "second_mohm", "series_ohm")
            assert told["parts"] == {name: getattr(board.build, name) for name in parts}
            assert (told["board_id"], told["log_format"], told["protocol"]) == ("e66038b7133c5a2b", 3, 8)
            assert told["firmware"].count(".") == 2
            board.finish()


def test_a_change_of_a_limit_is_in_the_log_of_the_next_session_and_of_no_other() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        assert board.code(protocol.SET_LIMITS, b'{"max_current_ua":3000}') == 0
        changes = []
        for log_id in (1, 2):
            board.hold()
            board.finish()
            rows = [row for name, content in board.log(log_id) if name == "events" for row in content]
            changes.append([(row["value_a"], row["value_b"]) for row in rows if row["event"] == fmt.SETTINGS])
        assert [len(rows) for rows in changes] == [1, 0]


@pytest.mark.hazard("HAZ-24")
def test_a_session_that_ends_in_its_self_test_planned_nothing_and_saw_no_supply() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.run(100)
        assert board.state == protocol.SELF_TESTING
        board.code(protocol.ABORT)
        board.run(350)
        end = board.log()[-1][1]
        assert (end["planned_on_ms"], end["min_rail_mv"], end["min_vsys_mv"]) == (0, None, None)
        assert (end["outcome"], end["charge_uc"], end["on_ms"]) == (protocol.ABORTED, 0, 0)
        assert "selftest" not in end, "it has not failed"


@pytest.mark.hazard("HAZ-26")
@pytest.mark.parametrize("way", ["complete", "fault"])
def test_the_summary_has_the_least_of_the_supplies_with_full_current(way: str) -> None:
    with device() as board:
        board.hold(**LONG)
        board.run(200)
        board.plant.nominal_rail_mv, board.plant.vsys_mv = 23_000, 3_500
        board.run(10)
        board.plant.nominal_rail_mv, board.plant.vsys_mv = 24_000, 3_900
        board.run(50)
        if way == "fault":
            board.plant.sensor = "stale"
        else:
            board.code(protocol.PAUSE)
            board.until(protocol.PAUSED)
            board.code(protocol.ABORT)
        board.run(400)
        end = board.log()[-1][1]
        assert (end["min_rail_mv"], end["min_vsys_mv"]) == (23_000, 3_500)


@pytest.mark.hazard("HAZ-13")
def test_the_summary_of_a_session_whose_self_test_fails_has_its_rows() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.plant.nominal_rail_mv = 19_000
        board.run(2)
        board.start()
        board.until(protocol.FAULT)
        board.run(350)
        end = board.log()[-1][1]
        assert end["fault"] == faults.SELFTEST_RAIL
        assert [row[:3] for row in end["selftest"]][-1] == ["rail", False, 19_000]


@pytest.mark.hazard("HAZ-14")
def test_the_loop_feeds_the_watchdog_before_every_piece_of_the_log_that_is_written() -> None:
    """Against a reset in the middle of a write: a piece takes up to 0.8 s, the watchdog waits for 2."""
    with device() as board:
        board.hold(current_ua=1_000, dose_uc=9_000)
        board.until(protocol.DONE)
        order: list[str] = []
        fed = board.hal.on_feed
        board.hal.on_feed = lambda: (order.append("fed"), fed())[1]
        written = board.flash.on_write
        board.flash.on_write = lambda path: (order.append("written"), written(path))[1]
        board.run(250)
        assert board.log()[-1][0] == "end"
        pieces = [at for at, what in enumerate(order) if what == "written" and order[at - 1] != "written"]
        assert len(pieces) >= 3
        assert all(at > 0 and order[at - 1] == "fed" for at in pieces)


@pytest.mark.parametrize(("on_ms", "off_ms"), [(200, 100), (250, 150), (410, 90)])
def test_the_least_current_of_pulses_is_that_whose_mean_is_the_least(on_ms: int, off_ms: int) -> None:
    """Rounded up: its mean is never below the least current of a dose."""
    pulses = {"waveform": "pulsed", "pulse_on_ms": on_ms, "pulse_off_ms": off_ms, "pulse_edge_ms": 20}
    with device() as board:
        board.hold(**LONG, **pulses)
        plan = board.app.session.dose
        assert plan is not None
        told_ua = board.status()["least_ua"]
        mean_ua = plan.mean_ua()
        assert told_ua * mean_ua >= board.build.min_current_ua * 2_000 > (told_ua - 1) * mean_ua


@pytest.mark.hazard("HAZ-23")
def test_a_pause_gives_a_session_the_time_that_its_ramps_cost_and_no_more() -> None:
    """Against a pause that takes the time limit away. The contact is too poor, so that only the limit ends it.

    Two ramps of 1 s deliver half of what 2 s of the full current would; 20 ms settle.
    """
    ends = []
    for pauses in range(3):
        with device(load_ohm=2_000.0) as board:
            board.hold(current_ua=2_000, dose_uc=8_000, max_extension_pct=0)
            board.plant.load_ohm = 40_000.0
            for _ in range(pauses):
                assert board.code(protocol.PAUSE) == 0
                board.until(protocol.PAUSED)
                assert board.code(protocol.RESUME) == 0
                board.until(protocol.HOLD)
            board.finish()
            end = board.log()[-1][1]
            assert end["outcome"] == protocol.TIME_ENDED
            ends.append((end["planned_on_ms"], end["on_ms"]))
    assert ends[1][0] - ends[0][0] == ends[2][0] - ends[1][0] == 1_020
    assert all(abs(later[1] - before[1] - 1_020) <= 250 for before, later in zip(ends, ends[1:], strict=False))


def test_every_cycle_of_a_session_is_in_a_sample() -> None:
    """Against a cycle that the log leaves out, as the one that an event ends: each is counted in one window."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start(dose_uc=8_000)
        board.until(protocol.RAMP_UP)
        cycles = 0
        while board.state != protocol.DONE:
            board.run(1)
            cycles += 1
        board.run(350)
        rows = [row for name, content in board.log() if name == "samples" for row in content]
        assert sum(row["cycles"] for row in rows) == cycles + 125, "and of the tail"


@pytest.mark.hazard("HAZ-33")
def test_the_buzzer_falls_silent_ten_seconds_after_a_fault_and_the_light_stays() -> None:
    with device() as board:
        board.hold(**LONG)
        board.plant.load_ohm = 1e12
        board.until(protocol.FAULT)
        heard: list[tuple[bool, bool]] = []
        for _ in range(8):  # each the length of a pattern
            bits = 0
            for _ in range(2_048):
                board.run(1)
                bits |= board.hal.lights
            heard.append((bool(bits & ui.SOUND), bool(bits & ui.FAULT)))
        assert [sound for sound, _ in heard[:4] + heard[6:]] == [True] * 4 + [False] * 2
        assert all(light for _, light in heard)


@pytest.mark.hazard("HAZ-23")
def test_the_time_that_is_told_is_never_more_than_the_time_limit_leaves() -> None:
    """A current that was lowered may not have time for its dose: then the limit and the last ramp are what is left."""
    with device() as board:
        board.hold(current_ua=2_000, dose_uc=20_000, max_extension_pct=0)
        least_ua = board.status()["least_ua"]
        told = protocol.STINGING.to_bytes(1, "little") + least_ua.to_bytes(2, "little")
        assert board.code(protocol.COMFORT, told) == 0
        board.run(200)
        plan = board.app.session.block
        left_ms = plan[kernel.S_MAX_ON_MS] - plan[kernel.S_ON_MS] + 1_000
        assert 0 <= left_ms - board.status()["remaining_ms"] <= 30


@pytest.mark.hazard("HAZ-23")
@pytest.mark.parametrize("variant", ["A", "B"])
def test_the_guards_give_a_session_a_sixteenth_more_than_the_longest_that_is_allowed(variant: str) -> None:
    with device(variant) as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        longest_ms = board.build.max_session_ms
        assert board.app.guards.block[kernel.G_TIME_LIMIT_MS] == longest_ms + longest_ms // 16


@pytest.mark.hazard("HAZ-26")
def test_the_reading_that_trips_counts_among_the_least_of_the_supplies() -> None:
    """The supply falls in the very cycle whose current is the fault: no other cycle has seen it."""
    with device() as board:
        board.hold(**LONG)
        board.plant.forced_ua = 5_610.0
        board.plant.nominal_rail_mv, board.plant.vsys_mv = 22_000, 3_600
        board.run(1)
        assert board.app.session.fault == faults.OVER_CURRENT_ABSOLUTE
        board.plant.nominal_rail_mv, board.plant.vsys_mv = 24_000, 3_900
        board.run(400)
        end = board.log()[-1][1]
        assert (end["min_rail_mv"], end["min_vsys_mv"]) == (22_000, 3_600)


@pytest.mark.hazard("HAZ-10")
def test_without_a_load_the_self_test_says_the_greatest_number_it_has() -> None:
    with device(load_ohm=OPEN_OHM) as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.until(protocol.FAULT)
        board.run(350)
        (row,) = [row for row in board.log()[-1][1]["selftest"] if row[0] == "load present"]
        assert row == ["load present", False, 1_000_000, "ohm", None, 200_000]


def test_many_changes_of_a_limit_are_told_as_one_from_the_first_value_to_the_last() -> None:
    """Thirty-two are kept one by one; then a change joins the last one of its limit, and no limit is left out."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        for at in range(40):
            name, value = ("max_current_ua", 3_000 + at) if at % 2 else ("max_dose_uc", 600_000 + at)
            assert board.code(protocol.SET_LIMITS, json.dumps({name: value}).encode()) == 0
        board.hold()
        board.finish()
        events = [row for name, content in board.log() if name == "events" for row in content]
        rows = [(row["code"], row["value_a"], row["value_b"]) for row in events if row["event"] == fmt.SETTINGS]
        places = {name: at for at, (name, _) in enumerate(settings.FIELDS)}
        for name, last in (("max_current_ua", 3_039), ("max_dose_uc", 600_038)):
            mine = [row[1:] for row in rows if row[0] == places[name]]
            assert mine[-1][1] == last
            assert all(before[1] == after[0] for before, after in zip(mine, mine[1:], strict=False)), "a chain"
        assert len(rows) == 32


@pytest.mark.hazard("HAZ-32")
def test_a_log_of_another_format_is_kept_and_one_that_never_began_is_not() -> None:
    """Against a log of another firmware that is taken for an empty one, and deleted at boot."""
    flash = Flash()
    other = b"IONTOLOG" + (9).to_bytes(2, "little") + bytes(30)
    flash.files["/logs/000001.ilog"] = other
    with device(flash=flash) as board:
        board.run(1_500)
        assert board.flash.files["/logs/000001.ilog"] == other
    flash = Flash()
    flash.files["/logs/000001.ilog"] = b"IONTO"
    with device(flash=flash) as board:
        board.run(1_500)
        assert "/logs/000001.ilog" not in board.flash.files
