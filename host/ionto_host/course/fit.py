"""Proposes current and dose for a person: inside every limit, with the reason of each step. Pure.

What it proposes is a beginning; the person decides, and the dose file records both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from ionto.limits import UC_PER_MA_MIN, for_variant
from ionto_host.errors import RefusedError
from ionto_host.library.model import LOWER_SEVERITY, STOP_SEVERITY, Library, Preset
from ionto_host.units import plain

SENSITIVITIES = ("normal", "high")
STEP_MA = Decimal("0.1")
STEP_MA_MIN = Decimal("0.5")


@dataclass(frozen=True)
class Past:
    """What counts of an earlier session: its current (mA), its reactions (ids), what a poor contact allowed (mA).

    `felt_ma` is the least current at which stinging or pain was reported during it, `lowered_ma` what such a report
    lowered it to; None without one. `same_preset` is False for a session of another preset at the site: its drug and
    its electrode may differ, the skin is the same.
    """

    current_ma: Decimal
    reactions: frozenset[str]
    contact_ma: Decimal | None = None
    felt_ma: Decimal | None = None
    lowered_ma: Decimal | None = None
    same_preset: bool = True


@dataclass(frozen=True)
class Proposal:
    """A current in mA, a dose in mA*min, the expected time in min, and why, step by step."""

    current_ma: Decimal
    dose_ma_min: Decimal
    minutes: Decimal
    why: tuple[str, ...]


def propose(
    preset: Preset,
    library: Library,
    area_cm2: Decimal,
    sensitivity: str,
    past: Sequence[Past],
    max_density: Decimal | None = None,
) -> Proposal:
    """Return the proposal for an electrode of `area_cm2`; `RefusedError` when no current fits, or none is safe.

    `past` are the sessions of this subject at this site in every course, of every preset, oldest first. The last of all
    counts, and the last of this preset, which one of another in between does not undo. `max_density` is the density
    limit in mA/cm2, the careful one of the sources by default.
    """
    histories = (past, [item for item in past if item.same_preset])
    for history in histories:
        _refuse_after_injury(library, history)
    regime = preset.regime
    steps = [(regime.start("current_ma"), _least(preset, "current_ma", library))]
    density = max_density or regime.ceiling("density_ma_cm2")
    steps.append((density * area_cm2, f"{plain(density)} mA/cm2 on {plain(area_cm2)} cm2"))
    share = library.rules[f"sensitivity-{sensitivity}"]
    base = min(value for value, _ in steps)
    if share.value != 1:
        steps.append(
            (base * share.value, f"{plain(share.value)} {share.unit}: {share.why} ({_cite(library, share.id)})")
        )
    steps += dict.fromkeys(step for history in histories for step in _from_past(library, history))
    current, why = _lowest(steps)
    limits = for_variant(regime.variant)
    if current * 1_000 < limits.min_current_ua:
        raise RefusedError(
            f"no current fits: {plain(current)} mA is left ({'; '.join(why)}), the device begins at "
            f"{limits.min_current_ua / 1000:g} mA",
            "Use a larger electrode, or give a current of your own with --current.",
        )
    return _with_time(preset, library, current, why)


def _least(preset: Preset, quantity: str, library: Library) -> str:
    figure = preset.regime.careful(quantity)
    return f"where the sources begin: {figure.words()} ({library.cite(figure.source)})"


def _cite(library: Library, rule: str) -> str:
    return library.cite(library.rules[rule].source)


def _refuse_after_injury(library: Library, past: Sequence[Past]) -> None:
    last = past[-1].reactions if past else frozenset()
    stops = sorted(name for name in last if library.reactions[name].severity >= STOP_SEVERITY)
    if stops:
        raise RefusedError(
            f"no proposal after a {', '.join(library.reactions[name].name for name in stops)} in the last session",
            "A person has to look at it first; then give a current of your own with --current.",
        )


def _from_past(library: Library, past: Sequence[Past]) -> list[tuple[Decimal, str]]:
    """Return what earlier sessions allow: after reactions, after a poor contact, and never a leap upwards."""
    if not past:
        return []
    last, before = past[-1], past[-2] if len(past) > 1 else None
    rise = library.rules["rise-at-most"]
    steps = [(last.current_ma * rise.value, f"last time {plain(last.current_ma)} mA, and {rise.why}")]
    bad = {name for name in last.reactions if library.reactions[name].severity >= LOWER_SEVERITY}
    if bad:
        again = bool(before and bad & before.reactions)
        rule = library.rules["after-repeated-reaction" if again else "after-reaction"]
        names = ", ".join(sorted(library.reactions[name].name for name in bad))
        unit, base = (
            (rule.unit, last.current_ma) if last.felt_ma is None else ("of the current it was felt at", last.felt_ma)
        )
        base = min(base, last.current_ma)
        text = f"{plain(rule.value)} {unit}, {plain(base)} mA: {rule.why}: {names}"
        steps.append((base * rule.value, f"{text} ({library.cite(rule.source)})"))
    if last.lowered_ma is not None:
        steps.append((last.lowered_ma, f"a comfort report lowered it to {plain(last.lowered_ma)} mA last time"))
    if last.contact_ma is not None:
        steps.append((last.contact_ma, f"the contact allowed {plain(last.contact_ma)} mA last time"))
    return steps


def _lowest(steps: list[tuple[Decimal, str]]) -> tuple[Decimal, list[str]]:
    """Return the least of all bounds, rounded down to a tenth of a mA, and each bound with its reason."""
    least = min(value for value, _ in steps)
    current = (least / STEP_MA).to_integral_value(ROUND_FLOOR) * STEP_MA
    why = [f"{'decides' if value == least else 'allows'} {plain(value)} mA: {text}" for value, text in steps]
    return current, why


def _with_time(preset: Preset, library: Library, current: Decimal, why: list[str]) -> Proposal:
    dose, minutes, reason = dose_for(preset, library, current)
    return Proposal(current, dose, minutes, (*why, reason))


def dose_for(preset: Preset, library: Library, current: Decimal) -> tuple[Decimal, Decimal, str]:
    """Return dose (mA*min), time (min) and why: the least usual dose, or as much as the usual time holds."""
    regime = preset.regime
    longest = regime.ceiling("minutes")
    ramp_min = regime.start("ramp_s") / 60 * (2 if preset.reversal == "half" else 1)
    usual = regime.start("dose_ma_min")
    room = (longest - ramp_min) * current
    highest = Decimal(for_variant(regime.variant).max_dose_uc) / UC_PER_MA_MIN
    least = min(usual, room, highest)
    dose = (least / STEP_MA_MIN).to_integral_value(ROUND_FLOOR) * STEP_MA_MIN
    minutes = dose / current + ramp_min
    reason = f"{plain(dose)} mA*min: the least usual dose of the sources"
    if least < usual:
        figure = regime.careful("minutes")
        reason = f"{plain(dose)} mA*min: as much as {plain(longest)} min hold ({library.cite(figure.source)})"
    return dose, minutes.quantize(Decimal("0.1")), reason
