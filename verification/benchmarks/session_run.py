"""One session on the emulated board, recorded from outside; what was recorded serves several groups of rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from itertools import pairwise

from ionto import protocol
from ionto_host.device.answers import Status
from ionto_host.transport.frames import Frame
from ionto_sim.ina219_model import SHUNT
from verification.benchmarks.board import Board, firmware_files
from verification.benchmarks.heap import Heap
from verification.benchmarks.options import Options

_CURRENT_UA = 4_000
_RAMP_MS = 5_000
_REST_S = 20.0  # of the dose when the recording ends
_STATUS_NANOS = 100_000_000
_QUIET_MS = 1_000


@dataclass
class Recording:
    """What was seen: times in us, heap in bytes."""

    rises_us: list[float] = field(default_factory=list)
    high_us: list[float] = field(default_factory=list)
    quiet_rises_us: list[float] = field(default_factory=list)
    quiet_high_us: list[float] = field(default_factory=list)
    reads: list[tuple[int, int]] = field(default_factory=list)  # when, end of the next conversion
    answers_us: list[float] = field(default_factory=list)
    heap_free: list[int] = field(default_factory=list)
    collections: int = 0
    quiet_left: int = 0
    quiet_allocated: int = 0
    last: Status | None = None

    def periods_us(self) -> list[float]:
        """Return the control periods of the session."""
        return [late - early for early, late in pairwise(self.rises_us)]


@functools.cache
def record(options: Options) -> Recording:
    """Return the recording of a session of `options.seconds`, run once."""
    board = Board(options, firmware_files(options))
    board.until_ready()
    heap = Heap(board.chip)
    recording = Recording()
    board.start(_CURRENT_UA, options.seconds + _REST_S, _RAMP_MS)
    board.until_state(protocol.RAMP_UP)
    _watch_samples(board, recording)
    _record_traffic(board, heap, recording, options)
    board.until_state(protocol.HOLD)
    _record_quiet(board, heap, recording)
    board.ask(protocol.ABORT)
    return recording


def _watch_samples(board: Board, recording: Recording) -> None:
    """Record when the shunt register is read, and which conversion is in it."""
    sensor = board.wiring.sensor
    read_into = sensor.read_into

    def watched(buffer: bytearray, now_us: int) -> None:
        read_into(buffer, now_us)
        if sensor.pointer == SHUNT:
            recording.reads.append((now_us, sensor.dump()["next_us"]))

    sensor.read_into = watched


def _record_traffic(board: Board, heap: Heap, recording: Recording, options: Options) -> None:
    """Record `options.seconds` of the session with a STATUS request every 100 ms."""
    chip, mark = board.chip, board.timing.mark()
    start_us = chip.now_us
    end_us = start_us + options.seconds * 1e6
    sent_us = allocated = 0

    def ask() -> None:
        nonlocal sent_us, allocated
        options.progress(f"control loop: {(chip.now_us - start_us) / 1e6:.1f} of {options.seconds:g} emulated s")
        recording.heap_free.append(heap.free_bytes())
        recording.collections += heap.allocated_bytes() < allocated
        allocated = heap.allocated_bytes()
        sent_us = chip.now_us
        board.send(protocol.STATUS)
        if chip.now_us < end_us:
            alarm.schedule(_STATUS_NANOS)

    def answered(frame: Frame) -> None:
        recording.answers_us.append(chip.now_us - sent_us)
        recording.last = Status.decode(frame.payload)

    alarm = chip.clock.create_alarm(ask)
    board.on_frame = answered
    alarm.schedule(0)
    board.until(lambda: chip.now_us >= end_us or _failed(recording))
    if recording.last is None or _failed(recording):
        raise RuntimeError(f"the session ended early: {recording.last}")
    recording.rises_us, recording.high_us = board.timing.rises_us[mark:], board.timing.high_us[mark:]


def _failed(recording: Recording) -> bool:
    return recording.last is not None and recording.last.state == protocol.FAULT


def _record_quiet(board: Board, heap: Heap, recording: Recording) -> None:
    """Record a stretch of the hold without requests, and what it does to the heap."""
    board.pass_ms(50)
    mark, free, allocated = board.timing.mark(), heap.free_bytes(), heap.allocated_bytes()
    board.pass_ms(_QUIET_MS)
    recording.quiet_left = free - heap.free_bytes()
    recording.quiet_allocated = heap.allocated_bytes() - allocated
    recording.quiet_rises_us, recording.quiet_high_us = board.timing.rises_us[mark:], board.timing.high_us[mark:]
