"""A dose from start to end: its charge and the shape of its ramps."""

from __future__ import annotations

from typing import Any

import pytest

from ionto_host.bench import measuring
from ionto_host.bench.acceptance import limits
from ionto_host.bench.fixtures import Measured
from ionto_host.bench.loads import Load
from ionto_host.bench.record import Row
from ionto_host.bench.rig import Rig
from ionto_host.board.meters import Meter, Sample
from ionto_host.device.client import Device

CHARGE_UC = {"A": 30_000, "B": 150_000}
PLOTTED = 400  # points of a course that the report draws
SPEED = 8.0  # of a virtual board, so that the meter is read often enough


def _course(rig: Rig, current_ua: int, **changes: int) -> list[Sample]:
    """Run a whole dose and return what the meter saw of it."""
    with rig.clock.real_time(SPEED), measuring.Course(rig) as course:
        try:
            measuring.start(rig, current_ua, **changes)
            measuring.wait_off(rig, within_s=120)
            rig.clock.pause(0.1)
        finally:
            measuring.end(rig)
    return course.samples


def _plotted(samples: list[Sample]) -> list[tuple[float, float]]:
    step = max(1, len(samples) // PLOTTED)
    return [(sample.t_s - samples[0].t_s, sample.current_ua) for sample in samples[::step]]


@pytest.mark.hazard("HAZ-22", "HAZ-24")
@pytest.mark.capability("automatic meter")
def test_charge(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """The charge of a whole dose by the meter, by the board's count and by its log."""
    limits_of = device.identity.limits
    current_ua, dose_uc = limits_of["max_current_ua"] // 2, CHARGE_UC[ionto_rig.bench.variant]
    load.set_ohm(load.nearest(2_000))
    samples = _course(ionto_rig, current_ua, dose_uc=dose_uc)
    status = device.status()
    measured.series("dose", ("s", "uA"), _plotted(samples), set_ua=current_ua, load_ohm=load.ohm)
    allowed = limits.CHARGE_PPM / 1e6
    by_meter_uc = measuring.charge_uc(samples)
    own = meter.accuracy.uncertainty_ua(current_ua) / current_ua
    at = {"dose_uc": dose_uc, "set_ua": current_ua, "load_ohm": load.ohm}
    rows = [
        measured.add(
            "charge by the meter less the dose",
            (by_meter_uc / dose_uc - 1) * 100,
            "%",
            -100 * (allowed + own),
            100 * (allowed + own),
            **at,
        ),
        measured.add("charge by the board less the dose", (status.charge_uc / dose_uc - 1) * 100, "%", -0.1, 0.1, **at),
    ]
    assert status.outcome_name == "complete"
    ionto_rig.judge_log = lambda session: [
        measured.add(
            "charge in the log less the dose", ((session.charge_uc or 0) / dose_uc - 1) * 100, "%", -0.1, 0.1, **at
        )
    ]
    measured.all_passed(rows)


@pytest.mark.hazard("HAZ-09", "HAZ-07")
@pytest.mark.capability("automatic meter")
def test_ramps(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """Ramp up and ramp down: their times, their straightness, no overshoot."""
    limits_of = device.identity.limits
    current_ua = limits_of["max_current_ua"] // 2
    ramp_ms = 2 * limits_of["min_ramp_ms"]
    load.set_ohm(load.nearest(2_000))
    dose_uc = current_ua * ramp_ms // 1_000_000 + 2 * current_ua // 1_000
    dose_uc = max(dose_uc, limits_of["min_dose_uc"])
    samples = _course(ionto_rig, current_ua, dose_uc=dose_uc, ramp_up_ms=ramp_ms, ramp_down_ms=ramp_ms)
    measured.series("ramps", ("s", "uA"), _plotted(samples), set_ua=current_ua, load_ohm=load.ohm)
    probe_over = [index for index, sample in enumerate(samples) if sample.current_ua > 0.99 * current_ua]
    assert probe_over, "the full current never flowed"
    rising, falling = samples[: probe_over[0] + 1], samples[probe_over[-1] :]
    at = {"set_ua": current_ua, "load_ohm": load.ohm, "ramp_ms": ramp_ms}
    rows = [
        *_ramp_rows(measured, "ramp up", rising, current_ua, ramp_ms, True, at),
        *_ramp_rows(measured, "ramp down", falling, current_ua, ramp_ms, False, at),
        measured.add(
            "highest current less set-point",
            max(sample.current_ua for sample in samples) - current_ua,
            "uA",
            None,
            _overshoot_ua(ionto_rig, meter, current_ua),
            **at,
        ),
    ]
    measured.all_passed(rows)


def _overshoot_ua(rig: Rig, meter: Meter, current_ua: int) -> float:
    allowed = current_ua * limits.OVERSHOOT_PPM / 1e6
    return allowed + meter.accuracy.uncertainty_ua(current_ua) + limits.ACCURACY_UA[rig.bench.variant]


def _ramp_rows(
    measured: Measured, name: str, samples: list[Sample], set_ua: int, ramp_ms: int, up: bool, at: dict[str, Any]
) -> list[Row]:
    """Return the rows of one ramp: its time, and how far from a straight line it is."""
    low_ua, high_ua = 0.1 * set_ua, 0.9 * set_ua
    low_s, high_s = (measuring.crossing_s(samples, level, rising=up) for level in (low_ua, high_ua))
    assert low_s is not None and high_s is not None, f"the {name} was not seen"
    time_ms = abs(high_s - low_s) / 0.8 * 1_000
    slope = (high_ua - low_ua) / (high_s - low_s)
    begin_s, end_s = sorted((low_s, high_s))
    inside = [sample for sample in samples if begin_s <= sample.t_s <= end_s]
    off = [abs(sample.current_ua - low_ua - slope * (sample.t_s - low_s)) for sample in inside]
    near = ramp_ms * limits.RAMP_TIME_PPM / 1e6
    return [
        measured.add(f"{name}: time", time_ms, "ms", ramp_ms - near, ramp_ms + near, **at),
        measured.add(
            f"{name}: off the straight line",
            max(off, default=set_ua) / set_ua * 100,
            "%",
            None,
            limits.RAMP_SHAPE_PPM / 1e4,
            {"samples": len(inside)},
            **at,
        ),
    ]
