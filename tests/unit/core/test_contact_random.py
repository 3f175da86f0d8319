"""Random sessions without a fault, 500 of them: none latches one, none exceeds its dose, all meet it within 0.5 %.

Waveform and build, load steps, contact lost short of a lift, pauses, comfort reports; set-point path and sensor at
the corners of their tolerance, the ADC with the RP2040's wide codes. The meter is the plant's own.

The bound on the peak: 1 % and 2 uA over the set-point, whatever the contact does, and what the set-point path of this
board is too high by. That part is no overshoot: it flows from the start, until a good contact has let the trim learn
it, and the sensor tells it. Its gain and offset are drawn at the corners of what the firmware allows for
(`limits.PATH_PPM`, `PATH_UA`).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from plant import Rig, a_dose

from ionto import faults, limits, protocol

A, B = limits.variant_a(), limits.variant_b()
BUILDS = [A] * 19 + [B]  # a session of B takes four times as long as one of A, by its ramps
INNER_OHM = {"A": 790.0, "B": 179.0}
LEAST_UA = 45.0  # through the worst contact that is no lift
PARTS, SESSIONS_A_PART = 10, 50
WAVEFORMS: list[dict[str, Any]] = [
    {},
    {"waveform": "pulsed", "pulse_on_ms": 220, "pulse_off_ms": 160, "pulse_edge_ms": 20},
    {"waveform": "pulsed", "pulse_on_ms": 700, "pulse_off_ms": 700, "pulse_edge_ms": 500},
    {"reversal": "half"},
]
CORNERS = st.sampled_from([-1, 0, 1])


class Sessions(RuleBasedStateMachine):
    """One session on a sound board, and a contact and a person that do what they like."""

    @initialize(
        build=st.sampled_from(BUILDS),
        part=st.floats(0.0, 1.0),
        waveform=st.sampled_from(WAVEFORMS),
        rest_ms=st.integers(0, 600),
        gain=CORNERS,
        path=CORNERS,
        zero_ua=st.floats(-20.0, 20.0),
        noise=st.integers(1, 1_000_000),
    )
    def start(
        self,
        build: limits.Limits,
        part: float,
        waveform: dict[str, Any],
        rest_ms: int,
        gain: int,
        path: int,
        zero_ua: float,
        noise: int,
    ) -> None:
        least_ua = build.max_current_ua * 3 // 5  # for seconds, not minutes
        self.full_ua = full_ua = least_ua + int(part * (build.max_current_ua - least_ua))
        ramps_ms = 2 * build.min_ramp_ms * (2 if waveform.get("reversal") else 1)
        dose_uc = max(build.min_dose_uc, full_ua * (ramps_ms // 2 + rest_ms) // 1_000 + 1)
        self.plan = a_dose(
            build, current_ua=full_ua, dose_uc=dose_uc, area_mm2=20_000, max_extension_pct=100, **waveform
        )
        self.rig = rig = Rig(build, seed=noise)
        rig.plant.adc_wide = True
        rig.plant.gain, rig.plant.offset_ua = 1 + gain * limits.PATH_PPM / 1e6, path * limits.PATH_UA
        self.path_ua = max(0.0, full_ua * (rig.plant.gain - 1) + rig.plant.offset_ua)
        rig.plant.sensor_offset_ua = zero_ua
        self.good_contact()
        assert rig.start(self.plan) == faults.NONE
        rig.until(protocol.RAMP_UP, protocol.FAULT)

    def good_contact(self) -> None:
        self.contact(self.full_ua * 2.0)

    def contact(self, most_ua: float) -> None:
        """Let the contact allow `most_ua`."""
        self.rig.plant.load_ohm = 24e6 / max(most_ua, LEAST_UA) - INNER_OHM[self.rig.build.variant]

    @rule(ms=st.sampled_from([1, 40, 400]))
    def time_passes(self, ms: int) -> None:
        self.rig.run(ms)

    @rule(share=st.floats(0.14, 1.3), ms=st.sampled_from([1, 2, 7, 25, 120, 400]))
    def load_step(self, share: float, ms: int) -> None:
        self.contact(self.full_ua * share)
        self.rig.run(ms)

    @rule(ms=st.sampled_from([1, 5, 60, 300]), after_ms=st.sampled_from([5, 150]))
    def contact_lost(self, ms: int, after_ms: int) -> None:
        """Short of a lift, and for less than the second after which so small a contact is a fault."""
        self.contact(0.0)
        self.rig.run(ms)
        self.good_contact()
        self.rig.run(after_ms)

    @rule()
    def contact_recovers(self) -> None:
        self.good_contact()
        self.rig.run(30)

    @rule(ms=st.sampled_from([0, 100]))
    def pause(self, ms: int) -> None:
        if self.rig.session.pause() == faults.NONE:
            self.rig.until(protocol.PAUSED, protocol.FAULT)
            self.rig.run(ms)
            self.rig.session.resume(self.rig.reading)

    @precondition(lambda self: self.rig.session.state == protocol.HOLD)
    @rule(share=st.floats(0.6, 0.95))
    def comfort(self, share: float) -> None:
        to_ua = int(self.full_ua * share)
        self.rig.session.comfort(protocol.STINGING, to_ua, self.rig.reading)

    def teardown(self) -> None:
        """The contact is good for the rest; now all has to be as it should."""
        rig, plan = self.rig, self.plan
        self.good_contact()
        rig.until(protocol.DONE, protocol.FAULT, most=120_000)
        rig.run(150)
        session = rig.session
        assert session.fault == faults.NONE
        assert rig.plant.peak_ua <= self.full_ua * 1.01 + 2 + self.path_ua
        assert rig.plant.charge_uc <= plan.dose_uc * 1.005
        assert rig.plant.charge_uc + session.shortfall_uc >= plan.dose_uc * 0.995
        if session.outcome != protocol.COMPLETE:
            assert session.outcome == protocol.TIME_ENDED
            assert session.on_ms >= session.planned_on_ms * 2
        else:
            assert session.shortfall_uc <= plan.dose_uc * 0.005


@pytest.mark.hazard("HAZ-02", "HAZ-07", "HAZ-22", "HAZ-24")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_session_in_which_nothing_is_broken_meets_its_dose(part: int) -> None:
    machine = seed(part)(type("SessionsOfThisPart", (Sessions,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=SESSIONS_A_PART,
            stateful_step_count=6,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
