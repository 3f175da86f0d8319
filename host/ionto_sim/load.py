"""What the electrodes see: series R plus parallel R and C, drifting as the current flows.

A load is made from a spec, a JSON object with `kind`:

| kind | keys (defaults) | meaning |
|---|---|---|
| resistor | ohm | fixed |
| open, short | | |
| skin | series_ohm 500, parallel_ohm 4000, farad 50e-9, drop 0.2, drift 0.2 | see below |
| sweep | start_ohm 10000, end_ohm 2000, seconds 600 | straight line over the time current flows |
| table | points [[s, ohm], ...] | straight lines over the time current flows |

The skin's parallel resistance falls by the part `drop` with a time constant of 10 s and by `drift` with one of
480 s while current flows, and recovers over 30 min. A bare number is a resistor, a bare word its kind. The leads'
resistors belong to the board, not to the load.
"""

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPEN_OHM = 1e12
_DROP_TAU_US = 10e6
_DRIFT_TAU_US = 480e6
_RECOVERY_TAU_US = 1600e6
_FLOWING_UA = 10.0
STEP_US = 10_000  # how often a drifting load is looked at again


class Load:
    """State: `series_ohm`, `parallel_ohm`, `farad`, and `volt` across the parallel part. Times in us."""

    def __init__(self, spec: "Any") -> None:
        self.spec = normal_spec(spec)
        self.series_ohm = 0.0
        self.parallel_ohm = 0.0
        self.farad = 0.0
        self.volt = 0.0
        self.flowing_us = 0.0
        self._fast = 0.0  # how far the fast drop has come, 0 to 1
        self._slow = 0.0
        self.drifts = self.spec["kind"] in ("skin", "sweep", "table")
        self.update(0.0, 0)

    def update(self, current_ua: float, dt_us: int) -> None:
        """Let `dt_us` pass at `current_ua`: the resistances follow, the voltage does not (see `settle`)."""
        flowing = abs(current_ua) > _FLOWING_UA
        if flowing:
            self.flowing_us += dt_us
        kind = self.spec["kind"]
        if kind == "skin":
            self._update_skin(flowing, dt_us)
        elif kind == "resistor":
            self.series_ohm = float(self.spec["ohm"])
        elif kind == "open":
            self.series_ohm = OPEN_OHM
        elif kind == "short":
            self.series_ohm = 0.0
        else:
            self.series_ohm = interpolate(self.spec["points"], self.flowing_us / 1e6)

    def _update_skin(self, flowing: bool, dt_us: int) -> None:
        spec = self.spec
        if flowing:
            self._fast += (1.0 - self._fast) * (1.0 - math.exp(-dt_us / _DROP_TAU_US))
            self._slow += (1.0 - self._slow) * (1.0 - math.exp(-dt_us / _DRIFT_TAU_US))
        elif dt_us:
            keep = math.exp(-dt_us / _RECOVERY_TAU_US)
            self._fast *= keep
            self._slow *= keep
        self.series_ohm = float(spec["series_ohm"])
        change = 1.0 - spec["drop"] * self._fast - spec["drift"] * self._slow
        self.parallel_ohm = spec["parallel_ohm"] * change
        self.farad = spec["farad"]

    def settle(self, current_ua: float, dt_us: float) -> None:
        """Let `volt` follow a constant `current_ua` for `dt_us`; exact for any step."""
        if self.parallel_ohm == 0.0:
            return
        target = current_ua * 1e-6 * self.parallel_ohm
        tau_us = self.parallel_ohm * self.farad * 1e6
        self.volt = target + (self.volt - target) * math.exp(-dt_us / tau_us)

    def charge(self, ampere: float, bound: float, dt_us: float) -> float:
        """Let `ampere` flow for `dt_us`, or until the voltage reaches `bound` from below; return the time used."""
        target = ampere * self.parallel_ohm
        tau_us = self.parallel_ohm * self.farad * 1e6
        if target > bound:
            reach_us = tau_us * math.log((target - self.volt) / (target - bound)) if tau_us else 0.0
            if reach_us < dt_us:
                self.volt = bound
                return reach_us
        self.settle(ampere * 1e6, dt_us)
        return dt_us

    def drive(self, volt: float, source_ohm: float, dt_us: float) -> "tuple[float, float]":
        """Let a source of `volt` behind `source_ohm` drive the load for `dt_us`.

        Return the final current in uA and the charge that flowed in uA*us, exact for any step.
        """
        series = self.series_ohm + source_ohm
        area = 0.0  # of the voltage, V*us
        if self.parallel_ohm != 0.0:
            share = self.parallel_ohm / (self.parallel_ohm + series)
            tau_us = self.farad * series * share * 1e6
            before, target = self.volt, volt * share
            self.volt = target + (before - target) * math.exp(max(-700.0, -dt_us / tau_us))
            area = target * dt_us + (before - self.volt) * tau_us
        return (volt - self.volt) / series * 1e6, (volt * dt_us - area) / series * 1e6

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        return {
            "spec": self.spec,
            "volt": self.volt,
            "flowing_us": self.flowing_us,
            "fast": self._fast,
            "slow": self._slow,
        }


def restore(state: dict) -> Load:
    """Return the load that `Load.dump` described."""
    load = Load(state["spec"])
    load.volt = state["volt"]
    load.flowing_us = state["flowing_us"]
    load._fast = state["fast"]
    load._slow = state["slow"]
    load.update(0.0, 0)
    return load


def normal_spec(spec: "Any") -> dict:
    """Return `spec` as a full JSON object; ValueError when it is none of the kinds."""
    if isinstance(spec, (int, float)):
        spec = {"kind": "resistor", "ohm": spec}
    elif isinstance(spec, str):
        spec = {"kind": spec}
    full = dict(spec)
    kind = full.get("kind")
    if kind == "skin":
        base = {"series_ohm": 500, "parallel_ohm": 4000, "farad": 50e-9, "drop": 0.2, "drift": 0.2}
        base.update(full)
        return base
    if kind == "sweep":
        start, end = full.get("start_ohm", 10000), full.get("end_ohm", 2000)
        full = {"kind": "table", "points": [[0, start], [full.get("seconds", 600), end]]}
    elif kind == "resistor" and not float(full.get("ohm", -1)) >= 0.0:
        raise ValueError("a resistor load needs ohm >= 0")
    elif kind not in ("resistor", "open", "short", "table"):
        raise ValueError("load kind must be resistor, open, short, skin, sweep or table, got %r" % (kind,))
    if full["kind"] == "table" and not full.get("points"):
        raise ValueError("a table load needs points [[s, ohm], ...]")
    return full


def interpolate(points: list, at: float) -> float:
    """Return the value at `at` on the straight lines through `points` [[x, y], ...]; flat beyond both ends."""
    before = points[0]
    for point in points:
        if at <= point[0]:
            width = point[0] - before[0]
            if width <= 0:
                return float(point[1])
            return before[1] + (point[1] - before[1]) * (at - before[0]) / width
        before = point
    return float(before[1])
