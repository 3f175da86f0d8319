"""A representative part of the fault campaign; the whole of it is `make faults`."""

import pytest

from verification.campaign import rows
from verification.campaign.catalogue import BY_NAME

CASES = (
    ("none", "HOLD"),
    ("pwm_stuck_high", "ARMED"),
    ("sink_stuck_high", "IDLE"),
    ("shunt_short", "HOLD"),
    ("highside_short", "DONE"),
    ("sink_stuck_high", "HOLD"),
    ("heartbeat_stuck_high", "HOLD"),
    ("heartbeat_slow", "RAMP_UP"),
    ("lift_and_recontact", "HOLD"),
    ("electrode_lift", "RAMP_DOWN"),
    ("rail_high", "HOLD"),
    ("stop_broken", "RAMP_UP"),
    ("relay_flips", "HOLD"),
    ("i2c_dead", "SELF_TEST"),
    ("loop_hung", "PAUSED"),
    ("loop_late", "HOLD"),
    ("firmware_exception", "ARMED"),
    ("reset", "RAMP_UP"),
    ("power_cut_in_flash", "ARMED"),
    ("flash_full", "HOLD"),
    ("clock_wrap", "RAMP_UP"),
    ("usb_garbage", "HOLD"),
    ("usb_unplugged", "HOLD"),
    ("bench_strap_lost", "HOLD"),
    ("sensor_reset", "HOLD"),
    ("sensor_stuck", "RAMP_DOWN"),
    ("sensor_stuck", "FAULT"),
)


@pytest.mark.parametrize(
    ("fault", "state"),
    [pytest.param(*case, marks=pytest.mark.hazard(*BY_NAME[case[0]].hazards)) for case in CASES],
    ids=[f"{fault}-{state}" for fault, state in CASES],
)
def test_single_fault(fault, state, flashed_image):
    row = rows.run(rows.Case(fault, state), flashed_image)
    assert row["passed"], row["failures"]
