"""Pulses, reversals, poor contact and the kept dose end to end, judged by the independent meter."""

import json

import pytest

from ionto import protocol
from ionto import sessionlog_format as layout
from ionto_host.cli.logusecmd import _show_text
from ionto_host.logs import sessionfile

PULSED = '[waveform]\nkind = "pulsed"\nfrequency_hz = 2.5\nduty_pct = 40\nedge_ms = 20'
HALF = '[reversal]\nkind = "half"'
INTERVAL = '[reversal]\nkind = "interval"\ninterval_min = 0.1'


def pulled(bench):
    """Return the only log of the board, read and verified."""
    (log,) = bench.ionto("logs", "pull", "--output", bench.folder / "logs")["logs"]
    session = sessionfile.read(bench.folder / "logs" / log["path"])
    assert session.verified, session.damage
    return session


def run(bench, *tables, **dose):
    """Run the dose with these tables to its end; return the meter's charge without sign, and the log."""
    bench.push(tables=tables, **dose)
    before_uc = bench.pico.meter().charge_uc
    bench.ionto("start")
    status = bench.wait_state("DONE", "FAULT")
    assert status.fault_name == "NONE"
    return bench.pico.meter().charge_uc - before_uc, pulled(bench)


@pytest.mark.hazard("HAZ-18", "HAZ-22", "HAZ-24")
@pytest.mark.parametrize(
    ("tables", "turns"),
    [((PULSED,), 0), ((HALF,), 1), ((PULSED, INTERVAL), 4)],
    ids=["pulsed", "half", "pulsed, interval"],
)
def test_every_waveform_delivers_its_dose(bench, tables, turns):
    """Wrong dose; relay switched under current. By the meter, at the steepest edges and the full current."""
    metered_uc, log = run(bench, *tables, current_ma=4, dose_ma_min=0.6 if turns < 4 else 0.9)
    meter = bench.pico.meter()
    dose_uc = log.dose["dose_uc"]
    assert metered_uc == pytest.approx(dose_uc, rel=0.005)
    assert meter.hot_switches == 0, "the relay never moved under current"
    assert meter.peak_ua <= 4_000 * 1.01
    assert (log.outcome, log.end["shortfall_uc"] <= 0.005 * dose_uc) == ("complete", True)
    poles = [event.code for event in log.events if event.event == layout.POLARITY]
    assert poles == [1, 2, 1, 2, 1][: turns + 1]
    if turns == 1:
        assert abs(meter.signed_uc) < 0.01 * dose_uc, "each pole has its half"
    states = [event.code for event in log.events if event.event == layout.STATE_CHANGED]
    assert states.count(protocol.REVERSING) == turns


@pytest.mark.hazard("HAZ-23", "HAZ-24")
def test_a_poor_contact_ends_in_time_and_says_what_is_missing(bench_with):
    """Endless session; dose reported that was not given."""
    bench = bench_with(load=20_000)
    metered_uc, log = run(bench, current_ma=4, dose_ma_min=0.6)
    assert log.outcome == "time_limit"
    assert log.end["shortfall_uc"] == pytest.approx(36_000 - metered_uc, abs=0.005 * 36_000)
    facts = sessionfile.summary(log)
    assert facts["extended_s"] > 4
    assert "SHORT" in _show_text({"path": "log", **facts})


@pytest.mark.hazard("HAZ-20", "HAZ-25")
def test_the_kept_dose_survives_power_off_and_counts_its_starts(bench_with):
    """Push once, unplug, press START as often as the dose says; damage on flash is found."""
    bench = bench_with(bench_strap=False)
    bench.push(current_ma=2, dose_ma_min=0.1, starts=2)
    for left in (1, 0):
        bench.pico.power_cut()
        bench.pico.power_on()
        bench.pico.unplug()
        bench.wait(pin=["LED_READY", 1], for_us=200_000)  # a START that is pressed from power-on counts for nothing
        bench.pico.press_start(ms=2_500)
        bench.wait(current_above_ua=1_900)
        bench.wait(current_below_ua=10, for_us=1_000_000)
        bench.pico.plug()
        status = bench.wait_state("DONE")
        assert (status.outcome_name, status.starts_left) == ("complete", left)
    bench.pico.unplug()
    bench.pico.press_start(ms=2_500)
    bench.pico.plug()
    assert bench.wait_state("DONE").session_id == 2, "no third session"


@pytest.mark.hazard("HAZ-25")
def test_a_damaged_kept_dose_is_never_used(bench):
    bench.push()
    bench.ionto("maintenance")
    kept = json.loads(bench.mpremote("fs", "cat", ":/dose.json"))
    kept["dose"] = kept["dose"].replace('"current_ua":2000', '"current_ua":3999')
    path = bench.folder / "dose.json"
    path.write_text(json.dumps(kept))
    bench.mpremote("fs", "cp", str(path), ":/dose.json")
    bench.mpremote("reset")
    status = bench.wait_state("IDLE")
    assert "dose_damaged" in status.flag_names
    assert "dose_loaded" not in status.flag_names
    bench.ionto("start", code=4)
