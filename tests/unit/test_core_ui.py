"""Lights and sound: every state has a pattern, states that matter look different, the buzzer falls silent."""

from __future__ import annotations

import pytest

from ionto import protocol, ui

LIGHTS = ui.Lights()
STATES = range(len(protocol.STATES))


def second(state: int, in_state_s: int = 0) -> list[int]:
    """Return the bits of one whole second of `state`."""
    return [LIGHTS.at(state, step, in_state_s) for step in range(ui.STEPS)]


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("state", STATES, ids=protocol.STATES)
def test_every_state_shows_its_pattern(state: int) -> None:
    for step, bits in enumerate(second(state)):
        for row, bit in zip(ui.PATTERNS[state], (ui.READY, ui.CURRENT, ui.FAULT, ui.SOUND), strict=True):
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
