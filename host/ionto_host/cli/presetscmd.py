"""Commands about the library: presets with their sources, the questions asked, a check of a folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ionto_host import library
from ionto_host.cli import completing
from ionto_host.cli.common import Answer, IontoGroup, examples, table
from ionto_host.dose import screening
from ionto_host.dose.screening import Asked
from ionto_host.errors import LibraryError, UsageError
from ionto_host.library.loader import FILES, own_folder
from ionto_host.library.model import CONTEXT, QUANTITIES, VERIFY, Drug, Figure, Library, Preset
from ionto_host.notice import NOTICE
from ionto_host.units import plain

_POLE_WORDS = {"alternate": "reversed at half", "verify": "VERIFY before use"}


@click.group(cls=IontoGroup)
def presets() -> None:
    """Presets for conditions and drugs, every figure with its source.

    For bench work, teaching and research; not a cleared medical device. A preset is a condition with a drug, such as
    plantar-fasciitis/lidocaine; the condition alone means its first drug.
    """


@presets.command("list")
def presets_list() -> Answer:
    """List the presets, and the drugs that no condition names."""
    lib = library.load()
    rows = [[item.id, item.drug.name, _pole(item.drug), *_defaults(item)] for item in lib.presets()]
    used = {item.drug.id for item in lib.presets()}
    others = [[item.id, item.name, _pole(item)] for item in lib.drugs.values() if item.id not in used]
    parts = [NOTICE, "", table(rows, ["preset", "drug", "pole", "from, mA", "at most, mA/cm2", "from, mA*min"])]
    if others:
        parts += ["", "Drugs that the sources name for no condition (`ionto presets show DRUG`):", ""]
        parts.append(table(others, ["drug", "name", "pole"]))
    data = {"notice": NOTICE, "presets": [_summary(item) for item in lib.presets()], "drugs": _drugs(lib)}
    return Answer(data, "\n".join(parts))


def _pole(drug: Drug) -> str:
    return _POLE_WORDS.get(drug.pole, drug.pole)


def _defaults(preset: Preset) -> list[str]:
    regime = preset.regime
    values = (regime.start("current_ma"), regime.ceiling("density_ma_cm2"), regime.start("dose_ma_min"))
    return [plain(value) for value in values]


def _summary(preset: Preset) -> dict[str, Any]:
    regime = preset.regime
    defaults = {
        "current_ma": float(regime.start("current_ma")),
        "max_density_ma_cm2": float(regime.ceiling("density_ma_cm2")),
        "dose_ma_min": float(regime.start("dose_ma_min")),
    }
    return {
        "preset": preset.id,
        "condition": preset.condition.name,
        "drug": preset.drug.id,
        "pole": preset.drug.pole,
        "variant": regime.variant,
        "defaults": defaults,
    }


def _drugs(lib: Library) -> list[dict[str, Any]]:
    return [{"drug": item.id, "name": item.name, "pole": item.pole} for item in lib.drugs.values()]


@presets.command("show")
@click.argument("name", metavar="PRESET|DRUG", shell_complete=completing.presets)
def presets_show(name: str) -> Answer:
    """Show every figure of a preset or a drug with its source; the careful default is marked."""
    lib = library.load()
    if name in lib.drugs:
        drug = lib.drugs[name]
        head, about = drug.name, {"drug": name, "name": drug.name, "pole": drug.pole}
        return _shown(head, about, drug, _drug_rows(drug, lib), screening.questions(drug.name, lib), lib)
    preset = lib.preset(name)
    rows = _drug_rows(preset.drug, lib) + _regime_rows(preset, lib)
    asked = screening.questions(preset.drug.name, lib, preset.id)
    head = f"{preset.condition.name}, {preset.drug.name} ({preset.regime.name}, build variant {preset.regime.variant})"
    return _shown(head, _summary(preset), preset.drug, rows, asked, lib)


def _shown(
    head: str, about: dict[str, Any], drug: Drug, rows: list[list[str]], asked: list[Asked], lib: Library
) -> Answer:
    told = "; ".join([*(row[-1] for row in rows), *(item.source for item in asked)])
    sources = [item for item in lib.sources.values() if item.title in told.split("; ")]
    lines = [head, NOTICE, "", _rows_text(rows) + _verify_note(drug), "", "Asked before a push:"]
    for number, item in enumerate(asked, 1):
        lines += [f"{number:>3}. {item.text}", f"     for {item.asked_for} ({item.source})"]
    lines += ["", "Sources:", *(f"  {item.title}{item.remark and f': {item.remark}'}" for item in sources)]
    data = {"notice": NOTICE, **about, "figures": _as_data(rows), "questions": asked, "sources": sources}
    return Answer(data, "\n".join(lines))


def _verify_note(drug: Drug) -> str:
    if drug.pole != VERIFY:
        return ""
    return "\nThe sources give no pole: a dose is refused until you say with --pole-verified where you looked it up."


def _drug_rows(drug: Drug, lib: Library) -> list[list[str]]:
    rows = [["pole", _pole(drug), "", lib.cite(drug.source)]]
    return rows + [["strength", item.words(), "", lib.cite(item.source)] for item in drug.strength]


def _regime_rows(preset: Preset, lib: Library) -> list[list[str]]:
    rows: list[list[str]] = []
    for quantity in QUANTITIES:
        figures = preset.regime.figures[quantity]
        careful = preset.regime.careful(quantity)
        used = [item for item in figures if item.kind != CONTEXT]
        rows += [[quantity, item.words(), _mark(item, careful, len(used)), lib.cite(item.source)] for item in figures]
    return rows


def _mark(item: Figure, careful: Figure, count: int) -> str:
    if item.kind == CONTEXT:
        return "context only"
    return "careful default" if item is careful and count > 1 else ""


def _rows_text(rows: list[list[str]]) -> str:
    return table(rows, ["what", "figure", "", "source"])


def _as_data(rows: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(("what", "figure", "mark", "source"), row, strict=True)) for row in rows]


@presets.command("screening")
@click.argument("preset", metavar="PRESET", shell_complete=completing.presets)
def presets_screening(preset: str) -> Answer:
    """Print a screening file for a preset, to be filled in and given to `ionto dose push --screening FILE`."""
    lib = library.load()
    chosen = lib.preset(preset)
    asked = screening.questions(chosen.drug.name, lib, chosen.id)
    data = {"notice": NOTICE, "preset": chosen.id, "questions": asked}
    return Answer(data, screening.template(asked, chosen.id).rstrip("\n"))


@presets.command("check")
@click.argument("folder", required=False, type=click.Path(file_okay=False, exists=True, path_type=Path))
def presets_check(folder: Path | None) -> Answer:
    """Check a library of your own, with the line of everything that is wrong.

    FOLDER holds files named as the built-in ones (drugs.toml, conditions.toml, sources.toml, ...) with further entries;
    without it the folder of IONTO_LIBRARY, or `library` in your configuration folder, is checked. Every figure needs a
    source, every drug a pole ("+", "-", "alternate") or "verify", and figures lie inside the limits of the device.
    """
    given = folder or own_folder()
    if not given.is_dir():
        raise UsageError(f"there is no folder {given}", f"It may hold: {', '.join(sorted(FILES.values()))}.")
    found, problems = library.check_folder(given)
    if problems:
        raise LibraryError(
            "\n".join(item.words() for item in problems),
            "Correct these lines; nothing of the folder is used before.",
            problems=[item._asdict() | {"path": str(item.path)} for item in problems],
        )
    built = library.built_in()
    added = {kind: sorted(set(getattr(found, kind)) - set(getattr(built, kind))) for kind in FILES}
    told = ", ".join(f"{len(names)} {kind}" for kind, names in added.items() if names) or "nothing"
    return Answer({"notice": NOTICE, "folder": given, "added": added}, f"{given} is sound. It adds {told}.\n{NOTICE}")


examples("ionto presets list", "ionto presets show plantar-fasciitis/lidocaine")(presets)
examples("ionto presets list", "ionto presets list --json")(presets_list)
examples(
    "ionto presets show plantar-fasciitis", "ionto presets show glycopyrrolate", "ionto presets show bursitis --json"
)(presets_show)
examples("ionto presets screening plantar-fasciitis > screening.toml")(presets_screening)
examples("ionto presets check", "ionto presets check my_library/")(presets_check)

COMMANDS = (presets,)
