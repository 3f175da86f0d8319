"""What is known of a session whose power was cut: told by every page, from the board that it happened to."""

import subprocess
import sys

import pytest
from workbench import CEILING_S, run_tool


def cut(bench):
    """Cut the power, and put it on again; return once the board has booted."""
    boots = bench.pico.status()["boots"]
    bench.pico.power_cut(mark="cut")
    bench.pico.power_on()
    bench.wait(boots=boots + 1)
    bench.wait_state("IDLE")


@pytest.mark.hazard("HAZ-24")
def test_a_power_cut_is_told_by_monitor_status_and_the_log(bench):
    """F15: while it is watched and afterwards; the log's checksums hold, and it is not taken for the session."""
    bench.start_and_hold(name="Cut short", speed=1)
    command = [sys.executable, "-m", "ionto_host", "--port", bench.pico.port, "monitor", "--interval", "0.05", "--wait"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as monitor:
        assert monitor.stderr is not None and "HOLD" in monitor.stderr.readline()
        cut(bench)
        out, err = monitor.communicate(timeout=CEILING_S)
    assert monitor.returncode == 5 and "Session 1 was cut short" in out and "cut short" in err, out + err
    assert (
        "session 1 was cut short after an unknown charge" in run_tool("--port", bench.pico.port, "monitor", code=5)[0]
    )
    assert "the samples lay in RAM" in run_tool("--port", bench.pico.port, "status")[0]
    (log,) = bench.ionto("logs", "pull")["logs"]
    assert log["verified"] and log["flaws"] == ["interrupted", "no samples"]
    shown = run_tool("logs", "show", log["path"])[0]
    assert "How much flowed, and for how long, is not known" in shown and "every checksum holds" in shown
    assert "seen by the host, not in the log" in shown, "what the monitor saw is the second source"
    assert "No session has run since" in run_tool("--port", bench.pico.port, "monitor")[0]
