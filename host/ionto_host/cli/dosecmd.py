"""Commands about doses: write a dose file, check it, give it to the device, show what the device holds."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from ionto.limits import for_variant
from ionto.plan import HALF, NO_REVERSAL, PULSED, Dose
from ionto_host import library
from ionto_host.cli import completing, newdose, pushing
from ionto_host.cli.common import Answer, IontoGroup, examples, note, open_device, port_name, settings, store, table
from ionto_host.cli.output import OUTPUT, put
from ionto_host.cli.session import tell_of_cut_short
from ionto_host.course import fit
from ionto_host.dose import check as dosecheck
from ionto_host.dose import explain, screening
from ionto_host.dose import file as dosefile
from ionto_host.dose import writer as dosewriter
from ionto_host.dose.file import DoseFile
from ionto_host.errors import ProtocolError, RefusedError, UsageError
from ionto_host.library.model import Library
from ionto_host.library.polarity import Verdict
from ionto_host.notice import NOTICE
from ionto_host.outfile import shown
from ionto_host.units import clock, ma, ma_min, printable

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Number(click.ParamType):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return `value` as a finite Decimal, or fail as a usage error."""
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite():
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


_NUMBER = _Number()
_VARIANT = click.option(
    "--variant",
    type=click.Choice(dosefile.VARIANTS),
    help="Build variant. Default: any that admits the dose.",
)


@click.group(cls=IontoGroup)
def dose() -> None:
    """Dose files: write, check, push to the device, show."""


@dose.command("new")
@click.argument("file", type=OUTPUT)
@_VARIANT
@click.option(
    "--preset", shell_complete=completing.presets, help="Condition and drug, as `ionto presets list` shows them."
)
@click.option("--subject", metavar="CODE", help="Fit current and dose to a subject code and its earlier sessions.")
@click.option("--sensitivity", type=click.Choice(fit.SENSITIVITIES), help="Of the person. Default: as in the course.")
@click.option("--accept", is_flag=True, help="Take the current and dose that are proposed.")
@click.option("--current", type=_NUMBER, help="Current in mA.")
@click.option("--dose", "dose_ma_min", type=_NUMBER, help="Dose in mA*min.")
@click.option("--area", type=_NUMBER, required=True, help="Area of the smaller electrode in cm2.")
@click.option("--max-density", type=_NUMBER, help="In mA/cm2. Default: the careful one of the preset; 0.5 without.")
@click.option("--polarity", type=click.Choice(list(dosefile.POLES)), help="Pole under the drug. A preset knows it.")
@click.option("--pole-verified", default="", metavar="TEXT", help="Where you looked up a pole the sources do not give.")
@click.option("--name", help="Name of the dose.")
@click.option("--drug", help="Drug or electrolyte. Default: of the preset; none without.")
@click.option("--site", help="Site on the body, or the load. Default: of course or preset; bench without.")
@click.option("--ramp-up", type=_NUMBER, help="Ramp up in s. Default: of the preset; 30 without.")
@click.option("--ramp-down", type=_NUMBER, help="Ramp down in s. Default: of the preset; 30 without.")
@click.option("--frequency", type=_NUMBER, help="Pulses instead of direct current: how many a second.")
@click.option("--duty", type=_NUMBER, default="50", show_default=True, help="Of the pulses, in %.")
@click.option("--reverse-at-half", is_flag=True, help="Reverse the polarity at half of the dose.")
@click.option("--reverse-every", type=_NUMBER, help="Reverse the polarity every so many minutes.")
@click.option("--max-extension", type=_NUMBER, default="50", show_default=True, help="Poor contact: % longer, at most.")
@click.option("--starts", type=_NUMBER, default="1", show_default=True, help="Sessions without pushing it again.")
@click.option("--force", is_flag=True, callback=store, expose_value=False, help="Overwrite FILE.")
def dose_new(file: Path, variant: str | None, **values: Any) -> Answer:
    """Write a commented dose file to FILE and check it.

    With --preset the file carries the preset's figures and their sources. Current and dose are proposed inside all
    limits, with the reasons; you decide, and the file records both. For bench work, teaching and research.
    """
    if values["reverse_at_half"] and values["reverse_every"] is not None:
        raise UsageError("--reverse-at-half and --reverse-every exclude each other", "Give one of them.")
    if file.is_file() and not settings().force:
        raise UsageError(f"{file} exists", "Choose another name, or overwrite it with --force.")
    lib = library.load()
    made = newdose.make(values, lib)
    loaded = dosefile.loads(dosewriter.write(made.wanted, made.preset, lib), file)
    checked = newdose.checked(loaded, made, lib, variant)
    verdict, _ = pushing.judge_polarity(loaded, lib, "")
    put(file, dosewriter.write(made.wanted, made.preset, lib))
    data = {"file": file, "notice": NOTICE, "proposal": made.proposal, **_facts(loaded, checked), "pole": verdict.text}
    return Answer(
        data, f"Written to {shown(file)}.\n{_text(loaded, checked)}\n{_label('pole', verdict.text)}\n{NOTICE}"
    )


@dose.command("check")
@click.argument("file", type=_FILE, shell_complete=completing.doses)
@_VARIANT
@click.option(
    "--load",
    "loads_ohm",
    type=click.IntRange(1, 1_000_000),
    multiple=True,
    metavar="OHM",
    help="Load to give the expected voltage for; may be repeated. Default: 1000, 2000, 4700, 10000.",
)
@click.option("--pole-verified", default="", metavar="TEXT", help="Where you looked up a pole the sources do not give.")
def dose_check(file: Path, variant: str | None, loads_ohm: tuple[int, ...], pole_verified: str) -> Answer:
    """Check the dose FILE against the device's limits and the library, and explain every number that follows.

    The device is the one that is connected, with the limits set on it; without one, or with --variant, a build variant
    with its compiled limits. Nothing is sent but the question who it is.
    """
    loaded = dosefile.load(file)
    hello = None if variant else dosecheck.board(port_name())
    checked = dosecheck.check(loaded, hello) if hello else dosefile.check(loaded, variant)
    verdict, _ = pushing.judge_polarity(loaded, library.load(), pole_verified)
    limits = dosecheck.narrowed(hello) if hello else for_variant(variant or loaded.variants[0])
    whose = f"board {hello.board_id}, variant {hello.variant}" if hello else f"build variant {limits.variant}"
    derived = explain.derive(checked, limits, loads_ohm or explain.LOADS_OHM, "this board" if hello else "")
    rows = [[item.name, item.words(), item.how, item.share()] for item in derived]
    parts = [
        _text(loaded, checked),
        _label("pole", verdict.text),
        _label("against", whose),
        "",
        table(rows, ["number", "value", "how", "share"]),
    ]
    careful = _careful(checked, verdict, library.load())
    parts += ["", careful] if careful else []
    data = {**_facts(loaded, checked), "notice": NOTICE, "pole": verdict.text, "pole_checked": verdict.checked}
    data |= {"derived": explain.as_data(derived), "careful": careful, "board_id": hello.board_id if hello else None}
    return Answer(data, "\n".join([*parts, "", NOTICE]))


def _careful(checked: Dose, verdict: Verdict, lib: Library) -> str:
    """Return where the dose is above the careful figure of the sources, "" when it is nowhere."""
    told: list[str] = []
    for drug in verdict.drugs[:1]:
        regime = lib.regimes[drug.regime]
        values = {"current_ma": ma(checked.current_ua), "density_ma_cm2": ma(checked.density_ua_cm2())}
        values["minutes"] = checked.duration_ms() / 60_000
        for quantity, value in values.items():
            figure = regime.careful(quantity)
            if Decimal(str(value)) > regime.ceiling(quantity):
                told.append(f"{quantity} {value:.4g} is above {figure.words()} ({lib.cite(figure.source)})")
    return f"Above the careful figure of the sources: {'; '.join(told)}." if told else ""


@dose.command("push")
@click.argument("file", type=_FILE, shell_complete=completing.doses)
@click.option("--screening", type=_FILE, help="Answers to the contraindication questions (TOML or JSON), for scripts.")
@click.option("--course", metavar="CODE", help="Course the session belongs to: subject code, or P-014/2.")
@click.option("--pole-verified", default="", metavar="TEXT", help="Where you looked up a pole the sources do not give.")
@click.option("--reviewed", default="", metavar="TEXT", help="After a burn, blister or allergy: what was found since.")
@click.option(
    "--at", type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%d"]), help="Bench courses only: when it is played."
)
def dose_push(file: Path, **options: Any) -> Answer:
    """Give the dose FILE to the device, which checks it again; read it back and compare.

    Before that the polarity of its drug is checked, the contraindication questions are asked, and with --course the
    interval since the last session. One yes, or one question without an answer, and nothing is sent. The answers are
    kept beside the pulled logs, by the digest of the dose. A dose with drug "none" and a site with the word "bench" is
    for a load and exempt from the questions, which is said.
    """
    loaded = dosefile.load(file)
    with pushing.vetted(loaded, library.load(), pushing.Given(**options)) as found, open_device() as device:
        variant = device.identity.variant
        checked = dosefile.check(loaded, variant)
        tell_of_cut_short(device.known)
        record = pushing.screen(found, device.identity.board_id, options["screening"])
        loaded = found.loaded
        with pushing.recorded(found, device.identity.board_id, record) as kept:
            try:
                digest = device.push_dose(loaded.raw)
            except RefusedError as error:
                raise dosefile.explain(error.details, f"{file}, refused by the device") from error
        if device.identity.bench_strap:
            note("The bench strap is fitted: USB does not hold the output off.")
    data = {**_facts(loaded, checked), "variant": variant, "digest": digest, "notice": NOTICE}
    course = found.course.id if found.course else None
    data |= {"pole": found.told, "screening": record, "screening_file": kept, "course": course}
    rows = [_label("pole", found.told), _label("asked", _screened(record, kept))]
    if course:
        rows.append(_label("course", f"{course}; when the session is over: `ionto course log {course}`"))
    end = f"On the device, read back: digest {digest[:16]}.\n{NOTICE}"
    return Answer(data, "\n".join([_text(loaded, checked), *rows, end]))


def _screened(record: dict[str, Any], kept: Path | None) -> str:
    if kept is None:
        return f"no questions: {screening.EXEMPTION}"
    return f"{len(record['answers'])} questions, each answered no; kept in {kept}"


def _label(name: str, text: str) -> str:
    return f"{name:<8} {text}"


@dose.command("show")
def dose_show() -> Answer:
    """Show the dose that the device holds."""
    with open_device() as device:
        raw, variant = device.read_dose(), device.identity.variant
    try:
        fields = json.loads(raw)
        checked = dosefile.validate(raw, variant)
    except ValueError as error:
        raise ProtocolError("the device's dose is not JSON") from error
    loaded = DoseFile(Path(), fields, raw, (variant,))
    return Answer({**_facts(loaded, checked), "notice": NOTICE}, f"{_text(loaded, checked)}\n{NOTICE}")


def _facts(loaded: DoseFile, checked: Dose) -> dict[str, Any]:
    return {
        "dose": loaded.fields,
        "current_ma": ma(loaded.fields["current_ua"]),
        "dose_ma_min": ma_min(loaded.fields["dose_uc"]),
        "density_ma_cm2": ma(checked.density_ua_cm2()),
        "mean_ma": ma(checked.mean_ua()),
        "reversals": checked.turns(),
        "duration_s": checked.duration_ms() / 1_000,
        "max_current_s": _max_on_s(loaded, checked),
        "variants": list(loaded.variants),
        "digest": hashlib.sha256(loaded.raw).hexdigest(),
    }


def _text(loaded: DoseFile, checked: Dose) -> str:
    fields = loaded.fields
    pole = {value: name for name, value in dosefile.POLES.items()}[fields["polarity"]]
    share = 100 * checked.density_ua_cm2() / fields["max_density_ua_cm2"]
    ramps = f"{fields['ramp_up_ms'] / 1000:g} s up, {fields['ramp_down_ms'] / 1000:g} s down"
    longest = clock(_max_on_s(loaded, checked))
    rows = [
        ["dose", printable(f"{fields['name']}: {fields['drug']} under the {pole} pole, {fields['site']}")],
        ["charge", f"{ma_min(fields['dose_uc']):g} mA*min ({fields['dose_uc'] / 1e6:g} C)"],
        ["current", f"{ma(fields['current_ua']):g} mA, {ramps}"],
        ["waveform", _pulses(checked)],
        ["polarity", _turns(checked, pole)],
        ["density", f"{ma(checked.density_ua_cm2()):g} mA/cm2, {share:.0f} % of its limit"],
        ["time", f"{clock(checked.duration_ms() / 1000)} min:s with good contact, current at most {longest} with poor"],
        ["starts", str(fields["starts"])],
        *([["screened", printable(checked.screening)]] if checked.screening else []),
        ["fits", f"build variant {' and '.join(loaded.variants)}"],
    ]
    return "\n".join(f"{name:<8} {value}" for name, value in rows)


def _max_on_s(loaded: DoseFile, checked: Dose) -> float:
    return checked.max_on_ms(for_variant(loaded.variants[0])) / 1_000


def _pulses(checked: Dose) -> str:
    if checked.waveform != PULSED:
        return "direct current"
    on_ms, period_ms = checked.pulse_on_ms, checked.pulse_on_ms + checked.pulse_off_ms
    pulses = f"{on_ms} of {period_ms} ms ({1_000 / period_ms:.4g} Hz, {100 * on_ms / period_ms:.4g} %)"
    return f"pulses, {pulses}, edges {checked.pulse_edge_ms} ms, mean {ma(checked.mean_ua()):g} mA"


def _turns(checked: Dose, pole: str) -> str:
    if checked.reversal == NO_REVERSAL:
        return pole
    if checked.reversal == HALF:
        return f"{pole} first, reversed at half of the charge"
    return f"{pole} first, reversed every {checked.reversal_interval_ms / 60_000:g} min, {checked.turns()} times"


examples("ionto dose check my_dose.toml", "ionto dose push my_dose.toml", "ionto dose show")(dose)
examples(
    "ionto dose new my_dose.toml --current 1 --dose 1 --area 10 --polarity + --ramp-up 2 --ramp-down 2",
    "ionto dose new heel.toml --preset plantar-fasciitis --current 2 --dose 38 --area 10",
    "ionto dose new heel.toml --subject P-014 --area 10",
    "ionto dose new pulses.toml --current 2 --dose 5 --area 10 --polarity + --frequency 2 --duty 50 --reverse-at-half",
)(dose_new)
_SAMPLE = dosewriter.Wanted(
    Decimal(1), Decimal(1), Decimal(10), "+", "Bench resistor", "none", "resistor on the bench", Decimal(2), Decimal(2)
)
_LINES = "\n".join(f"  {line}" for line in dosewriter.write(_SAMPLE).splitlines()[1:] if line)
dose_new.epilog = f"{dose_new.epilog}\n\n\b\nA complete dose file:\n{_LINES}"
examples(
    "ionto dose check examples/bench_resistor.toml",
    "ionto dose check my_dose.toml --variant A --load 2000 --load 4700",
)(dose_check)
examples(
    "ionto dose push examples/bench_resistor.toml",
    "ionto dose push heel.toml --screening answers.toml",
    "ionto dose push heel.toml --course P-014",
)(dose_push)
examples("ionto dose show", "ionto dose show --json")(dose_show)

COMMANDS = (dose,)
