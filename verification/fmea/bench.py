"""The whole device on the drawn circuit, one a process: firmware on CPython, ngspice behind its pins, one dose.

The firmware is what ships, its board layer too; only `machine`, `time`, flash and the serial port are given to it. One
`tick` is one of its control cycles. `change` breaks the circuit at this moment, `freeze` stops the firmware.
"""

from __future__ import annotations

import gc
import importlib
import struct
import sys
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

from ionto import bootmode, dose, faults, limits, pins, protocol, settings
from ionto_sim.spice import mutations as spice
from ionto_sim.spice.drawing import Drawing
from ionto_sim.spice.parts import PIN_OHM
from verification.fmea import mutations
from verification.fmea.changes import Change
from verification.fmea.chip import Chip, clock, machine
from verification.fmea.disk import Disk
from verification.fmea.moments import FROZEN_HIGH, FROZEN_LAST, FROZEN_LOW, LOAD_OHM
from verification.fmea.trace import LEAST_UA, SHARE, Point

Volts = dict[str, float]
TICK_US = 1_000
_DOSE = {
    "schema": 1,
    "name": "fmea",
    "drug": "none",
    "site": "bench",
    "current_ua": 4_000,
    "dose_uc": 16_000,
    "area_mm2": 1_000,
    "polarity": 1,
    "ramp_up_ms": 1_000,
    "ramp_down_ms": 1_000,
    "waveform": "dc",
    "pulse_on_ms": 0,
    "pulse_off_ms": 0,
    "pulse_edge_ms": 0,
    "reversal": "none",
    "reversal_interval_ms": 0,
    "max_extension_pct": 50,
    "starts": 3,
    "max_density_ua_cm2": 500,
}
_NAMES = {value: name for name, value in vars(faults).items() if name.isupper() and isinstance(value, int)}
_DRIVEN = (pins.PWM_SETPOINT, pins.HEARTBEAT, pins.BOOST_ENABLE, pins.POLARITY_RELAY)
_LIGHTS = (pins.LED_READY, pins.LED_CURRENT, pins.LED_FAULT, pins.BUZZER)
# Nodes that tell whether a fault does anything at all; each may move by so little.
_TELLING = (
    "pump",
    "hs_gate",
    "hs_shunt",
    "rail_24v",
    "3v3",
    "ref_2v5",
    "vsys",
    "relay_hold",
    "drain_div",
    "interlock_gate",
)
_CELL = "vbt1#branch"
_USB_V, _USB_OHM, _NO_USB_OHM = 5.0, 1.0, 15_600.0
_SAME_SHARE, _SAME_V = 0.02, 0.02
_SETTLED_MS = 20
_STOP_CONTACT = "RSW1_contact"
_START_CONTACT, _CLOSED_OHM, _OPEN_OHM = "RSW2_contact", 0.1, 1e12
_PRESS_MS = 2_100


class Bench:
    """The device in IDLE with the dose `fields` changed from a short one, `LOAD_OHM` between the electrodes."""

    _given: ClassVar[
        dict[str, Any]
    ] = {}  # what the firmware's modules have in the place of Python's, since the last one

    def __init__(self, fields: Mapping[str, object]):
        self.chip = Chip(Drawing.read("A"), {"Rload": LOAD_OHM})
        self.port = _Port()
        self.disk = Disk()
        self._before: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._frozen = False
        self._charge_uc = 0.0
        self._app = self._boot()
        self._ask(protocol.DOSE_PUSH, dose.canonical({**_DOSE, **fields}))
        self.rest()

    # The firmware.

    def _boot(self) -> Any:
        sys.modules["machine"] = machine(self.chip)
        hal_rp2 = importlib.import_module("ionto.hal_rp2")
        app = importlib.import_module("ionto.app")
        self._clock = clock(self.chip)
        self._give(hal_rp2)
        hal_rp2.quiet_pins()
        boot = bootmode.Boot(0, hal_rp2.maintenance_strap())
        build = limits.for_variant(hal_rp2.read_variant())
        board = SimpleNamespace(
            read_scratch=self.chip.scratch.__getitem__,
            write_scratch=self.chip.scratch.__setitem__,
            board_id=lambda: "e66038b7133c5a2b",
            unix_time_s=lambda: 1_600_000_000,
            set_clock=lambda unix_s: None,
        )
        made = app.App(hal_rp2.Hal(build), board, self.port, boot, build, settings.Settings(build))
        made.begin()
        return made

    def _give(self, hal_rp2: Any) -> None:
        """Let the firmware's modules see this board's time and flash."""
        hal_rp2.time = self._clock
        hal_rp2.machine = sys.modules["machine"]
        implementation = SimpleNamespace(version=(1, 28, 0, ""), _mpy=2822, name="micropython")
        memory = SimpleNamespace(collect=lambda: 0, mem_free=lambda: 100_000, threshold=lambda size=-1: None)
        given = {"os": self.disk, "gc": memory, "sys": SimpleNamespace(implementation=implementation, modules={})}
        for name, module in list(sys.modules.items()):
            if name.startswith("ionto."):
                for word, thing in given.items():
                    if getattr(module, word, None) in (sys.modules.get(word), gc, self._given.get(word)):
                        setattr(module, word, thing)
                vars(module)["open"] = self.disk.open
        self._given.update(given)

    # What people do.

    def _ask(self, kind: int, payload: bytes = b"") -> None:
        """Send a request and run until it is answered; ValueError when it is refused."""
        head = b"\xa5\xc3" + struct.pack("<BBH", kind, 1, len(payload))
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
        self.port.answers = bytearray()
        self.port.waiting.extend(head + payload + struct.pack("<I", zlib.crc32(head + payload)))
        for _ in range(2_000):
            self.tick()
            if self.port.answers:
                break
        for _ in range(20):
            self.tick()
        if self.port.answers[2:3] != bytes([kind | protocol.RESPONSE]):
            code = struct.unpack_from("<H", self.port.answers, 8)[0]
            raise ValueError(f"the firmware refuses: {_NAMES.get(code, code)} {bytes(self.port.answers[11:])!r}")

    def rest(self) -> None:
        """Let things come to rest."""
        for _ in range(60):
            self.tick()

    def hold_start(self) -> None:
        """Press START for as long as a session needs; it begins when the button is let go."""
        self.chip.set(_START_CONTACT, _CLOSED_OHM)
        for _ in range(_PRESS_MS):
            self.tick()

    def let_go(self) -> None:
        """Let the button go."""
        self.chip.set(_START_CONTACT, _OPEN_OHM)

    def pause(self) -> None:
        """Pause the session."""
        self._ask(protocol.PAUSE)

    # What it does.

    @property
    def state(self) -> int:
        """The session's state."""
        return self._app.session.state

    @property
    def fault_name(self) -> str:
        """What has latched, "" when nothing has."""
        code = self._app.session.fault
        return _NAMES.get(code, str(code)) if code else ""

    @property
    def refused(self) -> bool:
        """Return True when the self-test has latched what has latched, or what was there before it."""
        return self._app.session.fault >= faults.SELFTEST_SENSOR or self._app.session.on_ms == 0

    @property
    def charge_uc(self) -> float:
        """What has flowed through the load since the device has power, in uC."""
        return (self.chip.charge + self.chip.engine.load.integral) * 1e6

    def tick(self) -> Point:
        """Run one control cycle; of firmware that is gone, let its time pass."""
        if self.chip.dead:
            return self.tick_frozen()
        self._app.tick()
        return self._point(live=True)

    def tick_frozen(self) -> Point:
        """Let the time of one cycle pass without firmware."""
        self.chip.advance(TICK_US)
        return self._point(live=False)

    def _point(self, live: bool) -> Point:
        session, reading = self._app.session, self._app.reading
        before, self._charge_uc = self._charge_uc, self.charge_uc
        load_ua = (self._charge_uc - before) * 1e3
        pole = -1 if self._app.hal.reversed() else 1
        asked = session.setpoint_ua if live else self._asked_ua
        self._asked_ua = asked
        cell_ua, gate_mv = self._cell_ua(), self._gate_mv()
        return Point(load_ua, reading.current_ua, asked, pole, session.output_on and live, live, cell_ua, gate_mv)

    def _cell_ua(self) -> float:
        return self.chip.engine.value(_CELL) * 1e6

    def _gate_mv(self) -> float:
        return abs(self.chip.volt("hs_gate") - self.chip.volt("hs_shunt")) * 1e3

    # What fails.

    def change(self, change: Change | None) -> None:
        """Break the circuit now; None begins the same run anew without a fault."""
        self._before, self._seen = self._telling(), {}
        self.chip.swap(mutations.NOTHING if change is None else mutations.apply(change, self.chip))

    def volts(self) -> Volts:
        """Return the voltage of every node now."""
        return {name: self.chip.volt(name) for name in self.chip.engine.names() if "#" not in name and name != "time"}

    def freeze(self, name: str) -> None:
        """Stop the firmware, its pins high, low or as they are."""
        if name == FROZEN_LAST:
            return
        level = {FROZEN_HIGH: 1.0, FROZEN_LOW: 0.0}[name]
        for gpio in (*_DRIVEN, *_LIGHTS):
            self.chip.drive(gpio, PIN_OHM, level)

    def plug_in(self, there: bool = True) -> None:
        """Plug in a computer, or take it away."""
        ohm = _USB_OHM if there else _NO_USB_OHM
        self.chip.set("RA1_usb", ohm)
        self.chip.set("IA1_usb", _USB_V / ohm if there else 0.0)

    def plug_in_unseen(self) -> None:
        """Plug in a computer that the firmware does not see: the interlock alone is to end the current."""
        self.chip.blind.add(pins.VBUS_SENSE)
        self.plug_in()

    def stop_unseen(self) -> None:
        """Press STOP, and the firmware does not see it: its contact alone is to end the current."""
        self.chip.blind.add(pins.STOP_SENSE)
        self.chip.set(_STOP_CONTACT, _OPEN_OHM)

    def stick_sink(self) -> None:
        """Let the sink's amplifier stick high: the limiter alone is to hold the current until the firmware trips."""
        self.chip.second(spice.fail("U4", "A stuck high"))

    def unchanged(self, points: Sequence[Point]) -> bool:
        """Return True when nothing tells that the circuit has changed, and nothing is on its way."""
        return _as_told(points[-_SETTLED_MS:]) and self._alike(self._before)

    def steady(self, points: Sequence[Point]) -> bool:
        """Return True when the load gets what is asked and told, and nothing has moved since this was asked last."""
        before, self._seen = self._seen, self._telling()
        return bool(before) and _as_told(points[-_SETTLED_MS:]) and self._alike(before)

    def _telling(self) -> dict[str, float]:
        return {name: self.chip.volt(name) for name in _TELLING}

    def _alike(self, before: Mapping[str, float]) -> bool:
        now = self._telling()
        return all(abs(now[name] - volt) < _SAME_V + _SAME_SHARE * abs(volt) for name, volt in before.items())


def _as_told(points: Sequence[Point]) -> bool:
    """Return True when flows, asked and told are alike within half of what a violation is."""
    flows = sum(abs(point.load_ua) for point in points) / len(points)
    asked = sum(point.asked_ua if point.output_on else 0 for point in points) / len(points)
    told = sum(point.told_ua for point in points) / len(points)
    near = max(LEAST_UA, SHARE * asked) / 2
    return abs(flows - asked) <= near and abs(flows - told) <= near


class _Port:
    """The serial port: `waiting` is to be read, `answers` came back."""

    def __init__(self) -> None:
        self.waiting: deque[int] = deque()
        self.answers = bytearray()

    def get(self) -> int:
        """Return the next byte for the device, or -1."""
        return self.waiting.popleft() if self.waiting else -1

    def put(self, byte: int) -> bool:
        """Take one byte."""
        self.answers.append(byte)
        return True

    def put_packets(self, view: memoryview, at: int, end: int) -> int:
        """Take many."""
        self.answers += view[at:end]
        return end
