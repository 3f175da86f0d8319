"""The drawn circuit in the place of `ionto_sim.circuit.Circuit`: told what pins and people do, asked what it measures.

Current in nA, charge in fC, time in us, as there. What the firmware does in one control cycle falls on one moment:
ngspice is stopped once a cycle, when the INA219 is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ionto_sim import adc
from ionto_sim import load as loads
from ionto_sim.compat import Noise
from ionto_sim.meter import FLOWING_NA, Meter
from ionto_sim.spice import mutations
from ionto_sim.spice.drawing import Drawing
from ionto_sim.spice.engine import Engine, Watch
from ionto_sim.spice.parts import LOGIC_V, PIN_OHM, PULL_OHM

CYCLE_US = 1_000
FULL_DUTY = 1 << 20
DRAIN, RAIL, SNS, VSYS = range(4)
_REST_US = 50_000  # what the circuit has had power for, and comes to rest in, when it is first looked at
_FLOAT_OHM = 1e9
_OPEN_OHM, _CLOSED_OHM = 1e12, 0.05
_SLOW_BEAT_EDGES = 10
_ON_V = 1.5  # at Q2's gate, when it is told to conduct
_USB_V, _USB_OHM, _NO_USB_OHM = 5.0, 0.3, 15.6e3
_TAPS = {DRAIN: "adc_drain", RAIL: "adc_rail", SNS: "adc_sns", VSYS: "vsys"}
_LOW_BATTERY_V = 2.9
_LOW_REFERENCE_V = 0.6275  # of U6: the rail at 15 V


def _faults(drawing: Drawing) -> dict[str, mutations.Mutation]:
    """Return the fault switches of `ionto_sim.faults` that change the circuit; the others are told to pins and load.

    The high side has the one transistor of its variant, and as many limiters as the drawing.
    """
    fitted = drawing.parts
    high_side, drain, source = ("Q2", "3", "2") if "Q2" in fitted else ("Q12", "2", "3")
    limiters = [mutations.open_pin(ref, "3") for ref in ("Q4", "Q9") if ref in fitted]
    found = dict(_ALIKE)
    found["sense_leak"] = mutations.leak("SNS", "GND", 201.0 if "Q2" in fitted else 40.1)  # Rs and R11, once more
    found["highside_short"] = mutations.short(high_side, drain, source)
    found["limiter_failed"] = mutations.together(*limiters)
    return found


_ALIKE: Mapping[str, mutations.Mutation] = {
    "sink_stuck_high": mutations.fail("U4", "A stuck high"),
    "sink_stuck_low": mutations.fail("U4", "A stuck low"),
    "sense_short": mutations.short("R9", "1", "2"),
    "shunt_short": mutations.short("R11", "1", "2"),
    "shunt_open": mutations.open_pin("R11", "1"),
    "reference_open": mutations.open_pin("U2", "1"),
    "pwm_stuck_high": mutations.fail("U3", "reference"),
    "pwm_stuck_low": mutations.fail("U3", "ground"),
    "q3_short": mutations.short("Q3", "2", "3"),
    "boost_dead": mutations.fail("U6", "dead"),
    "rail_high": mutations.fail("U6", "over voltage"),
    "drain_sense_open": mutations.open_pin("R33", "1"),
    "rail_sense_open": mutations.open_pin("R24", "1"),
    "bleeder_open": mutations.together(mutations.open_pin("R17", "1"), mutations.open_pin("R48", "1")),
    "pump_coupled": mutations.together(mutations.short("C4", "1", "2"), mutations.short("C23", "1", "2")),
    "gate_floats": mutations.together(mutations.open_pin("R14", "1"), mutations.open_pin("R49", "1")),
    "interlock_dead": mutations.open_pin("Q5", "3"),
    "interlock_blind": mutations.open_pin("R18", "1"),
    "relay_driver_on": mutations.short("Q8", "2", "3"),
    "relay_unheld": mutations.open_pin("C22", "1"),
    "pole_sense_dead": mutations.fail("U9", "stuck low"),
    "sns_sense_open": mutations.open_pin("R34", "1"),
}


class SpiceCircuit:
    """The board of `variant` with the battery, offsets and noise of `values`, driving the load `spec`."""

    def __init__(self, variant: str, values: Mapping[str, float], spec: Any) -> None:
        self.values = values
        self.meter = Meter()
        self.load = self._real_load = loads.Load(spec)
        self.noise = Noise(int(values["seed"]))
        self.faults: set[str] = set()
        self.duty = 0
        self.vbus = self.bench_strap = self.stop_pressed = self.reversed = False
        self.current_na = 0
        self.charge_fc = 0
        self._variant = variant
        self._engine: Engine | None = None
        self._faults: dict[str, mutations.Mutation] = {}
        self._base_us = 0
        self._now_us = 0
        self._seen = 0.0  # of the load's integral
        self._load_at_us = 0
        self._relay_asked = False
        self._relay_held: bool | None = None
        self._battery_v = values["battery_v"]
        self._level = self._edges = 0

    # Time.

    @property
    def now_us(self) -> int:
        """The time to which the circuit has been brought."""
        return self._now_us

    def begin(self, now_us: int) -> None:
        """Give the circuit its power, so that it rests at `now_us`."""
        drawing = Drawing.read(self._variant)
        self._faults = _faults(drawing)
        deck = drawing.deck(armed=list(self._faults.values()), settings=self._first())
        self._engine = engine = Engine(deck)
        self._shunt = engine.watch(drawing.pin_node("U5", "IN+"), drawing.pin_node("U5", "IN-"))
        self._second = engine.watch(drawing.pin_node("U7", "IN+"), drawing.pin_node("U7", "IN-"))
        self._base_us = now_us - _REST_US
        self._now_us = self._load_at_us = now_us
        engine.advance(_REST_US * 1e-6)
        self._seen = engine.load.integral
        engine.load.clear_peaks()

    def _first(self) -> dict[str, float]:
        """Return what differs from the drawing's deck at the start: this board's errors, and pins that listen."""
        values = self.values
        listening = {f"RA1_gp{number}": _FLOAT_OHM for number in (4, 5, 18, 19, 20, 26, 27, 28)}
        pulled = {"RA1_gp10": PULL_OHM, "IA1_gp10": LOGIC_V / PULL_OHM}
        errors = {"VU4a_offset": values["opamp_offset_v"], "VU2_off": 2.5 * values["reference_error"]}
        return {"VBT1": self._battery_v, **listening, **pulled, **errors, **self._load_elements()}

    def _running(self, now_us: int) -> Engine:
        if self._engine is None:
            self.begin(now_us)
        assert self._engine is not None
        return self._engine

    def advance(self, now_us: int) -> None:
        """Let what happens until `now_us` happen; a cycle at a time while current flows."""
        engine = self._running(now_us)
        while self._now_us < now_us:
            step = now_us - self._now_us
            if step > CYCLE_US and (self.on or self.current_na > FLOWING_NA):
                step = CYCLE_US
            self._now_us += step
            engine.advance((self._now_us - self._base_us) * 1e-6)
            self._account(step)

    settle_at = advance

    def _near(self, now_us: int) -> Engine:
        """Return the circuit at `now_us`, or a part of a cycle before."""
        if now_us - self._now_us > CYCLE_US:
            self.advance(now_us)
        return self._running(now_us)

    def _account(self, step_us: int) -> None:
        """Book what has flowed since the last call: load, meter, contacts."""
        engine = self._running(self._now_us)
        flow, total = engine.load, engine.load.integral
        charge_fc = round((total - self._seen) * 1e15)
        self._seen = total
        before, self.current_na = self.current_na, round(abs(flow.now()) * 1e9)
        self.charge_fc += abs(charge_fc)
        sign = -1 if charge_fc < 0 else 1
        lasting_na = max(before, self.current_na, abs(charge_fc) // step_us)
        self.meter.spike(round(flow.take_peak() * 1e9))
        self.meter.feed(self._now_us - step_us, self._now_us, abs(charge_fc), lasting_na, self.current_na, sign)
        is_reversed = engine.value("k1_arm1") > 0.5
        if is_reversed != self.reversed:
            self.reversed = is_reversed
            self.meter.hot_switches += before > FLOWING_NA
        if self.load.drifts and self._now_us - self._load_at_us >= loads.STEP_US:
            self.load.update(self.current_na / 1e3, self._now_us - self._load_at_us)
            self._load_at_us = self._now_us
            engine.set_all(self._load_elements())

    @property
    def on(self) -> bool:
        """Whether the high side is told to conduct."""
        engine = self._engine
        return engine is not None and engine.value("hs_shunt") - engine.value("hs_gate") > _ON_V

    def current_ua(self) -> float:
        """Return the load's current at the last time worked out, in uA, without a sign."""
        return self.current_na / 1e3

    # What the Pico's pins do.

    def _drive(self, now_us: int, gpio: str, volt: float) -> None:
        engine = self._near(now_us)
        engine.set(f"RA1_{gpio}", PIN_OHM)
        engine.set(f"IA1_{gpio}", volt / PIN_OHM)

    def set_duty(self, now_us: int, duty: int) -> None:
        """The set-point's pin is high for the part `duty` (0 to `FULL_DUTY`) of a period."""
        if duty == self.duty:
            return
        rests = self.duty in (0, FULL_DUTY) or duty in (0, FULL_DUTY)
        self.duty = duty
        if rests:
            self._drive(now_us, "gp2", LOGIC_V if duty else 0.0)
            self._drive(now_us, "gp2_low", LOGIC_V if duty == FULL_DUTY else 0.0)
        self._near(now_us).set("VU3_duty", duty / FULL_DUTY)

    def heartbeat(self, now_us: int, level: int) -> None:
        """The heartbeat pin goes to `level` (0 or 1)."""
        level = self._faulty_level(level)
        if level != self._level:
            self._level = level
            self._drive(now_us, "gp22", LOGIC_V * level)

    def _faulty_level(self, level: int) -> int:
        if "heartbeat_stuck_low" in self.faults:
            return 0
        if "heartbeat_stuck_high" in self.faults:
            return 1
        if "heartbeat_slow" not in self.faults or level == self._level:
            return level
        self._edges += 1
        return level if self._edges % _SLOW_BEAT_EDGES == 0 else self._level

    def set_boost(self, now_us: int, on: bool) -> None:
        """The boost converter is enabled or not."""
        self._drive(now_us, "gp6", LOGIC_V * on)

    def set_relay(self, now_us: int, is_reversed: bool) -> None:
        """The relay's pin goes high or low."""
        self._relay_asked = is_reversed
        self._drive(now_us, "gp7", LOGIC_V * is_reversed)
        self._hold_relay(now_us)

    def _hold_relay(self, now_us: int) -> None:
        """Let the armature follow its coil, unless a fault holds it."""
        held: bool | None = None
        if "relay_stuck" in self.faults:
            held = self.reversed if self._relay_held is None else self._relay_held
        elif "relay_flips" in self.faults:
            held = not self._relay_asked
        if held == self._relay_held:
            return
        self._relay_held = held
        engine = self._near(now_us)
        for pole in "12":
            engine.set(f"RK1_hold{pole}", 1.0 if held is not None else 1e12)
            engine.set(f"IK1_hold{pole}", 1.0 if held else 0.0)

    # What people and faults do.

    def set_vbus(self, now_us: int, present: bool) -> None:
        """A computer is plugged in or not."""
        self.vbus = present
        self.advance(now_us)
        ohm = _USB_OHM if present else _NO_USB_OHM
        self._near(now_us).set_all({"RA1_usb": ohm, "IA1_usb": _USB_V / ohm if present else 0.0})

    def set_bench_strap(self, now_us: int, fitted: bool) -> None:
        """The bench strap, whose first pole takes the VBUS interlock out."""
        self.bench_strap = fitted
        self.advance(now_us)
        self._near(now_us).set("RJP1_12", _CLOSED_OHM if fitted else _OPEN_OHM)

    def press_stop(self, now_us: int, pressed: bool) -> None:
        """The STOP button opens the loop in series with Q3."""
        self.stop_pressed = pressed
        self._open_stop(now_us)

    def _open_stop(self, now_us: int) -> None:
        self.advance(now_us)
        is_open = self.stop_pressed or "stop_broken" in self.faults
        self._near(now_us).set("RSW1_contact", _OPEN_OHM if is_open else _CLOSED_OHM)

    def stop_sensed(self, now_us: int) -> bool:
        """Return what STOP_SENSE reads, its pull-up on: True with the loop open."""
        return self._near(now_us).value("stop_sense") > LOGIC_V / 2

    def try_interlock(self, now_us: int, on: bool) -> None:
        """The pin at the gate of the interlock's transistor is driven high, or listens."""
        self._near(now_us).set_all(
            {"RA1_gp20": PIN_OHM if on else _FLOAT_OHM, "IA1_gp20": LOGIC_V / PIN_OHM if on else 0.0}
        )

    def _line(self, now_us: int, node: str) -> bool:
        return self._near(now_us).value(node) > LOGIC_V / 2

    def pole_sensed(self, now_us: int) -> bool:
        """Return what POLE_SENSE reads."""
        return self._line(now_us, "pole_sense")

    def relay_sensed(self, now_us: int) -> bool:
        """Return what RELAY_SENSE reads."""
        return self._line(now_us, "relay_sense")

    def interlock_sensed(self, now_us: int) -> bool:
        """Return what INTERLOCK_SENSE reads."""
        return self._line(now_us, "interlock_sense")

    def set_battery(self, now_us: int, volt: float) -> None:
        """The battery now has `volt`."""
        self._battery_v = volt
        self._feed_battery(now_us)

    def _feed_battery(self, now_us: int) -> None:
        self.advance(now_us)
        volt = _LOW_BATTERY_V if "battery_low" in self.faults else self._battery_v
        self._near(now_us).set("VBT1", volt)

    def set_power(self, now_us: int, powered: bool) -> None:
        """The cell is connected or pulled, and a cable with it."""
        self.advance(now_us)
        engine = self._near(now_us)
        engine.set("RSW3_contact", _CLOSED_OHM if powered else _OPEN_OHM)
        if not powered:
            engine.set_all({"RA1_usb": _NO_USB_OHM, "IA1_usb": 0.0})
        elif self.vbus:
            self.set_vbus(now_us, True)

    def set_load(self, now_us: int, spec: Any) -> None:
        """Connect another load."""
        self._real_load = loads.Load(spec)
        self._choose_load(now_us)

    def _choose_load(self, now_us: int) -> None:
        self.advance(now_us)
        self.load = self._real_load
        if "electrode_lift" in self.faults:
            self.load = loads.Load("open")
        elif "electrode_short" in self.faults:
            self.load = loads.Load("short")
        self._load_at_us = now_us
        self._near(now_us).set_all(self._load_elements())

    def _load_elements(self) -> dict[str, float]:
        load = self.load
        return {
            "Rload": min(max(load.series_ohm, 1e-3), loads.OPEN_OHM),
            "Rskin": max(load.parallel_ohm, 1e-3),
            "Cskin": max(load.farad, 1e-15),
        }

    def set_fault(self, now_us: int, name: str, on: bool) -> None:
        """Switch a fault of the analogue part (see `faults.TABLE`) on or off."""
        self.advance(now_us)
        engine = self._near(now_us)
        if (name in self.faults) == on:
            return
        (self.faults.add if on else self.faults.discard)(name)
        if name in self._faults:
            (engine.switch if on else engine.unswitch)(self._faults[name])
        elif name == "rail_low":
            engine.set("VU6_ref", _LOW_REFERENCE_V if on else 1.233)
        self._follow_faults(now_us)

    def _follow_faults(self, now_us: int) -> None:
        """Let what is told to pins, load and battery follow the faults."""
        self._choose_load(now_us)
        self._open_stop(now_us)
        self._feed_battery(now_us)
        self._hold_relay(now_us)
        self.heartbeat(now_us, self._level)

    # What can be measured.

    def shunt_nv(self, start_us: int, end_us: int, now_us: int) -> int:
        """Return the mean voltage between the INA219's inputs between two times until `now_us`, in nV."""
        self.advance(now_us)
        return self._mean_nv(self._shunt, start_us, end_us)

    def second_nv(self, start_us: int, end_us: int, now_us: int) -> int:
        """Return the same between the INA226's inputs; of a window that ends in this cycle, as far as it is known."""
        self._near(now_us)
        late_us = max(0, end_us - self._now_us)
        return self._mean_nv(self._second, start_us - late_us, end_us - late_us)

    def _mean_nv(self, watch: Watch, start_us: int, end_us: int) -> int:
        try:
            mean = watch.mean((start_us - self._base_us) * 1e-6, (end_us - self._base_us) * 1e-6)
        except ValueError:  # the window is before all that is known: nothing flowed then
            mean = watch.now()
        return round(mean * 1e9)

    def bus_mv(self) -> float:
        """Return the INA219's bus voltage in mV: nothing, the sensor is on the low side."""
        return 0.0

    def adc_u16(self, tap: int, now_us: int) -> int:
        """Return `ADC.read_u16` of the tap DRAIN, RAIL, SNS or VSYS, with noise."""
        engine = self._near(now_us)
        volt = engine.value(_TAPS[tap]) / (3.0 if tap == VSYS else 1.0)
        count = volt / LOGIC_V * 4096 + self.noise.next() * self.values["adc_noise_lsb"] / 1024
        whole = adc.code(round(count * (1 << 20)), *adc.stretch(self.values["adc_wide_lsb"]))
        return whole << 4 | whole >> 8

    def rail_v(self, now_us: int) -> float:
        """Return the rail, in V."""
        self.advance(now_us)
        return self._near(now_us).value("rail_24v")

    # State across a restart of the simulator: what an instrument and a person know; capacitors begin empty.

    def dump(self) -> dict[str, Any]:
        """Return the state as a JSON object for `restore`."""
        return {
            "now_us": self._now_us,
            "charge_fc": self.charge_fc,
            "meter": self.meter.dump(),
            "load": self._real_load.dump(),
            "faults": sorted(self.faults),
            "bench_strap": self.bench_strap,
            "stop_pressed": self.stop_pressed,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `dump` returned, unless this very circuit has gone on since."""
        now = int(state["now_us"])
        if self._now_us >= now:
            return
        self.charge_fc = int(state["charge_fc"])
        self.meter.restore(dict(state["meter"]))
        self._real_load = self.load = loads.restore(state["load"])
        self.begin(now)
        for name in state["faults"]:
            self.set_fault(now, name, True)
        self.set_bench_strap(now, bool(state["bench_strap"]))
        self.press_stop(now, bool(state["stop_pressed"]))

    def close(self) -> None:
        """Forget the circuit."""
        if self._engine is not None:
            self._engine.close()
