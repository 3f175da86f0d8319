"""The contraindication questions of a dose: which are asked, how answers are read, judged and kept.

In full they are kept on the host: a file beside the pulled logs, named by the digest of the dose, which the log's first
record carries too. In one line they go with the dose to the device, and into that record.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ionto.dose import MAX_SCREENING, canonical
from ionto_host import wholefile
from ionto_host.dose.file import DoseFile
from ionto_host.errors import ScreeningError
from ionto_host.library.model import DRUG_ONLY, WATER, Drug, Library
from ionto_host.library.polarity import NO_DRUG, drugs_in, words
from ionto_host.library.reader import tomllib
from ionto_host.logs import store as logstore
from ionto_host.notice import NOTICE
from ionto_host.units import printable

SCHEMA = 1
BENCH_WORD = "bench"
EVERY = "every"
FOLDER = "screening"
MAX_FILE_BYTES = 64 * 1024
EXEMPTION = 'drug "none" and a site with the word "bench": nobody is connected, so nothing is asked'
BENCH_TEXT = "bench, no screening"
_NEXT = "`ionto presets screening PRESET` prints a file to fill in; pass it with --screening FILE."
_WORDS = {"yes": True, "no": False}
_KNOWN = ("schema", "preset", "subject", "answers")


@dataclass(frozen=True)
class Asked:
    """A question as it is put, why a yes refuses the dose, what it is asked for, and who says so."""

    id: str
    text: str
    reason: str
    asked_for: str
    source: str


@dataclass(frozen=True)
class Answers:
    """What was answered (True is yes), by whom: "asked" at the terminal, or "file" with its SHA-256."""

    values: dict[str, bool]
    how: str
    subject: str = ""
    sha256: str = ""


def exempt(fields: dict[str, Any], therapy: dict[str, Any]) -> bool:
    """Return True for a dose of the bench: no drug, no subject and no preset, and a site that says bench."""
    names_person = bool(therapy.get("subject") or therapy.get("preset"))
    return not names_person and words(str(fields["drug"])) == [NO_DRUG] and BENCH_WORD in words(str(fields["site"]))


def questions(drug_text: str, library: Library, preset: str = "") -> list[Asked]:
    """Return the questions for a dose whose drug is `drug_text`, for the condition of `preset`, if it follows one.

    In the order of the library: those for every dose, then those that only its condition or its drugs raise.
    """
    known: list[Drug] = drugs_in(drug_text, library)
    no_drug = words(drug_text) == [NO_DRUG] or (bool(known) and all(drug.id == WATER for drug in known))
    about = [drug.id for drug in known]
    if preset:
        about.insert(0, library.preset(preset).condition.id)
    asked: list[Asked] = []
    for item in library.questions.values():
        raised_by = [name for name in about if name in item.conditions or name in item.drugs]
        special = bool(item.conditions or item.drugs)
        if (no_drug and item.applies == DRUG_ONLY) or (special and not raised_by):
            continue
        text = " ".join([item.ask, *(item.details[name] for name in about if name in item.details)])
        name = printable(drug_text) or "the drug"
        whom = ", ".join(_name(each, library) for each in raised_by) or (
            f"{EVERY} {'drug' if item.applies == DRUG_ONLY else 'dose'}"
        )
        asked.append(Asked(item.id, text.replace("{drug}", name), item.reason, whom, library.cite(item.source)))
    return asked


def _name(entry: str, library: Library) -> str:
    return library.drugs[entry].name if entry in library.drugs else library.conditions[entry].name.lower()


def template(asked: list[Asked], preset: str = "") -> str:
    """Return a screening file to fill in for `preset`; as it stands it is refused."""
    title = f"Answers to the contraindication questions{f' of {preset}' if preset else ''}."
    named = [f'preset = "{preset}"'] if preset else []
    lines = [f"# {title} {NOTICE}", f"schema = {SCHEMA}", *named, "", "[answers]"]
    for item in asked:
        lines += [f"# {item.text}", f'{item.id} = "?"  # "yes" or "no"; for {item.asked_for} ({item.source})']
    return "\n".join(lines) + "\n"


def read(path: Path, asked: list[Asked], preset: str = "") -> Answers:
    """Return the answers in the TOML or JSON file `path`; `ScreeningError` unless every question has a yes or no.

    A file that names a preset is refused for a dose of another, which words its questions for another condition.
    """
    data = path.read_bytes()
    if len(data) > MAX_FILE_BYTES:
        raise ScreeningError(f"{path}: larger than {MAX_FILE_BYTES // 1024} kB, so no screening file", _NEXT)
    body = _parsed(path, data)
    for key in body:
        if key not in _KNOWN:
            raise ScreeningError(f"{path}: unknown field {printable(key)}; known: {', '.join(_KNOWN)}", _NEXT)
    if body.get("schema") != SCHEMA or not isinstance(body.get("answers"), dict):
        raise ScreeningError(f"{path}: schema = {SCHEMA} and a table [answers] are needed", _NEXT)
    if preset and body.get("preset", preset) != preset:
        said = f"{path}: answers for preset {printable(str(body['preset']))}, and the dose follows {preset}"
        raise ScreeningError(said, _NEXT, field="preset")
    subject = body.get("subject", "")
    if not isinstance(subject, str):
        raise ScreeningError(f"{path}: subject has to be a subject code in quotes", _NEXT)
    values = {item.id: _answer(path, body["answers"], item) for item in asked}
    for name, value in body["answers"].items():  # also of questions that are not asked: a yes is a yes
        if name not in values and _as_bool(value) is not False:
            raise ScreeningError(f"{path}: {printable(name)} is no question of this dose, and not answered no", _NEXT)
    return Answers(values, "file", subject, hashlib.sha256(data).hexdigest())


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
        is_json = path.suffix.lower() == ".json"
        body = json.loads(text) if is_json else tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ScreeningError(f"{path}: neither TOML nor JSON: {printable(str(error))}", _NEXT) from error
    if not isinstance(body, dict):
        raise ScreeningError(f"{path}: a table is expected", _NEXT)
    return body


def _as_bool(value: Any) -> bool | None:
    if isinstance(value, str):
        return _WORDS.get(value.casefold())
    return value if isinstance(value, bool) else None


def _answer(path: Path, given: dict[str, Any], item: Asked) -> bool:
    value = _as_bool(given.get(item.id))
    if value is None:
        said = "is not answered" if item.id not in given else f"is {printable(repr(given[item.id]))}"
        raise ScreeningError(
            f'{path}: {item.id} {said}; "yes" or "no" is needed: {item.text}', _NEXT, field=item.id, question=item.text
        )
    return value


def judge(asked: list[Asked], answers: Answers) -> None:
    """Return when every question is answered with no; `ScreeningError` with the reasons otherwise."""
    said_yes = [item for item in asked if answers.values.get(item.id)]
    if said_yes:
        reasons = "; ".join(f"{item.id}: yes ({item.reason})" for item in said_yes)
        raise ScreeningError(
            f"the screening refuses this dose: {reasons}",
            "No session. What was sent to the device before is unchanged: `ionto dose show`.",
            answered_yes=[item.id for item in said_yes],
        )
    missing = [item.id for item in asked if item.id not in answers.values]
    if missing:
        raise ScreeningError(f"not answered: {', '.join(missing)}", _NEXT)


def line(time_s: int, preset: str, asked: list[Asked], answers: Answers) -> str:
    """Return the answers in one line for the dose: date, preset, how, and the questions by what was answered.

    At most `ionto.dose.MAX_SCREENING` printable ASCII characters; questions that do not fit are counted as more.
    """
    ordered = sorted(asked, key=lambda item: item.asked_for.startswith(EVERY))  # those of drug and condition first
    said = {item.id: answers.values.get(item.id) for item in ordered}
    parts = [time.strftime("%Y-%m-%d", time.localtime(time_s)), preset or "no preset", answers.how]
    for word, value in (("yes", True), ("no", False)):
        ids = [name for name, answer in said.items() if answer is value]
        if ids:
            parts.append(f"{len(ids)} {word}: {' '.join(ids)}")
    text = "".join(char if " " <= char <= "~" else "?" for char in ", ".join(parts))
    words, left_out = text.split(" "), 0
    while len(text) > MAX_SCREENING and len(words) > 1:
        words.pop()
        left_out += 1
        text = f"{' '.join(words)} and {left_out} more"
    return text[:MAX_SCREENING]


def stamped(loaded: DoseFile, text: str) -> DoseFile:
    """Return the dose `loaded` with what was asked before it is pushed."""
    given = {**loaded.fields, "screening": text}
    return replace(loaded, fields=given, raw=canonical(given))


def sidecar_path(board_id: str, digest: str, time_s: int) -> Path:
    """Return the file for the answers given at `time_s` (Unix) for the dose `digest` on the board `board_id`."""
    return logstore.board_folder(board_id) / FOLDER / f"{digest[:16]}-{time_s}.json"


def save(path: Path, record: dict[str, Any]) -> None:
    """Write `record` (answers, dose digest, time) to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wholefile.write(path, json.dumps({"notice": NOTICE, **record}, indent=2, ensure_ascii=False) + "\n")


def of_subject(subject: str) -> list[Path]:
    """Return every file of answers that names `subject`."""
    found: list[Path] = []
    for path in logstore.default_folder().glob(f"*/{FOLDER}/*.json"):
        try:
            named = json.loads(path.read_text(encoding="utf-8")).get("subject")
        except (ValueError, AttributeError):
            continue
        if named == subject:
            found.append(path)
    return found


def delete_subject(subject: str) -> int:
    """Delete every file of answers that names `subject` and return how many there were."""
    found = of_subject(subject)
    for path in found:
        path.unlink()
    return len(found)
