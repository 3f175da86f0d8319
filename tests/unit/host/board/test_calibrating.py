"""The arithmetic of a calibration, and what `ionto calibrate` refuses, on a device that is made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_device import FakeDevice, on_pty
from hypothesis import given
from hypothesis import strategies as st

from ionto import dose, limits, protocol
from ionto.calibration import MAX_GAIN_PPM, MAX_RESIDUAL_PPM, MAX_ZERO_UA
from ionto_host import cli
from ionto_host.board import calibrating
from ionto_host.board.calibrating import Point, Trim, dose_of, fit, worst_ppm
from ionto_host.board.meters import open_meter
from ionto_host.device import hand
from ionto_host.device.client import Device
from ionto_host.errors import CalibrationError, NoAnswerError, UsageError

_gains = st.integers(-MAX_GAIN_PPM + 200, MAX_GAIN_PPM - 200)
_zeros = st.integers(-MAX_ZERO_UA + 1, MAX_ZERO_UA - 1)


@pytest.mark.hazard("HAZ-03")
@given(_gains, _zeros, _gains, _zeros, st.sampled_from([(800, 3_600), (100, 4_000), (3_600, 16_200)]))
def test_the_trim_is_found_whatever_the_present_one_is(
    gain: int, zero: int, old_gain: int, old_zero: int, at: tuple[int, int]
) -> None:
    """A board that is wrong by a known trim, read through another one, gives back the known one."""
    wanted, present = Trim(zero, gain), Trim(old_zero, old_gain)
    sensor = [true_ua / (1 + gain / 1e6) + zero for true_ua in at]
    points = [Point(true, true, present.apply(seen)) for true, seen in zip(at, sensor, strict=True)]
    found = fit(points, present)
    assert abs(found.gain_ppm - gain) <= 2 and found.zero_ua == zero
    after = [Point(true, true, found.apply(seen)) for true, seen in zip(at, sensor, strict=True)]
    assert worst_ppm(after) <= 6
    assert present.undo(present.apply(1_234.5)) == pytest.approx(1_234.5)
    assert wanted.apply(sensor[0]) == pytest.approx(at[0])


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize(
    ("board", "field"),
    [
        ((800 * 1.021, 3_600 * 1.021), "gain_ppm"),
        ((800 * 0.97, 3_600 * 0.97), "gain_ppm"),
        ((812, 3_612), "zero_ua"),
        ((788, 3_588), "zero_ua"),
    ],
)
def test_an_implausible_trim_is_refused_with_its_range(board: tuple[float, float], field: str) -> None:
    points = [Point(800, 800, board[0]), Point(3_600, 3_600, board[1])]
    with pytest.raises(CalibrationError, match="plausible is") as caught:
        fit(points, Trim())
    assert caught.value.details["field"] == field
    assert caught.value.details["low"] < 0 < caught.value.details["high"]


def test_points_that_are_one_are_refused() -> None:
    with pytest.raises(CalibrationError, match="apart"):
        fit([Point(800, 800, 800), Point(3_600, 800, 800)], Trim())
    with pytest.raises(CalibrationError, match="apart"):
        fit([Point(800, 800, 3_600), Point(3_600, 3_600, 800)], Trim())


@pytest.mark.parametrize("variant", ["A", "B"])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_the_dose_of_a_point_is_one_that_the_board_takes(variant: str, share: float) -> None:
    build = limits.for_variant(variant)
    identity: Any = type("Hello", (), {"limits": build.public(), "settings": {"max_dose_uc": build.min_dose_uc * 20}})
    plan = dose.parse(dose_of(round(build.max_current_ua * share), identity), build)
    assert plan.duration_ms() > 5_000 and plan.starts == 1


def test_unknown_meters_are_refused() -> None:
    with pytest.raises(UsageError, match="no meter 'x'"):
        open_meter("x", "", lambda text: 0.0)
    typed = open_meter("typed", "Fluke 87V", lambda text: 1.25)
    assert (typed.name, typed.automatic, typed.read_ua()) == ("Fluke 87V", False, 1_250.0)


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, FakeDevice]]:
    """A device whose session stays in HOLD at the current of its dose, 1 % too much, and where it is."""
    monkeypatch.setattr(calibrating, "SETTLE_S", 0.0)
    monkeypatch.setattr(calibrating, "READINGS", 2)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    fake = FakeDevice()
    fake.charge_step_uc = 0
    fake.settings["max_current_ua"] = 4_000
    with on_pty(fake) as path:
        yield path, fake


@pytest.mark.hazard("HAZ-03")
def test_the_command_asks_shows_and_refuses(
    port: tuple[str, FakeDevice], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fake always reads 1 mA: points not apart, a meter that is not in the circuit, a zero that is none."""
    path, fake = port
    for typed, words in ((["0", "0.8", "3.6"], "apart"), (["0", "0.1"], "in the circuit"), (["0.2"], "output is off")):
        answers = iter(typed)
        monkeypatch.setattr("click.prompt", lambda *_, answers=answers, **__: next(answers))
        assert cli.main(["calibrate", "--port", path]) == 4
        assert words in capsys.readouterr().err
        assert fake.calibration == {"state": "none"}
        assert not fake.flags & protocol.FLAG_OUTPUT_ON, "the session was ended"
    assert cli.main(["calibrate", "--port", path, "--low-ma", "1", "--high-ma", "1.9"]) == 4
    assert "too close" in capsys.readouterr().err


class Exact:
    """A meter that shows the current of the fake's dose, and does `at_reading` at the reading of that number."""

    name, automatic = "exact", True

    def __init__(self, fake: FakeDevice, number: int = 0, at_reading: Callable[[], None] = lambda: None) -> None:
        self.fake, self.number, self.at_reading, self.count = fake, number, at_reading, 0

    def read_ua(self) -> float:
        self.count += 1
        if self.count == self.number:
            self.at_reading()
        return json.loads(self.fake.dose)["current_ua"] if self.fake.flags & protocol.FLAG_OUTPUT_ON else 0.0


def _interrupt() -> None:
    raise KeyboardInterrupt


def calibrated(port: str, meter: Exact, monkeypatch: pytest.MonkeyPatch, **methods: Callable[..., Any]) -> list[str]:
    """Calibrate until it is interrupted, with `methods` of the device replaced; return what was told."""
    told: list[str] = []
    with Device.open(port) as device:
        for name, method in methods.items():
            monkeypatch.setattr(device, name, method)
        with pytest.raises(KeyboardInterrupt):
            calibrating.calibrate(device, meter, told.append, lambda *_: True, (1_000, 3_000))
    return told


@pytest.mark.hazard("HAZ-03", "HAZ-24")
def test_an_interruption_while_start_is_answered_leaves_no_current(
    port: tuple[str, FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board has begun, the computer has not heard of it yet."""
    path, fake = port

    def start() -> None:
        fake.starts, fake.state = fake.starts + 1, protocol.HOLD
        fake.flags |= protocol.FLAG_OUTPUT_ON
        raise KeyboardInterrupt

    calibrated(path, Exact(fake), monkeypatch, start=start)
    assert fake.starts == 1 and fake.state == protocol.DONE and not fake.flags & protocol.FLAG_OUTPUT_ON


@pytest.mark.hazard("HAZ-03", "HAZ-24")
def test_a_session_that_cannot_be_ended_is_told_with_what_to_press(
    port: tuple[str, FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fake = port
    fake.reads_too_much_ppm = 8_000

    def abort() -> None:
        raise NoAnswerError("the cable is out")

    told = calibrated(path, Exact(fake, 3, _interrupt), monkeypatch, abort=abort)
    assert "(the cable is out): PRESS STOP. It ends by itself after 10 minutes" in told[-1]


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("pressed", [True, False])
def test_an_interrupted_check_gives_back_the_old_calibration_or_says_that_it_could_not(
    pressed: bool, port: tuple[str, FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """READINGS is 2: the ninth reading is in the second of the points that check the new one."""
    path, fake = port
    fake.reads_too_much_ppm = 8_000
    monkeypatch.setattr(hand, "WAIT_S", 0.1)
    monkeypatch.setattr(hand, "_PERIOD_S", 0.01)

    def interrupt() -> None:
        assert fake.calibration["gain_ppm"] == -7_937 and fake.calibration["residual_ppm"] == MAX_RESIDUAL_PPM
        fake.hand_after = 0 if pressed else 1_000
        raise KeyboardInterrupt

    told = calibrated(path, Exact(fake, 9, interrupt), monkeypatch)
    if pressed:
        assert fake.calibration == {"state": "none"} and "that it had before" in told[-1]
    else:
        assert fake.calibration["state"] == "kept"
        assert "was not checked" in told[-1] and "calibrate --remove" in told[-1]


def test_showing_and_removing(port: tuple[str, FakeDevice], capsys: pytest.CaptureFixture[str]) -> None:
    path, fake = port
    fake.calibration = {
        "state": "kept",
        "gain_ppm": -1_300,
        "zero_ua": 2,
        "residual_ppm": 90,
        "residual_before_ppm": 1_400,
        "time_unix_s": 1_780_000_000,
        "meter": "Keithley",
    }
    assert cli.main(["calibrate", "--show", "--port", path]) == 0
    assert "gain -0.130 %, zero +2 uA, by Keithley. At most 0.009 % off" in capsys.readouterr().out
    with Device.open(path) as device:
        assert device.identity.calibration == fake.calibration
    assert cli.main(["calibrate", "--remove", "--port", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"state": "none"} == fake.calibration
