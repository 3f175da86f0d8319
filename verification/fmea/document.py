"""docs/fmea.md: what the last whole sweep found, for people who do not run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from verification.fmea import byhand
from verification.fmea.judge import LIMITS
from verification.fmea.moments import MOMENTS, NAMES
from verification.fmea.results import Line

PAGE = Path("docs/fmea.md")
_MOST_NAMES = 4
_HEAD = """# What every fault does

Made by `make fmea` from what it has measured; `python -m verification.fmea --document` writes this page again.

Every fault that the drawing's netlist allows, in the drawn circuit in ngspice, in closed loop with the real firmware:
each pin of each part open, each pair of pins shorted, each resistor and capacitor at half, twice and the edges of its
tolerance, the typical failures of semiconductors and modules, leaks from each net to ground and to the rail, nets side
by side bridged. Each arises at each of these moments:

| moment | |
|---|---|
"""
_LIMITS = """
A row is judged by the current that reaches the load, never by what the circuit says of itself:

| figure | at most | |
|---|---|---|
"""
_WITHIN_WORDS = {
    "FROZEN_HIGH": "firmware stops in HOLD at 4 mA, every pin high",
    "FROZEN_LOW": "firmware stops in HOLD at 4 mA, every pin low",
    "FROZEN_LAST": "firmware stops in HOLD at 4 mA, every pin as it is",
    "USB_UNSEEN": "a computer is plugged in, in HOLD at 4 mA, and the pin that tells the firmware does not",
    "STOP_UNSEEN": "STOP is pressed, in HOLD at 4 mA, and the pin that tells the firmware does not",
    "SINK_STUCK": "the sink's amplifier sticks high, in HOLD at 4 mA",
}


def text(found: Sequence[Line], summary: str, nothing: int) -> str:
    """Return the page. `nothing`: how many faults change nothing in the circuit."""
    moments = {**{name: moment.what for name, moment in MOMENTS.items()}, **_WITHIN_WORDS}
    limits = "".join(f"| {name} | {limit:g} | {words} |\n" for name, (limit, words) in LIMITS.items())
    table = "".join(f"| {name} | {moments[name]} |\n" for name in NAMES)
    return "".join(
        (
            _HEAD,
            table,
            _LIMITS,
            limits,
            f"\n## Result\n\n{summary} {nothing} more faults change nothing: ",
            "they are of a pin that carries nothing, or join what is joined.\n\n",
            _by_moment(found),
            _violations(found),
            _by_hand(),
            _latent(found),
        )
    )


def _by_moment(found: Sequence[Line]) -> str:
    rows = []
    for name in NAMES:
        cells = [cell for line in found for cell in line.cells if cell.moment == name]
        count = Counter("violates" if cell.verdict.violations else cell.verdict.result for cell in cells)
        told = ("refused", "tripped", "by hand", "violates")
        quiet = len(cells) - sum(count[name] for name in told)
        rows.append(
            f"| {name} | {len(cells)} | {count['refused']} | {count['tripped']} | {count['by hand']} | {quiet} "
            f"| {count['violates']} |\n"
        )
    return (
        "| moment | rows | refused | tripped | found by hand | nothing noticed, no harm | violate |\n"
        "|---|---|---|---|---|---|---|\n" + "".join(rows)
    )


def _violations(found: Sequence[Line]) -> str:
    bad = [line for line in found if line.violations]
    if not bad:
        return "\n## Violations\n\nNone.\n"
    rows = []
    for line in bad:
        worst = line.violations[0]
        others = [cell.moment for cell in line.violations[1:]]
        also = f"; also {', '.join(others)}" if others else ""
        rows.append(f"| {_names(line)} | {worst.moment}: {worst.verdict.why}{also} |\n")
    head = "\n## Violations\n\nEach is listed in `verification/fmea/known_violations.json`; none is argued away.\n\n"
    return f"{head}| fault | worst |\n|---|---|\n" + "".join(rows)


def _by_hand() -> str:
    rows = "".join(f"| `{key}` | {step} | {why} |\n" for key, (step, why) in byhand.FOUND.items())
    head = "\n## Found by hand\n\nNo self-test can see these; `ionto selftest --bench` has the step.\n\n"
    return f"{head}| fault | step | |\n|---|---|---|\n{rows}"


def _latent(found: Sequence[Line]) -> str:
    hidden = [line for line in found if line.latent]
    parts = Counter(part for line in hidden for part in line.parts[:1])
    words = ", ".join(f"{part} ({count})" for part, count in sorted(parts.items()))
    head = f"\n## Hidden\n\n{len(hidden)} faults are noticed at no moment and violate nothing, alone."
    return f"{head} By part or net: {words}.\n"


def _names(line: Line) -> str:
    names = line.row.names
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(f"`{name}`" for name in names[:_MOST_NAMES]) + more
