"""Every fault switch of the first campaign, judged by the independent meter: the current was cut in time.

2 ms to detect plus 110 ms for the dead-man at its worst tolerance bound every cut; most are far faster.
"""

import time
from pathlib import Path

import pytest

from ionto_host import sessionfile

DEAD_MAN_US = 112_000
CEILING_UA = 6_030


def cut(bench, mark):
    """Return the meter's reading since `mark` once the current has gone for good."""
    bench.pico.wait(current_below_ua=10, for_us=200_000, timeout_s=20)
    reading = bench.pico.since(mark)
    assert reading.t_below_us is not None
    return reading


def latched(bench):
    """Return the name of the fault that the device latched, and prove that it stays."""
    status = bench.wait_state("FAULT")
    assert not status.flag(1), "output on in FAULT"
    assert bench.ionto("start", code=4)["error"]["name"] == "FAULT_LATCHED"
    return status.fault_name


def outcome(bench):
    """Return the outcome in the log of the only session, pulled and verified by `ionto`."""
    (log,) = bench.ionto("logs", "pull", "--output", bench.folder / "logs")["logs"]
    assert log["verified"]
    return bench.ionto("logs", "show", log["path"])["outcome"]


def test_electrode_lift_and_recontact(bench):
    """Hazard: re-contact after a lift delivers a burst from a wound-up controller."""
    bench.start_and_hold()
    bench.pico.fault("electrode_lift", mark="lift")
    reading = cut(bench, "lift")
    assert reading.t_below_us < 5_000
    assert latched(bench) == "OPEN_CIRCUIT"
    bench.pico.fault("electrode_lift", on=False, mark="contact")
    bench.pico.wait(current_below_ua=10, for_us=300_000, timeout_s=20)
    again = bench.pico.since("contact")
    assert again.peak_ua < 10, "current returned by itself"
    assert again.charge_uc < 0.1


def test_recontact_before_detection_does_not_overshoot(bench):
    """Hazard: a lift shorter than the detection time must not wind up the controller."""
    bench.start_and_hold()
    lift = {"cmd": "fault", "name": "electrode_lift", "on": True, "mark": "lift"}
    bench.pico.at(lift, after_us=10_000)
    bench.pico.at({"cmd": "fault", "name": "electrode_lift", "on": False}, after_us=11_000)
    bench.wait_state("DONE", "FAULT")
    assert bench.pico.since("lift").peak_ua < 2_000 * 1.05


def test_electrode_short(bench):
    """Hazard: shorted electrodes; the current stays in regulation and the session ends."""
    bench.start_and_hold()
    bench.pico.fault("electrode_short", mark="short")
    reading = cut(bench, "short")
    assert reading.peak_ua < 2_000 * 1.1
    assert reading.t_below_us < 30_000
    assert latched(bench) == "SHORT_CIRCUIT"


def test_sensor_stuck(bench):
    """Hazard: the sensor repeats one value, so that regulation is blind."""
    bench.start_and_hold()
    bench.pico.fault("sensor_stuck", mark="stuck")
    reading = cut(bench, "stuck")
    assert reading.t_below_us < 300_000
    assert reading.peak_ua < 2_000 * 1.1
    assert latched(bench) in ("SENSOR_STUCK", "SENSE_DISAGREE")


def test_sensor_brown_out(bench):
    """Hazard: the sensor forgets its configuration and its readings change meaning."""
    bench.start_and_hold()
    bench.pico.fault("sensor_reset", mark="brownout")
    reading = cut(bench, "brownout")
    assert reading.t_below_us < 300_000
    assert latched(bench) == "OVER_CURRENT_ABSOLUTE", (
        "the pointer is back on the configuration: 399Fh reads as full scale"
    )


def test_i2c_dead(bench):
    """Hazard: no fresh sample, so no evidence that the current is right."""
    bench.start_and_hold()
    bench.pico.fault("i2c_dead", mark="dead")
    reading = cut(bench, "dead")
    assert reading.t_below_us < DEAD_MAN_US
    assert reading.peak_ua < 2_000 * 1.05
    assert latched(bench) in ("SENSOR_STALE", "LATE_LOOP")


def test_sink_stuck_high(bench):
    """Hazard: the sink conducts whatever the set-point says; only the dead-man can cut."""
    bench.start_and_hold()
    bench.pico.fault("sink_stuck_high", mark="sink")
    reading = cut(bench, "sink")
    assert reading.peak_ua <= CEILING_UA
    assert reading.t_below_us < DEAD_MAN_US
    assert latched(bench).startswith("OVER_CURRENT")


def test_sink_stuck_low(bench):
    """Hazard: a dose that does not flow is taken for one that does."""
    bench.start_and_hold()
    bench.pico.fault("sink_stuck_low", mark="sink")
    reading = cut(bench, "sink")
    assert reading.t_below_us < 5_000
    assert latched(bench) in ("UNDER_CURRENT", "OPEN_CIRCUIT")


def test_shunt_shorted(bench):
    """Hazard: the sensor reads 0 while the current flows."""
    bench.start_and_hold()
    bench.pico.fault("shunt_short", mark="shunt")
    reading = cut(bench, "shunt")
    assert reading.t_below_us < DEAD_MAN_US
    assert reading.peak_ua <= CEILING_UA
    latched(bench)


def test_pwm_stuck_high(bench):
    """Hazard: the set-point sits at full scale; the hardware ceiling holds and the firmware cuts."""
    bench.start_and_hold()
    bench.pico.fault("pwm_stuck_high", mark="pwm")
    reading = cut(bench, "pwm")
    assert reading.peak_ua < 5_050
    assert reading.t_below_us < DEAD_MAN_US
    assert latched(bench).startswith("OVER_CURRENT")
    (log,) = bench.ionto("logs", "pull", "--output", bench.folder / "logs")["logs"]
    with bench.device() as device:
        assert device.status().fault_name != "NONE"
    greatest_ua = max(sample.current_max_ua for sample in sessionfile.read(Path(log["path"])).samples)
    assert greatest_ua > 2_300, "the reading that tripped is in the log"


def test_a_latched_fault_survives_maintenance(bench):
    """Hazard: a fault is forgotten by a detour over the REPL."""
    bench.start_and_hold()
    bench.pico.fault("pwm_stuck_high")
    name = latched(bench)
    bench.ionto("maintenance")
    bench.mpremote("reset")
    time.sleep(0.5)
    assert latched(bench) == name


def test_flash_that_fails_keeps_the_session_for_a_second_try(bench):
    """Hazard: a session's samples are lost because the flash did not take them the first time."""
    bench.start_and_hold(dose_ma_min=0.2)
    bench.pico.fault("flash_fails")
    assert bench.wait_state("FAULT").fault_name == "LOG_WRITE_FAILED"
    bench.pico.fault("flash_fails", on=False)
    bench.ionto("clear")
    assert outcome(bench) == "complete"


@pytest.mark.parametrize("level", ["low", "high"])
def test_heartbeat_stuck(bench, level):
    """Hazard: the heartbeat line is stuck; the dead-man alone cuts."""
    bench.start_and_hold()
    bench.pico.fault(f"heartbeat_stuck_{level}", mark="beat")
    reading = cut(bench, "beat")
    assert reading.t_below_us < 110_000
    assert latched(bench) in ("OPEN_CIRCUIT", "UNDER_CURRENT")


def test_loop_hung(bench):
    """Hazard: the firmware hangs; the dead-man cuts, the watchdog resets, the log tells of it."""
    bench.start_and_hold(current_ma=4)
    bench.pico.fault("loop_hung", mark="hang")
    reading = cut(bench, "hang")
    assert reading.t_below_us < 110_000
    bench.pico.wait(boots=2, timeout_s=20)
    assert latched(bench) == "UNPLANNED_RESET"
    assert bench.ionto("info")["reset_cause"] == "watchdog"
    assert bench.pico.since("hang").charge_uc < 4_000 * 0.110 * 1.1
    bench.ionto("clear")
    assert outcome(bench) == "interrupted"


def test_firmware_exception(bench):
    """Hazard: an exception leaves the PWM running; `finally` cuts, the watchdog restarts the board."""
    bench.start_and_hold()
    bench.pico.fault("firmware_exception", mark="raise")
    reading = cut(bench, "raise")
    assert reading.t_below_us < 20_000
    bench.pico.wait(boots=2, timeout_s=20)
    assert latched(bench) == "UNPLANNED_RESET"


def test_battery_low(bench):
    """Hazard: the supply fails; the current falls, never overshoots, and the log is kept."""
    bench.start_and_hold()
    bench.pico.fault("battery_low", mark="battery")
    reading = cut(bench, "battery")
    assert reading.peak_ua < 2_000 * 1.05
    status = bench.wait_state("FAULT", "DONE")
    assert status.fault_name in ("RAIL_LOW", "NONE")
    assert status.outcome_name in ("fault", "battery_low")
    assert outcome(bench) == status.outcome_name


def test_power_cut(bench):
    """Hazard: power fails in a session; the current ends, and the next boot closes the log."""
    bench.start_and_hold()
    bench.pico.set_speed(1)  # so that the mark and the cut are the same moment
    bench.pico.mark("cut")
    bench.pico.power_cut()
    bench.pico.power_on()
    bench.pico.wait(boots=2, timeout_s=20)
    status = bench.wait_state("IDLE")
    assert not status.flag(1)
    assert bench.pico.since("cut").charge_uc < 2_000 * 0.110
    assert outcome(bench) == "interrupted"


def test_stop_button(bench):
    """Hazard: a person wants it to end now."""
    bench.start_and_hold()
    bench.pico.press_stop(mark="stop")
    reading = cut(bench, "stop")
    assert reading.t_below_us < 1_000, "STOP is in series with the switch: no firmware involved"
    status = bench.wait_state("DONE")
    assert status.outcome_name == "stopped"


def test_latent_highside_short_refuses_the_session(bench):
    """Hazard: a shorted high-side switch is found by the self-test, before any dose."""
    bench.pico.fault("highside_short", mark="latent")
    bench.push()
    bench.ionto("start")
    assert latched(bench) == "SELFTEST_LATENT_SWITCH"
    assert bench.pico.since("latent").peak_ua < 100


def test_usb_without_strap_refuses(bench_with):
    """Hazard: a computer and an electrode connected at the same time."""
    bench = bench_with(bench_strap=False)
    bench.push()
    error = bench.ionto("start", code=4)["error"]
    assert "USB" in error["message"] or "strap" in str(error)
    assert bench.pico.meter().peak_ua == 0
