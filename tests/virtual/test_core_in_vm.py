"""The pure core does the same in the MicroPython VM as on CPython, step for step."""

import subprocess
import sys
from pathlib import Path

import pytest
from workbench import CEILING_S

import ionto

TRACE = Path(__file__).with_name("core_trace.py")
PACKAGE_PARENT = Path(ionto.__file__).parents[1]


def trace(*python):
    done = subprocess.run([*python, TRACE, PACKAGE_PARENT], capture_output=True, text=True, timeout=CEILING_S)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.splitlines()


@pytest.mark.hazard("HAZ-34")
def test_micropython_and_cpython_give_the_same_trace():
    cpython = trace(sys.executable)
    micropython = trace(sys.executable, "-m", "micropython_unix")
    assert micropython == cpython
    whole, lifted, pulsed, turned = [line.split() for line in cpython if "DONE" in line or "FAULT" in line]
    for ended in (whole, pulsed, turned):
        assert ended[1] == "DONE"
        assert abs(int(ended[3]) - 60_000) < 300
    assert lifted[1] == "FAULT"
    assert int(turned[5]) > int(whole[5]), "it reversed"
