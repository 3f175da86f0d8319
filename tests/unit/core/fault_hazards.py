"""Which hazard each fault code guards against, so that tables of faults are marked row by row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ionto import faults

HAZARDS = {
    faults.SENSOR_STALE: "HAZ-06",
    faults.SENSOR_STUCK: "HAZ-04",
    faults.SENSOR_CONFIG: "HAZ-05",
    faults.SENSOR_MISSING: "HAZ-06",
    faults.SENSE_DISAGREE: "HAZ-03",
    faults.ADC_STUCK: "HAZ-04",
    faults.SECOND_SENSOR: "HAZ-06",
    faults.LOAD_DISAGREE: "HAZ-03",
    faults.OVER_CURRENT: "HAZ-02",
    faults.OVER_CURRENT_ABSOLUTE: "HAZ-02",
    faults.CURRENT_WHEN_OFF: "HAZ-12",
    faults.UNDER_CURRENT: "HAZ-24",
    faults.CHARGE_EXCEEDED: "HAZ-22",
    faults.TIME_EXCEEDED: "HAZ-23",
    faults.WRONG_POLE: "HAZ-18",
    faults.OPEN_CIRCUIT: "HAZ-08",
    faults.SHORT_CIRCUIT: "HAZ-10",
    faults.LOAD_OUT_OF_RANGE: "HAZ-10",
    faults.RAIL_LOW: "HAZ-26",
    faults.RAIL_HIGH: "HAZ-26",
    faults.BATTERY_LOW: "HAZ-26",
    faults.USB_APPEARED: "HAZ-19",
    faults.INTERLOCK_BLIND: "HAZ-19",
    faults.LATE_LOOP: "HAZ-14",
    faults.UNPLANNED_RESET: "HAZ-21",
    faults.VARIANT_MISMATCH: "HAZ-11",
    faults.LIMITS_BROKEN: "HAZ-11",
    faults.FILES_DAMAGED: "HAZ-30",
    faults.LOG_WRITE_FAILED: "HAZ-31",
    faults.FILESYSTEM_FULL: "HAZ-31",
    faults.SELFTEST_SENSOR: "HAZ-06",
    faults.SELFTEST_OFFSET: "HAZ-03",
    faults.SELFTEST_RAIL: "HAZ-26",
    faults.SELFTEST_LATENT_SWITCH: "HAZ-13",
    faults.SELFTEST_LATENT_SETPOINT: "HAZ-13",
    faults.SELFTEST_BATTERY: "HAZ-26",
    faults.SELFTEST_NO_CURRENT: "HAZ-24",
    faults.SELFTEST_SENSE: "HAZ-03",
    faults.SELFTEST_LOAD: "HAZ-08",
    faults.SELFTEST_STOP: "HAZ-17",
    faults.SELFTEST_VOLTAGE: "HAZ-10",
    faults.SELFTEST_SECOND: "HAZ-06",
    faults.SELFTEST_LEAK: "HAZ-03",
    faults.SELFTEST_DEADMAN_HIGH: "HAZ-13",
    faults.SELFTEST_DEADMAN_LOW: "HAZ-13",
    faults.SELFTEST_RELAY: "HAZ-18",
    faults.SELFTEST_POLE: "HAZ-18",
    faults.SELFTEST_INTERLOCK: "HAZ-19",
}


def marked(rows: Iterable[tuple[str, int, Any]]) -> list[Any]:
    """Return parameters of tests from (name, fault code, value or values), each with the hazard of its fault."""
    return [
        pytest.param(*values if isinstance(values, list) else (values,), id=name, marks=mark(code))
        for name, code, values in rows
    ]


def mark(code: int) -> pytest.MarkDecorator:
    """Return the marker of the hazard that the fault `code` guards against."""
    return pytest.mark.hazard(HAZARDS[code])
