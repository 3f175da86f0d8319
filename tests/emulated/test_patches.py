"""Each patch of rp2040py: what it brings, and that the pinned version still needs it."""

import random

import pytest

pytest.importorskip("rp2040py", reason="the emulated Pico needs rp2040py: pip install 'iontopico[emulator]'")

from ionto_sim.emulator import patches
from ionto_sim.emulator.chip import Chip
from ionto_sim.emulator.raw_repl import RawRepl
from ionto_sim.emulator.wiring import Wiring

I2C = """
import machine, time
i2c = machine.I2C(0, scl=machine.Pin(5), sda=machine.Pin(4), freq=400000, timeout=1000)
b = bytearray(2)
def error(f, *a):
    try:
        f(*a)
        return 0
    except OSError as e:
        return e.errno
def timed(f, *a):
    t = time.ticks_us()
    f(*a)
    return time.ticks_diff(time.ticks_us(), t)
"""
TIMED_READ = I2C + "def f(rd=i2c.readfrom_into, b=b):\n    rd(0x40, b)\nprint(timed(f))"


class Board:
    """A chip with its wiring at the raw REPL, run in the test's own thread."""

    def __init__(self, image, without=()):
        names = tuple(name for name in patches.PATCHES if name not in without)
        self.chip = Chip(image, names)
        self.wiring = Wiring(self.chip, load=2000)
        self.repl = RawRepl(self.chip)
        self.chip.run(lambda: self.chip.connected)
        self.repl.enter()

    def run(self, code, **limits):
        """Run `code` on the board; return what it printed, evaluated."""
        text = self.repl.execute(code, **limits).strip()
        return eval(text) if text else None


@pytest.fixture
def board(image):
    """Make boards, all patches applied but those named."""
    return lambda *without: Board(image, without)


def counting(target, name):
    """Count the calls of a method from now on; return the list that grows."""
    calls, method = [], getattr(target, name)

    def counted(*args):
        calls.append(args)
        return method(*args)

    setattr(target, name, counted)
    return calls


def idle(board, us=50_000):
    end = board.chip.now_us + us
    board.chip.run(lambda: board.chip.now_us >= end, wall_s=60)


def test_every_patch_gives_its_reason_and_has_a_test():
    for name, patch in patches.PATCHES.items():
        assert patch.reason.endswith("."), name
        assert f"test_{name}" in globals(), f"no test shows that the patch {name} is still needed"


def test_only_the_pinned_version(board, monkeypatch):
    monkeypatch.setattr(patches, "PINNED_VERSION", "0.0.1")
    with pytest.raises(RuntimeError, match=r"0\.0\.1"):
        board()


def test_hold_idle_bulk_out(board):
    def packets(*without):
        made = board(*without)
        calls = counting(made.chip.rp2040.usb_ctrl, "_finish_read")
        idle(made)
        return len(calls)

    assert packets() <= 1
    assert packets("hold_idle_bulk_out") > 500


def test_usb_wire_time(board):
    code = (
        "import sys, time\nx = b'x' * 6400\nt = time.ticks_us()\nsys.stdout.buffer.write(x)\n"
        "d = time.ticks_diff(time.ticks_us(), t)\nprint()\nprint(d)"
    )

    def took_us(*without):
        return int(board(*without).repl.execute(code).split()[-1])

    sent_us = (6400 - 256) / 64 * patches.USB_PACKET_NANOS / 1000
    assert took_us() >= sent_us
    assert took_us("usb_wire_time") < sent_us


def test_i2c_bus_time(board):
    assert 82 <= board().run(TIMED_READ) < 110
    assert board("i2c_bus_time").run(TIMED_READ) < 60


def test_i2c_abort_empties(board):
    code = I2C + "print(error(i2c.writeto, 0x40, b'0'))"
    for without, expected in ((), 5), (("i2c_abort_empties",), 110):
        made = board(*without)
        made.wiring.set_fault("sensor_missing")
        assert made.run(code) == expected


def test_resets_act(board):
    for without, idle_after in ((), True), (("resets_act",), False):
        made = board(*without)
        made.run(I2C)
        made.wiring.set_fault("i2c_dead")
        made.run("error(i2c.readfrom_into, 0x40, b)")
        made.run("machine.I2C(0, scl=machine.Pin(5), sda=machine.Pin(4), freq=400000, timeout=1000)")
        assert (made.chip.rp2040.i2c[0]._state == 0) is idle_after


def test_flash_time(board):
    code = (
        "import time\nt = time.ticks_ms()\nwith open('/t', 'w') as f: f.write('x' * 4096)\n"
        "print(time.ticks_diff(time.ticks_ms(), t))"
    )
    assert board().run(code) >= 50
    assert board("flash_time").run(code) < 30


def test_watchdog_disarmed_by_reset(board):
    for without, armed in ((), False), (("watchdog_disarmed_by_reset",), True):
        made = board(*without)
        made.chip.send(b"import machine\nmachine.WDT(timeout=200)\n\x04")
        made.chip.run(lambda made=made: made.chip.boots == 2)
        assert made.chip.rp2040.watchdog.timer.enable is armed


def test_pwm_edges_off(board):
    code = "import machine\np = machine.PWM(machine.Pin(2), freq=30518, duty_u16=0x4000)"

    def edges(*without):
        made = board(*without)
        made.run(code)
        calls = counting(made.chip.rp2040.pwm, "channel_interrupt")
        idle(made, 5_000)
        assert abs(made.chip.duty(2) - 0.25) < 0.001
        return len(calls)

    assert edges() == 0
    assert edges("pwm_edges_off") > 100


def test_outputs_read_back(board):
    code = (
        "import machine\np = machine.Pin(22, machine.Pin.OUT, value=1)\na = p.value()\np.value(0)\nprint(a, p.value())"
    )
    assert board().repl.execute(code).split() == ["1", "0"]
    assert board("outputs_read_back").repl.execute(code).split() == ["0", "0"]


def test_reset_tells_pins(board):
    for without, level in ((), 0), (("reset_tells_pins",), 1):
        made = board(*without)
        made.run("import machine\nmachine.Pin(22, machine.Pin.OUT, value=1)")
        assert made.wiring.circuit.deadman.level == 1
        made.chip.reset("run_pin")
        assert made.wiring.circuit.deadman.level == level


def test_flash_unique_id(board):
    code = "import machine\nprint(machine.unique_id())"
    assert board().run(code) == patches.UNIQUE_ID
    assert board("flash_unique_id").run(code) == b"\xff" * 8


def test_skip_busy_wait(board):
    code = "import time\nt = time.ticks_us()\ntime.sleep_us(900)\nprint(time.ticks_diff(time.ticks_us(), t))"

    def reads(*without):
        made = board(*without)
        calls = counting(made.chip.rp2040.timer, "read_uint32")
        return made.run(code), len(calls)

    quick_us, few = reads()
    slow_us, many = reads("skip_busy_wait")
    assert abs(quick_us - slow_us) <= 2
    assert few < 1000 < many


def test_no_pio(board):
    for without, blocks in ((), 0), (("no_pio",), 2):
        made = board(*without)
        assert len(list(made.chip.rp2040.pio)) == blocks
        made.chip.reset("run_pin")
        made.chip.run(lambda made=made: made.chip.connected)
        assert len(list(made.chip.rp2040.pio)) == blocks


def test_quick_divider(board):
    generator = random.Random(1)
    pairs = [
        (generator.getrandbits(32) >> generator.randrange(31), generator.getrandbits(32) >> generator.randrange(31))
        for _ in range(500)
    ]
    pairs += [(7, 0), (0x80000000, 0xFFFFFFFF), (0xFFFFFFF9, 2), (7, 0xFFFFFFFE)]
    quick, plain = board().chip.rp2040.sio, board("quick_divider").chip.rp2040.sio
    calls, plain_calls = (counting(sio, "update_hardware_divider") for sio in (quick, plain))
    for dividend, divisor in pairs:
        for first in (0x60, 0x68):
            results = []
            for sio in (quick, plain):
                sio.write_uint32(first, dividend)
                sio.write_uint32(first + 4, divisor)
                results.append([int(sio.read_uint32(at)) & 0xFFFFFFFF for at in (0x74, 0x70)])
            if divisor or first == 0x68:
                assert results[0] == results[1], (dividend, divisor, first)
            else:
                assert results[0] == [dividend, 0xFFFFFFFF]
    assert not calls
    assert plain_calls
