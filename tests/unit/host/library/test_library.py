"""The library: a source for every figure, careful defaults, a pole for every drug, and complaints with their line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionto import dose as device_dose
from ionto_host import library
from ionto_host.dose import file as dosefile
from ionto_host.dose import screening
from ionto_host.dose import writer as dosewriter
from ionto_host.errors import LibraryError, RefusedError, UsageError
from ionto_host.library import polarity
from ionto_host.library.model import ALTERNATE, CONTEXT, VERIFY, Drug, Figure

LIB = library.built_in()
SIGNS = {"+": device_dose.POLE_POSITIVE, "-": device_dose.POLE_NEGATIVE}
POLES = {  # as the clinical facts of this project have them
    "dexamethasone": "-",
    "acetic-acid": "-",
    "iodine": "-",
    "ketoprofen": "-",
    "lidocaine": "+",
    "hyaluronidase": "+",
    "calcium-chloride": "+",
    "magnesium-chloride": "+",
    "hydrocortisone": "+",
    "glycopyrrolate": VERIFY,
    "tap-water": ALTERNATE,
}
CONDITIONS = {"tendinitis", "bursitis", "plantar-fasciitis", "arthritis", "musculoskeletal-pain", "hyperhidrosis"}


def fields(drug: str, sign: str = "+", reversal: str = "none") -> dict[str, object]:
    """Return what a polarity check looks at."""
    return {"drug": drug, "polarity": SIGNS[sign], "reversal": reversal}


def figures() -> list[Figure]:
    """Return every figure of the library."""
    found = [figure for regime in LIB.regimes.values() for group in regime.figures.values() for figure in group]
    return found + [figure for drug in LIB.drugs.values() for figure in drug.strength]


def test_everything_of_the_clinical_facts_is_there() -> None:
    """Each drug under its pole, each condition with a preset."""
    assert {name: drug.pole for name, drug in LIB.drugs.items()} == POLES
    assert set(LIB.conditions) == CONDITIONS
    assert {preset.condition.id for preset in LIB.presets()} == CONDITIONS


def test_every_figure_has_a_source_and_every_entry_too() -> None:
    """And the sources exist."""
    cited = [figure.source for figure in figures()]
    for kind in ("drugs", "conditions", "questions", "reactions", "rules"):
        cited += [item.source for item in getattr(LIB, kind).values()]
    assert all(source and set(source) <= set(LIB.sources) for source in cited)
    used = {name for source in cited for name in source}
    assert used == set(LIB.sources), "no source stands there for nothing"


def test_the_careful_figure_is_the_default() -> None:
    """Density: 0.2 of 0.5, 0.2 and 0.21; what is only context never counts."""
    for regime in LIB.regimes.values():
        used = [item for item in regime.figures["density_ma_cm2"] if item.kind != CONTEXT]
        assert regime.ceiling("density_ma_cm2") == min(item.high for item in used if item.high) == Decimal("0.2")
        assert regime.widest("density_ma_cm2") == Decimal("0.5")
    assert LIB.regimes["drug"].start("current_ma") == 2
    assert LIB.regimes["tap-water"].start("current_ma") == 10


@pytest.mark.parametrize("preset", LIB.presets(), ids=lambda item: item.id)
def test_every_preset_makes_a_dose_that_is_accepted(preset: library.Preset) -> None:
    """With its own careful figures, on its own build; a drug without a pole is refused until it is looked up."""
    regime, current = preset.regime, preset.regime.start("current_ma")
    sign = preset.drug.pole if preset.drug.pole in "+-" else "+"
    wanted = dosewriter.Wanted(
        current=current,
        dose_ma_min=regime.start("dose_ma_min"),
        area=current / regime.ceiling("density_ma_cm2"),
        polarity=sign,
        name=f"{preset.condition.name}, {preset.drug.short}",
        drug=preset.drug.name,
        site=preset.condition.site,
        max_density=regime.ceiling("density_ma_cm2"),
        reverse_at_half=preset.reversal == "half",
    )
    text = dosewriter.write(wanted, preset, LIB)
    loaded = dosefile.loads(text, Path("d.toml"))
    dosefile.check(loaded, regime.variant)
    assert all(line in text for line in ("Sources disagree", "not a cleared medical device"))
    if preset.drug.pole == VERIFY:
        with pytest.raises(RefusedError, match="give no pole"):
            polarity.judge(loaded.fields, LIB)
    else:
        assert polarity.judge(loaded.fields, LIB).checked


@pytest.mark.hazard("HAZ-35")
@pytest.mark.parametrize("drug", LIB.drugs.values(), ids=lambda item: item.id)
@pytest.mark.parametrize("spelling", ["{}", "{} 4 %", "Gel with {}, 5 mg/mL"])
def test_a_drug_under_the_wrong_pole_is_refused(drug: Drug, spelling: str) -> None:
    """By every name of it, with field, value and the next step; reversal puts half of it under the wrong pole."""
    for name in (drug.name, drug.name.upper(), *drug.aliases):
        text = spelling.format(name)
        wrong = {"+": fields(text, "-"), "-": fields(text, "+"), ALTERNATE: fields(text), VERIFY: fields(text)}
        with pytest.raises(RefusedError) as caught:
            polarity.judge(wrong[drug.pole], LIB)
        assert caught.value.details["drug"] == drug.id and caught.value.details["field"] and caught.value.action
        if drug.pole in "+-":
            assert polarity.judge(fields(text, drug.pole), LIB).checked
            with pytest.raises(RefusedError, match="reversal"):
                polarity.judge(fields(text, drug.pole, "half"), LIB)
    assert polarity.judge(fields("tap water", "+", "half"), LIB).checked


@pytest.mark.hazard("HAZ-35")
def test_two_drugs_for_opposite_poles_are_refused_whatever_the_pole() -> None:
    """No pole suits both."""
    for sign in "+-":
        with pytest.raises(RefusedError):
            polarity.judge(fields("lidocaine and dexamethasone", sign), LIB)
    assert polarity.judge(fields("lidocaine in tap water", "+"), LIB).checked


@pytest.mark.hazard("HAZ-35")
def test_a_slip_of_the_pen_does_not_get_past_the_check() -> None:
    """A name that is almost one of the library's is refused; a strange one is said not to be checked."""
    for text in ("dexametasone 4 mg/mL", "lidocain", "dexamethasonne", "glycopyrolate"):
        with pytest.raises(RefusedError, match="looks like"):
            polarity.judge(fields(text), LIB)
    verdict = polarity.judge(fields("citric acid"), LIB)
    assert not verdict.checked and "NOT checked" in verdict.text


@given(text=st.text(max_size=40), sign=st.sampled_from("+-"), reversal=st.sampled_from(("none", "half")))
def test_any_text_is_judged_or_refused(text: str, sign: str, reversal: str) -> None:
    """Never anything else."""
    try:
        verdict = polarity.judge(fields(text, sign, reversal), LIB)
    except RefusedError as error:
        assert error.action
    else:
        assert verdict.text.isprintable()


def test_questions_of_ones_own_drug(tmp_path: Path) -> None:
    """A site asks for its own drug and condition only; what it names has to exist."""
    own(tmp_path)
    question = """schema = 1
[questions.salt-free]
ask = "Is salt to be avoided?"
reason = "the salt is one"
applies = "drug"
drugs = ["my-salt"]
source = ["my-paper"]
[questions.salt-free.details]
bursitis = "Also a little."
"""
    (tmp_path / "contraindications.toml").write_text(question)
    lib, problems = library.check_folder(tmp_path)
    assert problems == []
    asked = {item.id: item.text for item in screening.questions("my salt 2 %", lib, "bursitis")}
    assert asked["salt-free"] == "Is salt to be avoided? Also a little."
    assert "salt-free" not in {item.id for item in screening.questions("lidocaine", lib, "bursitis")}
    for old, new, line, said in (
        ('drugs = ["my-salt"]', 'drugs = ["pepper"]', 6, "drugs names pepper"),
        ("bursitis =", "nothing =", 8, "details names nothing"),
        ('"Also a little."', "1", 8, "table of texts"),
        ("drugs =", "conditions =", 6, "conditions names my-salt"),
    ):
        (tmp_path / "contraindications.toml").write_text(question.replace(old, new))
        told = [item.words() for item in library.check_folder(tmp_path)[1]]
        assert any(f"line {line}: " in text and said in text for text in told), told


GOOD_DRUG = """schema = 1
[drugs.my-salt]
name = "my salt"
class = "salt"
pole = "+"
regime = "drug"
strength = [{ low = 1, high = 2, unit = "%", source = ["my-paper"] }]
source = ["my-paper"]
"""
GOOD_SOURCE = 'schema = 1\n[sources.my-paper]\ntitle = "A paper"\n'


def own(folder: Path, drugs: str = GOOD_DRUG, sources: str = GOOD_SOURCE) -> list[str]:
    """Return what is wrong with a library of one drug."""
    (folder / "drugs.toml").write_text(drugs)
    (folder / "sources.toml").write_text(sources)
    return [item.words() for item in library.check_folder(folder)[1]]


def test_a_folder_of_ones_own_adds_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And they are checked as the built-in ones."""
    assert own(tmp_path) == []
    monkeypatch.setenv("IONTO_LIBRARY", str(tmp_path))
    lib = library.load()
    assert lib.drugs["my-salt"].pole == "+" and len(lib.drugs) == len(LIB.drugs) + 1
    with pytest.raises(RefusedError):
        polarity.judge(fields("my salt", "-"), lib)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('class = "salt"', 'class = "salt"\ncolour = "red"', 5, "unknown field colour"),
        ('pole = "+"', 'pole = "up"', 5, "pole is 'up'"),
        ('pole = "+"\n', "", 2, "pole is None"),
        (', source = ["my-paper"] }', " }", 7, "needs a source"),
        ('source = ["my-paper"]\n', 'source = ["no-paper"]\n', 8, "no-paper"),
        ("low = 1", "low = 3", 7, "low not above high"),
        ("low = 1", 'low = "1"', 7, "numbers above 0"),
        ('regime = "drug"', 'regime = "magic"', 6, "names magic"),
        ("[drugs.my-salt]", "[drugs.My_Salt]", 2, "lower-case"),
        ("[drugs.my-salt]", "[drugs.lidocaine]", 2, "already has lidocaine"),
        ("[drugs.my-salt]", "[medicine.my-salt]", 2, "unknown table"),
        ("schema = 1", "schema = 2", 1, "schema has to be 1"),
        ('name = "my salt"', 'name = "my salt', 3, "not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    """File, line, and what is allowed."""
    problems = own(tmp_path, GOOD_DRUG.replace(old, new, 1))
    assert any(f"drugs.toml, line {line}: " in text and said in text for text in problems), problems


def test_a_figure_outside_the_device_is_refused(tmp_path: Path) -> None:
    """No preset asks for more than a board can ever do; context may."""
    text = (library.loader.DATA / "regimes.toml").read_text()
    regime = text[text.index("[regimes.drug]") : text.index("[regimes.tap-water]")].replace(
        "regimes.drug", "regimes.own"
    )
    (tmp_path / "regimes.toml").write_text("schema = 1\n" + regime.replace("high = 4,", "high = 9,"))
    (problem,) = library.check_folder(tmp_path)[1]
    assert "outside build variant A: 0.1 to 4" in problem.text and problem.line


def test_a_broken_library_of_ones_own_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is checked with half a library."""
    own(tmp_path, GOOD_DRUG.replace('pole = "+"', 'pole = "?"'))
    monkeypatch.setenv("IONTO_LIBRARY", str(tmp_path))
    with pytest.raises(LibraryError, match=r"line 5"):
        library.load()
    monkeypatch.setenv("IONTO_LIBRARY", str(tmp_path / "none"))
    with pytest.raises(LibraryError, match="no folder"):
        library.load()


@given(text=st.text(max_size=200))
def test_garbage_is_a_problem_never_an_exception(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a file holds."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "drugs.toml").write_text(text, encoding="utf-8", errors="replace")
    assert library.check_folder(folder)[1]


def test_unknown_presets_name_the_known_ones() -> None:
    """As a usage error."""
    assert LIB.preset("bursitis").id == LIB.preset("bursitis/").id == "bursitis/dexamethasone"
    for name, known in (("nothing", "tendinitis"), ("bursitis/iodine", "dexamethasone"), ("", "tendinitis")):
        with pytest.raises(UsageError, match=known):
            LIB.preset(name)
