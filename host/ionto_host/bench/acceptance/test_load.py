"""What the load does: too much of it, steps of it, none of it."""

from __future__ import annotations

from typing import Any

import pytest

from ionto import protocol
from ionto.limits import DEAD_MAN_MS
from ionto_host.bench import measuring
from ionto_host.bench.acceptance import limits
from ionto_host.bench.fixtures import Measured
from ionto_host.bench.loads import Load
from ionto_host.bench.record import READS, Row
from ionto_host.bench.rig import Rig
from ionto_host.board.meters import Meter
from ionto_host.device.answers import OFF_UA
from ionto_host.device.client import Device
from ionto_host.logs.sessionfile import Session

RAIL_V = 28.0  # the most that the rail can be: what limits the current into a load that is too much
STEPS_OHM = (5_000, 1_000, 5_000, 2_000)
STEP_S = 0.5


@pytest.mark.hazard("HAZ-10", "HAZ-07")
@pytest.mark.capability("meter", "load that changes by itself")
def test_compliance(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """A load that the voltage does not suffice for: less current and a word about it; no overshoot when it goes."""
    current_ua = device.identity.limits["max_current_ua"]
    load.set_ohm(load.nearest(1_000))
    with measuring.session(ionto_rig, current_ua):
        much = load.nearest(2.5 * RAIL_V * 1e6 / current_ua)
        if much * current_ua < RAIL_V * 1e6:
            pytest.skip(f"bench lacks: a load above {RAIL_V * 1e6 / current_ua:.0f} ohm")
        load.set_ohm(much)
        status = ionto_rig.until(
            lambda seen: seen.flag(protocol.FLAG_CONTACT_LIMITED), "the word about the contact", 10
        )
        assert status.state == protocol.HOLD
        seen = measuring.steady(ionto_rig)
        load.set_ohm(load.nearest(1_000))
        ionto_rig.until(lambda seen: not seen.flag(protocol.FLAG_CONTACT_LIMITED), "the full current", 20)
        ionto_rig.clock.pause(measuring.SETTLE_S)
        after = measuring.steady(ionto_rig, 15)
    at = {"set_ua": current_ua, "load_ohm": much}
    apart_ua = seen.meter_ua * limits.ACCURACY_PPM / 1e6 + limits.ACCURACY_UA[ionto_rig.bench.variant]
    apart_ua += meter.accuracy.uncertainty_ua(seen.meter_ua)
    rows = [
        measured.add("current into too much load", seen.meter_ua, "uA", 0.1 * current_ua, RAIL_V * 1e6 / much, **at),
        measured.add(READS, seen.board_ua - seen.meter_ua, "uA", -apart_ua, apart_ua, **at),
        measured.add("current afterwards", after.meter_ua, "uA", 0.99 * current_ua, 1.01 * current_ua, **at),
    ]
    ionto_rig.judge_log = lambda session: peak_row(measured, ionto_rig, session, current_ua, at)
    measured.all_passed(rows)


@pytest.mark.hazard("HAZ-07")
@pytest.mark.capability("load that changes by itself")
def test_load_steps(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """Steps of the load while the current flows: no overshoot in any of the board's 1 ms readings."""
    current_ua = device.identity.limits["max_current_ua"] // 2
    steps = [ohm for ohm in STEPS_OHM if load.offers(ohm)] or list(load.spec.choices_ohm)
    if len(set(steps)) < 2:
        pytest.skip("bench lacks: two loads of 500 to 5000 ohm")
    load.set_ohm(steps[-1])
    with measuring.session(ionto_rig, current_ua), ionto_rig.clock.real_time(4):
        for ohm in steps:
            load.set_ohm(ohm)
            ionto_rig.clock.pause(STEP_S)
        assert device.status().state == protocol.HOLD
    at = {"set_ua": current_ua, "steps": " ".join(f"{ohm:g}" for ohm in steps)}
    ionto_rig.judge_log = lambda session: peak_row(measured, ionto_rig, session, current_ua, at)


@pytest.mark.hazard("HAZ-08", "HAZ-21")
@pytest.mark.capability("switch lift", "automatic meter")
def test_lift(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """An electrode lifts and comes back: off, latched, and nothing flows again by itself."""
    current_ua = device.identity.limits["max_current_ua"] // 2
    with measuring.session(ionto_rig, current_ua), ionto_rig.clock.real_time():
        ionto_rig.switch("lift", True)
        status = ionto_rig.until(lambda seen: seen.state == protocol.FAULT, "the fault", 10, fault_expected=True)
        assert status.fault_name == "OPEN_CIRCUIT", status.fault_name
        ionto_rig.clock.pause(DEAD_MAN_MS / 1_000)  # what is left in the filters is gone by then
        with measuring.Course(ionto_rig) as course:
            ionto_rig.switch("lift", False)
            ionto_rig.clock.pause(0.5)
        after = device.status()
    peak_ua = max(abs(sample.current_ua) for sample in course.samples)
    assert after.state == protocol.FAULT and not after.flag(protocol.FLAG_OUTPUT_ON)
    measured.check("current after re-contact", peak_ua, "uA", None, OFF_UA, set_ua=current_ua)


def peak_row(measured: Measured, rig: Rig, session: Session, current_ua: int, at: dict[str, Any]) -> list[Row]:
    """Return the row of the greatest of all 1 ms readings in a log."""
    most = current_ua * limits.OVERSHOOT_PPM / 1e6 + limits.ACCURACY_UA[rig.bench.variant]
    peak_ua = session.current_max_ua or 0
    return [measured.add("highest 1 ms reading less set-point", peak_ua - current_ua, "uA", None, most, **at)]
