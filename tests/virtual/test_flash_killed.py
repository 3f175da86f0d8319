"""`ionto flash` killed without a word at several points: the next run completes it; what is the board's own stays."""

import json
import signal
import subprocess
import sys
import time

import pytest
from workbench import CEILING_S

from ionto_host import cli

# Runs `ionto flash` and dies at a point, as by kill -9 or a computer that loses its power.
KILLED = """
import os, signal, sys
from ionto_host import cli
from ionto_host.board import flashing
from ionto_host.board.mpremote_link import Prompt
point, port = sys.argv[1:]
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
write, built = Prompt.write, flashing._built
def dying(self, path, data, progress):
    if path == flashing.MANIFEST_PATH and point == "before the manifest":
        die()
    write(self, path, data, die if point == "in a file" else progress)
def another(mpy):
    bundle = built(mpy)
    first = bundle.files[0]
    return bundle.with_file(first.path, first.data + b" ") if point == "in a file" else bundle
Prompt.write = dying
flashing._built = another
if point == "after the restart":
    flashing.wait_for_hello = die
cli.main(["flash", "--port", port])
"""
OLD = "/lib/ionto/of_an_older_firmware.py"
POINTS = ("in a file", "before the manifest", "after the restart")


def kept(bench):
    """Return what is the board's own: its id, calibration, limits, and logs with their sizes."""
    with bench.device() as device:
        hello = device.identity
        return hello.board_id, hello.calibration, hello.settings, device.list_logs()


@pytest.fixture
def used(bench_with):
    """A board in use: calibrated, limited, with the log of a session."""
    bench = bench_with()
    bench.push(dose_ma_min=0.1)
    with bench.device() as device:
        device.start()
        while device.status().running:
            time.sleep(0.05)
        device.log_written()
        device.set_limits({"max_current_ua": 2_000})
        values = {"zero_ua": 2, "gain_ppm": 1_500, "residual_ppm": 300, "residual_before_ppm": 1_600}
        device.write_calibration({**values, "time_unix_s": int(time.time()), "meter": "Keithley 2110"})
    return bench


@pytest.mark.hazard("HAZ-30")
def test_killed_at_any_point_the_next_run_completes_it(used, capsys):
    before = kept(used)
    assert before[1]["gain_ppm"] == 1_500 and before[3], before
    for point in POINTS:
        with used.device() as device:
            device.enter_maintenance()
        used.mpremote("fs", "cp", __file__, f":{OLD}", "+", "fs", "cp", __file__, ":/boot.py")
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, point, used.pico.port], capture_output=True, timeout=CEILING_S
        )
        assert killed.returncode == -signal.SIGKILL, killed
        assert used.pico.meter().now_ua < 10
        assert cli.main(["flash", "--port", used.pico.port, "--json"]) == 0, point
        told = json.loads(capsys.readouterr().out)
        assert all(check["ok"] for check in told["selftest"]), point
        assert bool(told["written"]) == (point != "after the restart"), told
        assert kept(used) == before, point
    with used.device() as device:
        device.enter_maintenance()
    assert OLD.rpartition("/")[2] not in used.mpremote("fs", "ls", ":/lib/ionto")
