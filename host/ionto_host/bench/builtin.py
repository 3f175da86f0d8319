"""The bench that everybody has: examples/virtual_bench.toml, which the wheel carries too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ionto_host.bench import benchfile
from ionto_host.bench.benchfile import EMULATED, VIRTUAL, BenchFile
from ionto_host.errors import MissingPartError

NAME = "virtual_bench.toml"


def path() -> Path:
    """Return where the virtual bench's file is, in the wheel or in the checkout."""
    here = Path(__file__).parent
    for folder in (here, here.parents[2] / "examples"):
        if (folder / NAME).is_file():
            return folder / NAME
    raise MissingPartError(f"{NAME} is not in this installation")


def choose(tier: str, named: BenchFile | None) -> BenchFile:
    """Return the bench of the tier: the `named` one, or for "virtual" and "emulated" one without hardware."""
    if tier not in (VIRTUAL, EMULATED):
        assert named is not None
        return named
    bench = named if named is not None and named.simulated else benchfile.read(path())
    return replace(bench, port=tier)
