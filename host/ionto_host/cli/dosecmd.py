"""Commands about doses: write a dose file, check it, give it to the device, show what the device holds."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from ionto.dose import HALF, NO_REVERSAL, PULSED, Dose
from ionto.limits import for_variant
from ionto_host import dosefile
from ionto_host.cli.common import Answer, IontoGroup, examples, note, open_device
from ionto_host.dosefile import DoseFile
from ionto_host.errors import ProtocolError, RefusedError, UsageError
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
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_VARIANT
@click.option("--current", type=_NUMBER, required=True, help="Current in mA.")
@click.option("--dose", "dose_ma_min", type=_NUMBER, required=True, help="Dose in mA*min.")
@click.option("--area", type=_NUMBER, required=True, help="Area of the smaller electrode in cm2.")
@click.option("--polarity", type=click.Choice(list(dosefile.POLES)), required=True, help="Pole under the drug.")
@click.option("--name", default="New dose", show_default=True, help="Name of the dose.")
@click.option("--drug", default="none", show_default=True, help="Drug or electrolyte.")
@click.option("--site", default="bench", show_default=True, help="Site on the body, or the load.")
@click.option("--ramp-up", type=_NUMBER, default="30", show_default=True, help="Ramp up in s.")
@click.option("--ramp-down", type=_NUMBER, default="30", show_default=True, help="Ramp down in s.")
@click.option("--frequency", type=_NUMBER, help="Pulses instead of direct current: how many a second.")
@click.option("--duty", type=_NUMBER, default="50", show_default=True, help="Of the pulses, in %.")
@click.option("--reverse-at-half", is_flag=True, help="Reverse the polarity at half of the dose.")
@click.option("--reverse-every", type=_NUMBER, help="Reverse the polarity every so many minutes.")
@click.option("--max-extension", type=_NUMBER, default="50", show_default=True, help="Poor contact: % longer, at most.")
@click.option("--starts", type=_NUMBER, default="1", show_default=True, help="Sessions without pushing it again.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def dose_new(file: Path, force: bool, variant: str | None, **values: Any) -> Answer:
    """Write a commented dose file to FILE and check it."""
    if values["reverse_at_half"] and values["reverse_every"] is not None:
        raise UsageError("--reverse-at-half and --reverse-every exclude each other", "Give one of them.")
    if file.exists() and not force:
        raise UsageError(f"{file} exists", "Choose another name, or overwrite it with --force.")
    text = _template(values)
    loaded = dosefile.loads(text, file)
    checked = dosefile.check(loaded, variant)
    file.write_text(text, encoding="utf-8")
    return Answer({"file": file, **_facts(loaded, checked)}, f"Written to {file}.\n{_text(loaded, checked)}")


def _template(values: dict[str, Any]) -> str:
    quoted = {key: json.dumps(values[key], ensure_ascii=False) for key in ("name", "drug", "site", "polarity")}
    return f"""# A dose for IontoPico: bench work, teaching and research; not a cleared medical device.
schema = 1
name = {quoted["name"]}
drug = {quoted["drug"]}
site = {quoted["site"]}

current_ma = {values["current"]}
dose_ma_min = {values["dose_ma_min"]}  # or duration_min, from first to last current
electrode_area_cm2 = {values["area"]}  # of the smaller electrode
max_density_ma_cm2 = 0.5  # the dose is refused above it
polarity = {quoted["polarity"]}  # the pole under the drug

ramp_up_s = {values["ramp_up"]}
ramp_down_s = {values["ramp_down"]}

max_extension_pct = {values["max_extension"]}  # how much longer a poor contact may make it
starts = {values["starts"]}  # how often START begins it before it has to be pushed again

{_waveform(values)}

{_reversal(values)}
"""


def _waveform(values: dict[str, Any]) -> str:
    if values["frequency"] is None:
        return '[waveform]\nkind = "dc"'
    return (
        f'[waveform]\nkind = "pulsed"\nfrequency_hz = {values["frequency"]}\nduty_pct = {values["duty"]}\nedge_ms = 20'
    )


def _reversal(values: dict[str, Any]) -> str:
    if values["reverse_every"] is not None:
        return f'[reversal]\nkind = "interval"\ninterval_min = {values["reverse_every"]}'
    return f'[reversal]\nkind = "{"half" if values["reverse_at_half"] else "none"}"'


@dose.command("check")
@click.argument("file", type=_FILE)
@_VARIANT
def dose_check(file: Path, variant: str | None) -> Answer:
    """Check the dose FILE against the device's limits and show what follows from it."""
    loaded = dosefile.load(file)
    checked = dosefile.check(loaded, variant)
    return Answer(_facts(loaded, checked), _text(loaded, checked))


@dose.command("push")
@click.argument("file", type=_FILE)
def dose_push(file: Path) -> Answer:
    """Give the dose FILE to the device, which checks it again; read it back and compare."""
    loaded = dosefile.load(file)
    with open_device() as device:
        variant = device.identity.variant
        checked = dosefile.check(loaded, variant)
        try:
            digest = device.push_dose(loaded.raw)
        except RefusedError as error:
            raise dosefile.explain(error.details, f"{file}, refused by the device") from error
        if device.identity.bench_strap:
            note("The bench strap is fitted: USB does not hold the output off.")
    data = {**_facts(loaded, checked), "variant": variant, "digest": digest}
    return Answer(data, f"{_text(loaded, checked)}\nOn the device, read back: digest {digest[:16]}.")


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
    return Answer(_facts(loaded, checked), _text(loaded, checked))


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
    "ionto dose new foot.toml --current 4 --dose 40 --area 10 --polarity - --drug dexamethasone --site heel",
    "ionto dose new pulses.toml --current 2 --dose 5 --area 10 --polarity + --frequency 2 --duty 50 --reverse-at-half",
)(dose_new)
_SAMPLE = {
    "name": "Bench resistor",
    "drug": "none",
    "site": "resistor on the bench",
    "polarity": "+",
    "current": 1,
    "dose_ma_min": 1,
    "area": 10,
    "ramp_up": 2,
    "ramp_down": 2,
    "frequency": None,
    "duty": 50,
    "reverse_at_half": False,
    "reverse_every": None,
    "max_extension": 50,
    "starts": 1,
}
_LINES = "\n".join(f"  {line}" for line in _template(_SAMPLE).splitlines()[1:] if line)
dose_new.epilog = f"{dose_new.epilog}\n\n\b\nA complete dose file:\n{_LINES}"
examples("ionto dose check examples/bench_resistor.toml", "ionto dose check my_dose.toml --variant A")(dose_check)
examples("ionto dose push examples/bench_resistor.toml")(dose_push)
examples("ionto dose show", "ionto dose show --json")(dose_show)

COMMANDS = (dose,)
