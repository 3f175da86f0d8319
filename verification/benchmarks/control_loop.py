"""The control loop on the emulated board: how long a step takes, how punctual it is, what it takes from the heap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from verification.benchmarks.catalogue import Result
from verification.benchmarks.options import Options
from verification.benchmarks.session_run import Recording, record

_TICK_US = 1_000
_LATE_US = 1_100


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    seen = record(options)
    yield from _control_part(seen)
    yield from _punctuality(seen)
    yield from _samples(seen)
    yield from _allocation(seen)
    yield Result("answer_ms", max(seen.answers_us) / 1000, parts={"mean_ms": _mean(seen.answers_us) / 1000})


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _control_part(seen: Recording) -> Iterator[Result]:
    yield Result("control_mean_us", _mean(seen.high_us))
    yield Result("control_p99_us", percentile(seen.high_us, 99))
    over = {at: round(high) for at, high in enumerate(seen.high_us) if high > _TICK_US / 2}
    yield Result("control_max_us", max(seen.high_us), parts={"cycles_over_half_a_tick": over})
    yield Result("quiet_mean_us", _mean(seen.quiet_high_us))
    yield Result("quiet_max_us", max(seen.quiet_high_us))


def _punctuality(seen: Recording) -> Iterator[Result]:
    periods_us = seen.periods_us()
    jitter_us = [abs(period - _TICK_US) for period in periods_us]
    yield Result("jitter_p99_us", percentile(jitter_us, 99))
    yield Result("jitter_max_us", max(jitter_us))
    late = [period for period in periods_us if period > _LATE_US]
    yield Result("late_ticks", len(late), parts={"longest_us": sorted(late)[-5:]})
    yield Result("cycles", len(periods_us))


def _samples(seen: Recording) -> Iterator[Result]:
    pairs = list(pairwise(seen.reads))
    yield Result("twice", sum(early == late for (_, early), (_, late) in pairs))
    yield Result("sample_gap_us", min(late - early for (early, _), (late, _) in pairs))


def _allocation(seen: Recording) -> Iterator[Result]:
    steps = len(seen.quiet_rises_us)
    yield Result("garbage_b", seen.quiet_left / steps)
    yield Result("request_b", (seen.heap_free[0] - seen.heap_free[-1]) / max(1, len(seen.heap_free) - 1))
    yield Result("frames_b", (seen.quiet_allocated - seen.quiet_left) / steps)
