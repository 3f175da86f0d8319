"""Invariant 5 in the real VM, for every kind of traffic on the link: nothing is allocated while current flows."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from ionto import protocol

HERE = Path(__file__).parent
STATES = {
    "ramp_up": protocol.RAMP_UP,
    "hold": protocol.HOLD,
    "status": protocol.HOLD,
    "hello": protocol.HOLD,
    "enter": protocol.HOLD,
    "garbage": protocol.HOLD,
    "damaged": protocol.HOLD,
    "refused": protocol.HOLD,
    "unknown": protocol.HOLD,
    "comfort": protocol.HOLD,
    "press": protocol.HOLD,
    "sting": protocol.HOLD,
    "fold": protocol.HOLD,
    "pause": protocol.RAMP_DOWN,
}


@pytest.fixture(scope="module")
def allocated() -> dict[str, tuple[int, int]]:
    """Return {case: (bytes, state)} as the VM printed it."""
    if importlib.util.find_spec("micropython_unix") is None:
        pytest.skip("unsupported feature(s): micropython_unix on this platform")
    package = HERE.parents[2] / "firmware" / "lib"
    command = [sys.executable, "-m", "micropython_unix", str(HERE / "allocation_probe.py"), str(package)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line.split() for line in run.stdout.splitlines()]
    return {name: (int(size), int(state)) for name, size, state in rows}


@pytest.mark.hazard("HAZ-14")
@pytest.mark.parametrize("case", list(STATES))
def test_nothing_is_allocated_while_current_flows(allocated: dict[str, tuple[int, int]], case: str) -> None:
    """Against garbage collection in a control cycle. Not one byte, whatever arrives on the link."""
    assert allocated[case] == (0, STATES[case])
