"""The control loop, taken on a spare pin by an instrument of the bench."""

from __future__ import annotations

import pytest

from ionto_host.bench import measuring
from ionto_host.bench.acceptance import limits
from ionto_host.bench.fixtures import Measured
from ionto_host.bench.loads import Load
from ionto_host.bench.rig import Rig
from ionto_host.board.meters import Meter
from ionto_host.device.client import Device

LISTEN_S = 2.0


@pytest.mark.hazard("HAZ-14")
@pytest.mark.capability("loop timing instrument")
@pytest.mark.emulated_subset
def test_loop_timing(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """Period and length of the control step while current flows: on time, and half of each millisecond left."""
    current_ua = device.identity.limits["max_current_ua"] // 2
    with measuring.session(ionto_rig, current_ua):
        heard = ionto_rig.loop_timing(LISTEN_S)
        status = device.status()
    near = limits.TICK_US * limits.TICK_PPM / 1e6
    rows = [
        measured.add("period, mean", heard["period_mean_us"], "us", limits.TICK_US - near, limits.TICK_US + near),
        measured.add("control step, mean", heard["width_mean_us"], "us", None, limits.STEP_MAX_US),
        measured.add("period, greatest, by the board", status.late_max_us, "us", None, limits.LATE_MAX_US),
    ]
    if "period_max_us" in heard:
        count = round(heard["periods"])
        rows.append(
            measured.add("period, greatest", heard["period_max_us"], "us", None, limits.LATE_MAX_US, {"periods": count})
        )
        rows.append(measured.add("control step, longest", heard["width_max_us"], "us", None, limits.STEP_MAX_US))
    measured.all_passed(rows)
