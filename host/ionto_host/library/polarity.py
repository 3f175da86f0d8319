"""Does a dose put its drug under the pole that the library's sources give?"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

from ionto import dose as device_dose
from ionto.plan import NO_REVERSAL
from ionto_host.errors import RefusedError
from ionto_host.library.model import ALTERNATE, VERIFY, Drug, Library
from ionto_host.units import printable

NO_DRUG = "none"
CLOSE = 0.9  # how alike two names are that a slip may have made different
_SIGNS = {device_dose.POLE_POSITIVE: "+", device_dose.POLE_NEGATIVE: "-"}


@dataclass(frozen=True)
class Verdict:
    """The library's drugs that a dose names, and what a person is told about its polarity."""

    drugs: tuple[Drug, ...]
    text: str
    checked: bool


def words(text: str) -> list[str]:
    """Return the words of `text` in lower case, without punctuation and figures of strength."""
    return re.findall(r"[^\W\d_]+", text.casefold())


def drugs_in(text: str, library: Library) -> list[Drug]:
    """Return the drugs of the library that `text` names, by name or alias, as whole words."""
    joined = f" {' '.join(words(text))} "
    return [
        drug for drug in library.drugs.values() if any(f" {' '.join(words(name))} " in joined for name in _names(drug))
    ]


def judge(fields: dict[str, Any], library: Library, verified: str = "", where: str = "dose") -> Verdict:
    """Return the verdict on the canonical dose `fields`; `RefusedError` for a drug under the wrong pole.

    `verified` says where a person found the pole of a drug for which the sources give none.
    """
    text = str(fields["drug"])
    drugs = drugs_in(text, library)
    if not drugs:
        return _unknown(text, library, where)
    others = [drug for drug in drugs if drug.pole != ALTERNATE]
    drugs = others or drugs  # beside a drug, water is what it is dissolved in
    for drug in drugs:
        _judge_one(drug, fields, library, verified, where)
    told = "; ".join(_told(drug, library, verified) for drug in drugs)
    return Verdict(tuple(drugs), told, checked=True)


def _names(drug: Drug) -> tuple[str, ...]:
    return (drug.name, drug.short, *drug.aliases)


def _told(drug: Drug, library: Library, verified: str) -> str:
    if drug.pole == VERIFY:
        return f"{drug.name}: no pole in the sources; looked up by a person: {printable(verified)}"
    if drug.pole == ALTERNATE:
        return f"{drug.name}: reversed, as {library.cite(drug.source)} has it"
    return f"{drug.name}: under {drug.pole}, as {library.cite(drug.source)} has it"


def _judge_one(drug: Drug, fields: dict[str, Any], library: Library, verified: str, where: str) -> None:
    sign = _SIGNS.get(fields["polarity"], "?")
    reversal = str(fields["reversal"])
    sources = library.cite(drug.source)
    if drug.pole == VERIFY:
        if not verified:
            raise RefusedError(
                f"{where}: polarity is {sign} for {drug.name}, and the sources ({sources}) give no pole for it",
                "Look it up for the preparation at hand, then say where: --pole-verified 'leaflet of ...'.",
                field="polarity",
                value=sign,
                drug=drug.id,
            )
    elif drug.pole == ALTERNATE:
        if reversal == NO_REVERSAL:
            raise RefusedError(
                f'{where}: reversal is "none" for {drug.name}, which has to be reversed ({sources})',
                'Set reversal = "half" in the dose file.',
                field="reversal",
                value=reversal,
                drug=drug.id,
            )
    elif sign != drug.pole:
        raise RefusedError(
            f"{where}: polarity is {sign}, but {drug.name} goes under {drug.pole} ({sources})",
            f'Set polarity = "{drug.pole}", and connect the electrode over the drug to that pole.',
            field="polarity",
            value=sign,
            allowed=drug.pole,
            drug=drug.id,
        )
    elif reversal != NO_REVERSAL:
        raise RefusedError(
            f'{where}: reversal is "{reversal}", which puts {drug.name} under the wrong pole for a part of the dose: '
            f"it goes under {drug.pole} ({sources})",
            'Set reversal = "none".',
            field="reversal",
            value=reversal,
            allowed=NO_REVERSAL,
            drug=drug.id,
        )


def _unknown(text: str, library: Library, where: str) -> Verdict:
    """Return that nothing was checked; refuse a name that is almost one of the library's."""
    if words(text) == [NO_DRUG]:
        return Verdict((), "no drug", checked=True)
    close = _close(text, library)
    if close:
        raise RefusedError(
            f"{where}: drug is {printable(text)}, which is not in the library but looks like {close}",
            f"Write {close}, or add your drug to a library of your own: `ionto presets check --help`.",
            field="drug",
            value=text,
            allowed=close,
        )
    told = f"{printable(text)} is not in the library: its pole was NOT checked"
    return Verdict((), told, checked=False)


def _close(text: str, library: Library) -> str | None:
    """Return the name in the library that a slip of the pen may have meant in `text`."""
    said = words(text)
    for drug in library.drugs.values():
        for name in _names(drug):
            count = len(words(name))
            runs = [" ".join(said[start : start + count]) for start in range(len(said) - count + 1)]
            if difflib.get_close_matches(" ".join(words(name)), runs, 1, CLOSE):
                return name
    return None
