"""However a command of the bench ends, no current flows afterwards, or the command says so. The board outlives it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ionto_host.bench.acceptance import test_stops as stops
from ionto_host.bench.benchfile import SwitchSpec
from ionto_host.bench.fixtures import Measured
from ionto_host.errors import LackingError

HIGH_UA = 1_900


@pytest.fixture
def bench(pico, bench_file, tmp_path):
    """Start `ionto bench` on the board in a process group of its own, as a shell does."""
    path = bench_file(really=f"state_dir = {json.dumps(str(pico.paths.root))}")
    started = []

    def start(name, *options):
        command = [sys.executable, "-m", "ionto_host", "bench", name, str(path), *options]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _impatiently(process):
    """Press Ctrl-C twice: the whole process group of the terminal gets it."""
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize("interrupt", [_impatiently, subprocess.Popen.terminate])
def test_an_interrupted_run_leaves_no_current(bench, pico, tmp_path, interrupt):
    output = tmp_path / "out"
    run = bench("run", "--only", "test_charge", "--output", str(output), "--history", str(tmp_path / "history"))
    pico.wait(timeout_s=60, current_above_ua=HIGH_UA)
    interrupt(run)
    _, told = run.communicate(timeout=60)
    assert pico.meter().now_ua < 10
    assert run.returncode == 130, told
    assert "output off" in told.splitlines()[-1], told
    assert "Traceback" not in told, told


@pytest.mark.hazard("HAZ-34")
def test_a_check_with_current_in_the_end_does_not_pass(bench, pico):
    """Faults that let current flow once the session of the check has ended."""
    for name in ("highside_short", "sink_stuck_high"):
        pico.at({"cmd": "fault", "name": name}, charge_above_uc=200, current_below_ua=10)
    check = bench("check")
    _, told = check.communicate(timeout=60)
    assert pico.meter().now_ua > 1_000
    assert check.returncode == 5, told
    assert "with the output off" in told


@pytest.mark.parametrize("words", ["nosuch", "and or ("])
def test_words_that_no_test_has(bench, words):
    run = bench("run", "--only", words)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 2 and f"--only {words}" in told, told


def test_the_time_of_a_person_is_not_measured(bench_rig):
    made = bench_rig()
    kept = []
    for name in ("stop", "heartbeat"):
        made.bench.switches[name] = SwitchSpec("person")
    parts = (made, made.device, made.meter, made.load, Measured(kept))
    stops.test_stop(*parts)
    with pytest.raises(LackingError, match="bench lacks: switch heartbeat"):
        stops.test_heartbeat(*parts)
    assert kept == []
