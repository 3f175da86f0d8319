"""Every fault switch of the first campaign, judged by the independent meter: the current was cut in time.

2 ms to detect plus 110 ms for the dead-man at its worst tolerance bound every cut; most are far faster.
"""

from pathlib import Path

import pytest

from ionto_host.logs import sessionfile

DEAD_MAN_US = 112_000
CEILING_UA = 5_960


def cut(bench, mark):
    """Return the meter's reading since `mark` once the current has gone for good."""
    bench.wait(current_below_ua=10, for_us=200_000)
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


@pytest.mark.hazard("HAZ-08")
def test_electrode_lift_and_recontact(bench):
    """Re-contact after a lift delivers a burst from a wound-up controller."""
    bench.start_and_hold()
    bench.pico.fault("electrode_lift", mark="lift")
    reading = cut(bench, "lift")
    assert reading.t_below_us < 5_000
    assert latched(bench) == "OPEN_CIRCUIT"
    bench.pico.fault("electrode_lift", on=False, mark="contact")
    bench.wait(current_below_ua=10, for_us=300_000)
    again = bench.pico.since("contact")
    assert again.peak_ua < 10, "current returned by itself"
    assert again.charge_uc < 0.1


@pytest.mark.hazard("HAZ-07", "HAZ-08")
def test_recontact_before_detection_does_not_overshoot(bench):
    """A lift shorter than the detection time must not wind up the controller."""
    bench.start_and_hold()
    lift = {"cmd": "fault", "name": "electrode_lift", "on": True, "mark": "lift"}
    bench.pico.at(lift, after_us=10_000)
    bench.pico.at({"cmd": "fault", "name": "electrode_lift", "on": False}, after_us=11_000)
    bench.wait_state("DONE", "FAULT")
    assert bench.pico.since("lift").peak_ua < 2_000 * 1.05


@pytest.mark.hazard("HAZ-10")
@pytest.mark.parametrize("current_ma", [0.5, 2])
def test_electrode_short(bench, current_ma):
    """Shorted electrodes; the current stays in regulation and the session ends."""
    bench.start_and_hold(current_ma=current_ma)
    bench.pico.fault("electrode_short", mark="short")
    reading = cut(bench, "short")
    assert reading.peak_ua < current_ma * 1_100
    assert reading.t_below_us < 40_000 + DEAD_MAN_US * (current_ma < 1)
    assert latched(bench) == "SHORT_CIRCUIT"


@pytest.mark.hazard("HAZ-10", "HAZ-24")
def test_the_least_load_is_no_short(bench_with):
    """500 ohm at 0.5 mA: a session goes through it to its end."""
    bench = bench_with(load=500)
    bench.start_and_hold(current_ma=0.5, dose_ma_min=0.1)
    bench.wait_state("DONE")
    assert outcome(bench) == "complete"


@pytest.mark.hazard("HAZ-04")
def test_sensor_stuck(bench):
    """The sensor repeats one value, so that regulation is blind."""
    bench.start_and_hold()
    bench.pico.fault("sensor_stuck", mark="stuck")
    reading = cut(bench, "stuck")
    assert reading.t_below_us < 300_000
    assert reading.peak_ua < 2_000 * 1.1
    assert latched(bench) in ("SENSOR_STUCK", "SENSE_DISAGREE", "LOAD_DISAGREE")


@pytest.mark.hazard("HAZ-03", "HAZ-04", "HAZ-06")
@pytest.mark.parametrize(
    ("fault", "code", "more"),
    [
        ("sense_leak", "LOAD_DISAGREE", 2.05),
        ("second_gain", "LOAD_DISAGREE", 1.01),
        ("second_missing", "SECOND_SENSOR", 1.01),
        ("second_stuck", "SECOND_SENSOR", 1.01),
    ],
)
def test_the_load_gets_what_no_log_counts(bench, fault, code, more):
    """What passes the load and not the shunt, and a second sensor that could not tell it: cut in 100 ms."""
    bench.start_and_hold()
    bench.pico.fault(fault, mark=fault)
    reading = cut(bench, fault)
    assert reading.t_below_us < 100_000 + DEAD_MAN_US
    assert reading.peak_ua < 2_000 * more
    assert latched(bench) == code


@pytest.mark.hazard("HAZ-05")
def test_sensor_brown_out(bench):
    """The sensor forgets its configuration and its readings change meaning."""
    bench.start_and_hold()
    bench.pico.fault("sensor_reset", mark="brownout")
    reading = cut(bench, "brownout")
    assert reading.t_below_us < 300_000
    assert latched(bench) == "OVER_CURRENT_ABSOLUTE", (
        "the pointer is back on the configuration: 399Fh reads as full scale"
    )


@pytest.mark.hazard("HAZ-06")
def test_i2c_dead(bench):
    """No fresh sample, so no evidence that the current is right."""
    bench.start_and_hold()
    bench.pico.fault("i2c_dead", mark="dead")
    reading = cut(bench, "dead")
    assert reading.t_below_us < DEAD_MAN_US
    assert reading.peak_ua < 2_000 * 1.05
    assert latched(bench) in ("SENSOR_STALE", "LATE_LOOP")


@pytest.mark.hazard("HAZ-02")
def test_sink_stuck_high(bench):
    """The sink conducts whatever the set-point says; only the dead-man can cut."""
    bench.start_and_hold()
    bench.pico.fault("sink_stuck_high", mark="sink")
    reading = cut(bench, "sink")
    assert reading.peak_ua <= CEILING_UA
    assert reading.t_below_us < DEAD_MAN_US
    assert latched(bench).startswith("OVER_CURRENT")


@pytest.mark.hazard("HAZ-24")
def test_sink_stuck_low(bench):
    """A dose that does not flow is taken for one that does."""
    bench.start_and_hold()
    bench.pico.fault("sink_stuck_low", mark="sink")
    reading = cut(bench, "sink")
    assert reading.t_below_us < 5_000
    assert latched(bench) in ("UNDER_CURRENT", "OPEN_CIRCUIT")


@pytest.mark.hazard("HAZ-03")
def test_shunt_shorted(bench):
    """The sensor reads 0 while the current flows."""
    bench.start_and_hold()
    bench.pico.fault("shunt_short", mark="shunt")
    reading = cut(bench, "shunt")
    assert reading.t_below_us < DEAD_MAN_US
    assert reading.peak_ua <= CEILING_UA
    latched(bench)


@pytest.mark.hazard("HAZ-02")
def test_pwm_stuck_high(bench):
    """The set-point sits at full scale; the hardware ceiling holds and the firmware cuts."""
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


@pytest.mark.hazard("HAZ-21")
def test_a_latched_fault_survives_maintenance(bench):
    """A fault is forgotten by a detour over the REPL."""
    bench.start_and_hold()
    bench.pico.fault("pwm_stuck_high")
    name = latched(bench)
    bench.ionto("maintenance")
    bench.booted_after(lambda: bench.mpremote("reset"))
    assert latched(bench) == name


@pytest.mark.hazard("HAZ-31")
def test_flash_that_fails_keeps_the_session_for_a_second_try(bench):
    """A session's samples are lost because the flash did not take them the first time."""
    bench.start_and_hold(dose_ma_min=0.2)
    bench.pico.fault("flash_fails")
    assert bench.wait_state("FAULT").fault_name == "LOG_WRITE_FAILED"
    bench.pico.fault("flash_fails", on=False)
    bench.ionto("clear")
    assert outcome(bench) == "complete"


@pytest.mark.hazard("HAZ-16")
@pytest.mark.parametrize("level", ["low", "high"])
def test_heartbeat_stuck(bench, level):
    """The heartbeat line is stuck; the dead-man alone cuts."""
    bench.start_and_hold()
    bench.pico.fault(f"heartbeat_stuck_{level}", mark="beat")
    reading = cut(bench, "beat")
    assert reading.t_below_us < 110_000
    assert latched(bench) in ("OPEN_CIRCUIT", "UNDER_CURRENT")


@pytest.mark.hazard("HAZ-14")
def test_loop_hung(bench):
    """The firmware hangs; the dead-man cuts, the watchdog resets, the log tells of it."""
    bench.start_and_hold(current_ma=4)
    bench.pico.fault("loop_hung", mark="hang")
    reading = cut(bench, "hang")
    assert reading.t_below_us < 110_000
    bench.wait(boots=2)
    assert latched(bench) == "UNPLANNED_RESET"
    assert bench.ionto("info")["reset_cause"] == "watchdog"
    assert bench.pico.since("hang").charge_uc < 4_000 * 0.110 * 1.1
    bench.ionto("clear")
    assert outcome(bench) == "interrupted"


@pytest.mark.hazard("HAZ-15")
def test_firmware_exception(bench):
    """An exception leaves the PWM running; `finally` cuts, the watchdog restarts the board."""
    bench.start_and_hold()
    bench.pico.fault("firmware_exception", mark="raise")
    reading = cut(bench, "raise")
    assert reading.t_below_us < 20_000
    bench.wait(boots=2)
    assert latched(bench) == "UNPLANNED_RESET"


@pytest.mark.hazard("HAZ-26")
def test_battery_low(bench):
    """The supply fails; the current falls, never overshoots, and the log is kept."""
    bench.start_and_hold()
    bench.pico.fault("battery_low", mark="battery")
    reading = cut(bench, "battery")
    assert reading.peak_ua < 2_000 * 1.05
    status = bench.wait_state("FAULT", "DONE")
    assert status.fault_name in ("RAIL_LOW", "NONE")
    assert status.outcome_name in ("fault", "battery_low")
    assert outcome(bench) == status.outcome_name


@pytest.mark.hazard("HAZ-26", "HAZ-31")
def test_power_cut(bench):
    """Power fails in a session; the current ends, and the next boot closes the log."""
    bench.start_and_hold()
    bench.pico.power_cut(mark="cut")
    bench.pico.power_on()
    bench.wait(boots=2)
    status = bench.wait_state("IDLE")
    assert not status.flag(1)
    assert bench.pico.since("cut").charge_uc < 2_000 * 0.110
    assert outcome(bench) == "interrupted"


@pytest.mark.hazard("HAZ-17")
def test_stop_button(bench):
    """A person wants it to end now."""
    bench.start_and_hold()
    bench.pico.press_stop(mark="stop")
    reading = cut(bench, "stop")
    assert reading.t_below_us < 1_000, "STOP is in series with the switch: no firmware involved"
    status = bench.wait_state("DONE")
    assert status.outcome_name == "stopped"


@pytest.mark.hazard("HAZ-13")
def test_latent_highside_short_refuses_the_session(bench):
    """A shorted high-side switch is found by the self-test, before any dose."""
    bench.pico.fault("highside_short", mark="latent")
    bench.push()
    bench.ionto("start")
    assert latched(bench) == "SELFTEST_LATENT_SWITCH"
    assert bench.pico.since("latent").peak_ua < 100


@pytest.mark.hazard("HAZ-19")
def test_usb_without_strap_refuses(bench_with):
    """A computer and an electrode connected at the same time."""
    bench = bench_with(bench_strap=False)
    bench.push()
    error = bench.ionto("start", code=4)["error"]
    assert "USB" in error["message"] or "strap" in str(error)
    assert bench.pico.meter().peak_ua == 0


@pytest.mark.hazard("HAZ-10")
def test_an_electrode_that_hardly_touches(bench):
    """All current through a small area: less than 1/8 of the current flows, and after a second the output is cut."""
    bench.start_and_hold()
    bench.pico.at({"cmd": "mark", "name": "dry"}, after_us=0)
    bench.pico.set_load(120_000)
    bench.pico.mark("dry")
    reading = cut(bench, "dry")
    assert reading.peak_ua < 250
    assert latched(bench) == "LOAD_OUT_OF_RANGE"


@pytest.mark.hazard("HAZ-04")
def test_adc_stuck(bench):
    """The independent measurement repeats one value: it could no longer contradict the sensor."""
    bench.start_and_hold()
    bench.pico.fault("adc_stuck", mark="adc")
    reading = cut(bench, "adc")
    assert reading.t_below_us < 1_100_000
    assert latched(bench) == "ADC_STUCK"


@pytest.mark.hazard("HAZ-21", "HAZ-12")
def test_a_cut_that_does_not_cut_is_a_second_fault(bench):
    """After the first fault current still flows: told, logged, and not to be cleared."""
    bench.start_and_hold()
    bench.pico.fault("highside_short")
    bench.pico.fault("sink_stuck_high")
    status = bench.wait_state("FAULT")
    assert status.fault_name.startswith("OVER_CURRENT")
    bench.pass_us(300_000)
    status = bench.ionto("status", code=5)
    assert status["second_fault"] == "CURRENT_WHEN_OFF" and status["current_when_off"]
    assert bench.ionto("clear", code=4)["error"]["name"] == "CAUSE_REMAINS"
    bench.pico.fault("highside_short", on=False)
    bench.pico.fault("sink_stuck_high", on=False)
    bench.wait(current_below_ua=10, for_us=200_000)
    bench.ionto("clear")
    assert outcome(bench) == "fault"


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("how", ["reset", "loop_hung", "power_cut"])
def test_a_reset_never_moves_the_relay_under_current(bench, how):
    """A chip that resets lets go of its pins while the dead-man still holds the output on."""
    bench.start_and_hold(polarity="-")
    boots = bench.pico.status()["boots"]
    if how == "reset":
        bench.pico.reset()
    elif how == "power_cut":
        bench.pico.power_cut()
        bench.pico.power_on()
    else:
        bench.pico.fault("loop_hung")
    bench.wait(boots=boots + 1)
    bench.wait(current_below_ua=10, for_us=500_000)
    status = bench.pico.status()
    assert not status["relay_reversed"], "the coil is off at last"
    assert bench.pico.meter().hot_switches == 0
