"""The arithmetic of a cycle by itself, where a whole session would hide a small error of it."""

from __future__ import annotations

from array import array

import pytest

from ionto import faults, kernel, limits
from ionto.controller import Controller
from ionto.guards import Guards
from ionto.reading import Reading

A = limits.variant_a()


def block(size: int, **cells: int) -> array:
    """Return a block of `size` cells with `cells` (names of the kernel, in small letters) set."""
    made = array("i", [0] * size)
    for name, value in cells.items():
        made[getattr(kernel, name.upper())] = value
    return made


@pytest.mark.hazard("HAZ-04")
def test_the_dither_changes_the_set_point_every_64_ms() -> None:
    """Against a live sensor taken for a stuck one: 200 equal samples are a fault, so it moves more often than that."""
    plan = block(kernel.S_SIZE, s_setpoint_ua=500, s_dither_ua=2, s_dither_min_ua=500)
    driven = []
    for t_ms in range(256):
        plan[kernel.S_T_MS] = t_ms
        driven.append(kernel.drive_ua(plan))
    assert driven == ([500] * 64 + [502] * 64) * 2
    plan[kernel.S_SETPOINT_UA], plan[kernel.S_T_MS] = 499, 64
    assert kernel.drive_ua(plan) == 499


@pytest.mark.hazard("HAZ-07")
def test_a_pulse_is_steady_from_16_ms_after_its_edge_to_its_fall() -> None:
    """Against a push that the controller learns from an edge: until the filter has settled it learns nothing."""
    plan = block(
        kernel.S_SIZE, s_target_ua=2_000, s_period_us=500_000, s_fall_us=250_000, s_edge_us=20_000, s_pulse_us=499_000
    )
    steady, levels = [], []
    for _ in range(500):
        steady.append(kernel.pulse(plan, 1_000))
        levels.append(plan[kernel.S_SETPOINT_UA])
        assert plan[kernel.S_STEADY] == steady[-1]
    assert [at for at, is_steady in enumerate(steady) if is_steady] == list(range(36, 250))
    # Edges are reckoned in 16 us, of which a ms is 62.5 and an edge of 20 ms 1,250.
    rise = [2_000 * (1_000 * at // 16) // 1_250 for at in range(20)]
    fall = [2_000 * ((20_000 - 1_000 * at) // 16) // 1_250 for at in range(20)]
    assert levels == rise + [2_000] * 230 + fall + [0] * 230


@pytest.mark.hazard("HAZ-07")
@pytest.mark.parametrize(
    ("error_ua", "drive_ua"), [(4, 1_000), (-4, 999), (-5, 998), (7, 1_000), (8, 1_001), (-8, 998)]
)
def test_the_proportional_part_keeps_still_within_the_noise(error_ua: int, drive_ua: int) -> None:
    """One sample: an eighth of an error over 4 uA, and a 64th of every error, both rounded down."""
    assert Controller(4_095, 4_095).step(1_000, 1_000 - error_ua) == drive_ua


@pytest.mark.hazard("HAZ-12")
@pytest.mark.parametrize(("current_ua", "code"), [(59, faults.NONE), (60, faults.CURRENT_WHEN_OFF)])
def test_from_60_ua_on_a_current_with_the_output_off_is_a_fault(current_ua: int, code: int) -> None:
    guards, reading = Guards(A), Reading()
    guards.begin(A.max_dose_uc, A.max_session_ms)
    reading.fresh, reading.current_ua = True, current_ua
    found = [guards.step(1_000, reading, 0, False) for _ in range(300)]
    assert set(found[:120]) == {faults.NONE}
    assert found[-1] == code


@pytest.mark.hazard("HAZ-22")
def test_the_ceiling_counts_all_that_flows_until_the_dead_man_is_open() -> None:
    guards, reading = Guards(A), Reading()
    guards.begin(A.max_dose_uc, A.max_session_ms)
    reading.fresh, reading.current_ua, reading.sense_ua = True, 1_000, 2_000
    for _ in range(300):
        guards.step(1_000, reading, 0, False)
    assert (guards.charge_uc, guards.sense_charge_uc) == (119, 238), "1 and 2 uC a cycle, of 119 cycles"


def test_the_status_has_every_number_in_its_place() -> None:
    status = block(kernel.T_SIZE)
    reading = block(kernel.R_SIZE, r_current_ua=21, r_sense_ua=3, r_load_mv=84, r_rail_mv=5, r_vsys_mv=6)
    plan = block(
        kernel.S_SIZE, s_setpoint_ua=7, s_charge_uc=8, s_t_ms=9, s_goal_ua=10, s_floor_ua=11, s_felt=300 * 4 + 2
    )
    kernel.fill_status(status, plan, reading, block(kernel.K_SIZE, k_duty=12))
    names = "setpoint_ua current_ua sense_ua load_mv rail_mv vsys_mv duty load_ohm charge_uc target_ua least_ua"
    told = [status[getattr(kernel, "T_" + name.upper())] for name in names.split()]
    assert told == [7, 21, 3, 84, 5, 6, 12, 4_000, 8, 10, 11]
    rest = (kernel.T_COMFORT, kernel.T_COMFORT_COUNT, kernel.T_ELAPSED_MS)
    assert [status[at] for at in rest] == [2, 300 & 0xFF, 9]
    reading[kernel.R_CURRENT_UA] = 20
    kernel.fill_status(status, plan, reading, block(kernel.K_SIZE))
    assert status[kernel.T_LOAD_OHM] == 1_000_000, "too little current to tell a load by"


@pytest.mark.parametrize(
    ("charge_uc", "left_ms"), [(0, 50_500), (1, 50_499), (99_999, 500), (100_000, 0), (100_001, 0)]
)
def test_the_time_that_is_left(charge_uc: int, left_ms: int) -> None:
    """What is missing at the mean current, in whole ms, and half of the last ramp."""
    plan = block(kernel.S_SIZE, s_dose_uc=100_000, s_charge_uc=charge_uc, s_mean_ua=2_000, s_ramp_down_us=1_000_000)
    assert kernel.remaining_ms(plan) == left_ms


def test_a_window_of_the_log_has_its_own_extremes_and_rounds_its_means_down() -> None:
    """Against the last window's numbers in the next one."""
    window, sample, plan = block(kernel.W_SIZE, w_period_ms=2), block(kernel.L_SIZE), block(kernel.S_SIZE)
    told = []
    for rows in ([(9_000, 900), (7_000, 800)], [(60, 11), (71, 10)]):
        kernel.open_window(window, 0)
        for current_ua, load_mv in rows:
            kernel.window(window, block(kernel.R_SIZE, r_current_ua=current_ua, r_load_mv=load_mv), 1)
        kernel.take_window(sample, window, plan, 4)
        told.append([sample[at] for at in range(kernel.L_MEAN_UA, kernel.L_CYCLES + 1)])
    assert told == [[8_000, 7_000, 9_000, 850, 900, 2], [65, 60, 71, 10, 11, 2]]


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize(("raw", "current_ua"), [(0x7FFF, 32_767), (0x4000, 16_384), (0x8000, 0), (0xFFFF, 0)])
def test_the_shunt_register_is_positive_up_to_its_middle(raw: int, current_ua: int) -> None:
    """Against a current beyond the range that is taken for a negative one, which is none."""
    reading = block(kernel.R_SIZE)
    measure = block(
        kernel.M_SIZE,
        m_ua_per_lsb=1,
        m_zero=kernel.M_BIAS,
        m_gain_q15=32_768,
        m_full_scale_raw=8_000,
    )
    kernel.take(reading, measure, raw.to_bytes(2, "big"), 1, 1, 0, 0)
    assert reading[kernel.R_CURRENT_UA] == current_ua
    assert reading[kernel.R_FULL_SCALE] == (raw != 0xFFFF)
