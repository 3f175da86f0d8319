"""The drawn circuit in the place of `Circuit`, inside the VM: it runs in ngspice, in a process beside this one.

What pins do is told, what is measured is asked, over two FIFOs (see `ionto_sim.spice.server`). What an answer says
besides, the current, the charge and whether the output is on, is kept for whoever looks.
"""

import json
import struct

from ..spice.wire import ANSWER, ASKS, CALLS, REQUEST

_NUMBERS = {name: number for number, name in enumerate(CALLS)}
_HEAD = struct.calcsize(REQUEST)
_BACK = struct.calcsize(ANSWER)


class _Meter:
    """The instrument in the other process; `now_us` is when it is read."""

    def __init__(self, circuit):
        self._circuit = circuit
        self.now_us = 0

    def _ask(self, name, *arguments):
        found = self._circuit.ask("meter", self.now_us, 0, [name, arguments])
        if not found:
            raise KeyError(arguments[0])
        return found[0]

    def mark(self, name):
        """As `Meter.mark`."""
        self._ask("mark", name)

    def read(self):
        """As `Meter.read`."""
        return self._ask("read")

    def read_mark(self, name):
        """As `Meter.read_mark`."""
        return self._ask("read_mark", name)


class _Load:
    """What the board's status shows of the load."""

    def __init__(self, ohm):
        self.series_ohm = ohm
        self.parallel_ohm = 0.0


class DrawnCircuit:
    """The circuit of `config` behind the FIFOs `config["spice"]`, which the supervisor has made."""

    def __init__(self, config):
        path = config["spice"]
        self._out, self._in = map(open, (path + ".ask", path + ".answer"), ("wb", "rb"))
        self._request = bytearray(_HEAD)
        self._answer = bytearray(_BACK)
        self.meter = _Meter(self)
        self.faults = set()
        self.now_us = 0
        self.current_na = 0
        self.charge_fc = 0
        self.on = False
        self.duty = 0
        self.vbus = self.bench_strap = self.stop_pressed = self.trying = False
        self._tell("make", 0, 0, {"variant": config["variant"], "values": config["values"], "load": config["load"]})

    # The wire.

    def _tell(self, name, first, second, fields=None):
        text = b"" if fields is None else json.dumps(fields).encode()
        struct.pack_into(REQUEST, self._request, 0, _NUMBERS[name], len(text), first, second)
        self._out.write(self._request + text if text else self._request)
        if name not in ASKS:
            return None
        self._in.readinto(self._answer)
        size, number, self.current_na, self.charge_fc, on = struct.unpack(ANSWER, self._answer)
        self.on = on != 0
        self.now_us = first if first > self.now_us else self.now_us
        return json.loads(self._in.read(size)) if size else number

    ask = _tell

    def _call(self, name, now_us, *arguments):
        return self._tell("call", now_us, 0, [name, arguments])

    # As `Circuit`.

    def current_ua(self):
        """Return the current at the last time worked out, in uA."""
        return self.current_na / 1e3

    def advance(self, now_us):
        """Let what happens until `now_us` happen."""
        self._tell("advance", now_us, 0)

    settle_at = advance

    def set_duty(self, now_us, duty):
        """The set-point's pin is high for the part `duty` of a period."""
        if duty != self.duty:
            self.duty = duty
            self._tell("duty", now_us, duty)

    def heartbeat(self, now_us, level):
        """The heartbeat pin goes to `level`."""
        self._tell("heartbeat", now_us, level)

    def set_boost(self, now_us, on):
        """The boost converter is enabled or not."""
        self._tell("boost", now_us, 1 if on else 0)

    def set_relay(self, now_us, is_reversed):
        """The relay's pin goes high or low."""
        self._tell("relay", now_us, 1 if is_reversed else 0)

    def set_vbus(self, now_us, present):
        """A computer is plugged in or not."""
        self.vbus = present
        self._call("set_vbus", now_us, present)

    def set_bench_strap(self, now_us, fitted):
        """The bench strap."""
        self.bench_strap = fitted
        self._call("set_bench_strap", now_us, fitted)

    def press_stop(self, now_us, pressed):
        """The STOP button."""
        self.stop_pressed = pressed
        self._call("press_stop", now_us, pressed)

    def stop_sensed(self, now_us):
        """Return True when the STOP loop reads open."""
        return self._call("stop_sensed", now_us)

    def try_interlock(self, now_us, on):
        """The gate of the interlock's transistor is driven high, or let go of."""
        if on != self.trying:
            self.trying = on
            self._call("try_interlock", now_us, on)

    def pole_sensed(self, now_us):
        """Return True while a current flows out of E+."""
        return self._call("pole_sensed", now_us)

    def relay_sensed(self, now_us):
        """Return True while the relay's coil is driven."""
        return self._call("relay_sensed", now_us)

    def interlock_sensed(self, now_us):
        """Return True while the gate of the interlock's transistor is high."""
        return self._call("interlock_sensed", now_us)

    def set_battery(self, now_us, volt):
        """The battery now has `volt`."""
        self._call("set_battery", now_us, volt)

    def set_power(self, now_us, powered):
        """The cell is connected or pulled."""
        self._call("set_power", now_us, powered)

    def set_load(self, now_us, spec):
        """Connect another load."""
        self._call("set_load", now_us, spec)

    def set_fault(self, now_us, name, on):
        """Switch a fault of the analogue part on or off."""
        if on:
            self.faults.add(name)
        else:
            self.faults.discard(name)
        self._call("set_fault", now_us, name, on)

    def shunt_nv(self, start_us, end_us, now_us):
        """Return the mean shunt voltage between two times, in nV."""
        return self._tell("shunt", end_us, now_us, end_us - start_us)

    def bus_mv(self):
        """Return the INA219's bus voltage: nothing, the sensor is on the low side."""
        return 0.0

    def second_nv(self, start_us, end_us, now_us):
        """Return the mean voltage of the INA226's shunt between two times, in nV."""
        return self._tell("second", end_us, now_us, end_us - start_us)

    def adc_u16(self, tap, now_us):
        """Return `ADC.read_u16` of a tap."""
        return self._tell("adc", now_us, tap)

    def rail_v(self, now_us):
        """Return the rail, in V."""
        return self._tell("look", now_us, 0)["rail_v"]

    @property
    def reversed(self):
        """Whether the relay's contacts have changed over."""
        return self._tell("look", self.now_us, 0)["reversed"]

    @property
    def load(self):
        """What is between the electrodes."""
        return _Load(self._tell("look", self.now_us, 0)["load_ohm"])

    def dump(self):
        """Return what outlives this VM as a JSON object; the circuit itself goes on beside it."""
        state = self._tell("dump", self.now_us, 0)
        state["duty"] = self.duty
        return state

    def restore(self, state):
        """Take over what `dump` returned."""
        self._tell("restore", 0, 0, state)
        self.now_us = state["now_us"]
        self.duty = state["duty"]
        self.faults = set(state["faults"])
        self.stop_pressed = state["stop_pressed"]
