"""What goes over USB: pulling a log and flashing, each against mpremote on the same emulated board and port."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import serial
from mpremote.transport_serial import SerialTransport

from ionto_host.board import firmware_files as host_files
from ionto_host.device.client import Device
from ionto_host.device.messages import error_for
from ionto_host.patience import VARIABLE
from ionto_host.transport.link import Link
from ionto_sim.client import VirtualPico
from verification.benchmarks import session_log
from verification.benchmarks.board import BOARD_ARCHITECTURE, LOAD_OHM, Board, firmware_files, without_start
from verification.benchmarks.catalogue import Result
from verification.benchmarks.instant_port import InstantPort
from verification.benchmarks.options import Options

_LOG_PATH = "/logs/000001.ilog"
_LOG_SAMPLES = 2_700  # 64 KiB and a bit
_TIMEOUT_S = 900
_SLOW_MOTION = 10  # virtual time runs at most at a tenth, the host waits ten times as long: the emulator cannot do more

Pulled = tuple[bytes, float]  # what came, and the virtual us it took


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    log = session_log.long_log(_LOG_SAMPLES)
    files = {**firmware_files(options), _LOG_PATH: log}
    options.progress("transfers: log pull")
    ours = _rate_kb_s(log, _pull_with_ionto(options, files))
    yield Result("pull_kb_s", ours, _rate_kb_s(log, _pull_with_mpremote(options, files)))
    options.progress("transfers: flash")
    with_ionto = _command_s(options, lambda port: ["ionto_host", "--port", port, "flash", "--no-self-test"])
    with_mpremote = _copy_s(options, firmware_files(options))
    yield Result("flash_s", with_ionto, with_mpremote)
    yield Result("flash_factor", with_mpremote / with_ionto)
    yield Result("flash_open_s", with_ionto, _copy_s(options, _one_file_a_module(options)))


def _pull_with_ionto(options: Options, files: Mapping[str, bytes]) -> Pulled:
    """Read the log from the running application, as `ionto logs pull` does; its waits are the emulator's too."""
    os.environ.setdefault(VARIABLE, str(_SLOW_MOTION))
    board = Board(options, files)
    board.until_ready()
    device = Device(Link(_as_serial(InstantPort(board)), "emulated", error_for))
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


def _one_file_a_module(options: Options) -> dict[str, bytes]:
    """Return the firmware as it would lie on a board without the pack: each module compiled on its own."""
    files = {f"/{name}": (options.firmware / name).read_bytes() for name in ("boot.py", "main.py")}
    for path in sorted((options.firmware / "lib" / "ionto").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        files[f"/lib/ionto/{path.stem}.mpy"] = host_files.compile_source(path.name, text, BOARD_ARCHITECTURE)
    return files


def _copy_s(options: Options, files: Mapping[str, bytes]) -> float:
    """Return the virtual time in s that `mpremote fs cp -r` takes to put `files` on a blank board."""
    with tempfile.TemporaryDirectory(prefix="ionto-bench-") as folder:
        for path, data in files.items():
            target = Path(folder) / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        sources = [str(path) for path in sorted(Path(folder).iterdir())]
        return _command_s(options, lambda port: ["mpremote", "connect", port, "fs", "cp", "-r", *sources, ":"])


def _command_s(options: Options, command: Callable[[str], list[str]]) -> float:
    """Return the virtual time in s that the Python module and arguments of `command(port)` take on a blank board."""
    patience = {**os.environ, VARIABLE: str(_SLOW_MOTION)}
    with VirtualPico(image=str(options.image), load=LOAD_OHM, bench_strap=True, speed=1 / _SLOW_MOTION) as pico:
        arguments = [sys.executable, "-m", *command(os.path.realpath(pico.port))]
        start_us = pico.status()["t_us"]
        done = subprocess.run(arguments, env=patience, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        passed_us = pico.status()["t_us"] - start_us
    if done.returncode:
        raise RuntimeError(f"{arguments[2]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return passed_us / 1e6
