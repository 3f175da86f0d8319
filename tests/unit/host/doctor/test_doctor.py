"""`ionto doctor`: every line says ok, warning or fail and what to do next; the exit code is that of the first fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_device import FakeDevice, on_pty

from ionto import faults, protocol
from ionto_host import cli, errors
from ionto_host.board import firmware_files
from ionto_host.doctor import computer as doctor_computer
from ionto_host.doctor.examination import examine
from ionto_host.doctor.findings import Finding
from ionto_host.transport.port_holders import Holder, holders, told


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No simulator, image, config or log store but the test's own."""
    for name in ("SIMS", "LOGS"):
        monkeypatch.setenv(f"IONTO_{name}", str(tmp_path / name.lower()))
    for name in ("IONTO_UF2", "IONTO_PORT", "IONTO_BOOTSEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def fake() -> FakeDevice:
    """A device in good health whose clock is right and whose logs are pulled."""
    made = FakeDevice()
    made.clock, made.logs = int(time.time()), {}
    made.flags = protocol.FLAG_VBUS
    return made


@pytest.fixture
def port(fake: FakeDevice) -> Iterator[str]:
    """Where it listens."""
    with on_pty(fake) as path:
        yield path


def levels(port: str, **options: Any) -> dict[str, Finding]:
    """Return {name: finding} of the device at `port`."""
    return {finding.name: finding for finding in examine(port, **options)}


def test_a_healthy_device_has_no_fail(port: str) -> None:
    found = levels(port)
    assert not [finding for finding in found.values() if finding.level == "fail"]
    assert {"Python", "packages", "mpy-cross", "image", "serial permissions", "log store", "board"} <= set(found)
    assert {"firmware", "last reset", "sensor", "flash", "memory", "clock", "logs", "calibration"} <= set(found)
    assert all(finding.action for finding in found.values() if finding.level != "ok")
    assert levels(port, self_test=True)["self-test"].level == "ok"


def _fault(fake: FakeDevice) -> None:
    fake.state, fake.fault = protocol.FAULT, faults.OPEN_CIRCUIT


def _leak(fake: FakeDevice) -> None:
    fake.leak_ua = 900


CASES: dict[str, tuple[Callable[[FakeDevice], None], str, str, str]] = {
    "fault": (_fault, "state", "fail", "ionto clear"),
    "current": (_leak, "state", "fail", "DISCONNECT"),
    "sensor": (lambda fake: fake.health.update(sensor_ok=False), "sensor", "fail", "SDA"),
    "flash full": (lambda fake: fake.health.update(flash_free_bytes=65_535), "flash", "fail", "--delete"),
    "flash low": (lambda fake: fake.health.update(flash_free_bytes=65_536), "flash", "warning", "--delete"),
    "heap": (lambda fake: fake.health.update(heap_free_bytes=65_535), "memory", "warning", "reset"),
    "clock": (lambda fake: setattr(fake, "clock", fake.clock - 60), "clock", "warning", "clock set"),
    "no clock": (lambda fake: setattr(fake, "clock", 0), "clock", "warning", "clock set"),
    "logs": (lambda fake: fake.logs.update({4: b"x"}), "logs", "warning", "logs pull"),
    "watchdog": (lambda fake: setattr(fake, "reset_cause", "watchdog"), "last reset", "warning", "supply"),
    "limits": (lambda fake: fake.settings.update(damaged=True), "limits", "fail", "limits set"),
    "calibration": (
        lambda fake: setattr(fake, "calibration", {"state": "damaged"}),
        "calibration",
        "fail",
        "calibrate",
    ),
    "STOP": (lambda fake: setattr(fake, "flags", protocol.FLAG_STOP_OPEN), "STOP loop", "fail", "Release"),
}


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_found_and_the_next_step_said(case: str, fake: FakeDevice, port: str) -> None:
    break_it, name, level, action = CASES[case]
    break_it(fake)
    found = levels(port)[name]
    assert found.level == level and action in found.action


def test_a_running_session_is_left_alone(fake: FakeDevice, port: str) -> None:
    fake.state, fake.flags = protocol.HOLD, protocol.FLAG_OUTPUT_ON
    found = levels(port)
    assert found["board"].level == "warning" and "HOLD" in found["board"].text and "sensor" not in found
    assert protocol.SELF_TEST not in fake.requests


@pytest.mark.hazard("HAZ-33")
def test_current_in_a_paused_session_comes_first(fake: FakeDevice, port: str) -> None:
    fake.state = protocol.PAUSED
    fake.leak_ua = 900
    found = [finding for finding in examine(port) if finding.level == "fail" or finding.name == "board"]
    assert [finding.name for finding in found] == ["state", "board"] and "0.900 mA" in found[0].text


def test_the_command(fake: FakeDevice, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines with an arrow for the next step; the exit code of the first fail; JSON with everything."""
    assert cli.main(["doctor", "--port", port]) == 0
    out = capsys.readouterr().out
    assert "ok      sensor" in out and "-> `ionto calibrate`" in out and "0 fail" in out
    _fault(fake)
    assert cli.main(["doctor", "--port", port, "--json"]) == int(errors.ExitCode.FAULT)
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False and {"name", "level", "text", "action"} <= set(told["findings"][0])
    assert cli.main(["doctor", "--port", "no-such-serial"]) == 3
    assert "fail    board" in capsys.readouterr().out


def test_no_device_at_all_says_it_may_be_the_cable(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("ionto_host.transport.ports.list_ports.comports", list)
    assert cli.main(["doctor"]) == 3
    assert "cable that carries data" in capsys.readouterr().out


def test_a_port_in_use_names_who_holds_it(tmp_path: Path, monkeypatch: Any) -> None:
    script = "import serial,sys; p = serial.Serial(sys.argv[1], exclusive=True); print('held', flush=True); input()"
    with on_pty(FakeDevice()) as port:
        held = subprocess.Popen(
            [sys.executable, "-c", script, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert held.stdout is not None and held.stdout.readline() == "held\n"
            info = doctor_computer.PortInfo(port, "board", "", "Board in FS mode")
            found = doctor_computer._port(info)
            assert found.level == "fail" and f"pid {held.pid}" in found.text and "Close" in found.action
        finally:
            held.kill()
            held.communicate()


def test_holders_by_proc(tmp_path: Path) -> None:
    """Of a process table made up: whose descriptor is a link to the port."""
    python = "/usr/bin/python3\0/home/me/.local/bin/ionto\0monitor\0"
    for pid, target, words in (
        (12, "/dev/ttyACM0", "/usr/bin/screen\0/dev/ttyACM0\0"),
        (13, "/dev/null", ""),
        (14, "/dev/ttyACM0", python),
    ):
        folder = tmp_path / str(pid) / "fd"
        folder.mkdir(parents=True)
        (folder / "3").symlink_to(target)
        (tmp_path / str(pid) / "cmdline").write_text(words)
    (tmp_path / "self").mkdir()
    found = holders("/dev/ttyACM0", tmp_path)
    assert found == [Holder(12, "screen /dev/ttyACM0"), Holder(14, "ionto monitor")]
    assert told(found) == "screen /dev/ttyACM0 (pid 12) and ionto monitor (pid 14)"
    assert holders("socket://x", tmp_path) == []


def test_permissions_name_the_group_or_the_rule(tmp_path: Path, monkeypatch: Any) -> None:
    board = doctor_computer.PortInfo("/dev/ttyACM7", "board", "", "")
    monkeypatch.setattr(doctor_computer, "discover", lambda: [board])
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(doctor_computer, "_owner", lambda port: "dialout")
    (found,) = doctor_computer._permissions()
    assert found.level == "fail" and "usermod -aG dialout" in found.action and "2e8a" in found.action
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    assert next(doctor_computer._permissions()).level == "ok"
    monkeypatch.setattr(doctor_computer, "discover", list)
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    monkeypatch.setattr(doctor_computer, "_groups", set)
    assert next(doctor_computer._permissions()).level == "warning"
    monkeypatch.setattr(doctor_computer, "_groups", lambda: {"dialout"})
    assert next(doctor_computer._permissions()).level == "ok"


def test_a_compiler_of_another_version_and_a_missing_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(firmware_files, "compiler_mpy_version", lambda: "6.1")
    assert "loads 6.3" in doctor_computer._compiler().text

    def absent() -> str:
        raise OSError(8, "Exec format error")

    monkeypatch.setattr(firmware_files, "compiler_mpy_version", absent)
    assert doctor_computer._compiler().level == "fail"


def test_modem_manager_is_named(tmp_path: Path) -> None:
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "comm").write_text("ModemManager\n")
    (found,) = doctor_computer._modem_manager(tmp_path)
    assert found.level == "warning" and "ID_MM_DEVICE_IGNORE" in found.action
