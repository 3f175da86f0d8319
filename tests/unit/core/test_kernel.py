"""The arithmetic of a cycle by itself, where a whole session would hide a small error of it."""

from __future__ import annotations

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionto import faults, kernel, limits
from ionto import sessionlog_format as fmt
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


@pytest.mark.parametrize("prefix", "R M G S T W L K V E".split())
def test_every_cell_of_a_block_has_a_place_of_its_own(prefix: str) -> None:
    """Against two numbers in one cell, and one outside of its block: on the RP2040 nothing looks at an index."""
    no_cells = {"S_COUNT", "M_BIAS", "K_BIAS", "K_SHIFT"}
    places = {name: place for name, place in vars(kernel).items() if name.startswith(prefix + "_")}
    size = places.pop(prefix + "_SIZE", len(places))
    taken = sorted(place for name, place in places.items() if name not in no_cells)
    counts = {"G": [1, 2, 3, 5, 7]}.get(prefix, [])  # of G_COUNT four cells, of G_SENSE and G_SECOND two
    assert sorted(taken + counts) == list(range(size))


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
    reading = block(
        kernel.R_SIZE, r_current_ua=21, r_sense_ua=3, r_load_mv=84, r_rail_mv=5, r_vsys_mv=6, r_second_ua=13
    )
    plan = block(
        kernel.S_SIZE, s_setpoint_ua=7, s_charge_uc=8, s_t_ms=9, s_goal_ua=10, s_floor_ua=11, s_felt=300 * 4 + 2
    )
    kernel.fill_status(status, plan, reading, block(kernel.K_SIZE, k_duty=12))
    names = (
        "setpoint_ua current_ua sense_ua load_mv rail_mv vsys_mv duty load_ohm charge_uc target_ua least_ua second_ua"
    )
    told = [status[getattr(kernel, "T_" + name.upper())] for name in names.split()]
    assert told == [7, 21, 3, 84, 5, 6, 12, 4_000, 8, 10, 11, 13]
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


@pytest.mark.parametrize(("current_ua", "max_mv"), [(50, 0), (51, 900)])
def test_with_50_ua_and_less_the_load_has_no_greatest_voltage(current_ua: int, max_mv: int) -> None:
    """The drain hangs on its divider then, and what is seen is the rail's."""
    window, sample, plan = block(kernel.W_SIZE), block(kernel.L_SIZE), block(kernel.S_SIZE)
    kernel.open_window(window, 0)
    kernel.window(window, block(kernel.R_SIZE, r_current_ua=current_ua, r_load_mv=900), 1)
    kernel.take_window(sample, window, plan, 4)
    assert sample[kernel.L_LOAD_MAX_MV] == max_mv


def test_a_window_of_the_log_has_its_own_extremes_and_rounds_its_means_down() -> None:
    """Against the last window's numbers in the next one."""
    window, sample, plan = block(kernel.W_SIZE, w_period_ms=2), block(kernel.L_SIZE), block(kernel.S_SIZE)
    told = []
    for rows in ([(9_000, 900), (7_000, 800)], [(60, 11), (71, 10)]):
        kernel.open_window(window, 0)
        for current_ua, load_mv in rows:
            reading = block(kernel.R_SIZE, r_current_ua=current_ua, r_load_mv=load_mv, r_second_ua=current_ua + 5)
            kernel.window(window, reading, 1)
        kernel.take_window(sample, window, plan, 4)
        told.append([sample[at] for at in range(kernel.L_MEAN_UA, kernel.L_CYCLES + 1)])
    assert told == [[8_000, 7_000, 9_000, 8_005, 850, 900, 2], [65, 60, 71, 70, 10, 11, 2]]


def test_two_samples_of_the_log_fold_into_one() -> None:
    """Time, charge, set-point and state of the later one, means weighted by their cycles, extremes of both."""
    one = (100, 70_000, 300, 1_000, 900, 1_100, 1_010, 2_000, 2_600, 200, 4, 1)
    two = (200, 80_000, 310, 1_300, 950, 1_400, 1_310, 3_000, 2_500, 100, 5, 2)
    told = (200, 80_000, 310, 1_100, 900, 1_400, 1_110, 2_333, 2_600, 300, 5, 3)
    packed = bytearray(struct.pack(fmt.SAMPLE_FORMAT, *one) + struct.pack(fmt.SAMPLE_FORMAT, *two))
    kernel.fold(packed, 0, 0)
    assert struct.unpack_from(fmt.SAMPLE_FORMAT, packed) == told


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize(("raw", "current_ua"), [(0x7FFF, 32_767), (0x4000, 16_384), (0x8000, 0), (0xFFFF, 0)])
def test_the_shunt_register_is_positive_up_to_its_middle(raw: int, current_ua: int) -> None:
    """Against a current beyond the range that is taken for a negative one, which is none."""
    reading = block(kernel.R_SIZE, r_rest=kernel.REST_BIAS)
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


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("lag_ua", [1_000, -1_000, 1, -1, 0])
@pytest.mark.parametrize("sign", [1, -1])
def test_two_measurements_may_differ_by_a_quarter_of_what_the_current_lags(lag_ua: int, sign: int) -> None:
    """Rising as well as falling: 60 uA, a sixteenth of the set-point, and a quarter of the lag; one more is counted."""
    allowed_ua = 60 + 2_000 // 16 + abs(lag_ua) // 4
    counted = []
    for difference_ua in (allowed_ua - 1, allowed_ua):
        guards, reading = Guards(A), Reading()
        guards.begin(A.max_dose_uc, A.max_session_ms)
        guards.block[kernel.G_ENVELOPE] = 2_000 - lag_ua
        reading.fresh = reading.sensor_ok = reading.bench_strap = True
        reading.current_ua, reading.sense_ua = 1_950, 1_950 + sign * difference_ua
        reading.drain_mv, reading.load_mv, reading.rail_mv = 10_000, 4_000, 24_000
        assert guards.step(1_000, reading, 2_000, True) == faults.NONE
        counted.append(guards.block[kernel.G_DISAGREE])
    assert counted == [0, 1]


def test_a_count_is_exact_whatever_the_cycles_take() -> None:
    """Charge to the pC and time to the us; of a cycle that is longer than 60 ms no more than 60 ms are counted."""
    made, cycles = block(5), [(1_000, 1_000), (1_234, 1_001), (999, 2_500), (4_000, 70_000), (1, 1), (3, 999)]
    for current_ua, dt_us in cycles:
        kernel.count(made, 1, current_ua, dt_us)
    charge_pc = sum(current_ua * min(dt_us, 60_000) for current_ua, dt_us in cycles)
    us = sum(min(dt_us, 60_000) for _, dt_us in cycles)
    assert list(made) == [0, charge_pc // 1_000_000, charge_pc % 1_000_000, us // 1_000, us % 1_000]


@pytest.mark.hazard("HAZ-22")
def test_the_guards_count_every_cycle_to_the_last_microcoulomb() -> None:
    """1 mA by one measurement, 2 by the other: 1 and 2 uC a cycle, at once and not one cycle later."""
    guards, reading = Guards(A), Reading()
    guards.begin(A.max_dose_uc, A.max_session_ms)
    reading.fresh = reading.sensor_ok = reading.bench_strap = True
    reading.current_ua, reading.sense_ua, reading.rail_mv = 1_000, 2_000, 24_000
    for cycle in range(1, 4):
        guards.step(1_000, reading, 1_000, True)
        assert (guards.charge_uc, guards.sense_charge_uc) == (cycle, 2 * cycle)
        assert guards.block[kernel.G_COUNT + kernel.C_MS] == cycle


def delivering(**cells: int) -> tuple[array, array]:
    """Return the blocks of a session, with `cells`, and of a reading, in the middle of a long dose of 1 mA."""
    far = {"s_dose_uc": 1_000_000, "s_next_uc": 1_000_000, "s_max_on_ms": 1_000_000, "s_next_on_ms": 1_000_000}
    steps = {"s_target_ua": 1_000, "s_goal_ua": 1_000, "s_full_ua": 1_000, "s_steady": 1, "s_min_vsys_mv": 3_300}
    ramps = {"s_ramp_up_us": 500_000, "s_ramp_down_us": 250_000}
    plan = block(kernel.S_SIZE, **{**far, **steps, **ramps, **cells})
    return plan, block(kernel.R_SIZE, r_current_ua=1_000, r_drain_mv=10_000, r_vsys_mv=3_900, r_rail_mv=24_000)


@pytest.mark.hazard("HAZ-09")
def test_a_ramp_rises_and_falls_by_the_same_step_in_every_cycle() -> None:
    """2 uA a ms up, 4 uA down, to the end of both; then the 20 cycles in which the filter settles."""
    plan, reading = delivering()
    ups = []
    while kernel.advance(plan, reading, 1_000, kernel.UP) != kernel.E_TOP:
        ups.append(plan[kernel.S_SETPOINT_UA])
    assert ups == list(range(2, 1_000, 2))
    assert plan[kernel.S_SETPOINT_UA] == 1_000
    downs, plan[kernel.S_RAMP_ACC] = [], 0
    while kernel.advance(plan, reading, 1_000, kernel.DOWN) != kernel.E_BOTTOM:
        downs.append(plan[kernel.S_SETPOINT_UA])
    assert downs == [*range(996, 0, -4), *[0] * 19]


@pytest.mark.parametrize(("less_ua", "limited"), [(4, False), (28, False), (29, True)])
@pytest.mark.parametrize("mode", [kernel.UP, kernel.HOLDING])
def test_from_20_ua_and_a_64th_less_on_the_contact_decides_the_current(mode: int, less_ua: int, limited: bool) -> None:
    """For 100 cycles in a row, with no compliance left: a ramp ends where it is, and HOLD tells of it."""
    flat = {"s_setpoint_ua": 512, "s_target_ua": 512, "s_goal_ua": 512}
    if mode == kernel.UP:
        flat.update(s_target_ua=1_000, s_goal_ua=1_000, s_ramp_up_us=1_000_000_000)
    plan, reading = delivering(**flat)
    reading[kernel.R_CURRENT_UA], reading[kernel.R_DRAIN_MV], reading[kernel.R_SOURCE_MV] = 512 - less_ua, 700, 101
    events = [kernel.advance(plan, reading, 1_000, mode) for _ in range(100)]
    assert set(events[:99]) == {kernel.E_NONE}
    if mode == kernel.UP:
        assert events[99] == (kernel.E_TOP if limited else kernel.E_NONE)
    else:
        assert events[99] == (kernel.E_LIMITED if limited else kernel.E_NONE)


@pytest.mark.parametrize(("current_ua", "target_ua"), [(483, 512), (460, 512), (458, 512), (457, 511), (100, 142)])
def test_while_the_contact_decides_the_target_is_kept_just_above_what_flows(current_ua: int, target_ua: int) -> None:
    """Twice 20 uA and a 64th above it, and it never rises by that: the current comes back by a ramp."""
    plan, reading = delivering(s_setpoint_ua=512, s_target_ua=512, s_limited=1, s_ramp_down_us=1_000_000)
    reading[kernel.R_CURRENT_UA], reading[kernel.R_DRAIN_MV], reading[kernel.R_SOURCE_MV] = current_ua, 700, 101
    assert kernel.advance(plan, reading, 1_000, kernel.HOLDING) == kernel.E_NONE
    assert plan[kernel.S_TARGET_UA] == target_ua


def test_a_session_counts_every_cycle_with_current() -> None:
    plan, reading = delivering(s_setpoint_ua=1_000)
    for cycle in range(1, 4):
        assert kernel.advance(plan, reading, 1_000, kernel.HOLDING) == kernel.E_NONE
        counted = (kernel.S_CHARGE_UC, kernel.S_ON_MS, kernel.S_T_MS)
        assert [plan[cell] for cell in counted] == [cycle] * 3
    assert kernel.advance(plan, reading, 1_000, kernel.REST) == kernel.E_NONE
    assert [plan[kernel.S_CHARGE_UC], plan[kernel.S_ON_MS], plan[kernel.S_T_MS]] == [3, 3, 4]


@pytest.mark.parametrize(
    ("cells", "event", "setpoint_ua"),
    [
        ({"s_charge_uc": 1_018}, kernel.E_NONE, 196),  # 1,019 and the 5 to come are what it has to end with
        ({"s_charge_uc": 1_017}, kernel.E_NONE, 200),  # 1 is missing: it waits
        ({"s_charge_uc": 1_015}, kernel.E_NONE, 200),
        ({"s_charge_uc": 1_014}, kernel.E_AGAIN, 200),  # 4: more than a quarter of the 5 and a 512th of the end
        ({"s_charge_uc": 1_014, "s_on_ms": 999, "s_max_on_ms": 1_000}, kernel.E_NONE, 196),  # no time to wait
        ({"s_charge_uc": 100, "s_end_uc": 0}, kernel.E_NONE, 196),  # it has no charge to end with
        ({"s_charge_uc": 100, "s_setpoint_ua": 60}, kernel.E_NONE, 56),  # too little flows to be worth it
    ],
)
def test_a_ramp_down_waits_for_what_is_missing_and_is_given_up_for_more(
    cells: dict[str, int], event: int, setpoint_ua: int
) -> None:
    plan, reading = delivering(**{"s_setpoint_ua": 200, "s_end_uc": 1_024, **cells})
    assert kernel.advance(plan, reading, 1_000, kernel.DOWN) == event
    assert plan[kernel.S_SETPOINT_UA] == setpoint_ua


def test_a_session_keeps_its_extremes() -> None:
    """Of the current from the first cycle on, of rail and battery once the ramp up is over."""
    plan, reading = delivering(s_setpoint_ua=1_000, s_least_rail_mv=30_000, s_least_vsys_mv=9_000)
    cells = (kernel.S_MAX_UA, kernel.S_LEAST_RAIL_MV, kernel.S_LEAST_VSYS_MV)
    kept = []
    for mode, current_ua, rail_mv, vsys_mv in (
        (kernel.UP, 700, 5_000, 3_400),
        (kernel.HOLDING, 1_002, 24_000, 3_900),
        (kernel.HOLDING, 1_001, 23_900, 3_901),
        (kernel.HOLDING, 1_003, 24_100, 3_800),
    ):
        reading[kernel.R_CURRENT_UA], reading[kernel.R_RAIL_MV], reading[kernel.R_VSYS_MV] = (
            current_ua,
            rail_mv,
            vsys_mv,
        )
        kernel.advance(plan, reading, 1_000, mode)
        kept.append([plan[cell] for cell in cells])
    assert kept == [[700, 30_000, 9_000], [1_002, 24_000, 3_900], [1_002, 23_900, 3_900], [1_003, 23_900, 3_800]]


def test_the_charge_of_one_measurement_is_exact_too() -> None:
    made = block(4)
    for current_ua, dt_us in ((999, 1_000), (999, 1_001), (4_000, 70_000), (1, 1)):
        kernel.count_charge(made, 1, current_ua, dt_us)
    assert list(made) == [0, *divmod(999 * 1_000 + 999 * 1_001 + 4_000 * 60_000 + 1, 1_000_000), 0]


@pytest.mark.hazard("HAZ-26")
def test_the_fiftieth_cycle_in_a_row_with_a_low_supply_ends_the_session() -> None:
    plan, reading = delivering(s_setpoint_ua=1_000)
    reading[kernel.R_VSYS_MV] = 3_299
    for low_cycles in (49, 50):
        events = [kernel.advance(plan, reading, 1_000, kernel.HOLDING) for _ in range(low_cycles)]
        assert events == [kernel.E_NONE] * 49 + [kernel.E_BATTERY] * (low_cycles - 49)
        reading[kernel.R_VSYS_MV] = 3_300
        assert kernel.advance(plan, reading, 1_000, kernel.HOLDING) == kernel.E_NONE
        reading[kernel.R_VSYS_MV] = 3_299


@pytest.mark.parametrize(
    ("cells", "event"),
    [
        ({"s_charge_uc": 998, "s_dose_uc": 1_000, "s_next_uc": 1_000}, kernel.E_NONE),
        ({"s_charge_uc": 999, "s_dose_uc": 1_000, "s_next_uc": 1_000}, kernel.E_DOSE),
        ({"s_charge_uc": 899, "s_ramp_down_uc": 100, "s_dose_uc": 1_000, "s_next_uc": 1_000}, kernel.E_DOSE),
        ({"s_on_ms": 998, "s_max_on_ms": 1_000, "s_next_on_ms": 1_000}, kernel.E_NONE),
        ({"s_on_ms": 999, "s_max_on_ms": 1_000, "s_next_on_ms": 1_000}, kernel.E_TIME),
        ({"s_on_ms": 999, "s_next_on_ms": 1_000}, kernel.E_TURN),
        ({"s_charge_uc": 899, "s_ramp_down_uc": 100, "s_next_uc": 1_000}, kernel.E_TURN),
        ({"s_charge_uc": 898, "s_ramp_down_uc": 100, "s_next_uc": 1_000}, kernel.E_NONE),
    ],
)
def test_what_ends_a_stretch_ends_it_in_the_cycle_that_reaches_it(cells: dict[str, int], event: int) -> None:
    """The cycle adds 1 uC and 1 ms to what was there before."""
    plan, reading = delivering(s_setpoint_ua=1_000, **cells)
    assert kernel.advance(plan, reading, 1_000, kernel.HOLDING) == event


def test_the_cycle_that_ends_a_rise_does_not_rise_itself() -> None:
    """What it would add to the charge of the last ramp has no place in the dose any more."""
    plan, reading = delivering(s_setpoint_ua=500, s_charge_uc=998, s_dose_uc=1_000, s_next_uc=1_000)
    told = []
    for _ in range(2):
        told.append((kernel.advance(plan, reading, 1_000, kernel.UP), plan[kernel.S_SETPOINT_UA]))
    assert told == [(kernel.E_NONE, 502), (kernel.E_DOSE, 502)]


@pytest.mark.hazard("HAZ-22", "HAZ-27")
@pytest.mark.parametrize("build", [A, limits.variant_b()], ids="AB")
@given(st.data())
def test_charge_of_a_ramp_down_from_any_current(build: limits.Limits, data: st.DataObject) -> None:
    """A triangle and 4 ms of lag, no less and hardly more: what begins late would give too much."""
    full_ua = data.draw(st.integers(build.min_current_ua, build.max_current_ua))
    ramp_ms = data.draw(st.integers(build.min_ramp_ms, build.max_ramp_ms))
    from_ua = data.draw(st.integers(0, full_ua))
    plan = block(kernel.S_SIZE, s_full_ua=full_ua, s_ramp_down_us=ramp_ms * 1_000)
    exact_uc = from_ua * (ramp_ms * from_ua / full_ua) / 2_000 + from_ua * 4 / 1_000
    rounded_uc = 1e-6
    over_uc = kernel.ramp_down_uc(plan, from_ua) - exact_uc
    assert -from_ua / 1_000 - 1 <= over_uc <= from_ua / 1_000 + rounded_uc


@pytest.mark.hazard("HAZ-03", "HAZ-22")
@pytest.mark.parametrize("zero_16ths", [-330, -7, 0, 5, 8, 100])
@pytest.mark.parametrize("gain_q15", [32_768, 32_440, 33_423])
@pytest.mark.parametrize("raws", [[100], [103, 101, 99, 100], [2, -2, 1, -1], [32_767, 4_000]])
def test_what_is_below_a_microampere_goes_to_the_next_sample(zero_16ths: int, gain_q15: int, raws: list[int]) -> None:
    """Against a charge that is off by the zero's fraction: 0.5 % at 0.1 mA. Noise about zero adds nothing either."""
    reading = block(kernel.R_SIZE, r_rest=kernel.REST_BIAS)
    measure = block(
        kernel.M_SIZE,
        m_ua_per_lsb=1,
        m_zero=kernel.M_BIAS + zero_16ths,
        m_gain_q15=gain_q15,
        m_full_scale_raw=32_767,
    )
    total_ua, exact_ua = 0, 0.0
    for n in range(800):
        raw = raws[n % len(raws)]
        kernel.take(reading, measure, (raw & 0xFFFF).to_bytes(2, "big"), 1, 1, 0, 0)
        total_ua += reading[kernel.R_CURRENT_UA]
        exact_ua += (raw - zero_16ths / 16) * gain_q15 / 32_768
    assert total_ua == pytest.approx(max(exact_ua, 0), abs=800 / 32 + 5)
