"""What the electrodes see: series R plus parallel R and C, drifting as the current flows.

A load is made from a spec, a JSON object with `kind`:

| kind | keys (defaults) | meaning |
|---|---|---|
| resistor | ohm | fixed |
| open, short | | |
| skin | series_ohm 500, parallel_ohm 4000, farad 50e-9, drop 0.2, drift 0.2 | see below |
| sweep | start_ohm 10000, end_ohm 2000, seconds 600 | straight line over the time current flows |
| table | points [[s, ohm], ...] in the order of time | straight lines over the time current flows |

The skin's parallel resistance falls by the part `drop` with a time constant of 10 s and by `drift` with one of
480 s while current flows, and recovers over 30 min. A bare number is a resistor, a bare word its kind. The leads'
resistors belong to the board, not to the load.
"""

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPEN_OHM = 1e12
_OHM = (0, OPEN_OHM, "ohm")
_SECONDS = (0, 1e9, "s")
_PART = (0, 1, "of the parallel resistance")
# {kind: {key: (default, (lowest, highest, unit))}}; without a default it is needed.
_NUMBERS = {
    "resistor": {"ohm": (None, _OHM)},
    "open": {},
    "short": {},
    "skin": {
        "series_ohm": (500, _OHM),
        "parallel_ohm": (4000, _OHM),
        "farad": (50e-9, (1e-15, 1, "F")),
        "drop": (0.2, _PART),
        "drift": (0.2, _PART),
    },
    "sweep": {"start_ohm": (10000, _OHM), "end_ohm": (2000, _OHM), "seconds": (600, (1e-3, 1e9, "s"))},
    "table": {},
}
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
    """Return `spec` as a full JSON object; ValueError, naming field, value and range, when it is none of the kinds."""
    if isinstance(spec, (int, float)):
        spec = {"kind": "resistor", "ohm": spec}
    elif isinstance(spec, str):
        spec = {"kind": spec}
    full = dict(spec)
    kind = full.get("kind")
    if not isinstance(kind, str) or kind not in _NUMBERS:
        raise ValueError("load kind must be resistor, open, short, skin, sweep or table, got %r" % (kind,))
    known = _NUMBERS[kind]
    for key in full:
        if key not in known and key != "kind" and not (kind == "table" and key == "points"):
            raise ValueError("a %s load has no %r" % (kind, key))
    for key, (default, span) in known.items():
        full[key] = _number("%s of a %s load" % (key, kind), full.get(key, default), span)
    if kind == "skin" and full["drop"] + full["drift"] > 0.999:
        raise ValueError("drop and drift of a skin load have to be at most 0.999 together")
    if kind == "sweep":
        return {"kind": "table", "points": [[0, full["start_ohm"]], [full["seconds"], full["end_ohm"]]]}
    if kind == "table":
        full["points"] = _points(full.get("points"))
    return full


def _number(what: str, value: "Any", span: tuple) -> "Any":
    """Return `value` when it is a number of `span` (lowest, highest, unit); ValueError otherwise."""
    low, high, unit = span
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return value
    shown = "missing" if value is None else repr(value)[:40]
    raise ValueError("%s: %s; a number from %g to %g %s" % (what, shown, low, high, unit))


def _points(points: "Any") -> list:
    """Return the `points` of a table; ValueError when they are none, or go back in time."""
    if not isinstance(points, (list, tuple)) or not points:
        raise ValueError("a table load needs points [[s, ohm], ...]")
    before_s = 0
    for index, point in enumerate(points):
        what = "points[%d] of a table load" % index
        if not isinstance(point, (list, tuple)) or len(point) != 2:
            raise ValueError("%s: %s; [s, ohm]" % (what, repr(point)[:40]))
        _number(what + ", time", point[0], _SECONDS)
        _number(what + ", resistance", point[1], _OHM)
        if point[0] < before_s:
            raise ValueError("%s: %r s is before %r s, the point ahead of it" % (what, point[0], before_s))
        before_s = point[0]
    return list(points)


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
