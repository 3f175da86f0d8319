"""The board: the only module that imports `machine`. Everything here has a side effect; nothing decides.

Making a `Hal` leaves the output off. `cut_off` is its own operation: it does not pass through the duty, the
controller or any state.
"""

import time

import machine

from ionto import kernel, pins, ui
from ionto.compat import const, micropython
from ionto.ina219 import Ina219, recover_bus
from ionto.ina226 import Ina226
from ionto.limits import DEAD_MAN_MS, Limits
from ionto.reading import POLE_LINE, RELAY_LINE, Reading, Scale

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

TICK_US = const(1_000)
WATCHDOG_MS = const(2_000)  # longer than any flash operation (two erases at the datasheet's 400 ms)
RELAY_MAX_UA = const(20)  # the self-test's offset bound
_I2C_TIMEOUT_US = const(1_000)
# Watchdog SCRATCH0-3 (the boot ROM uses 4-7). A table, because these addresses are no small integers.
_SCRATCH = (0x4005800C, 0x40058010, 0x40058014, 0x40058018)
# IO_BANK0 INTR: the chip keeps every edge of every pin there, four bits a pin, until it is written back. So an edge is
# seen however short it was, also one in a flash operation, which runs with interrupts off; and no noise can flood it.
_EDGES = 0x400140F0
_ROSE = const(8)
_BUZZER_HZ = const(2_700)  # buzzer resonance


class Hal:
    """Drives the pins of `ionto.pins` for the build `limits`; each method says its unit.

    `scale` is what its counts are worth. No properties here: with one in a class, MicroPython takes 20 us longer to
    store any attribute of its objects. Not 29 attributes, or 23 or 37: a table of names that is full is searched to its
    end at each call of a method, which makes the cycle 25 us longer.
    """

    def __init__(self, limits: Limits):
        self._reversed = False
        self._duty = 0
        self._pwm = self._put_duty = None
        self._heartbeat_level = self._rest_level = 0
        self._trying = False
        self._still_cycles = 0
        self._heartbeat = machine.Pin(pins.HEARTBEAT, machine.Pin.OUT, value=0).value
        self._boost = machine.Pin(pins.BOOST_ENABLE, machine.Pin.OUT, value=0)
        self._relay = machine.Pin(pins.POLARITY_RELAY, machine.Pin.OUT, value=0)
        self.cut_off()
        # Bound methods, so that a cycle makes and looks up as little as possible.
        self._strap = _input(pins.BENCH_STRAP).value
        self._vbus = machine.Pin(pins.VBUS_SENSE, machine.Pin.IN).value
        self._pole = _line(pins.POLE_SENSE)
        self._coil = _line(pins.RELAY_SENSE)
        self._gate = _line(pins.INTERLOCK_SENSE)
        self._stop = _input(pins.STOP_SENSE).value
        self._stop_rose = _rising(pins.STOP_SENSE)
        self._vbus_rose = _rising(pins.VBUS_SENSE)
        self._leds = [_output(number) for number in (pins.LED_READY, pins.LED_CURRENT, pins.LED_FAULT)]
        self._board_led = _output(pins.LED_BOARD)
        self.timing = _output(pins.LOOP_TIMING).value  # high while a control step runs, for an oscilloscope
        self._buzzer = machine.PWM(machine.Pin(pins.BUZZER), freq=_BUZZER_HZ, duty_u16=0)
        self._inputs = self._cycle_inputs()
        self._limits = limits
        self.scale = Scale(limits)
        self._scale = self.scale.block
        self._slot = 0
        self._feed = None
        self._next_us = time.ticks_us()
        self._last_us = self._next_us
        self.open_sensor()

    def _cycle_inputs(self) -> tuple:
        """Return what each of 8 cycles reads beside the sensor, by its slot (kernel.take): two bound methods."""
        drain, rail, sense, vsys = [
            machine.ADC(machine.Pin(number)).read_u16
            for number in (pins.ADC_DRAIN, pins.ADC_RAIL, pins.ADC_SNS, pins.ADC_VSYS)
        ]
        odd = (drain, self._stop)
        start = _input(pins.START_BUTTON).value
        return (sense, rail), odd, (sense, self._vbus), odd, (sense, vsys), odd, (sense, start), odd

    # Output.

    def cut_off(self) -> None:
        """Take the current away now: set-point pin low as a GPIO, heartbeat low, boost off."""
        self._heartbeat(0)
        if self._pwm is not None:
            self._pwm.duty_u16(0)
            self._pwm.deinit()
            self._pwm = self._put_duty = None
        machine.Pin(pins.PWM_SETPOINT, machine.Pin.OUT, value=0)
        self._boost.value(0)
        self._heartbeat_level = self._rest_level = 0
        self._duty = 0
        self.try_interlock(False)

    def power_up(self) -> None:
        """Boost on and the set-point PWM running at 0; current needs a heartbeat as well.

        The next tick is 1 ms from now: what led here took its time with the output off.
        """
        if self._pwm is None:
            self._pwm = machine.PWM(machine.Pin(pins.PWM_SETPOINT), freq=pins.PWM_FREQ_HZ, duty_u16=0)
            self._put_duty = self._pwm.duty_u16
            self._duty = 0
        self._boost.value(1)
        self._last_us = time.ticks_us()
        self._next_us = time.ticks_add(self._last_us, TICK_US)

    def set_reversed(self, reverse: bool) -> bool:
        """Set the polarity relay; return False, and leave it, unless the output has been off and no current flows.

        Off: no heartbeat edge for `DEAD_MAN_MS` cycles, set-point 0, and a conversion of now that shows no current.
        """
        if reverse == self._reversed:
            return True
        sensor = self._sensor
        dead = self._still_cycles >= DEAD_MAN_MS and not self._duty and sensor.sample()
        if not dead or sensor.raw * sensor.ua_per_lsb - self.scale.zero_ua > RELAY_MAX_UA:
            return False
        self._relay.value(reverse)
        self._reversed = reverse
        return True

    def reversed(self) -> bool:
        """Return True when the drug terminal is the negative one."""
        return self._reversed

    @micropython.native
    def set_duty(self, duty: int) -> None:
        """Set the set-point duty, 0 to `pins.PWM_TOP`; nothing happens before `power_up`."""
        if duty != self._duty:
            put = self._put_duty
            if put is not None:
                put(duty << 4)
                self._duty = duty

    def duty(self) -> int:
        """Return the duty last set, 0 to `pins.PWM_TOP`."""
        return self._duty

    @micropython.native
    def beat(self, output_on: bool) -> None:
        """Show life: a heartbeat edge when `output_on`, and the watchdog. The application calls it on evidence."""
        if output_on:
            self._still_cycles = 0
            level = 1 - self._heartbeat_level
            self._heartbeat_level = level
            self._heartbeat(level)
        feed = self._feed
        if feed is not None:
            feed()

    def rest_heart(self, high: bool) -> None:
        """Let the heartbeat pin rest at this level without output: only a self-test lets it rest high."""
        self._rest_level = 1 if high else 0

    def try_interlock(self, on: bool) -> None:
        """Turn the interlock's transistor on as a computer would, or leave it to the computer. A pin cannot undo it."""
        if on != self._trying:
            self._trying = on
            if on:
                machine.Pin(pins.INTERLOCK_SENSE, machine.Pin.OUT, value=1)
            else:
                _line(pins.INTERLOCK_SENSE)

    def still_heart(self) -> None:
        """Rest the heartbeat pin, low but in a self-test; called every cycle without output."""
        cycles = self._still_cycles
        if cycles < DEAD_MAN_MS:
            self._still_cycles = cycles + 1
        level = self._rest_level
        if self._heartbeat_level != level:
            self._heartbeat_level = level
            self._heartbeat(level)

    def start_watchdog(self) -> None:
        """Arm the RP2040 watchdog; it cannot be stopped again."""
        self._feed = machine.WDT(timeout=WATCHDOG_MS).feed

    # Time.

    @micropython.native
    def wait_tick(self) -> int:
        """Wait for the next 1 ms tick; return the time since the last one, in us.

        A tick that was missed is not made up for, so two samples are never closer than a conversion.
        """
        ticks_us = time.ticks_us
        ticks_diff = time.ticks_diff
        next_us = self._next_us
        now_us = ticks_us()
        wait_us = ticks_diff(next_us, now_us)
        if wait_us > 0:
            time.sleep_us(wait_us)
            now_us = ticks_us()
        else:
            next_us = now_us
        self._next_us = time.ticks_add(next_us, TICK_US)
        dt_us = ticks_diff(now_us, self._last_us)
        self._last_us = now_us
        return dt_us

    # Sensing.

    def open_sensor(self) -> bool:
        """(Re)open the I2C bus and configure both sensors; True when the INA219 answered with our configuration."""
        scl, sda = machine.Pin(pins.I2C_SCL), machine.Pin(pins.I2C_SDA)
        bus = machine.I2C(pins.I2C_BUS, scl=scl, sda=sda, freq=pins.I2C_FREQ_HZ, timeout=_I2C_TIMEOUT_US)
        limits = self._limits
        sensor = self._sensor = Ina219(bus, pins.INA219_ADDRESS, limits.shunt_mohm, limits.pga_range_mv)
        self._sample, self._shunt = sensor.sample, sensor.shunt
        self._second = Ina226(bus, pins.INA226_ADDRESS)
        self._second.configure()
        return sensor.configure()

    def recover_sensor(self) -> bool:
        """Clock a stuck bus free, then open the sensor again; True when it works."""
        scl = machine.Pin(pins.I2C_SCL, machine.Pin.OPEN_DRAIN, value=1)
        sda = machine.Pin(pins.I2C_SDA, machine.Pin.OPEN_DRAIN, value=1)
        recover_bus(scl, sda, _half_clock)
        return self.open_sensor()

    def check_sensor(self, reading: Reading) -> None:
        """Say in `reading` whether an INA219 that answers still holds our configuration: about 210 us."""
        block = reading.block
        if block[kernel.R_FRESH]:
            block[kernel.R_SENSOR_OK] = 1 if self._sensor.check() else 0

    def open_second(self) -> bool:
        """Configure the second sensor again; True when it answered with our configuration."""
        return self._second.configure()

    @micropython.native
    def read_second(self, reading: Reading) -> None:
        """Fill what `reading` has of the second sensor: about 110 us, every 4 ms."""
        second = self._second
        kernel.take_second(reading.block, self._scale, second.shunt, second.sample())

    def look_second(self, reading: Reading) -> None:
        """Say in `reading` when a second sensor that answers has not converted since the last look: about 210 us."""
        block = reading.block
        if not self._second.look() and not block[kernel.R_SECOND_MISSED]:
            block[kernel.R_SECOND_OK] = 0

    def check_second(self, reading: Reading) -> None:
        """Say in `reading` when a second sensor that answers has lost our configuration: about 210 us."""
        block = reading.block
        if not self._second.check() and not block[kernel.R_SECOND_MISSED]:
            block[kernel.R_SECOND_OK] = 0

    @micropython.native
    def read(self, reading: Reading) -> None:
        """Fill `reading` (ionto.reading.Reading) with this cycle's measurements.

        A fresh conversion every cycle; sense node and drain in turn, so that each is at most 2 ms old; rail and
        supply every 8 ms; STOP every 2 ms, the other switches every 8 ms.
        """
        block = reading.block
        slot = (self._slot + 1) & 7
        self._slot = slot
        first, second = self._inputs[slot]
        kernel.take(block, self._scale, self._shunt, self._sample(), slot, first(), second())
        if slot >= kernel.TAKE_START:  # the last two slots have a second switch
            if slot == kernel.TAKE_START:
                block[kernel.R_STRAP] = 1 - self._strap()
            else:
                block[kernel.R_POLE] = self._pole()

    def read_lines(self, reading: Reading) -> None:
        """Read every sense line into `reading` now: a self-test does each cycle."""
        block = reading.block
        block[kernel.R_POLE] = self._pole()
        block[kernel.R_RELAY] = self._coil()
        block[kernel.R_INTERLOCK] = self._gate()

    def lines(self) -> int:
        """Return which of pole's and relay's line something drives (reading.POLE_LINE ...): no pull moves those."""
        found = 0
        for number, bit in ((pins.POLE_SENSE, POLE_LINE), (pins.RELAY_SENSE, RELAY_LINE)):
            up = _input(number).value()
            down = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_DOWN).value()
            _line(number)
            if up == down:
                found |= bit
        return found

    def interlock_blind(self, reading: Reading) -> bool:
        """Return True when a computer is there, no strap takes the interlock out, and the interlock does not see it."""
        block = reading.block
        return block[kernel.R_VBUS] != 0 and not block[kernel.R_STRAP] and not self._gate()

    def look_back(self, reading: Reading) -> None:
        """Say in `reading` that STOP was open, or VBUS there, if it was since the last look, however shortly."""
        block = reading.block
        if _take_edge(self._stop_rose):
            block[kernel.R_STOP] = 1
        if _take_edge(self._vbus_rose):
            block[kernel.R_VBUS] = 1

    def look_for_cause(self, reading: Reading) -> None:
        """The current ends: read STOP, VBUS and the rail into `reading` now, before their turn comes."""
        block = reading.block
        sense, rail = self._inputs[kernel.TAKE_RAIL]
        kernel.take(block, self._scale, self._shunt, block[kernel.R_FRESH], kernel.TAKE_RAIL, sense(), rail())
        block[kernel.R_STOP] = self._stop()
        block[kernel.R_VBUS] = self._vbus()
        self.look_back(reading)

    # Lights and sound.

    def show(self, bits: int) -> None:
        """Set the LEDs and the buzzer: bits of ionto.ui."""
        leds = self._leds
        leds[0].value(bits & ui.READY)
        leds[1].value(bits & ui.CURRENT)
        leds[2].value(bits & ui.FAULT)
        self._board_led.value(bits & ui.CURRENT)
        self._buzzer.duty_u16(0x8000 if bits & ui.SOUND else 0)


def quiet_pins() -> None:
    """Drive every pin that can pass current low. A soft reset leaves PWM pins as they were, even high."""
    for number in (pins.PWM_SETPOINT, pins.HEARTBEAT, pins.BOOST_ENABLE, pins.POLARITY_RELAY):
        machine.Pin(number, machine.Pin.OUT, value=0)


def light_maintenance() -> None:
    """Light what `ui.PATTERNS` has for maintenance, where no application runs that could blink."""
    for number in (pins.LED_READY, pins.LED_FAULT):
        machine.Pin(number, machine.Pin.OUT, value=1)


def read_variant() -> str:
    """Return the build variant that the range strap says: "A" (open) or "B" (to GND)."""
    return "A" if _input(pins.RANGE_STRAP).value() else "B"


def maintenance_strap() -> bool:
    """Return True when the maintenance strap is fitted."""
    return _input(pins.MAINTENANCE_STRAP).value() == 0


def board_id() -> str:
    """Return the board's unique id as 16 hex digits."""
    return "".join(["%02x" % byte for byte in machine.unique_id()])


def read_scratch(index: int) -> int:
    """Return watchdog scratch register `index` (0-3); it survives every reset but power."""
    return machine.mem32[_SCRATCH[index]]


def write_scratch(index: int, value: int) -> None:
    """Write watchdog scratch register `index` (0-3); values under 2**30 allocate nothing."""
    machine.mem32[_SCRATCH[index]] = value


def reset() -> None:
    """Reset the chip; does not return."""
    machine.reset()


def set_clock(unix_s: int) -> None:
    """Set the real-time clock to `unix_s` (s since 1970, UTC)."""
    now = time.gmtime(unix_s)
    machine.RTC().datetime((now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0))


def unix_time_s() -> int:
    """Return the real-time clock, s since 1970 UTC; after a power-on it counts from an arbitrary date."""
    return time.time()


def _rising(number: int) -> tuple:
    """Return where the chip keeps that pin `number` has gone high: address of a byte, bit; for `_take_edge`."""
    return _EDGES + (number >> 1), _ROSE << ((number & 1) << 2)


def _take_edge(rising: tuple) -> bool:
    """Return True when the pin of `rising` has gone high since the last time. Allocates nothing.

    A byte that is written goes to all four of its register: other pins forget their edges, which nobody asks for.
    """
    address, bit = rising
    if not machine.mem8[address] & bit:
        return False
    machine.mem8[address] = bit
    return True


def _input(number: int) -> machine.Pin:
    return machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)


def _line(number: int) -> "Callable[[], int]":
    """Return what reads a sense line, whose pull is the board's."""
    return machine.Pin(number, machine.Pin.IN).value


def _output(number: int) -> machine.Pin:
    return machine.Pin(number, machine.Pin.OUT, value=0)


def _half_clock() -> None:
    time.sleep_us(5)
