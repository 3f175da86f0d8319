"""An emulated board that runs the firmware, driven over its real protocol in the benchmark's own thread."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ionto import dose, protocol
from ionto_host.board import firmware_files as host_files
from ionto_host.device.answers import Status
from ionto_host.device.messages import error_for
from ionto_host.transport.frames import Decoder, Frame, encode
from ionto_host.transport.link import decode_error
from ionto_sim import image
from ionto_sim.emulator.chip import Chip
from ionto_sim.emulator.probe import LoopTiming
from ionto_sim.emulator.raw_repl import RawRepl
from ionto_sim.emulator.wiring import Wiring
from verification.benchmarks.options import Options

BOARD_ARCHITECTURE = "armv6m"
LOAD_OHM = 2_000
_START_FILES = ("/boot.py", "/main.py")
_MOST_VIRTUAL_S = 7_200.0
_MOST_WALL_S = 7_200.0


def bundle(options: Options, callers: Sequence[str] = ()) -> host_files.Bundle:
    """Return the firmware of `options`, compiled for the board; `callers` are texts that say names of it there."""
    compiled = host_files.compiled(host_files.tree(options.firmware), BOARD_ARCHITECTURE, callers)
    return host_files.Bundle(compiled, BOARD_ARCHITECTURE, host_files.compiler_mpy_version())


def firmware_files(options: Options, callers: Sequence[str] = ()) -> dict[str, bytes]:
    """Return the firmware of `options` as `ionto flash` leaves it on a board, with its manifest: {path: data}."""
    return bundle(options, callers).contents()


def without_start(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return `files` without boot.py and main.py: the board stays at its prompt."""
    return {path: data for path, data in files.items() if path not in _START_FILES}


def guest(name: str) -> str:
    """Return the text of the module `name` in benchmarks/guest; it is for the board and never imported here."""
    return (Path(__file__).parent / "guest" / f"{name}.py").read_text(encoding="utf-8")


def at_prompt(options: Options, files: Mapping[str, bytes]) -> RawRepl:
    """Return the prompt of a board with `files` that starts no application; the firmware's pack is not mounted."""
    board = Board(options, without_start(files))
    board.until(lambda: board.chip.connected)
    repl = RawRepl(board.chip)
    repl.enter()
    return repl


class Board:
    """An RP2040 with MicroPython and `files` on its flash, connected to the circuit model; running when made."""

    def __init__(self, options: Options, files: Mapping[str, bytes]) -> None:
        assert options.image is not None
        self.chip = Chip(options.image)
        self.chip.load_file_system(image.build(files))
        self.wiring = Wiring(self.chip, load=LOAD_OHM)
        self.timing = LoopTiming(self.chip)
        self.frames: list[Frame] = []
        self.on_frame: Callable[[Frame], None] = self.frames.append
        self._decoder = Decoder()
        self._sequence = 0
        self.chip.received = self._receive

    def _receive(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self.on_frame(frame)

    def until(self, done: Callable[[], bool]) -> None:
        """Run until `done()`."""
        self.chip.run(done, _MOST_VIRTUAL_S, _MOST_WALL_S)

    def until_ready(self) -> None:
        """Run until the control loop runs and USB is up."""
        mark = self.timing.mark()
        self.until(lambda: self.timing.mark() > mark + 2 and self.chip.connected)

    def pass_ms(self, ms: float) -> None:
        """Run for `ms` of virtual time, and up to the batch's end beyond."""
        end_us = self.chip.now_us + ms * 1000
        self.until(lambda: self.chip.now_us >= end_us)

    def send(self, kind: int, payload: bytes = b"") -> None:
        """Send a request; the answer arrives at `on_frame`."""
        self._sequence = (self._sequence + 1) & 0xFF
        self.chip.send(encode(kind, self._sequence, payload))

    def ask(self, kind: int, payload: bytes = b"") -> bytes:
        """Return the payload that answers a request; raise what `ionto` would raise for a refusal."""
        self.frames.clear()
        self.on_frame = self.frames.append
        self.send(kind, payload)
        self.until(lambda: bool(self.frames))
        answer = self.frames[0]
        if answer.kind == protocol.ERROR:
            raise error_for(decode_error(answer.payload, kind))
        return answer.payload

    def status(self) -> Status:
        """Return what the device does now."""
        return Status.decode(self.ask(protocol.STATUS))

    def until_state(self, state: int, every_ms: float = 100) -> Status:
        """Ask every `every_ms` until the device is in `state`; RuntimeError when it goes into FAULT instead."""
        while (status := self.status()).state != state:
            if status.state == protocol.FAULT:
                raise RuntimeError(f"the firmware ended in fault {status.fault_name}, late {status.late_max_us} us")
            self.pass_ms(every_ms)
        return status

    def start(self, current_ua: int, hold_s: float, ramp_ms: int) -> None:
        """Push a dose of `current_ua` that holds for `hold_s` and start it."""
        body = {
            "schema": 1,
            "name": "benchmark",
            "drug": "",
            "site": "",
            "current_ua": current_ua,
            "dose_uc": int(current_ua * (hold_s + ramp_ms / 1000)),
            "area_mm2": 1_000,
            "polarity": 1,
            "ramp_up_ms": ramp_ms,
            "ramp_down_ms": ramp_ms,
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
        self.ask(protocol.DOSE_PUSH, dose.canonical(body))
        self.ask(protocol.START)

    def logs(self) -> bytes:
        """Return the first page of the log list, JSON."""
        return self.ask(protocol.LOG_LIST, struct.pack(protocol.LOG_LIST_FORMAT, 0))
