"""The control step allocates nothing (invariant 5): a whole tick runs with MicroPython's heap locked."""

import subprocess
import sys
from pathlib import Path

import pytest
from workbench import CEILING_S

import ionto
from ionto import protocol

SCRIPT = Path(__file__).with_name("tick_without_heap.py")


@pytest.mark.hazard("HAZ-14")
@pytest.mark.parametrize("waveform", ["dc", "pulsed"])
def test_ticks_of_a_session_run_with_the_heap_locked(waveform):
    """A garbage collection of several ms in the control loop."""
    done = subprocess.run(
        [sys.executable, "-m", "micropython_unix", SCRIPT, Path(ionto.__file__).parents[1], waveform],
        capture_output=True,
        text=True,
        timeout=CEILING_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    words = done.stdout.split()
    assert words[:2] == ["ticks", "10000"], done.stdout
    assert int(words[3]) >= 50 * 60, "status requests were answered meanwhile"
    assert int(words[5]) == protocol.HOLD
