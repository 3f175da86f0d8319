"""What goes over USB: pulling a log and flashing, each against mpremote on the same emulated board and port."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import serial
from mpremote.transport_serial import SerialTransport

from benchmarks.board import LOAD_OHM, Board, firmware_files, without_start
from benchmarks.catalogue import Result
from benchmarks.instant_port import InstantPort
from benchmarks.options import Options
from ionto import sessionlog_format as fmt
from ionto.version import LOG_FORMAT_VERSION
from ionto_host.device import Device
from ionto_host.transport.link import Link
from ionto_sim.client import VirtualPico

_LOG_PATH = "/logs/000001.ilog"
_LOG_BYTES = 64 * 1024
_TIMEOUT_S = 900

Pulled = tuple[bytes, float]  # what came, and the virtual us it took


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    log = _log()
    files = {**firmware_files(options), _LOG_PATH: log}
    options.progress("transfers: log pull")
    ours = _rate_kb_s(log, _pull_with_ionto(options, files))
    yield Result("pull_kb_s", ours, _rate_kb_s(log, _pull_with_mpremote(options, files)))
    options.progress("transfers: flash")
    yield Result("flash_s", _flash_s(options, _ionto_command), _flash_s(options, _mpremote_command))


def _log() -> bytes:
    """Return a whole log of 64 KiB and a bit, as the firmware would have written it."""
    log = struct.pack(fmt.MAGIC_FORMAT, fmt.MAGIC, LOG_FORMAT_VERSION) + _record(fmt.ARM, 0, b"{}")
    sequence = 1
    while len(log) < _LOG_BYTES:
        log += _record(fmt.SAMPLES, sequence, bytes(fmt.SAMPLE_BYTES * fmt.SAMPLES_PER_RECORD))
        sequence += 1
    return log + _record(fmt.END, sequence, b"{}")


def _record(kind: int, sequence: int, payload: bytes) -> bytes:
    body = struct.pack(fmt.RECORD_HEAD_FORMAT, kind, sequence & 0xFF, len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def _pull_with_ionto(options: Options, files: Mapping[str, bytes]) -> Pulled:
    """Read the log from the running application, as `ionto logs pull` does."""
    board = Board(options, files)
    board.until_ready()
    device = Device(Link(_as_serial(InstantPort(board)), "emulated"))
    entry = device.list_logs()[0]
    start_us = board.chip.now_us
    return device.read_log(entry), board.chip.now_us - start_us


def _pull_with_mpremote(options: Options, files: Mapping[str, bytes]) -> Pulled:
    """Read the file from the prompt, as `mpremote fs cp` does."""
    board = Board(options, without_start(files))
    board.until(lambda: board.chip.connected)
    transport = SerialTransport.__new__(SerialTransport)  # its __init__ opens a port of the operating system
    transport.serial = _as_serial(InstantPort(board))
    transport.is_pty, transport.use_raw_paste = True, True
    transport.enter_raw_repl(soft_reset=False)
    start_us = board.chip.now_us
    return bytes(transport.fs_readfile(_LOG_PATH)), board.chip.now_us - start_us


def _as_serial(port: Any) -> serial.Serial:
    """Return `port` as the type that both hosts expect; they use of it what InstantPort has."""
    return port


def _rate_kb_s(log: bytes, pulled: Pulled) -> float:
    data, passed_us = pulled
    if data != log:
        raise RuntimeError(f"the log came back changed: {len(data)} of {len(log)} bytes")
    return len(data) / passed_us * 1000


def _flash_s(options: Options, command: Callable[[str, Path], list[str]]) -> float:
    """Return the virtual time in s that `command` takes to put the firmware on a blank board, from start to end."""
    with (
        tempfile.TemporaryDirectory(prefix="ionto-bench-") as folder,
        VirtualPico(image=str(options.image), load=LOAD_OHM, bench_strap=True, speed=1) as pico,
    ):
        _lay_out(Path(folder), firmware_files(options))
        start_us = pico.status()["t_us"]
        done = subprocess.run(
            command(pico.port, Path(folder)), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        passed_us = pico.status()["t_us"] - start_us
    if done.returncode:
        raise RuntimeError(f"{' '.join(done.args[2:4])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return passed_us / 1e6


def _lay_out(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _ionto_command(port: str, _folder: Path) -> list[str]:
    return [sys.executable, "-m", "ionto_host", "--port", port, "flash"]


def _mpremote_command(port: str, folder: Path) -> list[str]:
    sources = [str(path) for path in sorted(folder.iterdir())]
    return [sys.executable, "-m", "mpremote", "connect", os.path.realpath(port), "fs", "cp", "-r", *sources, ":"]
