"""The circuit's process, as the supervisor of a virtual Pico keeps it: started, connected to each VM, ended."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ionto_sim.errors import SimStartError
from ionto_sim.spice import engine
from ionto_sim.spice.errors import SpiceMissingError

_END_S = 2.0


def check() -> None:
    """Raise SimStartError, with what to type, when ngspice cannot be loaded here."""
    try:
        engine.library()
    except SpiceMissingError as error:
        raise SimStartError(str(error)) from error


class SpiceProcess:
    """One circuit for one virtual Pico; its errors go to the file `errors`."""

    def __init__(self, folder: Path, errors: Path) -> None:
        self._folder = folder
        self._count = 0
        self._path: Path | None = None
        with errors.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ionto_sim.spice.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )

    def connect(self) -> str:
        """Return the path of a new pair of FIFOs, for the next VM; SimStartError when the process has ended."""
        self._forget()
        self._count += 1
        self._path = self._folder / f"spice{self._count}"
        for end in (".ask", ".answer"):
            os.mkfifo(f"{self._path}{end}")
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{self._path}\n".encode())
            self._process.stdin.flush()
            ready = self._process.stdout.readline()
        except BrokenPipeError:
            ready = b""
        if not ready:
            raise SimStartError(f"the circuit's process has ended; what it said is in {self._folder}")
        return str(self._path)

    def _forget(self) -> None:
        if self._path is not None:
            for end in (".ask", ".answer"):
                Path(f"{self._path}{end}").unlink(missing_ok=True)

    def close(self) -> None:
        """End the process: it heeds the end of its input; one that hangs in ngspice is killed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._forget()
