"""The current controller on the plant: it arrives, does not overshoot, and stores no push while contact is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import OPEN_OHM, Plant

from ionto import limits
from ionto.controller import Controller
from ionto.pins import PWM_TOP
from ionto.reading import Reading

A, B = limits.variant_a(), limits.variant_b()


class Loop:
    """Controller and plant with the output path closed; `set(ua)` is the set-point."""

    def __init__(self, gain: float = 1.0, offset_ua: float = 0.0, build: limits.Limits = A, load_ohm: float = 2_000.0):
        self.plant = Plant(build, load_ohm)
        self.plant.gain, self.plant.offset_ua = gain, offset_ua
        self.plant.switch_shorted = self.plant.boost = True
        self.controller = Controller(build.full_scale_ua, PWM_TOP)
        self.reading = Reading()

    def step(self, setpoint_ua: int) -> float:
        """One millisecond; return the true current in uA."""
        self.plant.advance(1_000)
        self.plant.read(self.reading)
        self.plant.duty = self.controller.step(setpoint_ua, self.reading.current_ua)
        assert 0 <= self.plant.duty <= PWM_TOP
        return self.plant.current_ua

    def hold(self, setpoint_ua: int, ms: int) -> list[float]:
        """Hold the set-point for `ms`; return the current of every millisecond."""
        return [self.step(setpoint_ua) for _ in range(ms)]

    def ramp(self, to_ua: int, ms: int) -> list[float]:
        """Ramp from 0 to `to_ua` in `ms`."""
        return [self.step(to_ua * at // ms) for at in range(1, ms + 1)]


GAINS = st.floats(0.97, 1.03)
OFFSETS = st.floats(-15.0, 15.0)


@pytest.mark.hazard("HAZ-07")
@settings(max_examples=20)
@given(GAINS, OFFSETS, st.integers(100, 4_000))
def test_it_arrives_for_any_gain_error_and_offset(gain: float, offset_ua: float, setpoint_ua: int) -> None:
    """Against a wrong current. Within 2 uA of the set-point on average, and quiet to one duty step or so."""
    loop = Loop(gain, offset_ua)
    loop.hold(setpoint_ua, 600)
    rest = loop.hold(setpoint_ua, 256)
    assert abs(sum(rest) / len(rest) - setpoint_ua) <= 2.0
    assert max(rest) - min(rest) <= 5.0


@pytest.mark.hazard("HAZ-07")
@settings(max_examples=12)
@given(GAINS, st.integers(500, 18_000))
def test_it_arrives_in_variant_b(gain: float, setpoint_ua: int) -> None:
    loop = Loop(gain, build=B, load_ohm=500.0)
    loop.hold(setpoint_ua, 600)
    rest = loop.hold(setpoint_ua, 256)
    assert abs(sum(rest) / len(rest) - setpoint_ua) <= 8.0


@pytest.mark.hazard("HAZ-07", "HAZ-09")
@settings(max_examples=15)
@given(GAINS, OFFSETS, st.integers(100, 4_000), st.integers(1_000, 5_000))
def test_ramps_do_not_overshoot(gain: float, offset_ua: float, to_ua: int, ramp_ms: int) -> None:
    """Against over-current at the end of a ramp. Under 1 %, plus what a sensor of 1 uA steps can tell."""
    loop = Loop(gain, offset_ua)
    currents = loop.ramp(to_ua, ramp_ms) + loop.hold(to_ua, 300)
    assert max(currents) <= to_ua * 1.01 + 3.0
    assert abs(currents[-1] - to_ua) <= to_ua * 0.01 + 3.0


@pytest.mark.hazard("HAZ-07", "HAZ-08")
@settings(max_examples=15)
@given(GAINS, st.integers(200, 4_000), st.integers(0, 3_000), st.floats(0.0, 1.0))
def test_an_open_circuit_stores_no_push(gain: float, setpoint_ua: int, open_ms: int, phase: float) -> None:
    """Against re-contact after a lift. However long it lasted, the current comes back to the set-point."""
    loop = Loop(gain)
    loop.hold(setpoint_ua, 500 + round(phase * 100))
    loop.plant.load_ohm = OPEN_OHM
    loop.hold(setpoint_ua, open_ms)
    loop.plant.load_ohm = 2_000.0
    loop.plant.peak_ua = 0.0
    loop.hold(setpoint_ua, 300)
    assert loop.plant.peak_ua <= setpoint_ua * 1.01 + 5.0


@pytest.mark.hazard("HAZ-07", "HAZ-08")
@settings(max_examples=15)
@given(st.integers(200, 4_000), st.floats(0.5, 1.0), st.integers(0, 2_000))
def test_a_poor_contact_stores_no_more_than_the_trim(setpoint_ua: int, share: float, poor_ms: int) -> None:
    """Against re-contact after a poor contact. The stored push is the bounded trim and the window's eighth."""
    loop = Loop()
    loop.hold(setpoint_ua, 400)
    loop.plant.load_ohm = 24e6 / (setpoint_ua * share) - 790.0
    loop.hold(setpoint_ua, poor_ms)
    loop.plant.load_ohm = 0.0
    loop.plant.peak_ua = 0.0
    loop.hold(setpoint_ua, 300)
    trim_ua = 20 + setpoint_ua / 16
    window_ua = 60 + setpoint_ua / 16
    assert loop.plant.peak_ua <= setpoint_ua + trim_ua + window_ua / 8 + 3.0


@pytest.mark.hazard("HAZ-03", "HAZ-07")
@given(st.lists(st.tuples(st.integers(1, 4_000), st.integers(-8_000, 8_000)), max_size=300))
def test_the_trim_is_bounded_and_the_duty_legal_for_any_reading(steps: list[tuple[int, int]]) -> None:
    """Against integrator wind-up. No sequence of readings pushes the duty past set-point, trim and window."""
    controller = Controller(A.full_scale_ua, PWM_TOP)
    for setpoint_ua, measured_ua in steps:
        duty = controller.step(setpoint_ua, measured_ua)
        most_ua = setpoint_ua + 20 + 250 + 1 + (60 + setpoint_ua // 16) / 8
        assert 0 <= duty <= PWM_TOP
        assert duty <= most_ua * PWM_TOP / A.full_scale_ua + 1
        assert -271 <= controller.trim_ua() <= 270


@pytest.mark.hazard("HAZ-07", "HAZ-27")
@given(st.integers(-(2**29), 2**29), st.integers(-(2**29), 2**29))
def test_the_duty_is_legal_for_any_numbers(setpoint_ua: int, measured_ua: int) -> None:
    assert 0 <= Controller(A.full_scale_ua, PWM_TOP).step(setpoint_ua, measured_ua) <= PWM_TOP


@pytest.mark.hazard("HAZ-07", "HAZ-12")
@pytest.mark.parametrize("setpoint_ua", [0, -1, -4_000])
def test_set_point_zero_is_duty_zero_and_forgets(setpoint_ua: int) -> None:
    """Against current at set-point 0. Whatever is measured and stored, nothing is asked of the circuit."""
    controller = Controller(A.full_scale_ua, PWM_TOP)
    for _ in range(500):
        controller.step(1_000, 950)
    assert controller.trim_ua() > 10
    assert controller.step(setpoint_ua, -500) == 0
    assert controller.trim_ua() == 0


def test_reset_makes_it_as_new() -> None:
    used, new = Controller(A.full_scale_ua, PWM_TOP), Controller(A.full_scale_ua, PWM_TOP)
    for _ in range(300):
        used.step(2_000, 1_950)
    assert used.step(2_000, 1_950) > new.step(2_000, 1_950)
    used.reset()
    new.reset()
    assert [used.step(2_000, 1_990) for _ in range(20)] == [new.step(2_000, 1_990) for _ in range(20)]


@given(st.integers(1, 4_000))
def test_without_error_the_duty_is_the_feed_forward(setpoint_ua: int) -> None:
    duty = Controller(A.full_scale_ua, PWM_TOP).step(setpoint_ua, setpoint_ua)
    assert abs(duty - setpoint_ua * PWM_TOP / A.full_scale_ua) <= 0.5


@pytest.mark.hazard("HAZ-07")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("setpoint_ua", [100, 500, 2_000, 4_000])
def test_the_trim_is_bounded_by_what_the_circuit_can_be_off(setpoint_ua: int, sign: int) -> None:
    """Against a stored push. A steady error moves the drive by 20 uA and 1/16 of the set-point, and no further."""
    controller = Controller(A.full_scale_ua, PWM_TOP)
    for _ in range(2_000):
        duty = controller.step(setpoint_ua, setpoint_ua - sign * 50)
    bound_ua = 20 + setpoint_ua // 16
    assert abs(controller.trim_ua()) == bound_ua
    most_ua = bound_ua + 50 // 8 + 2  # and the proportional part, rounded
    assert abs(duty * A.full_scale_ua / PWM_TOP - setpoint_ua) <= most_ua
