"""A board whose sensor reads too much: the suite catches it, calibrates it, and sees it drift afterwards."""

import json
import subprocess
import sys

import pytest

GAIN = "values = { ina_gain = 1.012 }"


@pytest.mark.hazard("HAZ-03")
def test_an_uncalibrated_board_is_caught_and_a_calibrated_one_passes(bench_file, tmp_path):
    path = bench_file(really=GAIN)

    def run(name, code, *options):
        command = [sys.executable, "-m", "ionto_host", "bench", "run", str(path), "--json", *options]
        command += ["--output", str(tmp_path / name), "--history", str(tmp_path / "history"), "--only", "load_that_is"]
        data = {"XDG_DATA_HOME": str(tmp_path / "data")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=_with(data))
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout), (tmp_path / name / "report.html").read_text()

    answer, report = run("before", 5)
    assert answer["tests"]["failed"] == 1 and not answer["passed"] and not answer["drift"]
    assert "Not calibrated" in report and "NOT PASSED" in report
    answer, report = run("after", 0, "--calibrate")
    assert answer["passed"]
    assert "Calibrated" in report and "left after the calibration" in report
    (drift,) = answer["drift"]
    assert drift["count"] == 1 and 9_000 < drift["mean_ppm"] < 14_000, "more current flows now: the scale was 1.2 % off"
    assert list((tmp_path / "data").rglob("calibrations/*.json")), "the board's calibration record is kept"


def _with(more):
    import os

    return {**os.environ, **more}
