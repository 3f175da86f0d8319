"""Trying a wheel or an sdist: into a clean environment, then from a blank virtual Pico to a passed self-test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from release.uf2_stub import stub

START_S = 30.0
_EXTRAS = "sim"


class TrialError(Exception):
    """Raised when a package does not do what it is to do; the message has what it printed."""


class Trial:
    """An environment in `folder` with `package` and nothing of the checkout."""

    def __init__(self, folder: Path, package: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(folder / "venv")])
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        target = f"iontopico[{_EXTRAS}] @ {package.resolve().as_uri()}"
        run([str(self.bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", target])
        self.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("IONTO_", "PYTHON"))}
        (self.folder / "image.uf2").write_bytes(stub())
        return {**kept, "IONTO_SIMS": str(self.folder / "sims"), "IONTO_CONFIG": os.devnull, "NO_COLOR": "1"}

    def ionto(self, *arguments: str) -> str:
        """Run the installed `ionto` outside the checkout; return what it printed."""
        return run([str(self.bin / "ionto"), *arguments], self.environment, self.folder)

    def first_steps(self) -> dict[str, Any]:
        """Run help, a virtual Pico that begins in BOOTSEL, flash, doctor; return what flash said."""
        if "Exit codes" not in self.ionto("--help"):
            raise TrialError("`ionto --help` has no exit codes")
        command = [str(self.bin / "ionto"), "sim", "--bootsel", "--bench-strap", "--load", "2000", "--speed", "max"]
        process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL)
        try:
            self._wait(process)
            told = json.loads(self.ionto("flash", "--uf2", str(self.folder / "image.uf2"), "--json"))
            if not all(check["ok"] for check in told["selftest"]):
                raise TrialError(f"the self-test failed: {told['selftest']}")
            self.ionto("doctor")
        finally:
            process.terminate()
            process.wait(30)
        return told

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while "bootsel" not in self.ionto("devices", "--json"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise TrialError("the virtual Pico of the package does not come up")
            time.sleep(0.1)


def run(command: list[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    """Run `command` and return its stdout; `TrialError` with all it printed when it fails."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrialError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout
