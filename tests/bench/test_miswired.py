"""Benches that are not what their files say, caught by the electrical check before anything is tested on them."""

import json
import subprocess
import sys

import pytest

from ionto_host.bench import wiring
from ionto_host.errors import WiringError

WRONG = {
    "meter reversed": ("meter_reversed = true", "the wrong way round", "Exchange the meter's two leads"),
    "meter not in series": ("meter_in_series = false", "not in series", "Connect J2 to IN+"),
    "meter with another shunt": ("values = {}\n", "apart", "Check the meter's shunt_ohm"),
    "wrong load": ("load_ohm = 4700", "the bench file says 500 ohm", "Check which resistor is connected"),
    "no load": ("load_ohm = 1000000000", "SELFTEST", "Check the leads from J2"),
    "strap missing": ("bench_strap = false", "the bench strap is missing", "Fit JP1"),
}


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize("name", WRONG)
def test_a_miswired_bench_is_caught(bench_rig, name):
    really, text, action = WRONG[name]
    replaced = {"meter_gain_percent_is_0.04": "meter_gain_percent = 10"} if "shunt" in name else {}
    made = bench_rig(really=really, **replaced)
    made.zero_meter()
    with pytest.raises(WiringError) as caught:
        wiring.require(made)
    assert text in caught.value.message and action in caught.value.action
    made.pico.wait(current_below_ua=10, for_us=10_000)


def test_another_variant_than_the_file_says(bench_rig):
    made = bench_rig()
    made.bench.__dict__["variant"] = "B"
    with pytest.raises(WiringError, match="the board is variant A, the bench file says B"):
        wiring.require(made)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('variant = "A"', 'variant = "A"\nboard_id = "E66038B713596A2F"', "the bench file says e66038b713596a2f"),
        ("range_ma = 8", "range_ma = 2", "2 mA, the board drives up to 4 mA"),
    ],
)
def test_another_board_and_a_meter_of_too_small_a_range_are_found_without_current(bench_rig, old, new, text):
    made = bench_rig(**{old: new})
    before = made.pico.meter().on_us
    with pytest.raises(WiringError, match=text):
        wiring.require(made)
    assert made.pico.meter().on_us == before


def test_a_bench_as_its_file_says(bench_rig):
    made = bench_rig()
    assert made.zero_meter() == pytest.approx(3, abs=2)
    assert [item.level for item in wiring.require(made)] == ["ok"] * 4


@pytest.mark.hazard("HAZ-34")
def test_the_rest_is_not_run_on_a_miswired_bench(bench_file, tmp_path):
    """`ionto bench run` as a user types it: stopped, with what to check, a record and a report all the same."""
    path = bench_file(really="meter_reversed = true")
    output = tmp_path / "out"
    command = [sys.executable, "-m", "ionto_host", "bench", "run", str(path), "--json"]
    command += ["--output", str(output), "--history", str(tmp_path / "history")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 5, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert not answer["passed"] and answer["tests"]["failed"] == 1
    assert "the wrong way round" in answer["stopped"]
    report = (output / "report.html").read_text()
    assert "NOT PASSED" in report and "The run was stopped." in report
    assert "the wrong way round" in (output / "junit.xml").read_text()
