"""Run `App.tick` from ramp to hold with the heap locked, status requests coming in; prints how many ticks passed.

Runs in the MicroPython VM with the folder of the package `ionto` and the waveform as arguments.
"""

import os
import sys

import micropython
import vfs

sys.path.insert(0, sys.argv[1])

from ionto import bootmode, crc, dose, filecheck, frames, kernel, limits, protocol, proving
from ionto.app import App
from ionto.reading import Scale
from ionto.settings import Settings

FIELDS = {
    "schema": 1,
    "name": "heap",
    "drug": "",
    "site": "",
    "current_ua": 4000,
    "dose_uc": 2_400_000,
    "area_mm2": 1000,
    "polarity": 1,
    "ramp_up_ms": 1000,
    "ramp_down_ms": 1000,
    "waveform": sys.argv[2],
    "pulse_on_ms": 150 if sys.argv[2] == "pulsed" else 0,
    "pulse_off_ms": 150 if sys.argv[2] == "pulsed" else 0,
    "pulse_edge_ms": 20 if sys.argv[2] == "pulsed" else 0,
    "reversal": "none",
    "reversal_interval_ms": 0,
    "max_extension_pct": 50,
    "starts": 1,
    "max_density_ua_cm2": 500,
}


class RamDisk:
    """A block device in memory, so that the log goes nowhere else."""

    def __init__(self, blocks):
        self._data = bytearray(blocks * 4096)

    def readblocks(self, block, buffer, offset=0):
        start = block * 4096 + offset
        buffer[:] = memoryview(self._data)[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        start = block * 4096 + offset
        self._data[start : start + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self._data) // 4096
        if operation == 5:
            return 4096
        return 0


class Board:
    """The board's functions, doing nothing."""

    def write_scratch(self, index, value):
        pass

    def read_scratch(self, index):
        return 0

    def board_id(self):
        return "00"

    def unix_time_s(self):
        return 0


class Hal:
    """A board on which the current follows the duty at once, for 40 ms after the last beat."""

    def __init__(self, build):
        self.scale = Scale(build)
        self.timing = lambda level: None
        self._duty = 0
        self._still_ms = 40
        self._held_ms = 0
        self._relay = self._cut = False

    def wait_tick(self):
        return 1000

    def check_sensor(self, reading):
        reading.block[kernel.R_SENSOR_OK] = 1

    def read_second(self, reading):
        block = reading.block
        block[kernel.R_SECOND_UA] = block[kernel.R_BESIDE_UA] = block[kernel.R_CURRENT_UA]
        block[kernel.R_SECOND_RAW] = block[kernel.R_SECOND_UA] * 4 + (block[kernel.R_SECOND_SERIAL] & 1)
        block[kernel.R_SECOND_SERIAL] = (block[kernel.R_SECOND_SERIAL] + 1) & 0xFFFF

    def read(self, reading):
        current_ua = self._duty * 4975 // 4095 if self._still_ms < 40 and not self._cut else 0
        block = reading.block
        block[kernel.R_FRESH] = 1
        block[kernel.R_CURRENT_UA] = current_ua
        block[kernel.R_RAW] = current_ua
        block[kernel.R_SENSE_UA] = current_ua
        block[kernel.R_DRAIN_MV], block[kernel.R_LOAD_MV] = 24_000 - current_ua * 3, 4000
        block[kernel.R_RAIL_MV], block[kernel.R_VSYS_MV] = 24_000, 4000
        block[kernel.R_POLE] = 1 if current_ua > 22 and not self._relay else 0

    def read_lines(self, reading):
        self._held_ms -= self._held_ms > 0
        reading.block[kernel.R_RELAY] = 1 if self._relay or self._held_ms else 0

    def lines(self):
        return 3

    def interlock_blind(self, reading):
        return False

    def try_interlock(self, on):
        self._cut = on

    def set_duty(self, duty):
        self._duty = duty

    def duty(self):
        return self._duty

    def beat(self, output_on):
        if output_on:
            self._still_ms = 0

    def still_heart(self):
        self._still_ms += 1

    def set_reversed(self, reverse):
        if self._relay and not reverse:
            self._held_ms = 200
        self._relay = reverse
        return True

    def reversed(self):
        return False

    def look_back(self, reading):
        pass

    def look_for_cause(self, reading):
        pass

    def cut_off(self):
        self._duty = 0

    def nothing(self):
        pass

    def nothing_with(self, value):
        pass

    power_up = start_watchdog = nothing
    show = rest_heart = look_second = check_second = nothing_with


class Port:
    """A host that asks for the status every 100 cycles and reads every answer."""

    def __init__(self, request):
        self._request = request
        self._at = len(request)
        self.answered = 0

    def ask(self):
        self._at = 0

    def get(self):
        if self._at >= len(self._request):
            return -1
        self._at += 1
        return self._request[self._at - 1]

    def put(self, byte):
        self.answered += 1
        return True


def status_request():
    request = bytearray(protocol.OVERHEAD_BYTES)
    frames.seal(crc.make_table(), request, protocol.STATUS, 1, 0)
    return request


def no_files():
    """Stand in for filecheck.check: in steps, and all is well."""
    yield
    return (1, "")


def run():
    disk = RamDisk(64)
    vfs.VfsLfs2.mkfs(disk)
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(disk), "/")
    os.mkdir("/logs")
    build = limits.variant_a()
    port = Port(status_request())
    app = App(Hal(build), Board(), port, bootmode.Boot(0, False), build, Settings(build))
    filecheck.check = no_files
    assert proving.PHASES  # imported while its file is there: the disk of the test has none
    while not app.quiet.over():  # flash waits for evidence that no current flows
        app.tick()
    assert app.desk.take_dose(dose.parse(dose.canonical(FIELDS), build)) == 0
    while app.desk.errand.under_way():
        app.tick()
    assert app.desk.start() == 0
    while app.session.state != protocol.RAMP_UP:
        app.tick()
    for cycle in range(10_000):
        if cycle % 100 == 0:
            port.ask()
        micropython.heap_lock()
        try:
            app.tick()
        finally:
            micropython.heap_unlock()
    print("ticks", 10_000, "answered", port.answered, "state", app.session.state)


run()
