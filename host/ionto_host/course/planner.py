"""When the sessions of a course are, and when the next one may be. Pure: dates and times come in and go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

HOUR_S = 3_600
CLOCK_SLACK_S = 300  # two clocks may differ by so much


@dataclass(frozen=True)
class Plan:
    """How many sessions, one every `every_days` days from `start` on, never closer than `min_interval_h` hours."""

    start: date
    sessions: int
    every_days: int
    min_interval_h: int

    @property
    def spacing_days(self) -> int:
        """Days between two planned sessions, never fewer than the minimum interval needs."""
        return max(self.every_days, -(-self.min_interval_h // 24), 1)


@dataclass(frozen=True)
class TooSoon:
    """Why a session may not be yet. `wait_s` until it may; `clock` True when the clock itself is not to be trusted."""

    wait_s: int
    clock: bool = False


def remaining(plan: Plan, done: Sequence[date], today: date) -> list[date]:
    """Return the dates of the sessions that are still to be: none in the past, each spaced from the one before."""
    left = max(0, plan.sessions - len(done))
    first = max(done) + timedelta(days=plan.spacing_days) if done else plan.start
    first = max(first, today)
    return [first + timedelta(days=plan.spacing_days * index) for index in range(left)]


def planned(plan: Plan) -> list[date]:
    """Return the dates as they were planned in the beginning."""
    return [plan.start + timedelta(days=plan.spacing_days * index) for index in range(plan.sessions)]


def earliest_s(plan: Plan, times_s: Sequence[int]) -> int | None:
    """Return the Unix time from which the next session may be; None before the first."""
    return max(times_s) + plan.min_interval_h * HOUR_S if times_s else None


def too_soon(plan: Plan, times_s: Sequence[int], now_s: int) -> TooSoon | None:
    """Return why a session at `now_s` would be too soon after those at `times_s` (Unix), None when it may be.

    A session in the future means that a clock is wrong, and an interval cannot be judged with it.
    """
    if not times_s:
        return None
    last_s = max(times_s)
    if last_s > now_s + CLOCK_SLACK_S:
        return TooSoon(last_s - now_s, clock=True)
    wait_s = last_s + plan.min_interval_h * HOUR_S - now_s
    return TooSoon(wait_s) if wait_s > 0 else None


def repeating(history: Sequence[frozenset[str]], at_least: int) -> list[str]:
    """Return the reactions of the last session that all of the last `at_least` sessions had, sorted.

    `history` holds the reactions of each session, oldest first, without "none".
    """
    if at_least < 1 or len(history) < at_least:
        return []
    return sorted(frozenset.intersection(*history[-at_least:]))
