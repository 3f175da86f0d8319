"""The self-test: passes on a good board, finds each latent fault by its name, and is harmless while it looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_hazards import marked
from plant import OPEN_OHM, SECOND_ZERO_UA, Plant, Rig

from ionto import faults, kernel, limits, protocol
from ionto.findings import BEAT, HEART_HIGH, INTERLOCK, OTHER_POLE
from ionto.proving import PHASES
from ionto.reading import POLE_LINE, RELAY_LINE, Reading
from ionto.selftest import SelfTest

LONGEST_MS = 3_000


def examined(break_it: Callable[[Plant], None] = lambda plant: None, **plant: Any) -> Rig:
    """Run the self-test alone on a board that `break_it` has broken."""
    rig = Rig(**plant)
    break_it(rig.plant)
    assert rig.session.test(rig.reading) == faults.NONE
    rig.until(protocol.IDLE, protocol.FAULT, most=LONGEST_MS)
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
    assert len(names) == len(set(names)) == 29
    for _name, passed, value, unit, low, high in rig.selftest.results:
        assert passed
        assert unit in ("uA", "mV", "ms", "ohm", "files", "")
        assert (low is None or value >= low) and (high is None or value <= high)


@pytest.mark.hazard("HAZ-12")
@pytest.mark.parametrize("slow", [False, True])
def test_it_is_short_and_harmless(slow: bool) -> None:
    """Against a self-test that is a source of current. Under 3 s, 50 uA and 20 uC, and off when it is over.

    Slow: dead-man and relay take what they may at the end of every tolerance.
    """
    rig = Rig()
    if slow:
        rig.plant.pump_low_us, rig.plant.pump_high_us, rig.plant.relay_hold_us = 110_000.0, 110_000.0, 390_000
    rig.session.test(rig.reading)
    assert rig.until(protocol.IDLE) <= LONGEST_MS
    assert all(row[1] for row in rig.selftest.results)
    assert rig.plant.peak_ua <= 50
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
    ("a bleeder open", with_attribute("pump_low_us", 8e6), [faults.SELFTEST_DEADMAN_LOW]),
    ("pump coupled", with_attribute("pump_high_us", 8e6), [faults.SELFTEST_DEADMAN_HIGH]),
    ("pump weak", with_attribute("pump_low_us", 15e3), [faults.SELFTEST_DEADMAN_LOW]),
    ("interlock does not cut", with_attribute("interlock_dead", True), [faults.SELFTEST_INTERLOCK]),
    ("interlock on by itself", with_attribute("trying_by_itself", True), [faults.SELFTEST_INTERLOCK]),
    ("relay not held", with_attribute("relay_hold_us", 100_000), [faults.SELFTEST_RELAY]),
    ("relay held too long", with_attribute("relay_hold_us", 500_000), [faults.SELFTEST_RELAY]),
    ("relay stuck", with_attribute("relay_stuck", True), [faults.SELFTEST_POLE]),
    ("driver does not drive", with_attribute("coil_forced", False), [faults.SELFTEST_RELAY]),
    ("driver drives for good", with_attribute("coil_forced", True), [faults.SELFTEST_RELAY]),
    ("pole always E+", with_attribute("pole_forced", 1), [faults.SELFTEST_POLE]),
    ("pole always E-", with_attribute("pole_forced", 0), [faults.SELFTEST_POLE]),
    ("pole line open", with_attribute("lines", RELAY_LINE), [faults.SELFTEST_POLE]),
    ("relay line open", with_attribute("lines", POLE_LINE), [faults.SELFTEST_RELAY]),
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
    assert rig.plant.current_ua < 1 or rig.plant.switch_shorted


@EVERY_BROKEN
def test_a_broken_board_does_not_start(break_it: Callable[[Plant], None], codes: list[int]) -> None:
    """Against a session on a board with a latent fault. Never armed, no more than a trace of charge."""
    rig = Rig()
    break_it(rig.plant)
    rig.auto_arm = False
    rig.start()
    rig.until(protocol.FAULT, most=LONGEST_MS)
    assert all(note[1] != protocol.ARMED for note in rig.notes if note[0] == 1)


@pytest.mark.hazard("HAZ-13")
def test_a_shorted_switch_is_found_with_no_more_than_the_probe() -> None:
    """Against a latent high-side short. What finds it is the probe of 40 uA, not the session's current."""
    rig = examined(with_attribute("switch_shorted", True))
    assert rig.plant.peak_ua <= 50
    rows = [row for row in rig.selftest.results if not row[1]]
    assert [row[0] for row in rows] == ["heartbeat off gives no current"]


@pytest.mark.hazard("HAZ-22")
@pytest.mark.parametrize(("variant", "most_uc", "moved_uc"), [("A", 13, 2.5), ("B", 63, 12.5)])
def test_its_charge_counts_whichever_way_it_flows(variant: str, most_uc: float, moved_uc: float) -> None:
    """What decays behind a heartbeat that stops is in it; what flows with the relay moved has no sign."""
    rig = Rig(limits.for_variant(variant))
    rig.auto_arm = False
    assert rig.start() == faults.NONE
    moved, before = 0.0, rig.plant.charge_uc
    while rig.session.state == protocol.SELF_TESTING:
        rig.tick()
        moved += rig.plant.charge_uc - before if rig.plant.coil else 0.0
        before = rig.plant.charge_uc
    assert rig.session.state == protocol.ARMED
    assert abs(rig.session.charge_uc - rig.plant.charge_uc) < 1
    assert rig.plant.charge_uc <= most_uc and 0 < moved <= moved_uc


@pytest.mark.hazard("HAZ-13")
def test_a_new_run_forgets_the_last() -> None:
    rig = examined(with_attribute("load_ohm", OPEN_OHM))
    assert rig.session.clear(rig.reading) == faults.NONE
    rig.plant.load_ohm = 2_000.0
    rig.run(200)
    assert rig.session.test(rig.reading) == faults.NONE
    rig.until(protocol.IDLE)
    assert all(row[1] for row in rig.selftest.results)


OFFSET, SWITCH, SETPOINT, SMALL = "zero offset", PHASES[2][0], PHASES[3][0], PHASES[4][0]
HIGH, AGAIN, LOW = PHASES[5][0], PHASES[8][0], PHASES[9][0]
COIL, MOVED, CUTS, OFF, HELD = (PHASES[at][0] for at in range(10, 15 + 1) if PHASES[at][0])
NAMES = [row[0] for row in PHASES]


class Board:
    """Readings that are good but for the phase `name`, where they are changed; times in ms."""

    def __init__(self, name: str = "", **changes: int) -> None:
        self.test = SelfTest(limits.variant_a())
        self.test.files = (4, "")
        self.reading = Reading()
        self.reading.fresh = True
        self._name = name
        self._changes = changes
        self._still_ms = self._held_ms = 0
        self.bench_strap = False

    def run(self) -> SelfTest:
        """Run the self-test to its end."""
        self.test.begin(self.reading)
        for _ in range(LONGEST_MS):
            if self.test.finished:
                return self.test
            self._read()
            self.test.step(1_000, self.reading)
        raise AssertionError("it does not end")

    def phase(self) -> str:
        """Return the name of the phase that the test is in."""
        assert self.test._prover is not None
        return NAMES[self.test._prover._phase]

    def _read(self) -> None:
        """Return what a sound board shows after 1 ms of what the test drives."""
        test, reading = self.test, self.reading
        prover = test._prover
        assert prover is not None
        there = self.phase() == self._name
        changes = self._changes if there else {}
        drive = test.drive
        self._still_ms = 0 if drive & BEAT else self._still_ms + 1
        if drive & HEART_HIGH and self._still_ms > 2 and prover._since_us == 0:
            self._still_ms = 1
        cut_ms = 2 if drive & INTERLOCK else changes.get("off_ms", 40)
        flows = self._still_ms < changes.get("cut_ms", cut_ms) and test.setpoint_ua
        self._held_ms = self._changes.get("held_ms", 220) if drive & OTHER_POLE else max(0, self._held_ms - 1)
        reading.raw = reading.sense_ua = changes.get("current_ua", test.setpoint_ua if flows else 0)
        reading.rail_mv, reading.vsys_mv = changes.get("rail_mv", 24_000), changes.get("vsys_mv", 3_900)
        reading.sense_ua = changes.get("sense_ua", reading.sense_ua)
        reading.second_raw, reading.second_ok = changes.get("second_raw", 4 * reading.raw), "silent" not in changes
        reading.load_mv, reading.drain_mv = changes.get("load_mv", 80), changes.get("drain_mv", 23_800)
        reading.bench_strap = self.bench_strap
        block = reading.block
        block[kernel.R_MOVED] = changes.get("moved", 1)
        block[kernel.R_RELAY] = changes.get("coil", int(self._held_ms > 0))
        block[kernel.R_POLE] = changes.get("pole", int(bool(flows) and not drive & OTHER_POLE))
        block[kernel.R_INTERLOCK] = changes.get("gate", int(drive & INTERLOCK != 0))


@pytest.mark.hazard("HAZ-13", "HAZ-18", "HAZ-19")
@pytest.mark.parametrize(
    ("phase", "changes", "code"),
    [
        ("relay at rest", {"coil": 1}, faults.SELFTEST_RELAY),
        ("relay at rest", {"moved": 0}, faults.SELFTEST_LATENT_SWITCH),
        (OFFSET, {"current_ua": 21}, faults.SELFTEST_OFFSET),
        (OFFSET, {"current_ua": -21}, faults.SELFTEST_OFFSET),
        (OFFSET, {"current_ua": 0, "rail_mv": 20_000}, 0),
        (OFFSET, {"current_ua": 0, "rail_mv": 19_999}, faults.SELFTEST_RAIL),
        (OFFSET, {"current_ua": 0, "rail_mv": 27_500}, 0),
        (OFFSET, {"current_ua": 0, "rail_mv": 27_501}, faults.SELFTEST_RAIL),
        (OFFSET, {"current_ua": 0, "vsys_mv": 3_300}, 0),
        (OFFSET, {"current_ua": 0, "vsys_mv": 3_299}, faults.SELFTEST_BATTERY),
        (OFFSET, {"gate": 1}, faults.SELFTEST_INTERLOCK),
        (OFFSET, {"pole": 1}, faults.SELFTEST_POLE),
        (SWITCH, {"current_ua": 15}, 0),
        (SWITCH, {"current_ua": 16}, faults.SELFTEST_LATENT_SWITCH),
        (SETPOINT, {"current_ua": 15}, 0),
        (SETPOINT, {"current_ua": 16}, faults.SELFTEST_LATENT_SETPOINT),
        (SMALL, {"current_ua": 30}, 0),
        (SMALL, {"current_ua": 29}, faults.SELFTEST_NO_CURRENT),
        (SMALL, {"current_ua": 60}, 0),
        (SMALL, {"current_ua": 61}, faults.SELFTEST_NO_CURRENT),
        (SMALL, {"load_mv": 8_000}, 0),
        (SMALL, {"load_mv": 8_001}, faults.SELFTEST_LOAD),
        (SMALL, {"current_ua": 29, "drain_mv": 399}, faults.SELFTEST_LOAD),
        (SMALL, {"current_ua": 29, "drain_mv": 400}, faults.SELFTEST_NO_CURRENT),
        (SMALL, {"sense_ua": 60}, 0),
        (SMALL, {"sense_ua": 61}, faults.SELFTEST_SENSE),
        (SMALL, {"sense_ua": 20}, 0),
        (SMALL, {"sense_ua": 19}, faults.SELFTEST_SENSE),
        (SMALL, {"pole": 0}, faults.SELFTEST_POLE),
        (SETPOINT, {"drain_mv": 23_400}, 0),
        (SETPOINT, {"drain_mv": 23_399}, faults.SELFTEST_VOLTAGE),
        (SETPOINT, {"drain_mv": 24_600}, 0),
        (SETPOINT, {"drain_mv": 24_601}, faults.SELFTEST_VOLTAGE),
        (SETPOINT, {"second_raw": 4 * 16}, 0),
        (SETPOINT, {"second_raw": 4 * 17}, faults.SELFTEST_LEAK),
        (SETPOINT, {"second_raw": 4 * -16}, 0),
        (SETPOINT, {"second_raw": 4 * -17}, faults.SELFTEST_LEAK),
        (SETPOINT, {"silent": 1}, faults.SELFTEST_SECOND),
        (SMALL, {"second_raw": 4 * 64}, 0),
        (SMALL, {"second_raw": 4 * 65}, faults.SELFTEST_LEAK),
        (SMALL, {"second_raw": 4 * 16}, 0),
        (SMALL, {"second_raw": 4 * 15}, faults.SELFTEST_LEAK),
        (HIGH, {"off_ms": 14}, 0),
        (HIGH, {"off_ms": 11}, faults.SELFTEST_DEADMAN_HIGH),
        (HIGH, {"off_ms": 109}, 0),
        (HIGH, {"off_ms": 111}, faults.SELFTEST_DEADMAN_HIGH),
        (HIGH, {"current_ua": 16, "sense_ua": 20}, faults.SELFTEST_DEADMAN_HIGH),
        (HIGH, {"current_ua": 40, "sense_ua": 19}, faults.SELFTEST_SENSE),
        (LOW, {"current_ua": 40, "sense_ua": 0}, faults.SELFTEST_SENSE),
        (AGAIN, {"current_ua": 30}, 0),
        (AGAIN, {"current_ua": 29}, faults.SELFTEST_NO_CURRENT),
        (AGAIN, {"current_ua": 0, "drain_mv": 100}, faults.SELFTEST_LOAD),
        (LOW, {"off_ms": 14}, 0),
        (LOW, {"off_ms": 10}, faults.SELFTEST_DEADMAN_LOW),
        (LOW, {"off_ms": 110}, 0),
        (LOW, {"off_ms": 111}, faults.SELFTEST_DEADMAN_LOW),
        (COIL, {"coil": 0}, faults.SELFTEST_RELAY),
        (COIL, {"moved": 0}, faults.SELFTEST_LATENT_SWITCH),
        (MOVED, {"current_ua": 29}, faults.SELFTEST_NO_CURRENT),
        (MOVED, {"current_ua": 0, "drain_mv": 100}, faults.SELFTEST_LOAD),
        (MOVED, {"pole": 1}, faults.SELFTEST_POLE),
        (CUTS, {"cut_ms": 9}, 0),
        (CUTS, {"cut_ms": 10}, faults.SELFTEST_INTERLOCK),
        (OFF, {"current_ua": 15}, 0),
        (OFF, {"current_ua": 16}, faults.SELFTEST_LATENT_SWITCH),
        (OFF, {"held_ms": 122}, 0),
        (OFF, {"held_ms": 117}, faults.SELFTEST_RELAY),
        (OFF, {"held_ms": 399}, 0),
        (OFF, {"held_ms": 400}, faults.SELFTEST_RELAY),
    ],
)
def test_every_bound(phase: str, changes: dict[str, int], code: int) -> None:
    """Against a latent fault missed. Each phase passes at its bound and fails one beyond it, with its own code."""
    test = Board(phase, **changes).run()
    assert test.fault == code
    assert (test.setpoint_ua, test.drive) == (0, 0)


def test_the_zero_is_that_of_the_last_96_ms_of_its_phase() -> None:
    """What the rail's start leaves in the first 20 ms is not in it."""
    board, since_ms = Board(), 0
    board.test.begin(board.reading)
    while board.phase() in ("relay at rest", OFFSET):
        board._read()
        since_ms += board.phase() == OFFSET
        board.reading.raw = 19 if since_ms <= 20 else 3
        board.test.step(1_000, board.reading)
    assert (board.test.fault, board.test.zero_16ths) == (faults.NONE, 3 * 16)


def test_the_small_current_is_the_mean_of_the_last_32_ms_of_its_phase() -> None:
    """One millisecond with 13 uA among 30 counts in each of these, and in none before."""
    counted = 0
    for low_ms in range(1, 101):
        board, since_ms = Board(SMALL, current_ua=30), 0
        board.test.begin(board.reading)
        while not board.test.finished and since_ms <= 100:
            board._read()
            since_ms += board.phase() == SMALL
            if board.phase() == SMALL and since_ms == low_ms:
                board.reading.raw = 13
            board.test.step(1_000, board.reading)
        counted += board.test.fault == faults.SELFTEST_NO_CURRENT
    assert counted == 32


def test_a_load_that_is_not_there_is_told_as_a_megohm() -> None:
    name, passed, ohm, unit, _, most_ohm = Board(SMALL, current_ua=29, drain_mv=399).run().results[-1]
    assert (name, passed, ohm, unit) == ("load present", False, 1_000_000, "ohm")
    assert most_ohm is not None and most_ohm < 1_000_000


def test_a_sound_board_is_driven_for_no_longer_than_each_phase_needs() -> None:
    """The output is closed for 19 ms before a set-point follows, 80 where none may flow; the whole takes a second."""
    board, closed_ms, flowing_ms, whole_ms = Board(), [0], [0], 0
    board.test.begin(board.reading)
    while not board.test.finished:
        counted = flowing_ms if board.test.setpoint_ua else closed_ms
        if board.test.drive & BEAT:
            counted[-1] += 1
        elif counted[-1]:
            counted.append(0)
        whole_ms += 1
        board._read()
        board.test.step(1_000, board.reading)
    assert closed_ms == [79, 19, 19, 0]
    assert flowing_ms == [99, 49, 59, 0]
    assert whole_ms == 997


@pytest.mark.hazard("HAZ-19")
def test_with_the_bench_strap_the_interlock_is_not_tried() -> None:
    """The strap takes the interlock out: the row says so, and its pin is never driven against the strap."""
    board = Board(CUTS, cut_ms=20)
    board.bench_strap = True
    test = board.run()
    assert test.fault == faults.NONE
    assert [row[2] for row in test.results if row[0] == CUTS] == ["bench strap"]


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize(("lines", "rows"), [(0, 4), (POLE_LINE, 2), (RELAY_LINE, 1)])
def test_a_line_may_be_left_out_on_a_bench_only(lines: int, rows: int) -> None:
    """A breadboard has no relay and no amplifier for the pole. Each row says what was not looked at."""
    for strap, code in ((True, False), (False, True)):
        board = Board()
        board.test.lines = lines
        board.bench_strap = strap
        test = board.run()
        assert bool(test.fault) is code
        if strap:
            assert "not fitted" in [row[2] for row in test.results]
            assert all(row[1] for row in test.results)


@pytest.mark.hazard("HAZ-10")
@pytest.mark.parametrize(("idle_ua", "idle_mv", "zero_mv"), [(0, 120, 120), (0, -80, -80), (10, 60, 14), (15, 0, -120)])
def test_the_zero_of_the_load_s_voltage_is_what_is_left_without_current(
    idle_ua: int, idle_mv: int, zero_mv: int
) -> None:
    """Rail less drain at set-point 0, less what its few uA make at the load's own ohms."""
    test = Board(SETPOINT, current_ua=idle_ua, drain_mv=24_000 - idle_mv).run()
    assert (test.fault, test.load_zero_mv) == (faults.NONE, zero_mv)


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("zero_ua", [-20, -7, 0, 7, 20])
def test_the_zero_is_found_and_taken_off_the_rest(zero_ua: int) -> None:
    """Against a sensor offset taken for current, or for none. All later phases are judged without it."""
    rig = Rig(noise=False)
    rig.plant.sensor_offset_ua = zero_ua
    assert rig.session.test(rig.reading) == faults.NONE
    rig.until(protocol.IDLE, most=LONGEST_MS)
    assert (rig.selftest.fault, rig.selftest.zero_ua) == (faults.NONE, zero_ua)
    assert abs(rig.selftest.second_zero - 4 * SECOND_ZERO_UA) <= 1
    currents = {row[0]: row[2] for row in rig.selftest.results if row[3] == "uA"}
    assert currents[OFFSET] == zero_ua and currents[SWITCH] == currents[OFF] == 0


@pytest.mark.hazard("HAZ-12")
def test_before_begin_it_asks_for_nothing() -> None:
    rig = Rig()
    test = SelfTest(rig.build)
    test.step(1_000, rig.reading)
    assert (test.finished, test.setpoint_ua, test.drive, test.results) == (True, 0, 0, [])


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
    assert (rig.selftest.setpoint_ua, rig.selftest.drive) == (0, 0)


@pytest.mark.hazard("HAZ-15")
def test_a_phase_is_judged_with_the_output_off() -> None:
    """Against a cycle that is late because it judges. It does nothing else, and the next one begins the next phase."""
    rig = Rig()
    rig.session.test(rig.reading)
    rows = len(rig.selftest.results)
    judged_in = []
    while not rig.selftest.finished:
        before = rig.selftest.drive & BEAT
        rig.tick()
        if len(rig.selftest.results) > rows:
            rows = len(rig.selftest.results)
            judged_in.append((before, rig.selftest.drive & BEAT, rig.session.output_on))
    assert judged_in == [(0, 0, False)] * len([name for name in NAMES if name])
