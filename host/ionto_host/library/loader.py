"""Loads the built-in library and a site's own folder, and checks both whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from ionto import dose as device_dose
from ionto import limits as device_limits
from ionto.limits import UC_PER_MA_MIN
from ionto_host.errors import LibraryError
from ionto_host.library import model
from ionto_host.library.model import Condition, Drug, Figure, Library, Question, Reaction, Regime, Rule, Source
from ionto_host.library.reader import DataFile, Entry, Problem, as_number

DATA = Path(__file__).parent / "data"
KINDS = ("sources", "drugs", "regimes", "conditions", "questions", "reactions", "rules")
FILES = {**{kind: f"{kind}.toml" for kind in KINDS}, "questions": "contraindications.toml"}
_FIGURE = ("low", "high", "unit", "kind", "note", "careful", "source")

Item = TypeVar("Item")


def own_folder() -> Path:
    """Return the folder of a site's own entries: IONTO_LIBRARY, or `library` in the user's configuration."""
    named = os.environ.get("IONTO_LIBRARY")
    return Path(named) if named else Path(platformdirs.user_config_dir("ionto", appauthor=False)) / "library"


def load() -> Library:
    """Return the built-in library with the entries of the site's own folder; `LibraryError` when that is wrong."""
    folder = own_folder()
    if not folder.is_dir():
        if os.environ.get("IONTO_LIBRARY"):
            raise LibraryError(f"IONTO_LIBRARY names {folder}, which is no folder", "Correct it, or unset it.")
        return built_in()
    library, problems = check_folder(folder)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise LibraryError(f"{problems[0].words()}{more}")
    return library


@cache
def built_in() -> Library:
    """Return the library that comes with the tool."""
    library, problems = _Builder().read(DATA).done()
    if problems:
        raise LibraryError(problems[0].words(), "Install the host tool again.")
    return library


def check_folder(folder: Path) -> tuple[Library, list[Problem]]:
    """Return the built-in library with the entries of `folder`, and all that is wrong there."""
    return _Builder().read(DATA).read(folder).done()


class _Builder:
    """Collects entries of several folders, then checks what refers to what."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self.entries: dict[tuple[str, str], Entry] = {}

    def read(self, folder: Path) -> _Builder:
        known = set(FILES.values())
        for path in sorted(folder.glob("*.toml")):
            if path.name not in known:
                self.problems.append(Problem(path, 0, f"unknown file; a library has {', '.join(sorted(known))}"))
        for kind, name in FILES.items():
            if (folder / name).is_file():
                self._read_file(kind, DataFile(folder / name, self.problems))
        return self

    def _read_file(self, kind: str, file: DataFile) -> None:
        for name, entry in file.entries(kind).items():
            if name in self.found[kind]:
                entry.complain("", f"{kind} already has {name}; choose another name")
                continue
            self.entries[kind, name] = entry
            self.found[kind][name] = _READERS[kind](entry)

    def done(self) -> tuple[Library, list[Problem]]:
        for (kind, name), entry in self.entries.items():
            self._check_references(kind, self.found[kind][name], entry)
        return Library(**self.found), self.problems

    def _check_references(self, kind: str, item: Any, entry: Entry) -> None:
        figures: list[Figure] = []
        if isinstance(item, Drug):
            self._known(entry, "regime", (item.regime,), "regimes")
            figures = list(item.strength)
        if isinstance(item, Regime):
            figures = [figure for group in item.figures.values() for figure in group]
        if isinstance(item, (Condition, Question)):
            self._known(entry, "drugs", item.drugs, "drugs")
        if isinstance(item, Question):
            self._known(entry, "conditions", item.conditions, "conditions")
            for name in item.details:
                if name not in self.found["conditions"] and name not in self.found["drugs"]:
                    entry.complain("details", f"details names {name}, which is no condition and no drug")
        sources = [*getattr(item, "source", ()), *(name for figure in figures for name in figure.source)]
        if kind != "sources":
            self._known(entry, "source", tuple(sources), "sources")

    def _known(self, entry: Entry, field: str, names: tuple[str, ...], kind: str) -> None:
        for name in names:
            if name not in self.found[kind]:
                entry.complain(field, f"{field} names {name}, which is not among the {kind}")


def _source(entry: Entry) -> Source:
    entry.only("title", "remark")
    return Source(entry.id, entry.text("title"), entry.text("remark", ""))


def _drug(entry: Entry) -> Drug:
    entry.only("name", "short", "aliases", "class", "pole", "regime", "strength", "source")
    name = entry.text("name")
    short = entry.text("short", name)
    if len(short) > device_dose.MAX_TEXT - 2:
        entry.complain("short", f"short has at most {device_dose.MAX_TEXT - 2} characters, as the dose names it")
    strength = tuple(_figure(entry, "strength", item, None) for item in entry.tables("strength"))
    pole = entry.word("pole", model.POLES)
    aliases = entry.texts("aliases", needed=False)
    kind, regime = entry.text("class"), entry.text("regime")
    return Drug(entry.id, name, short, aliases, kind, pole, regime, strength, entry.texts("source"))


def _regime(entry: Entry) -> Regime:
    entry.only("name", "variant", *model.QUANTITIES)
    variant = entry.word("variant", ("A", "B"))
    figures: dict[str, tuple[Figure, ...]] = {}
    for quantity, unit in model.QUANTITIES.items():
        figures[quantity] = tuple(_figure(entry, quantity, item, unit) for item in entry.tables(quantity))
        if not any(item.high is not None and item.kind != model.CONTEXT for item in figures[quantity]):
            entry.complain(quantity, f"{quantity} needs a figure that is a ceiling or usual")
        _inside_the_device(entry, variant, quantity, figures[quantity])
    return Regime(entry.id, entry.text("name"), variant, figures)


def _figure(entry: Entry, field: str, body: dict[str, Any], unit: str | None) -> Figure:
    for name in body:
        if name not in _FIGURE:
            entry.complain(field, f"unknown field {name} in a figure of {field}; known: {', '.join(_FIGURE)}")
    numbers = {end: as_number(body[end]) for end in ("low", "high") if end in body}
    note, kind, careful = body.get("note", ""), body.get("kind", model.USUAL), body.get("careful", False)
    low, high = numbers.get("low"), numbers.get("high")
    sources = body.get("source")
    if not isinstance(sources, list) or not sources or not all(isinstance(item, str) for item in sources):
        entry.complain(field, f"every figure needs a source: {field} has one without")
        sources = []
    if None in numbers.values() or ("low" in numbers and high is None) or (low and high and low > high):
        entry.complain(field, f"{field}: low and high are numbers above 0, low not above high")
    if not numbers and not note:
        entry.complain(field, f"{field}: a figure without a number needs a note that says why")
    if kind not in model.KINDS or not isinstance(note, str) or type(careful) is not bool:
        entry.complain(field, f"{field}: kind is one of {', '.join(model.KINDS)}, note a text, careful true or false")
    return Figure(low, high, unit or str(body.get("unit", "")), tuple(sources), str(kind), str(note), careful is True)


def _inside_the_device(entry: Entry, variant: str, quantity: str, figures: tuple[Figure, ...]) -> None:
    """Complain about a figure that is used and lies outside the absolute limits of the build variant."""
    limits = device_limits.for_variant(variant)
    ranges = {
        "current_ma": (limits.min_current_ua, limits.max_current_ua, 1_000),
        "dose_ma_min": (limits.min_dose_uc, limits.max_dose_uc, UC_PER_MA_MIN),
        "density_ma_cm2": (1, limits.max_density_ua_cm2, 1_000),
        "minutes": (0, limits.max_session_ms, 60_000),
        "ramp_s": (limits.min_ramp_ms, limits.max_ramp_ms, 1_000),
    }
    if quantity not in ranges:
        return
    low, high, factor = ranges[quantity]
    for figure in figures:
        ends = [end for end in (figure.low, figure.high) if end is not None and figure.kind != model.CONTEXT]
        if any(not Decimal(low) <= end * factor <= Decimal(high) for end in ends):
            span = f"{Decimal(low) / factor:f} to {Decimal(high) / factor:f}"
            entry.complain(quantity, f"{quantity}: {figure.words()} is outside build variant {variant}: {span}")


def _condition(entry: Entry) -> Condition:
    entry.only("name", "site", "drugs", "source")
    site = entry.text("site")
    if len(site) > device_dose.MAX_TEXT:
        entry.complain("site", f"site has at most {device_dose.MAX_TEXT} characters, as the dose names it")
    return Condition(entry.id, entry.text("name"), site, entry.texts("drugs"), entry.texts("source"))


def _question(entry: Entry) -> Question:
    entry.only("ask", "reason", "applies", "conditions", "drugs", "details", "source")
    applies = entry.word("applies", model.APPLIES)
    only_for = (entry.texts("conditions", needed=False), entry.texts("drugs", needed=False))
    texts = (entry.text("ask"), entry.text("reason"), applies, entry.texts("source"))
    return Question(entry.id, *texts, *only_for, entry.pairs("details"))


def _reaction(entry: Entry) -> Reaction:
    entry.only("name", "severity", "source")
    return Reaction(
        entry.id, entry.text("name"), entry.integer("severity", 0, model.STOP_SEVERITY), entry.texts("source")
    )


def _rule(entry: Entry) -> Rule:
    entry.only("value", "unit", "why", "source")
    return Rule(entry.id, entry.number("value"), entry.text("unit"), entry.text("why"), entry.texts("source"))


_READERS: dict[str, Callable[[Entry], Any]] = {
    "sources": _source,
    "drugs": _drug,
    "regimes": _regime,
    "conditions": _condition,
    "questions": _question,
    "reactions": _reaction,
    "rules": _rule,
}
