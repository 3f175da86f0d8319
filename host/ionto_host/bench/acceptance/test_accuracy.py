"""Current against the independent meter."""

from __future__ import annotations

import pytest

from ionto_host.bench import measuring
from ionto_host.bench.acceptance import limits
from ionto_host.bench.fixtures import Measured
from ionto_host.bench.loads import Load
from ionto_host.bench.record import FLOWS, READS, Row
from ionto_host.bench.rig import Rig
from ionto_host.board.meters import Meter
from ionto_host.device.client import Device

LOADS_OHM = (500, 1_000, 2_000, 5_000)
CURRENTS_UA = {"A": (100, 500, 1_000, 2_000, 4_000), "B": (500, 2_000, 5_000, 10_000, 18_000)}
COMPLIANCE_V = 20.0  # of the rail at its lowest, over load and board


@pytest.mark.hazard("HAZ-03")
@pytest.mark.capability("meter")
@pytest.mark.parametrize("ohm", LOADS_OHM)
def test_accuracy(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured, ohm: int) -> None:
    """The current that flows, and the current that the board reads, against the meter."""
    load.set_ohm(ohm)
    rows = []
    for set_ua in CURRENTS_UA[ionto_rig.bench.variant]:
        if set_ua * ohm <= COMPLIANCE_V * 1e6:
            rows += _compared(ionto_rig, meter, measured, set_ua, ohm)
    measured.all_passed(rows)


@pytest.mark.hazard("HAZ-03")
@pytest.mark.capability("meter")
@pytest.mark.emulated_subset
def test_accuracy_at_the_load_that_is_there(
    ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured
) -> None:
    """The same at half of the highest current, whatever load is connected."""
    set_ua = device.identity.limits["max_current_ua"] // 2
    measured.all_passed(_compared(ionto_rig, meter, measured, set_ua, round(load.ohm)))


def _compared(rig: Rig, meter: Meter, measured: Measured, set_ua: int, ohm: int) -> list[Row]:
    """Let `set_ua` flow and return the rows of both errors."""
    with measuring.session(rig, set_ua):
        found = measuring.steady(rig)
    uncertainty_ua = meter.accuracy.uncertainty_ua(set_ua)
    limit = set_ua * limits.ACCURACY_PPM / 1e6 + limits.ACCURACY_UA[rig.bench.variant] + uncertainty_ua
    at = {"set_ua": set_ua, "load_ohm": ohm}
    seen = {"meter_ua": round(found.meter_ua, 3), "board_ua": round(found.board_ua, 3)}
    seen |= {"meter_uncertainty_ua": round(uncertainty_ua, 3), "scatter_ua": round(found.scatter_ua, 3)}
    return [
        measured.add(FLOWS, found.meter_ua - set_ua, "uA", -limit, limit, seen, **at),
        measured.add(READS, found.board_ua - found.meter_ua, "uA", -limit, limit, seen, **at),
    ]
