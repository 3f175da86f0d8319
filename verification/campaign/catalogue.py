"""The one table of the campaign: every single fault, how it is made, and what must happen in each state.

Faults come from hardware/README.md's table of single faults, the sensor, its bus, the chip, its clock and flash, the
switches and the host. What must happen is an `Expect`, or several of which one has to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CEILING_UA = 5_960  # one limiter alone at 0 C, every part at its worst (docs/adr/0011)
NOMINAL_DEAD_MAN_MS = 60
WORST_DEAD_MAN_MS = 110
DETECT_MS = 2.0  # two samples

# The board's tolerances: as designed, and where each of them is worst for the person at the electrodes.
# The dead-man's worst corner (hardware/spice): threshold 0.8 V, 50 C, capacitors 5 % and bleeders 1 % high.
_SLOW_DEAD_MAN = {"gate_v": 0.52, "pump_c1_nf": 24.7, "pump_c2_nf": 157.5, "pump_kohm": 378.8}
BOARDS: dict[str, Mapping[str, float]] = {
    "nominal": {},
    "worst": {**_SLOW_DEAD_MAN, "ceiling_ua": 5_960.0, "opamp_offset_v": 500e-6, "reference_error": 0.005},
}
DEAD_MAN_MS = {"nominal": NOMINAL_DEAD_MAN_MS, "worst": WORST_DEAD_MAN_MS}

# In the order of a session.
STATES = ("IDLE", "SELF_TEST", "ARMED", "RAMP_UP", "HOLD", "RAMP_DOWN", "REVERSING", "PAUSED", "DONE", "FAULT")
DELIVERING = ("RAMP_UP", "HOLD", "RAMP_DOWN")
WAITING = ("ARMED", "PAUSED", "REVERSING")  # the output is off, and current comes next
AT_REST = ("IDLE", "DONE")

WRAP_US = (1 << 30) * 1_000  # where ticks_us and ticks_ms both begin again at 0
_WRAP_AHEAD_US = 15_000_000

Command = Mapping[str, Any]


@dataclass(frozen=True)
class Expect:
    """What must happen. `result` is one of

    | result | the device | the log |
    |---|---|---|
    | cut | output off in time, FAULT latched with one of `codes` | fault, the code |
    | stop | output off within `detect_ms` by hardware, DONE | stopped |
    | lost | output off in time, restarts into FAULT or IDLE | interrupted |
    | complete | the session goes on undisturbed and delivers its dose | complete |
    | end | the session ends in order, one of `outcomes` | the outcome |
    | refused | START or RESUME is refused with one of `codes` | |
    | latch | at rest: FAULT latched with one of `codes`, no current | |
    | quiet | nothing at all happens | |

    `detect_ms` is how long the firmware may take, `lead_ms` how much longer when the current begins with the fault
    already there; `why` says why it is more than two samples. `blind`: the fault takes the measurement away, so the
    charge after it can only be bounded. `after_dose`: the fault is met when the session writes its log, so the dose
    is delivered first.
    """

    result: str
    codes: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    detect_ms: float = DETECT_MS
    lead_ms: float = 60.0
    blind: bool = False
    after_dose: bool = False
    why: str = ""


def cut(*codes: str, detect_ms: float = DETECT_MS, lead_ms: float = 60.0, blind: bool = False, why: str = "") -> Expect:
    """Return the expectation that the output is cut and one of `codes` latches."""
    return Expect("cut", codes, ("fault",), detect_ms, lead_ms, blind, why=why)


def refused(*codes: str) -> Expect:
    """Return the expectation that no current is allowed to begin."""
    return Expect("refused", codes)


def ends(*outcomes: str, why: str) -> Expect:
    """Return the expectation that the session ends in order with one of `outcomes`."""
    return Expect("end", (), outcomes, why=why)


COMPLETE = Expect("complete", outcomes=("complete",))
STOPS = Expect("stop", outcomes=("stopped",), detect_ms=1.0)
RESETS = Expect("lost", ("UNPLANNED_RESET",), ("interrupted",))
RESTARTS = Expect("lost", ("NONE",), ("interrupted",))
RESTARTS_AFTER_DOSE = Expect("lost", ("NONE",), ("interrupted",), after_dose=True)
UNWRITTEN = Expect("cut", ("LOG_WRITE_FAILED",), ("complete",), after_dose=True)
UNWRITTEN_FULL = Expect("cut", ("FILESYSTEM_FULL",), ("complete",), after_dose=True)
QUIET = Expect("quiet")

Expects = tuple[Expect, ...]

_POLE_MS = 100.0
_POLE_WHY = "the pole is judged over 64 samples"
_WRONG_POLE = cut("WRONG_POLE", detect_ms=_POLE_MS, lead_ms=300.0, why=_POLE_WHY)


@dataclass(frozen=True)
class Fault:
    """One single fault.

    `hazards` are those of docs/hazards.md. `inject` and `remove` are commands of `ionto_sim.commands`; `host` names
    what the computer does instead, in `verification.campaign.usb`; `clock`: it is the moment at which the clock wraps.
    `by_button`: there is no computer to start and resume. `settings` are those of the simulator, `boards` the
    tolerances it is tried with, `hot_switches` how often the fault itself moves the relay under current.

    The expectations: `delivering`; `testing` in SELF_TEST; `waiting` (None: as delivering); `rest` for a START with
    the fault present, `at_rest` for what happens without one.
    """

    name: str
    text: str
    hazards: tuple[str, ...]
    delivering: Expects
    testing: Expects
    rest: Expects
    waiting: Expects | None = None
    inject: tuple[Command, ...] = ()
    remove: tuple[Command, ...] = ()
    host: str = ""
    boards: tuple[str, ...] = ("nominal",)
    at_rest: Expects = (QUIET,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    by_button: bool = False
    clock: bool = False
    hot_switches: int = 0

    def expected(self, state: str) -> Expects:
        """Return what must happen in `state`, at once or once current is asked for."""
        if state in DELIVERING:
            return self.delivering
        if state in WAITING:
            return self.delivering if self.waiting is None else self.waiting
        return self.testing if state == "SELF_TEST" else self.rest


def _switch(name: str, text: str, **what: Any) -> Fault:
    """Return the fault that is the simulator's fault switch of the same name."""
    on = {"cmd": "fault", "name": name, "on": True}
    return Fault(name, text, inject=(on,), remove=({**on, "on": False},), **what)


_OVER = ("OVER_CURRENT", "OVER_CURRENT_ABSOLUTE")
_BOTH = ("nominal", "worst")
_SECOND_MS = 100.0
_SECOND = "the load's current is measured a second time every 4 ms, and judged over 8 readings"

FAULTS: Sequence[Fault] = (
    Fault(
        "none",
        "no fault: the control row",
        hazards=("HAZ-34",),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    # hardware/README.md, the set-point path and the sink.
    _switch(
        "pwm_stuck_high",
        "set-point switch stuck on the reference: full-scale current",
        hazards=("HAZ-02",),
        delivering=(cut(*_OVER, "SENSE_DISAGREE"),),
        testing=(cut(*_OVER, "SELFTEST_LATENT_SETPOINT", "SELFTEST_SENSE"),),
        rest=(cut(*_OVER, "SELFTEST_LATENT_SETPOINT"),),
        boards=_BOTH,
    ),
    _switch(
        "pwm_stuck_low",
        "set-point switch stuck on ground: no set-point",
        hazards=("HAZ-24",),
        delivering=(cut("UNDER_CURRENT", "OPEN_CIRCUIT", detect_ms=400, why="300 samples: slower than any settling"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
    ),
    _switch(
        "reference_open",
        "set-point reference open: 29 % more than asked for, up to the limiter",
        hazards=("HAZ-02",),
        delivering=(cut(*_OVER, detect_ms=400, why="29 % passes the margin only when the ramp has come that far"),),
        testing=(cut(*_OVER, detect_ms=400, why="as while delivering"),),
        rest=(cut(*_OVER, detect_ms=400, why="as while delivering"),),
        boards=_BOTH,
    ),
    _switch(
        "sink_stuck_high",
        "op-amp stuck high or sink FET shorted: the limiter's current whatever the set-point",
        hazards=("HAZ-02",),
        delivering=(cut(*_OVER),),
        testing=(cut(*_OVER, "SELFTEST_LATENT_SETPOINT"),),
        rest=(cut(*_OVER, "SELFTEST_LATENT_SETPOINT"),),
        boards=_BOTH,
    ),
    _switch(
        "sink_stuck_low",
        "op-amp stuck low: only the divider's 2 uA flow",
        hazards=("HAZ-24",),
        delivering=(cut("UNDER_CURRENT", "OPEN_CIRCUIT", detect_ms=400, why="300 samples: slower than any settling"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
    ),
    _switch(
        "sense_short",
        "Rs shorted: the sink regulates on the shunt alone, up to the ceiling",
        hazards=("HAZ-02",),
        delivering=(cut(*_OVER, "SENSE_DISAGREE"),),
        testing=(cut(*_OVER, "SELFTEST_NO_CURRENT", "SELFTEST_SENSE", "SELFTEST_LATENT_SETPOINT", "SENSE_DISAGREE"),),
        rest=(cut(*_OVER, "SELFTEST_NO_CURRENT", "SELFTEST_SENSE", "SELFTEST_LATENT_SETPOINT", "SENSE_DISAGREE"),),
        boards=_BOTH,
    ),
    _switch(
        "sense_leak",
        "the sense node leaks to ground: the load gets twice what both measurements at that node see",
        hazards=("HAZ-03",),
        delivering=(cut("LOAD_DISAGREE", detect_ms=_SECOND_MS, blind=True, why=_SECOND),),
        testing=(cut("SELFTEST_LEAK", "LOAD_DISAGREE", detect_ms=_SECOND_MS, why=_SECOND),),
        rest=(cut("SELFTEST_LEAK"),),
        boards=_BOTH,
    ),
    _switch(
        "shunt_short",
        "shunt shorted: 5 % more current, the INA219 reads 0",
        hazards=("HAZ-03",),
        delivering=(cut("SENSE_DISAGREE", "UNDER_CURRENT", detect_ms=8, blind=True, why="V(SNS) is read every 2 ms"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_SENSE", "SENSE_DISAGREE"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_SENSE", "SENSE_DISAGREE"),),
    ),
    _switch(
        "shunt_open",
        "shunt open: no current",
        hazards=(
            "HAZ-03",
            "HAZ-24",
        ),
        delivering=(cut("OPEN_CIRCUIT", "UNDER_CURRENT", "SENSE_DISAGREE"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
    ),
    # The high side: latent faults.
    _switch(
        "q3_short",
        "Q3 shorted: the dead-man has no effect (latent)",
        hazards=("HAZ-13",),
        delivering=(COMPLETE,),
        testing=(cut("SELFTEST_LATENT_SWITCH", "SELFTEST_DEADMAN_HIGH"), COMPLETE),
        rest=(cut("SELFTEST_LATENT_SWITCH"),),
        boards=_BOTH,
    ),
    _switch(
        "highside_short",
        "high-side FET shorted: neither dead-man nor STOP cuts (latent)",
        hazards=("HAZ-13",),
        delivering=(COMPLETE,),
        testing=(cut("SELFTEST_LATENT_SWITCH", "SELFTEST_DEADMAN_HIGH"), COMPLETE),
        rest=(cut("SELFTEST_LATENT_SWITCH"),),
        boards=_BOTH,
    ),
    _switch(
        "bleeder_open",
        "both bleeders of the dead-man are open: it holds for seconds (latent)",
        hazards=("HAZ-13", "HAZ-16"),
        delivering=(COMPLETE,),
        testing=(cut("SELFTEST_DEADMAN_HIGH"), COMPLETE),
        rest=(cut("SELFTEST_DEADMAN_HIGH"), COMPLETE),
        boards=_BOTH,
    ),
    _switch(
        "pump_coupled",
        "both coupling capacitors are shorted: the dead-man holds while the pin is high (latent)",
        hazards=("HAZ-13", "HAZ-16"),
        delivering=(COMPLETE,),
        testing=(cut("SELFTEST_DEADMAN_HIGH"), COMPLETE),
        rest=(cut("SELFTEST_DEADMAN_HIGH"), COMPLETE),
        boards=_BOTH,
    ),
    _switch(
        "gate_floats",
        "both resistors of the high side's gate are open: it closes 0.3 s late (latent)",
        hazards=("HAZ-13", "HAZ-16"),
        delivering=(COMPLETE,),
        testing=(cut("SELFTEST_DEADMAN_HIGH"), COMPLETE),
        rest=(cut("SELFTEST_DEADMAN_HIGH"), COMPLETE),
        boards=_BOTH,
    ),
    _switch(
        "interlock_dead",
        "the interlock's transistor does not cut (latent; found by START without the strap that takes it out anyway)",
        hazards=("HAZ-19",),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    _switch(
        "interlock_blind",
        "the interlock does not see a computer (latent; found at rest without the strap that takes it out anyway)",
        hazards=("HAZ-19",),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    _switch(
        "limiter_failed",
        "high-side limiter gone: no ceiling (latent, found by the bench self-test only)",
        hazards=("HAZ-13",),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    # The dead-man's input.
    _switch(
        "heartbeat_stuck_low",
        "the heartbeat line no longer rises",
        hazards=("HAZ-16",),
        delivering=(cut("OPEN_CIRCUIT", "UNDER_CURRENT"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD", "OPEN_CIRCUIT", "SELFTEST_DEADMAN_HIGH"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
        boards=_BOTH,
    ),
    _switch(
        "heartbeat_stuck_high",
        "the heartbeat line stays high",
        hazards=("HAZ-16",),
        delivering=(cut("OPEN_CIRCUIT", "UNDER_CURRENT"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD", "OPEN_CIRCUIT"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
        boards=_BOTH,
    ),
    _switch(
        "heartbeat_slow",
        "one heartbeat edge in ten gets through: 25 Hz instead of 250",
        hazards=("HAZ-16",),
        delivering=(cut("OPEN_CIRCUIT", "UNDER_CURRENT", detect_ms=122, why="three more edges, 40 ms apart, feed it"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD", "OPEN_CIRCUIT"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD", "OPEN_CIRCUIT"),),
        boards=_BOTH,
    ),
    # The electrodes.
    _switch(
        "electrode_lift",
        "an electrode is off the skin",
        hazards=("HAZ-08",),
        delivering=(cut("OPEN_CIRCUIT"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD"),),
    ),
    Fault(
        "lift_and_recontact",
        "an electrode lifts, and is back after 20 ms",
        hazards=("HAZ-08",),
        inject=(
            {"cmd": "fault", "name": "electrode_lift"},
            {"cmd": "at", "after_us": 20_000, "do": {"cmd": "fault", "name": "electrode_lift", "on": False}},
        ),
        delivering=(cut("OPEN_CIRCUIT"),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD", "OPEN_CIRCUIT"), COMPLETE),
        waiting=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    Fault(
        "flicker",
        "an electrode lifts for 0.8 ms, less than a sample or two",
        hazards=("HAZ-08",),
        inject=(
            {"cmd": "fault", "name": "electrode_lift"},
            {"cmd": "at", "after_us": 800, "do": {"cmd": "fault", "name": "electrode_lift", "on": False}},
        ),
        delivering=(COMPLETE, cut("OPEN_CIRCUIT")),
        testing=(COMPLETE,),
        waiting=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    _switch(
        "electrode_short",
        "the electrodes touch",
        hazards=("HAZ-10",),
        delivering=(
            cut("SHORT_CIRCUIT", "LOAD_OUT_OF_RANGE", detect_ms=20, lead_ms=600, why="8 samples, over 0.45 mA only"),
            COMPLETE,
        ),
        testing=(cut("SHORT_CIRCUIT", "LOAD_OUT_OF_RANGE", "SELFTEST_LOAD", lead_ms=1_200),),
        rest=(cut("SHORT_CIRCUIT", "LOAD_OUT_OF_RANGE", "SELFTEST_LOAD", lead_ms=1_200),),
    ),
    Fault(
        "contact_dries",
        "the contact dries out to 12 kohm: the current is held where the contact allows it",
        hazards=(
            "HAZ-10",
            "HAZ-24",
        ),
        inject=({"cmd": "load", "spec": 12_000},),
        remove=({"cmd": "load", "spec": 2_000},),
        delivering=(COMPLETE, ends("time_limit", why="the contact allows less than the dose asks for")),
        testing=(COMPLETE, ends("time_limit", why="the contact allows less than the dose asks for")),
        rest=(COMPLETE, ends("time_limit", why="the contact allows less than the dose asks for")),
    ),
    # Power.
    _switch(
        "boost_dead",
        "the boost converter stops: the rail falls to the battery's voltage",
        hazards=("HAZ-26",),
        delivering=(cut("RAIL_LOW", detect_ms=400, why="20 samples once the rail's capacitor is down"),),
        testing=(cut("RAIL_LOW", "SELFTEST_RAIL", detect_ms=400),),
        rest=(cut("RAIL_LOW", "SELFTEST_RAIL", detect_ms=400),),
    ),
    _switch(
        "rail_low",
        "the rail reaches 15 V only",
        hazards=("HAZ-26",),
        delivering=(cut("RAIL_LOW", detect_ms=400, why="20 samples once the rail's capacitor is down"),),
        testing=(cut("RAIL_LOW", "SELFTEST_RAIL", detect_ms=400),),
        rest=(cut("RAIL_LOW", "SELFTEST_RAIL", detect_ms=400),),
    ),
    _switch(
        "rail_high",
        "the boost converter's feedback is open: the zener holds 28.3 V",
        hazards=("HAZ-26",),
        delivering=(
            cut(
                "RAIL_HIGH",
                "SHORT_CIRCUIT",  # rail and drain are read at different times: a rail that jumps can look like one
                detect_ms=60,
                why="20 samples: longer than the converter's start",
            ),
        ),
        testing=(cut("RAIL_HIGH", "SELFTEST_RAIL", detect_ms=60),),
        rest=(cut("SELFTEST_RAIL"),),
    ),
    _switch(
        "battery_low",
        "the battery falls to 2.9 V and drops the rail",
        hazards=("HAZ-26",),
        delivering=(cut("RAIL_LOW", detect_ms=400), ends("battery_low", why="ends in order")),
        testing=(cut("RAIL_LOW", "SELFTEST_RAIL", "SELFTEST_BATTERY", detect_ms=400),),
        rest=(cut("RAIL_LOW", "SELFTEST_RAIL", "SELFTEST_BATTERY", detect_ms=400),),
    ),
    # Switches and relay.
    _switch(
        "stop_broken",
        "the STOP loop is broken, as if STOP were pressed",
        hazards=("HAZ-17",),
        delivering=(STOPS,),
        testing=(STOPS,),
        waiting=(STOPS,),
        rest=(refused("STOP_OPEN"),),
    ),
    _switch(
        "relay_stuck",
        "the polarity relay does not move (latent)",
        hazards=("HAZ-18",),
        delivering=(COMPLETE,),
        testing=(cut("SELFTEST_POLE"),),
        rest=(cut("SELFTEST_POLE"),),
    ),
    _switch(
        "relay_driver_on",
        "the relay's driver is shorted: its coil is driven whatever the pin says",
        hazards=("HAZ-18",),
        delivering=(cut("OPEN_CIRCUIT", "UNDER_CURRENT", "WRONG_POLE", detect_ms=_POLE_MS, why=_POLE_WHY), COMPLETE),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD", "SELFTEST_POLE"),),
        rest=(cut("SELFTEST_RELAY"), _WRONG_POLE),
        hot_switches=1,
    ),
    _switch(
        "relay_unheld",
        "the relay falls back with its pin (latent)",
        hazards=("HAZ-18",),
        delivering=(COMPLETE,),
        testing=(cut("SELFTEST_RELAY"),),
        rest=(cut("SELFTEST_RELAY"), COMPLETE),
    ),
    _switch(
        "pole_sense_dead",
        "what tells the direction of the current always says E-: a dose of that pole goes on, another one is cut",
        hazards=("HAZ-18",),
        delivering=(_WRONG_POLE, COMPLETE),
        testing=(cut("SELFTEST_POLE"),),
        rest=(cut("SELFTEST_POLE"), _WRONG_POLE),
    ),
    _switch(
        "relay_flips",
        "the polarity relay changes over by itself",
        hazards=("HAZ-18",),
        delivering=(cut("OPEN_CIRCUIT", "UNDER_CURRENT", "WRONG_POLE", detect_ms=_POLE_MS, why=_POLE_WHY),),
        testing=(cut("SELFTEST_NO_CURRENT", "SELFTEST_LOAD", "SELFTEST_POLE"),),
        waiting=(_WRONG_POLE,),
        rest=(cut("SELFTEST_POLE"), _WRONG_POLE),
        hot_switches=1,
    ),
    Fault(
        "start_stuck",
        "the START button is shorted",
        hazards=("HAZ-20",),
        inject=({"cmd": "press", "button": "start"},),
        remove=({"cmd": "release", "button": "start"},),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE, refused("NEEDS_HAND")),
    ),
    Fault(
        "range_strap_moves",
        "the range strap's joint fails: it says B",
        hazards=("HAZ-11",),
        inject=({"cmd": "strap", "name": "range", "value": "B"},),
        remove=({"cmd": "strap", "name": "range", "value": "A"},),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    # The sensor and its bus.
    _switch(
        "sensor_stuck",
        "the INA219 keeps its last reading",
        hazards=("HAZ-04",),
        delivering=(
            cut(
                "SENSOR_STUCK",
                "SENSE_DISAGREE",
                "LOAD_DISAGREE",
                "UNDER_CURRENT",
                *_OVER,
                detect_ms=300,
                lead_ms=400,
                blind=True,
                why="200 samples: the set-point's dither moves the reading every 64 ms",
            ),
        ),
        testing=(cut("SELFTEST_LATENT_SWITCH", "SELFTEST_NO_CURRENT", "SELFTEST_LATENT_SETPOINT", "SELFTEST_SENSE"),),
        rest=(cut("SELFTEST_NO_CURRENT", "SELFTEST_SENSE", "SENSE_DISAGREE"),),
    ),
    _switch(
        "sensor_missing",
        "the INA219 does not acknowledge",
        hazards=("HAZ-06",),
        delivering=(cut("SENSOR_STALE"),),
        testing=(cut("SENSOR_STALE", "SELFTEST_SENSOR"),),
        rest=(cut("SELFTEST_SENSOR"), refused("SENSOR_MISSING")),
    ),
    _switch(
        "i2c_dead",
        "SDA is held low for good",
        hazards=("HAZ-06",),
        delivering=(cut("SENSOR_STALE", "LATE_LOOP"),),
        testing=(cut("SENSOR_STALE", "LATE_LOOP", "SELFTEST_SENSOR"),),
        rest=(cut("SELFTEST_SENSOR"),),
    ),
    _switch(
        "i2c_hang",
        "SDA is held low until nine clocks free it",
        hazards=("HAZ-06",),
        delivering=(cut("SENSOR_STALE", "LATE_LOOP"),),
        testing=(cut("SENSOR_STALE", "LATE_LOOP", "SELFTEST_SENSOR"),),
        waiting=(cut("SENSOR_STALE", "LATE_LOOP"), COMPLETE),
        rest=(COMPLETE, cut("SELFTEST_SENSOR")),
    ),
    _switch(
        "sensor_reset",
        "brown-out of the INA219: it is back at 399Fh and at its configuration register, which reads as full scale",
        hazards=("HAZ-05",),
        delivering=(
            cut("OVER_CURRENT_ABSOLUTE", "SENSOR_CONFIG", detect_ms=150, blind=True, why="checked each 128 ms"),
        ),
        testing=(cut("OVER_CURRENT_ABSOLUTE", "SENSOR_CONFIG", "SELFTEST_SENSOR", detect_ms=150),),
        waiting=(cut("OVER_CURRENT_ABSOLUTE", "SENSOR_CONFIG", "CURRENT_WHEN_OFF", detect_ms=150),),
        rest=(QUIET,),
        at_rest=(Expect("latch", ("CURRENT_WHEN_OFF", "SENSOR_CONFIG")),),
    ),
    # The second sensor.
    _switch(
        "second_missing",
        "the INA226 does not acknowledge",
        hazards=("HAZ-06",),
        delivering=(cut("SECOND_SENSOR", detect_ms=_SECOND_MS, why=_SECOND),),
        testing=(cut("SECOND_SENSOR", "SELFTEST_SECOND", detect_ms=_SECOND_MS, why=_SECOND),),
        rest=(cut("SELFTEST_SECOND"),),
    ),
    _switch(
        "second_stuck",
        "the INA226 does not convert any more and keeps its last reading",
        hazards=("HAZ-04",),
        delivering=(cut("SECOND_SENSOR", "LOAD_DISAGREE", detect_ms=_SECOND_MS, why=_SECOND),),
        testing=(cut("SECOND_SENSOR", "SELFTEST_SECOND", "SELFTEST_LEAK", detect_ms=_SECOND_MS, why=_SECOND),),
        rest=(cut("SELFTEST_SECOND", "SELFTEST_LEAK"),),
    ),
    _switch(
        "second_gain",
        "the INA226 reads 20 % too much",
        hazards=("HAZ-03",),
        delivering=(
            cut("LOAD_DISAGREE", detect_ms=400, why="20 % passes the margin only when the ramp has come so far"),
        ),
        testing=(cut("LOAD_DISAGREE", detect_ms=400, why="as while delivering"),),
        rest=(cut("LOAD_DISAGREE", detect_ms=400, why="as while delivering"),),
    ),
    _switch(
        "second_reset",
        "brown-out of the INA226: it is back at 4127h and at its configuration register",
        hazards=("HAZ-05",),
        delivering=(cut("LOAD_DISAGREE", "SECOND_SENSOR", detect_ms=150, why="checked each 128 ms"),),
        testing=(cut("SECOND_SENSOR", "SELFTEST_SECOND", "SELFTEST_LEAK", detect_ms=150), COMPLETE),
        waiting=(cut("LOAD_DISAGREE", "SECOND_SENSOR", detect_ms=150), COMPLETE),
        rest=(cut("SELFTEST_SECOND"), COMPLETE),
    ),
    # The ADC.
    _switch(
        "adc_stuck",
        "the ADC keeps its last reading of every channel",
        hazards=("HAZ-04",),
        delivering=(
            # RAIL_LOW: what froze in a pause is a rail that has run down.
            cut(
                "ADC_STUCK",
                "SENSE_DISAGREE",
                "RAIL_LOW",
                detect_ms=1_000,
                why="a frozen reading looks like a steady one",
            ),
            COMPLETE,
        ),
        testing=(cut("ADC_STUCK", "SENSE_DISAGREE", "SELFTEST_SENSE", "SELFTEST_RAIL", "SELFTEST_LOAD"),),
        rest=(cut("ADC_STUCK", "SENSE_DISAGREE", "SELFTEST_SENSE", "SELFTEST_RAIL", "SELFTEST_LOAD"),),
    ),
    _switch(
        "drain_sense_open",
        "the drain divider is open: the ADC reads 0 there",
        hazards=("HAZ-10",),
        delivering=(COMPLETE, cut("OPEN_CIRCUIT", "ADC_STUCK", "LOAD_OUT_OF_RANGE", "SENSE_DISAGREE", detect_ms=300)),
        testing=(cut("OPEN_CIRCUIT", "ADC_STUCK", "SELFTEST_LOAD", "SELFTEST_VOLTAGE", detect_ms=300), COMPLETE),
        rest=(cut("SELFTEST_LOAD", "SELFTEST_VOLTAGE"),),
    ),
    _switch(
        "rail_sense_open",
        "the rail divider is open: the ADC reads 0 there",
        hazards=("HAZ-26",),
        delivering=(cut("RAIL_LOW", "SHORT_CIRCUIT", "LOAD_OUT_OF_RANGE", detect_ms=250, why="20 samples, each 8 ms"),),
        testing=(cut("RAIL_LOW", "SELFTEST_RAIL", detect_ms=250),),
        rest=(cut("SELFTEST_RAIL"),),
    ),
    _switch(
        "sns_sense_open",
        "V(SNS) does not reach the ADC, which reads 0 there",
        hazards=("HAZ-03",),
        delivering=(cut("SENSE_DISAGREE", detect_ms=8, why="V(SNS) is read every 2 ms"),),
        testing=(cut("SENSE_DISAGREE", "SELFTEST_SENSE"),),
        rest=(cut("SENSE_DISAGREE", "SELFTEST_SENSE"),),
    ),
    # The chip and the firmware.
    _switch(
        "loop_hung",
        "the firmware hangs: the dead-man cuts, the watchdog resets",
        hazards=("HAZ-14",),
        delivering=(RESETS,),
        testing=(RESETS,),
        waiting=(RESETS,),
        rest=(RESETS,),
        at_rest=(RESETS,),
        boards=_BOTH,
    ),
    _switch(
        "firmware_exception",
        "an exception nobody expected",
        hazards=("HAZ-15",),
        delivering=(RESETS,),
        testing=(RESETS,),
        waiting=(RESETS,),
        rest=(RESETS,),
        at_rest=(RESETS,),
    ),
    _switch(
        "loop_late",
        "something keeps the CPU from the firmware for 10 ms",
        hazards=("HAZ-14",),
        delivering=(cut("LATE_LOOP", detect_ms=12, why="the 10 ms themselves"),),
        testing=(cut("LATE_LOOP", detect_ms=12), COMPLETE),
        waiting=(COMPLETE,),
        rest=(COMPLETE,),
    ),
    Fault(
        "reset",
        "the RUN pin is pulled",
        hazards=(
            "HAZ-21",
            "HAZ-31",
        ),
        inject=({"cmd": "reset"},),
        delivering=(RESTARTS,),
        testing=(RESTARTS,),
        waiting=(RESTARTS,),
        rest=(RESTARTS,),
        at_rest=(RESTARTS,),
        boards=_BOTH,
    ),
    Fault(
        "power_cut",
        "the battery is pulled, and put back",
        hazards=(
            "HAZ-26",
            "HAZ-31",
        ),
        inject=({"cmd": "cut"},),
        delivering=(RESTARTS,),
        testing=(RESTARTS,),
        waiting=(RESTARTS,),
        rest=(RESTARTS,),
        at_rest=(RESTARTS,),
    ),
    Fault(
        "power_cut_in_flash",
        "the battery is pulled in the middle of the next flash operation",
        hazards=("HAZ-31",),
        inject=({"cmd": "cut", "operation": 1},),
        delivering=(RESTARTS_AFTER_DOSE,),
        testing=(RESTARTS_AFTER_DOSE,),
        waiting=(RESTARTS, RESTARTS_AFTER_DOSE),
        rest=(RESTARTS,),
    ),
    # Flash.
    _switch(
        "flash_fails",
        "no flash operation succeeds",
        hazards=("HAZ-31",),
        delivering=(UNWRITTEN,),
        testing=(UNWRITTEN,),
        waiting=(cut("LOG_WRITE_FAILED"), UNWRITTEN),
        rest=(refused("FLASH_FAILED"),),
    ),
    _switch(
        "flash_full",
        "no free block is left",
        hazards=("HAZ-31",),
        delivering=(UNWRITTEN_FULL,),
        testing=(UNWRITTEN_FULL,),
        waiting=(cut("LOG_WRITE_FAILED", "FILESYSTEM_FULL"), UNWRITTEN_FULL),
        rest=(refused("FLASH_FAILED", "FILESYSTEM_FULL"),),
    ),
    # The clock.
    Fault(
        "clock_wrap",
        "ticks_us and ticks_ms wrap around",
        hazards=("HAZ-27",),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
        clock=True,
        settings={"clock_us": WRAP_US - _WRAP_AHEAD_US},
    ),
    # USB.
    Fault(
        "usb_garbage",
        "the computer sends random bytes and damaged frames",
        hazards=("HAZ-28",),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
        host="garbage",
    ),
    Fault(
        "usb_flood",
        "the computer sends valid requests as fast as it can, START and new doses among them",
        hazards=(
            "HAZ-28",
            "HAZ-29",
        ),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
        host="flood",
    ),
    Fault(
        "usb_stall",
        "the computer asks and never reads the answers",
        hazards=("HAZ-28",),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
        host="stall",
    ),
    Fault(
        "usb_unplugged",
        "the cable is pulled in a bench session",
        hazards=("HAZ-28",),
        inject=({"cmd": "plug", "on": False},),
        remove=({"cmd": "plug", "on": True},),
        delivering=(COMPLETE,),
        testing=(COMPLETE,),
        rest=(COMPLETE,),
        by_button=True,
    ),
    Fault(
        "bench_strap_lost",
        "the bench strap comes off while a computer is plugged in: the interlock cuts",
        hazards=("HAZ-19",),
        inject=({"cmd": "strap", "name": "bench", "value": False},),
        remove=({"cmd": "strap", "name": "bench", "value": True},),
        delivering=(cut("USB_APPEARED", "OPEN_CIRCUIT"),),
        testing=(cut("USB_APPEARED", "SELFTEST_NO_CURRENT"),),
        waiting=(cut("USB_APPEARED", "OPEN_CIRCUIT"), refused("USB_PRESENT", "NEEDS_HAND")),
        rest=(refused("USB_PRESENT", "NEEDS_HAND"),),
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
