"""What a log does not know of its session, in sentences: why, what is known all the same, and from which source."""

from __future__ import annotations

from collections.abc import Callable

from ionto_host.logs.sessionfile import DAMAGED, INTERRUPTED, NO_END_FLAW, NO_SAMPLES, Session
from ionto_host.units import ma_min

_CAUSES = {  # of the end record: what the board found at its next boot
    "power_on": "a loss of power, or a reset by the RUN pin,",
    "watchdog": "a reset by the watchdog",
    "requested": "a reset that the firmware did itself",
}


def told(session: Session) -> list[str]:
    """Return a sentence or two for each of `session.flaws`; empty when the log has the whole session.

    What a host saw of it comes last, marked as seen by the host.
    """
    seen = [session.watched.words()] if session.flaws and session.watched else []
    return [_SENTENCES[flaw](session) for flaw in session.flaws] + seen


def _interrupted(session: Session) -> str:
    cause = _CAUSES.get(str(session.end.get("cause")), "a reset or a loss of power")
    return f"interrupted: {cause} ended the session. {_flowed(session)}"


def _no_end(session: Session) -> str:
    return f"no end: how and when the session ended is not in the log. {_flowed(session)}"


def _damaged(session: Session) -> str:
    return "damaged: what could be read is shown; what stood in the damaged bytes is not known."


def _no_samples(session: Session) -> str:
    unknown = "no samples: the current and the voltage over time are not known."
    if not session.whole:
        return unknown
    return f"{unknown} The board counted {ma_min(session.charge_uc or 0):.3f} mA*min."


def _flowed(session: Session) -> str:
    """Return how much is known to have flowed, and from which source."""
    if session.charge_uc is None:
        return "How much flowed, and for how long, is not known."
    of_chip = session.end.get("charge_uc") is not None
    source = "the count that the chip kept through the reset" if of_chip else "the last sample"
    return f"At least {ma_min(session.charge_uc):.3f} mA*min flowed, by {source}; more is not known."


_SENTENCES: dict[str, Callable[[Session], str]] = {
    INTERRUPTED: _interrupted,
    NO_END_FLAW: _no_end,
    DAMAGED: _damaged,
    NO_SAMPLES: _no_samples,
}
