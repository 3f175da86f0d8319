"""The MicroPython prompt of a board, through the mpremote library: the only module that knows mpremote.

mpremote's API moves between releases, so its version is pinned in pyproject.toml.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import serial
from mpremote.transport import TransportError as MpremoteError
from mpremote.transport_serial import SerialTransport

from ionto_host.board.firmware_files import STARVE_WATCHDOG
from ionto_host.board.sending import ACKNOWLEDGED, END, RECEIVER, pieces
from ionto_host.errors import BoardError, PortBusyError
from ionto_host.patience import patient
from ionto_host.transport.network import is_remote
from ionto_host.transport.ports import port_busy

PROMPT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 2.0
PIECE_TIMEOUT_S = 10.0  # an erase takes 400 ms at most, and a file system may need several
_END_OF_OUTPUT = b"\x04"
_LOST = (MpremoteError, OSError, serial.SerialException)

_IDENTIFY = """
import sys, json, os
i = sys.implementation
v = ".".join([str(n) for n in i.version[:3]])
print(json.dumps([getattr(i, "_mpy", 0), getattr(i, "_machine", sys.platform), v]))
"""

_INVENTORY = """
import os, hashlib, binascii, json
def _sha(path):
    digest = hashlib.sha256()
    buffer = bytearray(512)
    with open(path, "rb") as file:
        while True:
            n = file.readinto(buffer)
            if not n:
                break
            digest.update(memoryview(buffer)[:n])
    return binascii.hexlify(digest.digest()).decode()
def _list(folder):
    try:
        return [e[0] for e in os.ilistdir(folder) if e[1] == 0x8000]
    except OSError:
        return []
def _has(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
"""


@dataclass(frozen=True)
class Implementation:
    """The MicroPython on a board: its `.mpy` version and architecture word, machine name and version."""

    mpy: int
    machine: str
    version: str


class Prompt:
    """The raw REPL of the board on `port`; a context manager. Every failure is a `BoardError`."""

    def __init__(self, port: str) -> None:
        self.port = port
        self._transport: Any = None
        self._can_receive = False  # whether the board has RECEIVER

    def __enter__(self) -> Prompt:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def enter(self) -> None:
        """Open the port and interrupt what runs there; the application ignores that, a prompt answers."""
        with self._errors("reach the MicroPython prompt"):
            self._transport = SerialTransport(_real_path(self.port), timeout=patient(READ_TIMEOUT_S))
            try:
                self._transport.enter_raw_repl(soft_reset=False, timeout_overall=patient(PROMPT_TIMEOUT_S))
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Leave the raw REPL and close the port; no error when the port is gone."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        with contextlib.suppress(OSError, serial.SerialException):
            if transport.in_raw_repl:
                transport.exit_raw_repl()
        with contextlib.suppress(OSError, serial.SerialException):
            transport.close()
        with contextlib.suppress(OSError, serial.SerialException):
            transport.serial.close()  # mpremote leaves it open when the lines of a lost remote port do not change

    def implementation(self) -> Implementation:
        """Return which MicroPython answers."""
        with self._errors("ask for the MicroPython version"):
            return Implementation(*json.loads(self._transport.exec(_IDENTIFY)))

    def hashes(self, folders: list[str], files: list[str]) -> dict[str, str]:
        """Return `{path: SHA-256 hex}` of every file in `folders` and of those of `files` that exist."""
        with self._errors("read the files of the board"):
            self._transport.exec(_INVENTORY)
            expression = f"[d + '/' + n for d in {folders!r} for n in _list(d)] + [f for f in {files!r} if _has(f)]"
            found: dict[str, str] = json.loads(
                self._transport.exec(f"print(json.dumps({{path: _sha(path) for path in {expression}}}))")
            )
            return found

    def make_folders(self, folders: list[str]) -> None:
        """Make `folders`, parents first; existing ones are left alone."""
        with self._errors("make a folder"):
            for folder in folders:
                if not self._transport.fs_exists(folder):
                    self._transport.fs_mkdir(folder)

    def write(self, path: str, data: bytes, progress: Callable[[int], None]) -> None:
        """Write `data` to `path`; `progress(bytes)` is called with the size of each piece written."""
        with self._errors(f"write {path}"):
            if not self._can_receive:
                self._transport.exec(RECEIVER)
                self._can_receive = True
            self._transport.exec_raw_no_follow(f"_receive({path!r})")
            for size, piece in pieces(data):
                self._transport.serial.write(piece)
                self._acknowledged()
                progress(size)
            self._transport.serial.write(END)
            self._followed()

    def _acknowledged(self) -> None:
        """Wait until a piece is written; MpremoteError with what the board says when it ends instead."""
        end = time.monotonic() + patient(PIECE_TIMEOUT_S)
        while time.monotonic() < end:
            answer = self._transport.serial.read(1)
            if answer == ACKNOWLEDGED:
                return
            if answer == _END_OF_OUTPUT:
                raise MpremoteError(self._transport.read_until(1, _END_OF_OUTPUT, patient(READ_TIMEOUT_S)).decode())
        raise MpremoteError("the board does not answer")

    def _followed(self) -> None:
        """Wait for the end of what was executed without following it."""
        _, error = self._transport.follow(patient(PIECE_TIMEOUT_S))
        if error:
            raise MpremoteError(error.decode())

    def remove(self, path: str) -> None:
        """Remove the file `path`."""
        with self._errors(f"remove {path}"):
            self._transport.fs_rmfile(path)

    def read(self, path: str) -> bytes | None:
        """Return the content of the file `path`, None when there is none."""
        with self._errors(f"read {path}"):
            return self._transport.fs_readfile(path) if self._transport.fs_exists(path) else None

    def reset(self) -> None:
        """Restart the board as a power-on would; the port may vanish for a moment."""
        self._leave("reset")

    def bootloader(self) -> None:
        """Send the board to the boot ROM, which shows a drive instead of a port."""
        self._leave("bootloader")

    def starve_watchdog(self) -> None:
        """Mark the board as running, arm its watchdog, feed it no more, and close the port: a reset follows."""
        self._leave_by(STARVE_WATCHDOG)

    def _leave(self, function: str) -> None:
        """Let the board leave by `machine.<function>()` and close the port."""
        self._leave_by(f"import machine, time\ntime.sleep_ms(50)\nmachine.{function}()")

    def _leave_by(self, code: str) -> None:
        """Let the board leave by `code` and close the port.

        The port may go before the answer is read, which looks like an error and is none: who waits for what comes next
        finds out. The board waits a moment, so that the answer gets out.
        """
        printed = io.StringIO()
        with contextlib.suppress(*_LOST), contextlib.redirect_stdout(printed):
            self._transport.exec_raw_no_follow(code)
            time.sleep(0.1)
        self._transport.in_raw_repl = False
        self.close()

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turn what mpremote and the port raise into `BoardError`; keep their prints off the screen."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                yield
        except (MpremoteError, OSError, ValueError, IndexError, serial.SerialException) as error:
            text = str(error).strip().splitlines()
            reason = text[-1] if text else type(error).__name__
            if "exclusively lock" in reason:
                raise port_busy(self.port) from error
            raise BoardError(f"could not {doing} on {self.port}: {reason}", printed=printed.getvalue()) from error


def _real_path(port: str) -> str:
    """Return `port` without symbolic links: mpremote treats a pseudo-terminal by its name."""
    return port if is_remote(port) else os.path.realpath(port)


def wait_for_prompt(port: Callable[[], str], timeout_s: float) -> Prompt:
    """Return the prompt of the board once it answers; `port()` names its port, which may change meanwhile."""
    deadline = time.monotonic() + patient(timeout_s)
    while True:
        prompt = Prompt(port())
        try:
            prompt.enter()
            return prompt
        except (BoardError, PortBusyError):  # a monitor may be having a look
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)
