"""Comfort during a session end to end: by command, by the button, in log, export and report; judged by the meter."""

import json

import pytest

from ionto_host.logs import sessionfile


@pytest.mark.hazard("HAZ-09", "HAZ-24")
def test_a_session_with_reports_from_start_to_report_page(bench):
    """Current raised by a report; shortfall not told; what was asked not in the board's log."""
    bench.start_and_hold(current_ma=2, dose_ma_min=4, speed=1)
    assert bench.ionto("comfort", "tingling")["target_ua"] == 2_000
    refused = bench.ionto("comfort", "stinging", "--to-ma", "2.5", code=4)["error"]
    assert (refused["value"], refused["high"]) == (2_500, 1_999)
    assert bench.ionto("comfort", "stinging", "--lower")["to_ma"] == 1.5
    bench.wait(current_below_ua=1_520, for_us=500_000)
    bench.pico.press_start(ms=2_500)
    bench.wait(current_below_ua=1_140, for_us=500_000)
    assert bench.ionto("status")["target_ua"] == 1_125
    assert bench.ionto("comfort", "pain")["state"] in ("RAMP_DOWN", "DONE")
    assert bench.wait_state("DONE", "FAULT").outcome_name == "pain"
    (log,) = bench.ionto("logs", "pull", "--output", bench.folder / "logs")["logs"]
    path = bench.folder / "logs" / log["path"]
    session = sessionfile.read(path)
    assert session.verified and session.outcome == "pain" and session.shortfall_uc > 100_000
    assert [(event.code, event.value_b) for event in session.comfort] == [(1, 0), (2, 1_500), (2, 1_125), (3, 0)]
    assert session.screening == "bench, no screening"
    assert 3_000 < session.battery_min_mv < 5_000 and 20_000 < session.rail_min_mv < 28_000
    assert bench.pico.meter().peak_ua <= 2_000 * 1.01
    shown = bench.ionto("logs", "show", path)
    assert shown["lowered_to_ma"] == 1.125 and shown["screening"] == "bench, no screening"
    bench.ionto("logs", "export", path, "--format", "json", "-o", bench.folder / "s.json")
    assert len(json.loads((bench.folder / "s.json").read_text())["summary"]["comfort"]) == 4
    bench.ionto("report", path, "-o", bench.folder / "s.html")
    page = (bench.folder / "s.html").read_text()
    assert "comfort stinging, lowered to 1.5 mA" in page and "bench, no screening" in page and "least battery" in page
