"""The RP2040 and both current sensors between unmodified firmware and the drawn circuit: modules `machine` and `time`.

A pin that drives is a source behind 40 ohm at its node, one that reads compares its node with half of its supply, an
ADC pin converts its node against ADC_VREF. Nothing is known here of what the pins are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ionto import pins
from ionto_sim.ina219_model import Ina219
from ionto_sim.ina226_model import Ina226
from ionto_sim.spice.drawing import Drawing, node
from ionto_sim.spice.engine import Engine
from ionto_sim.spice.errors import SpiceFailedError
from ionto_sim.spice.mutations import Mutation, together
from ionto_sim.spice.parts import PIN_OHM, PULL_OHM

_FLOAT_OHM = 1e8
_PULL_US = 50  # what a pull needs, and the firmware's own calls take, before the pin is read
_EDGES, _ROSE = 0x400140F0, 8
_ALIVE_V = 1.8  # below, the chip or its flash has stopped
_RUN_V = 0.8
_TICKS = 1 << 30
_ADC_FULL = 4096
_ON_MODULE = {pins.ADC_VSYS: ("VSYS", 3.0), pins.VBUS_SENSE: ("VBUS", 1.5)}  # net and its divider on the Pico itself
_SENSORS = {pins.INA219_ADDRESS: "U5", pins.INA226_ADDRESS: "U7"}
_BUS_V = 0.7  # of the supply: what a high level on the bus has at least
_SENSOR_V = 2.7
_ADDRESS_V = 0.3  # of the supply: what an address pin that is low has at most
_ADDRESS_PINS = {"U5": {"A0": False, "A1": False}, "U7": {"A0": True, "A1": False}}  # which of them are high
_BUS_NETS = ("I2C_SDA", "I2C_SCL")
_HARD_OHM = 10.0  # a bus line cannot be moved against so little


class Chip:
    """Time, pins, converters and the bus, on `engine`; `swap` puts another circuit in its place, at the same moment."""

    def __init__(self, drawing: Drawing, settings: Mapping[str, float]):
        self.drawing = drawing
        self.now_us = 0
        self.dead = False  # reset or without supply: firmware does not run any more, every pin floats
        self.stuck: dict[int, tuple[float, float]] = {}  # GPIO: (ohm, level) whatever firmware says
        self.blind: set[int] = set()  # pins that read low whatever is there
        self.rising: dict[int, tuple[int, bool]] = {}  # GPIO: its level when looked at last, whether it has risen since
        self._numbers = {name: pin for pin, name in drawing.part("A1").pin_names.items()}
        self._elements = dict(settings)
        self._mutation = Mutation("none")
        self._start_us = 0
        self.charge = 0.0  # through the load until the present run of ngspice began, in C
        self._noise = 1
        self._low: dict[int, int] = {}
        self.scratch = [0, 0, 0, 0]
        self.adc_vref = 1.0  # factor of the ADC's reference
        self.readouts = {name: Readout() for name in _SENSORS.values()}
        self.engine = Engine(drawing.deck(settings=self._elements))
        self._look()
        self.sensors: dict[str, Ina219 | Ina226] = {
            "U5": Ina219(self, 1.0, 0.0, 2.0, 7),
            "U7": Ina226(self, 1.0, 0.0, 2.0, 8),
        }

    # The circuit.

    def swap(self, mutation: Mutation) -> None:
        """Go on with another circuit: what its capacitors hold, and what the pins do, is as it was."""
        volts = {name: self.engine.value(name) for name in self.engine.names() if "#" not in name and name != "time"}
        self.charge += self.engine.load.integral
        self._start_us = self.now_us
        self._mutation = mutation
        self.engine = self._changed(mutation, volts)
        self._look()

    def second(self, mutation: Mutation) -> None:
        """Break the circuit once more."""
        self.swap(together(self._mutation, mutation))

    def _changed(self, mutation: Mutation, volts: dict[str, float]) -> Engine:
        """Return the changed circuit; one that ngspice cannot begin with begins sound and is changed then."""
        deck = self.drawing.deck
        inside = [(ref, pin) for ref, _ in mutation.failed for pin in self.drawing.part(ref).pins]
        for ref, pin in (*mutation.opened, *inside):  # nodes that only the changed circuit has
            net = self._net(ref, pin)
            if net == "0" or net in volts:  # a pin that is connected to nothing may have no node
                volts.setdefault(f"{ref.lower()}_{pin}", self.volt(net))
        try:
            return Engine(deck(present=[mutation], settings=self._elements), initial=volts)
        except SpiceFailedError:
            engine = Engine(deck(armed=[mutation], settings=self._elements), initial=volts)
            engine.switch(mutation)
            return engine

    def _look(self) -> None:
        opened = set(self._mutation.opened)

        def place(reference: str, pin: str) -> str:
            return f"{reference.lower()}_{pin}" if (reference, pin) in opened else self._net(reference, pin)

        self._nodes = {pin: place("A1", pin) for pin in self._numbers.values()}
        self._sensor_nodes = {
            part: {name: place(part, pin) for pin, name in self.drawing.part(part).pin_names.items()}
            for part in _SENSORS.values()
        }
        self._shunts = {part: self.engine.watch(at["IN+"], at["IN-"]) for part, at in self._sensor_nodes.items()}
        self._cut_off = {part for part in self._sensor_nodes if opened & self._bus_pins(part) or self._bus_held()}

    def _net(self, reference: str, pin: str) -> str:
        return node(self.drawing.part(reference).pins[pin])

    def _bus_pins(self, part: str) -> set[tuple[str, str]]:
        return {(ref, pin) for net in _BUS_NETS for ref, pin in self.drawing.nets[net] if ref in ("A1", part)}

    def _bus_held(self) -> bool:
        """Return True when a bridge holds a line of the bus: to the other, or to what neither end can move."""
        for bridge in self._mutation.bridges:
            if bridge.ohm < _HARD_OHM and ({bridge.one, bridge.other} & set(_BUS_NETS)):
                return True
        return False

    def set(self, element: str, value: float) -> None:
        """Give an element another value, in this circuit and in those that take its place."""
        if self._elements.get(element) != value:
            self._elements[element] = value
            self.engine.set(element, value)

    def volt(self, name: str) -> float:
        """Return the voltage of a node of the deck; ground is 0."""
        return 0.0 if name == "0" else self.engine.value(name)

    def pin_volt(self, name: str) -> float:
        """Return the voltage at a pin of the Pico by its name ("GP4", "3V3")."""
        return self.volt(self._nodes[self._numbers[name]])

    def advance(self, us: int) -> None:
        """Let time pass."""
        self.now_us += us
        self.engine.advance((self.now_us - self._start_us) * 1e-6)
        if not self.dead and (self.pin_volt("3V3") < _ALIVE_V or self.pin_volt("RUN") < _RUN_V):
            self.die()
        for gpio, (before, rose) in self.rising.items():
            level = self.level(gpio)
            self.rising[gpio] = (level, rose or level > before)

    def rose(self, gpio: int) -> bool:
        """Return True when a pin has gone high since the last time; from the second time on, which it is looked for."""
        if gpio not in _ON_MODULE and f"GP{gpio}" not in self._numbers:
            return False  # a pin that leads nowhere
        _, rose = self.rising.get(gpio, (0, False))
        self.rising[gpio] = (self.level(gpio), False)
        return rose

    def die(self) -> None:
        """Reset, or no supply: the firmware is gone, and every pin floats."""
        self.dead = True
        for gpio in self._low:
            self.drive(gpio, _FLOAT_OHM, 0.0)

    # Pins.

    def drive(self, gpio: int, ohm: float, level: float) -> None:
        """Let a pin pull its node to `level` (0 to 1, of the supply) through `ohm`."""
        self._low.setdefault(gpio, 0)
        ohm, level = self.stuck.get(gpio, (ohm, level))
        if gpio == pins.PWM_SETPOINT:
            self._drive_pwm(ohm, level)
        elif f"GP{gpio}" in self._numbers and gpio != pins.LOOP_TIMING:  # a pulse without a width, here
            self._source(f"A1_gp{gpio}", ohm, level)

    def _drive_pwm(self, ohm: float, level: float) -> None:
        """The set-point's pin: both phases of a period, and how much of it is the high one."""
        duty = level if 0.0 < level < 1.0 else 0.5
        self.set("VU3_duty", duty)
        self._source("A1_gp2", ohm, 1.0 if level > 0.0 else 0.0)
        self._source("A1_gp2_low", ohm, 1.0 if level >= 1.0 else 0.0)

    def _source(self, tail: str, ohm: float, level: float) -> None:
        self.set(f"R{tail}", ohm)
        self.set(f"I{tail}", level * 3.3 / ohm)

    def level(self, gpio: int) -> int:
        """Return the level that a pin reads."""
        if gpio in self.blind:
            return 0
        if gpio in _ON_MODULE:
            net, divider = _ON_MODULE[gpio]
            return int(self.pin_volt(net) / divider > self.pin_volt("3V3") / 2)
        return int(self.pin_volt(f"GP{gpio}") > self.pin_volt("3V3") / 2)

    def convert(self, gpio: int) -> int:
        """Return what an ADC pin converts to, 16 bits, with the noise of 1 LSB that no ADC is free of."""
        net, divider = _ON_MODULE.get(gpio, (f"GP{gpio}", 1.0))
        count = int(self.pin_volt(net) / divider / (self.pin_volt("ADC_VREF") * self.adc_vref) * _ADC_FULL + 0.5)
        count = min(max(count + self._dither(), 0), _ADC_FULL - 1)
        return count << 4 | count >> 8

    def _dither(self) -> int:
        self._noise = (self._noise * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._noise >> 16) % 3 - 1

    # The sensors' analogue side, and their bus.

    def shunt_nv(self, start_us: int, end_us: int, _now_us: int) -> int:
        """Return the mean of the shunt's voltage over a conversion, as Ina219 asks for it, in nV."""
        return self._mean_nv("U5", start_us, end_us)

    def second_nv(self, start_us: int, end_us: int, _now_us: int) -> int:
        """Return the same of the second sensor's shunt, as Ina226 asks for it."""
        return self._mean_nv("U7", start_us, end_us)

    def _mean_nv(self, part: str, start_us: int, end_us: int) -> int:
        start, end = ((at - self._start_us) * 1e-6 for at in (start_us, end_us))
        if start < 2e-5:
            return round(self._shunts[part].now() * 1e9)
        return round(self._shunts[part].mean(start, end) * 1e9)

    def bus_mv(self) -> int:
        """Return the voltage at IN- to the INA219's ground."""
        at = self._sensor_nodes["U5"]
        return round((self.volt(at["IN-"]) - self.volt(at["GND"])) * 1e3)

    def answering(self, address: int) -> str:
        """Return the part that answers at `address`, "" for none: bus free, supply up, address pins as drawn."""
        part = _SENSORS.get(address, "")
        supply = self.pin_volt("3V3")
        if not part or self.readouts[part].silent or part in self._cut_off:
            return ""
        if min(self.pin_volt("GP4"), self.pin_volt("GP5")) < _BUS_V * supply:
            return ""
        at = self._sensor_nodes[part]
        ground = self.volt(at["GND"])
        own = self.volt(at["VS"]) - ground
        told = {name: (self.volt(at[name]) - ground) / own if own else 0.0 for name in ("A0", "A1")}
        right = all(
            told[name] > 1 - _ADDRESS_V if high else told[name] < _ADDRESS_V
            for name, high in _ADDRESS_PINS[part].items()
        )
        return part if own > _SENSOR_V and right else ""


class Readout:
    """What a converter makes of a sound voltage when it has failed: a table of `how` (verification.fmea.typical)."""

    def __init__(self) -> None:
        self.silent = False
        self.fixed: int | None = None
        self.gain = 1.0
        self.offset_raw = 0

    def shunt(self, raw: int) -> int:
        """Return what the shunt register shows instead of `raw`, signed, in its LSB."""
        if self.fixed is not None:
            return self.fixed
        return max(-0x8000, min(0x7FFF, round(raw * self.gain) + self.offset_raw))


def machine(chip: Chip) -> ModuleType:
    """Return `chip` as the module `machine`."""

    class Pin:
        """GPIO."""

        IN, OUT, OPEN_DRAIN, PULL_UP, PULL_DOWN = 0, 1, 2, 1, 2

        def __init__(self, number: int, mode: int = -1, pull: int = -1, value: int | None = None):
            self.number, self.mode = number, mode
            if mode == self.IN:
                chip.drive(number, PULL_OHM if pull in (1, 2) else _FLOAT_OHM, 1.0 if pull == self.PULL_UP else 0.0)
                chip.advance(_PULL_US)
            elif value is not None:
                self.value(value)

        def value(self, level: int | None = None) -> int:
            """Read or drive."""
            if level is None:
                return chip.level(self.number)
            released = self.mode == self.OPEN_DRAIN and level
            chip.drive(self.number, PULL_OHM if released else PIN_OHM, 1.0 if level else 0.0)
            return level

    class Pwm:
        """A slice, as the mean of what it does."""

        def __init__(self, pin: Pin, freq: int, duty_u16: int):
            self._number = pin.number
            self.duty_u16(duty_u16)

        def duty_u16(self, duty: int) -> None:
            """Set the duty, 0 to 65535."""
            chip.drive(self._number, PIN_OHM, min(1.0, duty / 65520))

        def deinit(self) -> None:
            """Stop; what the pin does next is a GPIO's business."""
            chip.drive(self._number, PIN_OHM, 0.0)

    class Adc:
        """One input."""

        def __init__(self, pin: Pin):
            self._number = pin.number
            chip.drive(pin.number, _FLOAT_OHM, 0.0)

        def read_u16(self) -> int:
            """Convert."""
            return chip.convert(self._number)

    class Bus:
        """I2C with both sensors on it; its lines rest high by their pull-ups."""

        def __init__(self, *_: Any, **__: Any):
            for number in (pins.I2C_SDA, pins.I2C_SCL):
                chip.drive(number, PULL_OHM, 1.0)

        def writeto(self, address: int, data: bytes) -> int:
            """Write a register's number, or also its value."""
            chip.sensors[self._need(address)].write(data, chip.now_us)
            return len(data)

        def readfrom_into(self, address: int, buffer: bytearray) -> None:
            """Read the register that is pointed at."""
            part = self._need(address)
            chip.sensors[part].read_into(buffer, chip.now_us)
            if chip.sensors[part].pointer == 1:
                raw = buffer[0] << 8 | buffer[1]
                shown = chip.readouts[part].shunt(raw - 0x10000 if raw & 0x8000 else raw) & 0xFFFF
                buffer[0], buffer[1] = shown >> 8, shown & 0xFF

        def _need(self, address: int) -> str:
            part = chip.answering(address)
            if not part:
                raise OSError(5)
            return part

    class Watchdog:
        """Watched by nobody: a row ends before it bites."""

        def __init__(self, timeout: int):
            self.timeout = timeout

        def feed(self) -> None:
            """Feed it."""

    class Edges:
        """INTR0 to INTR3: the edges of every pin, four bits each, two pins a byte; read, they are forgotten here."""

        def __getitem__(self, address: int) -> int:
            first = (address - _EDGES) * 2
            return sum(_ROSE << 4 * half for half in (0, 1) if chip.rose(first + half))

        def __setitem__(self, address: int, value: int) -> None:
            """The firmware forgets what it has read."""

    module = ModuleType("machine")
    module.__dict__.update(Pin=Pin, PWM=Pwm, ADC=Adc, I2C=Bus, WDT=Watchdog, unique_id=lambda: bytes(8))
    module.__dict__.update(mem8=Edges(), mem32={})
    return module


def clock(chip: Chip) -> ModuleType:
    """Return the time of `chip` as the module `time`."""
    module = ModuleType("time")

    def ticks_diff(end: int, start: int) -> int:
        return (end - start + _TICKS // 2) % _TICKS - _TICKS // 2

    module.__dict__.update(
        ticks_us=lambda: chip.now_us % _TICKS,
        ticks_ms=lambda: chip.now_us // 1_000 % _TICKS,
        ticks_add=lambda ticks, delta: (ticks + delta) % _TICKS,
        ticks_diff=ticks_diff,
        sleep_us=chip.advance,
        sleep_ms=lambda ms: chip.advance(ms * 1_000),
    )
    return module
