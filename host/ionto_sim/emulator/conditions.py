"""What is to happen at a virtual time, or when a condition first holds. Everything runs in the engine's thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ionto_sim.errors import SimCommandError

from .chip import Chip
from .wiring import Wiring

_LOOK_NANOS = 100_000  # how often conditions are looked at
_KEYS = ("current_above_ua", "current_below_ua", "charge_above_uc", "output_on", "t_us", "boots", "pin", "for_us")


@dataclass
class _Pending:
    when: Mapping[str, Any]
    then: Callable[[int], object]
    since_us: int = -1


class Conditions:
    """The schedule of one chip."""

    def __init__(self, chip: Chip, wiring: Wiring) -> None:
        self._chip = chip
        self._wiring = wiring
        self._pending: list[_Pending] = []
        self._alarms: list[Any] = []
        self._alarm = chip.clock.create_alarm(self._look)

    def after(self, delay_us: int, then: Callable[[], object]) -> None:
        """Call `then` when `delay_us` of virtual time have passed."""

        def due() -> None:
            self._alarms.remove(alarm)
            then()

        alarm = self._chip.clock.create_alarm(due)
        self._alarms.append(alarm)
        alarm.schedule(max(0, delay_us) * 1000)

    def when(self, condition: Mapping[str, Any], then: Callable[[int], object]) -> None:
        """Call `then(t_us)` once `condition` holds (see `EmulatedPico.wait`); SimCommandError for an unknown key."""
        unknown = sorted(set(condition) - set(_KEYS))
        if unknown:
            raise SimCommandError(f"unknown condition {', '.join(unknown)}; known: {', '.join(_KEYS)}")
        self._pending.append(_Pending(condition, then))
        self._alarm.schedule(0)

    def cancel(self) -> None:
        """Forget everything."""
        self._pending.clear()
        for alarm in self._alarms:
            alarm.cancel()
        self._alarms.clear()

    def _look(self) -> None:
        now_us = self._chip.now_us
        self._wiring.circuit.settle_at(now_us)
        for item in list(self._pending):
            if not all(self._holds(key, wanted) for key, wanted in item.when.items()):
                item.since_us = -1
                continue
            if item.since_us < 0:
                item.since_us = now_us
            if now_us - item.since_us >= item.when.get("for_us", 0):
                self._pending.remove(item)
                item.then(now_us)
        if self._pending:
            self._alarm.schedule(_LOOK_NANOS)

    def _holds(self, key: str, wanted: Any) -> bool:
        circuit = self._wiring.circuit
        if key == "current_above_ua":
            return circuit.current_na > wanted * 1000
        if key == "current_below_ua":
            return circuit.current_na < wanted * 1000
        if key == "charge_above_uc":
            return circuit.charge_fc > wanted * 1e9
        if key == "output_on":
            return circuit.on == wanted
        if key == "t_us":
            return self._chip.now_us >= wanted
        if key == "boots":
            return self._chip.boots >= wanted
        if key == "pin":
            return round(self._wiring.shown(wanted[0])) == wanted[1]
        return True
