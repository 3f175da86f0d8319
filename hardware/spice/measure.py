"""Numbers from waves: settling, ripple, charge, times above a level. SI units in, units of the name out."""

from __future__ import annotations

import numpy as np

from hardware.spice.engine import SimulationError, Waves
from hardware.spice.rawfile import Vector

SHUNT_OHM = 10.0
OFF_UA = 10.0


def shunt_ua(waves: Waves, ohm: float = SHUNT_OHM) -> Vector:
    """Return the current through the shunt of `ohm`, in uA."""
    return waves.volt("SHUNT_HI") / ohm * 1e6


def last_above_s(x: Vector, y: Vector, level: float) -> float:
    """Return the last time at which `y` is above `level`; SimulationError if never, or still at the end."""
    above = np.nonzero(y > level)[0]
    if not above.size or above[-1] + 1 >= len(x):
        raise SimulationError(f"the wave never was above {level:g}, or still is at the end")
    at = above[-1]
    return float(x[at] + (y[at] - level) / (y[at] - y[at + 1]) * (x[at + 1] - x[at]))


def first_above_s(x: Vector, y: Vector, level: float) -> float:
    """Return the first time at which `y` is above `level`; SimulationError if never."""
    above = np.nonzero(y > level)[0]
    if not above.size:
        raise SimulationError(f"the wave never was above {level:g}")
    return float(x[above[0]])


def settled_s(x: Vector, y: Vector, part: float) -> float:
    """Return when `y` has come to within `part` of its whole step of its final value, for good."""
    outside = np.nonzero(np.abs(y - y[-1]) > part * abs(y[-1] - y[0]))[0]
    return float(x[min(outside[-1] + 1, len(x) - 1)])


def overshoot(y: Vector) -> float:
    """Return how far `y` went past its final value, as a part of its whole step."""
    return float((y.max() - y[-1]) / (y[-1] - y[0]))


def between(waves: Waves, y: Vector, start_s: float, end_s: float) -> Vector:
    """Return the points of `y` from `start_s` to `end_s`; SimulationError when there are none."""
    inside = y[(waves.x >= start_s) & (waves.x <= end_s)]
    if not inside.size:
        raise SimulationError(f"no points from {start_s:g} s to {end_s:g} s")
    return inside


def charge_nc(x: Vector, current_ua: Vector) -> float:
    """Return the charge of a current in uA over time in s, in nC."""
    return float((np.diff(x) * (current_ua[:-1] + current_ua[1:]) / 2).sum()) * 1e3


def time_above_us(x: Vector, y: Vector, level: float) -> float:
    """Return for how long `y` is above `level`, in us, with straight lines between the points."""
    steps = np.diff(x)
    low, high = np.minimum(y[:-1], y[1:]), np.maximum(y[:-1], y[1:])
    part = np.clip((high - level) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return float((steps * np.where(low > level, 1.0, part * (high > level))).sum()) * 1e6
