"""When a fault arises: sessions that are run once, and the places in them where each fault is tried. Times in ms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ionto import protocol

LOAD_OHM = 1_000.0

# Firmware that has stopped leaves its pins so; a reset floats them, which the pull-downs make low.
FROZEN_HIGH, FROZEN_LOW, FROZEN_LAST = "FROZEN_HIGH", "FROZEN_LOW", "FROZEN_LAST"
FROZEN = (FROZEN_HIGH, FROZEN_LOW, FROZEN_LAST)
# What a fault that nobody has noticed may have taken the protection from: it has to be found before this comes.
USB_UNSEEN, STOP_UNSEEN, SINK_STUCK = "USB_UNSEEN", "STOP_UNSEEN", "SINK_STUCK"
SECOND = (USB_UNSEEN, STOP_UNSEEN, SINK_STUCK)
WITHIN = (*FROZEN, *SECOND)  # tried in copies of a device in HOLD at 4 mA with the fault


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
    least_ms: int = 80
    what: str = ""


@dataclass(frozen=True)
class Session:
    """A dose, and the moments in the order in which its session comes to them."""

    name: str
    dose: Mapping[str, object]
    moments: tuple[Moment, ...]


CABLE = Moment("CABLE", protocol.IDLE, 0, 700, 40, "a computer is connected, no session: as when a dose is pushed")
START = Moment("START", protocol.IDLE, 0, 3_000, 1_000, "there before START is pressed")
BEFORE = (CABLE, START)  # what is found here never comes to a session
# What is to be told within 100 ms has been told before a second fault comes.
HOLD_4 = Moment("HOLD_4MA", protocol.HOLD, 100, least_ms=120, what="holding 4 mA, relay operated")
HOLD_05 = Moment("HOLD_05MA", protocol.HOLD, 100, what="holding 0.5 mA, relay at rest")
STILL = (HOLD_4, HOLD_05)  # nothing is meant to move
SELF_TEST = Moment("SELF_TEST", protocol.SELF_TESTING, 300, what="the self-test's small current flows")

# Reversed first, so that the relay is operated while most of the faults are tried.
_STRONG = {"current_ua": 4_000, "dose_uc": 20_000, "polarity": -1, "reversal": "half"}
SESSIONS = (
    Session("4 mA", _STRONG, (CABLE, START, HOLD_4)),
    Session(
        "0.5 mA",
        {"current_ua": 500, "dose_uc": 8_000},
        (
            HOLD_05,
            Moment("PAUSED", protocol.PAUSED, 100, 120, 120, "paused by a person, output off"),
        ),
    ),
    Session(
        "4 mA, the other moments",
        _STRONG,
        (
            SELF_TEST,
            Moment("RAMP_UP", protocol.RAMP_UP, 500, 240, what="half-way up to 4 mA"),
            Moment("RAMP_DOWN", protocol.RAMP_DOWN, 500, 240, what="half-way down from 4 mA"),
            Moment("REVERSING", protocol.REVERSING, 60, 700, 80, "output off, before the relay moves"),
        ),
    ),
)
MOMENTS = {moment.name: moment for session in SESSIONS for moment in session.moments}
NAMES = (*MOMENTS, *WITHIN)
