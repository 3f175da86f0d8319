"""The absolute limits: sound in both builds, consistent with the circuit, and a broken table is found."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ionto import limits
from ionto.limits import Limits

BUILDS = (limits.variant_a, limits.variant_b)


@pytest.mark.hazard("HAZ-11")
@pytest.mark.parametrize("make", BUILDS)
def test_no_relation_is_broken(make: Callable[[], Limits]) -> None:
    assert limits.broken_relations(make()) == []


@pytest.mark.hazard("HAZ-11")
@pytest.mark.parametrize("make", BUILDS)
@pytest.mark.parametrize(("left", "right"), limits.RELATIONS)
def test_a_broken_relation_is_found_and_named(make: Callable[[], Limits], left: str, right: str) -> None:
    """Against contradicting limits. Equal or swapped values are both reported."""
    for excess in (0, 1):
        build = make()
        setattr(build, left, getattr(build, right) + excess)
        sentences = [text for text in limits.broken_relations(build) if left in text and right in text]
        assert len(sentences) == 1


@pytest.mark.hazard("HAZ-02", "HAZ-11")
@pytest.mark.parametrize("make", BUILDS)
def test_a_sensor_range_below_the_hardware_ceiling_is_found(make: Callable[[], Limits]) -> None:
    """Against over-current unseen. The sensor must read past what the limiter lets through."""
    build = make()
    build.pga_range_mv = 40
    assert any("INA219" in text for text in limits.broken_relations(build))


@pytest.mark.hazard("HAZ-11", "HAZ-23")
@pytest.mark.parametrize("make", BUILDS)
def test_a_dose_that_no_session_holds_is_found(make: Callable[[], Limits]) -> None:
    build = make()
    build.max_session_ms = build.max_dose_uc * 1000 // build.max_current_ua - 1
    assert any("max_dose_uc" in text for text in limits.broken_relations(build))


@pytest.mark.hazard("HAZ-11")
@pytest.mark.parametrize("make", BUILDS)
def test_a_ramp_longer_than_the_guards_margin_is_found(make: Callable[[], Limits]) -> None:
    """Against contradicting limits. A session ended by its time must ramp down before the guards' ceiling."""
    build = make()
    build.max_ramp_ms = build.max_session_ms // 16 + 1
    assert any("margin" in text for text in limits.broken_relations(build))


@pytest.mark.parametrize("make", BUILDS)
def test_the_dither_is_more_than_a_pwm_step_and_less_than_a_percent(make: Callable[[], Limits]) -> None:
    """So that a live sensor always shows it, and the patient never does."""
    build = make()
    assert build.full_scale_ua / 4_096 < build.dither_ua < build.dither_min_ua / 100


@pytest.mark.hazard("HAZ-11")
def test_the_builds_are_told_apart_only_by_name() -> None:
    assert limits.for_variant("A").max_current_ua == 4_000
    assert limits.for_variant("B").max_current_ua == 18_000
    for name in ("", "a", "C", None):
        with pytest.raises(ValueError, match="A or B"):
            limits.for_variant(name)


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("make", BUILDS)
def test_full_scale_is_one_volt_across_the_sense_resistors(make: Callable[[], Limits]) -> None:
    """The set-point path's end follows from 2.5 V, gain 0.4 and the resistors, here worked out again."""
    build = make()
    assert abs(build.full_scale_ua - 1e9 / build.sense_mohm) <= 1


@pytest.mark.hazard("HAZ-24")
@pytest.mark.parametrize("make", BUILDS)
def test_guards_leave_room_for_every_legal_dose(make: Callable[[], Limits]) -> None:
    """1/16 and 60 uA over the highest set-point, the relative guard, lies under the absolute one."""
    build = make()
    assert build.max_current_ua + build.max_current_ua // 16 + 60 < build.trip_current_ua


@pytest.mark.hazard("HAZ-24")
@pytest.mark.parametrize("make", BUILDS)
def test_the_steepest_ramp_stays_inside_the_guards_allowance(make: Callable[[], Limits]) -> None:
    """The filter lags 9 ms at most; at the steepest ramp that is under the guards' 60 uA."""
    build = make()
    assert build.max_current_ua * 9 // build.min_ramp_ms < 60


@pytest.mark.parametrize("make", BUILDS)
def test_public_limits_travel_as_json(make: Callable[[], Limits]) -> None:
    build = make()
    public = json.loads(json.dumps(build.public()))
    assert set(public) == set(limits.PUBLIC)
    assert all(public[name] == getattr(build, name) for name in public)
