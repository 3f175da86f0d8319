"""The self-test: passes on a good board, finds each latent fault by its name, and is harmless while it looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_hazards import marked
from plant import OPEN_OHM, Plant, Rig

from ionto import faults, limits, protocol
from ionto.reading import Reading
from ionto.selftest import PHASES, SelfTest

PHASES_MS = 120 + 60 + 80 + 100 + 140


def examined(break_it: Callable[[Plant], None] = lambda plant: None, **plant: Any) -> Rig:
    """Run the self-test alone on a board that `break_it` has broken."""
    rig = Rig(**plant)
    break_it(rig.plant)
    assert rig.session.test(rig.reading) == faults.NONE
    rig.until(protocol.IDLE, protocol.FAULT, most=2_000)
    return rig


def with_attribute(name: str, value: object) -> Callable[[Plant], None]:
    """Return what sets `name` of a plant."""
    return lambda plant: setattr(plant, name, value)


@pytest.mark.parametrize("variant", ["A", "B"])
@pytest.mark.parametrize("offset_ua", [-15, 0, 15])
def test_a_good_board_passes(variant: str, offset_ua: int) -> None:
    rig = examined(with_attribute("sensor_offset_ua", offset_ua), build=limits.for_variant(variant), load_ohm=2_000)
    assert (rig.session.state, rig.session.fault) == (protocol.IDLE, faults.NONE)
    assert all(row[1] for row in rig.selftest.results)
    assert abs(rig.selftest.zero_ua - offset_ua) <= 1


@pytest.mark.hazard("HAZ-13")
def test_the_results_say_what_was_measured_and_what_is_allowed() -> None:
    rig = examined()
    names = [row[0] for row in rig.selftest.results]
    assert len(names) == len(set(names)) == 16
    for _name, passed, value, unit, low, high in rig.selftest.results:
        assert passed
        assert unit in ("uA", "mV", "ohm", "files", "")
        assert (low is None or value >= low) and (high is None or value <= high)


@pytest.mark.hazard("HAZ-12")
def test_it_takes_half_a_second_and_is_harmless() -> None:
    """Against a self-test that is a source of current. Under 100 uA and 20 uC, and off when it is over."""
    rig = Rig()
    rig.session.test(rig.reading)
    assert rig.until(protocol.IDLE) <= PHASES_MS + 5
    assert rig.plant.peak_ua <= 100
    assert rig.plant.charge_uc <= 20
    rig.run(100)
    assert rig.plant.current_ua == 0


BROKEN = [
    ("high-side switch or Q3 shorted", with_attribute("switch_shorted", True), [faults.SELFTEST_LATENT_SWITCH]),
    (
        "sink leaks at set-point 0",
        with_attribute("forced_ua", 30.0),
        [faults.SELFTEST_LATENT_SETPOINT],
    ),
    (
        "sink stuck high",
        with_attribute("forced_ua", 5_000.0),
        [faults.OVER_CURRENT, faults.OVER_CURRENT_ABSOLUTE, faults.SELFTEST_LATENT_SETPOINT],
    ),
    ("op-amp stuck low", with_attribute("forced_ua", 0.0), [faults.SELFTEST_NO_CURRENT]),
    ("electrode not connected", with_attribute("load_ohm", OPEN_OHM), [faults.SELFTEST_LOAD]),
    ("V(SNS) reads nothing", with_attribute("sense_factor", 0.0), [faults.SELFTEST_SENSE]),
    ("V(SNS) reads double", with_attribute("sense_factor", 2.0), [faults.SELFTEST_SENSE]),
    ("V(SNS) frozen", with_attribute("adc_stuck", True), [faults.SELFTEST_SENSE]),
    ("offset out of grade", with_attribute("sensor_offset_ua", 25), [faults.SELFTEST_OFFSET]),
    ("offset out of grade, negative", with_attribute("sensor_offset_ua", -25), [faults.SELFTEST_OFFSET]),
    ("boost dead", with_attribute("nominal_rail_mv", 19_000), [faults.SELFTEST_RAIL]),
    ("boost runs away", with_attribute("nominal_rail_mv", 28_000), [faults.SELFTEST_RAIL]),
    ("battery low", with_attribute("vsys_mv", 3_299), [faults.SELFTEST_BATTERY]),
    ("sensor missing", with_attribute("sensor", "stale"), [faults.SELFTEST_SENSOR]),
    ("sensor not configured", with_attribute("sensor_ok", False), [faults.SELFTEST_SENSOR]),
    ("second sensor missing", with_attribute("second", "silent"), [faults.SELFTEST_SECOND]),
    ("second sensor does not convert", with_attribute("second", "frozen"), [faults.SELFTEST_SECOND]),
    ("second sensor stuck", with_attribute("second", "stuck"), [faults.SELFTEST_LEAK]),
    ("second sensor reads a third", with_attribute("second_factor", 0.3), [faults.SELFTEST_LEAK]),
    ("the sense node leaks: twice the current", with_attribute("leak_share", 1.0), [faults.SELFTEST_LEAK]),
]
EVERY_BROKEN = pytest.mark.parametrize(
    ("break_it", "codes"), marked((name, codes[0], [break_it, codes]) for name, break_it, codes in BROKEN)
)


@EVERY_BROKEN
def test_a_broken_board_is_found(break_it: Callable[[Plant], None], codes: list[int]) -> None:
    """Found before any session, latched, output off."""
    rig = examined(break_it)
    assert rig.session.state == protocol.FAULT
    assert rig.session.fault in codes
    assert not rig.session.output_on
    assert rig.session.setpoint_ua == 0
    rig.run(120)
    assert rig.plant.current_ua == 0 or rig.plant.switch_shorted


@EVERY_BROKEN
def test_a_broken_board_does_not_start(break_it: Callable[[Plant], None], codes: list[int]) -> None:
    """Against a session on a board with a latent fault. Never armed, no more than a trace of charge."""
    rig = Rig()
    break_it(rig.plant)
    rig.auto_arm = False
    rig.start()
    rig.until(protocol.FAULT, most=2_000)
    assert all(note[1] != protocol.ARMED for note in rig.notes if note[0] == 1)


@pytest.mark.hazard("HAZ-13")
def test_a_shorted_switch_is_found_with_no_more_than_the_probe() -> None:
    """Against a latent high-side short. What finds it is the probe of 40 uA, not the session's current."""
    rig = examined(with_attribute("switch_shorted", True))
    assert rig.plant.peak_ua <= 50
    rows = [row for row in rig.selftest.results if not row[1]]
    assert [row[0] for row in rows] == ["heartbeat off gives no current"]


@pytest.mark.hazard("HAZ-13")
def test_a_new_run_forgets_the_last() -> None:
    rig = examined(with_attribute("load_ohm", OPEN_OHM))
    assert rig.session.clear(rig.reading) == faults.NONE
    rig.plant.load_ohm = 2_000.0
    rig.run(200)
    assert rig.session.test(rig.reading) == faults.NONE
    rig.until(protocol.IDLE)
    assert all(row[1] for row in rig.selftest.results)


def judged(phase: int, current_ua: int, **changes: int) -> SelfTest:
    """Run a self-test whose readings are good but for `phase`, where they are `current_ua` and `changes`."""
    test = SelfTest(limits.variant_a())
    test.files = (4, "")
    good = (0, 0, 0, 40, 0)
    reading = Reading()
    reading.fresh = True
    test.begin(reading)
    for index, (_, ticks, _, _) in enumerate(PHASES):
        reading.rail_mv, reading.vsys_mv = 24_000, 3_900
        reading.raw = reading.sense_ua = good[index]
        reading.second_raw = 4 * good[index]
        reading.load_mv, reading.drain_mv = 80, 23_800
        if index == phase:
            reading.raw = reading.sense_ua = current_ua
            reading.second_raw = 4 * current_ua
            for name, value in changes.items():
                setattr(reading, name, value)
        for _ in range(ticks + 1):  # judged in a cycle of its own
            test.step(reading)
    assert test.finished
    return test


@pytest.mark.hazard("HAZ-13")
@pytest.mark.parametrize(
    ("phase", "changes", "code"),
    [
        (0, {"current_ua": 21}, faults.SELFTEST_OFFSET),
        (0, {"current_ua": -21}, faults.SELFTEST_OFFSET),
        (0, {"current_ua": 0, "rail_mv": 20_000}, 0),
        (0, {"current_ua": 0, "rail_mv": 19_999}, faults.SELFTEST_RAIL),
        (0, {"current_ua": 0, "rail_mv": 27_500}, 0),
        (0, {"current_ua": 0, "rail_mv": 27_501}, faults.SELFTEST_RAIL),
        (0, {"current_ua": 0, "vsys_mv": 3_300}, 0),
        (0, {"current_ua": 0, "vsys_mv": 3_299}, faults.SELFTEST_BATTERY),
        (1, {"current_ua": 15}, 0),
        (1, {"current_ua": 16}, faults.SELFTEST_LATENT_SWITCH),
        (2, {"current_ua": 15}, 0),
        (2, {"current_ua": 16}, faults.SELFTEST_LATENT_SETPOINT),
        (3, {"current_ua": 25}, 0),
        (3, {"current_ua": 24}, faults.SELFTEST_NO_CURRENT),
        (3, {"current_ua": 60}, 0),
        (3, {"current_ua": 61}, faults.SELFTEST_NO_CURRENT),
        (3, {"current_ua": 40, "load_mv": 8_000}, 0),
        (3, {"current_ua": 40, "load_mv": 8_001}, faults.SELFTEST_LOAD),
        (3, {"current_ua": 24, "drain_mv": 399}, faults.SELFTEST_LOAD),
        (3, {"current_ua": 24, "drain_mv": 400}, faults.SELFTEST_NO_CURRENT),
        (3, {"current_ua": 40, "sense_ua": 60}, 0),
        (3, {"current_ua": 40, "sense_ua": 61}, faults.SELFTEST_SENSE),
        (3, {"current_ua": 40, "sense_ua": 20}, 0),
        (3, {"current_ua": 40, "sense_ua": 19}, faults.SELFTEST_SENSE),
        (2, {"current_ua": 0, "second_raw": 4 * 16}, 0),
        (2, {"current_ua": 0, "second_raw": 4 * 17}, faults.SELFTEST_LEAK),
        (2, {"current_ua": 0, "second_raw": 4 * -16}, 0),
        (2, {"current_ua": 0, "second_raw": 4 * -17}, faults.SELFTEST_LEAK),
        (3, {"current_ua": 40, "second_raw": 4 * 64}, 0),
        (3, {"current_ua": 40, "second_raw": 4 * 65}, faults.SELFTEST_LEAK),
        (3, {"current_ua": 40, "second_raw": 4 * 16}, 0),
        (3, {"current_ua": 40, "second_raw": 4 * 15}, faults.SELFTEST_LEAK),
        (2, {"current_ua": 0, "second_ok": False}, faults.SELFTEST_SECOND),
        (4, {"current_ua": 15}, 0),
        (4, {"current_ua": 16}, faults.SELFTEST_LATENT_SWITCH),
    ],
)
def test_every_bound(phase: int, changes: dict[str, int], code: int) -> None:
    """Against a latent fault missed. Each phase passes at its bound and fails one beyond it, with its own code."""
    test = judged(phase, **changes)
    assert test.fault == code
    assert test.finished and (test.setpoint_ua, test.heartbeat) == (0, False)


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("zero_ua", [-20, -7, 0, 7, 20])
def test_the_zero_is_found_and_taken_off_the_rest(zero_ua: int) -> None:
    """Against a sensor offset taken for current, or for none. All later phases are judged without it."""
    test = SelfTest(limits.variant_a())
    test.files = (4, "")
    reading = Reading()
    test.begin(reading)
    reading.fresh = True
    reading.rail_mv, reading.vsys_mv = 24_000, 3_900
    for current_ua, (_, ticks, _, _) in zip((0, 15, 15, 60, 15), PHASES, strict=True):
        reading.raw = current_ua + zero_ua
        reading.sense_ua = current_ua + 20  # V(SNS) has a zero of its own
        reading.second_raw = (current_ua - 12) * 4  # and so has the second sensor
        for _ in range(ticks + 1):  # judged in a cycle of its own
            test.step(reading)
    assert (test.fault, test.zero_ua) == (faults.NONE, zero_ua)
    assert [row[2] for row in test.results if row[3] == "uA"] == [zero_ua, 15, 15, -12, 60, 0, 0, 15]
    assert test.second_zero == -48


@pytest.mark.hazard("HAZ-12")
def test_before_begin_it_asks_for_nothing() -> None:
    rig = Rig()
    test = SelfTest(rig.build)
    test.step(rig.reading)
    assert (test.finished, test.setpoint_ua, test.heartbeat, test.results) == (True, 0, False, [])


@pytest.mark.hazard("HAZ-11", "HAZ-30", "HAZ-17")
@pytest.mark.parametrize(
    ("part", "break_it", "code"),
    [
        ("firmware files intact", lambda rig: setattr(rig.selftest, "files", (1, "/main.py")), faults.FILES_DAMAGED),
        ("limits sound", lambda rig: setattr(rig.selftest, "settings_sound", False), faults.LIMITS_BROKEN),
        ("limits sound", lambda rig: setattr(rig.build, "max_current_ua", 9_000), faults.LIMITS_BROKEN),
        ("STOP loop closed", lambda rig: setattr(rig.reading, "stop_open", True), faults.SELFTEST_STOP),
    ],
)
def test_what_needs_no_current_is_judged_before_any(part: str, break_it: Callable[[Rig], None], code: int) -> None:
    """Named in its row, latched at once, and not a microampere was tried."""
    rig = Rig()
    break_it(rig)
    assert rig.session.test(rig.reading) == faults.NONE
    assert (rig.session.state, rig.session.fault) == (protocol.FAULT, code)
    assert [row[0] for row in rig.selftest.results if not row[1]] == [part]
    rig.run(600)
    assert rig.plant.peak_ua == 0


@pytest.mark.hazard("HAZ-30")
def test_files_that_nobody_looked_at_are_not_intact() -> None:
    test = SelfTest(limits.variant_a())
    test.begin(Reading())
    assert test.fault == faults.FILES_DAMAGED


@pytest.mark.hazard("HAZ-13")
@pytest.mark.parametrize("end", ["abort", "guard", "stop"])
def test_a_test_cut_short_is_not_a_test_passed(end: str) -> None:
    """Whatever ends it early leaves a row that failed."""
    rig = Rig()
    rig.session.test(rig.reading)
    rig.run(150)
    if end == "abort":
        rig.session.abort()
    elif end == "stop":
        rig.reading.stop_open = True
    else:
        rig.session.fail(faults.LATE_LOOP, rig.reading)
    rig.tick()
    assert rig.selftest.finished and not rig.selftest.results[-1][1]
    assert (rig.selftest.setpoint_ua, rig.selftest.heartbeat) == (0, False)


@pytest.mark.hazard("HAZ-15")
def test_a_phase_is_judged_with_the_output_off() -> None:
    """Against a cycle that is late because it judges. It does nothing else, and the next one begins the next phase."""
    rig = Rig()
    rig.session.test(rig.reading)
    rows = len(rig.selftest.results)
    judged_in = []
    while not rig.selftest.finished:
        before = rig.selftest.heartbeat
        rig.tick()
        if len(rig.selftest.results) > rows:
            rows = len(rig.selftest.results)
            judged_in.append((before, rig.selftest.heartbeat, rig.session.output_on))
    assert judged_in == [(False, False, False)] * len(PHASES)
