"""Calibrating a virtual Pico whose sensor reads too much, against its independent meter."""

import io
import sys
from contextlib import suppress

import pytest

from ionto_host import cli
from ionto_host.board import calibrating
from ionto_host.board.calibrating import calibrate
from ionto_host.errors import CalibrationError


class PicoMeter:
    """The independent meter, with a zero of its own; `fails_at` breaks the reading of so many uA or more."""

    name, automatic = "true current", True

    def __init__(self, pico, fails_at=None, error=None):
        self.pico, self.fails_at, self.error = pico, fails_at, error

    def read_ua(self):
        current = self.pico.meter().now_ua
        if self.fails_at and current > self.fails_at:
            raise self.error
        return current + 4


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(calibrating, "SETTLE_S", 0.2)
    monkeypatch.setattr(calibrating, "READINGS", 30)
    monkeypatch.setattr(calibrating, "READING_PERIOD_S", 0.01)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.mark.hazard("HAZ-03")
def test_it_makes_the_board_agree_with_the_meter_and_an_interruption_leaves_the_old_one(quick, bench_with):
    bench = bench_with(speed=8, values={"ina_gain": 1.008, "ina_offset_uv": 30.0})
    told = []
    with bench.device() as device:
        done = calibrate(device, PicoMeter(bench.pico), told.append, lambda *_: True, (1_000, 3_000))
        assert done is not None
        assert 7_000 < done.residual_before_ppm < 9_500 and done.residual_ppm < 2_000
        assert abs(done.trim.gain_ppm + 7_900) < 1_000 and abs(done.meter_zero_ua - 4) < 1
        held = device.read_calibration()
        assert held["state"] == "kept" and held["residual_ppm"] == done.residual_ppm
        assert done.record is not None and done.board_id in done.record.name
        with suppress(KeyboardInterrupt):
            broken = PicoMeter(bench.pico, 1_500, KeyboardInterrupt())
            calibrate(device, broken, told.append, lambda *_: True, (1_000, 3_000))
        bench.wait(current_below_ua=10, for_us=10_000)
        assert device.read_calibration() == held
    header = bench.ionto("logs", "pull")["logs"]
    assert len(header) >= 6 and all(log["verified"] for log in header)


@pytest.mark.hazard("HAZ-03")
def test_a_shunt_of_the_wrong_value_is_no_calibration(quick, bench_with):
    """3 % is not the sensor's scale; the board keeps what it had."""
    bench = bench_with(speed=8, values={"ina_gain": 1.03})
    with bench.device() as device:
        with pytest.raises(CalibrationError, match="gain would have to be trimmed by -2"):
            calibrate(device, PicoMeter(bench.pico), lambda text: None, lambda *_: True, (1_000, 3_000))
        assert device.read_calibration() == {"state": "none"}


@pytest.mark.hazard("HAZ-03")
def test_readings_that_a_person_types(quick, bench_with, monkeypatch, capsys):
    """In mA, at the terminal: refused where they make no sense, written with points before and after where they do."""
    bench = bench_with(speed=25, values={"ina_gain": 1.008})
    command = ["--port", bench.pico.port, "calibrate", "--low-ma", "1", "--high-ma", "3", "--meter-name", "Fluke 87"]

    def typed(*lines):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return cli.main(command), *capsys.readouterr()

    for lines, words in (
        (("0.3",), "although the output is off"),
        (("0", "992"), "read in mA"),
        (("0", "0.992", "2.8"), "the gain would have to be trimmed by -"),
    ):
        code, _, err = typed(*lines)
        assert code == 4 and words in err, err
    code, out, err = typed("0.001", "abc", "0.993", "2.977", "n")
    assert code == 4 and "not a valid" in err and "Not written" in out, err
    assert bench.ionto("calibrate", "--show") == {"state": "none"}
    code, out, err = typed("0.001", "0.993", "2.977", "y", "1.001", "2.001", "3.001")
    assert code == 0 and "What does the reference meter show, in mA?" in err
    assert sum(line.startswith(("before", "after")) for line in out.splitlines()) == 5, out
    held = bench.ionto("calibrate", "--show")
    assert held["meter"] == "Fluke 87" and abs(held["gain_ppm"] + 8_000) < 1_500 and held["residual_ppm"] < 2_000
    assert bench.ionto("status")["state"] in ("IDLE", "DONE")
