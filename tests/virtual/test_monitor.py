"""Watching a session through an unplugged cable."""

import pytest

from ionto_host.device import Status
from ionto_host.monitor import Gap, watch


@pytest.mark.hazard("HAZ-33")
def test_the_monitor_survives_unplug_and_replug(bench_with):
    """The session goes on without the computer; the monitor says so, finds the board again and sees the end."""
    bench = bench_with(speed=2)
    bench.start_and_hold(current_ma=2, dose_ma_min=2)
    looks = watch(bench.pico.port, interval_s=0.05, timeout_s=120)
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
