"""Battery, boost converter and the 24 V rail. Volts, uA, virtual time in us.

The rail rises fast when the boost is on. With the boost off it is at battery voltage less a diode in the end, but
comes down only by what is drawn from its capacitor.
"""

import math

_LOW_BATTERY_V = 2.9
_LOW_RAIL_V = 15.0
_HIGH_RAIL_V = 28.3  # 27 V zener and 5 %
_SETTLED_V = 0.001


class Supply:
    """`rail_v` as of the last `follow`; `moves` is True until it has come to rest."""

    def __init__(self, values: dict) -> None:
        self._values = values
        self.battery_v = values["battery_v"]
        self._decay_us = values["rail_uf"] * values["rail_bleed_kohm"] * 1e3
        self.boost = False
        self.powered = True
        self.rail_v = self.battery_v - values["boost_diode_v"]
        self.moves = False
        self._goal_v = self.rail_v
        self._at_us = 0

    def aim(self, faults: set) -> None:
        """Work out where the rail goes from now on; call it when anything changed."""
        self._goal_v = self._goal(faults)
        self.moves = self._goal_v != self.rail_v

    def _goal(self, faults: set) -> float:
        values = self._values
        battery_v = _LOW_BATTERY_V if "battery_low" in faults else self.battery_v
        idle = max(0.0, battery_v - values["boost_diode_v"]) if self.powered else 0.0
        if not self.boost or not self.powered or "boost_dead" in faults:
            return idle
        goal = _LOW_RAIL_V if "rail_low" in faults else _HIGH_RAIL_V if "rail_high" in faults else values["rail_v"]
        if battery_v < values["boost_min_v"]:
            goal *= (battery_v / values["boost_min_v"]) ** 2
        return max(goal, idle)

    def follow(self, now_us: int, current_ua: float) -> None:
        """Bring the rail to `now_us` while `current_ua` flows."""
        dt = now_us - self._at_us
        self._at_us = now_us
        if not self.moves or dt <= 0:
            return
        goal = self._goal_v
        if self.rail_v < goal:
            rise = math.exp(max(-700.0, -dt / self._values["rail_rise_us"]))
            self.rail_v = goal + (self.rail_v - goal) * rise
            done = goal - self.rail_v < _SETTLED_V
        else:
            leak = self.rail_v * (1.0 - math.exp(max(-700.0, -dt / self._decay_us)))
            self.rail_v -= leak + current_ua * dt * 1e-6 / self._values["rail_uf"]
            done = self.rail_v <= goal
        if done:
            self.rail_v = goal
            self.moves = False

    def vsys_v(self, vbus: bool, faults: set) -> float:
        """Return the Pico's VSYS: the battery or USB, each behind its Schottky diode."""
        battery_v = _LOW_BATTERY_V if "battery_low" in faults else self.battery_v
        return max(battery_v - self._values["schottky_v"], self._values["usb_vsys_v"] if vbus else 0.0)

    _PLAIN = ("battery_v", "boost", "powered", "rail_v", "moves", "_goal_v", "_at_us")

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        return {name: getattr(self, name) for name in self._PLAIN}

    def restore(self, state: dict) -> None:
        """Take over what `dump` returned."""
        for name in self._PLAIN:
            setattr(self, name, state[name])
