"""When the circuit is quiet: both measurements, in a row, and for how long one waits for a broken one."""

from __future__ import annotations

import pytest

from ionto.quiet import Quiet
from ionto.reading import Reading


def seen(current_ua: int = 0, sense_ua: int = 0, fresh: bool = True) -> Reading:
    """Return a reading of both measurements."""
    reading = Reading()
    reading.fresh, reading.current_ua, reading.sense_ua = fresh, current_ua, sense_ua
    return reading


def watched(quiet: Quiet, cycles: int, reading: Reading, output_on: bool = False) -> list[bool]:
    """Return after each cycle whether the circuit is quiet."""
    found = []
    for _ in range(cycles):
        quiet.step(output_on, reading.block)
        found.append(bool(quiet.zero))
    return found


@pytest.mark.parametrize(("current_ua", "sense_ua"), [(0, 0), (20, 60)])
def test_eight_cycles_without_current_are_quiet_in_the_next(current_ua: int, sense_ua: int) -> None:
    """Within the zero of both measurements; an edge of the output, or a current, and the count begins anew."""
    quiet = Quiet()
    still = seen(current_ua, sense_ua)
    assert watched(quiet, 12, still) == [False] * 8 + [True] * 4
    assert watched(quiet, 1, still, output_on=True) == [False]
    assert watched(quiet, 12, still) == [False] * 8 + [True] * 4
    assert watched(quiet, 1, seen(21)) == [False]
    assert watched(quiet, 9, still) == [False] * 8 + [True]


@pytest.mark.parametrize(("current_ua", "sense_ua"), [(21, 0), (0, 61)])
def test_a_current_that_one_measurement_sees_is_waited_for_until_it_cannot_end(current_ua: int, sense_ua: int) -> None:
    quiet = Quiet()
    over = []
    for _ in range(251):
        watched(quiet, 1, seen(current_ua, sense_ua))
        over.append(bool(quiet.over()))
    assert over == [False] * 249 + [True] * 2
    watched(quiet, 1, seen(), output_on=True)
    assert not quiet.over(), "its time begins with the output off"
    assert watched(quiet, 249, seen(current_ua, sense_ua)) == [False] * 249
    assert not quiet.over()
    watched(quiet, 1, seen(current_ua, sense_ua))
    assert quiet.over()


def test_a_sensor_that_says_nothing_is_done_without_once_the_dead_man_has_had_its_time() -> None:
    quiet = Quiet()
    assert watched(quiet, 130, seen(fresh=False)) == [False] * 128 + [True] * 2
    assert watched(quiet, 1, seen(sense_ua=61, fresh=False)) == [False]


@pytest.mark.parametrize(("current_ua", "remains"), [(59, False), (60, True)])
def test_after_the_wait_a_current_remains_when_the_sensor_finds_one(current_ua: int, remains: bool) -> None:
    quiet = Quiet()
    watched(quiet, 249, seen(current_ua))
    assert quiet.current_remains(), "nobody knows yet"
    watched(quiet, 1, seen(current_ua))
    assert bool(quiet.current_remains()) == remains
    watched(quiet, 9, seen())
    assert not quiet.current_remains()
