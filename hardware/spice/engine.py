"""Run ngspice on a deck and return its vectors, or an error: never half a result."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hardware.spice import rawfile
from hardware.spice.deck import Deck
from hardware.spice.rawfile import Vector

_TIMEOUT_S = 120
_END = 1 - 1e-6


class SimulationError(Exception):
    """ngspice is missing, failed, or did not do the whole analysis."""


@dataclass(frozen=True)
class Waves:
    """Vectors over `x` (time in s, or the swept source); SI units."""

    x: Vector
    vectors: dict[str, Vector]

    def volt(self, net: str) -> Vector:
        """Return the voltage of `net`, in V."""
        return self._named(f"v({net.lower()})")

    def ampere(self, source: str) -> Vector:
        """Return the current into the positive end of the voltage source `source`, in A."""
        return self._named(f"i({source.lower()})")

    def _named(self, name: str) -> Vector:
        if name not in self.vectors:
            raise SimulationError(f"no vector {name}; there are {', '.join(sorted(self.vectors))}")
        return self.vectors[name]


def transient(deck: Deck, end_s: float, step_s: float = 0.0, save: tuple[str, ...] = ()) -> Waves:
    """Return the waves of `deck` from its operating point until `end_s`, with steps of at most `step_s`."""
    most = step_s or end_s / 500
    waves = _run(deck, f".tran {most:.6g} {end_s:.9g} 0 {most:.6g}", save)
    if waves.x[-1] < end_s * _END:
        raise SimulationError(f"the transient ended at {waves.x[-1]:g} s of {end_s:g} s")
    return waves


def sweep(deck: Deck, source: str, start: float, stop: float, step: float, save: tuple[str, ...] = ()) -> Waves:
    """Return the operating points of `deck` while `source` (or a resistor) goes from `start` to `stop`."""
    waves = _run(deck, f".dc {source} {start:.9g} {stop:.9g} {step:.9g}", save)
    if abs(waves.x[-1] - stop) > abs(step):
        raise SimulationError(f"the sweep of {source} ended at {waves.x[-1]:g} of {stop:g}")
    return waves


def _run(deck: Deck, analysis: str, save: tuple[str, ...]) -> Waves:
    """Run one analysis in a directory of its own."""
    binary = shutil.which("ngspice")
    if binary is None:
        raise SimulationError("ngspice is missing; `make hardware` installs it or says how")
    saved = f".save {' '.join(save)}\n" if save else ""
    with tempfile.TemporaryDirectory(prefix="ionto-spice-") as folder:
        source, raw = Path(folder, "deck.cir"), Path(folder, "deck.raw")
        source.write_text(deck.text(saved + analysis), encoding="ascii")
        command = [binary, "-b", "-r", str(raw), str(source)]
        quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, text=True, timeout=_TIMEOUT_S)
        said = done.stdout + done.stderr
        if done.returncode or "rror" in said.replace("No. of Errors", ""):
            raise SimulationError(f"ngspice ended with {done.returncode}: {_reason(said)}")
        vectors = rawfile.read(raw)
    return Waves(next(iter(vectors.values())), vectors)


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if "rror" in line or "fatal" in line.lower()]
    return "; ".join(lines[:4]) or said[-400:]
