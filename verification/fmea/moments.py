"""When a fault arises: sessions that are run once, and the places in them where each fault is tried. Times in ms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ionto import protocol

LOAD_OHM = 1_000.0

# Firmware that has stopped leaves its pins so; a reset floats them, which the pull-downs make low.
FROZEN_HIGH, FROZEN_LOW, FROZEN_LAST = "FROZEN_HIGH", "FROZEN_LOW", "FROZEN_LAST"
FROZEN = (FROZEN_HIGH, FROZEN_LOW, FROZEN_LAST)


@dataclass(frozen=True)
class Moment:
    """The fault arises `after_ms` into `state` (when `down_to_ua` is set: once the set-point is down there).

    A row is watched for `watch_ms`, or until the output is off and dark; no shorter than `least_ms` even when nothing
    changes.
    """

    name: str
    state: int
    after_ms: int = 0
    watch_ms: int = 400
    least_ms: int = 120
    what: str = ""


@dataclass(frozen=True)
class Session:
    """A dose, and the moments in the order in which its session comes to them."""

    name: str
    dose: Mapping[str, object]
    moments: tuple[Moment, ...]
    pauses: bool = False


START = Moment("START", protocol.IDLE, 0, 1_100, 1_100, "there before START is pressed")
HOLD_4 = Moment("HOLD_4MA", protocol.HOLD, 100, what="holding 4 mA, relay operated")

STRONG = Session(
    "strong",
    # Reversed first, so that the relay is operated while most of the faults are tried.
    {"current_ua": 4_000, "dose_uc": 16_000, "polarity": -1, "reversal": "half"},
    (
        START,
        Moment("SELF_TEST", protocol.SELF_TESTING, 300, what="the self-test's small current flows"),
        Moment("RAMP_UP", protocol.RAMP_UP, 500, what="half-way up to 4 mA"),
        HOLD_4,
        Moment("REVERSING", protocol.REVERSING, 60, 700, 120, "output off, before the relay moves"),
        Moment("RAMP_DOWN", protocol.RAMP_DOWN, 500, what="half-way down from 4 mA"),
    ),
)
WEAK = Session(
    "weak",
    {"current_ua": 500, "dose_uc": 4_000},
    (
        Moment("HOLD_05MA", protocol.HOLD, 100, what="holding 0.5 mA, relay at rest"),
        Moment("PAUSED", protocol.PAUSED, 100, 150, 150, "paused by a person, output off"),
    ),
    pauses=True,
)
SESSIONS = (STRONG, WEAK)
MOMENTS = {moment.name: moment for session in SESSIONS for moment in session.moments}
NAMES = (*MOMENTS, *FROZEN)
