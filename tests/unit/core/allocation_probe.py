"""Run by the MicroPython VM: how many bytes the application allocates while current flows, one line a case.

Arguments: the folder of the device package. Output: `case bytes state`. The board is a bare minimum that holds the
set-point, so that whatever is allocated is the application's.
"""

import gc
import sys

sys.path.insert(0, sys.argv[1])

from ionto import app, bootmode, crc, dose, filecheck, frames, keeper, kernel, limits, protocol, requests
from ionto.reading import Scale
from ionto.settings import Settings

TICKS = 400


def ignore(level):
    """Do nothing."""


class Hal:
    """The methods of ionto.hal_rp2.Hal; the current follows the duty while the heartbeat runs."""

    def __init__(self, build):
        self.scale = Scale(build)
        self.set_ua = 0
        self.current_ua = 0
        self.count = 0
        self.alive = False
        self.still_ms = self.held_ms = 0
        self.relay = self.trying = False
        self.timing = ignore  # an attribute, as the pin's own method is on the board

    def wait_tick(self):
        return 1000

    def check_sensor(self, reading):
        reading.block[kernel.R_SENSOR_OK] = 1

    def read(self, reading):
        self.count += 1
        closed = self.alive and self.still_ms < 40 and not self.trying
        self.current_ua = (self.current_ua + self.set_ua + 1) >> 1 if closed else 0
        block = reading.block
        block[kernel.R_FRESH] = 1
        block[kernel.R_RAW] = self.current_ua + (self.count & 1)
        block[kernel.R_CURRENT_UA] = block[kernel.R_RAW]
        block[kernel.R_SENSE_UA] = block[kernel.R_RAW]
        block[kernel.R_RAIL_MV] = 24000
        block[kernel.R_VSYS_MV] = 3900
        block[kernel.R_DRAIN_MV] = 24000 - self.current_ua * 6
        block[kernel.R_LOAD_MV] = 4000
        block[kernel.R_POLE] = 1 if self.current_ua > 22 and not self.relay else 0

    def read_second(self, reading):
        block = reading.block
        block[kernel.R_SECOND_UA] = block[kernel.R_BESIDE_UA] = block[kernel.R_CURRENT_UA]
        block[kernel.R_SECOND_RAW] = block[kernel.R_SECOND_UA] * 4
        block[kernel.R_SECOND_SERIAL] = (block[kernel.R_SECOND_SERIAL] + 1) & 0xFFFF

    def set_duty(self, duty):
        self.set_ua = duty * 4975 // 4095

    def duty(self):
        return self.set_ua

    def beat(self, output_on):
        if output_on:
            self.alive = True
            self.still_ms = 0

    def reversed(self):
        return False

    def nothing(self):
        pass

    def nothing_with(self, value):
        pass

    cut_off = power_up = start_watchdog = nothing
    show = rest_heart = look_back = look_for_cause = look_second = check_second = nothing_with

    def still_heart(self):
        self.still_ms += 1

    def try_interlock(self, on):
        self.trying = on

    def set_reversed(self, reverse):
        if self.relay and not reverse:
            self.held_ms = 200
        self.relay = reverse
        return True

    def lines(self):
        return 3

    def interlock_blind(self, reading):
        return False

    def read_lines(self, reading):
        self.held_ms -= self.held_ms > 0
        reading.block[kernel.R_RELAY] = 1 if self.relay or self.held_ms else 0


class Board:
    """Scratch registers, clock and identity."""

    def __init__(self):
        self.scratch = [0, 0, 0, 0]

    def read_scratch(self, index):
        return self.scratch[index]

    def write_scratch(self, index, value):
        self.scratch[index] = value

    def board_id(self):
        return "probe"

    def unix_time_s(self):
        return 0


class Port:
    """Gives what `load` was given, takes everything."""

    def __init__(self):
        self.data = b""
        self.at = 0

    def load(self, data):
        self.data, self.at = data, 0

    def get(self):
        if self.at >= len(self.data):
            return -1
        self.at += 1
        return self.data[self.at - 1]

    def put(self, byte):
        return True

    def put_packets(self, view, at, end):
        return end


class Os:
    """A file system with room and without files."""

    def listdir(self, path):
        return ["logs"] if path == "/" else []

    def statvfs(self, path):
        return (4096, 4096, 200, 200, 200, 0, 0, 0, 0, 0)


def frame(kind, payload=b""):
    """Return a request."""
    data = bytearray(protocol.OVERHEAD_BYTES + len(payload))
    data[8 : 8 + len(payload)] = payload
    frames.seal(crc.make_table(), data, kind, 1, len(payload))
    return bytes(data)


def measure(name, device, port, data, ticks=TICKS):
    """Print what `ticks` cycles allocate while `data` arrives."""
    port.load(data)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(ticks):
        device.tick()
    after = gc.mem_alloc()
    gc.enable()
    print(name, after - before, device.session.state)


def no_files():
    """Stand in for filecheck.check: in steps, and all is well."""
    yield
    return (1, "")


def main():
    build = limits.variant_a()
    port = Port()
    requests.os = keeper.os = Os()
    device = app.App(Hal(build), Board(), port, bootmode.Boot(0, False), build, Settings(build))
    filecheck.check = no_files
    device.log.arm = device.log.add_test = lambda content: None
    device.log.last_id = lambda: 0
    fields = {
        "schema": 1,
        "name": "probe",
        "drug": "none",
        "site": "bench",
        "current_ua": 2000,
        "dose_uc": 60000,
        "area_mm2": 1000,
        "polarity": 1,
        "ramp_up_ms": 1000,
        "ramp_down_ms": 1000,
        "waveform": "dc",
        "pulse_on_ms": 0,
        "pulse_off_ms": 0,
        "pulse_edge_ms": 0,
        "reversal": "none",
        "reversal_interval_ms": 0,
        "max_extension_pct": 50,
        "starts": 1,
        "max_density_ua_cm2": 500,
    }
    device.reading.block[kernel.R_START] = 0
    for _ in range(10):
        device.tick()
    assert not device.desk.take_dose(dose.parse(dose.canonical(fields), build))
    while device.desk.errand.under_way():
        device.tick()
    assert not device.desk.start()
    for _ in range(2000):
        if device.session.state == protocol.RAMP_UP:
            break
        device.tick()
    measure("ramp_up", device, port, b"")
    while device.session.state == protocol.RAMP_UP:
        device.tick()
    status = frame(protocol.STATUS)
    measure("hold", device, port, b"", 3000)
    measure("status", device, port, status * 15)
    measure("hello", device, port, frame(protocol.HELLO))
    measure("enter", device, port, b"\r\n")
    measure("garbage", device, port, b"\xa5\xc3garbage\x00\xa5" * 30)
    measure("damaged", device, port, status[:-1] + b"\x00")
    measure("refused", device, port, frame(protocol.START) * 4)
    measure("unknown", device, port, frame(0x7E) * 4)
    measure(
        "comfort", device, port, frame(protocol.COMFORT, b"\x01\x00\x00") + frame(protocol.COMFORT, b"\x02\x6c\x07")
    )
    device.reading.block[kernel.R_START] = 1
    measure("press", device, port, b"", 2300)
    device.reading.block[kernel.R_START] = 0
    measure("sting", device, port, b"")
    assert device.session.block[kernel.S_GOAL_UA] == 1425
    device.log._samples[:] = b"\x01" * len(device.log._samples)
    device.log.sample_count = 810  # the buffer is full enough: two samples become one from now on
    device.log.window[kernel.W_PERIOD_MS] = 5
    measure("fold", device, port, b"", 2400)
    assert device.log._fold_at < 0 and 500 < device.log.sample_count < 810, device.log.sample_count
    measure("pause", device, port, frame(protocol.PAUSE))


main()
