"""The cause that is told is the cause: what comes and goes within a millisecond, on the unmodified firmware."""

from __future__ import annotations

import re

import pytest
from workbench import Bench

from ionto import faults
from ionto_host.device.messages import message_for

FULL_UA = 2_000
MARK = "cause"
SEEN_US = 300_000  # by the second look back at the latest: a look that is due with a log sample is left out


def pulses(bench: Bench, on: dict, off: dict, on_us: int, period_us: int, times: int, first_us: int = 3_000) -> None:
    """Let `on` and `off` come in turn: for `on_us` of every `period_us`."""
    edges = [
        {"cmd": "at", "after_us": number * period_us + after_us, "do": act}
        for number in range(times)
        for after_us, act in ((0, on), (on_us, off))
    ]
    bench.pico.at({"cmd": "all", "do": [{"cmd": "mark", "name": MARK}, *edges]}, after_us=first_us)


def ends(bench: Bench) -> None:
    """Wait until the current is gone for good."""
    bench.wait(current_below_ua=10, for_us=200_000)
    assert bench.pico.since(MARK).t_below_us < SEEN_US


def vbus(on: bool) -> dict:
    """The cable's 5 V come or go."""
    return {"cmd": "vbus", "on": on}


def lift(on: bool) -> dict:
    """An electrode lifts or touches."""
    return {"cmd": "fault", "name": "electrode_lift", "on": on}


@pytest.mark.hazard("HAZ-19")
@pytest.mark.parametrize("first_us", [3_000, 3_300, 7_600])
@pytest.mark.parametrize("glitch_us", [50, 1_000, 7_000])
def test_a_glitch_of_usb_is_told_as_usb(bench_with, glitch_us, first_us):
    """The interlock ends the current before VBUS has its turn to be read; no electrode has lifted."""
    bench = bench_with(bench_strap=False)
    bench.push(current_ma=FULL_UA / 1_000, dose_ma_min=1)
    bench.pico.unplug()
    bench.pico.press_start(ms=2_500)
    bench.wait(current_above_ua=1_900, for_us=100_000)
    pulses(bench, vbus(True), vbus(False), glitch_us, 20_000, 1, first_us)
    ends(bench)
    bench.pico.plug()
    assert bench.wait_state("FAULT").fault_name == "USB_APPEARED"


@pytest.mark.hazard("HAZ-17")
@pytest.mark.parametrize(("open_us", "period_us"), [(300, 900), (300, 50_000), (20, 50_000), (1_000, 3_000)])
def test_stop_that_bounces_is_stop(bench: Bench, open_us, period_us):
    """A press ends the session as STOP, however its contact bounces; the two measurements do not disagree."""
    bench.start_and_hold()
    on, off = ({"cmd": name, "button": "stop"} for name in ("press", "release"))
    pulses(bench, on, off, open_us, period_us, 40)
    ends(bench)
    assert bench.wait_state("DONE", "FAULT").outcome_name == "stopped"


@pytest.mark.hazard("HAZ-03", "HAZ-08")
@pytest.mark.parametrize("open_us", [200, 300, 600])
def test_a_lead_that_rattles_is_told_as_what_it_may_be(bench: Bench, open_us: int) -> None:
    """Open in a part of every 0.9 ms: measurements of two moments disagree, and no part is broken."""
    bench.start_and_hold()
    pulses(bench, lift(True), lift(False), open_us, 900, 100)
    ends(bench)
    code = bench.wait_state("FAULT").fault
    assert code in (faults.OPEN_CIRCUIT, faults.SENSE_DISAGREE)
    assert re.search("lead is loose|contact comes and goes", message_for(code).text)
