"""The main job, end to end: flash, push, run, pull, prove - with the real `ionto` and the real `mpremote`."""

import json
import os
import time

import pytest
import serial
from workbench import CEILING_S, Bench, run_tool

from ionto import protocol
from ionto_host.transport.frames import encode
from ionto_sim.client import VirtualPico, wait_until


@pytest.mark.hazard("HAZ-30")
def test_flash_a_blank_board(tmp_path):
    with VirtualPico(state_dir=tmp_path / "blank", bench_strap=True) as pico:
        bench = Bench(pico, tmp_path)
        assert "MicroPython" in bench.mpremote("exec", "import sys; print(sys.version)")
        first = bench.ionto("flash")
        assert bench.ionto("info")["variant"] == "A"
        again = bench.ionto("flash")
        assert first != again, "the second flash has nothing to copy"


def test_maintenance_leaves_the_repl_to_mpremote(bench):
    bench.ionto("maintenance")
    listing = bench.mpremote("fs", "ls", ":/lib/ionto")
    assert "__init__.mpy" in listing
    bench.booted_after(lambda: bench.mpremote("reset"))
    bench.wait_state("IDLE")
    assert bench.ionto("status")["state"] == "IDLE"


@pytest.mark.hazard("HAZ-22", "HAZ-24", "HAZ-32")
def test_dose_is_delivered_measured_and_logged(bench):
    bench.push(current_ma=4, dose_ma_min=1, ramp_s=2, polarity="-")
    before_uc = bench.pico.meter().charge_uc
    bench.ionto("start")
    out, _ = run_tool("--port", bench.pico.port, "--json", "monitor", "--timeout", "60", "--interval", "0.5")
    seen = [json.loads(line) for line in out.splitlines()]
    assert seen[-1]["state"] == "DONE"
    metered_uc = bench.pico.meter().charge_uc - before_uc
    assert metered_uc == pytest.approx(60_000, rel=0.005)
    assert bench.pico.meter().signed_uc < 0, "polarity - reverses the current through the load"
    assert bench.pico.meter().hot_switches == 0, "the relay never moved under current"
    (log,) = bench.ionto("logs", "pull", "--output", bench.folder / "logs")["logs"]
    shown = bench.ionto("logs", "show", log["path"])
    assert shown["outcome"] == "complete"
    assert log["verified"]


@pytest.mark.hazard("HAZ-09", "HAZ-22")
def test_pause_and_resume_keep_the_charge(bench):
    bench.start_and_hold(dose_ma_min=0.5, speed=1)  # a person's pause comes before the dose is over
    bench.ionto("pause")
    paused = bench.wait_state("PAUSED")
    bench.pico.set_speed("max")
    bench.wait(current_below_ua=10, for_us=50_000)
    bench.ionto("resume")
    done = bench.wait_state("DONE")
    assert done.outcome_name == "complete"
    assert paused.charge_uc < done.charge_uc
    assert bench.pico.meter().charge_uc == pytest.approx(30_000, rel=0.005)


@pytest.mark.hazard("HAZ-17")
def test_abort_cuts_at_once(bench):
    bench.start_and_hold(speed=1)  # a person's abort comes before the dose is over
    bench.ionto("abort")
    bench.wait(current_below_ua=10, for_us=100_000)
    assert bench.wait_state("DONE").outcome_name == "aborted"


@pytest.mark.hazard("HAZ-20")
def test_start_button_runs_without_a_computer(bench_with):
    bench = bench_with(bench_strap=False)
    bench.push(current_ma=2, dose_ma_min=0.2)
    bench.pico.unplug()
    bench.pico.press_start(ms=2_500)
    bench.wait(charge_above_uc=11_900)
    bench.wait(current_below_ua=10, for_us=1_000_000)
    bench.pico.plug()
    assert bench.wait_state("DONE").outcome_name == "complete"
    assert bench.pico.meter().charge_uc == pytest.approx(12_000, rel=0.006)


@pytest.mark.hazard("HAZ-19")
def test_plugging_in_during_a_session_latches(bench_with):
    """USB appears in a session without the strap; the interlock cuts and the firmware latches."""
    bench = bench_with(bench_strap=False)
    bench.push(current_ma=2, dose_ma_min=1)
    bench.pico.unplug()
    bench.pico.press_start(ms=2_500)
    bench.wait(current_above_ua=1_900, for_us=100_000)
    plug_us = bench.pico.status()["t_us"] + 1_000_000
    bench.pico.at({"cmd": "mark", "name": "plug"}, t_us=plug_us)
    bench.pico.at({"cmd": "plug", "on": True}, t_us=plug_us)
    wait_until(lambda: os.path.exists(bench.pico.port), CEILING_S)
    status = bench.wait_state("FAULT")
    assert status.fault_name == "USB_APPEARED"
    reading = bench.pico.since("plug")
    assert reading.t_below_us < 20_000
    assert reading.peak_ua < 2_000 * 1.02


@pytest.mark.hazard("HAZ-28")
def test_garbage_leaves_the_session_undisturbed(bench):
    """Rubbish on the serial port disturbs a session."""
    bench.start_and_hold(dose_ma_min=2)
    with serial.Serial(bench.pico.port) as raw:
        for chunk in (os.urandom(3000), protocol.SYNC * 500, b"\x03\x03\x01print(1)\x04\r\n" * 50):
            raw.write(chunk)
        raw.flush()
    bench.pass_us(3_000_000)  # two bytes a ms are taken
    status = bench.wait_state("HOLD", "RAMP_DOWN", "DONE")
    assert status.fault_name == "NONE"
    assert bench.wait_state("DONE").outcome_name == "complete"
    assert bench.pico.meter().peak_ua < 2_000 * 1.01


@pytest.mark.hazard("HAZ-28")
def test_a_host_that_does_not_read_does_not_stop_the_loop(bench):
    """A stalled host blocks the control loop."""
    bench.start_and_hold(dose_ma_min=2)
    with serial.Serial(bench.pico.port, timeout=0) as port:
        request = encode(protocol.STATUS, 1, b"")
        for _ in range(400):
            port.write(request)
            time.sleep(0.002)
    status = bench.wait_state("DONE")
    assert status.outcome_name == "complete"
    assert status.late_max_us < 2_500


@pytest.mark.hazard("HAZ-28")
def test_unplug_in_a_session_with_the_strap_goes_on(bench):
    bench.start_and_hold(dose_ma_min=1)
    bench.pico.unplug()
    bench.wait(charge_above_uc=59_000)
    bench.wait(current_below_ua=10, for_us=1_000_000)
    bench.pico.plug()
    assert bench.wait_state("DONE").outcome_name == "complete"


def test_a_person_at_a_terminal_is_told_what_this_is(bench):
    with serial.Serial(bench.pico.port, timeout=CEILING_S) as port:
        port.write(b"\r")
        lines = [port.readline().decode(), port.readline().decode()]
    assert "IontoPico" in lines[0]
    assert "ionto status" in lines[1]


@pytest.mark.hazard("HAZ-30")
def test_three_unplanned_resets_lead_to_maintenance(bench):
    for boots in (2, 3, 4):
        wait_until(lambda: bench.pico.status()["watchdog_armed"], CEILING_S)
        bench.pico.fault("loop_hung")
        bench.wait(boots=boots)
    bench.says("maintenance")
    assert "1" in bench.mpremote("exec", "print(1)")


def test_full_run_of_the_tool_without_json(bench):
    out, _ = run_tool("--port", bench.pico.port, "status")
    assert "IDLE" in out
