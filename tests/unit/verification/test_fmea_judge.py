"""What a row of `make fmea` may show, by the load's current alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from verification.fmea.judge import judge
from verification.fmea.trace import Point, Trace


def trace_of(*stretches: tuple[int, Point]) -> Trace:
    return Trace([point for ms, point in stretches for _ in range(ms)])


def point(load_ua: float, told_ua: float | None = None, asked_ua: float = 4_000, **more: Any) -> Point:
    told = abs(load_ua) if told_ua is None else told_ua
    return Point(load_ua, told, asked_ua, **{"pole": 1, "output_on": True, **more})


def row(trace: Trace, **more: Any) -> dict[str, Any]:
    figures = asdict(trace.figures(40, 110))
    base = {"figures": figures, "fault": "", "refused": False, "cut": figures["cut_ms"] is not None, "end": "unnoticed"}
    return {**base, **more}


OFF = {"output_on": False, "asked_ua": 0}


def test_a_current_as_asked_and_told_is_harmless() -> None:
    verdict = judge(row(trace_of((400, point(3_990)))))
    assert verdict.violations == ()
    assert verdict.result == "unnoticed"
    assert "as asked" in verdict.why


@pytest.mark.parametrize(
    ("violation", "trace"),
    [
        ("peak_ua", trace_of((1, point(6_001)), (300, point(4_000)))),
        ("dark_ms", trace_of((10, point(4_000)), (111, point(4_000, **OFF)), (20, point(0, **OFF)))),
        ("over_ms", trace_of((113, point(4_400, 4_400)))),
        ("apart_ms", trace_of((101, point(4_000, 3_700)))),
        ("wrong_pole_ms", trace_of((101, point(-11)), (100, point(4_000)))),
        ("let_go_ms", Trace([point(4_000), *[point(-11, **OFF)] * 3, *[point(0, **OFF)] * 100], second=True)),
        ("off_ua", trace_of((1, point(0, **OFF)), (120, point(0, **OFF)), (1, point(11, **OFF)), (9, point(0, **OFF)))),
        ("cell_ua", trace_of((1, point(0, cell_ua=1_001)), (99, point(4_000)))),
        ("gate_mv", trace_of((1, point(0, gate_mv=20_001)), (99, point(4_000)))),
        ("excess_uc", trace_of((110, point(5_900, 4_000, asked_ua=-1_000)))),
    ],
)
def test_each_limit_is_kept(violation: str, trace: Trace) -> None:
    assert violation in judge(row(trace)).violations


def test_a_current_that_never_ends_violates_the_time() -> None:
    trace = trace_of((10, point(4_000)), (200, point(4_000, **OFF)))
    verdict = judge(row(trace))
    assert "dark_ms" in verdict.violations
    assert "still 4000 uA" in verdict.why


def test_a_trip_within_the_dead_mans_time_is_harmless_and_says_its_code() -> None:
    trace = trace_of((3, point(5_400)), (60, point(5_000, **OFF)), (20, point(0, **OFF)))
    verdict = judge(row(trace, fault="OVER_CURRENT"))
    assert (verdict.violations, verdict.result) == ((), "tripped")
    assert "OVER_CURRENT after 3 ms" in verdict.why


def test_a_short_difference_between_load_and_log_is_harmless() -> None:
    trace = trace_of((99, point(4_000, 3_000)), (20, point(4_000)))
    assert "apart_ms" not in judge(row(trace)).violations


def test_a_wrong_pole_that_is_told_within_the_time_is_no_violation() -> None:
    trace = trace_of((100, point(-4_000)), (20, point(0, **OFF)))
    assert judge(row(trace, fault="WRONG_POLE")).violations == ()


def test_a_row_that_could_not_be_simulated_has_failed() -> None:
    verdict = judge({"error": "timestep too small"})
    assert verdict.violations == ("error",)
