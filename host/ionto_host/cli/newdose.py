"""What `ionto dose new` puts into a file: what was asked for, what a preset knows, what is proposed and decided."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import click

from ionto.dose import MAX_TEXT
from ionto.plan import Dose
from ionto_host.cli.common import can_ask, note
from ionto_host.course import codes, fit, overview, store
from ionto_host.course.fit import Past, Proposal
from ionto_host.course.store import Course
from ionto_host.dose import file as dosefile
from ionto_host.dose.file import DoseFile
from ionto_host.dose.writer import Wanted, number
from ionto_host.errors import CourseError, RefusedError, UsageError
from ionto_host.library.model import ALTERNATE, VERIFY, Library, Preset
from ionto_host.units import plain


@dataclass(frozen=True)
class Made:
    """What the file is to say, the preset it follows, and what was proposed."""

    wanted: Wanted
    preset: Preset | None = None
    proposal: Proposal | None = None


def make(values: dict[str, Any], lib: Library) -> Made:
    """Return what the options `values` of `dose new` ask for; `UsageError` for what is missing."""
    course, past = _history(values["subject"], lib)
    preset_name = values["preset"] or (course.preset if course else None)
    if preset_name is None:
        return _without_preset(values)
    preset = lib.preset(preset_name)
    if course and preset.id != lib.preset(course.preset).id:
        raise CourseError(f"{course.id} is a course of {course.preset}, not of {preset.id}", "Leave --preset out.")
    sensitivity = values["sensitivity"] or (course.sensitivity if course else fit.SENSITIVITIES[0])
    proposal = None
    if course or values["subject"] or values["current"] is None:
        proposal = _propose(values, preset, lib, sensitivity, past)
    current, dose = _decide(values, preset, lib, proposal)
    therapy = _therapy(values, preset, course, sensitivity, proposal)
    return Made(_wanted(values, preset, course, current, dose, therapy), preset, proposal)


def _history(subject: str | None, lib: Library) -> tuple[Course | None, list[Past]]:
    """Return the course that `subject` (a code, or one with a number) names, if any, and the sessions at its site."""
    if subject is None:
        return None, []
    code, index = codes.split(subject)
    with store.opened() as db:
        if index is None and not db.courses(code):
            note(f"{code} has no course: the proposal knows no earlier session.")
            return None, []
        course = db.course(code, index)
        sessions = db.sessions_at(code, course.site)
    return course, overview.past(sessions, course.preset, lib)


def _without_preset(values: dict[str, Any]) -> Made:
    needed = {"--current": "current", "--dose": "dose_ma_min", "--polarity": "polarity"}
    missing = [option for option, key in needed.items() if values[key] is None]
    if values["subject"]:
        raise UsageError("--subject without a course needs a --preset", "`ionto presets list` shows them.")
    if missing:
        raise UsageError(f"missing {', '.join(missing)}", "Give them, or a --preset; see `ionto dose new --help`.")
    given = {key: values[key] for key in ("name", "drug", "site", "ramp_up", "ramp_down") if values[key] is not None}
    density = {"max_density": values["max_density"]} if values["max_density"] is not None else {}
    therapy = {"pole_verified": values["pole_verified"]} if values["pole_verified"] else {}
    numbers = (values["current"], values["dose_ma_min"], values["area"])
    return Made(Wanted(*numbers, values["polarity"], **given, **density, **_rest(values), therapy=therapy))


def _rest(values: dict[str, Any]) -> dict[str, Any]:
    keys = ("frequency", "duty", "reverse_at_half", "reverse_every", "max_extension", "starts")
    return {key: values[key] for key in keys}


def _propose(
    values: dict[str, Any], preset: Preset, lib: Library, sensitivity: str, past: list[Past]
) -> Proposal | None:
    """Return the proposal, told with its reasons; None when there is none and the person gives a current anyway."""
    try:
        proposal = fit.propose(preset, lib, values["area"], sensitivity, past, values["max_density"])
    except RefusedError as error:
        if values["current"] is None:
            raise
        note(f"No proposal: {error.message}")
        return None
    note(f"Proposed: {proposal.current_ma} mA, {plain(proposal.dose_ma_min)} mA*min, {proposal.minutes} min.")
    for line in proposal.why:
        note(f"  {line}")
    return proposal


def _decide(values: dict[str, Any], preset: Preset, lib: Library, proposal: Proposal | None) -> tuple[Decimal, Decimal]:
    """Return current and dose as the person decides: by the options, by --accept, or asked at the terminal."""
    current, dose = values["current"], values["dose_ma_min"]
    if current is None:
        assert proposal is not None
        current = proposal.current_ma if values["accept"] else _ask("Current in mA", proposal.current_ma)
    if dose is None:
        dose, _, _ = fit.dose_for(preset, lib, current)
        if proposal and values["current"] is None and not values["accept"]:
            dose = _ask("Dose in mA*min", dose)
    if proposal and (current > proposal.current_ma or dose > proposal.dose_ma_min):
        note(f"You decide for {plain(current)} mA and {plain(dose)} mA*min: more than proposed. The file records both.")
    return number(current), number(dose)


def _ask(what: str, proposed: Decimal) -> Decimal:
    if not can_ask():
        raise UsageError(
            f"a person has to decide: {what.lower()} is proposed as {plain(proposed)}",
            "Give --current and --dose, or take what is proposed with --accept.",
        )
    text = click.prompt(what, default=plain(proposed), err=True)
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("nan")
    if not value.is_finite():
        raise UsageError(f"{text!r} is not a number")
    return value


def _therapy(
    values: dict[str, Any], preset: Preset, course: Course | None, sensitivity: str, proposal: Proposal | None
) -> dict[str, Any]:
    table: dict[str, Any] = {"preset": preset.id}
    if values["subject"]:
        table["subject"] = course.subject if course else values["subject"]
        table["sensitivity"] = sensitivity
    if values["pole_verified"]:
        table["pole_verified"] = values["pole_verified"]
    if proposal:
        table |= {
            "proposed_current_ma": number(proposal.current_ma),
            "proposed_dose_ma_min": number(proposal.dose_ma_min),
        }
        table["why"] = list(proposal.why)
    return table


def _wanted(
    values: dict[str, Any],
    preset: Preset,
    course: Course | None,
    current: Decimal,
    dose: Decimal,
    therapy: dict[str, Any],
) -> Wanted:
    drug, regime = preset.drug, preset.regime
    polarity = values["polarity"] or {"-": "-"}.get(drug.pole, "+")
    if drug.pole == VERIFY and values["polarity"] is None:
        raise UsageError(
            f"the sources give no pole for {drug.name}",
            "Look it up, then give --polarity and where you found it: --pole-verified 'leaflet of ...'.",
        )
    ramp = regime.start("ramp_s")
    reversed_ = values["reverse_at_half"] or (drug.pole == ALTERNATE and values["reverse_every"] is None)
    rest = {**_rest(values), "reverse_at_half": reversed_}
    return Wanted(
        current,
        dose,
        number(values["area"]),
        polarity,
        values["name"] or f"{preset.condition.name}, {drug.short}"[:MAX_TEXT],
        values["drug"] or drug.name,
        values["site"] or (course.site if course else preset.condition.site),
        values["ramp_up"] if values["ramp_up"] is not None else number(ramp),
        values["ramp_down"] if values["ramp_down"] is not None else number(ramp),
        number(values["max_density"] if values["max_density"] is not None else regime.ceiling("density_ma_cm2")),
        therapy=therapy,
        **rest,
    )


def checked(loaded: DoseFile, made: Made, lib: Library, variant: str | None) -> Dose:
    """Return the dose checked against the limits; a density above the careful one is refused with the sources."""
    preset = made.preset
    if preset:
        _judge_density(made.wanted, preset, lib)
    return dosefile.check(loaded, variant or (preset.regime.variant if preset else None))


def _judge_density(wanted: Wanted, preset: Preset, lib: Library) -> None:
    regime = preset.regime
    widest = regime.widest("density_ma_cm2")
    told = "; ".join(f"{item.words()} ({lib.cite(item.source)})" for item in regime.figures["density_ma_cm2"])
    if wanted.max_density > widest:
        raise RefusedError(
            f"max_density_ma_cm2 is {plain(wanted.max_density)} mA/cm2, above all sources: {told}",
            f"At most {plain(widest)}.",
        )
    density = wanted.current / wanted.area if wanted.area > 0 else Decimal(0)
    if density > wanted.max_density:
        area, current = wanted.current / wanted.max_density, wanted.max_density * wanted.area
        raise RefusedError(
            f"current density is {plain(density)} mA/cm2, allowed {plain(wanted.max_density)}. The sources: {told}",
            f"Use at least {plain(area)} cm2 or at most {plain(current)} mA; or decide for another source with "
            f"--max-density, up to {plain(widest)}.",
            field="density_ma_cm2",
        )
