"""The analogue board around the Pico: rail, set-point, sink, limiter, dead-man, interlock, STOP loop, relay, load.

Everything is told with the virtual time at which it happens and worked out lazily, in one of four modes:

| mode | when | work |
|---|---|---|
| off | the high side is open or the relay on its way | none until a switch changes |
| steady | filter, rail and load rest | none until the dead-man would open or the load has drifted |
| smooth | only the set-point filter moves, clear of every limit | two exponentials whenever the current is asked for |
| slow | rail or load limit the current while something moves | pieces of at most 0.1 ms |

Current in nA, charge in fC (nA*us), time in us, all integers; what moves slowly is in V and ohm, as floats.
"""

from . import adc
from . import load as loads
from .compat import NEVER_US, Noise, make_room, micropython
from .deadman import DeadMan
from .meter import FLOWING_NA, Meter
from .setpoint import GAIN, Filter
from .supply import Supply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OFF, STEADY, SMOOTH, SLOW = range(4)
DRAIN, RAIL, SNS, VSYS = range(4)
_PIECE_US = 100
_HISTORY = 64
_UNLIMITED_NA = 1 << 40
_OPEN_REFERENCE = 1.294  # 3.3 V through R1 into the filter, of 2.5 V: the limiter holds the ceiling
_SETTLED_V = 0.002
_WOUND_UP_NV = 500_000  # a set-point that the sink's amplifier strives for while no current can flow
_ADC_PER_V = 4096 / 3.3
_SLOW_BEAT_EDGES = 10
_SLOW_GATE_US = 300_000
_NO_BLEEDER_US = 8_000_000
_OPEN_TAPS = {"drain_sense_open": DRAIN, "rail_sense_open": RAIL, "sns_sense_open": SNS}
FULL_DUTY = 1 << 20


class Circuit:
    """The board built from `values` (see `parameters.board`) driving the load `spec`."""

    def __init__(self, values: dict, spec: "Any") -> None:
        make_room(self, 120)
        self.values = values
        self.filter = Filter()
        self.deadman = DeadMan(values)
        self.meter = Meter()
        self.supply = Supply(values)
        self.load = self._real_load = loads.Load(spec)
        self.noise = Noise(values["seed"])
        self.now_us = 0
        self.current_na = 0
        self.charge_fc = 0
        self.on = False  # current can flow: high side closed, relay at rest
        self.mode = OFF
        self.duty = 0  # 0 to FULL_DUTY
        self.reversed = False
        self._relay_asked = False
        self._relay_drop_us = NEVER_US  # the driver holds the coil until then, its pin being low
        self._trying = False  # the interlock's pin is driven high
        self._beat_faulty = False
        self._edges_asked = 0
        self._open_taps = ()
        self.vbus = False
        self.bench_strap = False
        self.stop_pressed = False
        self._until_us = NEVER_US  # the mode holds until then
        self._calm_us = NEVER_US  # the same, were it not for the dead-man
        self._load_at_us = 0  # the resistances are of then
        self._volt_at_us = 0  # the load's capacitor is of then
        self._relay_done_us = 0
        self._fed_us = 0
        self._fed_fc = 0
        self._peak_na = 0
        self._history_us = [0] * _HISTORY
        self._history_fc = [0] * _HISTORY
        self._history_at = 0
        self._step_us = loads.STEP_US
        self._moved_us = 0  # since then the load's voltage follows the current at leisure
        self._rail_moves = False
        self.faults = set()
        self._configure()
        self.supply.aim(self.faults)

    def _configure(self) -> None:
        """Derive the working numbers from values and faults."""
        values, faults = self.values, self.faults
        shunt = 0.0 if "shunt_short" in faults else values["shunt_ohm"]
        sense = 0.0 if "sense_short" in faults else values["sense_ohm"]
        self._source_ohm = sense + shunt
        if "sense_leak" in faults:  # half of the current passes the sense resistor and the shunt
            self._source_ohm /= 2
            shunt /= 2
        self._gain = round((1 << 24) / max(self._source_ohm, 0.1))  # nA per nV, times 2**24
        self._shunt_ohm = round(shunt)
        self._pole_na = round(values["pole_ua"] * 1e3)
        self._offset_nv = round(values["opamp_offset_v"] * 1e9)
        self._ceiling_na = _UNLIMITED_NA if "limiter_failed" in faults else round(values["ceiling_ua"] * 1e3)
        self._closing_most_na = _UNLIMITED_NA if "limiter_failed" in faults else round(values["closing_ua"] * 1e3)
        self._second_milliohm = round(values["second_ohm"] * 1e3)
        self._high_ohm = values["high_ohm"] + values["lead_ohm"]
        self._sink_ohm = values["sink_ohm"]
        self._inner_ohm = self._high_ohm + self._sink_ohm + values["sense_ohm"] + values["shunt_ohm"]
        self._forced_na = None
        if "sink_stuck_high" in faults:
            self._forced_na = _UNLIMITED_NA
        elif "sink_stuck_low" in faults:
            self._forced_na = 0
        full_scale_v = values["reference_v"] * GAIN * (1.0 + values["reference_error"])
        if "reference_open" in faults:
            full_scale_v *= _OPEN_REFERENCE
        self._full_scale_nv = round(full_scale_v * 1e9)
        self._overridden = self._forced_na is not None or "pwm_stuck_high" in faults or "pwm_stuck_low" in faults
        self._interrupted = "shunt_open" in faults
        self._open_taps = tuple([tap for name, tap in _OPEN_TAPS.items() if name in faults])
        slow_us = _NO_BLEEDER_US if "bleeder_open" in faults else _SLOW_GATE_US if "gate_floats" in faults else 0
        self.deadman.lag_us = (slow_us, _NO_BLEEDER_US if "pump_coupled" in faults else slow_us)
        self._latched_on = "highside_short" in faults or "q3_short" in faults
        self._sns_adc = round(self._source_ohm * 1e-9 * _ADC_PER_V * (1 << 32))
        self._adc_noise = round(values["adc_noise_lsb"] * 1024)
        self._adc_half, self._adc_stretched = adc.stretch(values["adc_wide_lsb"])
        self._source_milliohm = round(self._source_ohm * 1e3)
        self._sink_milliohm = round((self._source_ohm + self._sink_ohm) * 1e3)
        self._limits()

    def current_ua(self) -> float:
        """Return the current at the last time worked out, in uA."""
        return self.current_na / 1e3

    # Time.

    @micropython.native
    def advance(self, now_us: int) -> None:
        """Let what happens until `now_us` happen, and know the current then. Never goes back."""
        if now_us >= self._until_us:
            self._run(now_us)
        elif self.mode == 2 and now_us > self.now_us:
            self._smooth(now_us)

    def settle_at(self, now_us: int) -> None:
        """Bring the books, the meter's too, to exactly `now_us`, before something changes there."""
        if now_us > self.now_us:
            self._run(now_us)
            if self.now_us < now_us:
                self._go(now_us)
        self._feed_meter()

    def _run(self, now_us: int) -> None:
        """Work through every change of mode until `now_us`."""
        while True:
            if self.mode == SLOW:
                drop = self._relay_drop_us
                if self.now_us >= drop:
                    self.touch(self.now_us)
                elif self.now_us >= now_us:
                    return
                else:
                    self._piece(now_us if now_us < drop else drop)
                continue
            until = self._until_us
            if until > now_us:
                break
            if self.now_us < until:
                self._go(until)
            if self._until_us == until:
                self._turn()
        if self.mode == SMOOTH and now_us > self.now_us:
            self._smooth(now_us)

    def _go(self, end_us: int) -> None:
        """Book the time until `end_us` in the mode that holds until then or longer."""
        if self.mode == SMOOTH:
            self._smooth(end_us)
        else:
            self._book(end_us, self.current_na * (end_us - self.now_us), self.current_na)

    def _turn(self) -> None:
        """The mode does not hold any longer at the time worked out: look again."""
        at = self.now_us
        if self.on and self._calm_us <= at < self._off_us() and at < self._relay_drop_us:
            self._drift(at)
        else:
            self.touch(at)

    @micropython.native
    def _smooth(self, end_us: int) -> None:
        """Book the time until `end_us` while only the filter moves."""
        path = self.filter
        offset = self._offset_nv
        gain = self._gain
        area = path.advance(end_us) + offset * (end_us - self.now_us)
        current = (path.target + path.a + path.b + offset) * gain >> 24
        charge = self.charge_fc + (area * gain >> 24)
        self.charge_fc = charge
        self.now_us = end_us
        before = self.current_na
        self.current_na = current
        at = (self._history_at + 1) & 63
        self._history_at = at
        self._history_us[at] = end_us
        self._history_fc[at] = charge
        if current > self._peak_na:
            self._peak_na = current
        if (current > 10000) != (before > 10000):
            self._feed_meter()
        if path.settled:
            self._choose(end_us)

    @micropython.native
    def _book(self, end_us: int, charge_fc: int, current_na: int) -> None:
        """Count `charge_fc` until `end_us`, where the current is `current_na`."""
        charge = self.charge_fc + charge_fc
        self.charge_fc = charge
        self.now_us = end_us
        before = self.current_na
        self.current_na = current_na
        at = (self._history_at + 1) & 63
        self._history_at = at
        self._history_us[at] = end_us
        self._history_fc[at] = charge
        if current_na > self._peak_na:
            self._peak_na = current_na
        if (current_na > 10000) != (before > 10000):
            self._feed_meter()

    def _feed_meter(self) -> None:
        """Tell the meter what flowed since it was told last."""
        charge = self.charge_fc - self._fed_fc
        sign = -1 if self.reversed else 1
        self.meter.feed(self._fed_us, self.now_us, charge, self._peak_na, self.current_na, sign)
        self._fed_us = self.now_us
        self._fed_fc = self.charge_fc
        self._peak_na = self.current_na

    # Modes.

    def touch(self, now_us: int) -> None:
        """Something changed at `now_us`, to which the books were brought: look at everything again."""
        if now_us >= self._relay_drop_us:
            self._drop_relay(now_us)
            return
        self._feed_meter()
        if self.mode == STEADY:
            self.filter.advance(now_us)
        faults = self.faults
        gate = now_us < self.deadman.off_us or "q3_short" in faults
        stop = self.stop_pressed or "stop_broken" in faults
        on = (gate and not stop) or "highside_short" in faults
        on = on and self.supply.powered and not self._interrupted and now_us >= self._relay_done_us
        closing = on and not self.on
        if closing:
            self._wake(now_us)
        elif self.on and not on:
            self._sleep(now_us)
        self.on = on
        self._moved_us = now_us
        self._limits()
        if on:
            self.current_na = self._present_na()
            self._choose(now_us)
            if closing:
                self.meter.spike(self._closing_na())
        else:
            self.current_na = 0
            self.mode = OFF
            done = self._relay_done_us if now_us < self._relay_done_us else NEVER_US
            self._calm_us = min(done, self._relay_drop_us)
            self._until_us = self._calm_us
        self._peak_na = self.current_na
        self._feed_meter()

    def _wake(self, now_us: int) -> None:
        """Bring what rests while no current flows (filter, rail, load) to `now_us`."""
        self.filter.advance(now_us)
        self.supply.follow(now_us, 0.0)
        idle = now_us - self._load_at_us
        self._settle_volt(now_us)
        self.load.update(0.0, idle)
        self._load_at_us = now_us

    def _sleep(self, now_us: int) -> None:
        """The current ends at `now_us`."""
        self._settle_volt(now_us)
        self.load.update(self.current_ua(), now_us - self._load_at_us)
        self._load_at_us = now_us

    def _off_us(self) -> int:
        """Return when the dead-man opens the path; never, when a fault holds it."""
        return NEVER_US if self._latched_on else self.deadman.off_us

    def _limits(self) -> None:
        """Derive what changes with rail and load: the most the output allows and the divider's leak, in nA."""
        load = self.load
        rail_v = self.supply.rail_v
        self._rail_moves = self.supply.moves
        self._most_na = int(rail_v * 1e9 / (load.series_ohm + load.parallel_ohm + self._inner_ohm))
        self._high_na = min(self._most_na, self._ceiling_na)
        self._leak_na = int(rail_v * 1e9 / self.values["divider_ohm"])
        self._rail_uv = round(rail_v * 1e6)
        self._drop_milliohm = round(min(load.series_ohm + self._high_ohm, loads.OPEN_OHM) * 1e3)
        self._parallel_milliohm = round(load.parallel_ohm * 1e3)
        self._rest_us = round(10e6 * load.parallel_ohm * load.farad)
        self._vsys_adc = round(self.supply.vsys_v(self.vbus, self.faults) / 3.0 * _ADC_PER_V * (1 << 20))

    @micropython.native
    def _choose(self, now_us: int) -> None:
        """Find the mode that holds from `now_us` on, with the current flowing, and how long."""
        path = self.filter
        mode = 3
        if not self._rail_moves:
            high = path.target + self._offset_nv
            low = high
            if not path.settled:
                spread = path.a if path.a > 0 else -path.a
                spread += path.b if path.b > 0 else -path.b
                high += spread
                low -= spread
            gain = self._gain
            if self._forced_na is None and high * gain >> 24 < self._high_na and low * gain >> 24 > self._leak_na:
                mode = 1 if path.settled else 2
                if mode == 1:
                    self.current_na = high * gain >> 24
            elif path.settled or low * gain >> 24 >= self._high_na or self._forced_na is not None:
                mode = self._choose_limited()
        self.mode = mode
        if self.current_na > self._peak_na:
            self._peak_na = self.current_na
        if mode == 3:
            self._calm_us = self._until_us = now_us
            return
        calm = NEVER_US
        if self.load.drifts:
            calm = self._load_at_us + self._step_us
        if self._relay_drop_us < calm:
            calm = self._relay_drop_us
        self._calm_us = calm
        off = NEVER_US if self._latched_on else self.deadman.off_us
        self._until_us = off if off < calm else calm

    def _choose_limited(self) -> int:
        """Return the mode with the current at a limit, whatever the filter still does."""
        current = self._limit(self.filter.value())
        if current >= self._most_na:
            if abs(self.load.volt - self._most_na * 1e-9 * self.load.parallel_ohm) > _SETTLED_V:
                return SLOW
            current = self._most_na
        self.current_na = current
        return STEADY

    def _drift(self, now_us: int) -> None:
        """The load has drifted on for a while."""
        self._settle_volt(now_us)
        limited = self.current_na >= self._most_na
        self.load.update(self.current_ua(), now_us - self._load_at_us)
        self._load_at_us = now_us
        self._limits()
        if self.mode == STEADY:
            self.filter.advance(now_us)
            if limited:
                self.load.volt = self._most_na * 1e-9 * self.load.parallel_ohm
        self._choose(now_us)

    def _settle_volt(self, now_us: int) -> None:
        """Let the load's capacitor follow the current until `now_us`."""
        dt = now_us - self._volt_at_us
        if dt > 0:
            self._volt_at_us = now_us
            if self.load.parallel_ohm != 0.0:
                self.load.settle(self.current_na * 1e-3, dt)

    def _limit(self, nanovolt: int) -> int:
        """Return the current the sink asks for at a set-point, within leak and limiter, in nA."""
        current = self._forced_na
        if current is None:
            current = (nanovolt + self._offset_nv) * self._gain >> 24
        return max(self._leak_na, min(current, self._ceiling_na))

    def _closing_na(self) -> int:
        """Return the current of the microseconds in which the output closes on a sink that is full on."""
        if self._forced_na is None and self.filter.value() < _WOUND_UP_NV:
            return self.current_na
        return max(self.current_na, min(self._through(), self._closing_most_na))

    def _through(self) -> int:
        """Return the most that the rail drives right now, whatever the load's capacitor holds, in nA."""
        return int((self.supply.rail_v - self.load.volt) * 1e9 / (self.load.series_ohm + self._inner_ohm))

    def _present_na(self) -> int:
        """Return the current that flows right now, by set-point, limiter and compliance."""
        return max(0, min(self._limit(self.filter.value()), self._through()))

    def _piece(self, until_us: int) -> None:
        """Go on by one piece while something limits or moves."""
        start = self.now_us
        off = self._off_us()
        if start >= off:
            self.touch(start)
            return
        end = min(until_us, off, start + _PIECE_US)
        area = self.filter.advance(end) + self._offset_nv * (end - start)
        self._book(end, *self._follow_load(end, end - start, area * self._gain >> 24))
        current = self.current_na
        self.supply.follow(end, current * 1e-3)
        if self.load.drifts and end - self._load_at_us >= loads.STEP_US:
            self.load.update(self.current_ua(), end - self._load_at_us)
            self._load_at_us = end
        self._moved_us = end
        self._limits()
        if end >= off:
            self.touch(end)
        else:
            self._choose(end)

    def _follow_load(self, end_us: int, dt: int, asked_fc: int) -> "tuple[int, int]":
        """Bring the load to `end_us` under set-point or rail, whichever limits.

        `asked_fc` is the charge that the set-point alone would give. Return the charge and the final current.
        """
        load, inner, before = self.load, self._inner_ohm, self.current_na
        asked = self._limit(self.filter.value())
        self._volt_at_us = end_us
        bound = self.supply.rail_v - asked * 1e-9 * (load.series_ohm + inner)
        left_us = float(dt)
        if load.volt <= bound:
            left_us -= load.charge(asked * 1e-9, bound, left_us)
            if left_us <= 0.0:
                free = self._forced_na is None and self._leak_na < asked < self._ceiling_na
                if free and before <= self._ceiling_na:
                    return max(asked_fc, min(before, asked) * dt), asked
                return (before + asked) * dt // 2, asked
        current_ua, driven = load.drive(self.supply.rail_v, inner, left_us)
        current = max(0, min(asked, int(current_ua * 1e3)))
        if current < asked:
            return int(driven * 1e3) + int(asked * (dt - left_us)), current
        return (before + current) * dt // 2, current

    # What the Pico's pins do.

    @micropython.native
    def set_duty(self, now_us: int, duty: int) -> None:
        """The set-point switch spends the part `duty` (0 to `FULL_DUTY`) on the reference."""
        if duty == self.duty:
            return
        self.duty = duty
        mode = self.mode
        if mode == 0 or mode == 3 or now_us >= self._until_us or self._overridden:
            self._steer(now_us)
            return
        path = self.filter
        if mode == 2:
            if now_us > self.now_us + 50:
                self._smooth(now_us)
        else:
            if now_us > self.now_us:
                self._go(now_us)
            path.advance(now_us)
        target = duty * self._full_scale_nv >> 20
        step = path.target - target
        path.target = target
        a = path.a + (step * path.slow_share >> 20)
        b = path.b - (step * path.fast_share >> 20)
        path.a = a
        path.b = b
        path.settled = False
        if a < 0:
            a = -a
        if b < 0:
            b = -b
        target += self._offset_nv
        a += b
        gain = self._gain
        if (target + a) * gain >> 24 < self._high_na and (target - a) * gain >> 24 > self._leak_na:
            self.mode = 2
            return
        self._choose(self.now_us)

    def _steer(self, now_us: int) -> None:
        duty = self.duty
        if "pwm_stuck_high" in self.faults:
            duty = FULL_DUTY
        elif "pwm_stuck_low" in self.faults or not self.supply.powered:
            duty = 0
        self._run(now_us)
        if self.mode == STEADY and now_us > self.now_us:
            self._go(now_us)
        if self.mode == STEADY or self.mode == OFF:
            self.filter.advance(now_us)
        self.filter.steer(duty * self._full_scale_nv >> 20)
        if self.on:
            self._choose(self.now_us)

    @micropython.native
    def heartbeat(self, now_us: int, level: int) -> None:
        """The heartbeat pin goes to `level` (0 or 1)."""
        deadman = self.deadman
        if self._beat_faulty:
            level = self._faulty_level(level)
        if level == deadman.level:
            return
        if now_us >= self._until_us:
            self._run(now_us)
        held = self.on and now_us < deadman.off_us
        deadman.edge(now_us, level)
        if held:
            if self.mode != 3 and not self._latched_on:
                off = deadman.off_us
                self._until_us = off if off < self._calm_us else self._calm_us
        elif deadman.off_us:
            self._refresh(now_us)

    def _faulty_level(self, level: int) -> int:
        """Return what is left of an edge to `level` on a heartbeat line that is stuck or too slow."""
        if "heartbeat_stuck_low" in self.faults:
            return 0
        if "heartbeat_stuck_high" in self.faults:
            return 1
        self._edges_asked += 1
        return 1 - self.deadman.level if self._edges_asked % _SLOW_BEAT_EDGES == 0 else self.deadman.level

    def _refresh(self, now_us: int) -> None:
        self.settle_at(now_us)
        self.touch(now_us)

    def set_boost(self, now_us: int, on: bool) -> None:
        """The boost converter is enabled or not."""
        if on != self.supply.boost:
            self.settle_at(now_us)
            self.supply.follow(now_us, self.current_ua())
            self.supply.boost = on
            self.supply.aim(self.faults)
            self.touch(now_us)

    def set_relay(self, now_us: int, is_reversed: bool) -> None:
        """The relay's pin goes high or low. Its driver holds the coil on for a while after a high, a reset included."""
        if is_reversed:
            self._relay_asked = True
            self._relay_drop_us = NEVER_US
            self._place_relay(now_us)
        elif self._relay_asked and self._relay_drop_us == NEVER_US:
            self.settle_at(now_us)
            self._relay_drop_us = now_us + (1 if "relay_unheld" in self.faults else self.values["relay_hold_us"])
            self.touch(now_us)

    def _drop_relay(self, now_us: int) -> None:
        """The coil has no current any more."""
        self._relay_drop_us = NEVER_US
        self._relay_asked = False
        self._place_relay(now_us)
        self.touch(now_us)

    def _place_relay(self, now_us: int) -> None:
        """Move the contacts to where the coil, or a fault, wants them; they are open on the way."""
        is_reversed = self._coil_driven() != ("relay_flips" in self.faults)
        if "relay_stuck" in self.faults or is_reversed == self.reversed:
            return
        self.settle_at(now_us)
        if self.current_na > FLOWING_NA:
            self.meter.hot_switches += 1
        self.reversed = is_reversed
        self._relay_done_us = now_us + self.values["relay_us"]
        self.touch(now_us)

    # What people and faults do.

    def set_vbus(self, now_us: int, present: bool) -> None:
        """A computer is plugged in or not."""
        self.vbus = present
        self._interlock(now_us)

    def set_bench_strap(self, now_us: int, fitted: bool) -> None:
        """The bench strap, which takes the VBUS interlock out."""
        self.bench_strap = fitted
        self._interlock(now_us)

    def try_interlock(self, now_us: int, on: bool) -> None:
        """The firmware drives the gate of the interlock's transistor high, or lets go of it."""
        if on != self._trying:
            self._trying = on
            self._interlock(now_us)

    def _interlock(self, now_us: int) -> None:
        self.settle_at(now_us)
        self.deadman.short(now_us, self.interlock_sensed(now_us) and "interlock_dead" not in self.faults)
        self.touch(now_us)

    def press_stop(self, now_us: int, pressed: bool) -> None:
        """The STOP button opens the loop in series with Q3."""
        self.settle_at(now_us)
        self.stop_pressed = pressed
        self.touch(now_us)

    def stop_sensed(self, now_us: int) -> bool:
        """Return what the firmware reads of the STOP loop: True with the loop open."""
        return self.stop_pressed or "stop_broken" in self.faults

    def interlock_sensed(self, now_us: int) -> bool:
        """Return True while the gate of the interlock's transistor is high."""
        seen = self.vbus and "interlock_blind" not in self.faults
        return not self.bench_strap and (seen or self._trying)

    def relay_sensed(self, now_us: int) -> bool:
        """Return True while the relay's coil is driven, by its pin, by what holds it, or by a fault."""
        self.advance(now_us)
        return self._coil_driven()

    def _coil_driven(self) -> bool:
        return self._relay_asked or "relay_driver_on" in self.faults

    def pole_sensed(self, now_us: int) -> bool:
        """Return True while a current that the amplifier can see flows out of E+."""
        self.advance(now_us)
        return self.current_na > self._pole_na and not self.reversed and "pole_sense_dead" not in self.faults

    def set_battery(self, now_us: int, volt: float) -> None:
        """The battery now has `volt`."""
        self.settle_at(now_us)
        self.supply.follow(now_us, self.current_ua())
        self.supply.battery_v = volt
        self.supply.aim(self.faults)
        self.touch(now_us)

    def set_power(self, now_us: int, powered: bool) -> None:
        """The battery is connected or pulled: rail, filter and pump are empty afterwards."""
        self.settle_at(now_us)
        self.supply.powered = powered
        if not powered:
            self.supply.rail_v = 0.0
            self.filter.restore([0, 0, 0, now_us])
            self.deadman.discharge(now_us)
        self.supply.aim(self.faults)
        self._steer(now_us)
        self._interlock(now_us)
        if not powered and self._relay_asked:
            self._drop_relay(now_us)

    def set_load(self, now_us: int, spec: "Any") -> None:
        """Connect another load."""
        load = loads.Load(spec)
        self.settle_at(now_us)
        self._real_load = load
        self._choose_load(now_us)

    def _choose_load(self, now_us: int) -> None:
        load = self._real_load
        if "electrode_lift" in self.faults:
            load = loads.Load("open")
        elif "electrode_short" in self.faults:
            load = loads.Load("short")
        self.load = load
        self._load_at_us = self._volt_at_us = now_us
        self.touch(now_us)

    def set_fault(self, now_us: int, name: str, on: bool) -> None:
        """Switch a fault of the analogue part (see `faults.TABLE`) on or off."""
        self.settle_at(now_us)
        self.supply.follow(now_us, self.current_ua())
        if on:
            self.faults.add(name)
        else:
            self.faults.discard(name)
        self._force_heartbeat(now_us)
        self._configure()
        self.supply.aim(self.faults)
        self._steer(now_us)
        self._choose_load(now_us)
        self._place_relay(now_us)
        self._interlock(now_us)

    def _force_heartbeat(self, now_us: int) -> None:
        stuck = "heartbeat_stuck_low" in self.faults or "heartbeat_stuck_high" in self.faults
        self._beat_faulty = stuck or "heartbeat_slow" in self.faults
        if stuck:
            self.deadman.edge(now_us, self._faulty_level(0))

    # What can be measured.

    @micropython.native
    def charge_at(self, at_us: int) -> int:
        """Return the charge through the shunt until `at_us`, which is not after the next change, in fC."""
        late_us = self.now_us
        late = self.charge_fc
        if at_us >= late_us:
            return late + self.current_na * (at_us - late_us)
        times = self._history_us
        at = self._history_at
        left = 63
        while left:
            early_us = times[at]
            if early_us <= at_us:
                early = self._history_fc[at]
                if early_us == at_us:
                    return early
                return early + (late - early) * (at_us - early_us) // (late_us - early_us)
            late_us = early_us
            late = self._history_fc[at]
            at = (at - 1) & 63
            left -= 1
        return late

    def shunt_nv(self, start_us: int, end_us: int, now_us: int) -> int:
        """Return the mean voltage across the shunt between two times until `now_us`, in nV (the INA219's source)."""
        return self._mean_na(start_us, end_us, now_us) * self._shunt_ohm

    def second_nv(self, start_us: int, end_us: int, now_us: int) -> int:
        """Return the same of the shunt before the high-side switch, in nV (the INA226's source)."""
        return self._mean_na(start_us, end_us, now_us) * self._second_milliohm // 1000

    @micropython.native
    def _mean_na(self, start_us: int, end_us: int, now_us: int) -> int:
        """Return the mean current between two times until `now_us`, in nA."""
        if now_us >= self._until_us or self.mode == 2:
            self.advance(now_us)
        now = self.now_us
        if start_us >= now:
            return self.current_na
        if end_us == now:
            charge = self.charge_fc
        else:
            charge = self.charge_at(end_us)
        return (charge - self.charge_at(start_us)) // (end_us - start_us)

    def bus_mv(self) -> float:
        """Return the INA219's bus voltage in mV: nothing, the sensor is on the low side."""
        return 0.0

    @micropython.native
    def drain_uv(self, now_us: int) -> int:
        """Return the voltage at the sink's drain at `now_us` (already worked out), in uV; 0 with the high side open."""
        if not self.on:
            return 0
        current = self.current_na
        low = current * self._sink_milliohm // 1000000
        volt = self._rail_uv - current * self._drop_milliohm // 1000000
        parallel = self._parallel_milliohm
        if parallel:
            if now_us - self._moved_us > self._rest_us:
                volt -= current * parallel // 1000000
            else:
                self._settle_volt(now_us)
                volt -= int(self.load.volt * 1e6)
        if volt < low or self._drop_milliohm > 100000000000:
            return low
        return volt

    def rail_v(self, now_us: int) -> float:
        """Return the rail at `now_us`, to which the books were brought, in V."""
        if self._rail_moves and not self.on:
            self._follow_idle_rail(now_us)
        return self.supply.rail_v

    def _follow_idle_rail(self, now_us: int) -> None:
        self.supply.follow(now_us, 0.0)
        self._limits()

    @micropython.native
    def adc_u16(self, tap: int, now_us: int) -> int:
        """Return `ADC.read_u16` of the tap DRAIN, RAIL, SNS or VSYS, with noise."""
        if now_us >= self._until_us or (self.mode == 2 and now_us - self.now_us > 100):
            self.advance(now_us)
        raw = self.noise.next() * self._adc_noise
        if tap in self._open_taps:
            return 0
        if tap == 2:
            raw += self.current_na * self._sns_adc >> 12
        elif tap == 0:
            source = self.current_na * self._source_milliohm // 1000000
            raw += (source + (self.drain_uv(now_us) - source) // 11) * 1301505 // 1000
        elif tap == 1:
            if self._rail_moves and not self.on:
                self._follow_idle_rail(now_us)
            raw += self._rail_uv * 118319 // 1000
        else:
            raw += self._vsys_adc
        raw = adc.code(raw, self._adc_half, self._adc_stretched)
        return raw << 4 | raw >> 8

    # State across a restart of the VM.

    _PLAIN = (
        "now_us",
        "current_na",
        "charge_fc",
        "on",
        "duty",
        "reversed",
        "_relay_asked",
        "_relay_drop_us",
        "vbus",
        "bench_strap",
        "stop_pressed",
        "_load_at_us",
        "_volt_at_us",
        "_relay_done_us",
        "_fed_us",
        "_fed_fc",
    )

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        state = {name: getattr(self, name) for name in self._PLAIN}
        state["faults"] = sorted(self.faults)
        state["filter"] = self.filter.dump()
        state["supply"] = self.supply.dump()
        state["deadman"] = self.deadman.dump()
        state["meter"] = self.meter.dump()
        state["load"] = self._real_load.dump()
        state["noise"] = self.noise.state
        return state

    def restore(self, state: dict) -> None:
        """Take over what `dump` returned."""
        for name in self._PLAIN:
            setattr(self, name, state[name])
        self.faults = set(state["faults"])
        self.filter.restore(state["filter"])
        self.supply.restore(state["supply"])
        self.deadman.restore(state["deadman"])
        self.meter.restore(state["meter"])
        self._real_load = self.load = loads.restore(state["load"])
        self.noise.state = state["noise"]
        self._history_us = [self.now_us] * _HISTORY
        self._history_fc = [self.charge_fc] * _HISTORY
        self._configure()
        self._force_heartbeat(self.now_us)
        if self.faults:
            self._choose_load(self.now_us)
        self.touch(self.now_us)
