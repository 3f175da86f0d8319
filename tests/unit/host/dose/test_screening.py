"""Screening: every question asked, none skipped, a yes refuses, and the answers are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionto.dose import MAX_SCREENING
from ionto_host import library
from ionto_host.dose import screening
from ionto_host.dose.screening import Answers
from ionto_host.errors import ScreeningError

LIB = library.built_in()
ASKED = screening.questions("lidocaine 4 %", LIB)
ALL_NO = {item.id: False for item in ASKED}


def written(folder: Path, answers: object, **more: object) -> Path:
    """Write a screening file in JSON."""
    path = folder / "answers.json"
    path.write_text(json.dumps({"schema": 1, "answers": answers, **more}))
    return path


@pytest.mark.hazard("HAZ-36")
def test_the_questions_are_those_of_the_clinical_facts() -> None:
    """Each of them is asked, the allergy by the name of the drug; water alone has none."""
    text = " ".join(item.text for item in ASKED).lower()
    for word in ("pacemaker", "defibrillator", "pregnancy", "metal", "iud", "open", "scarred", "diseased", "sensation"):
        assert word in text
    for word in ("epilepsy", "heart", "malignancy", "infection", "thrombosis", "lidocaine 4 %", "orbital", "brain"):
        assert word in text
    water = {item.id for item in screening.questions("tap water", LIB)}
    assert water == {item.id for item in screening.questions("none", LIB)} and len(water) == 11
    assert {item.id for item in screening.questions("something new", LIB)} == water | {"drug-allergy"}
    assert set(ALL_NO) == water | {"drug-allergy", "amide-or-sulfite-allergy"}


@pytest.mark.hazard("HAZ-36")
@pytest.mark.parametrize(
    ("preset", "special"),
    [
        ("plantar-fasciitis", {"fungal-infection"}),
        ("bursitis/lidocaine", {"amide-or-sulfite-allergy"}),
        ("arthritis/ketoprofen", {"analgesic-asthma"}),
        ("tendinitis/hydrocortisone", set[str]()),
        ("hyperhidrosis", {"metal-under-water"}),
        ("hyperhidrosis/glycopyrrolate", {"metal-under-water", "anticholinergic"}),
    ],
)
def test_a_preset_is_asked_about_its_own_condition_and_drug(preset: str, special: set[str]) -> None:
    """Beside what every dose is asked: its own questions, each with a source, and what counts at its site."""
    asked = screening.questions(LIB.preset(preset).drug.name, LIB, preset)
    assert {item.id for item in asked if not item.asked_for.startswith("every")} == special
    assert len(asked) == len({item.id for item in asked}) and all(item.source and item.reason for item in asked)
    said = {item.id: item.text for item in asked}
    assert ("cracked heel" in said["damaged-skin"]) == (preset == "plantar-fasciitis")
    assert ("Two hands" in said["path-chest-brain"]) == preset.startswith("hyperhidrosis")
    assert ("infected joint" in said["malignancy-infection"]) == preset.startswith("arthritis")


@pytest.mark.hazard("HAZ-36")
@pytest.mark.parametrize(
    ("drug", "site", "therapy", "exempt"),
    [
        ("none", "bench", {}, True),
        ("None", "resistor on the bench", {}, True),
        ("none", "elbow", {}, False),
        ("none", "workbenches", {}, False),
        ("lidocaine", "bench", {}, False),
        ("tap water", "bench", {}, False),
        ("", "bench", {}, False),
        ("none", "bench", {"subject": "P-01"}, False),
        ("none", "bench", {"preset": "bursitis"}, False),
    ],
)
def test_only_a_dose_of_the_bench_is_exempt(drug: str, site: str, therapy: dict[str, str], exempt: bool) -> None:
    """No drug, no person, and a site that says so."""
    assert screening.exempt({"drug": drug, "site": site}, therapy) is exempt


@pytest.mark.hazard("HAZ-36")
@given(answers=st.dictionaries(st.sampled_from([item.id for item in ASKED]), st.booleans()))
def test_only_no_to_every_question_passes(answers: dict[str, bool]) -> None:
    """Any yes and any gap refuse."""
    if answers == ALL_NO:
        screening.judge(ASKED, Answers(answers, "asked"))
        return
    with pytest.raises(ScreeningError) as caught:
        screening.judge(ASKED, Answers(answers, "asked"))
    assert caught.value.action
    assert all(item.reason in caught.value.message for item in ASKED if answers.get(item.id))


@pytest.mark.hazard("HAZ-36")
@pytest.mark.parametrize("value", [None, "?", "", 0, 1, "n", "maybe", [], {"no": True}])
def test_what_is_neither_yes_nor_no_is_not_answered(tmp_path: Path, value: object) -> None:
    """And the question is named."""
    path = written(tmp_path, {**dict.fromkeys(ALL_NO, "no"), "pregnancy": value})
    with pytest.raises(ScreeningError, match="pregnancy"):
        screening.read(path, ASKED)


@pytest.mark.hazard("HAZ-36")
def test_answers_for_another_preset_are_refused(tmp_path: Path) -> None:
    """The same drug, other words: a cracked heel counts as open skin for one of them only."""
    path = tmp_path / "answers.toml"
    path.write_text(screening.template(ASKED, "bursitis").replace('"?"', '"no"'))
    assert screening.read(path, ASKED, "bursitis").values == ALL_NO
    with pytest.raises(ScreeningError, match="for preset bursitis, and the dose follows plantar-fasciitis"):
        screening.read(path, ASKED, "plantar-fasciitis")


@pytest.mark.hazard("HAZ-36")
def test_files_are_read_as_toml_and_json(tmp_path: Path) -> None:
    """Words or booleans; the file as printed is refused until it is filled in."""
    assert screening.read(written(tmp_path, ALL_NO, subject="P-01"), ASKED).values == ALL_NO
    path = tmp_path / "answers.toml"
    path.write_text(screening.template(ASKED))
    with pytest.raises(ScreeningError, match="implanted-electronics is '\\?'"):
        screening.read(path, ASKED)
    path.write_text(screening.template(ASKED).replace('"?"', '"No"'))
    assert screening.read(path, ASKED).values == ALL_NO
    path.write_text(screening.template(ASKED).replace('"?"', '"yes"', 1).replace('"?"', '"no"'))
    with pytest.raises(ScreeningError, match="implanted electronics"):
        screening.judge(ASKED, screening.read(path, ASKED))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"schema": 1}', "answers"),
        ('{"schema": 2, "answers": {}}', "schema"),
        ('{"schema": 1, "answers": {}, "more": 1}', "unknown field more"),
        ('{"schema": 1, "answers": {}, "subject": 3}', "subject"),
        ("[]", "table"),
        ("{", "neither TOML nor JSON"),
        ('{"schema": 1, "answers": {}}', "is not answered"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, body: str, said: str) -> None:
    """With what is needed."""
    path = tmp_path / "answers.json"
    path.write_text(body)
    with pytest.raises(ScreeningError, match=said):
        screening.read(path, ASKED)


@pytest.mark.hazard("HAZ-36")
def test_a_yes_to_a_question_that_is_not_asked_counts(tmp_path: Path) -> None:
    """An allergy said in the file of a dose of water is not passed over."""
    path = written(tmp_path, {**ALL_NO, "drug-allergy": True})
    with pytest.raises(ScreeningError, match="drug-allergy"):
        screening.read(path, screening.questions("tap water", LIB))


@pytest.mark.hazard("HAZ-36")
@pytest.mark.parametrize("preset", LIB.presets(), ids=lambda item: item.id)
def test_the_line_for_the_log_counts_every_question(preset: library.Preset) -> None:
    """Those of drug and condition are named; what does not fit is counted, and nothing is cut in a word."""
    asked = screening.questions(preset.drug.name, LIB, preset.id)
    line = screening.line(1_772_445_600, preset.id, asked, Answers({item.id: False for item in asked}, "file"))
    assert len(line) <= MAX_SCREENING and line.isascii() and line.isprintable()
    head, _, names = line.partition(f" {len(asked)} no: ")
    named, _, more = names.partition(" and ")
    assert preset.id in head and set(named.split()) <= {item.id for item in asked}
    assert len(named.split()) + int(more.split()[0] if more else 0) == len(asked)
    assert {item.id for item in asked if not item.asked_for.startswith("every")} <= set(named.split())


@given(data=st.binary(max_size=200))
def test_any_bytes_are_answers_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Never anything else."""
    folder = tmp_path_factory.mktemp("answers")
    for name in ("a.toml", "a.json"):
        (folder / name).write_bytes(data)
        with pytest.raises(ScreeningError):
            screening.read(folder / name, ASKED)


def test_answers_are_kept_by_the_dose_and_deleted_by_the_code(store: Path) -> None:
    """Beside the logs of the board."""
    paths = [screening.sidecar_path("board", "ab" * 32, time_s) for time_s in (5, 6)]
    for path, subject in zip(paths, ("P-01", "P-02"), strict=True):
        screening.save(path, {"subject": subject})
    assert screening.delete_subject("P-01") == 1
    gone, left = paths
    assert not gone.exists()
    assert json.loads(left.read_text())["subject"] == "P-02" and "not a cleared" in left.read_text()
