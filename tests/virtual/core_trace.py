"""A session of the pure core on an integer plant, printed as a trace; the same on CPython and in the MicroPython VM.

Run with the folder of the package `ionto` as the only argument.
"""

import sys

sys.path.insert(0, sys.argv[1])

from ionto import dose, faults, kernel, limits, protocol
from ionto.controller import Controller
from ionto.findings import HEART_HIGH, INTERLOCK, OTHER_POLE
from ionto.guards import Guards
from ionto.pins import PWM_TOP
from ionto.reading import Reading
from ionto.selftest import SelfTest
from ionto.session import Session

FIELDS = {
    "schema": 1,
    "name": "trace",
    "drug": "",
    "site": "",
    "current_ua": 3000,
    "dose_uc": 60_000,
    "area_mm2": 1000,
    "polarity": 1,
    "ramp_up_ms": 3000,
    "ramp_down_ms": 2000,
    "waveform": "dc",
    "pulse_on_ms": 0,
    "pulse_off_ms": 0,
    "pulse_edge_ms": 0,
    "reversal": "none",
    "reversal_interval_ms": 0,
    "max_extension_pct": 50,
    "starts": 1,
    "max_density_ua_cm2": 500,
}


def plant_step(reading, duty, output_on, filtered_ua, noise, lifted):
    """Let one millisecond pass; return the filtered set-point in uA / 16."""
    target = duty * 5_040 * 16 // 4095
    filtered_ua += (target - filtered_ua) * 2 // 5
    current = filtered_ua // 16 if output_on and not lifted else 0
    reading.raw = current + 5 + noise % 3 - 1
    reading.current_ua = reading.raw
    reading.sense_ua = current * 101 // 100 + noise % 3
    reading.second_raw = 4 * current
    reading.second_ua = current
    reading.drain_mv = 0 if lifted else 24_000 - current * 5
    return filtered_ua


class Lines:
    """The dead-man's time and the sense lines."""

    def __init__(self):
        self.still_ms = 1_000
        self.held_ms = 0
        self.pole = 1

    def step(self, reading, session, drive):
        """Let one millisecond pass; return whether the output is closed."""
        if session.output_on or (drive & HEART_HIGH and self.still_ms == 2):
            self.still_ms = 0
        self.still_ms += 1
        self.held_ms = 220 if drive & OTHER_POLE else max(0, self.held_ms - 1)
        if session.state != protocol.SELF_TESTING:
            self.pole = session.pole
        reversed_now = drive & OTHER_POLE or (session.state != protocol.SELF_TESTING and self.pole < 0)
        block = reading.block
        block[kernel.R_MOVED] = 1
        block[kernel.R_RELAY] = 1 if self.held_ms else 0
        block[kernel.R_POLE] = 1 if reading.sense_ua > 22 and not reversed_now else 0
        return self.still_ms < 45 and not drive & INTERLOCK


PULSES = {"waveform": "pulsed", "pulse_on_ms": 150, "pulse_off_ms": 130, "pulse_edge_ms": 30}
TURNS = {"reversal": "interval", "reversal_interval_ms": 9_000}


def run(lift_at_ms, changes):
    """Run a session of the dose with `changes`, an electrode lifted at `lift_at_ms` (never for -1); print its trace."""
    build = limits.variant_a()
    events = []
    guards, selftest = Guards(build), SelfTest(build)
    selftest.files = (1, "")
    session = Session(build, selftest, guards, lambda *event: events.append(event))
    controller = Controller(build.full_scale_ua, PWM_TOP)
    reading = Reading()
    reading.fresh, reading.rail_mv, reading.vsys_mv, reading.load_mv = True, 24_000, 4_000, 4_000
    fields = dict(FIELDS)
    fields.update(changes)
    session.load(dose.parse(dose.canonical(fields), build))
    assert session.start(reading) == faults.NONE
    filtered_ua, seed, checksum = 0, 12345, 0
    lines = Lines()
    for now_ms in range(60_000):
        seed = (seed * 75 + 74) % 65_537
        steady = session.block[kernel.S_STEADY]
        if session.state == protocol.HOLD:
            duty = kernel.control(controller.block, session.drive_ua(), reading.current_ua, steady)
        else:
            duty = controller.step(session.drive_ua(), reading.current_ua, steady)
        lifted = 0 <= lift_at_ms <= now_ms
        closed = lines.step(reading, session, selftest.drive)
        filtered_ua = plant_step(reading, duty, closed, filtered_ua, seed, lifted)
        reading.current_ua -= selftest.zero_ua
        fault = guards.step(1_000, reading, session.setpoint_ua, session.output_on)
        session.step(1_000, reading, fault)
        if session.state == protocol.ARMED:
            session.armed()
        if session.may_turn:
            session.turned()
        checksum = (checksum * 31 + duty + session.charge_uc + session.state) % 65_521
        if session.state in (protocol.DONE, protocol.FAULT):
            break
    print(now_ms, protocol.STATES[session.state], session.fault, session.charge_uc, checksum, len(events))
    for event in events:
        print(*event)


run(-1, {})
run(5_000, {})
run(-1, PULSES)
run(-1, TURNS)
