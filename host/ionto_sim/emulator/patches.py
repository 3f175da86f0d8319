"""Every change made to rp2040py, from outside, each with its reason and each to be switched off alone.

A patch is a function that takes the `Chip` and rebinds methods of the objects in front of it; nothing is
changed in the installed package. They are written against rp2040py 0.3.6 and refuse any other version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040
    from rp2040py.usb.cdc import USBCDC

PINNED_VERSION = "0.3.6"

ERASE_NANOS = 45_000_000  # a 4 KiB sector, W25Q16 typical
PROGRAM_NANOS = 400_000  # a 256 byte page
USB_PACKET_NANOS = 51_000  # 64 bytes at 12 Mbit/s with token, handshake and bit stuffing
UNIQUE_ID = bytes.fromhex("e6614103e7a1b2c3")

_READ_UNIQUE_ID = 0x4B
_UNIQUE_ID_AT = 5  # command and four dummy bytes
_ERASES = {0x20: 1, 0xD8: 16}  # command: sectors
_PAGE_PROGRAM = 0x02
_SECTOR_BYTES = 4096
_GPIO_IN = 0x004
_WORD = 0xFFFFFFFF
_DIVIDER_FIRST = 0x060
_DIV_SDIVISOR = 0x06C
_DIV_QUOTIENT = 0x070
_DIV_REMAINDER = 0x074
_DIV_CSR = 0x078
_I2C_BITS_A_BYTE = 9
_TX_EMPTY = 1 << 4
_I2C_RESET_BITS = {0: 1 << 3, 1: 1 << 4}
_TIMER_LOW = 0x28
_POLL_NANOS = 400  # two reads of the timer closer than this are a wait (sleep_us: every 304)
_LONGEST_WAIT_US = 5_000
_STALL_NANOS = 1_000_000


class Chip(Protocol):
    """What a patch sees of `chip.Chip`."""

    rp2040: RP2040
    clock: Any
    cdc: USBCDC
    unique_id: bytes
    congested: Callable[[], bool]
    rearm_bulk_out: Callable[[], None]
    before_reset: list[Callable[[], None]]
    on_reset: list[Callable[[], None]]

    def pass_time(self, nanos: float) -> None:
        """Let `nanos` pass while the core executes nothing."""

    def look_at_pins(self) -> None:
        """Have everybody who watches pins look at them."""

    def begin_flash_operation(self) -> bool:
        """Count an erase or program; True when the power is to go in the middle of it."""
        ...

    def cut_power(self) -> None:
        """Have the power cut, once the instruction under way has ended."""


@dataclass(frozen=True)
class Patch:
    """One change: its name, why rp2040py needs it, and how it is applied."""

    name: str
    reason: str
    apply: Callable[[Chip], None]


PATCHES: dict[str, Patch] = {}


def _patch(reason: str) -> Callable[[Callable[[Chip], None]], Callable[[Chip], None]]:
    def register(function: Callable[[Chip], None]) -> Callable[[Chip], None]:
        PATCHES[function.__name__] = Patch(function.__name__, reason, function)
        return function

    return register


def apply(chip: Chip, names: Iterable[str]) -> None:
    """Apply the patches `names` to `chip`; `RuntimeError` for any rp2040py but the pinned one."""
    found = version("rp2040py")
    if found != PINNED_VERSION:
        raise RuntimeError(f"the patches are written for rp2040py {PINNED_VERSION}, found {found}")
    for name in names:
        PATCHES[name].apply(chip)


@_patch("An idle bulk OUT endpoint is answered with endless empty packets: an interrupt storm in the guest.")
def hold_idle_bulk_out(chip: Chip) -> None:
    """Answer an armed OUT buffer only when there is data; `Chip.send` asks again through `rearm`."""
    usb, cdc = chip.rp2040.usb_ctrl, chip.cdc
    answer = usb.on_endpoint_read
    assert answer is not None
    armed: list[int] = []

    def on_endpoint_read(endpoint: int, size: int) -> None:
        if endpoint == cdc._out_endpoint and endpoint > 0 and cdc.tx_fifo.empty:
            armed[:] = [size]
        else:
            answer(endpoint, size)

    def rearm() -> None:
        if armed and not cdc.tx_fifo.empty:
            answer(cdc._out_endpoint, armed.pop())

    usb.on_endpoint_read = on_endpoint_read
    chip.rearm_bulk_out = rearm
    chip.on_reset.append(armed.clear)


@_patch("USB transfers take 10 us whatever their length, and a host that does not read never stalls the guest.")
def usb_wire_time(chip: Chip) -> None:
    """A bulk packet takes 51 us each way; while the host side is congested, IN packets wait."""
    usb, cdc = chip.rp2040.usb_ctrl, chip.cdc
    usb.read_delay_microseconds = USB_PACKET_NANOS // 1000
    update = usb.dpram_updated
    waiting: list[tuple[int, int]] = []

    def finish() -> None:
        if chip.congested():
            alarm.schedule(_STALL_NANOS)
            return
        offset, value = waiting.pop(0)
        update(offset, value)
        if waiting:
            alarm.schedule(_packets(waiting[0][1]) * USB_PACKET_NANOS)

    def dpram_updated(offset: int, value: int) -> None:
        if cdc._in_endpoint > 0 and offset == 0x80 + 8 * cdc._in_endpoint and _packets(value):
            waiting.append((offset, value))
            if len(waiting) == 1:
                alarm.schedule(_packets(value) * USB_PACKET_NANOS)
        else:
            update(offset, value)

    alarm = chip.clock.create_alarm(finish)
    usb.dpram_updated = dpram_updated

    def forget() -> None:
        alarm.cancel()
        waiting.clear()

    chip.on_reset.append(forget)


def _packets(buffer_control: int) -> int:
    """Return how many of the two buffers in `buffer_control` are handed to the controller."""
    return (buffer_control >> 10 & 1) + (buffer_control >> 26 & 1)


@_patch("I2C transfers take no time: a 2 byte read at 400 kHz should keep the bus 72.5 us.")
def i2c_bus_time(chip: Chip) -> None:
    """Complete start and stop after one bit time, a byte after nine: (SCL high + low) cycles each."""
    for bus in chip.rp2040.i2c:
        _slow_down(chip, bus)


def _slow_down(chip: Chip, bus: Any) -> None:
    due: list[Callable[[], None]] = []
    alarm = chip.clock.create_alarm(lambda: due.pop()() if due else None)

    def later(complete: Callable[..., None], bits: int) -> Callable[..., None]:
        def schedule(*values: Any) -> None:
            cycles = bits * (bus.scl_high_period + bus.scl_low_period)
            due[:] = [lambda: complete(*values)]
            alarm.schedule(cycles * 1e9 / chip.rp2040.clk_sys)

        return schedule

    bus.complete_start = later(bus.complete_start, 1)
    bus.complete_stop = later(bus.complete_stop, 1)
    bus.complete_connect = later(bus.complete_connect, _I2C_BITS_A_BYTE)
    bus.complete_write = later(bus.complete_write, _I2C_BITS_A_BYTE)
    bus.complete_read = later(bus.complete_read, _I2C_BITS_A_BYTE)
    reset = bus.reset

    def reset_all() -> None:
        alarm.cancel()
        due.clear()
        reset()

    bus.reset = reset_all


@_patch("After a NACK, TX_EMPTY stays down: a write to a missing device times out instead of failing with EIO.")
def i2c_abort_empties(chip: Chip) -> None:
    """Raise TX_EMPTY when an abort has flushed the transmit FIFO."""
    for bus in chip.rp2040.i2c:
        _raise_empty(bus)


def _raise_empty(bus: Any) -> None:
    abort = bus._abort

    def flush(reason: int) -> None:
        abort(reason)
        bus._set_interrupts(_TX_EMPTY)

    bus._abort = flush


@_patch("Writing RESETS.RESET does nothing: a driver that resets a hung I2C block finds it as it was.")
def resets_act(chip: Chip) -> None:
    """Reset the I2C blocks when the guest holds them in reset."""
    resets, buses = chip.rp2040.resets, chip.rp2040.i2c
    write = resets.write_uint32

    def write_uint32(offset: int, value: int) -> None:
        before = resets._reset
        write(offset, value)
        raised = resets._reset & ~before
        for index, bit in _I2C_RESET_BITS.items():
            if raised & bit:
                buses[index].reset()

    resets.write_uint32 = write_uint32


@_patch("Erasing and programming the flash takes no time: 45 ms a sector and 0.4 ms a page on the chip.")
def flash_time(chip: Chip) -> None:
    """Let virtual time pass, with the core stopped, when a flash command ends."""
    ssi = chip.rp2040.ssi
    apply_command = ssi._apply_command

    def timed() -> None:
        command = ssi._tx_buffer[0] if ssi._tx_buffer else 0
        if not ssi._write_enabled or (command not in _ERASES and command != _PAGE_PROGRAM):
            apply_command()
            return
        cut = chip.begin_flash_operation()
        _apply(ssi, apply_command, cut)
        chip.pass_time(ERASE_NANOS * _ERASES[command] if command in _ERASES else PROGRAM_NANOS)
        if cut:
            chip.cut_power()

    ssi._apply_command = timed


def _apply(ssi: Any, apply_command: Callable[[], None], half: bool) -> None:
    """Do the erase or program in the buffer; only its first half when the power goes meanwhile."""
    buffer, flash = ssi._tx_buffer, ssi.rp2040.flash
    if half and buffer[0] == _PAGE_PROGRAM:
        ssi._tx_buffer = buffer[: 4 + (len(buffer) - 4) // 2]
    address = int.from_bytes(buffer[1:4], "big") & ~(_SECTOR_BYTES - 1)
    middle, end = address + _SECTOR_BYTES // 2, address + _SECTOR_BYTES
    kept = bytes(flash[middle:end])
    apply_command()
    if half and buffer[0] != _PAGE_PROGRAM:
        flash[middle:end] = kept


@_patch("The watchdog stays armed through its own reset and fires again after 2147 s.")
def watchdog_disarmed_by_reset(chip: Chip) -> None:
    """Stop the watchdog's counter when the chip resets."""
    watchdog = chip.rp2040.watchdog

    def disarm() -> None:
        watchdog._enable = False
        watchdog.timer.enable = False
        watchdog.alarm.enable = False

    chip.on_reset.append(disarm)


@_patch("Each PWM edge costs 20 times the idle speed, and only the duty matters here.")
def pwm_edges_off(chip: Chip) -> None:
    """Switch off the alarms of all slices: read `cc` and `top` instead of the pin."""
    for channel in chip.rp2040.pwm.channels:
        channel.alarm_a.enable = False
        channel.alarm_b.enable = False
        channel.alarm_bottom.enable = False


@_patch("GPIO_IN shows an output pin's external level, not what the pin drives.")
def outputs_read_back(chip: Chip) -> None:
    """Put the driven levels of SIO outputs into GPIO_IN."""
    sio = chip.rp2040.sio
    read, rp2040 = sio.read_uint32, chip.rp2040

    def read_uint32(offset: int) -> int | float:
        if offset != _GPIO_IN:
            return read(offset)
        driven = sio.gpio_output_enable
        return (rp2040.gpio_values & ~driven) | (sio.gpio_value & driven)

    sio.read_uint32 = read_uint32


@_patch("A chip reset releases the pins without telling their listeners.")
def reset_tells_pins(chip: Chip) -> None:
    """After a reset, have everybody who watches pins look at them."""
    chip.on_reset.append(chip.look_at_pins)


@_patch("The flash chip has no unique id: the board id reads ff...ff.")
def flash_unique_id(chip: Chip) -> None:
    """Answer the READ UNIQUE ID command."""
    ssi = chip.rp2040.ssi
    shift = ssi._shift_byte

    def shift_byte(byte_out: int) -> int:
        value = shift(byte_out)
        buffer = ssi._tx_buffer
        at = len(buffer) - 1 - _UNIQUE_ID_AT
        if buffer[0] == _READ_UNIQUE_ID and 0 <= at < len(chip.unique_id):
            return chip.unique_id[at]
        return value

    ssi._shift_byte = shift_byte


@_patch("A guest that waits by reading the timer costs as much as one that works: 12 times real time.")
def skip_busy_wait(chip: Chip) -> None:
    """In a tight loop on the timer, go on to just before its deadline or to the next event, whichever is first.

    The loop of `sleep_us` keeps its deadline in one of r4-r7; until then only an event can change what it does.
    """
    timer, clock, core = chip.rp2040.timer, chip.clock, chip.rp2040.core
    read = timer.read_uint32
    last = [0.0, 0.0]  # when the timer was read, and how long after the time before

    def read_uint32(offset: int) -> int:
        if offset == _TIMER_LOW:
            now = clock.nanos
            gap = now - last[0]
            if gap == last[1] and gap < _POLL_NANOS:
                rest = _rest_nanos(core.registers, now - timer._epoch_nanos)
                if rest > 0.0:
                    clock.tick(min(rest, clock.nanos_to_next_alarm))
                    now = clock.nanos
            last[:] = now, gap
        return read(offset)

    timer.read_uint32 = read_uint32


def _rest_nanos(registers: Any, timer_nanos: float) -> float:
    """Return the time to the last microsecond before the deadline that a register holds; 0 if there is none."""
    now_us = int(timer_nanos // 1000)
    for index in (4, 5, 6, 7):
        ahead_us = (registers[index] - now_us) & 0xFFFFFFFF
        if 1 < ahead_us < _LONGEST_WAIT_US:
            return (now_us + ahead_us - 1) * 1000 - timer_nanos
    return 0.0


@_patch("The main loop asks both PIO blocks after every instruction, although nothing here uses them.")
def no_pio(chip: Chip) -> None:
    """Take the PIO blocks off the chip; they are back for the moment of a reset, which touches them."""
    rp2040 = chip.rp2040
    blocks = rp2040.pio
    rp2040.pio = []
    chip.before_reset.append(lambda: setattr(rp2040, "pio", blocks))
    chip.on_reset.append(lambda: setattr(rp2040, "pio", []))


@_patch("The divider works at every write, in floating point; every look-up by name in the guest divides.")
def quick_divider(chip: Chip) -> None:
    """Keep the operands as they are written and divide, in integers, when a result is read."""
    sio = chip.rp2040.sio
    read, write = sio.read_uint32, sio.write_uint32
    due = [0]  # 0: results are there; 1: divide unsigned; 2: signed

    def divide() -> None:
        kind, due[0] = due[0], 0
        dividend, divisor = sio.div_dividend & _WORD, sio.div_divisor & _WORD
        if kind == 2:
            sio.div_quotient, sio.div_remainder = _divide_signed(_signed(dividend), _signed(divisor))
        elif divisor:
            sio.div_quotient, sio.div_remainder = divmod(dividend, divisor)
        else:
            sio.div_quotient, sio.div_remainder = _WORD, dividend

    def read_uint32(offset: int) -> int | float:
        if offset == _DIV_CSR:
            return sio.div_csr
        if offset in (_DIV_REMAINDER, _DIV_QUOTIENT):
            if due[0]:
                divide()
            if offset == _DIV_REMAINDER:
                return int(sio.div_remainder) & _WORD
            sio.div_csr &= ~0b10
            return int(sio.div_quotient) & _WORD
        return read(offset)

    def write_uint32(offset: int, value: int) -> None:
        if offset < _DIVIDER_FIRST or offset > _DIV_SDIVISOR:
            if due[0]:
                divide()
            write(offset, value)
            return
        if offset & 4:
            sio.div_divisor = value
        else:
            sio.div_dividend = value
        due[0] = 2 if offset & 8 else 1
        sio.div_csr = 0b11

    sio.read_uint32, sio.write_uint32 = read_uint32, write_uint32


def _signed(word: int) -> int:
    return word - (1 << 32) if word & 0x80000000 else word


def _divide_signed(dividend: int, divisor: int) -> tuple[int, int]:
    """Return quotient, rounded to zero, and remainder, with the sign of the dividend, as the divider does."""
    if not divisor:
        return (-1 if dividend >= 0 else 1), dividend
    quotient = abs(dividend) // abs(divisor)
    if (dividend < 0) != (divisor < 0):
        quotient = -quotient
    return quotient, dividend - quotient * divisor
