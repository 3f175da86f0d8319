"""The board as the chip's pins see it: which pin drives or reads what, and what a reset does to it."""

import time as wall

from .. import faults
from ..circuit import FULL_DUTY, Circuit
from ..compat import NEVER_US, make_room
from ..ina219_model import Ina219
from ..ina226_model import Ina226
from .core import CLOCK
from .drawn import DrawnCircuit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..timing import PinTiming

HIZ, IN, OUT, OPEN_DRAIN, PWM, ADC, I2C = range(7)
GPIOS = 30
_FELL, _ROSE = 4, 8  # of a pin's four bits in INTR
SLICES_STOPPED_BY_SOFT_RESET = 4  # micropython: machine_pwm_deinit_all walks half the channels
RTC_START_S = 1609459200  # rp2 starts its clock at 2021-01-01
SCRATCHES = 8
_BOOT_US = {"soft": 2_000}
_HARD_BOOT_US = 15_000
_LATE_US = 10_000


class PinState:
    """What one GPIO does: `function`, output `level` (0 or 1), `pull` (None, 1 down, 2 up)."""

    def __init__(self, number: int) -> None:
        make_room(self, 14)
        self.number = number
        self.seen = 0  # its level when somebody looked for an edge last
        self.moved = 0  # the edges since they were forgotten
        self.function = HIZ
        self.level = 0
        self.pull = None
        self.duty = 0  # of FULL_DUTY
        self.sense = None  # returns what the board drives the pin to, if anything
        self.effect = None  # called with (now_us, drive 0 to FULL_DUTY) when the drive changes


class Slice:
    """One PWM slice: `freq_hz` 0 until set, `top`, and whether it runs."""

    def __init__(self) -> None:
        self.freq_hz = 0
        self.top = 65535
        self.running = False


class Board:
    """Pins, circuit, sensor and buttons behind the shadows; `config` comes from the supervisor."""

    def __init__(self, config: dict) -> None:
        make_room(self, 50)
        self.config = config
        values = config["values"]
        self.circuit = DrawnCircuit(config) if config["spice"] else Circuit(values, config["load"])
        self.sensor = Ina219(
            self.circuit, values["ina_gain"], values["ina_offset_uv"], values["ina_noise_uv"], values["seed"] + 1
        )
        self.second = Ina226(
            self.circuit,
            values["second_gain"],
            values["second_offset_uv"],
            values["second_noise_uv"],
            values["seed"] + 2,
        )
        self.pins = [PinState(number) for number in range(GPIOS)]
        self.slices = [Slice() for _ in range(8)]
        self.scratch = [0] * SCRATCHES
        self.reason = 0
        self.rtc_us = RTC_START_S * 1_000_000  # real-time clock minus virtual time
        self.last_edge_us = -NEVER_US
        self.edges = 0
        self.start_pressed = False
        self.straps = {"range": config["variant"], "maintenance": bool(config["maintenance"])}
        self.faults = set()
        self.bus_held = False
        self.bus_faulty = False
        self.adc_stuck = False
        self.flash_operations = 0
        self.cut_at_operation = -1
        self.boots = 0
        self._scl_edges = 0
        self._wire(config["pins"])
        self.circuit.set_bench_strap(0, bool(config["bench_strap"]))
        self.circuit.set_vbus(0, bool(config["plugged"]))

    def _wire(self, pins: dict) -> None:
        """Connect the pins of the firmware's own table `{name: GPIO}` to the circuit."""
        self.numbers = pins
        effects = {
            "PWM_SETPOINT": self.circuit.set_duty,
            "HEARTBEAT": self._heartbeat,
            "BOOST_ENABLE": self._boost,
            "POLARITY_RELAY": self._relay,
            "I2C_SCL": self._clock_line,
            "INTERLOCK_SENSE": self._try_interlock,
        }
        for name, effect in effects.items():
            self.pins[pins[name]].effect = effect
        senses = {
            "RANGE_STRAP": self._sense_range,
            "START_BUTTON": self._sense_start,
            "STOP_SENSE": self._sense_stop,
            "BENCH_STRAP": self._sense_bench,
            "MAINTENANCE_STRAP": self._sense_maintenance,
            "VBUS_SENSE": self._sense_vbus,
            "I2C_SDA": self._sense_sda,
            "POLE_SENSE": self._sense_pole,
            "RELAY_SENSE": self._sense_relay,
            "INTERLOCK_SENSE": self._sense_interlock,
        }
        for name, sense in senses.items():
            self.pins[pins[name]].sense = sense
        self.taps = {pins["ADC_" + tap]: index for index, tap in enumerate(("DRAIN", "RAIL", "SNS", "VSYS"))}

    # What the pins drive.

    @micropython.native
    def _heartbeat(self, now_us: int, drive: int) -> None:
        self.last_edge_us = now_us
        self.edges += 1
        self.circuit.heartbeat(now_us, 1 if drive > 524288 else 0)

    def _boost(self, now_us: int, drive: int) -> None:
        self.circuit.set_boost(now_us, drive > FULL_DUTY // 2)

    def _relay(self, now_us: int, drive: int) -> None:
        self.circuit.set_relay(now_us, drive > FULL_DUTY // 2)

    def _clock_line(self, now_us: int, drive: int) -> None:
        """Nine clock pulses by hand free a hung SDA."""
        if drive > FULL_DUTY // 2:
            self._scl_edges += 1
            if self._scl_edges >= 9 and "i2c_hang" in self.faults:
                self.faults.discard("i2c_hang")
                self._hold_bus()

    def _hold_bus(self) -> None:
        self.bus_held = "i2c_hang" in self.faults or "i2c_dead" in self.faults
        self.bus_faulty = self.bus_held or "sensor_missing" in self.faults or "second_missing" in self.faults
        self.adc_stuck = "adc_stuck" in self.faults
        self._scl_edges = 0

    def drive_of(self, pin: PinState) -> int:
        """Return what the pin drives its net to, 0 to `FULL_DUTY`; the board pulls undriven outputs low."""
        function = pin.function
        if function == PWM:
            return pin.duty
        if function in (OUT, OPEN_DRAIN):
            return FULL_DUTY if pin.level else 0
        return FULL_DUTY if function == I2C or pin.number == self.numbers["I2C_SCL"] else 0

    def apply(self, pin: PinState, now_us: int) -> None:
        """Let the board see what the pin drives now."""
        if pin.effect is not None:
            pin.effect(now_us, self.drive_of(pin))

    @micropython.native
    def read(self, pin: PinState) -> int:
        """Return the level at the pad."""
        function = pin.function
        if function == 2 or (function == 3 and not pin.level):
            return pin.level
        if pin.sense is not None:
            return 1 if pin.sense() else 0
        return 1 if pin.pull == 2 or function == 3 else 0

    def look_for_edges(self) -> None:
        """Keep the edges of the pins that the board drives; called where what drives them changes."""
        for pin in self.pins:
            if pin.sense is not None:
                level = 1 if pin.sense() else 0
                if level != pin.seen:
                    pin.moved |= _ROSE if level else _FELL
                    pin.seen = level

    def edges_at(self, number: int) -> int:
        """Return the edges of the pins `number` (even) and the next, four bits each."""
        return self.pins[number].moved | self.pins[number + 1].moved << 4 if number + 1 < GPIOS else 0

    def forget_edges(self, number: int, bits: int) -> None:
        """Forget the edges `bits` of the pins `number` (even) and the next."""
        if number + 1 < GPIOS:
            self.pins[number].moved &= ~bits
            self.pins[number + 1].moved &= ~(bits >> 4)

    def set_vbus(self, present: bool) -> None:
        """A computer is plugged in or out."""
        self.circuit.set_vbus(CLOCK.now_us, present)
        self.look_for_edges()

    def _sense_start(self) -> bool:
        return not self.start_pressed

    def _sense_stop(self) -> bool:
        return self.circuit.stop_sensed(CLOCK.now_us)

    def _sense_vbus(self) -> bool:
        return self.circuit.vbus

    def _sense_bench(self) -> bool:
        return not self.circuit.bench_strap

    def _sense_maintenance(self) -> bool:
        return not self.straps["maintenance"]

    def _sense_range(self) -> bool:
        return self.straps["range"] == "A"

    def _try_interlock(self, now_us: int, drive: int) -> None:
        self.circuit.try_interlock(now_us, drive > FULL_DUTY // 2)

    def _sense_pole(self) -> bool:
        return self.circuit.pole_sensed(CLOCK.now_us)

    def _sense_relay(self) -> bool:
        return self.circuit.relay_sensed(CLOCK.now_us)

    def _sense_interlock(self) -> bool:
        return self.circuit.interlock_sensed(CLOCK.now_us)

    def _sense_sda(self) -> bool:
        return not self.bus_held

    def listen(self, timing: "PinTiming | None") -> None:
        """Tell `timing` the edges of the loop timing pin; None for nobody."""
        pin = self.pins[self.numbers["LOOP_TIMING"]]
        pin.effect = None if timing is None else lambda now_us, drive: timing.edge(now_us, drive > FULL_DUTY // 2)

    # PWM.

    def freeze(self, number: int, now_us: int) -> None:
        """Stop slice `number`: its pins stay muxed, at the level the counter left them."""
        piece = self.slices[number]
        if not piece.running:
            return
        piece.running = False
        phase = now_us * piece.freq_hz % 1_000_000 * FULL_DUTY // 1_000_000
        for pin in self.pins:
            if pin.function == PWM and pin.number >> 1 & 7 == number:
                pin.duty = FULL_DUTY if phase < pin.duty else 0
                self.apply(pin, now_us)

    # Resets.

    def release_pins(self, now_us: int) -> None:
        """A hard reset: every pin high-Z, PWM stopped."""
        self.slices = [Slice() for _ in range(8)]
        for pin in self.pins:
            pin.function, pin.level, pin.pull, pin.duty = HIZ, 0, None, 0
            self.apply(pin, now_us)

    def watchdog_reset(self, at_us: int) -> None:
        """The watchdog fires at `at_us`; does not return."""
        self.reason = 1
        self.leave("watchdog")

    def cut(self) -> None:
        """The power goes; does not return."""
        self.circuit.set_power(CLOCK.now_us, False)
        self.leave("cut")

    def cut_at(self, operation: int) -> None:
        """Let the power go in the middle of the flash operation `operation` from now."""
        self.cut_at_operation = self.flash_operations + operation

    def reset(self) -> None:
        """The RUN pin is pulled low and let go; does not return."""
        self.leave("run")

    def leave(self, kind: str) -> None:
        """The chip resets: hand the state to the supervisor and wait to be killed; no `finally` runs."""
        CLOCK.control.send({"event": "leave", "kind": kind, "state": self.dump()})
        while True:
            try:
                wall.sleep(60)
            except KeyboardInterrupt:
                pass

    def begin(self, kind: str) -> None:
        """Come up after a reset of `kind`: power, run, watchdog, stuck, reset, resume or soft."""
        if kind == "stuck":
            CLOCK.now_us = CLOCK.watchdog_us
            self.circuit.settle_at(CLOCK.now_us)
            self.reason = 1
        now = CLOCK.now_us
        self.boots += 1
        if kind == "soft":
            for number in range(SLICES_STOPPED_BY_SOFT_RESET):
                self.freeze(number, now)
            for piece in self.slices:
                piece.freq_hz = 0
        else:
            self.release_pins(now)
            CLOCK.watchdog_us = NEVER_US
            if kind != "resume":
                self.rtc_us = RTC_START_S * 1_000_000 - now
        if kind in ("power", "run"):
            self.scratch = [0] * SCRATCHES
            self.reason = 0
        if kind == "power":
            self.circuit.set_power(now, True)
            self.sensor.power_on(now)
            self.second.power_on(now)
        CLOCK.now_us += _BOOT_US.get(kind, _HARD_BOOT_US)

    def apply_settings(self) -> None:
        """Let the settings win over a state that was restored: load, straps, cable, no faults."""
        now = CLOCK.now_us
        config = self.config
        for name in sorted(self.circuit.faults):
            self.circuit.set_fault(now, name, False)
        self.circuit.set_load(now, config["load"])
        self.circuit.set_battery(now, config["values"]["battery_v"])
        self.circuit.set_bench_strap(now, bool(config["bench_strap"]))
        self.circuit.press_stop(now, False)
        self.start_pressed = False
        self.straps = {"range": config["variant"], "maintenance": bool(config["maintenance"])}

    # What people and faults do.

    def press(self, button: str, down: bool) -> None:
        """Press or release "start" or "stop"; ValueError for another."""
        if button == "start":
            self.start_pressed = down
        elif button == "stop":
            self.circuit.press_stop(CLOCK.now_us, down)
        else:
            raise ValueError("button must be start or stop, got %r" % button)
        self.look_for_edges()

    def strap(self, name: str, value: object) -> None:
        """Set the strap "range" ("A" or "B"), "bench" or "maintenance" (True: fitted); ValueError for another."""
        if name == "bench":
            self.circuit.set_bench_strap(CLOCK.now_us, bool(value))
        elif name in ("range", "maintenance"):
            self.straps[name] = value
        else:
            raise ValueError("strap must be range, bench or maintenance, got %r" % name)

    def check_fault(self, name: str) -> None:
        """Raise ValueError for a fault that is not in `faults.TABLE`."""
        if name not in faults.KINDS:
            raise ValueError("no fault %r; `ionto sim fault` lists them" % (name,))

    def set_fault(self, name: str, on: bool) -> None:
        """Switch a fault of `faults.TABLE`; KeyError for an unknown name."""
        now = CLOCK.now_us
        kind = faults.KINDS[name]
        if kind == "circuit":
            self.circuit.set_fault(now, name, on)
        elif name == "sensor_reset":
            if on:
                self.sensor.power_on(now)
        elif name == "second_reset":
            if on:
                self.second.power_on(now)
        elif name == "firmware_exception":
            CLOCK.fail_once = on
        elif name == "loop_late":
            CLOCK.now_us += _LATE_US if on else 0
        else:
            if on:
                self.faults.add(name)
            else:
                self.faults.discard(name)
            if name == "sensor_stuck":
                self.sensor.advance(now)
                self.sensor.stuck = on
            elif name == "second_stuck":
                self.second.advance(now)
                self.second.stuck = on
            elif name == "second_gain":
                self.second.factor = 1.2 if on else 1.0
            elif name == "loop_hung":
                CLOCK.hung = on
        self._hold_bus()
        self.look_for_edges()
        CLOCK.next_us = now

    # State.

    def status(self) -> dict:
        """Return what can be seen from outside, times in us."""
        now = CLOCK.now_us
        circuit = self.circuit
        circuit.settle_at(now)
        return {
            "t_us": now,
            "current_ua": circuit.current_ua(),
            "output_on": circuit.on,
            "rail_v": circuit.rail_v(now),
            "vbus": circuit.vbus,
            "relay_reversed": circuit.reversed,
            "duty": circuit.duty / FULL_DUTY,
            "edges": self.edges,
            "boots": self.boots,
            "watchdog_armed": CLOCK.watchdog_us != NEVER_US,
            "faults": sorted(self.faults | circuit.faults),
            "flash_operations": self.flash_operations,
            "load_ohm": circuit.load.series_ohm + circuit.load.parallel_ohm,
            "pins": {name: round(self.shown(name), 4) for name in self.numbers},
        }

    def shown(self, name: str) -> float:
        """Return the level of the pin `name`, a PWM pin's duty."""
        pin = self.pins[self.numbers[name]]
        if pin.function in (OUT, PWM):
            return self.drive_of(pin) / FULL_DUTY
        return float(self.read(pin))

    _PLAIN = (
        "scratch",
        "reason",
        "rtc_us",
        "last_edge_us",
        "edges",
        "start_pressed",
        "straps",
        "flash_operations",
        "cut_at_operation",
        "boots",
    )

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        now = CLOCK.now_us
        self.circuit.settle_at(now)
        state = {name: getattr(self, name) for name in self._PLAIN}
        state["now_us"] = now
        state["watchdog_us"] = CLOCK.watchdog_us
        state["faults"] = [name for name in self.faults if name != "loop_hung"]
        state["pins"] = [[pin.function, pin.level, pin.pull, pin.duty] for pin in self.pins]
        state["slices"] = [[piece.freq_hz, piece.top, piece.running] for piece in self.slices]
        state["circuit"] = self.circuit.dump()
        state["sensor"] = self.sensor.dump()
        state["second"] = self.second.dump()
        state["schedule"] = CLOCK.control.dump()
        return state

    def restore(self, state: dict, fresh: bool) -> None:
        """Take over what `dump` returned; with `fresh` the settings win."""
        for name in self._PLAIN:
            setattr(self, name, state[name])
        CLOCK.now_us = state["now_us"]
        CLOCK.watchdog_us = state["watchdog_us"]
        for index, saved in enumerate(state["pins"]):
            pin = self.pins[index]
            pin.function, pin.level, pin.pull, pin.duty = saved
        for index, saved in enumerate(state["slices"]):
            piece = self.slices[index]
            piece.freq_hz, piece.top, piece.running = saved
        self.circuit.restore(state["circuit"])
        self.sensor.restore(state["sensor"])
        self.second.restore(state["second"])
        CLOCK.control.restore(state["schedule"])
        self.set_vbus(bool(self.config["plugged"]))
        if fresh:
            self.apply_settings()
            return
        for name in state["faults"]:
            self.set_fault(name, True)
