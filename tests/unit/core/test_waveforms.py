"""Pulses, reversals, pauses and poor contact on a plant: the charge is the dose, the relay moves without current."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import OPEN_OHM, Rig, a_dose

from ionto import dose, faults, kernel, limits, protocol

A, B = limits.variant_a(), limits.variant_b()
PULSES = {"waveform": "pulsed", "pulse_on_ms": 200, "pulse_off_ms": 200, "pulse_edge_ms": 20}
HALF = {"reversal": "half"}
INTERVAL = {"reversal": "interval", "reversal_interval_ms": 4_000}
WAVEFORMS = {
    "dc": {},
    "pulsed": PULSES,
    "half": HALF,
    "interval": INTERVAL,
    "pulsed, half": PULSES | HALF,
    "pulsed, interval": PULSES | INTERVAL,
}
EVERY_WAVEFORM = pytest.mark.parametrize("waveform", WAVEFORMS.values(), ids=list(WAVEFORMS))


class Bench(Rig):
    """A rig that also meters the charge by pole."""

    def __init__(self, **plant: Any):
        self.poles_uc = {False: 0.0, True: 0.0}
        self.reversed = False
        super().__init__(**plant)

    def tick(self) -> None:
        """As Rig's; what flows belongs to the pole that the relay has."""
        before_uc = self.plant.charge_uc
        super().tick()
        self.poles_uc[self.reversed] += self.plant.charge_uc - before_uc

    def deliver_to_end(self, plan: dose.Dose) -> None:
        """Run `plan` until it is over."""
        assert self.start(plan) == 0
        self.until(protocol.DONE, protocol.FAULT, most=200_000)

    def states(self) -> list[int]:
        """Return the states that the session went through, in order."""
        return [code for event, code, _, _ in self.notes if event == 1]


def assert_complete(rig: Bench, plan: dose.Dose) -> None:
    """The dose is in by the independent meter, without a fault, overshoot or switched current."""
    assert (rig.session.outcome, rig.session.fault) == (protocol.COMPLETE, faults.NONE)
    assert abs(rig.plant.charge_uc - plan.dose_uc) <= plan.dose_uc * 0.005
    assert abs(rig.session.charge_uc - plan.dose_uc) <= plan.dose_uc * 0.005
    assert rig.plant.peak_ua <= plan.current_ua * 1.01 + 6
    assert rig.switched_ua < 1


@st.composite
def doses(draw: st.DrawFn) -> dose.Dose:
    """A dose of any waveform that takes some seconds."""
    current_ua = draw(st.integers(500, 4_000))
    changes: dict[str, Any] = {"current_ua": current_ua}
    changes |= {name: draw(st.integers(1_000, 2_000)) for name in ("ramp_up_ms", "ramp_down_ms")}
    mean_ua = current_ua
    if draw(st.booleans()):
        edge_ms = draw(st.integers(20, 150))
        on_ms, off_ms = (draw(st.integers(60 + edge_ms, 700)) for _ in range(2))
        changes |= {"waveform": "pulsed", "pulse_on_ms": on_ms, "pulse_off_ms": off_ms, "pulse_edge_ms": edge_ms}
        mean_ua = current_ua * on_ms // (on_ms + off_ms)
    changes |= draw(st.sampled_from([{}, HALF, INTERVAL | {"reversal_interval_ms": draw(st.integers(5_000, 8_000))}]))
    changes["polarity"] = draw(st.sampled_from([-1, 1]))
    return a_dose(A, **changes, dose_uc=max(6_000, 4 * current_ua + mean_ua * draw(st.integers(0, 5_000)) // 1_000))


@pytest.mark.hazard("HAZ-22", "HAZ-24")
@settings(max_examples=8)
@given(doses(), st.floats(0.98, 1.02), st.integers(-12, 12), st.lists(st.integers(1, 4_000), max_size=2))
def test_every_waveform_delivers_its_dose(plan: dose.Dose, gain: float, offset_ua: int, pauses: list[int]) -> None:
    """Against a wrong dose. Whatever the waveform, the gain, the sensor's offset, and wherever it is paused."""
    rig = Bench()
    rig.plant.gain, rig.plant.sensor_offset_ua = gain, offset_ua
    assert rig.start(plan) == 0
    for after_ms in pauses:
        rig.until(protocol.RAMP_UP, protocol.DONE)
        rig.run(after_ms)
        if rig.session.pause() == 0:
            rig.until(protocol.PAUSED, protocol.DONE)
            rig.run(200)
            rig.session.resume(rig.reading)
    rig.until(protocol.DONE, protocol.FAULT, most=120_000)
    assert_complete(rig, plan)


@pytest.mark.hazard("HAZ-23")
@EVERY_WAVEFORM
def test_the_time_of_every_waveform_is_as_announced(waveform: dict[str, Any]) -> None:
    plan = a_dose(A, dose_uc=24_000, **waveform)
    rig = Bench()
    rig.deliver_to_end(plan)
    assert_complete(rig, plan)
    self_test_ms = 700
    assert abs(rig.session.t_ms - self_test_ms - plan.duration_ms()) < 700
    assert plan.on_ms() <= rig.session.on_ms <= plan.max_on_ms(A)


@pytest.mark.hazard("HAZ-09")
def test_pulses_have_their_frequency_duty_and_edges() -> None:
    """Set-point and current: a period of 400 ms, half of it on, edges of 20 ms."""
    rig = Bench()
    rig.deliver(a_dose(A, dose_uc=24_000, **PULSES))
    trace = []
    for _ in range(2_000):
        rig.tick()
        trace.append((rig.session.setpoint_ua, rig.plant.current_ua))
    setpoints = [setpoint for setpoint, _ in trace]
    rises = [at for at in range(1, 2_000) if setpoints[at - 1] == 0 < setpoints[at]]
    assert {rises[at] - rises[at - 1] for at in range(1, len(rises))} == {400}
    assert sum(setpoints) / 2_000 == pytest.approx(1_000, rel=0.001)
    assert max(abs(setpoints[at] - setpoints[at - 1]) for at in range(1, 2_000)) <= 2_000 / 20 + 2
    currents = [current for _, current in trace]
    assert max(currents) <= 2_000 * 1.01
    assert min(currents[rises[1] - 100 : rises[1]]) < 1
    assert max(abs(current - 2_000) for current in currents[rises[1] + 40 : rises[1] + 195]) <= 20


@pytest.mark.hazard("HAZ-24")
def test_steep_pulses_of_the_greatest_current_trip_no_guard() -> None:
    """Against session cut for nothing. The steepest edges of either build stay within envelope and tolerances."""
    edges = {"pulse_on_ms": 80, "pulse_off_ms": 80, "pulse_edge_ms": 20, "waveform": "pulsed"}
    for build, current_ua, load_ohm in ((A, 4_000, 2_000.0), (B, 18_000, 500.0)):
        rig = Rig(build, load_ohm=load_ohm)
        rig.deliver(a_dose(build, current_ua=current_ua, area_mm2=20_000, dose_uc=24 * current_ua, **edges))
        rig.run(3_000)
        assert (rig.session.state, rig.session.fault) == (protocol.HOLD, faults.NONE)
        assert rig.plant.peak_ua <= current_ua * 1.01


@pytest.mark.hazard("HAZ-02")
@pytest.mark.parametrize("at_ms", [5, 60, 110, 205, 230, 330])
def test_over_current_in_a_pulse_is_caught(at_ms: int) -> None:
    """Against over-current while the set-point falls. The envelope is a matter of milliseconds."""
    rig = Bench()
    rig.deliver(a_dose(A, dose_uc=24_000, **PULSES))
    while rig.session.block[kernel.S_PULSE_US] // 1_000 != at_ms:
        rig.tick()
    rig.plant.forced_ua = 3_000.0
    before_uc = rig.plant.charge_uc
    rig.until(protocol.FAULT, most=60)
    assert rig.session.fault in (faults.OVER_CURRENT, faults.OVER_CURRENT_ABSOLUTE)
    rig.run(200)
    assert rig.plant.charge_uc - before_uc < 3_000 * 0.2


@pytest.mark.hazard("HAZ-08")
@pytest.mark.parametrize("at_ms", [60, 230, 330])
def test_a_lift_is_seen_at_the_latest_with_the_next_pulse(at_ms: int) -> None:
    """Against an electrode lifted between two pulses. Re-contact finds the output off."""
    rig = Bench()
    rig.deliver(a_dose(A, dose_uc=24_000, **PULSES))
    while rig.session.block[kernel.S_PULSE_US] // 1_000 != at_ms:
        rig.tick()
    rig.plant.load_ohm = OPEN_OHM
    rig.until(protocol.FAULT, most=220)
    assert rig.session.fault == faults.OPEN_CIRCUIT


@pytest.mark.hazard("HAZ-24")
def test_a_sink_that_gives_nothing_is_seen_in_pulses_too() -> None:
    """Against dose not delivered, op-amp stuck low. The pauses between pulses do not hide it."""
    rig = Bench()
    rig.deliver(a_dose(A, dose_uc=24_000, **PULSES))
    rig.plant.forced_ua = 2.0
    rig.until(protocol.FAULT, most=3_000)
    assert rig.session.fault == faults.UNDER_CURRENT


# Reversal.


@pytest.mark.hazard("HAZ-18", "HAZ-22")
@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize("pulses", [{}, PULSES], ids=["dc", "pulsed"])
def test_reversal_at_half_gives_each_pole_half(polarity: int, pulses: dict[str, Any]) -> None:
    plan = a_dose(A, dose_uc=16_000, polarity=polarity, **HALF, **pulses)
    rig = Bench()
    rig.deliver_to_end(plan)
    assert_complete(rig, plan)
    for uc in rig.poles_uc.values():
        assert uc == pytest.approx(8_000, abs=8_000 * 0.005 + 25)
    assert rig.reversed == (polarity == 1), "the session ends with the other pole"


@pytest.mark.hazard("HAZ-09", "HAZ-18")
def test_the_states_of_a_reversal() -> None:
    rig = Bench()
    rig.deliver_to_end(a_dose(A, dose_uc=16_000, **HALF))
    down = [protocol.RAMP_UP, protocol.HOLD, protocol.RAMP_DOWN]
    assert rig.states() == [
        protocol.SELF_TESTING,
        protocol.ARMED,
        *down,
        protocol.REVERSING,
        *down,
        protocol.DONE,
    ]


@pytest.mark.hazard("HAZ-18")
def test_reversal_at_an_interval_is_as_often_as_announced() -> None:
    plan = a_dose(A, dose_uc=33_000, **INTERVAL)
    assert plan.turns() == 5
    rig = Bench()
    rig.deliver_to_end(plan)
    assert_complete(rig, plan)
    assert rig.states().count(protocol.REVERSING) == 5
    assert rig.poles_uc[False] == pytest.approx(rig.poles_uc[True] + 3_000, abs=200), "the last stretch has the rest"


def reversing(**changes: Any) -> Bench:
    """Return a rig that is in the middle of a reversal: nothing has moved yet."""
    rig = Bench()
    assert rig.start(a_dose(A, dose_uc=16_000, **HALF | changes)) == 0
    rig.until(protocol.REVERSING)
    return rig


@pytest.mark.hazard("HAZ-18")
def test_the_relay_waits_for_zero_current() -> None:
    """Against relay switched under current. Every sample with current begins the wait again; then it is a fault."""
    rig = reversing()
    before = rig.reversed
    rig.plant.switch_shorted, rig.plant.forced_ua = True, 40.0  # under the guard's threshold
    rig.until(protocol.FAULT, most=1_100)
    assert rig.session.fault == faults.CURRENT_WHEN_OFF
    assert rig.reversed == before


@pytest.mark.hazard("HAZ-18")
def test_the_relay_moves_after_120_good_samples_and_settles() -> None:
    rig = reversing()
    before = rig.reversed
    rig.run(limits.DEAD_MAN_MS - 1)
    assert rig.reversed == before
    rig.run(2)
    assert rig.reversed != before
    assert rig.session.state == protocol.REVERSING
    rig.run(limits.RELAY_MS)
    assert rig.session.state == protocol.RAMP_UP


@pytest.mark.hazard("HAZ-18")
def test_a_silent_sensor_proves_no_zero() -> None:
    """Against relay switched blindly. Without samples nothing moves, and the session ends in a fault."""
    rig = reversing()
    before = rig.reversed
    rig.plant.sensor = "stale"
    rig.until(protocol.FAULT, most=1_100)
    assert (rig.session.fault, rig.reversed) == (faults.SENSOR_STALE, before)


@pytest.mark.hazard("HAZ-18", "HAZ-22")
@pytest.mark.parametrize("after_ms", [0, 50, 119, 121, 140])
def test_pause_in_a_reversal_finishes_it_after_resume(after_ms: int) -> None:
    plan = a_dose(A, dose_uc=16_000, **HALF)
    rig = reversing()
    rig.run(after_ms)
    assert rig.session.pause() == 0
    assert rig.session.state == protocol.PAUSED
    rig.run(300)
    assert rig.session.resume(rig.reading) == 0
    rig.until(protocol.DONE, protocol.FAULT)
    assert_complete(rig, plan)
    assert min(rig.poles_uc.values()) == pytest.approx(8_000, abs=8_000 * 0.005 + 25)


@pytest.mark.hazard("HAZ-18", "HAZ-22")
def test_pause_in_the_ramp_down_to_a_reversal() -> None:
    plan = a_dose(A, dose_uc=16_000, **HALF)
    rig = Bench()
    assert rig.start(plan) == 0
    rig.until(protocol.RAMP_DOWN)
    assert rig.session.pause() == 0
    rig.until(protocol.PAUSED)
    assert rig.session.resume(rig.reading) == 0
    assert rig.session.state == protocol.REVERSING
    rig.until(protocol.DONE, protocol.FAULT)
    assert_complete(rig, plan)


# Poor contact.


@pytest.mark.hazard("HAZ-24")
def test_poor_contact_is_held_and_the_time_extended() -> None:
    """The device holds what the contact allows; the dose is complete, later."""
    plan = a_dose(A, current_ua=4_000, dose_uc=20_000, max_extension_pct=100)
    rig = Bench(load_ohm=8_000.0)
    rig.deliver_to_end(plan)
    assert_complete(rig, plan)
    assert plan.on_ms() * 1.2 < rig.session.on_ms < plan.max_on_ms(A)
    assert rig.session.shortfall_uc <= plan.dose_uc * 0.005


@pytest.mark.hazard("HAZ-23", "HAZ-24")
@pytest.mark.parametrize(
    ("name", "extension_pct"), [("dc", 0), ("dc", 100), ("pulsed", 0), ("half", 50), ("pulsed, interval", 0)]
)
def test_a_contact_too_poor_ends_in_order_with_its_shortfall(name: str, extension_pct: int) -> None:
    """Against an endless session; dose reported that was not given. It ends in time and says what is missing."""
    plan = a_dose(A, current_ua=4_000, dose_uc=48_000, max_extension_pct=extension_pct, **WAVEFORMS[name])
    rig = Bench(load_ohm=20_000.0)
    rig.deliver_to_end(plan)
    assert (rig.session.outcome, rig.session.fault) == (protocol.TIME_ENDED, faults.NONE)
    assert rig.session.on_ms <= plan.max_on_ms(A) + plan.ramp_down_ms + 30
    missing_uc = plan.dose_uc - rig.plant.charge_uc
    assert rig.session.shortfall_uc == pytest.approx(missing_uc, abs=plan.dose_uc * 0.005)
    assert missing_uc > plan.dose_uc * 0.1


@pytest.mark.hazard("HAZ-09", "HAZ-22")
@pytest.mark.parametrize("reason", ["pause", "time", "battery"])
def test_the_ramp_down_begins_where_the_contact_is(reason: str) -> None:
    """Against charge beyond the dose. A ramp from a set-point that is not reached would go on at full contact."""
    rig = Bench(load_ohm=20_000.0)
    rig.deliver(a_dose(A, current_ua=4_000, dose_uc=48_000, ramp_down_ms=4_000))
    rig.run(500)
    assert rig.session.contact_limited
    before_uc, current_ua, setpoint_ua = rig.plant.charge_uc, rig.plant.current_ua, rig.session.setpoint_ua
    assert 0 < setpoint_ua - current_ua < 100
    if reason == "pause":
        rig.session.pause()
    elif reason == "time":
        rig.session.block[kernel.S_MAX_ON_MS] = rig.session.block[kernel.S_NEXT_ON_MS] = rig.session.on_ms
    else:
        rig.plant.vsys_mv = 3_200
    rig.until(protocol.PAUSED, protocol.DONE, most=6_000)
    above_ua = setpoint_ua - current_ua
    ramp_uc = (setpoint_ua**2 - above_ua**2) / 2_000  # 1 uA a ms
    heard_uc = 0.05 * current_ua if reason == "battery" else 0
    assert rig.plant.charge_uc - before_uc == pytest.approx(ramp_uc + heard_uc, rel=0.02)


@pytest.mark.hazard("HAZ-23", "HAZ-24")
def test_pauses_do_not_use_up_the_time_for_poor_contact() -> None:
    plan = a_dose(A, dose_uc=24_000, max_extension_pct=0)
    rig = Bench()
    assert rig.start(plan) == 0
    for _ in range(6):
        rig.until(protocol.HOLD, protocol.DONE)
        rig.run(100)
        assert rig.session.pause() == 0
        rig.until(protocol.PAUSED)
        assert rig.session.resume(rig.reading) == 0
    rig.until(protocol.DONE, protocol.FAULT)
    assert_complete(rig, plan)
