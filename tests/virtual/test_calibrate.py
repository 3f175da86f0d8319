"""Calibrating a virtual Pico whose sensor reads too much, against its independent meter."""

from contextlib import suppress

import pytest

from ionto_host import calibrating
from ionto_host.calibrating import calibrate
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
        bench.pico.wait(current_below_ua=10, for_us=10_000)
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
