"""Host, buttons and single faults at random: current only when legal, under the ceiling, no more than the dose."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from workbench import CEILING_S

from ionto import protocol
from verification.campaign.catalogue import CEILING_UA, NOMINAL_DEAD_MAN_MS
from verification.campaign.rig import DOSE_UC, PRESS_MS, Rig

REQUESTS = ("START", "PAUSE", "RESUME", "ABORT", "CLEAR_FAULT")
FAULTS = (
    "pwm_stuck_high",
    "sink_stuck_high",
    "sense_short",
    "shunt_short",
    "electrode_lift",
    "electrode_short",
    "heartbeat_stuck_high",
    "q3_short",
    "highside_short",
    "sensor_stuck",
    "i2c_dead",
    "adc_stuck",
    "boost_dead",
    "stop_broken",
)
AT_REST = ("IDLE", "PAUSED", "DONE", "FAULT")
SETTLE_MS = 150  # the dead-man, and some more
OFF_UA = 10
A_FAULT_UC = CEILING_UA * (300 + NOMINAL_DEAD_MAN_MS) / 1_000  # the slowest guard's time and the dead-man's
A_SELF_TEST_UC = 60


class Sessions(RuleBasedStateMachine):
    """A virtual Pico and everybody around it. One single fault at a time."""

    image = None

    def __init__(self):
        super().__init__()
        self.rig = Rig(self.image)
        self.broken = ""
        self.faults = 0
        self.dark = True  # nobody has asked for current since it last rested

    def teardown(self):
        self.rig.__exit__(None, None, None)

    @initialize(polarity=st.sampled_from("+-"))
    def give_dose(self, polarity):
        self.rig.push(polarity)
        self.rig.run_free()

    @rule(name=st.sampled_from(REQUESTS))
    def request(self, name):
        self.rig.request(name)

    @rule()
    def press_start(self):
        self.rig.pico.press_start(ms=PRESS_MS)
        self.rig.pass_us(PRESS_MS * 1_000 + 100_000)

    @rule(ms=st.sampled_from([1, 30, 200]))
    def press_stop(self, ms):
        self.rig.pico.press_stop(ms=ms)

    @rule(ms=st.sampled_from([1, 30, 300, 1_000, 4_000]))
    def time_passes(self, ms):
        self.rig.pass_us(ms * 1_000)

    @precondition(lambda self: not self.broken)
    @rule(name=st.sampled_from(FAULTS))
    def something_breaks(self, name):
        self.broken = name
        self.faults += 1
        self.rig.pico.fault(name)

    @precondition(lambda self: self.broken)
    @rule()
    def it_is_repaired(self):
        self.rig.pico.fault(self.broken, on=False)
        self.broken = ""

    @rule()
    def the_chip_resets(self):
        boots = self.rig.pico.status()["boots"]
        self.rig.pico.reset()
        self.rig.pico.wait(boots=boots + 1, timeout_s=CEILING_S)

    @rule()
    def the_strap_comes_off_for_a_while(self):
        self.rig.pico.strap("bench", False)
        self.rig.pass_us(50_000)
        self.rig.pico.strap("bench", True)

    @invariant()
    def nothing_is_above_the_ceiling(self):
        meter = self.rig.pico.meter()
        assert meter.peak_ua <= CEILING_UA
        assert meter.hot_switches == 0, "the relay moved under current"
        assert self.rig.pico.status()["crashes"] == 0

    @invariant()
    def current_flows_only_where_the_device_says_so(self):
        before = self.rig.status()
        if before.state_name not in AT_REST or before.flag(protocol.FLAG_OUTPUT_ON):
            return
        self.rig.pass_us(SETTLE_MS * 1_000)
        self.rig.pico.mark("rest")
        self.rig.pass_us(20_000)
        reading, after = self.rig.since("rest"), self.rig.status()
        if after.state == before.state and after.session_id == before.session_id:
            assert reading.peak_ua < OFF_UA, f"{reading.peak_ua} uA flow in {before.state_name}"

    @invariant()
    def no_session_gives_more_than_its_dose(self):
        sessions = self.rig.status().session_id
        most_uc = sessions * (1.005 * DOSE_UC + A_SELF_TEST_UC) + self.faults * A_FAULT_UC
        assert self.rig.pico.meter().charge_uc <= most_uc


@pytest.mark.hazard("HAZ-12", "HAZ-17", "HAZ-21", "HAZ-22")
def test_random_sessions(flashed_image):
    machine = type("SessionsOnThisImage", (Sessions,), {"image": flashed_image})
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine, settings=settings(max_examples=8, stateful_step_count=14, deadline=None, suppress_health_check=slow)
    )
