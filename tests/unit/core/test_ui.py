"""Lights and sound: every state and every fault has a pattern, those that matter differ, the buzzer falls silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from ionto import faults, protocol, ui
from ionto_host.device.lights import page
from ionto_host.tables import fault_names

LIGHTS = ui.Lights()
STATES = range(len(protocol.STATES))
FAULTS = sorted(code for code in fault_names() if faults.is_fault(code))


def second(state: int, in_state_s: int = 0, fault: int = faults.OPEN_CIRCUIT) -> list[int]:
    """Return the bits of one whole round of `state`."""
    return [LIGHTS.at(state, fault, step, in_state_s) for step in range(ui.STEPS)]


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("state", ui.PATTERNS)
def test_every_state_shows_its_pattern(state: int) -> None:
    for step, bits in enumerate(second(state)):
        for row, bit in zip(ui.PATTERNS[state], (ui.READY, ui.CURRENT, ui.FAULT, ui.SOUND), strict=True):
            assert len(row) == ui.STEPS
            assert bool(bits & bit) == (row[step] == "#")


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("state", STATES, ids=protocol.STATES)
def test_every_state_shows_something(state: int) -> None:
    assert any(bits & (ui.READY | ui.CURRENT | ui.FAULT) for bits in second(state))


@pytest.mark.hazard("HAZ-33")
def test_current_is_shown_whenever_it_may_flow() -> None:
    """Against current that nobody sees. In ramp, hold and ramp down, and not at rest."""
    for state in (protocol.RAMP_UP, protocol.HOLD, protocol.RAMP_DOWN):
        assert any(bits & ui.CURRENT for bits in second(state))
    for state in (protocol.IDLE, protocol.DONE, protocol.FAULT, protocol.IN_MAINTENANCE):
        assert not any(bits & ui.CURRENT for bits in second(state))


@pytest.mark.hazard("HAZ-33")
def test_a_fault_looks_and_sounds_like_no_other_state() -> None:
    """Against a fault that goes unnoticed."""
    assert any(bits & ui.SOUND for bits in second(protocol.FAULT))
    assert any(bits & ui.FAULT for bits in second(protocol.FAULT))
    for state in STATES:
        if state not in (protocol.FAULT, protocol.IN_MAINTENANCE):
            assert not any(bits & ui.FAULT for bits in second(state))


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("state", STATES, ids=protocol.STATES)
def test_the_buzzer_falls_silent_and_the_lights_stay(state: int) -> None:
    for seconds in (ui.QUIET_AFTER_S, 10_000):
        late = second(state, seconds)
        assert not any(bits & ui.SOUND for bits in late)
        assert late == [bits & ~ui.SOUND for bits in second(state)]
    assert second(state, ui.QUIET_AFTER_S - 1) == second(state)


@pytest.mark.hazard("HAZ-33")
def test_the_states_a_person_must_tell_apart_differ() -> None:
    told_apart = [
        protocol.IDLE,
        protocol.HOLD,
        protocol.RAMP_UP,
        protocol.DONE,
        protocol.PAUSED,
        protocol.FAULT,
        protocol.IN_MAINTENANCE,
    ]
    lights = [tuple(bits & ~ui.SOUND for bits in second(state)) for state in told_apart]
    assert len(set(lights)) == len(lights)


def flashes(bits: list[int], bit: int) -> int:
    """Return how often `bit` goes on in a round."""
    return sum(bool(now & bit) and not before & bit for before, now in zip([bits[-1], *bits], bits, strict=False))


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("code", FAULTS, ids=fault_names().get)
def test_the_fault_led_counts_the_group_of_every_fault(code: int) -> None:
    """Without a computer a person can tell what a fault is about, and whether it was found before any dose."""
    bits = second(protocol.FAULT, fault=code)
    group = ui.group_of(code)
    assert flashes(bits, ui.FAULT) == group
    assert not any(bit & ui.FAULT for bit in bits[-4:]), "a rest between two counts"
    assert all(bit & ui.READY for bit in bits) == (code >= faults.SELFTEST_SENSOR)


@pytest.mark.hazard("HAZ-33")
def test_every_group_has_a_fault_and_its_words() -> None:
    assert {ui.group_of(code) for code in FAULTS} == set(ui.GROUPS)
    assert {code for code in FAULTS if code >= faults.SELFTEST_SENSOR} == set(ui.SELFTEST_GROUPS)


@pytest.mark.hazard("HAZ-33")
def test_a_refused_press_is_seen_and_heard() -> None:
    bits = [LIGHTS.refused(step) for step in range(ui.STEPS)]
    assert flashes(bits, ui.FAULT) == 2 and flashes(bits, ui.SOUND) == 1
    assert bits not in [second(state) for state in STATES]


@pytest.mark.hazard("HAZ-33")
def test_the_printed_page_is_current() -> None:
    """docs/lights.md: `python -m ionto_host.device.lights > docs/lights.md` brings it up to date."""
    assert (Path(__file__).parents[3] / "docs" / "lights.md").read_text() == page()
