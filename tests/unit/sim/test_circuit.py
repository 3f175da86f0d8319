"""The modelled board against the numbers of the design (hardware/README.md)."""

from __future__ import annotations

import math

import pytest

from ionto_sim import load, parameters
from ionto_sim.circuit import DRAIN, FULL_DUTY, RAIL, SNS, VSYS, Circuit

MS = 1000
SETTLE_US = 200 * MS


def make(variant: str = "A", spec: object = 0, **changes: float) -> Circuit:
    """Return an ideal board with boost on, the interlock out of the way and the rail up."""
    circuit = Circuit(parameters.board(variant, **{**parameters.IDEAL, "adc_noise_lsb": 0.0, **changes}), spec)
    circuit.set_bench_strap(0, True)
    circuit.set_boost(0, True)
    return circuit


def beat(circuit: Circuit, start_us: int, end_us: int, half_us: int = 2 * MS) -> None:
    """Beat the heartbeat with an edge every `half_us` from `start_us` (rising first) until before `end_us`."""
    level = 1
    for at in range(start_us, end_us, half_us):
        circuit.heartbeat(at, level)
        level = 1 - level


def hold(circuit: Circuit, duty: float = 1.0, end_us: int = SETTLE_US) -> float:
    """Beat and hold `duty` until `end_us`; return the current there in uA."""
    circuit.set_duty(0, round(duty * FULL_DUTY))
    beat(circuit, 0, end_us)
    circuit.settle_at(end_us)
    return circuit.current_ua()


# Set-point and sink.


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(("variant", "full_ua"), [("A", 4974), ("B", 24950)])
def test_full_duty_gives_the_full_scale_current(variant: str, full_ua: int) -> None:
    assert hold(make(variant)) == pytest.approx(full_ua, rel=5e-4)


@pytest.mark.hazard("HAZ-34")
def test_transfer_is_linear_within_2_na() -> None:
    full = hold(make())
    for step in range(1, 8):
        assert hold(make(), step / 8) == pytest.approx(full * step / 8, abs=0.002)


@pytest.mark.hazard("HAZ-34")
def test_opamp_offset_shifts_the_current_by_2_5_ua() -> None:
    shift = hold(make(opamp_offset_v=0.5e-3), 0.5) - hold(make(), 0.5)
    assert shift == pytest.approx(2.5, abs=0.05)


def settling_us(fraction: float) -> int:
    """Return how long the current takes to stay within `fraction` of its end after a step of the set-point."""
    circuit = make()
    beat(circuit, 0, 100 * MS)
    start, level = 100 * MS, 1
    circuit.set_duty(start, FULL_DUTY)
    last = 0
    for at in range(start, start + 30 * MS, 100):
        if at % (2 * MS) == 0:
            circuit.heartbeat(at, level)
            level = 1 - level
        circuit.advance(at)
        assert circuit.current_ua() <= 4975.2, "overshoot"
        if abs(circuit.current_ua() / 4975.12 - 1) > fraction:
            last = at - start
    return last


@pytest.mark.hazard("HAZ-34")
def test_filter_settles_in_8_6_ms_to_1_percent_and_12_6_ms_to_0_1_percent() -> None:
    assert settling_us(0.01) == pytest.approx(8600, abs=150)
    assert settling_us(0.001) == pytest.approx(12600, abs=150)


@pytest.mark.hazard("HAZ-12", "HAZ-34")
def test_setpoint_zero_leaves_only_the_dividers_leak() -> None:
    assert hold(make(), 0.0) == pytest.approx(2.18, abs=0.05)


# Compliance and limiter: the load between the electrodes, from SPICE.

COMPLIANCE = [
    ("A", 1000, 23470),
    ("A", 2000, 11360),
    ("A", 3000, 7320),
    ("A", 4000, 5300),
    ("A", 5000, 4110),
    ("B", 10000, 2262),
    ("B", 15000, 1454),
    ("B", 20000, 1050),
    ("B", 25000, 809),
]


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(("variant", "current_ua", "ohm"), COMPLIANCE)
def test_compliance_table_holds_within_2_percent(variant: str, current_ua: int, ohm: int) -> None:
    """The load at which the current is 1 % low, found by asking for a little more than the table's current."""
    most = hold(make(variant, ohm, reference_error=0.3))
    assert most == pytest.approx(0.99 * current_ua, rel=0.02)


@pytest.mark.hazard("HAZ-02", "HAZ-34")
@pytest.mark.parametrize(("variant", "ceiling_ua"), [("A", 5136), ("B", 27320)])
def test_limiter_holds_the_ceiling_with_the_sink_stuck_high(variant: str, ceiling_ua: int) -> None:
    circuit = make(variant)
    hold(circuit, 0.1)
    circuit.set_fault(SETTLE_US, "sink_stuck_high", True)
    circuit.settle_at(SETTLE_US + MS)
    assert circuit.current_ua() == pytest.approx(ceiling_ua, rel=1e-3)


@pytest.mark.hazard("HAZ-02", "HAZ-34")
def test_without_the_limiter_only_the_load_limits() -> None:
    circuit = make(spec=1000)
    hold(circuit, 0.1)
    circuit.set_fault(SETTLE_US, "limiter_failed", True)
    circuit.set_fault(SETTLE_US, "sink_stuck_high", True)
    circuit.settle_at(SETTLE_US + MS)
    assert circuit.current_ua() == pytest.approx(24e6 / (1000 + 262 + 300 + 24 + 201), rel=0.01)


# Dead-man.


def first_on_us(half_us: int, until_us: int = 400 * MS) -> int | None:
    """Return when the output first turned on with an edge every `half_us`, None if it did not."""
    circuit = make()
    level = 1
    for at in range(0, until_us, half_us):
        circuit.heartbeat(at, level)
        level = 1 - level
        if circuit.on:
            return at
    return None


@pytest.mark.hazard("HAZ-34")
def test_output_turns_on_at_the_fourth_rising_edge() -> None:
    assert first_on_us(2 * MS) == 12 * MS


@pytest.mark.hazard("HAZ-12", "HAZ-34")
def test_one_stray_edge_gives_no_current() -> None:
    circuit = make()
    circuit.set_duty(0, FULL_DUTY)
    circuit.heartbeat(50 * MS, 1)
    circuit.settle_at(300 * MS)
    assert circuit.meter.read()["peak_ua"] == 0.0


def cut_after_us(last_level: int, **changes: float) -> int:
    """Return how long after the last heartbeat edge (to `last_level`) the current ends."""
    circuit = make(**changes)
    circuit.set_duty(0, FULL_DUTY)
    count = 201 if last_level else 202
    beat(circuit, 0, count * 2 * MS)
    last = (count - 1) * 2 * MS
    assert circuit.deadman.level == last_level
    circuit.settle_at(last)
    circuit.meter.mark("last")
    circuit.settle_at(last + 400 * MS)
    return circuit.meter.read_mark("last")["t_below_us"]


@pytest.mark.hazard("HAZ-14", "HAZ-16", "HAZ-34")
def test_dead_man_cuts_in_37_ms_stuck_low_and_45_ms_stuck_high() -> None:
    assert cut_after_us(0) == pytest.approx(37 * MS, abs=500)
    assert cut_after_us(1) == pytest.approx(44.6 * MS, abs=500)


@pytest.mark.hazard("HAZ-14", "HAZ-16", "HAZ-34")
def test_dead_man_stays_within_28_to_86_ms_over_the_gate_threshold_spread() -> None:
    assert cut_after_us(0, gate_v=1.27) == pytest.approx(27.5 * MS, abs=MS)
    assert cut_after_us(1, gate_v=0.57) == pytest.approx(86 * MS, abs=2 * MS)


@pytest.mark.hazard("HAZ-16", "HAZ-34")
def test_heartbeat_at_50_hz_does_not_hold_and_at_25_hz_never_turns_on() -> None:
    circuit = make()
    circuit.set_duty(0, FULL_DUTY)
    interrupted = 0
    level = 1
    for at in range(0, 2000 * MS, 10 * MS):
        circuit.heartbeat(at, level)
        level = 1 - level
        circuit.settle_at(at + 9_999)
        interrupted += at > 500 * MS and not circuit.on
    assert interrupted > 10
    assert first_on_us(20 * MS) is None


@pytest.mark.hazard("HAZ-16", "HAZ-34")
def test_heartbeat_stuck_by_a_fault_cuts_although_the_pin_goes_on() -> None:
    for name, limit_us in (("heartbeat_stuck_low", 40_500), ("heartbeat_stuck_high", 50_500)):
        circuit = make()
        hold(circuit)
        circuit.set_fault(SETTLE_US, name, True)
        circuit.meter.mark("fault")
        beat(circuit, SETTLE_US + 2 * MS, SETTLE_US + 200 * MS)
        circuit.settle_at(SETTLE_US + 200 * MS)
        assert 34_000 < circuit.meter.read_mark("fault")["t_below_us"] <= limit_us


# Interlock, STOP, relay, power.


@pytest.mark.hazard("HAZ-19", "HAZ-34")
def test_vbus_interlock_cuts_in_0_18_ms_and_lets_go_within_16_ms() -> None:
    circuit = make()
    circuit.set_bench_strap(0, False)
    hold(circuit)
    circuit.set_vbus(SETTLE_US + 100, True)
    circuit.meter.mark("plug")
    beat(circuit, SETTLE_US + 2 * MS, SETTLE_US + 100 * MS)
    circuit.settle_at(SETTLE_US + 100 * MS)
    assert circuit.meter.read_mark("plug")["t_below_us"] == pytest.approx(180, abs=20)
    circuit.set_vbus(SETTLE_US + 100 * MS + 1, False)
    level = 1 - circuit.deadman.level
    for at in range(SETTLE_US + 102 * MS, SETTLE_US + 130 * MS, 2 * MS):
        circuit.heartbeat(at, level)
        level = 1 - level
        if circuit.on:
            break
    assert 12 * MS <= at - (SETTLE_US + 100 * MS) <= 17 * MS


@pytest.mark.hazard("HAZ-17", "HAZ-34")
def test_stop_cuts_at_once_and_a_shorted_high_side_defeats_it() -> None:
    circuit = make()
    hold(circuit)
    circuit.press_stop(SETTLE_US, True)
    assert circuit.current_na == 0
    circuit.set_fault(SETTLE_US, "q3_short", True)
    assert circuit.current_na == 0
    circuit.set_fault(SETTLE_US, "highside_short", True)
    assert circuit.current_ua() > 4900


@pytest.mark.hazard("HAZ-13", "HAZ-34")
def test_shorted_q3_holds_without_a_heartbeat() -> None:
    circuit = make()
    circuit.set_duty(0, FULL_DUTY)
    circuit.set_fault(0, "q3_short", True)
    circuit.settle_at(SETTLE_US)
    assert circuit.current_ua() == pytest.approx(4975, rel=1e-3)


@pytest.mark.hazard("HAZ-18", "HAZ-34")
def test_relay_reverses_the_meter_and_counts_switching_under_current() -> None:
    circuit = make()
    hold(circuit)
    forward = circuit.meter.read()
    circuit.set_relay(SETTLE_US, True)
    circuit.settle_at(SETTLE_US + 3 * MS)
    assert circuit.current_na == 0
    beat(circuit, SETTLE_US + 3 * MS, SETTLE_US + 100 * MS)
    circuit.settle_at(SETTLE_US + 100 * MS)
    after = circuit.meter.read()
    assert after["hot_switches"] == 1
    assert after["now_ua"] == pytest.approx(-4975, rel=1e-3)
    assert after["signed_uc"] < forward["signed_uc"] < after["charge_uc"]


@pytest.mark.hazard("HAZ-18", "HAZ-34")
@pytest.mark.parametrize("way", ["low", "low and high again", "power"])
def test_the_driver_holds_the_relay_until_the_dead_man_has_cut(way: str) -> None:
    circuit = make()
    circuit.set_relay(0, True)
    hold(circuit)
    if way == "power":
        circuit.set_power(SETTLE_US, False)
        assert not circuit.reversed
    else:
        circuit.set_relay(SETTLE_US, False)
        circuit.settle_at(SETTLE_US + 110 * MS)
        assert circuit.current_na == 0, "no heartbeat since"
        assert circuit.reversed
        if way == "low and high again":
            circuit.set_relay(SETTLE_US + 110 * MS, True)
        circuit.settle_at(SETTLE_US + 400 * MS)
        assert circuit.reversed == (way == "low and high again")
    assert circuit.meter.read()["hot_switches"] == 0


@pytest.mark.hazard("HAZ-34")
def test_a_relay_let_go_while_current_is_held_is_counted() -> None:
    circuit = make()
    circuit.set_relay(0, True)
    hold(circuit)
    circuit.set_fault(SETTLE_US, "q3_short", True)
    circuit.set_relay(SETTLE_US, False)
    circuit.settle_at(SETTLE_US + 400 * MS)
    assert not circuit.reversed
    assert circuit.meter.read()["hot_switches"] == 1


@pytest.mark.hazard("HAZ-26", "HAZ-34")
def test_boost_off_leaves_the_battery_on_the_rail_and_the_current_falls_without_overshoot() -> None:
    circuit = make(spec=4000)
    hold(circuit, 0.8)
    before = circuit.meter.read()["peak_ua"]
    circuit.set_boost(SETTLE_US, False)
    beat(circuit, SETTLE_US + 2 * MS, SETTLE_US + 300 * MS)
    circuit.settle_at(SETTLE_US + 300 * MS)
    assert circuit.supply.rail_v == pytest.approx(3.55)
    assert circuit.current_ua() == pytest.approx(3.55e6 / (4000 + 790), rel=0.01)
    assert circuit.meter.read()["peak_ua"] == before


@pytest.mark.hazard("HAZ-26", "HAZ-34")
def test_low_battery_drops_the_rail() -> None:
    circuit = make(spec=4000)
    circuit.set_fault(0, "battery_low", True)
    circuit.settle_at(50 * MS)
    assert circuit.adc_u16(VSYS, 50 * MS) / 65535 * 9.9 < 3.3
    rail = circuit.adc_u16(RAIL, 50 * MS) / 65535 * 3.3 * 11
    assert 18.0 < rail < 20.5


@pytest.mark.hazard("HAZ-26", "HAZ-34")
def test_power_cut_ends_everything() -> None:
    circuit = make()
    hold(circuit)
    circuit.set_power(SETTLE_US, False)
    circuit.settle_at(SETTLE_US + MS)
    assert circuit.current_na == 0
    assert circuit.supply.rail_v == 0.0


# Single faults and taps.


def after_fault(name: str, duty: float = 0.5, spec: object = 1000) -> Circuit:
    """Return the circuit 20 ms after `name` struck at `duty`, still beating."""
    circuit = make(spec=spec)
    hold(circuit, duty)
    circuit.set_fault(SETTLE_US, name, True)
    beat(circuit, SETTLE_US + 2 * MS, SETTLE_US + 40 * MS)
    circuit.settle_at(SETTLE_US + 40 * MS)
    return circuit


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(
    ("name", "current_ua"),
    [
        ("sink_stuck_low", 2.2),
        ("sense_short", 5136),
        ("shunt_short", 0.5 * 1e6 / 191),
        ("shunt_open", 0),
        ("pwm_stuck_high", 4975),
        ("pwm_stuck_low", 2.2),
        ("electrode_lift", 0),
        ("reference_open", 0.5 * 4975 * 1.294),
    ],
)
def test_fault_gives_the_designs_current(name: str, current_ua: float) -> None:
    assert after_fault(name).current_ua() == pytest.approx(current_ua, rel=2e-3, abs=0.1)


@pytest.mark.hazard("HAZ-03", "HAZ-34")
def test_shunt_short_reads_zero_while_sns_shows_the_setpoint() -> None:
    circuit = after_fault("shunt_short")
    now = circuit.now_us
    assert circuit.shunt_nv(now - 532, now, now) == 0
    assert circuit.adc_u16(SNS, now) / 65535 * 3.3 == pytest.approx(0.5, abs=0.002)


@pytest.mark.hazard("HAZ-08", "HAZ-34")
def test_lifted_electrode_shows_no_current_and_no_drain_voltage() -> None:
    circuit = after_fault("electrode_lift")
    assert circuit.adc_u16(DRAIN, circuit.now_us) < 200
    circuit.set_fault(circuit.now_us, "electrode_lift", False)
    circuit.settle_at(circuit.now_us + MS)
    assert circuit.current_ua() == pytest.approx(2487.6, rel=1e-3)


@pytest.mark.parametrize("variant", ["A", "B"])
def test_drain_tap_lets_the_load_voltage_be_computed(variant: str) -> None:
    ohm = {"A": 3000, "B": 600}[variant]
    circuit = make(variant, ohm)
    current_ua = hold(circuit, 0.5)
    now = circuit.now_us
    source = circuit.adc_u16(SNS, now) / 65535 * 3.3
    drain = source + 11 * (circuit.adc_u16(DRAIN, now) / 65535 * 3.3 - source)
    rail = circuit.adc_u16(RAIL, now) / 65535 * 3.3 * 11
    series = {"A": 552, "B": 114}[variant]
    load_v = rail - drain - current_ua * 1e-6 * series
    assert load_v / (current_ua * 1e-6) == pytest.approx(ohm, rel=0.03)


@pytest.mark.hazard("HAZ-34")
def test_shunt_mean_covers_its_window_exactly() -> None:
    circuit = make()
    hold(circuit)
    off = circuit.deadman.off_us
    circuit.advance(off + 300)
    full = 4975.12 * 10e3
    assert circuit.shunt_nv(off - 300, off + 300, off + 300) == pytest.approx(full / 2, rel=2e-3)
    assert circuit.shunt_nv(off, off + 300, off + 300) == 0


@pytest.mark.hazard("HAZ-34")
def test_charge_does_not_depend_on_how_often_it_is_looked_at() -> None:
    charges = []
    for look_us in (100, 777, 2 * MS):
        circuit = make(spec="skin")
        level = 1
        for at in range(0, 500 * MS, 100):
            if at % (10 * MS) == 0:
                circuit.set_duty(at, FULL_DUTY * at // (600 * MS))
            if at % (2 * MS) == 0:
                circuit.heartbeat(at, level)
                level = 1 - level
            if at % look_us < 100:
                circuit.advance(at)
        circuit.settle_at(500 * MS)
        charges.append(circuit.meter.read()["charge_uc"])
    assert max(charges) / min(charges) - 1 < 1e-4


def test_state_survives_dump_and_restore() -> None:
    circuit = make(spec="skin")
    hold(circuit, 0.6)
    circuit.set_duty(SETTLE_US, FULL_DUTY // 2)
    other = Circuit(parameters.board("A", **parameters.IDEAL, adc_noise_lsb=0.0), 100)
    other.restore(circuit.dump())
    for each in (circuit, other):
        beat(each, SETTLE_US + 2 * MS, SETTLE_US + 50 * MS)
        each.settle_at(SETTLE_US + 50 * MS)
    assert other.meter.read() == circuit.meter.read()
    assert other.now_us == circuit.now_us


# Load.


@pytest.mark.hazard("HAZ-34")
def test_skin_drops_10_to_30_percent_in_30_s_and_recovers() -> None:
    skin = load.Load("skin")
    start = skin.series_ohm + skin.parallel_ohm
    for _ in range(3000):
        skin.update(2000.0, 10_000)
    dropped = skin.series_ohm + skin.parallel_ohm
    assert 0.70 <= dropped / start <= 0.90
    skin.update(0.0, 3600_000_000)
    assert skin.series_ohm + skin.parallel_ohm > dropped + 0.8 * (start - dropped)


def test_sweep_and_table_follow_the_time_current_flows() -> None:
    sweep = load.Load({"kind": "sweep", "start_ohm": 10000, "end_ohm": 2000, "seconds": 100})
    sweep.update(1000.0, 50_000_000)
    assert sweep.series_ohm == pytest.approx(6000)
    sweep.update(0.0, 50_000_000)
    assert sweep.series_ohm == pytest.approx(6000)
    assert load.interpolate([[0, 5], [10, 7], [20, 3]], 15) == 5


@pytest.mark.hazard("HAZ-34")
def test_capacitor_follows_exactly_for_any_step() -> None:
    one, many = load.Load("skin"), load.Load("skin")
    one.settle(1000.0, 500)
    for _ in range(50):
        many.settle(1000.0, 10)
    assert one.volt == pytest.approx(many.volt, rel=1e-9)
    tau_us = one.parallel_ohm * one.farad * 1e6
    assert one.volt == pytest.approx(1e-3 * one.parallel_ohm * (1 - math.exp(-500 / tau_us)))


@pytest.mark.parametrize("spec", ["wet", {"kind": "table"}, {"kind": "resistor"}, -5, {"kind": "resistor", "ohm": "x"}])
def test_a_wrong_load_is_refused(spec: object) -> None:
    with pytest.raises(ValueError):
        load.Load(spec)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"kind": "skin", "parallel_ohm": -1}, "parallel_ohm of a skin load: -1; a number from 0 to 1e+12 ohm"),
        ({"kind": "skin", "drop": 5}, "drop of a skin load: 5; a number from 0 to 1"),
        ({"kind": "skin", "drop": 0.6, "drift": 0.6}, "at most 0.999 together"),
        ({"kind": "skin", "farad": 0}, "farad of a skin load: 0;"),
        ({"kind": "skin", "paralel_ohm": 1}, "a skin load has no 'paralel_ohm'"),
        ({"kind": "sweep", "seconds": 0}, "seconds of a sweep load: 0; a number from 0.001 to 1e+09 s"),
        ({"kind": "sweep", "end_ohm": True}, "end_ohm of a sweep load: True;"),
        ({"kind": "resistor", "ohm": 10**400}, "ohm of a resistor load: 1000"),
        ({"kind": "table", "points": [[0, "a"]]}, "points[0] of a table load, resistance: 'a'; a number from"),
        ({"kind": "table", "points": [[5, 1], [4, 1]]}, "points[1] of a table load: 4 s is before 5 s"),
        ({"kind": "table", "points": [[5]]}, "points[0] of a table load: [5]; [s, ohm]"),
        ({"kind": ["skin"]}, "load kind must be resistor"),
    ],
)
def test_a_load_out_of_its_ranges_is_refused_with_field_value_and_range(spec: object, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        load.Load(spec)
    assert text in str(caught.value)


@pytest.mark.parametrize("kind", ["skin", "sweep", {"kind": "table", "points": [[0, 5], [0, 7]]}, 4700])
def test_a_full_spec_stays_what_it_is(kind: object) -> None:
    full = load.normal_spec(kind)
    assert load.normal_spec(full) == full


def test_a_wrong_board_is_refused() -> None:
    with pytest.raises(ValueError, match="variant"):
        parameters.board("C")
    with pytest.raises(ValueError, match="known"):
        parameters.board("A", gate_mv=1.0)
