"""Tests on a place: the same fixtures and the same judgement as on a bench of one's own."""

import pytest

from ionto_host.bench import measuring
from ionto_host.bench.fixtures import Measured
from ionto_host.bench.rig import Rig
from ionto_host.device import Device
from ionto_host.meters import Meter


def test_the_board_answers(device: Device) -> None:
    """Who it is, and that its output is off."""
    assert device.identity.variant == "A"
    assert not device.settled_status().current_when_off


@pytest.mark.capability("meter")
def test_the_current_is_the_one_asked_for(ionto_rig: Rig, device: Device, meter: Meter, measured: Measured) -> None:
    """1 mA for two seconds; the place's meter sees it, and the board reads what the meter sees."""
    with measuring.session(ionto_rig, 1_000):
        seen = measuring.steady(ionto_rig)
    limit_ua = 7.5 + meter.accuracy.uncertainty_ua(1_000)
    measured.check("current that flows less set-point", seen.meter_ua - 1_000, "uA", -limit_ua, limit_ua)
    measured.check("board's reading less meter's", seen.board_ua - seen.meter_ua, "uA", -limit_ua, limit_ua)
