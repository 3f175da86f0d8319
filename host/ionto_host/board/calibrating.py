"""Calibrating the current measurement: points against a reference meter, a fit of zero and gain, a check of the result.

Current flows in sessions only, as everywhere: each point is a session of its own, ended as soon as it is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import platformdirs

from ionto import calibration, dose, protocol
from ionto.limits import UC_PER_MA_MIN
from ionto_host import wholefile
from ionto_host.board.meters import Meter
from ionto_host.device.answers import Hello, Status, ended_in_fault, fault_error
from ionto_host.device.client import Device
from ionto_host.device.hand import with_hand
from ionto_host.errors import CalibrationError, IontoError, NoAnswerError
from ionto_host.patience import patient
from ionto_host.units import percent, signed_percent

ZERO_METER_UA = 50.0  # a meter that shows more without current is not in this circuit
READINGS = 50
READING_PERIOD_S = 0.02
SETTLE_S = 1.0
HOLD_WAIT_S = 60.0
END_WAIT_S = 15.0
POINT_MINUTES = 10
_MIN_SPAN = 2.0  # the high point is at least so many times the low one

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Point:
    """One comparison: what was asked for, what the meter showed less its zero, what the board said; all uA."""

    set_ua: int
    meter_ua: float
    board_ua: float

    @property
    def error_ppm(self) -> float:
        """What the board reads too much, in ppm of the meter's reading."""
        return (self.board_ua / self.meter_ua - 1) * 1e6


@dataclass(frozen=True)
class Trim:
    """What the board corrects with: uA taken off beside the self-test's zero, and ppm of gain."""

    zero_ua: int = 0
    gain_ppm: int = 0

    @classmethod
    def of(cls, values: dict[str, Any]) -> Trim:
        """Return the trim of a calibration as the device tells it."""
        return cls(int(values.get("zero_ua", 0)), int(values.get("gain_ppm", 0)))

    def undo(self, current_ua: float) -> float:
        """Return the current (uA) that the sensor saw where the board says `current_ua`."""
        return current_ua / (1 + self.gain_ppm / 1e6) + self.zero_ua

    def apply(self, sensor_ua: float) -> float:
        """Return the current (uA) that the board says where the sensor sees `sensor_ua`."""
        return (sensor_ua - self.zero_ua) * (1 + self.gain_ppm / 1e6)


def fit(points: list[Point], present: Trim) -> Trim:
    """Return the trim with which the board agrees with the meter at the first and the last of `points`.

    `CalibrationError` when it would be implausible: then the meter, the shunt or the wiring is wrong, not the scale.
    """
    low, high = points[0], points[-1]
    span = present.undo(high.board_ua) - present.undo(low.board_ua)
    if span <= 0 or high.meter_ua < _MIN_SPAN * low.meter_ua:
        raise CalibrationError(
            "the board does not see the two points apart", points=[asdict(point) for point in points]
        )
    slope = (high.meter_ua - low.meter_ua) / span
    found = Trim(round(present.undo(low.board_ua) - low.meter_ua / slope), round((slope - 1) * 1e6))
    for name, low_end, high_end in calibration.FIELDS:
        value = getattr(found, name, None)
        if value is not None and not low_end <= value <= high_end:
            raise CalibrationError(
                f"{_WORDS[name]} would have to be trimmed by {_human(name, value)}, "
                f"plausible is {_human(name, low_end)} to {_human(name, high_end)}",
                field=name,
                value=value,
                low=low_end,
                high=high_end,
            )
    return found


_WORDS = {"zero_ua": "the zero", "gain_ppm": "the gain"}


def _human(name: str, value: int) -> str:
    return f"{value:+d} uA" if name == "zero_ua" else signed_percent(value)


def worst_ppm(points: list[Point]) -> int:
    """Return the greatest disagreement at `points`, in ppm of the meter."""
    return round(max(abs(point.error_ppm) for point in points))


@dataclass(frozen=True)
class Calibrated:
    """What a calibration found: points before and after, the trim of before and of now, and where the record is."""

    board_id: str
    meter: str
    time_unix_s: int
    meter_zero_ua: float
    before: list[Point]
    after: list[Point]
    trim_before: Trim
    trim: Trim
    residual_before_ppm: int
    residual_ppm: int
    record: Path | None = None


class Calibrator:
    """Measures points on `device` with `meter`; `tell` is told what is done and what a person has to do."""

    def __init__(self, device: Device, meter: Meter, tell: Tell) -> None:
        self._device = device
        self._meter = meter
        self._tell = tell
        self._zero_ua = 0.0

    def points_ua(self, low_ua: int | None, high_ua: int | None) -> tuple[int, int, int]:
        """Return the set-points in uA: those given, or 20 % and 90 % of the board's highest, and one between."""
        limits, settings = self._device.identity.limits, self._device.identity.settings
        highest = min(limits["max_current_ua"], settings.get("max_current_ua", limits["max_current_ua"]))
        low = max(highest // 5, limits["min_current_ua"]) if low_ua is None else low_ua
        high = highest * 9 // 10 if high_ua is None else high_ua
        if high < _MIN_SPAN * low:
            text = f"the points {low / 1000:g} and {high / 1000:g} mA are too close together"
            raise CalibrationError(text, "The high point is at least twice the low one.", low_ua=low, high_ua=high)
        return low, (low + high) // 2, high

    def zero(self) -> float:
        """Read the meter with the output off and take that off from now on; return it in uA."""
        self._tell("Zero: the output is off; what the meter shows now is its own zero.")
        self._zero_ua = self._mean_ua()[0]
        if abs(self._zero_ua) > ZERO_METER_UA:
            raise CalibrationError(f"the meter shows {self._zero_ua / 1000:.3f} mA although the output is off")
        return self._zero_ua

    def measure(self, set_ua: int) -> Point:
        """Let `set_ua` flow in a session, compare, and end the session whatever happens."""
        self._tell(f"{set_ua / 1000:g} mA:")
        with self._flowing(set_ua):
            meter_ua, board_ua = self._mean_ua()
            status = self._device.status()
            self._check(status)
        point = Point(set_ua, abs(meter_ua - self._zero_ua), board_ua)
        if not set_ua / 2 <= point.meter_ua <= set_ua * 2:
            raise CalibrationError(
                f"the meter shows {point.meter_ua / 1000:.3f} mA of {set_ua / 1000:g}: "
                "is it in the circuit, and was it read in mA?"
            )
        self._tell(
            f"  board {board_ua / 1000:.4f} mA, meter {point.meter_ua / 1000:.4f} mA, {signed_percent(point.error_ppm)}"
        )
        return point

    @contextmanager
    def _flowing(self, set_ua: int) -> Iterator[None]:
        """Run a session at `set_ua` around the caller's work; the output is off afterwards."""
        device = self._device
        device.push_dose(dose_of(set_ua, device.identity))
        try:
            with_hand(device.start, self._tell)
            self._until(lambda status: status.state == protocol.HOLD, HOLD_WAIT_S, "full current")
            time.sleep(patient(SETTLE_S))
            yield
        finally:
            self._end()
        self.settle()

    def _end(self) -> None:
        try:
            self._device.abort()
        except IontoError as error:
            self._tell(
                f"The session could not be ended ({error.message}): PRESS STOP. "
                f"It ends by itself after {POINT_MINUTES} minutes at the latest."
            )

    def settle(self) -> None:
        """Wait until the session is over and its log written."""
        self._until(_at_rest, END_WAIT_S, "the end")

    def _until(self, done: Callable[[Status], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + patient(timeout_s)
        while True:
            status = self._device.status()
            if ended_in_fault(status):
                raise fault_error(status)
            if done(status):
                return
            if time.monotonic() > deadline:
                raise NoAnswerError(f"{what} was not reached in {timeout_s:g} s: the device is in {status.state_name}")
            time.sleep(0.1)

    def _check(self, status: Status) -> None:
        if ended_in_fault(status):
            raise fault_error(status)
        if status.flag(protocol.FLAG_CONTACT_LIMITED) or status.state != protocol.HOLD:
            raise CalibrationError(
                f"the load of {status.load_ohm / 1000:.1f} kohm does not pass {status.setpoint_ua / 1000:g} mA",
                "Use a smaller resistor, or lower the high point with `--high-ma`.",
            )

    def _mean_ua(self) -> tuple[float, float]:
        """Return (meter, board) in uA, read in turn; with a person's meter the board is read before and after."""
        board: list[int] = []
        meter: list[float] = []
        rounds = READINGS if self._meter.automatic else 2
        for _ in range(rounds):
            board += self._board_ua(1 if self._meter.automatic else READINGS)
            if self._meter.automatic or not meter:
                meter.append(self._meter.read_ua())
        return fmean(meter), fmean(board)

    def _board_ua(self, count: int) -> list[int]:
        found = []
        for _ in range(count):
            found.append(self._device.status().current_ua)
            time.sleep(READING_PERIOD_S)
        return found


def _at_rest(status: Status) -> bool:
    return not status.running and not status.flag(protocol.FLAG_LOG_OPEN)


def dose_of(current_ua: int, identity: Hello, **changes: Any) -> bytes:
    """Return the canonical dose of a calibration point: d.c. through a resistor, polarity +, one start.

    `changes` are fields of the dose that are to be others.
    """
    limits, settings = identity.limits, identity.settings
    most_uc = min(limits["max_dose_uc"], settings.get("max_dose_uc", limits["max_dose_uc"]))
    wanted_uc = current_ua * UC_PER_MA_MIN // 1_000 * POINT_MINUTES
    fields: dict[str, Any] = {
        "schema": 1,
        "name": "Calibration",
        "drug": "none",
        "site": "reference meter",
        "current_ua": current_ua,
        "dose_uc": min(wanted_uc, most_uc),
        "area_mm2": limits["max_area_mm2"],
        "polarity": dose.POLE_POSITIVE,
        "ramp_up_ms": limits["min_ramp_ms"],
        "ramp_down_ms": limits["min_ramp_ms"],
        "waveform": "dc",
        "pulse_on_ms": 0,
        "pulse_off_ms": 0,
        "pulse_edge_ms": 0,
        "reversal": "none",
        "reversal_interval_ms": 0,
        "max_extension_pct": 0,
        "starts": 1,
        "max_density_ua_cm2": min(settings.get("max_density_ua_cm2", 500), limits["max_density_ua_cm2"]),
    }
    return dose.canonical(fields | changes)


def calibrate(
    device: Device,
    meter: Meter,
    tell: Tell,
    confirm: Callable[[Trim, list[Point]], bool],
    points: tuple[int | None, int | None],
) -> Calibrated | None:
    """Measure, fit, ask `confirm`, write, and measure again; None when not confirmed.

    The check afterwards has a third point. When it fails, and when anything is interrupted, the board gets back the
    calibration it had. Raises `CalibrationError` for what is implausible, and what the device refuses.
    """
    work = Calibrator(device, meter, tell)
    low, middle, high = work.points_ua(*points)
    kept = {name: value for name, value in device.read_calibration().items() if name != "state"}
    meter_zero_ua = work.zero()
    before = [work.measure(low), work.measure(high)]
    present = Trim.of(kept)
    found = fit(before, present)
    if not confirm(found, before):
        return None
    values = {
        **asdict(found),
        "residual_before_ppm": worst_ppm(before),
        "residual_ppm": calibration.MAX_RESIDUAL_PPM,  # until it is checked
        "time_unix_s": int(time.time()),
    }
    values["meter"] = meter.name[: calibration.MAX_METER_CHARS]
    with_hand(lambda: device.write_calibration(values), tell)
    try:
        after = [work.measure(set_ua) for set_ua in (low, middle, high)]
        values["residual_ppm"] = _checked(after)
        with_hand(lambda: device.write_calibration(values), tell)
    except BaseException:
        _give_back(work, device, kept, tell)
        raise
    done = Calibrated(
        board_id=device.identity.board_id,
        meter=meter.name,
        time_unix_s=values["time_unix_s"],
        meter_zero_ua=meter_zero_ua,
        before=before,
        after=after,
        trim_before=present,
        trim=found,
        residual_before_ppm=values["residual_before_ppm"],
        residual_ppm=values["residual_ppm"],
    )
    return _recorded(done)


def _give_back(work: Calibrator, device: Device, kept: dict[str, Any], tell: Tell) -> None:
    """Write the calibration `kept` again, or say that the board still has the one that was not checked."""
    try:
        with suppress(IontoError):
            work.settle()
        with_hand(lambda: device.write_calibration(kept), tell)
        tell("The board has the calibration that it had before.")
    except (IontoError, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, IontoError) else "interrupted again"
        tell(
            f"The board still has the new calibration, which was not checked ({why}). "
            "`ionto calibrate --remove` takes it off."
        )


def _checked(after: list[Point]) -> int:
    """Return the residual of the calibrated board in ppm; `CalibrationError` when it is too much to be one."""
    residual = worst_ppm(after)
    if residual > calibration.MAX_RESIDUAL_PPM:
        raise CalibrationError(
            f"{percent(residual)} are left after it, at most {percent(calibration.MAX_RESIDUAL_PPM)} may be",
            residual_ppm=residual,
        )
    return residual


def records_folder() -> Path:
    """Return the folder of the records of calibrations, beside the pulled logs of the user."""
    return Path(platformdirs.user_data_dir("ionto", appauthor=False)) / "calibrations"


def _recorded(done: Calibrated) -> Calibrated:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(done.time_unix_s))
    path = records_folder() / f"{done.board_id}-{stamp}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = asdict(done)
    wholefile.write(path, json.dumps({**body, "record": str(path)}, indent=2) + "\n")
    return Calibrated(**{**vars(done), "record": path})
