"""Who may do what on a whole device: the self-test's table, a hand on the board, limits, variant, damaged files."""

import pytest
from workbench import Bench

from ionto_sim.client import VirtualPico


def rows(bench, code=0):
    """Run `ionto selftest`; return {name: row} of its table."""
    return {row["name"]: row for row in bench.ionto("selftest", code=code)["results"]}


@pytest.mark.hazard("HAZ-13")
def test_the_self_test_shows_every_part_with_its_range(bench):
    table = rows(bench)
    assert all(row["ok"] for row in table.values())
    assert table["firmware files intact"]["value"] >= 4
    assert 1_000 <= table["load present"]["value"] <= 4_000
    assert abs(table["V(SNS) agrees with the sensor"]["value"]) <= 20
    assert bench.ionto("selftest", "--last")["results"] == list(table.values())


@pytest.mark.hazard("HAZ-13", "HAZ-30")
@pytest.mark.parametrize(
    ("fault", "part", "name"),
    [
        ("sink_stuck_low", "small set-point gives small current", "SELFTEST_NO_CURRENT"),
        ("electrode_lift", "load present", "SELFTEST_LOAD"),
        ("adc_stuck", "rail", "SELFTEST_RAIL"),
        ("stop_broken", "STOP loop closed", "SELFTEST_STOP"),
        ("q3_short", "heartbeat off gives no current", "SELFTEST_LATENT_SWITCH"),
        ("boost_dead", "rail", "SELFTEST_RAIL"),
    ],
)
def test_the_self_test_names_the_part(bench, fault, part, name):
    """A latent fault of one part refuses the session and is named; no more than a trace of current was tried."""
    bench.pico.fault(fault, mark="before")
    table = rows(bench, code=5)
    assert [row["name"] for row in table.values() if not row["ok"]] == [part]
    assert bench.wait_state("FAULT").fault_name == name
    assert bench.pico.since("before").peak_ua < 100


@pytest.mark.hazard("HAZ-29", "HAZ-20")
def test_maintenance_and_limits_wait_for_a_press(bench_with):
    """Without strap and press a computer gets neither the REPL nor a higher limit; one press allows one act."""
    bench = bench_with(bench_strap=False, speed=1)
    assert bench.ionto("limits", "set", "--current-ma", "1")["settings"]["max_current_ua"] == 1_000
    bench.ionto_with_a_press("limits", "set", "--current-ma", "2")
    assert bench.ionto("limits", "show")["settings"]["max_current_ua"] == 2_000
    bench.ionto_with_a_press("maintenance")
    assert "2000" in bench.mpremote("exec", "print(open('/settings.json').read())")


@pytest.mark.hazard("HAZ-11")
def test_a_strap_that_contradicts_the_board_means_maintenance(bench):
    """The strap breaks or is bridged after the board was set up: no application, no watchdog, no current."""
    assert bench.ionto("info")["variant"] == "A"
    bench.pico.strap("range", "B")
    bench.pico.reset()
    bench.wait(boots=2)
    bench.says("strap says variant B")
    status = bench.pico.status()
    assert not status["watchdog_armed"] and not status["output_on"]
    assert status["pins"]["LED_FAULT"] == status["pins"]["LED_READY"] == 1
    bench.pico.strap("range", "A")
    bench.pico.reset()
    bench.wait_state("IDLE")


@pytest.mark.hazard("HAZ-30")
def test_a_changed_firmware_file_refuses_the_session(flashed_files, tmp_path):
    """A bit of a file that the pack's checksum does not cover flips between two sessions: the file is named."""
    changed = {**flashed_files, "/main.py": flashed_files["/main.py"] + b"\n"}
    with VirtualPico(state_dir=tmp_path / "pico", firmware=changed, load=2000, speed="max", bench_strap=True) as pico:
        bench = Bench(pico, tmp_path)
        assert [row["value"] for row in rows(bench, code=5).values() if not row["ok"]] == ["/main.py"]
        assert bench.wait_state("FAULT").fault_name == "FILES_DAMAGED"
