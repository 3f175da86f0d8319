"""The firmware on the real MicroPython image, driven by the real `ionto` and `mpremote`, judged by the meter.

Every test runs on the emulated Pico, or on the virtual one where there is no image (see conftest.py).
"""

import hashlib
import json
import subprocess
import sys

import pytest
import serial
from workbench import Bench, run_tool

from ionto_host.board import firmware_files, micropython_image
from ionto_host.patience import patient
from ionto_sim.client import wait_until
from ionto_sim.errors import SimCommandError
from verification.campaign.catalogue import BY_NAME

DEAD_MAN_US = 112_000  # 2 ms to detect and 110 ms at the worst component tolerance
CEILING_UA = 5_960

# A bench program, not the firmware: current flows for as long as its loop runs. Its second start only says so.
PLAIN_PROGRAM = """\
import machine, os, time
try:
    os.stat("/started")
    print("second start")
except OSError:
    open("/started", "w").close()
    boost = machine.Pin(6, machine.Pin.OUT, value=1)
    pwm = machine.PWM(machine.Pin(2), freq=30518, duty_u16=0x4000)
    beat = machine.Pin(22, machine.Pin.OUT)
    while True:
        beat.toggle()
        time.sleep_us(2000)
"""

# The firmware, with an exception in its control cycle while START is pressed.
RAISING_MAIN = """\
import machine
from ionto import hal_rp2, start
_button = machine.Pin(9, machine.Pin.IN, machine.Pin.PULL_UP)
_read = hal_rp2.Hal.read
def _read_or_raise(self, reading):
    if not _button.value():
        raise {error}
    _read(self, reading)
hal_rp2.Hal.read = _read_or_raise
start.main(globals()["BOOT"])
"""


def cut(bench, mark, within_us):
    """Return the meter's reading since `mark` once the current has gone for good, in time."""
    bench.pico.wait(current_below_ua=10, for_us=150_000, timeout_s=20)
    reading = bench.pico.since(mark)
    assert reading.t_below_us is not None
    assert reading.t_below_us <= within_us, f"{reading.t_below_us} us to below 10 uA"
    return reading


def with_main(files, main):
    """Return the board's `files` with another main.py, in its manifest too: the self-test refuses a changed file."""
    manifest = firmware_files.manifest_body(files[firmware_files.MANIFEST_PATH])
    manifest["files"][firmware_files.MAIN_PATH] = hashlib.sha256(main).hexdigest()
    text = firmware_files.manifest_text(manifest)
    changed = {firmware_files.MAIN_PATH: main, firmware_files.MANIFEST_PATH: text}
    return {**files, **changed}


def pull(bench):
    """Return the only log of the board, pulled and verified, as `ionto logs show` tells it."""
    (log,) = bench.ionto("logs", "pull", "--output", bench.folder / "logs")["logs"]
    assert log["verified"]
    return bench.ionto("logs", "show", log["path"])


# Boot, flash, maintenance.


@pytest.mark.hazard("HAZ-12")
def test_boots_to_ready_with_the_output_off(bench, tier):
    info = bench.ionto("info")
    assert info["variant"] == "A"
    assert info["micropython"] == micropython_image.VERSION or not tier.image
    assert bench.ionto("status")["state"] == "IDLE"
    status = bench.pico.status()
    assert status["watchdog_armed"]
    assert not status["output_on"]
    assert bench.pico.meter().peak_ua == 0


def test_flash_a_blank_board(pico_with, tmp_path):
    pico = pico_with()
    bench = Bench(pico, tmp_path)
    assert "MicroPython" in bench.mpremote("exec", "import sys; print(sys.version)")
    first = bench.ionto("flash")
    assert first["written"]
    assert bench.ionto("info")["variant"] == "A"
    assert bench.ionto("flash")["written"] == [], "the second flash has nothing to copy"


@pytest.mark.hazard("HAZ-30")
@pytest.mark.parametrize("how", ["power", "cable"])
def test_interrupted_flash_is_completed_by_the_next_run(pico_with, tmp_path, how):
    """A board with half a firmware drives its output or cannot be repaired."""
    pico = pico_with()
    bench = Bench(pico, tmp_path)
    bench.mpremote("exec", "print(1)")
    operations = pico.status()["flash_operations"] + 12
    if how == "power":
        pico.power_cut(flash_operation=12)
    command = [sys.executable, "-m", "ionto_host", "--port", pico.port, "--json", "flash"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tool:
        wait_until(lambda: not (now := pico.status())["powered"] or now["flash_operations"] >= operations, patient(60))
        if how == "cable":
            pico.unplug()
        out, _ = tool.communicate(timeout=patient(120))
    assert tool.returncode in (3, 6), out
    assert json.loads(out)["error"]["action"]
    if how == "power":
        assert not pico.status()["powered"]
        pico.power_on()
    else:
        pico.plug()
    assert pico.meter().peak_ua == 0, "half a firmware passes no current"
    assert bench.ionto("flash", timeout_s=180)["written"]
    assert bench.wait_state("IDLE").fault_name == "NONE"
    assert pico.meter().peak_ua < 100, "no more than the self-test that ends a flash"


def test_maintenance_by_command_and_back(bench):
    bench.ionto("maintenance")
    assert "lib" in bench.mpremote("fs", "ls", ":/")
    assert "/lib" in bench.mpremote("exec", "import sys; print(sys.path)"), "a person's own modules are found"
    assert not bench.pico.status()["watchdog_armed"]
    boots = bench.pico.status()["boots"]
    bench.mpremote("reset")
    bench.pico.wait(boots=boots + 1, timeout_s=10)
    assert bench.wait_state("IDLE").fault_name == "NONE"


def test_maintenance_by_strap(bench):
    bench.pico.strap("maintenance", True)
    bench.pico.reset()
    bench.pico.wait(t_us=bench.pico.status()["t_us"] + 1_000_000, timeout_s=20)
    assert bench.mpremote("exec", "print(6 * 7)").split() == ["42"]
    assert not bench.pico.status()["watchdog_armed"]


# A dose.


@pytest.mark.hazard("HAZ-22", "HAZ-34")
def test_a_dose_from_push_to_proof(bench, tier):
    bench.push(current_ma=2, dose_ma_min=0.1)
    bench.ionto("start")
    for state in ("RAMP_UP", "HOLD", "RAMP_DOWN") if tier.image else ():
        bench.wait_state(state)
    status = bench.wait_state("DONE")
    assert (status.outcome_name, status.fault_name) == ("complete", "NONE")
    meter = bench.pico.meter()
    assert meter.charge_uc == pytest.approx(6_000, rel=0.01), "the independent meter counts the dose"
    assert status.charge_uc == pytest.approx(meter.charge_uc, rel=0.005)
    assert meter.peak_ua < 2_000 * 1.02
    assert meter.hot_switches == 0
    assert pull(bench)["outcome"] == "complete"


@pytest.mark.hazard("HAZ-26", "HAZ-31")
def test_a_power_cut_in_a_session_is_told_by_its_log(bench_in_hold):
    bench = bench_in_hold
    bench.pico.power_cut(mark="cut")
    bench.pico.power_on()
    assert bench.wait_state("IDLE").fault_name == "NONE"
    assert bench.pico.since("cut").charge_uc < 2_000 * 0.110
    assert pull(bench)["outcome"] == "interrupted"


# What stops the firmware.


@pytest.mark.hazard("HAZ-14", "HAZ-31")
def test_a_hang_is_cut_by_the_dead_man_and_told_after_the_watchdog(bench_in_hold):
    """The firmware hangs with the output on."""
    bench = bench_in_hold
    boots = bench.pico.status()["boots"]
    bench.pico.fault("loop_hung", mark="hang")
    reading = cut(bench, "hang", 110_000)
    assert reading.peak_ua < 2_000 * 1.02
    bench.pico.wait(boots=boots + 1, timeout_s=20)
    assert bench.wait_state("FAULT").fault_name == "UNPLANNED_RESET"
    assert bench.ionto("info")["reset_cause"] == "watchdog"
    bench.ionto("clear")
    log = pull(bench)
    assert (log["outcome"], log["end"]["cause"]) == ("interrupted", "watchdog")


@pytest.mark.hazard("HAZ-15")
@pytest.mark.parametrize("error", ["RuntimeError('test')", "KeyboardInterrupt", "SystemExit"])
def test_an_exception_in_the_firmware_cuts_and_is_told(pico_with, flashed_files, tmp_path, error):
    """An exception, a Ctrl-C or a soft reset leaves the PWM running."""
    main = RAISING_MAIN.format(error=error).encode()
    bench = Bench(pico_with(firmware=with_main(flashed_files, main)), tmp_path)
    bench.wait_state("IDLE")
    bench.start_and_hold()
    bench.pico.press_start(ms=30, mark="raise")
    cut(bench, "raise", 20_000)
    assert bench.wait_state("FAULT").fault_name == "UNPLANNED_RESET"
    assert bench.pico.since("raise").peak_ua < 2_000 * 1.02
    bench.ionto("clear")
    assert pull(bench)["outcome"] == "interrupted"


@pytest.mark.hazard("HAZ-29")
def test_control_characters_do_not_end_a_session(bench_in_hold):
    """A terminal's Ctrl-C and Ctrl-D stop the loop while current flows."""
    bench = bench_in_hold
    boots, charge_uc = bench.pico.status()["boots"], bench.pico.meter().charge_uc
    with serial.Serial(bench.pico.port) as port:
        port.write(b"\r\x03\x03\x01print(1)\x04\x02\x04\r\n")
        port.flush()
        bench.pico.wait(charge_above_uc=charge_uc + 300, timeout_s=20)
    status = bench.wait_state("HOLD", "DONE")
    assert status.fault_name == "NONE"
    assert bench.pico.status()["boots"] == boots


@pytest.mark.hazard("HAZ-15")
@pytest.mark.parametrize("how", ["interrupt", "soft_reset"])
def test_pwm_goes_on_after_a_plain_program_and_the_dead_man_cuts(pico_with, tmp_path, how):
    """MicroPython stops the program and not the PWM; the hardware has to cut."""
    bench = Bench(pico_with(firmware={"/main.py": PLAIN_PROGRAM.encode()}), tmp_path)
    bench.pico.wait(current_above_ua=1_000, for_us=20_000, timeout_s=30)
    bench.pico.set_speed(1)  # so that the mark and the Ctrl-C are close in virtual time
    bench.pico.mark("stop")
    with serial.Serial(bench.pico.port) as port:
        port.write(b"\x03")
        wait_until(lambda: "KeyboardInterrupt" in bench.pico.console, patient(10))
        if how == "soft_reset":
            port.write(b"\x04")
            wait_until(lambda: "second start" in bench.pico.console, patient(10))
        bench.pico.wait(current_below_ua=10, for_us=150_000, timeout_s=20)
    assert bench.pico.since("stop").charge_uc < 1_300 * (0.110 + 1), "ends within the dead-man's time of the Ctrl-C"
    if how == "interrupt":
        assert bench.pico.status()["pins"]["PWM_SETPOINT"] == pytest.approx(0.25, abs=0.01), "it did not go low"


# Fault switches, judged by the time to below 10 uA.

CUTS = {
    "electrode_lift": (5_000, 2_020, "OPEN_CIRCUIT"),  # what flowed: 2 mA and 1 % of ripple
    "electrode_short": (30_000, 2_200, "SHORT_CIRCUIT"),
    "sensor_stuck": (300_000, 2_200, "SENSOR_STUCK SENSE_DISAGREE LOAD_DISAGREE"),
    "sensor_missing": (DEAD_MAN_US, 2_100, "SENSOR_MISSING SENSOR_STALE LATE_LOOP"),
    "sensor_reset": (300_000, 2_200, "OVER_CURRENT_ABSOLUTE SENSOR_CONFIG"),
    "i2c_dead": (DEAD_MAN_US, 2_100, "SENSOR_MISSING SENSOR_STALE LATE_LOOP"),
    "heartbeat_stuck_low": (110_000, 2_100, "OPEN_CIRCUIT UNDER_CURRENT"),
    "heartbeat_stuck_high": (110_000, 2_100, "OPEN_CIRCUIT UNDER_CURRENT"),
    "sink_stuck_high": (DEAD_MAN_US, CEILING_UA, "OVER_CURRENT OVER_CURRENT_ABSOLUTE"),
    "sink_stuck_low": (5_000, 2_100, "UNDER_CURRENT OPEN_CIRCUIT"),
    "pwm_stuck_high": (DEAD_MAN_US, 5_050, "OVER_CURRENT OVER_CURRENT_ABSOLUTE"),
    "shunt_short": (DEAD_MAN_US, CEILING_UA, None),
}


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=pytest.mark.hazard(*BY_NAME[name].hazards)) for name in CUTS]
)
def test_fault_is_cut_in_time_and_latches(bench_in_hold, fault):
    bench = bench_in_hold
    within_us, most_ua, names = CUTS[fault]
    bench.pico.fault(fault, mark="fault")
    reading = cut(bench, "fault", within_us)
    assert reading.peak_ua < most_ua
    status = bench.wait_state("FAULT")
    assert not status.flag(1), "output on in FAULT"
    assert names is None or status.fault_name in names.split()
    assert bench.ionto("start", code=4)["error"]["name"] == "FAULT_LATCHED"


@pytest.mark.hazard("HAZ-17")
def test_stop_cuts_without_the_firmware(bench_in_hold):
    """A person wants it to end now."""
    bench_in_hold.pico.press_stop(mark="stop")
    cut(bench_in_hold, "stop", 1_000)
    assert bench_in_hold.wait_state("DONE").outcome_name == "stopped"


@pytest.mark.hazard("HAZ-13", "HAZ-16")
def test_the_self_test_times_a_cut_off_that_takes_too_long_and_refuses_the_session(bench, image):
    """The pin stays high, and the small current flows on: told by its time, from the sensor's samples."""
    bench.pico.fault("bleeder_open")
    bench.push(dose_ma_min=0.1)
    bench.ionto("start")
    assert bench.wait_state("FAULT").fault_name == "SELFTEST_DEADMAN_HIGH"
    bench.pico.wait(current_below_ua=10, for_us=150_000, timeout_s=60)
    assert bench.pico.meter().peak_ua < 100


@pytest.mark.hazard("HAZ-06", "HAZ-13", "HAZ-26")
@pytest.mark.parametrize("fault", ["sensor_missing", "highside_short", "boost_dead"])
def test_a_fault_before_the_start_refuses_the_session(bench, fault):
    bench.pico.fault(fault)
    bench.push(dose_ma_min=0.1)
    bench.ionto("start")
    assert bench.wait_state("FAULT").fault_name != "NONE"
    assert bench.pico.meter().peak_ua < 100


# The simulator itself.


@pytest.mark.parametrize("fault", ["firmware_exception", "flash_fails"])
def test_a_fault_that_a_real_image_cannot_have_is_refused_by_name(bench, tier, fault):
    if tier.image is None:
        pytest.skip("the virtual Pico can do every fault")
    with pytest.raises(SimCommandError, match=f"no fault '{fault}'"):
        bench.pico.fault(fault)


def test_ionto_sim_and_its_commands(tier, tmp_path, monkeypatch):
    """One terminal runs it, a second one controls it; what it keeps is there the next time."""
    monkeypatch.setenv("IONTO_SIMS", str(tmp_path))
    options = ["--emulator", "--image", str(tier.image.path)] if tier.image else []
    command = [sys.executable, "-m", "ionto_host", "--json", "sim", "--load", "2000", *options]
    for content in ("no", "kept"):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sim:
            assert sim.stdout is not None
            up = json.loads(sim.stdout.readline())
            bench = Bench(None, tmp_path)
            run_tool("sim", "fault", "electrode_lift")
            assert json.loads(run_tool("--json", "sim", "meter")[0])["peak_ua"] == 0
            assert "emulated" in up["state_dir"] or tier.image is None
            bench.pico = type("Port", (), {"port": up["port"]})
            there = bench.mpremote("exec", "import os; print('kept' if 'kept' in os.listdir() else 'no')")
            assert there.split() == [content]
            bench.mpremote("exec", "open('/kept', 'w').close()")
            sim.terminate()
            sim.communicate(timeout=patient(20))
        assert sim.returncode == 0
