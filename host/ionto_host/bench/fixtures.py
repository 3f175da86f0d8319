"""What the plugin's fixtures do, imported only when one of them is used."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ionto import calibration, protocol
from ionto_host.bench import measuring, record, wiring
from ionto_host.bench import rig as rigs
from ionto_host.bench.benchfile import EMULATED, BenchFile
from ionto_host.bench.record import Row
from ionto_host.bench.rig import Person, Rig
from ionto_host.board import calibrating
from ionto_host.device.client import Device
from ionto_host.patience import VARIABLE as PATIENCE
from ionto_host.units import percent

# Times real time, on a machine that does other things too: rp2040py's wheel for 3.10 is 4 times as fast as the others.
_EMULATED_PATIENCE = "10" if sys.version_info < (3, 11) else "40"
CALIBRATION_OHM = 2_000
CALIBRATION_SPEED = 8.0  # of a simulated board: the points are read in wall time
_KNOWN_LOGS: dict[str, set[int]] = {}


def with_meter(bench: BenchFile, resource: str | None) -> BenchFile:
    """Return `bench` with its SCPI meter at the VISA resource `resource`; unchanged for None and in a simulation."""
    if resource is None or bench.simulated:
        return bench
    if bench.meter.kind != "scpi":
        raise pytest.UsageError(f"{bench.path}: the meter is to be at {resource}, and its kind is not scpi")
    return replace(bench, meter=replace(bench.meter, resource=resource))


@contextmanager
def rig(bench: BenchFile, who: Person | None, port: str | None) -> Iterator[Rig]:
    """Put the bench together, and wait longer for an emulated board."""
    with pytest.MonkeyPatch.context() as patch:
        if bench.port == EMULATED and not os.environ.get(PATIENCE):
            patch.setenv(PATIENCE, _EMULATED_PATIENCE)
        with rigs.interrupted_once(), rigs.build(bench, lambda text: print(text, file=sys.stderr), who, port) as made:
            yield made


class Measured:
    """The rows of one test: `check` adds one and fails the test when it is outside its limits."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def facts(self, **values: Any) -> None:
        """Say something about the run as a whole: board, meter, calibration."""
        self._properties.append((record.FACTS, json.dumps(values, ensure_ascii=False)))

    def series(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[float]], **about: Any) -> None:
        """Keep a course for the report: `rows` of `columns`."""
        body = {"name": name, "columns": list(columns), "rows": [[round(x, 5) for x in row] for row in rows], **about}
        self._properties.append((record.SERIES, json.dumps(body, ensure_ascii=False)))

    def add(
        self,
        quantity: str,
        value: float,
        unit: str,
        low: float | None,
        high: float | None,
        seen: dict[str, Any] | None = None,
        **at: Any,
    ) -> Row:
        """Keep a row, measured `at` these conditions with `seen` beside it, and return it unjudged."""
        row = Row(quantity, round(float(value), 6), unit, low, high, at, seen or {})
        self._properties.append((record.ROW, record.encode_row(row)))
        return row

    def check(
        self,
        quantity: str,
        value: float,
        unit: str,
        low: float | None,
        high: float | None,
        seen: dict[str, Any] | None = None,
        **at: Any,
    ) -> None:
        """Keep a row; the test fails when it is outside its limits."""
        row = self.add(quantity, value, unit, low, high, seen, **at)
        if not row.passed:
            pytest.fail(row.words(), pytrace=False)

    def all_passed(self, rows: Sequence[Row]) -> None:
        """Fail with every one of `rows` that is outside its limits."""
        failed = [row.words() for row in rows if not row.passed]
        if failed:
            pytest.fail("\n".join(failed), pytrace=False)


class Power:
    """USB cable and battery of the board."""

    def __init__(self, bench: Rig) -> None:
        self._rig = bench

    def unplug(self) -> None:
        """Pull the USB cable; the port is gone."""
        self._rig.switch("usb", False)

    def plug(self) -> Device:
        """Plug the USB cable in, and return the board once it answers."""
        self._rig.switch("usb", True)
        return self._rig.wait_for_board()

    def cut(self) -> None:
        """Take the power away."""
        self._rig.switch("power", False)

    def restore(self) -> Device:
        """Give power again, and return the board once it answers."""
        self._rig.switch("power", True)
        return self._rig.wait_for_board()

    def rest(self) -> None:
        """Put cable and battery back to where they rest."""
        self._rig.rest_switches()


def around_test(bench: Rig, logs: Path, measured: Measured) -> Iterator[Rig]:
    """Bring the board to rest, let the test run, make the board safe, and pull and verify every new log."""
    known = _KNOWN_LOGS.setdefault(str(logs), set())
    if bench.first:
        measured.facts(**about(bench))
        bench.first = False
        known |= {entry.id for entry in bench.device.list_logs()}
    bring_to_rest(bench)
    bench.check_off()
    try:
        yield bench
    finally:
        _leave_safe(bench)
    pulled = measuring.pull_logs(bench, logs, known)
    bad = [str(log.path) for log, _ in pulled if not log.verified]
    if pulled:
        measured.check(record.LOGS, len(bad), "logs", None, 0, {"pulled": len(pulled)})
        files = str(pulled[-1][1].header.get("files", ""))
        if files:
            bench.firmware_sha256 = files
            measured.facts(firmware_sha256=files)
    judge, bench.judge_log = bench.judge_log, None
    if judge is not None:
        if not pulled:
            pytest.fail("the session left no log", pytrace=False)
        measured.all_passed(judge(pulled[-1][1]))


def _leave_safe(bench: Rig) -> None:
    """Put the switches back and make the board safe; the meter is read even when a switch or the port fails."""
    with rigs.uninterrupted():
        try:
            bench.rest_switches()
            bench.wait_for_board()
        finally:
            bench.make_safe()


def bring_to_rest(bench: Rig) -> None:
    """Get the board to IDLE or DONE, faults cleared."""
    bench.rest_switches()
    device = bench.wait_for_board()
    status = device.status()
    if status.running:
        device.abort()
        status = bench.until(measuring.at_rest, "the end of the session", fault_expected=True)
    if status.state == protocol.FAULT:
        device.log_written()
        from ionto_host.device.hand import with_hand

        with_hand(device.clear_fault, bench.tell)


def about(bench: Rig) -> dict[str, Any]:
    """Return who the board is and what it is measured with."""
    hello = bench.known = bench.device.identity
    accuracy = bench.meter.accuracy
    return {
        "board": {
            "board_id": hello.board_id,
            "variant": hello.variant,
            "firmware": hello.firmware,
            "micropython": hello.micropython,
            "reset_cause": hello.reset_cause,
            "limits": hello.limits,
        },
        "calibration": hello.calibration,
        "meter": {
            "name": bench.meter.name,
            "identification": bench.meter.identification,
            "range_ua": accuracy.range_ua,
            "uncertainty_ppm": accuracy.gain_ppm,
            "uncertainty_ua": accuracy.offset_ua,
        },
        "room": bench.bench.room,
        "bench": {"name": bench.bench.name, "port": bench.bench.port, "capabilities": sorted(bench.capabilities)},
    }


def suite_properties(bench: Rig) -> dict[str, str]:
    """Return what JUnit's file says of the run as a whole; the record has all of it."""
    hello = bench.known
    if hello is None:
        return {}
    return {
        "board": hello.board_id,
        "firmware": hello.firmware,
        "firmware_sha256": bench.firmware_sha256,
        "calibration": str(hello.calibration.get("state", "none")),
        "meter": bench.meter.name,
        "room": ", ".join(f"{name} {value}" for name, value in bench.bench.room.items()),
    }


def wired(bench: Rig, measured: Measured, calibrated: bool) -> None:
    """Check the wiring once a run, and calibrate the board if asked; `WiringError` when it is not as the file says."""
    if bench.checked:
        return
    measured.facts(meter_zero_ua=bench.zero_meter())
    for finding in wiring.require(bench):
        measured.facts(**{f"wiring: {finding.name}": finding.text})
    bench.checked = True
    if calibrated:
        calibrate(bench, measured)


def calibrate(bench: Rig, measured: Measured) -> None:
    """Calibrate the board against the bench's meter, as `ionto calibrate` does; `CalibrationError` when implausible."""
    ohm = bench.load.ohm
    try:
        bench.load.set_ohm(bench.load.nearest(CALIBRATION_OHM))
        with bench.clock.real_time(CALIBRATION_SPEED):
            done = calibrating.calibrate(bench.device, bench.meter, bench.tell, lambda *_: True, (None, None))
    finally:
        bench.load.set_ohm(ohm)
    assert done is not None
    at = {"meter": bench.meter.name}
    before, after = (percent(part) for part in (done.residual_before_ppm, done.residual_ppm))
    measured.facts(calibration=bench.device.hello().calibration, calibrated_now={"before": before, "after": after})
    most = calibration.MAX_RESIDUAL_PPM / 1e4
    measured.add("left after the calibration", done.residual_ppm / 1e4, "%", None, most, {"before": before}, **at)
