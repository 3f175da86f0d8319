"""Integers on the RP2040: viper ones have 32 bits and wrap, MicroPython's small ones 31 and would allocate beyond.

Here the blocks that the control cycle works on are made of `Cell` ints, whose every result is a `Cell` again and
checks itself, at the extreme numbers that sensor, converters, limits and doses can give.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import pytest
from plant import a_dose

from ionto import calibration, dose, kernel, limits, protocol
from ionto.controller import Controller
from ionto.findings import BEAT, INTERLOCK, OTHER_POLE
from ionto.guards import Guards
from ionto.limits import Limits
from ionto.pins import PWM_TOP
from ionto.reading import Reading
from ionto.selftest import SelfTest
from ionto.session import Session
from ionto.sessionlog import _MAX_PERIOD_MS, SessionLog

VARIANTS = pytest.mark.parametrize("variant", ["A", "B"])
SMALL_BITS, VIPER_BITS = 30, 31  # besides the sign
DT_US = (1_000, 150_000)


class TooBig(AssertionError):
    """A number that does not fit where the RP2040 would keep it."""


class Cell(int):
    """A viper int: 32 bits, sign included."""

    def __new__(cls, value: int) -> Cell:
        if not -(1 << VIPER_BITS) <= value < 1 << VIPER_BITS:
            raise TooBig(value)
        return super().__new__(cls, value)


def _checked(name: str) -> Callable[..., Any]:
    plain = getattr(int, name)

    def operation(self: int, *others: int) -> Any:
        result = plain(self, *others)
        return result if result is NotImplemented else Cell(result)

    return operation


for _name in "add sub mul floordiv mod and or xor lshift rshift".split():
    setattr(Cell, f"__{_name}__", _checked(f"__{_name}__"))
    setattr(Cell, f"__r{_name}__", _checked(f"__r{_name}__"))
for _name in ("neg", "abs", "invert"):
    setattr(Cell, f"__{_name}__", _checked(f"__{_name}__"))


class Block(list[int]):
    """An array('i') whose cells are never negative and whose reads are `Cell` ints."""

    def __init__(self, values: Iterable[int]):
        super().__init__(Cell(value) for value in values)

    def __setitem__(self, index: Any, value: Any) -> None:
        if not 0 <= value < 1 << VIPER_BITS:
            raise TooBig(f"cell {index} = {value}")
        super().__setitem__(index, Cell(value))


def small(value: int) -> Cell:
    """Return `value` as an argument: MicroPython hands it over as a small int."""
    assert -(1 << SMALL_BITS) <= value < 1 << SMALL_BITS, value
    return Cell(value)


def reading(**numbers: int) -> Reading:
    """Return a fresh, quiet reading with these numbers."""
    made = Reading()
    made.block = Block(made.block)
    defaults = {"raw": 0, "current_ua": 0, "sense_ua": 0, "rail_mv": 24_000, "vsys_mv": 4_000, "load_mv": 4_000}
    for name, value in (defaults | {"drain_mv": 12_000, "fresh": True} | numbers).items():
        setattr(made, name, value)
    return made


def sensor_ua(variant: str) -> int:
    """Return the largest current that the sensor can tell at the end of its range, zero-corrected."""
    return 32_000 + 20 if variant == "B" else 8_000 + 20


def extreme_doses(build: Limits) -> list[dose.Dose]:
    """Return the corners of what `dose.parse` accepts: large and small current, charge and ramps."""
    corners = []
    for current, up_ms, down_ms in product(
        (build.min_current_ua, build.max_current_ua),
        (build.min_ramp_ms, build.max_ramp_ms),
        (build.min_ramp_ms, build.max_ramp_ms),
    ):
        ramps_uc = current * (up_ms + down_ms) // 2_000
        longest_uc = current * (build.max_session_ms - (up_ms + down_ms) // 2) // 1_000
        for wanted_uc in (build.min_dose_uc, build.max_dose_uc):
            dose_uc = max(min(wanted_uc, longest_uc), ramps_uc, build.min_dose_uc)
            if dose_uc <= longest_uc:
                fields = {"current_ua": current, "dose_uc": dose_uc, "ramp_up_ms": up_ms, "ramp_down_ms": down_ms}
                corners.append(a_dose(build, area_mm2=build.max_area_mm2, **fields))
    return corners


@pytest.mark.hazard("HAZ-27")
def test_the_instrument_finds_what_is_too_big() -> None:
    """Against overflow in the control cycle, unseen. 4 mA for 20 min in nC is what must not happen."""
    for too_big in (lambda: Cell(4_000) * 1_200_000, lambda: 2**30 + Cell(2**30), lambda: -Cell(-(2**31))):
        with pytest.raises(TooBig):
            too_big()
    block = Block([0])
    for value in (-1, 2**31):
        with pytest.raises(TooBig):
            block[0] = value
    block[0] = 2**31 - 1
    with pytest.raises(TooBig):
        block[0] += 1


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_limits_fit_small_ints(variant: str) -> None:
    build = limits.for_variant(variant)
    for name, value in vars(build).items():
        assert isinstance(value, str) or 0 < value < 1 << SMALL_BITS, name
    assert build.max_ramp_ms * 1_000 < 1 << VIPER_BITS


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_controller(variant: str) -> None:
    build = limits.for_variant(variant)
    controller = Controller(build.full_scale_ua, PWM_TOP)
    controller.block = Block(controller.block)
    setpoints = (0, 1, build.min_current_ua, build.max_current_ua, build.full_scale_ua)
    for setpoint, measured in product(setpoints, (0, 1, sensor_ua(variant))):
        for error in (None, 50, -50):
            for _ in range(300):
                current = measured if error is None else setpoint - error
                controller.step(small(setpoint), small(current))


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_guards_at_the_end_of_the_longest_session(variant: str) -> None:
    build = limits.for_variant(variant)
    currents, voltages = (0, sensor_ua(variant)), (0, 36_300)
    for current, sense, dt_us, millivolt in product(currents, (0, 32_000), DT_US, voltages):
        guards = Guards(build)
        guards.begin(build.max_dose_uc, build.max_session_ms * 17 // 16)
        guards.block = Block(guards.block)
        guards.compare()
        for start in (kernel.G_COUNT, kernel.G_SENSE, kernel.G_SECOND):
            guards.block[start + kernel.C_CHARGE_UC] = build.max_dose_uc * 17 // 16
            guards.block[start + kernel.C_CHARGE_PC] = 999_999
        guards.block[kernel.G_COUNT + kernel.C_MS] = build.max_session_ms * 17 // 16
        guards.block[kernel.G_COUNT + kernel.C_US] = 999
        taken = reading(
            current_ua=current, sense_ua=sense, rail_mv=millivolt, drain_mv=millivolt, load_mv=millivolt, raw=current
        )
        taken.second_ua, taken.block[kernel.R_SECOND_SERIAL] = sense, 1
        for output_on in (True, True, False, False, True):
            guards.step(small(dt_us), taken, small(build.max_current_ua), output_on)


def armed(build: Limits, plan: dose.Dose) -> Session:
    """Return a session that is armed, its block made of cells."""
    selftest = SelfTest(build)
    selftest.files = (4, "")
    session = Session(build, selftest, Guards(build), lambda *note: None)
    assert session.load(plan) == 0
    assert session.start(reading()) == 0
    taken = reading(drain_mv=24_000)
    since_ms = 0  # the last heartbeat
    for _ in range(1_200):
        since_ms = 0 if selftest.drive & BEAT else since_ms + 1
        closed = since_ms < 40 and not selftest.drive & INTERLOCK
        taken.raw = taken.current_ua = taken.sense_ua = selftest.setpoint_ua if closed else 0
        taken.second_raw = taken.raw * build.second_mohm // 2_500
        other = selftest.drive & OTHER_POLE != 0
        block = taken.block
        block[kernel.R_MOVED] = 1
        prover = selftest._prover
        block[kernel.R_RELAY] = other or (block[kernel.R_RELAY] and prover and prover._since_us < 200_000)
        block[kernel.R_POLE] = taken.raw > 22 and not other
        session.step(1_000, taken, 0)
    assert session.state == protocol.ARMED, session.fault
    session.block = Block(session.block)
    return session


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_session_through_every_state(variant: str) -> None:
    """Corner doses; the clock is put near its end, so that hours need not be run."""
    build = limits.for_variant(variant)
    doses = extreme_doses(build)
    ready = [armed(build, plan) for plan in doses]
    for (plan, start), dt_us in product(zip(doses, ready, strict=True), DT_US):
        session = copy.deepcopy(start)
        session.armed()
        block = session.block
        block[kernel.S_T_MS] = 2 * build.max_session_ms
        block[kernel.S_ON_MS] = build.max_session_ms - 100_000
        for setpoint in (0, plan.current_ua // 2, plan.current_ua):
            block[kernel.S_SETPOINT_UA] = setpoint
            for _ in range(3):
                session.step(small(dt_us), reading(current_ua=setpoint), 0)
                small(session.drive_ua())
                small(session.remaining_ms())
        if session.state != protocol.RAMP_DOWN:
            block[kernel.S_CHARGE_UC] = max(plan.dose_uc - 1, 0)
            for _ in range(3):
                session.step(small(dt_us), reading(current_ua=sensor_ua(variant)), 0)
        assert session.state == protocol.RAMP_DOWN
        for setpoint in (plan.current_ua, 3):
            block[kernel.S_SETPOINT_UA] = setpoint
            session.step(small(dt_us), reading(current_ua=setpoint), 0)
        small(session.charge_uc)


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_a_current_that_is_lowered_stays_in_cells(variant: str) -> None:
    build = limits.for_variant(variant)
    for plan, dt_us in product(extreme_doses(build), DT_US):
        session = armed(build, plan)
        session.armed()
        for setpoint_ua in (0, plan.current_ua):
            session.block[kernel.S_SETPOINT_UA] = setpoint_ua
            session.comfort(protocol.STINGING, small(session.least_ua()), reading(current_ua=setpoint_ua))
            for _ in range(3):
                session.step(small(dt_us), reading(current_ua=setpoint_ua), 0)
                small(session.remaining_ms())
            session.block[kernel.S_GOAL_UA] = plan.current_ua
            session.block[kernel.S_TARGET_UA] = plan.current_ua


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_a_long_pause_runs_the_clock_only(variant: str) -> None:
    """A session may rest for days; its clock is the only cell that grows."""
    build = limits.for_variant(variant)
    session = armed(build, extreme_doses(build)[-1])
    session.block[kernel.S_T_MS] = (1 << SMALL_BITS) - 10
    before = [cell for index, cell in enumerate(session.block) if index not in (kernel.S_T_MS, kernel.S_T_US)]
    session.step(small(1_000), reading(current_ua=5_000), 0)
    assert [cell for index, cell in enumerate(session.block) if index not in (kernel.S_T_MS, kernel.S_T_US)] == before


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_a_contact_limited_end(variant: str) -> None:
    build = limits.for_variant(variant)
    for plan in extreme_doses(build):
        session = armed(build, plan)
        session.armed()
        session.block[kernel.S_SETPOINT_UA] = plan.current_ua
        session.block[kernel.S_LIMITED] = 1
        for current in (0, plan.current_ua // 2, sensor_ua(variant)):
            session.step(small(1_000), reading(current_ua=current, drain_mv=100), 0)


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_log_window(variant: str) -> None:
    """The sums of the longest period at the largest current and voltage."""
    build = limits.for_variant(variant)
    log = SessionLog("/logs")
    log.window[kernel.W_PERIOD_MS] = _MAX_PERIOD_MS
    kernel.open_window(log.window, 0)
    log.window = Block(log.window)
    largest = reading(current_ua=sensor_ua(variant), load_mv=36_300)
    plan = Block([0] * kernel.S_SIZE)
    plan[kernel.S_CHARGE_UC] = build.max_dose_uc
    for t_ms in range(1, log.window[kernel.W_DUE_MS] + 1):
        plan[kernel.S_T_MS] = small(t_ms)
        log.sample(plan, largest.block, protocol.HOLD)
    assert log.sample_count == 1


@pytest.mark.hazard("HAZ-27")
@pytest.mark.parametrize("counts", [0, 1, 0x7FFF, 0xFFFF])
@pytest.mark.parametrize("gain_q15", [32_113, calibration.UNITY_Q15, 33_423])
@VARIANTS
def test_what_the_converters_give(variant: str, gain_q15: int, counts: int) -> None:
    build = limits.for_variant(variant)
    gain = 3_300 * 1_000_000 // (build.sense_mohm << 4)
    full_scale_raw = build.pga_range_mv * 100 - 1
    measuring = Block(
        [1, kernel.M_BIAS - 20, gain_q15, full_scale_raw, gain, build.series_ohm, 0, 0, kernel.M_BIAS - 600]
    )
    taken = reading()
    for other in (0, 0xFFFF):
        for raw in (-0x8000, 0, 0x7FFF):
            shunt = [Cell(byte) for byte in (raw & 0xFFFF).to_bytes(2, "big")]
            for slot, first in ((kernel.TAKE_RAIL, other), (kernel.TAKE_VSYS, other), (1, counts)):
                kernel.take(taken.block, measuring, shunt, small(1), small(slot), small(first), small(counts))
            for number in (taken.rail_mv, taken.vsys_mv, taken.drain_mv, taken.load_mv):
                assert 0 <= number <= 0xFFFF, "16 bits of the status record"
            assert 0 <= taken.current_ua <= (0x7FFF + 20) * gain_q15 / calibration.UNITY_Q15 + 1
            assert abs(raw + 20) * gain_q15 + 0x4000 < 1 << 31, "the product of the calibration, in viper's 32 bits"
            assert 0 <= taken.sense_ua <= 0x7FFF


@pytest.mark.hazard("HAZ-27")
@pytest.mark.parametrize("zero", [-0x1000, 0, 0x1000])
@VARIANTS
def test_what_the_second_sensor_gives(variant: str, zero: int) -> None:
    gain_q14 = (2_500 << 14) // limits.for_variant(variant).second_mohm
    measuring = Block([0, 0, 0, 0, 0, 0, zero + kernel.M_BIAS, gain_q14])
    taken = reading()
    for raw in (-0x8000, 0, 0x7FFF) * 3:
        register = [Cell(byte) for byte in (raw & 0xFFFF).to_bytes(2, "big")]
        kernel.take_second(taken.block, measuring, register, small(1))
        assert abs(taken.second_ua - max(0, (raw - zero) * gain_q14 / 16_384)) <= 0.5
        assert taken.second_raw == raw and 0 <= taken.second_ua <= 0xFFFF


@pytest.mark.hazard("HAZ-27")
@VARIANTS
def test_self_test(variant: str) -> None:
    """The sums of a phase at the ends of the register, in small ints."""
    test = SelfTest(limits.for_variant(variant))
    for raw in (-0x8000, 0x7FFF):
        test.files = (4, "")
        test.begin(reading())
        for _ in range(121):
            prover = test._prover
            assert prover is not None
            test.step(1_000, reading(raw=raw))
            small(prover._sum_ua)
