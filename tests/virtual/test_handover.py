"""A board that is handed over: to a restart, to its bootloader."""

import time

import pytest
from workbench import simulator

from ionto_host import cli
from ionto_host.transport.drives import drives


def test_reset_brings_the_application_back(bench):
    bench.booted_after(lambda: bench.ionto("reset"))
    bench.wait_state("IDLE")
    assert bench.ionto("status")["state"] == "IDLE"


def test_a_session_is_not_reset(bench):
    """It runs to its end as if nobody had asked."""
    bench.push(current_ma=1, dose_ma_min=40, ramp_s=2)
    bench.ionto("start")
    for command in ("reset", "bootloader"):
        bench.ionto(command, code=4)
    assert bench.ionto("abort")["outcome"] == "aborted", "it was still under way"


@pytest.mark.virtual
def test_the_bootloader_shows_its_drive(shop, capsys):
    """From the prompt of a blank board; no port is left."""
    with simulator(shop):
        assert cli.main(["bootloader"]) == 0, capsys.readouterr()
        end = time.monotonic() + 60
        while not drives() and time.monotonic() < end:
            time.sleep(0.1)
        assert drives()
        assert cli.main(["reset"]) == 3
