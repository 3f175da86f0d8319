"""Dose files: exact conversion, and a refusal that names field, value, range and line."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionto import dose, limits
from ionto_host.dose import file as dosefile
from ionto_host.errors import DoseFileError, IontoError, RefusedError

EXAMPLES = Path(__file__).parents[4] / "examples"
BENCH = EXAMPLES / "bench_resistor.toml"
GOOD = """schema = 1
name = "N"
drug = "D"
site = "S"
current_ma = 4
dose_ma_min = 40
electrode_area_cm2 = 10
polarity = "-"
ramp_up_s = 30
ramp_down_s = 30
waveform = "dc"
"""


PULSED = """[waveform]
kind = "pulsed"
frequency_hz = 2
duty_pct = 50
"""
INTERVAL = """[reversal]
kind = "interval"
interval_min = 2
"""


def load(text: str) -> dosefile.DoseFile:
    """Return the dose in `text`."""
    return dosefile.loads(text, Path("d.toml"))


def refusal(text: str) -> str:
    """Return what is said about `text`."""
    with pytest.raises(DoseFileError) as caught:
        load(text)
    return caught.value.message


@pytest.mark.hazard("HAZ-25")
def test_canonical_fields_are_exact() -> None:
    """Human units become the device's integers."""
    fields = load(GOOD).fields
    assert fields == {
        "schema": 1,
        "name": "N",
        "drug": "D",
        "site": "S",
        "current_ua": 4_000,
        "dose_uc": 2_400_000,
        "area_mm2": 1_000,
        "polarity": -1,
        "ramp_up_ms": 30_000,
        "ramp_down_ms": 30_000,
        "waveform": "dc",
        "pulse_on_ms": 0,
        "pulse_off_ms": 0,
        "pulse_edge_ms": 0,
        "reversal": "none",
        "reversal_interval_ms": 0,
        "max_extension_pct": 50,
        "starts": 1,
        "max_density_ua_cm2": 500,
    }
    assert list(fields) != sorted(fields)
    assert json.loads(load(GOOD).raw) == fields


@pytest.mark.parametrize(
    "path",
    sorted(path for path in EXAMPLES.glob("*.toml") if "current_ma" in path.read_text()),
    ids=lambda path: path.stem,
)
def test_examples_are_admitted(path: Path) -> None:
    """Every example fits a build, states the safety words, and is within the careful density."""
    loaded = dosefile.load(path)
    assert dosefile.check(loaded).density_ua_cm2() <= 500
    assert "not a cleared medical device" in path.read_text()


def test_the_demo_dose() -> None:
    """The dose of `make demo` is 40 mA*min at 4 mA under the negative pole."""
    fields = dosefile.load(EXAMPLES / "plantar_fasciitis_dexamethasone.toml").fields
    assert (fields["current_ua"], fields["dose_uc"], fields["polarity"]) == (4_000, 40 * 60_000, -1)


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("current_ma = 4", "current_ma = 0.00001", ["line 5", "current_ma", "0.00001", "steps of 0.001 mA"]),
        ("current_ma = 4", "current_ma = 1e-400", ["line 5", "current_ma"]),
        ("current_ma = 4", "current_ma = 1e400", ["line 5", "far out of range"]),
        ("current_ma = 4", "current_ma = nan", ["line 5", "current_ma is nan", "number"]),
        ("current_ma = 4", "current_ma = 2024-01-01", ["line 5", "current_ma is 2024-01-01"]),
        ("current_ma = 4", "current_ma = [4]", ["line 5", "current_ma is a list"]),
        ('site = "S"', 'site = "x\\nverified  yes"', ["line 4", "printable"]),
        ('name = "N"', 'name = "\\u001b[2J"', ["line 2", "printable"]),
        ('drug = "D"', 'drug = "\\u202e"', ["line 3", "printable"]),
        ("current_ma = 4", 'current_ma = "4"', ["line 5", '"4"', "without quotes"]),
        ("current_ma = 4", "current_ma = true", ["line 5", "current_ma is true"]),
        ("current_ma = 4", "curent_ma = 4", ["line 5", "unknown field curent_ma", "current_ma"]),
        ('polarity = "-"', "polarity = -1", ["line 8", "-1", '"+" or "-"']),
        ('polarity = "-"', 'polarity = "minus"', ["line 8", "minus"]),
        ('drug = "D"\n', "", ["field drug is missing", "one of dose_ma_min and duration_min"]),
        ("schema = 1", "schema = 2", ["line 1", "schema is 2", "schema = 1"]),
        ("schema = 1", "schema = true", ["line 1", "schema"]),
        ("ramp_up_s = 30", "ramp_up_s = 30.0005", ["line 9", "steps of 0.001 s"]),
        ("dose_ma_min = 40", "dose_ma_min = 40.00001", ["line 6", "1/60000 mA*min"]),
        ("dose_ma_min = 40", "dose_ma_min = 40\nduration_min = 10", ["only one"]),
        ("dose_ma_min = 40\n", "", ["dose_ma_min or duration_min"]),
        ('waveform = "dc"', 'waveform = "ac"', ["line 11", 'waveform is "ac"', '"dc", "pulsed"']),
        ('waveform = "dc"', 'waveform = "pulsed"', ["waveform.frequency_hz is missing", "duty_pct"]),
        ('waveform = "dc"', "[waveform]", ["line 11", "waveform is", '"dc", "pulsed"']),
        ('waveform = "dc"', '[waveform]\nkind = "dc"\nduty_pct = 5', ["line 13", "unknown field duty_pct", "kind dc"]),
        ('waveform = "dc"', PULSED.replace("= 2", "= 0"), ["line 13", "waveform.frequency_hz is 0 Hz", "0.01 to 1000"]),
        ('waveform = "dc"', PULSED.replace("= 2", "= 1e-99999"), ["line 13", "waveform.frequency_hz"]),
        ('waveform = "dc"', PULSED.replace("= 50", "= 100"), ["line 14", "waveform.duty_pct is 100 %", "1 to 99"]),
        ('waveform = "dc"', PULSED + "edge_ms = 20.5", ["line 15", "waveform.edge_ms", "steps of 1 ms"]),
        ('waveform = "dc"', 'reversal = "twice"', ["line 11", 'reversal is "twice"', '"none", "half", "interval"']),
        ('waveform = "dc"', 'reversal = "interval"', ["reversal.interval_min is missing"]),
        ("dose_ma_min = 40", "duration_min = 10\nreversal = 'interval'\n[reversal]", ["not TOML"]),
        ('waveform = "dc"', "starts = 1.5", ["line 11", "starts is 1.5", "steps of 1"]),
        ('site = "S"', "[site]", ["line 4"]),
        ('name = "N"', "name = N", ["not TOML"]),
    ],
)
def test_refusals_name_field_value_and_line(old: str, new: str, words: list[str]) -> None:
    """What is wrong is said with where, what and what is allowed."""
    message = refusal(GOOD.replace(old, new))
    assert all(word in message for word in words), message


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("current_ma = 4", "current_ma = 30", ["current_ma is 30 mA", "0.5 to 18 mA"]),
        (
            "electrode_area_cm2 = 10",
            "electrode_area_cm2 = 7",
            ["current density is 0.572 mA/cm2", "0.5 mA/cm2"],
        ),
        ("dose_ma_min = 40", "dose_ma_min = 81", ["dose_ma_min is 81 mA*min", "0.1 to 80 mA*min"]),
        ("ramp_up_s = 30", "ramp_up_s = 0", ["ramp_up_s is 0 s", "1 to 120 s"]),
        ('waveform = "dc"', PULSED.replace("= 2", "= 12"), ["on-time of a pulse is 42 ms", "80 to 9920 ms"]),
        ('waveform = "dc"', PULSED + "edge_ms = 10", ["waveform.edge_ms is 10 ms, allowed 20 to 1000 ms"]),
        ('waveform = "dc"', PULSED.replace("= 50", "= 2"), ["on-time of a pulse is 10 ms"]),
        ('waveform = "dc"', INTERVAL.replace("= 2", "= 1"), ["reversal.interval_min is 1 min, allowed 1.016667 to"]),
        ('waveform = "dc"', "max_extension_pct = 101", ["max_extension_pct is 101 %, allowed 0 to 100 %"]),
        ('waveform = "dc"', "starts = 0", ["starts is 0, allowed 1 to 20"]),
        ('name = "N"', f'name = "{"N" * 41}"', ["name has 41 characters, allowed 0 to 40"]),
        ("dose_ma_min = 40", "dose_ma_min = 1", ["ramps alone"]),
    ],
)
def test_limits_are_told_in_human_units(old: str, new: str, words: list[str]) -> None:
    """The device's own rules refuse, in the units of the file, with a next step and exit code 4."""
    loaded = load(GOOD.replace(old, new))
    variant = None if new == "current_ma = 30" else "A"
    with pytest.raises(RefusedError) as caught:
        dosefile.check(loaded, variant)
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.action
    assert caught.value.exit_code == 4


@pytest.mark.hazard("HAZ-22")
def test_duration_counts_the_ramps_once() -> None:
    """A dose given by its duration takes that duration."""
    loaded = load(GOOD.replace("dose_ma_min = 40", "duration_min = 10.5"))
    assert loaded.fields["dose_uc"] == 2_400_000
    assert dosefile.check(loaded).duration_ms() == 630_000


@pytest.mark.hazard("HAZ-25")
def test_pulses_are_given_by_frequency_and_duty() -> None:
    """The device counts whole milliseconds; the mean current is that of square pulses."""
    loaded = load(GOOD.replace('waveform = "dc"', PULSED.replace("= 2", "= 3")))
    names = ("waveform", "pulse_on_ms", "pulse_off_ms", "pulse_edge_ms")
    assert [loaded.fields[name] for name in names] == ["pulsed", 166, 167, 20]
    assert dosefile.check(loaded).mean_ua() == 1_993


@pytest.mark.hazard("HAZ-22")
def test_reversals_take_no_time_from_the_dose() -> None:
    """A duration holds the reversal; a dose by charge gets its reversals on top."""
    half = load(GOOD.replace("dose_ma_min = 40", "duration_min = 10.5").replace('waveform = "dc"', 'reversal = "half"'))
    checked = dosefile.check(half)
    assert (checked.turns(), checked.duration_ms()) == (1, 630_000)
    every = dosefile.check(load(GOOD.replace('waveform = "dc"', INTERVAL)))
    assert (every.turns(), every.reversal_interval_ms) == (6, 120_000)
    text = GOOD.replace("dose_ma_min = 40", "duration_min = 10").replace('waveform = "dc"', INTERVAL)
    assert "give dose_ma_min instead" in refusal(text)


def test_waveform_reversal_extension_and_starts_have_defaults() -> None:
    fields = load(GOOD.replace('waveform = "dc"\n', "")).fields
    names = ("waveform", "reversal", "max_extension_pct", "starts")
    assert [fields[name] for name in names] == ["dc", "none", 50, 1]
    assert fields == load(GOOD.replace('waveform = "dc"', '[waveform]\nkind = "dc"\n[reversal]\nkind = "none"')).fields


@pytest.mark.hazard("HAZ-11")
def test_variants_are_told_apart() -> None:
    """A tap-water dose fits B only."""
    assert dosefile.load(EXAMPLES / "hyperhidrosis_tap_water.toml").variants == ("B",)
    assert load(GOOD).variants == ("A", "B")


@pytest.mark.hazard("HAZ-25")
@given(st.integers(100, 4_000), st.integers(6_000, 4_800_000), st.integers(800, 20_000))
def test_every_integer_survives_the_file(current_ua: int, dose_uc: int, area_mm2: int) -> None:
    """What a device can hold can be written in a file and comes back the same."""
    text = GOOD.replace("current_ma = 4", f"current_ma = {Decimal(current_ua) / 1000}")
    text = text.replace("electrode_area_cm2 = 10", f"electrode_area_cm2 = {Decimal(area_mm2) / 100}")
    text = text.replace("dose_ma_min = 40", f"dose_ma_min = {Decimal(dose_uc // 60 * 60) / 60_000}")
    fields = load(text).fields
    assert (fields["current_ua"], fields["area_mm2"]) == (current_ua, area_mm2)
    assert fields["dose_uc"] == dose_uc // 60 * 60


@pytest.mark.hazard("HAZ-01")
@given(st.binary(max_size=300))
def test_garbage_gets_the_documented_error(data: bytes) -> None:
    """No file content raises anything but the errors of the host tool."""
    with suppress(IontoError):
        load(data.decode("latin-1"))


@pytest.mark.hazard("HAZ-01")
@given(st.integers(0, len(GOOD)), st.text(max_size=8))
def test_edited_files_get_the_documented_error(position: int, text: str) -> None:
    """Neither does a good file with something typed into it."""
    with suppress(IontoError):
        dosefile.check(load(GOOD[:position] + text + GOOD[position:]))


def test_binary_file(tmp_path: Path) -> None:
    """A file that is no text is named as such."""
    path = tmp_path / "d.toml"
    path.write_bytes(b"\xff\x00\x00")
    with pytest.raises(DoseFileError, match="not a text file"):
        dosefile.load(path)


def test_a_file_of_a_windows_editor(tmp_path: Path) -> None:
    """The mark at the beginning of UTF-8 is skipped; UTF-16 is named."""
    path, text = tmp_path / "d.toml", BENCH.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8-sig")
    assert dosefile.load(path).raw == dosefile.load(BENCH).raw
    path.write_text(text, encoding="utf-16")
    with pytest.raises(DoseFileError, match="saved as UTF-16"):
        dosefile.load(path)


@pytest.mark.parametrize("name", dosefile.TEXTS)
def test_an_empty_text_is_refused(name: str) -> None:
    text = re.sub(rf'^{name} = ".*?"', f'{name} = " "', BENCH.read_text(encoding="utf-8"), flags=re.MULTILINE)
    with pytest.raises(DoseFileError, match=f"{name} is empty; 1 to 40 characters"):
        dosefile.loads(text, BENCH)


def test_a_dose_for_no_board_is_told_why_of_each() -> None:
    """5 mA are too much for A, the ramp too short for B: one cannot know which is meant."""
    text = BENCH.read_text(encoding="utf-8").replace("current_ma = 1.0", "current_ma = 5")
    with pytest.raises(RefusedError, match=r"variant A.*current_ma is 5 mA.*variant B.*ramp_up_s is 2 s") as caught:
        dosefile.check(dosefile.loads(text.replace("electrode_area_cm2 = 10", "electrode_area_cm2 = 20"), BENCH))
    assert caught.value.details["field"] == "ramp_up_ms"


def test_a_file_without_an_end() -> None:
    """No more is read than a dose file can have."""
    with pytest.raises(DoseFileError, match="larger than 64 kB"):
        dosefile.load(Path("/dev/zero"))


@pytest.mark.hazard("HAZ-01", "HAZ-25")
def test_what_the_host_admits_the_device_parses() -> None:
    """Host and device judge with the same code."""
    assert dose.parse(load(GOOD).raw, limits.variant_a()).digest()
