"""The board around the chip: the circuit model's pins, straps, ADC taps and both sensors on the emulated RP2040."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rp2040py.peripherals.i2c import I2CMode, I2CState

from ionto import pins
from ionto_host.tables import pin_numbers
from ionto_sim import faults, parameters
from ionto_sim.circuit import DRAIN, FULL_DUTY, RAIL, SNS, VSYS, Circuit
from ionto_sim.ina219_model import Ina219
from ionto_sim.ina226_model import Ina226
from ionto_sim.meter import Meter
from ionto_sim.timing import PinTiming

from .chip import Chip

_ADC_TAPS = (DRAIN, RAIL, SNS, VSYS)  # by channel; channel 4 is the temperature sensor
_IO_BANK0 = 0x40014
_SIO = 5  # function select of a plain GPIO
_HOLDING = {"i2c_dead", "i2c_hang"}
_FREEING_CLOCKS = 9
_IMPOSSIBLE = {
    "firmware_exception": "it runs the firmware as it is; put the exception into a firmware file",
    "flash_fails": "MicroPython does not ask the flash whether it took a block",
    "flash_full": "MicroPython does not ask the flash whether it took a block; fill its file system with a file",
    "loop_late": "its interrupts are the image's own; hang it for a moment",
}


class Wiring:
    """One circuit on one chip. `fault` and the switches may be called between batches only."""

    def __init__(self, chip: Chip, values: dict | None = None, load: object = 5_000) -> None:
        self.chip = chip
        self.values = values or parameters.board("A")
        self.circuit = Circuit(self.values, load)
        self.sensor = Ina219(
            self.circuit,
            self.values["ina_gain"],
            self.values["ina_offset_uv"],
            self.values["ina_noise_uv"],
            int(self.values["seed"]) + 1,
        )
        self.second = Ina226(
            self.circuit,
            self.values["second_gain"],
            self.values["second_offset_uv"],
            self.values["second_noise_uv"],
            int(self.values["seed"]) + 2,
        )
        self._on_bus = {pins.INA219_ADDRESS: ("sensor", self.sensor), pins.INA226_ADDRESS: ("second", self.second)}
        self._sensor_faults: set[str] = set()
        self._chip_faults: set[str] = set()
        self.on_cut: Callable[[], None] = lambda: None
        chip.on_cut = self._power_went
        self._connect_outputs()
        self._connect_sensor()
        self.chip.rp2040.adc.on_adc_read = self._read_adc
        self._set_straps()

    # Outputs: what the chip's pins tell the circuit.

    def _connect_outputs(self) -> None:
        rp2040, chip = self.chip.rp2040, self.chip
        chip.watchers.append(self.look)
        rp2040.gpio[pins.HEARTBEAT].add_listener(lambda new, old: self._beat())
        for pin in (pins.BOOST_ENABLE, pins.POLARITY_RELAY):
            rp2040.gpio[pin].add_listener(lambda new, old: self.look())
        self._timing: PinTiming | None = None
        rp2040.gpio[pins.LOOP_TIMING].add_listener(lambda new, old: self._timing_edge())
        self._follow_duty()

    def _follow_duty(self) -> None:
        """Look at the set-point when a PWM register or a pin's function is written."""
        pwm, bank = self.chip.rp2040.pwm, self.chip.rp2040.peripherals[_IO_BANK0]
        write_pwm, write_bank = pwm.write_uint32, bank.write_uint32

        def write_pwm_uint32(offset: int, value: int) -> None:
            write_pwm(offset, value)
            self._steer()

        def write_bank_uint32(offset: int, value: int) -> None:
            write_bank(offset, value)
            self._steer()

        pwm.write_uint32 = write_pwm_uint32
        bank.write_uint32 = write_bank_uint32

    def _beat(self) -> None:
        self.circuit.heartbeat(self.chip.now_us, self.chip.level(pins.HEARTBEAT))

    def _steer(self) -> None:
        self.circuit.set_duty(self.chip.now_us, round(self.chip.duty(pins.PWM_SETPOINT) * FULL_DUTY))

    def look(self) -> None:
        """Tell the circuit what every pin does now."""
        chip, circuit, now_us = self.chip, self.circuit, self.chip.now_us
        self._beat()
        self._steer()
        circuit.set_boost(now_us, bool(chip.level(pins.BOOST_ENABLE)))
        circuit.set_relay(now_us, bool(chip.level(pins.POLARITY_RELAY)))

    def _show_lines(self) -> None:
        """Let the sense lines show what the circuit does now; the firmware converts something every cycle."""
        circuit, now_us = self.circuit, self.chip.now_us
        driven = self.chip.rp2040.gpio[pins.INTERLOCK_SENSE].output_enable
        circuit.try_interlock(now_us, bool(driven and self.chip.level(pins.INTERLOCK_SENSE)))
        self.set_pin(pins.POLE_SENSE, int(circuit.pole_sensed(now_us)))
        self.set_pin(pins.RELAY_SENSE, int(circuit.relay_sensed(now_us)))
        self.set_pin(pins.INTERLOCK_SENSE, int(circuit.interlock_sensed(now_us)))

    def shown(self, name: str) -> float:
        """Return the level of the pin `name` of the firmware's table, a PWM pin's duty."""
        number = pin_numbers()[name]
        if self.chip.rp2040.gpio[number].output_enable:
            return self.chip.duty(number)
        return float(self.chip.rp2040.gpio[number].input_value)

    def listen(self, timing: PinTiming | None) -> None:
        """Tell `timing` the edges of the loop timing pin; None for nobody."""
        self._timing = timing

    def _timing_edge(self) -> None:
        if self._timing is not None:
            self._timing.edge(self.chip.now_us, bool(self.chip.level(pins.LOOP_TIMING)))

    def meter(self) -> Meter:
        """Return the independent meter, brought to now."""
        self.circuit.settle_at(self.chip.now_us)
        self.circuit.meter.now_us = self.chip.now_us
        return self.circuit.meter

    def status(self) -> dict[str, Any]:
        """Return what can be seen from outside, times in us."""
        chip, circuit = self.chip, self.circuit
        circuit.settle_at(chip.now_us)
        return {
            "t_us": chip.now_us,
            "current_ua": circuit.current_ua(),
            "output_on": circuit.on,
            "rail_v": circuit.rail_v(chip.now_us),
            "vbus": circuit.vbus,
            "relay_reversed": circuit.reversed,
            "duty": circuit.duty / FULL_DUTY,
            "boots": chip.boots,
            "watchdog_armed": chip.rp2040.watchdog.timer.enable,
            "faults": sorted(self._sensor_faults | self._chip_faults | circuit.faults),
            "flash_operations": chip.flash_operations,
            "load_ohm": circuit.load.series_ohm + circuit.load.parallel_ohm,
            "pins": {name: round(self.shown(name), 4) for name in pin_numbers()},
        }

    def lights(self) -> dict[str, int]:
        """Return the levels of the LEDs, and 1 for the buzzer while it sounds."""
        level = self.chip.level
        return {
            "ready": level(pins.LED_READY),
            "current": level(pins.LED_CURRENT),
            "fault": level(pins.LED_FAULT),
            "board": level(pins.LED_BOARD),
            "buzzer": int(self.chip.duty(pins.BUZZER) > 0.0),
        }

    # Inputs.

    def set_pin(self, pin: int, level: int) -> None:
        """Drive the chip's input `pin`."""
        self.chip.rp2040.gpio[pin].set_input_value(bool(level))

    def _set_straps(self) -> None:
        self.strap("range", "A")
        self.strap("bench", True)
        self.strap("maintenance", False)
        self.press("start", False)
        self.press("stop", False)
        self.set_vbus(True)

    def set_vbus(self, present: bool) -> None:
        """Plug a computer in or out, as the circuit and the sense pin see it; the port itself stays."""
        self.set_pin(pins.VBUS_SENSE, int(present))
        self.circuit.set_vbus(self.chip.now_us, present)

    def strap(self, name: str, value: Any) -> None:
        """Set the strap "range" ("A" or "B"), "bench" or "maintenance" (True: fitted); ValueError for another."""
        if name == "range":
            self.set_pin(pins.RANGE_STRAP, int(value == "A"))
        elif name == "bench":
            self.set_pin(pins.BENCH_STRAP, int(not value))
            self.circuit.set_bench_strap(self.chip.now_us, bool(value))
        elif name == "maintenance":
            self.set_pin(pins.MAINTENANCE_STRAP, int(not value))
        else:
            raise ValueError(f"strap must be range, bench or maintenance, got {name!r}")

    def press(self, button: str, pressed: bool) -> None:
        """Press or release "start" or "stop"; ValueError for another."""
        if button == "start":
            self.set_pin(pins.START_BUTTON, int(not pressed))
        elif button == "stop":
            self.circuit.press_stop(self.chip.now_us, pressed)
            self._show_stop()
        else:
            raise ValueError(f"button must be start or stop, got {button!r}")

    def _show_stop(self) -> None:
        open_loop = self.circuit.stop_pressed or "stop_broken" in self.circuit.faults
        self.set_pin(pins.STOP_SENSE, int(open_loop))

    # Power and resets.

    @property
    def boots(self) -> int:
        """How often the chip has started."""
        return self.chip.boots

    def reset(self) -> None:
        """Pull the RUN pin; ValueError without power."""
        if not self.chip.powered:
            raise ValueError("the power is off; power on first")
        self.chip.reset("run_pin")

    def cut(self) -> None:
        """Cut the board's supply; nothing to do when it is off."""
        if self.chip.powered:
            self.chip.cut_power()

    def cut_at(self, operation: int) -> None:
        """Let the power go in the middle of the flash operation `operation` from now."""
        self.chip.cut_at_operation = self.chip.flash_operations + operation

    def _power_went(self) -> None:
        self.circuit.set_power(self.chip.now_us, False)
        self.chip.power_off()
        self.on_cut()

    def power_on(self) -> None:
        """Supply the board again."""
        self.circuit.set_power(self.chip.now_us, True)
        self.sensor.power_on(self.chip.now_us)
        self.second.power_on(self.chip.now_us)
        self.chip.power_on()

    # The ADC.

    def _read_adc(self, channel: int) -> None:
        adc = self.chip.rp2040.adc
        self._show_lines()
        if channel < len(_ADC_TAPS) and "adc_stuck" not in self._chip_faults:
            adc.channel_values[channel] = self.circuit.adc_u16(_ADC_TAPS[channel], self.chip.now_us) >> 4
        adc._default_on_adc_read(channel)

    # The sensors on I2C0.

    def _connect_sensor(self) -> None:
        bus = self.chip.rp2040.i2c[pins.I2C_BUS]
        self._written = bytearray()
        self._answer = bytearray()
        self._held = (0, I2CMode.WRITE)
        self._selected: Ina219 | Ina226 = self.sensor
        bus.on_start = lambda repeated: bus.complete_start()
        bus.on_connect = self._connect
        bus.on_write_byte = self._write_byte
        bus.on_read_byte = lambda ack: bus.complete_read(self._answer.pop(0) if self._answer else 0xFF)
        bus.on_stop = self._stop
        self._clocks = 0
        self.set_pin(pins.I2C_SCL, 1)
        self.set_pin(pins.I2C_SDA, 1)
        self.chip.rp2040.gpio[pins.I2C_SCL].add_listener(lambda new, old: self._clock_out())

    def _clock_out(self) -> None:
        """Count the pulses with which a driver frees a bus that hangs."""
        if "i2c_hang" not in self._sensor_faults or self.chip.rp2040.gpio[pins.I2C_SCL].function_select != _SIO:
            return
        self._clocks += not self.chip.rp2040.gpio[pins.I2C_SCL].output_enable  # open drain: released is high
        if self._clocks >= _FREEING_CLOCKS:
            self._sensor_fault("i2c_hang", False)

    def _connect(self, address: int, mode: I2CMode) -> None:
        if self._sensor_faults & _HOLDING:
            self._held = (address, mode)
            return  # SDA is held: the transfer does not end, the guest times out
        self._finish_write()
        name, chip = self._on_bus.get(address, ("", None))
        present = chip is not None and f"{name}_missing" not in self._sensor_faults
        if chip is not None and present:
            self._selected = chip
            if mode == I2CMode.READ:
                self._answer = bytearray(2)
                chip.read_into(self._answer, self.chip.now_us)
        self.chip.rp2040.i2c[pins.I2C_BUS].complete_connect(present)

    def _release_bus(self) -> None:
        """SDA is free again: the transfer that hangs there goes on."""
        if self.chip.rp2040.i2c[pins.I2C_BUS]._state == I2CState.CONNECT:
            self._connect(*self._held)

    def _write_byte(self, value: int) -> None:
        self._written.append(value)
        self.chip.rp2040.i2c[pins.I2C_BUS].complete_write(True)

    def _stop(self) -> None:
        self._finish_write()
        self.chip.rp2040.i2c[pins.I2C_BUS].complete_stop()

    def _finish_write(self) -> None:
        if self._written:
            self._selected.write(bytes(self._written), self.chip.now_us)
            self._written.clear()

    # Faults.

    def check_fault(self, name: str) -> None:
        """Raise ValueError for a fault that is not in `ionto_sim.faults.TABLE`, or that this board cannot do."""
        if name in _IMPOSSIBLE or name not in faults.KINDS:
            raise ValueError(f"the emulated Pico has no fault {name!r}: {_IMPOSSIBLE.get(name, 'no such name')}")

    def set_fault(self, name: str, on: bool = True) -> None:
        """Switch a fault of `ionto_sim.faults.TABLE` on or off; ValueError for one that this board cannot do."""
        self.check_fault(name)
        kind = faults.KINDS[name]
        if kind == "circuit":
            self.circuit.set_fault(self.chip.now_us, name, on)
            self._show_stop()
        elif kind == "sensor":
            self._sensor_fault(name, on)
        else:
            self._chip_faults = self._chip_faults | {name} if on else self._chip_faults - {name}
            if name == "loop_hung":
                self.chip.hang(on)

    def _sensor_fault(self, name: str, on: bool) -> None:
        self._change_chip(name, on)
        if on and name not in faults.MOMENTARY:
            self._sensor_faults.add(name)
            self._clocks = 0
        else:
            self._sensor_faults.discard(name)
        held = bool(self._sensor_faults & _HOLDING)
        self.set_pin(pins.I2C_SDA, int(not held))
        if not held:
            self._release_bus()

    def _change_chip(self, name: str, on: bool) -> None:
        """Let a fault that is one of a sensor's inside have its effect."""
        which, _, what = name.partition("_")
        chip = self.second if which == "second" else self.sensor
        if what == "reset" and on:
            chip.power_on(self.chip.now_us)
        elif what == "stuck":
            chip.advance(self.chip.now_us)
            chip.stuck = on
        elif what == "gain":
            self.second.factor = 1.2 if on else 1.0
