"""Watching a session through an unplugged cable."""

import subprocess
import sys

import pytest
from workbench import CEILING_S

from ionto_host.device.answers import Status
from ionto_host.monitor.watching import Gap, watch


@pytest.mark.hazard("HAZ-33")
def test_the_monitor_survives_unplug_and_replug(bench_with):
    """The session goes on without the computer; the monitor says so, finds the board again and sees the end."""
    bench = bench_with(speed=2)
    bench.start_and_hold(current_ma=2, dose_ma_min=2)
    looks = watch(bench.pico.port, interval_s=0.05, timeout_s=CEILING_S)
    assert isinstance(next(looks), Status)
    before = next(looks)
    bench.pico.unplug()
    assert isinstance(next(look for look in looks if isinstance(look, Gap)), Gap)
    bench.pico.plug()
    again = next(look for look in looks if isinstance(look, Status))
    assert isinstance(before, Status) and again.running and again.charge_uc > before.charge_uc
    bench.pico.set_speed("max")
    rest = list(looks)
    assert isinstance(rest[-1], Status) and rest[-1].outcome_name == "complete"


@pytest.mark.hazard("HAZ-33")
def test_other_commands_get_through_while_a_monitor_looks(bench_with):
    """The port is free between two looks: PAUSE and ABORT of a second terminal reach the session."""
    bench = bench_with(speed=1)
    bench.start_and_hold(current_ma=1, dose_ma_min=20)
    command = [sys.executable, "-m", "ionto_host", "--port", bench.pico.port, "monitor", "--interval", "0.05"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as monitor:
        assert monitor.stderr is not None and "HOLD" in monitor.stderr.readline()
        bench.ionto("pause")
        assert bench.wait_state("PAUSED")
        bench.ionto("abort")
        out, err = monitor.communicate(timeout=CEILING_S)
    assert monitor.returncode == 0 and "aborted" in out, out + err
    assert "PAUSED" in err and "not seen" not in err
