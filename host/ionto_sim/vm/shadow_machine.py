"""The `machine` module of rp2 over the modelled board: what the firmware uses, with the chip's semantics.

Every call costs the virtual time it costs on the chip (measured on an emulated RP2040).
"""

import time as _wall

from ..compat import NEVER_US
from . import board as _board_module
from .core import CLOCK
from .shadow_time import mktime_utc

PWRON_RESET = 1
WDT_RESET = 3
_PIN_US = 4
_ADC_US = 7
_PWM_US = 7
_FEED_US = 2
_I2C_CALL_US = 10
_EIO = 5
_ETIMEDOUT = 110
_WATCHDOG_MAX_MS = 8388
_SYS_HZ = 125_000_000
_SCRATCH = 0x4005800C
_EDGES = 0x400140F0
_REASON = 0x40058008
_CTRL = 0x40058000
_CTRL_ENABLE = 1 << 30
_CTRL_TRIGGER = 1 << 31


def _board() -> object:
    return CLOCK.board


def _state(pin: object) -> object:
    """Return the shared state of `pin`, a Pin, a PWM pin number or a GPIO number."""
    number = pin.number if isinstance(pin, Pin) else int(str(pin).replace("GPIO", ""))
    if not 0 <= number < _board_module.GPIOS:
        raise ValueError("invalid pin")
    return CLOCK.board.pins[number]


class Pin:
    """A GPIO."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    ALT = 3
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_RISING = 8
    IRQ_FALLING = 4
    _FUNCTIONS = {0: _board_module.IN, 1: _board_module.OUT, 2: _board_module.OPEN_DRAIN}

    def __init__(self, id, mode=-1, pull=-1, *, value=None, alt=0):
        self.number = id.number if isinstance(id, Pin) else int(str(id).replace("GPIO", ""))
        self._pin = _state(self)
        if mode != -1 or pull != -1 or value is not None:
            self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, alt=0):
        """Set mode, pull and level."""
        CLOCK.spend(_PIN_US)
        pin = self._pin
        if value is not None:
            pin.level = 1 if value else 0
        if mode is not None and mode != -1:
            if mode == Pin.OPEN_DRAIN and value is None and pin.function != _board_module.OPEN_DRAIN:
                pin.level = 1
            pin.function = Pin._FUNCTIONS[mode]
        if pull != -1:
            pin.pull = 2 if pull == Pin.PULL_UP else 1 if pull == Pin.PULL_DOWN else None
        CLOCK.board.apply(pin, CLOCK.now_us)

    @micropython.native
    def value(self, x=None):
        """Read the pad, or set the output level."""
        clock = CLOCK
        now = clock.now_us + 4
        clock.now_us = now
        if now >= clock.next_us:
            clock.service(4000)
            now = clock.now_us
        pin = self._pin
        if x is None:
            return clock.board.read(pin)
        x = 1 if x else 0
        if pin.level != x:
            pin.level = x
            effect = pin.effect
            if effect is not None and (pin.function == 2 or pin.function == 3):
                effect(now, x << 20)
        return None

    def __call__(self, x=None):
        """As `value`."""
        return self.value(x)

    def on(self):
        """Set the level to 1."""
        self.value(1)

    def off(self):
        """Set the level to 0."""
        self.value(0)

    high = on
    low = off

    def toggle(self):
        """Invert the level."""
        self.value(1 - self._pin.level)

    def __repr__(self):
        mode = {_board_module.IN: "IN", _board_module.OUT: "OUT", _board_module.OPEN_DRAIN: "OPEN_DRAIN"}
        return "Pin(GPIO%d, mode=%s)" % (self.number, mode.get(self._pin.function, "ALT"))


class PWM:
    """One channel of a PWM slice."""

    def __init__(self, pin, freq=-1, *, duty_u16=-1, duty_ns=-1, invert=-1):
        self._pin = _state(pin)
        self._slice = CLOCK.board.slices[self._pin.number >> 1 & 7]
        self._u16 = 0
        self._set = False
        self.init(freq, duty_u16=duty_u16)
        if self._pin.function != _board_module.PWM:
            self._pin.function = _board_module.PWM
            if not self._set:
                self._pin.duty = 0
        CLOCK.board.apply(self._pin, CLOCK.now_us)

    def init(self, freq=-1, *, duty_u16=-1):
        """Set frequency in Hz and duty (0 to 65535)."""
        if freq != -1:
            self.freq(freq)
        if duty_u16 != -1:
            self.duty_u16(duty_u16)

    def freq(self, freq=None):
        """Return or set the frequency of the slice in Hz."""
        piece = self._slice
        if freq is None:
            return piece.freq_hz
        top = (_SYS_HZ + freq // 2) // freq - 1
        if freq < 8:
            raise ValueError("freq too small")
        if freq > _SYS_HZ // 2:
            raise ValueError("freq too large")
        piece.top = min(top, 65534)
        piece.freq_hz = freq
        if self._set:
            self.duty_u16(self._u16)
        return None

    @micropython.native
    def duty_u16(self, duty=None):
        """Return or set the duty, 0 to 65535; setting it starts the slice again."""
        clock = CLOCK
        now = clock.now_us + 7
        clock.now_us = now
        if now >= clock.next_us:
            clock.service(4000)
            now = clock.now_us
        if duty is None:
            return self._u16
        if duty > 65535:
            duty = 65535
        self._u16 = duty
        self._set = True
        piece = self._slice
        if piece.freq_hz:
            piece.running = True
        counts = piece.top + 1
        pin = self._pin
        pin.duty = ((duty * counts + 32767) // 65535 << 20) // counts
        if pin.function == 4 and pin.effect is not None:
            pin.effect(now, pin.duty)
        return None

    def deinit(self):
        """Stop the slice. The pin stays muxed and keeps the level it froze at (micropython #9007)."""
        CLOCK.spend(_PWM_US)
        CLOCK.board.freeze(self._pin.number >> 1 & 7, CLOCK.now_us)


class ADC:
    """One ADC channel."""

    def __init__(self, pin):
        if isinstance(pin, int) and pin < 4:
            pin = 26 + pin
        state = _state(pin)
        if not 26 <= state.number <= 29:
            raise ValueError("Pin doesn't have ADC capabilities")
        state.function = _board_module.ADC
        self._clock = CLOCK
        self._board = CLOCK.board
        self._tap = CLOCK.board.taps[state.number]
        self._last = 0

    @micropython.native
    def read_u16(self):
        """Return the reading, 0 to 65535 for 0 to 3.3 V."""
        clock = self._clock
        now = clock.now_us + 7
        clock.now_us = now
        if now >= clock.next_us:
            clock.service(4000)
            now = clock.now_us
        board = self._board
        if board.adc_stuck:
            return self._last
        raw = board.circuit.adc_u16(self._tap, now)
        self._last = raw
        return raw


class I2C:
    """I2C bus 0 with both sensors on it."""

    def __init__(self, id=0, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        board = CLOCK.board
        if id != 0:
            raise ValueError("I2C(%d) doesn't exist" % id)
        for pin in (scl, sda):
            if pin is not None:
                _state(pin).function = _board_module.I2C
        self._timeout_us = timeout
        self._byte_us = 9_000_000 / freq
        self._address = board.config["sensor_address"]
        self._others = {board.config["second_address"]: ("second_missing", board.second)}
        self._sample_us = self._bus_us(3)
        self._clock = CLOCK
        self._board = board
        self._sensor = board.sensor

    def _bus_us(self, count: int) -> int:
        """Return what a transfer of `count` bytes with its start and stop takes, in us."""
        return int(count * self._byte_us + 5) + _I2C_CALL_US

    def _select(self, address: int) -> object:
        """Return the chip at `address`; take the time of a failing transfer and raise its error if there is none."""
        board = CLOCK.board
        if board.bus_held:
            CLOCK.spend(self._timeout_us)
            raise OSError(_ETIMEDOUT)
        missing, chip = (
            ("sensor_missing", board.sensor) if address == self._address else self._others.get(address, ("", None))
        )
        if chip is None or missing in board.faults:
            CLOCK.spend(self._bus_us(1))
            raise OSError(_EIO)
        return chip

    @micropython.native
    def readfrom_into(self, address, buffer, stop=True):
        """Read into `buffer` from the register under the pointer."""
        sensor = self._sensor
        if address != self._address or self._board.bus_faulty:
            sensor = self._select(address)
        clock = self._clock
        cost = self._sample_us
        if len(buffer) != 2:
            cost = self._bus_us(1 + len(buffer))
        now = clock.now_us + cost
        clock.now_us = now
        if now >= clock.next_us:
            clock.service(4000)
        sensor.read_into(buffer, now)

    def readfrom(self, address, count, stop=True):
        """Return `count` bytes."""
        buffer = bytearray(count)
        self.readfrom_into(address, buffer)
        return bytes(buffer)

    def writeto(self, address, data, stop=True):
        """Write `data`; return the number of bytes acknowledged."""
        sensor = self._select(address)
        CLOCK.spend(self._bus_us(1 + len(data)))
        sensor.write(bytes(data), CLOCK.now_us)
        return len(data)

    def readfrom_mem_into(self, address, register, buffer, *, addrsize=8):
        """Set the pointer to `register` and read into `buffer`."""
        self.writeto(address, bytes([register]))
        self.readfrom_into(address, buffer)

    def readfrom_mem(self, address, register, count, *, addrsize=8):
        """Set the pointer to `register` and return `count` bytes."""
        self.writeto(address, bytes([register]))
        return self.readfrom(address, count)

    def writeto_mem(self, address, register, data, *, addrsize=8):
        """Write `data` to `register`."""
        self.writeto(address, bytes([register]) + bytes(data))

    def scan(self):
        """Return the addresses that answer."""
        found = []
        board = CLOCK.board
        CLOCK.spend(112 * self._bus_us(1))
        if not board.bus_held:
            if "sensor_missing" not in board.faults:
                found.append(self._address)
            found += [address for address, (missing, _) in self._others.items() if missing not in board.faults]
        return found


SoftI2C = I2C


class WDT:
    """The watchdog: cannot be stopped, survives a soft reset."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%d) doesn't exist" % id)
        if timeout > _WATCHDOG_MAX_MS:
            raise ValueError("timeout exceeds %d" % _WATCHDOG_MAX_MS)
        CLOCK.watchdog_period_us = timeout * 1000
        self.feed()
        CLOCK.control.send({"event": "checkpoint", "state": CLOCK.board.dump()})

    @micropython.native
    def feed(self):
        """Start the period again."""
        clock = CLOCK
        now = clock.now_us + 2
        clock.now_us = now
        if now >= clock.next_us:
            clock.service(4000)
            now = clock.now_us
        clock.watchdog_us = now + clock.watchdog_period_us


class RTC:
    """The real-time clock; it starts at 2021-01-01 after every reset but a soft one."""

    def datetime(self, value=None):
        """Return or set (year, month, day, weekday, hour, minute, second, subsecond)."""
        board = CLOCK.board
        if value is None:
            moment = _wall.gmtime((CLOCK.now_us + board.rtc_us) // 1_000_000)
            return (moment[0], moment[1], moment[2], moment[6], moment[3], moment[4], moment[5], 0)
        year, month, day, _, hour, minute, second = value[:7]
        seconds = mktime_utc(year, month, day, hour, minute, second)
        board.rtc_us = seconds * 1_000_000 - CLOCK.now_us
        return None


class _Registers:
    """`mem32`: the watchdog's registers, nothing else."""

    def __getitem__(self, address: int) -> int:
        board = CLOCK.board
        index = (address - _SCRATCH) >> 2
        if 0 <= index < 8:
            return board.scratch[index]
        if address == _REASON:
            return board.reason
        if address == _CTRL:
            return _CTRL_ENABLE if CLOCK.watchdog_us != NEVER_US else 0
        raise ValueError("no register at 0x%08x in the virtual Pico" % address)

    def __setitem__(self, address: int, value: int) -> None:
        board = CLOCK.board
        index = (address - _SCRATCH) >> 2
        if 0 <= index < 8:
            board.scratch[index] = value & 0xFFFFFFFF
        elif address == _CTRL:
            if value & _CTRL_TRIGGER:
                reset()
            if not value & _CTRL_ENABLE:
                CLOCK.watchdog_us = NEVER_US
        else:
            raise ValueError("no register at 0x%08x in the virtual Pico" % address)


class _Edges:
    """`mem8`: IO_BANK0's INTR0 to INTR3, where the chip keeps the edges of every pin, four bits each; nothing else."""

    def __getitem__(self, address: int) -> int:
        return CLOCK.board.edges_at(self._first(address))

    def __setitem__(self, address: int, value: int) -> None:
        """Forget the edges in `value`, of this byte and, as on the chip's bus, of the three beside it."""
        first = self._first(address) & ~7
        for number in range(first, first + 8, 2):
            CLOCK.board.forget_edges(number, value)

    def _first(self, address: int) -> int:
        """Return the first of the two pins whose edges lie at `address`."""
        if not 0 <= address - _EDGES < 16:
            raise ValueError("no byte at 0x%08x in the virtual Pico" % address)
        CLOCK.spend(_PIN_US)
        return (address - _EDGES) << 1


mem32 = _Registers()
mem8 = _Edges()


def unique_id() -> bytes:
    """Return the flash chip's id, 8 bytes."""
    text = CLOCK.board.config["unique_id"]
    return bytes([int(text[index : index + 2], 16) for index in range(0, 16, 2)])


def reset() -> None:
    """Reset the chip, by the watchdog as on rp2; does not return."""
    CLOCK.board.reason = 2
    CLOCK.board.leave("reset")


def bootloader(timeout: int = 0) -> None:
    """Enter the boot ROM's USB loader: the device is gone until power comes again."""
    CLOCK.board.leave("bootloader")


def soft_reset() -> None:
    """Soft reset, as Ctrl-D."""
    raise SystemExit


def reset_cause() -> int:
    """Return WDT_RESET after a watchdog or `reset()`, PWRON_RESET otherwise."""
    return WDT_RESET if CLOCK.board.reason else PWRON_RESET


def freq(hz: int = 0) -> int:
    """Return the clock frequency."""
    return _SYS_HZ


def idle() -> None:
    """Wait for an interrupt, at most 1 ms."""
    CLOCK.run_until(CLOCK.now_us + 1000)


def lightsleep(ms: int = 0) -> None:
    """Sleep for `ms`."""
    CLOCK.run_until(CLOCK.now_us + ms * 1000)


def disable_irq() -> int:
    """Return the state for `enable_irq`; nothing interrupts here."""
    return 0


def enable_irq(state: int = 0) -> None:
    """Counterpart of `disable_irq`."""
