"""A check: a number of the circuit, its limit, where the limit comes from, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hardware.spice.board import Board

# What a measurement found: the case ("0 C, stuck high") and its number.
Found = Mapping[str, float]

TABLE = "numbers to meet"
FAULT = "single faults"
LIMITS = "firmware limits"
ADR = "docs/adr/0006"
SECOND = "docs/adr/0011"


@dataclass(frozen=True)
class Limit:
    """The least and the most that is allowed; None where there is no end."""

    low: float | None = None
    high: float | None = None

    def margin(self, value: float) -> float:
        """Return how far inside the limits `value` is, negative outside; not a number is outside."""
        inside = [value - self.low] if self.low is not None else []
        if self.high is not None:
            inside.append(self.high - value)
        return min(inside) if value == value else float("-inf")

    def __str__(self) -> str:
        if self.low is None:
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if self.high is None else f"{self.low:g} .. {self.high:g}"


def around(value: float, part: float) -> Limit:
    """Return the limits `value` plus and minus `part` of it."""
    return Limit(value * (1 - part), value * (1 + part))


@dataclass(frozen=True)
class Check:
    """`measure` finds one number for each case, all of which must be within `limit`. `source` says who asks for it."""

    group: str
    item: str
    limit: Limit
    unit: str
    source: str
    how: str
    measure: Callable[[Board], Found]
    variant: str = "A"


@dataclass(frozen=True)
class Outcome:
    """What a check found: every case, and the worst with its margin; `error` instead when it could not be measured."""

    check: Check
    found: Found
    worst_case: str = ""
    worst: float = float("nan")
    error: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Return True when every case is within the limit, and there is one."""
        return not self.error and self.check.limit.margin(self.worst) >= 0


def judge(check: Check, found: Found, seconds: float = 0.0) -> Outcome:
    """Return the outcome of `check` with what was found; an error when nothing was."""
    if not found:
        return Outcome(check, found, error="nothing was measured", seconds=seconds)
    case = min(found, key=lambda name: check.limit.margin(found[name]))
    return Outcome(check, found, case, found[case], seconds=seconds)
