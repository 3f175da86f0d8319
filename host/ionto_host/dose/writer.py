"""Writes dose files: commented TOML, with the sources of a preset's figures in the comments."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ionto_host.library.model import CONTEXT, Figure, Library, Preset
from ionto_host.notice import NOTICE
from ionto_host.units import plain

WIDTH = 110


@dataclass(frozen=True)
class Wanted:
    """What a dose file is to say, in human units. `therapy` is its table of that name."""

    current: Decimal
    dose_ma_min: Decimal
    area: Decimal
    polarity: str
    name: str = "New dose"
    drug: str = "none"
    site: str = "bench"
    ramp_up: Decimal = Decimal(30)
    ramp_down: Decimal = Decimal(30)
    max_density: Decimal = Decimal("0.5")
    frequency: Decimal | None = None
    duty: Decimal = Decimal(50)
    reverse_at_half: bool = False
    reverse_every: Decimal | None = None
    max_extension: Decimal = Decimal(50)
    starts: Decimal = Decimal(1)
    therapy: dict[str, Any] = field(default_factory=dict)


def write(wanted: Wanted, preset: Preset | None = None, library: Library | None = None) -> str:
    """Return the text of the dose file; with `preset`, its figures and their sources stand in comments."""
    notes = _notes(preset, library) if preset and library else {}
    above = {key: "".join(f"\n# {line}" for line in lines) for key, lines in notes.items()}
    quoted = {key: _quoted(getattr(wanted, key)) for key in ("name", "drug", "site", "polarity")}
    return f"""# A dose for IontoPico. {NOTICE}{above.get("head", "")}
schema = 1
name = {quoted["name"]}{above.get("drug", "")}
drug = {quoted["drug"]}
site = {quoted["site"]}
{above.get("current", "")}
current_ma = {wanted.current}{above.get("dose", "")}
dose_ma_min = {wanted.dose_ma_min}  # or duration_min, from first to last current
electrode_area_cm2 = {wanted.area}  # of the smaller electrode{above.get("density", "")}
max_density_ma_cm2 = {wanted.max_density}  # the dose is refused above it
polarity = {quoted["polarity"]}  # the pole under the drug
{above.get("ramp", "")}
ramp_up_s = {wanted.ramp_up}
ramp_down_s = {wanted.ramp_down}

max_extension_pct = {wanted.max_extension}  # how much longer a poor contact may make it
starts = {wanted.starts}  # how often START begins it before it has to be pushed again

{_waveform(wanted)}

{_reversal(wanted)}
{_therapy(wanted.therapy)}"""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _waveform(wanted: Wanted) -> str:
    if wanted.frequency is None:
        return '[waveform]\nkind = "dc"'
    return f'[waveform]\nkind = "pulsed"\nfrequency_hz = {wanted.frequency}\nduty_pct = {wanted.duty}\nedge_ms = 20'


def _reversal(wanted: Wanted) -> str:
    if wanted.reverse_every is not None:
        return f'[reversal]\nkind = "interval"\ninterval_min = {wanted.reverse_every}'
    return f'[reversal]\nkind = "{"half" if wanted.reverse_at_half else "none"}"'


def _therapy(table: dict[str, Any]) -> str:
    if not table:
        return ""
    lines = ["", "[therapy]  # stays on the host: what the dose is for, and what was proposed"]
    for key, value in table.items():
        if isinstance(value, list):
            lines += [f"{key} = [", *(f"  {_quoted(item)}," for item in value), "]"]
        else:
            lines.append(f"{key} = {_quoted(value) if isinstance(value, str) else value}")
    return "\n".join(lines) + "\n"


def _notes(preset: Preset, library: Library) -> dict[str, list[str]]:
    """Return the comment lines above each part of the file."""
    figures = preset.regime.figures
    drug = preset.drug
    strength = [f"{item.words()}: {library.cite(item.source)}" for item in drug.strength]
    pole = f"pole {drug.pole}: {library.cite(drug.source)}"
    head = f"Preset {preset.id}. It is no prescription: it holds figures of the sources named, for loads on a bench."
    return {
        "head": _wrapped([head]),
        "drug": _wrapped([f"{drug.name}, {pole}. Strength: {'; '.join(strength)}."]),
        "current": _wrapped(["Sources for the current: " + _cited(figures["current_ma"], library)]),
        "dose": _wrapped(["Sources for the dose: " + _cited(figures["dose_ma_min"], library)]),
        "density": _wrapped(["Sources disagree about the density: " + _cited(figures["density_ma_cm2"], library)]),
        "ramp": _wrapped(["Ramps: " + _cited(figures["ramp_s"], library)]),
    }


def _cited(figures: tuple[Figure, ...], library: Library) -> str:
    told = [
        f"{item.words()} [{library.cite(item.source)}{', context only' if item.kind == CONTEXT else ''}]"
        for item in figures
    ]
    return "; ".join(told) + "."


def _wrapped(lines: list[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, WIDTH - 2)]


def number(value: Decimal) -> Decimal:
    """Return `value` without needless zeros, as it is to stand in a file."""
    return Decimal(plain(value))
