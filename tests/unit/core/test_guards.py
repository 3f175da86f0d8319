"""The guards: each trips at its own sample, not earlier, not on a good plant, and needs an unbroken run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from fault_hazards import marked
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import OPEN_OHM, Rig, a_dose

from ionto import faults, kernel, limits, protocol
from ionto.guards import Guards
from ionto.limits import Limits
from ionto.reading import Reading

A, B = limits.variant_a(), limits.variant_b()
SETPOINT_UA = 2_000
NEVER = 0


def good(current_ua: int = SETPOINT_UA, serial: int = 0, build: Limits = A, **changes: Any) -> Reading:
    """Return a healthy reading of `current_ua` into 2 kohm, its last digit moved by `serial`; then `changes`."""
    reading = Reading()
    reading.fresh = True
    reading.raw = current_ua + serial % 2
    reading.current_ua = reading.raw
    reading.sense_ua = current_ua + serial % 2
    reading.rail_mv = 24_000
    reading.vsys_mv = 3_900
    reading.drain_mv = 24_000 - current_ua * (2_000 + build.series_ohm) // 1_000
    reading.load_mv = current_ua * 2
    reading.pole = True
    for name, value in changes.items():
        setattr(reading, name, value)
    return reading


def guards(build: Limits = A, dose_uc: int = 4_800_000, time_limit_ms: int = 5_000_000) -> Guards:
    """Return guards of a session that is under way: one good sample has passed."""
    made = Guards(build)
    made.begin(dose_uc, time_limit_ms)
    made.expect(SETPOINT_UA)
    made.expect_pole(1)
    made.block[kernel.G_ENVELOPE] = SETPOINT_UA  # it has flowed for a while
    assert made.step(1_000, good(serial=1), SETPOINT_UA, True) == faults.NONE
    return made


class Trip(NamedTuple):
    """A guard: the reading that breaks it, the code, and at which sample in a row it trips."""

    name: str
    code: int
    samples: int
    bad: Callable[[int], Reading]
    nearly: Callable[[int], Reading]  # the reading closest to it that is still good


def stuck(serial: int) -> Reading:
    """The register keeps one value; the current itself is right."""
    return good(serial=1, sense_ua=SETPOINT_UA + serial % 2)


def hardly(current_ua: int, serial: int) -> Reading:
    """The sink fully on, and the contact lets `current_ua` through."""
    return good(current_ua, serial=serial, drain_mv=399, raw=current_ua)


TRIPS = [
    Trip("sensor stale", 100, 2, lambda n: good(serial=n, fresh=False), lambda n: good(serial=n)),
    Trip("sensor stuck", 101, 200, stuck, lambda n: good(serial=n)),
    Trip("sensor reconfigured", 102, 1, lambda n: good(serial=n, sensor_ok=False), lambda n: good(serial=n)),
    Trip(
        "shunt shorted: sensor reads less than V(SNS)",
        104,
        4,
        lambda n: good(serial=n, sense_ua=SETPOINT_UA + n % 2 + 185),
        lambda n: good(serial=n, sense_ua=SETPOINT_UA + n % 2 + 184),
    ),
    Trip(
        "sensor reads more than V(SNS)",
        104,
        4,
        lambda n: good(serial=n, sense_ua=SETPOINT_UA + n % 2 - 185),
        lambda n: good(serial=n, sense_ua=SETPOINT_UA + n % 2 - 184),
    ),
    Trip(
        "over-current against the set-point",
        120,
        2,
        lambda n: good(2_186, sense_ua=2_186),
        lambda n: good(2_184, serial=n),
    ),
    Trip(
        "over-current, absolute",
        121,
        1,
        lambda n: good(4_401, sense_ua=4_401),
        lambda n: good(serial=n),
    ),
    Trip("sensor at full scale", 121, 1, lambda n: good(serial=n, full_scale=True), lambda n: good(serial=n)),
    Trip(
        "sink weak, compliance left",
        123,
        300,
        lambda n: good(1_810, serial=n, drain_mv=1_501),
        lambda n: good(1_810, serial=n, drain_mv=1_500),
    ),
    Trip(
        "electrode lift",
        140,
        2,
        lambda n: good(28, serial=n, drain_mv=399),
        lambda n: good(30, serial=n, drain_mv=399),
    ),
    Trip(
        "electrodes shorted",
        141,
        8,
        lambda n: good(serial=n, load_mv=299),
        lambda n: good(serial=n, load_mv=301),
    ),
    Trip("an electrode hardly touches", 142, 1_000, lambda n: hardly(248, n), lambda n: hardly(250, n)),
    Trip("ADC stuck", 105, 1_000, lambda n: good(serial=n, sense_ua=SETPOINT_UA + 1), lambda n: good(serial=n)),
    Trip("wrong pole", 126, 64, lambda n: good(serial=n, pole=False), lambda n: good(serial=n)),
    Trip("rail low", 160, 20, lambda n: good(serial=n, rail_mv=19_999), lambda n: good(serial=n, rail_mv=20_000)),
    Trip("rail high", 161, 20, lambda n: good(serial=n, rail_mv=27_501), lambda n: good(serial=n, rail_mv=27_500)),
    Trip(
        "computer on USB",
        163,
        1,
        lambda n: good(serial=n, vbus=True),
        lambda n: good(serial=n, vbus=True, bench_strap=True),
    ),
]
EVERY_TRIP = pytest.mark.parametrize("trip", marked((trip.name, trip.code, trip) for trip in TRIPS))


@EVERY_TRIP
def test_it_trips_at_its_sample_and_not_before(trip: Trip) -> None:
    """Detected with its own code at exactly its count of samples."""
    judge = guards()
    codes = [judge.step(1_000, trip.bad(n), SETPOINT_UA, True) for n in range(trip.samples)]
    assert codes == [faults.NONE] * (trip.samples - 1) + [trip.code]


@EVERY_TRIP
def test_one_good_sample_starts_the_count_again(trip: Trip) -> None:
    """A disturbance shorter than the count, repeated for ever, does not end a session."""
    judge = guards()
    for _ in range(5):
        for n in range(trip.samples - 1):
            assert judge.step(1_000, trip.bad(n), SETPOINT_UA, True) == faults.NONE
        assert judge.step(1_000, good(serial=trip.samples % 2), SETPOINT_UA, True) == faults.NONE


@EVERY_TRIP
def test_just_inside_is_good_for_ever(trip: Trip) -> None:
    judge = guards()
    assert {judge.step(1_000, trip.nearly(n), SETPOINT_UA, True) for n in range(700)} == {faults.NONE}


@EVERY_TRIP
def test_counts_do_not_survive_a_pause(trip: Trip) -> None:
    """What was counted before the output went off does not shorten the count after it."""
    judge = guards()
    for n in range(trip.samples - 1):
        judge.step(1_000, trip.bad(n), SETPOINT_UA, True)
    judge.step(1_000, good(0), 0, False)
    for n in range(trip.samples - 1):
        assert judge.step(1_000, trip.bad(n), SETPOINT_UA, True) == faults.NONE


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("build", [A, B], ids="AB")
@pytest.mark.parametrize(("pole", "right"), [(1, True), (-1, False)])
def test_the_pole_is_judged_from_the_least_current_that_shows_it(build: Limits, pole: int, right: bool) -> None:
    """Within 100 ms; below that current the line says nothing, and where there is none it is not asked."""
    for least_ua, expected, code in (
        (build.pole_ua, pole, faults.NONE),
        (build.pole_ua + 1, pole, faults.WRONG_POLE),
        (build.pole_ua + 1, 0, faults.NONE),
    ):
        judge = guards(build)
        judge.expect_pole(expected)
        judge.block[kernel.G_ENVELOPE] = least_ua
        wrong = [
            judge.step(1_000, good(least_ua, serial=n, build=build, pole=not right, drain_mv=9_000), least_ua, True)
            for n in range(100)
        ]
        assert (code in wrong) and (code or set(wrong) == {0})


@pytest.mark.hazard("HAZ-18", "HAZ-22")
def test_the_pole_of_pulses_is_judged_while_current_flows() -> None:
    """A pause between two pulses neither counts nor forgets: a pulse may be shorter than the count."""
    judge = guards()
    codes = []
    for pulse in range(2):
        judge.block[kernel.G_ENVELOPE] = SETPOINT_UA
        codes += [judge.step(1_000, good(serial=n, pole=False), SETPOINT_UA, True) for n in range(60)]
        codes += [judge.step(1_000, good(0, serial=n, pole=False), 0, True) for n in range(60) if not pulse]
    assert faults.WRONG_POLE in codes and codes.index(faults.WRONG_POLE) == 123


@pytest.mark.hazard("HAZ-14")
@pytest.mark.parametrize(
    ("dt_us", "code"), [(2_500, faults.NONE), (2_501, faults.LATE_LOOP), (10**6, faults.LATE_LOOP)]
)
def test_late_loop(dt_us: int, code: int) -> None:
    """Against a loop that hangs. One cycle later than 2.5 ms is enough."""
    assert guards().step(dt_us, good(), SETPOINT_UA, True) == code


@pytest.mark.hazard("HAZ-14")
def test_late_loop_is_seen_on_a_stale_sample() -> None:
    """Against a loop that hangs in a bus timeout. The failed sample must not hide the lateness that it came with."""
    assert guards().step(50_000, good(fresh=False), SETPOINT_UA, True) == faults.LATE_LOOP


@pytest.mark.hazard("HAZ-08")
def test_a_lift_is_not_a_ramp_that_begins() -> None:
    """Up to 60 uA of set-point no current and no drain voltage may be the dead-man that has not closed yet."""
    judge = guards()
    for _ in range(100):
        assert judge.step(1_000, good(0, drain_mv=0), 60, True) == faults.NONE
    assert judge.step(1_000, good(0, drain_mv=0), 61, True) == faults.NONE
    assert judge.step(1_000, good(0, drain_mv=0), 61, True) == faults.OPEN_CIRCUIT


@pytest.mark.hazard("HAZ-17")
def test_a_circuit_that_stop_opened_is_no_fault() -> None:
    """STOP is in series with the switch: its press looks like a lift, and must end the session as a stop."""
    judge = guards()
    for _ in range(10):
        assert judge.step(1_000, good(0, drain_mv=0, stop_open=True), SETPOINT_UA, True) == faults.NONE


@pytest.mark.hazard("HAZ-04", "HAZ-24")
def test_a_contact_limited_current_is_not_a_stuck_sensor() -> None:
    """With the sink fully on the contact decides the current, and it may well be constant."""
    judge = guards()
    for serial in range(2_000):
        reading = good(1_500, drain_mv=350, sense_ua=1_500 + serial % 2)
        assert judge.step(1_000, reading, SETPOINT_UA, True) == faults.NONE


@pytest.mark.hazard("HAZ-10")
@pytest.mark.parametrize(
    ("current_ua", "load_mv", "code"),
    [
        (500, 50, faults.SHORT_CIRCUIT),
        (500, 110, faults.NONE),
        (450, 0, faults.NONE),
        (451, 0, faults.SHORT_CIRCUIT),
    ],
    ids=["0 ohm and 50 mV of error", "500 ohm less 140 mV of error", "too little to tell", "just enough"],
)
def test_a_short_is_told_from_the_least_load_from_half_a_milliampere_on(
    current_ua: int, load_mv: int, code: int
) -> None:
    """Against a dose that is logged and passes no load (C6): 150 ohm, with what an ADC leaves of a zeroed voltage."""
    judge = guards()
    judge.block[kernel.G_ENVELOPE] = current_ua
    readings = [good(current_ua, serial=n, load_mv=load_mv) for n in range(8)]
    for reading in readings:
        reading.current_ua = current_ua
    assert [judge.step(1_000, reading, current_ua, True) for reading in readings][-1] == code


# Output off.


@pytest.mark.hazard("HAZ-12", "HAZ-13")
def test_current_with_the_output_off() -> None:
    """Against a cut-off that does not cut. After the dead-man's 110 ms, two samples of 60 uA are a fault."""
    judge = guards()
    codes = [judge.step(1_000, good(60), 0, False) for _ in range(125)]
    first = codes.index(faults.CURRENT_WHEN_OFF)
    assert 110 <= first <= 122
    assert set(codes[:first]) == {faults.NONE}


@pytest.mark.hazard("HAZ-12")
def test_decaying_current_and_offset_with_the_output_off_are_good() -> None:
    judge = guards()
    for n in range(2_000):
        assert judge.step(1_000, good(2_000 if n < 110 else 59, serial=2 * n), 0, False) == faults.NONE


@pytest.mark.hazard("HAZ-12")
def test_a_single_odd_sample_with_the_output_off_is_no_fault() -> None:
    judge = guards()
    for n in range(2_000):
        assert judge.step(1_000, good(500 if n % 2 else 0), 0, False) == faults.NONE


def test_a_long_cycle_counts_toward_the_settling() -> None:
    """The settling time is time, not cycles: flash writes at rest make cycles long."""
    judge = guards()
    judge.step(200_000, good(0), 0, False)
    assert [judge.step(1_000, good(60), 0, False) for _ in range(2)] == [faults.NONE, faults.CURRENT_WHEN_OFF]


# Ceilings of charge and time, independent of the session.


@pytest.mark.hazard("HAZ-22")
@settings(max_examples=12)
@given(st.lists(st.integers(1_700, 2_180), min_size=1, max_size=5), st.integers(6_000, 20_000), st.integers(800, 2_400))
def test_charge_ceiling(currents: list[int], dose_uc: int, dt_us: int) -> None:
    """Against too much charge. At 0.4 % over the dose, whatever the current and the cycle."""
    judge = Guards(A)
    judge.begin(dose_uc, 10**6)
    charge_uc, n = 0.0, 0
    while True:
        current_ua = currents[n % len(currents)]
        reading = good(current_ua, drain_mv=600, sense_ua=current_ua + n % 2)
        reading.raw = n % 1_000  # a live sensor
        charge_uc += reading.current_ua * dt_us / 1e6
        code = judge.step(dt_us, reading, SETPOINT_UA, True)
        if code:
            break
        assert charge_uc <= dose_uc * 1.004 + 2 + 6
        n += 1
    assert code == faults.CHARGE_EXCEEDED
    assert charge_uc > dose_uc * 1.0039
    assert judge.charge_uc == pytest.approx(charge_uc, abs=1.01)


@pytest.mark.hazard("HAZ-22")
def test_charge_ceiling_of_a_large_dose() -> None:
    """Against too much charge. For a large dose too."""
    judge = Guards(B)
    judge.begin(1_000_000, 10**6)
    for n in range(30_000):
        if judge.step(2_500, good(18_000, serial=n, build=B, drain_mv=600), 18_000, True):
            break
    assert 1_003_900 <= judge.charge_uc <= 1_004_050


@pytest.mark.hazard("HAZ-03", "HAZ-22")
def test_charge_ceiling_of_the_independent_measurement() -> None:
    """Against too much charge by a sensor that reads low. V(SNS) alone stops it at 6 % and 500 uC."""
    judge = Guards(A)
    judge.begin(20_000, 10**6)
    for n in range(20_000):
        reading = good(serial=n, sense_ua=2_170 + n % 2, current_ua=1_990)
        reading.raw = 1_990 + n % 2
        code = judge.step(1_000, reading, SETPOINT_UA, True)
        if code:
            break
    assert code == faults.CHARGE_EXCEEDED
    assert judge.charge_uc < 20_000 * 1.004
    assert 21_700 <= judge.sense_charge_uc <= 21_800


@pytest.mark.hazard("HAZ-23")
def test_time_ceiling() -> None:
    """Against an endless session. Time with current is counted, time without is not."""
    judge = Guards(A)
    judge.begin(10**6, 1_000)
    codes = [judge.step(1_000, good(500, serial=n, drain_mv=600), 500, True) for n in range(900)]
    codes += [judge.step(1_000, good(0), 0, False) for _ in range(500)]
    codes += [judge.step(1_000, good(500, serial=n, drain_mv=600), 500, True) for n in range(101)]
    assert codes[:-1] == [faults.NONE] * 1_500
    assert codes[-1] == faults.TIME_EXCEEDED


@pytest.mark.hazard("HAZ-06", "HAZ-22")
def test_ceilings_count_stale_cycles() -> None:
    """Against too much charge with a sensor that fails every other read. Its time and charge still count."""
    judge = Guards(A)
    judge.begin(4_000, 10**6)
    for n in range(4_000):
        reading = good(serial=n, fresh=n % 2 == 0)
        if judge.step(1_000, reading, SETPOINT_UA, True):
            break
    assert n < 2_100


@pytest.mark.hazard("HAZ-22", "HAZ-23")
def test_begin_starts_the_ceilings_again() -> None:
    judge = Guards(A)
    judge.begin(100, 1_000)
    for n in range(50):
        judge.step(1_000, good(serial=n), SETPOINT_UA, True)
    judge.begin(100, 1_000)
    assert (judge.charge_uc, judge.sense_charge_uc) == (0, 0)
    assert judge.step(1_000, good(), SETPOINT_UA, True) == faults.NONE


# The clean plant.


def run_clean(build: Limits, current_ua: int, **plant: Any) -> Rig:
    """Deliver 0.8 s of hold at `current_ua` with the steepest ramp; return the rig afterwards."""
    rig = Rig(build, **{key: plant[key] for key in plant if key in ("load_ohm", "noise")})
    for name in ("gain", "offset_ua", "sensor_offset_ua"):
        setattr(rig.plant, name, plant.get(name, getattr(rig.plant, name)))
    ramp_ms = build.min_ramp_ms
    dose_uc = max(build.min_dose_uc, current_ua * (ramp_ms + 800) // 1_000)
    area = max(build.min_area_mm2, -(-current_ua // 5))
    plan = a_dose(
        build, current_ua=current_ua, dose_uc=dose_uc, ramp_up_ms=ramp_ms, ramp_down_ms=ramp_ms, area_mm2=area
    )
    assert rig.start(plan) == 0
    rig.until(protocol.DONE, protocol.FAULT, most=90_000)
    return rig


@pytest.mark.hazard("HAZ-24")
@settings(max_examples=6)
@given(
    st.integers(400, 4_000),
    st.floats(0.97, 1.03),
    st.floats(-2.5, 2.5),
    st.integers(-12, 12),
    st.floats(0.1, 0.95),
)
def test_no_guard_trips_on_a_good_plant(
    current_ua: int, gain: float, offset_ua: float, sensor_offset_ua: int, share: float
) -> None:
    """Any current, any load in compliance and every tolerance at once: a session goes to its end."""
    load_ohm = max(200.0, (24e6 / (current_ua * 1.02) - 790.0) * share - 400.0)
    rig = run_clean(A, current_ua, gain=gain, offset_ua=offset_ua, sensor_offset_ua=sensor_offset_ua, load_ohm=load_ohm)
    assert (rig.session.fault, rig.session.outcome) == (faults.NONE, protocol.COMPLETE)


@pytest.mark.parametrize("current_ua", [3_000, 18_000])
def test_no_guard_trips_on_a_good_plant_of_variant_b(current_ua: int) -> None:
    rig = run_clean(B, current_ua, load_ohm=600.0)
    assert (rig.session.fault, rig.session.outcome) == (faults.NONE, protocol.COMPLETE)


@pytest.mark.hazard("HAZ-04")
@pytest.mark.parametrize(("build", "current_ua"), [(A, 480), (A, 520), (A, 4_000), (B, 18_000)])
def test_a_quiet_sensor_is_not_a_stuck_one(build: Limits, current_ua: int) -> None:
    """A sensor without noise repeats its value for long; that alone must not end a session."""
    rig = run_clean(build, current_ua, noise=False, load_ohm=600.0)
    assert (rig.session.fault, rig.session.outcome) == (faults.NONE, protocol.COMPLETE)


@pytest.mark.hazard("HAZ-04")
@pytest.mark.parametrize(("build", "current_ua"), [(A, 600), (A, 4_000), (B, 18_000)])
def test_a_stuck_sensor_is_found_on_the_plant(build: Limits, current_ua: int) -> None:
    """Against a stuck sensor. Within 0.4 s of hold, long before its charge matters."""
    rig = Rig(build, load_ohm=600.0)
    rig.deliver(a_dose(build, current_ua=current_ua, dose_uc=build.max_dose_uc // 4, area_mm2=20_000))
    rig.plant.sensor = "stuck"
    rig.until(protocol.FAULT, most=400)
    assert rig.session.fault == faults.SENSOR_STUCK


@pytest.mark.hazard("HAZ-08")
def test_a_lift_on_the_plant_is_cut_in_two_samples() -> None:
    """Against an electrode lift. Detected at the second sample after it; what came back in between is nothing."""
    rig = Rig(A)
    rig.deliver()
    rig.plant.load_ohm = OPEN_OHM
    assert rig.until(protocol.FAULT) <= 2
    assert rig.session.fault == faults.OPEN_CIRCUIT


@pytest.mark.hazard("HAZ-08")
def test_a_lift_and_return_during_the_dead_mans_time_stays_cut() -> None:
    """Against re-contact. Within the dead-man's time the set-point is already 0 and little comes back."""
    rig = Rig(A)
    rig.deliver(a_dose(A, current_ua=4_000, dose_uc=20_000))
    rig.plant.load_ohm = OPEN_OHM
    rig.until(protocol.FAULT)
    rig.plant.load_ohm = 2_000.0
    rig.plant.peak_ua, before_uc = 0.0, rig.plant.charge_uc
    rig.run(200)
    assert rig.plant.peak_ua <= 4_050
    assert rig.plant.charge_uc - before_uc < 20
    assert rig.plant.current_ua == 0


@pytest.mark.hazard("HAZ-02")
@pytest.mark.parametrize("forced_ua", [4_975.0, 5_610.0])
def test_a_stuck_sink_is_cut_in_two_samples(forced_ua: float) -> None:
    """Against a PWM or sink stuck high. Never above the limiter, and cut by the dead-man alone within 110 ms."""
    rig = Rig(A)
    rig.deliver()
    rig.plant.forced_ua = forced_ua
    assert rig.until(protocol.FAULT) <= 2
    assert rig.session.fault in (faults.OVER_CURRENT, faults.OVER_CURRENT_ABSOLUTE)
    rig.run(110)
    assert rig.plant.current_ua == 0
    assert rig.plant.peak_ua <= A.hardware_ceiling_ua


@pytest.mark.hazard("HAZ-24")
def test_a_weak_sink_is_reported() -> None:
    """Against an op-amp stuck low."""
    rig = Rig(A)
    rig.deliver()
    rig.plant.forced_ua = 2.0
    rig.until(protocol.FAULT, most=310)
    assert rig.session.fault == faults.UNDER_CURRENT


@pytest.mark.hazard("HAZ-03")
def test_a_shorted_shunt_is_found_by_the_second_measurement() -> None:
    """Against a shorted shunt. The sensor reads 0 while the current flows on."""
    rig = Rig(A)
    rig.deliver()
    rig.plant.shunt_factor = 0.0
    assert rig.until(protocol.FAULT) <= 4
    assert rig.session.fault == faults.SENSE_DISAGREE
