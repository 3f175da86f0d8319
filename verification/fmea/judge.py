"""What the figures of a row have to be: the hardware's rules, not the firmware's. One table of limits.

A row either violates something, or it was refused, or tripped, or nobody noticed; the figures say why that is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verification.fmea.trace import LEAST_UA, OFF_UA, SHARE

CEILING_UA = 6_000.0
DEAD_MAN_MS = 110  # the hardware's promise at its worst; firmware waits a little longer
DETECTION_MS = 2
APART_MS = 100
POLE_MS = 2  # contacts bounce
SETTLE_MS = 40  # of the set-point's filter and the loop, after which more than asked is too much
CELL_UA = 1_000.0  # what a shorted diode passes is a hundred times as much
GATE_MV = 20_000.0  # rating of the high-side FETs of both variants
EXCESS_UC = CEILING_UA * (DETECTION_MS + DEAD_MAN_MS) / 1_000

# Limit of each figure and what it means; a row violates it by more.
LIMITS: Mapping[str, tuple[float, str]] = {
    "peak_ua": (CEILING_UA, "more than the ceiling"),
    "dark_ms": (float(DEAD_MAN_MS), "off too late"),
    "over_ms": (float(DETECTION_MS + DEAD_MAN_MS), "more than the set-point for too long"),
    "apart_ms": (float(APART_MS), "the log tells something else"),
    "wrong_pole_ms": (float(APART_MS), "the wrong pole"),
    "let_go_ms": (float(POLE_MS), "the relay lets go before the output is off"),
    "off_ua": (OFF_UA, "current with the output off"),
    "excess_uc": (EXCESS_UC, "charge beyond what was asked"),
    "cell_ua": (CELL_UA, "a computer charges the cell"),
    "gate_mv": (GATE_MV, "more than the gate of the high side bears"),
}


@dataclass(frozen=True)
class Verdict:
    """`violations`: names of `LIMITS`, or "error"; `result`: refused, tripped, unnoticed or ended; `why`: in words."""

    violations: tuple[str, ...]
    result: str
    why: str
    share: float  # of its limit that the worst figure takes; above 1 only for a violation


def judge(row: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a measured row (see `runner.measure`)."""
    if row.get("error"):
        return Verdict(("error",), "failed", row["error"], 99.0)
    figures = row["figures"]
    found: list[str] = []
    worst = 0.0
    for name, (limit, _) in LIMITS.items():
        value = figures[name]
        if value is None:  # only `dark_ms`: still on when nobody watched any more
            value = max(figures["watched_ms"], limit + 1)
        worst = max(worst, value / limit)
        if value > limit:
            found.append(name)
    return Verdict(tuple(found), result(row), _why(row, found), worst)


def result(row: Mapping[str, Any]) -> str:
    """Return how the row ended for the firmware."""
    if row["fault"]:
        return "refused" if row["refused"] else "tripped"
    return row["end"]


def _why(row: Mapping[str, Any], violations: list[str]) -> str:
    """Say what happened, and of a row without a violation why it did no harm."""
    figures = row["figures"]
    if violations:
        return "; ".join(f"{LIMITS[name][1]}: {_figure(name, figures)}" for name in violations)
    if row["fault"]:
        when = "before a current flowed" if row["refused"] else f"after {figures['cut_ms'] or 0:.0f} ms"
        return f"{row['fault']} {when}"
    if row["end"] == "frozen":
        return f"off {figures['dark_ms']:.0f} ms after the firmware stopped"
    asked, flows = figures["asked_end_ua"], abs(figures["end_ua"])
    if abs(flows - asked) <= 0.01 * asked + 2:
        return f"{flows:.0f} uA flow as asked, and the log says {figures['told_end_ua']:.0f}"
    word = "less" if flows < asked else "more"
    told = f"{figures['told_end_ua']:.0f}"
    near = f"within {SHARE:.0%} or {LEAST_UA:.0f} uA of what the log says: {told}"
    return f"{flows:.0f} uA flow, {word} than the {asked:.0f} asked, {near}"


def _figure(name: str, figures: Mapping[str, Any]) -> str:
    value = figures[name]
    unit = name.rsplit("_", 1)[1].replace("ua", "uA").replace("uc", "uC").replace("mv", "mV")
    if value is None:
        return f"still {abs(figures['end_ua']):.0f} uA after {figures['watched_ms']} ms"
    return f"{value:.0f} {unit}"
