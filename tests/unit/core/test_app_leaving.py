"""Leaving the application, main.py and boot.py, and an exception anywhere in the tick."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from app_words import LONG
from fake_port import Port, answers, request
from plant import Board, FakeHal, Plant, device, dose_fields

import ionto
import ionto_pack
from ionto import app as app_module
from ionto import bootmode, dose, kernel, limits, protocol

FIRMWARE = Path(__file__).parents[3] / "firmware"


@pytest.mark.hazard("HAZ-29")
def test_maintenance_is_answered_before_leaving() -> None:
    """The run ends, the output is off, the next boot is maintenance, and the host has its answer."""
    with device(booted=False) as board:
        board.hal.bench_strap = True
        board.hal.on_wait = lambda: board.send(protocol.MAINTENANCE) if not board.port.moved_in else None
        board.live()
        assert answers(board.port.from_device)[0] == (protocol.MAINTENANCE | protocol.RESPONSE, 1, b"")
        assert board.hal.calls[-1] == "cut_off"
        assert bootmode.Boot(board.board.scratch[0], False).maintenance


def test_maintenance_does_not_wait_for_a_host_that_is_gone() -> None:
    with device(booted=False) as board:
        board.port.reading_host = False
        board.hal.bench_strap = True
        board.hal.on_wait = lambda: board.send(protocol.MAINTENANCE) if not board.port.moved_in else None
        board.live()
        assert board.plant.now_us < 5_000_000


@contextmanager
def modules(**fakes: ModuleType | SimpleNamespace) -> Iterator[None]:
    """Replace modules; ionto.start, which binds what it imports, is imported anew, whatever a test had imported."""
    replaced = {name.replace("__", "."): fake for name, fake in fakes.items()}
    with patch.dict(sys.modules, replaced), patch.dict(vars(ionto)):
        for name in ("start", *(name.partition(".")[2] for name in replaced)):
            vars(ionto).pop(name, None)
        sys.modules.pop("ionto.start", None)
        yield


class Script:
    """main.py under fakes: pushes a dose, starts, and in HOLD calls `then`."""

    def __init__(self, then: Any):
        self.then = then
        self.board = Board()
        self.port = Port()
        self.plant = Plant(limits.variant_a())
        self.hal = FakeHal(limits.variant_a(), self.plant)
        self.hal.on_wait = self._wait
        self.hal.bench_strap = True
        self.app: Any = None
        self.resets = 0
        self.interrupts: list[int] = []
        self._cycle = 0

    def _wait(self) -> None:
        self._cycle += 1
        if self._cycle == 10:
            self.port.to_device.extend(request(3, 1, dose.canonical(dose_fields(limits.variant_a(), **LONG))))
        elif self._cycle == 50:
            self.port.to_device.extend(request(5, 2))
        elif self._cycle > 3_000:
            raise AssertionError("the script did not end the run")
        elif self.app.session.state == protocol.HOLD and self.app.session.setpoint_ua == LONG["current_ua"]:
            self.then(self)

    def run(self, boot: Any = None) -> None:
        """Run firmware/main.py itself, the modules of the board replaced."""
        script = self

        class App(app_module.App):
            """The application, with a handle for the script."""

            def __init__(self, *parts: Any):
                super().__init__(*parts)
                script.app = self

        board_module = ModuleType("ionto.hal_rp2")
        for name in ("read_scratch", "write_scratch", "board_id", "unix_time_s", "set_clock"):
            setattr(board_module, name, getattr(self.board, name))
        board_module.__dict__.update(
            Hal=lambda build: self.hal,
            read_variant=lambda: "A",
            quiet_pins=self.hal.cut_off,
            light_maintenance=lambda: self.hal.show(5),
            reset=self._reset,
        )
        serial_module = ModuleType("ionto.serialport")
        serial_module.__dict__["SerialPort"] = lambda: self.port
        collector = SimpleNamespace(threshold=lambda size: None)
        fakes = {
            "gc": collector,
            "ionto__hal_rp2": board_module,
            "ionto__serialport": serial_module,
        }
        taken = patch.object(app_module.micropython, "kbd_intr", self.interrupts.append)
        with device(booted=False), modules(**fakes), patch.object(app_module, "App", App), taken:
            boot = boot or bootmode.Boot(0, False)
            runpy.run_path(str(FIRMWARE / "main.py"), {"BOOT": boot}, run_name="__main__")

    def _reset(self) -> None:
        self.resets += 1


class Bang(Exception):
    """Raised by a test inside the tick."""


def bang(*parts: Any) -> Any:
    raise Bang


PLACES = {
    "sampling": lambda script: patch.object(script.hal, "read", bang),
    "guards": lambda script: patch.object(kernel, "judge", bang),
    "session": lambda script: patch.object(kernel, "advance", bang),
    "controller": lambda script: patch.object(kernel, "control", bang),
    "duty": lambda script: patch.object(script.hal, "set_duty", bang),
    "heartbeat": lambda script: patch.object(script.hal, "beat", bang),
    "log": lambda script: patch.object(kernel, "window", bang),
    "link": lambda script: patch.object(script.app.link, "poll", bang),
    "lights": lambda script: patch.object(script.hal, "show", bang),
}


@pytest.mark.hazard("HAZ-15")
@pytest.mark.parametrize("place", list(PLACES))
def test_an_exception_anywhere_in_the_tick_cuts_the_output(place: str) -> None:
    """Against a firmware exception with current flowing. main.py's last act is to cut, whatever was raised where."""
    script = Script(lambda script: PLACES[place](script).start())
    try:
        with pytest.raises(Bang):
            script.run()
    finally:
        patch.stopall()
    assert script.hal.calls[-1] == "cut_off"
    assert (script.hal.powered, script.hal.duty()) == (False, 0)
    assert script.plant.current_ua > 1_000, "it did flow"
    script.plant.advance(110_000)
    assert script.plant.current_ua == 0
    assert bootmode.Boot(script.board.scratch[0], False).cause == bootmode.WATCHDOG
    assert script.interrupts == [-1, 3]


@pytest.mark.hazard("HAZ-15")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
def test_what_is_no_ordinary_exception_cuts_the_output_as_well(error: type[BaseException]) -> None:
    """Against a firmware exception with current flowing."""

    def raise_it(script: Script) -> None:
        raise error

    script = Script(raise_it)
    with pytest.raises(error):
        script.run()
    assert script.hal.calls[-1] == "cut_off"


@pytest.mark.hazard("HAZ-15", "HAZ-29")
def test_main_resets_into_maintenance_when_the_application_leaves() -> None:
    def leave(script: Script) -> None:
        script.app.session.abort()
        if not script.resets and script.app.desk.leave_for_maintenance() == 0:
            script.hal.on_wait = lambda: None

    script = Script(leave)
    script.hal.on_wait = lambda: leave(script)
    script.run()
    assert script.resets == 1
    assert script.hal.calls[-1] == "cut_off"


@pytest.mark.hazard("HAZ-12", "HAZ-29")
def test_main_in_maintenance_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """No watchdog, no application, every pin quiet; the person is told."""
    script = Script(bang)
    script.run(bootmode.Boot(0, True))
    assert script.app is None
    assert not script.hal.watchdog
    assert script.hal.calls[-1] == "cut_off"
    assert "output is off" in capsys.readouterr().out


def test_in_maintenance_modules_are_looked_for_everywhere_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who works at the REPL finds what lies on flash, though the application looks for modules in MicroPython only."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    script = Script(bang)
    narrowed = patch.object(script.hal, "show", lambda bits: sys.path.__setitem__(slice(None), ionto_pack.NARROW_PATH))
    with narrowed:
        script.run(bootmode.Boot(0, True))
    assert sys.path == ionto_pack.USUAL_PATH


@pytest.mark.hazard("HAZ-11")
@pytest.mark.parametrize("broken", ["max_current_ua", "trip_current_ua"])
def test_main_refuses_limits_that_contradict_each_other(broken: str) -> None:
    """Against contradicting limits. The application does not start."""
    build = limits.variant_a()
    setattr(build, broken, 10_000)
    script = Script(bang)
    with patch.object(limits, "for_variant", lambda name: build), pytest.raises(ValueError, match=broken):
        script.run()
    assert script.app is None


@pytest.mark.hazard("HAZ-12", "HAZ-15")
def test_boot_py_quiets_the_pins_first_and_leaves_word() -> None:
    """Against a PWM pin left high by a soft reset. The first act of every boot is to drive it low."""
    acts: list[Any] = []
    fake = ModuleType("ionto.hal_rp2")
    fake.__dict__.update(
        quiet_pins=lambda: acts.append("quiet"),
        read_scratch=lambda index: acts.append("read") or bootmode.mark(bootmode.RUNNING, 0),
        maintenance_strap=lambda: False,
        write_scratch=lambda index, word: acts.append((index, word)),
    )
    with modules(ionto__hal_rp2=fake, micropython=ModuleType("micropython")):
        left = runpy.run_path(str(FIRMWARE / "boot.py"))
    assert acts[0] == "quiet"
    assert acts[-1] == (bootmode.SCRATCH_MARK, bootmode.mark(bootmode.BOOTED, 1))
    assert left["BOOT"].cause == bootmode.WATCHDOG
