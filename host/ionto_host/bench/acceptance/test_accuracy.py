"""Current against the independent meter."""

from __future__ import annotations

import pytest

from ionto_host.bench import measuring
from ionto_host.bench.fixtures import Measured
from ionto_host.bench.loads import Load
from ionto_host.bench.rig import Rig
from ionto_host.device import Device
from ionto_host.meters import Meter

LOADS_OHM = (500, 1_000, 2_000, 5_000)
CURRENTS_UA = {"A": (100, 500, 1_000, 2_000, 4_000), "B": (500, 2_000, 5_000, 10_000, 18_000)}
READS_WITHIN_PPM = 5_000  # of what flows, and as many of the smallest current: 2.5 uA of 500
READS_WITHIN_UA = {"A": 2.5, "B": 12.5}
COMPLIANCE_V = 20.0  # of the rail at its lowest, over load and board


@pytest.mark.hazard("HAZ-03")
@pytest.mark.capability("meter")
@pytest.mark.emulated_subset
@pytest.mark.parametrize("ohm", LOADS_OHM)
def test_accuracy(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured, ohm: int) -> None:
    """The current that flows, and the current that the board reads, against the meter."""
    load.set_ohm(ohm)
    rows = []
    for set_ua in CURRENTS_UA[ionto_rig.bench.variant]:
        if set_ua * ohm > COMPLIANCE_V * 1e6:
            continue
        with measuring.session(ionto_rig, set_ua):
            seen = measuring.steady(ionto_rig)
        at = {
            "set_ua": set_ua,
            "load_ohm": ohm,
            "meter_ua": round(seen.meter_ua, 3),
            "board_ua": round(seen.board_ua, 3),
        }
        at["meter_uncertainty_ua"] = round(meter.accuracy.uncertainty_ua(set_ua), 3)
        limit = set_ua * READS_WITHIN_PPM / 1e6 + READS_WITHIN_UA[ionto_rig.bench.variant]
        limit += meter.accuracy.uncertainty_ua(set_ua)
        rows.append(
            measured.add("current that flows less set-point", seen.meter_ua - set_ua, "uA", -limit, limit, **at)
        )
        error_ua = seen.board_ua - seen.meter_ua
        rows.append(measured.add("board's reading less meter's", error_ua, "uA", -limit, limit, **at))
    measured.all_passed(rows)
