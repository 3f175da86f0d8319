"""Commands from the supervisor, at once, at a virtual time, or when a condition first holds.

A message is a 4-byte little-endian length and a JSON object with `cmd` and `id`; the answer is a JSON line with
that `id` and `ok`, `result` or `error`.
"""

import json
import struct

from ..compat import NEVER_US
from .core import CLOCK


class Control:
    """Both pipes to the supervisor, the schedule and the conditions."""

    def __init__(self, commands: object, events: object) -> None:
        self._in = commands
        self._out = events
        self._header = bytearray(4)
        self.board = None
        self.schedule = []  # [t_us, command], earliest first
        self.conditions = []  # [condition, command or answer id, since when it holds]
        self.pending_us = NEVER_US

    def send(self, message: dict) -> None:
        """Send an event or an answer to the supervisor."""
        self._out.write(json.dumps(message) + "\n")

    def read_message(self) -> dict:
        """Return the next message; ends the process when the supervisor is gone."""
        if self._in.readinto(self._header) != 4:
            raise SystemExit
        size = struct.unpack("<I", self._header)[0]
        return json.loads(self._in.read(size))

    def receive(self) -> None:
        """Serve one command."""
        message = self.read_message()
        try:
            self.answer(message)
        except KeyboardInterrupt:
            self.answer(message)
            raise

    def answer(self, message: dict) -> None:
        """Do the command `message` and answer it."""
        reply = {"id": message.get("id")}
        try:
            result = self.do(message)
            if result is _LATER:
                return
            reply["ok"] = True
            reply["result"] = result
        except (ValueError, KeyError, TypeError) as error:
            reply["ok"] = False
            reply["error"] = "%s: %s" % (type(error).__name__, ", ".join([str(arg) for arg in error.args]))
        self.send(reply)

    def do(self, command: dict) -> object:
        """Do one command and return its result."""
        name = command["cmd"]
        method = getattr(self, "do_" + name, None)
        if method is None:
            raise ValueError("unknown command %r" % name)
        return method(command)

    # Schedule.

    def do_at(self, command: dict) -> object:
        """Do `do` at `t_us` or `after_us` from now, or when `when` first holds."""
        if "when" in command:
            check_condition(command["when"])
            self.conditions.append([command["when"], command["do"], -1])
        else:
            at = command["t_us"] if "t_us" in command else CLOCK.now_us + command["after_us"]
            self.schedule.append([at, command["do"]])
            self.schedule.sort(key=_first)
            self._aim()
        CLOCK.next_us = CLOCK.now_us
        return None

    def do_wait(self, command: dict) -> object:
        """Answer when `when` holds."""
        check_condition(command["when"])
        self.conditions.append([command["when"], command["id"], -1])
        CLOCK.next_us = CLOCK.now_us
        return _LATER

    def do_cancel(self, command: dict) -> object:
        """Forget everything scheduled and every condition."""
        self.schedule = []
        self.conditions = []
        self._aim()
        return None

    def _aim(self) -> None:
        self.pending_us = self.schedule[0][0] if self.schedule else NEVER_US

    def run_due(self, now_us: int) -> None:
        """Do what was scheduled until now."""
        while self.schedule and self.schedule[0][0] <= now_us:
            command = self.schedule.pop(0)[1]
            self._aim()
            self.do(command)

    def check_conditions(self, now_us: int) -> None:
        """Look at every condition; those that hold are done with."""
        self.board.circuit.advance(now_us)
        for item in list(self.conditions):
            condition, action, since = item
            if not self._holds(condition):
                item[2] = -1
                continue
            if since < 0:
                since = item[2] = now_us
            if now_us - since < condition.get("for_us", 0):
                continue
            self.conditions.remove(item)
            if isinstance(action, dict):
                self.do(action)
            else:
                self.send({"id": action, "ok": True, "result": {"t_us": now_us}})

    def _holds(self, condition: dict) -> bool:
        circuit = self.board.circuit
        for key, wanted in condition.items():
            if key == "current_above_ua":
                good = circuit.current_na > wanted * 1000
            elif key == "current_below_ua":
                good = circuit.current_na < wanted * 1000
            elif key == "charge_above_uc":
                good = circuit.charge_fc > wanted * 1e9
            elif key == "output_on":
                good = circuit.on == wanted
            elif key == "t_us":
                good = CLOCK.now_us >= wanted
            elif key == "boots":
                good = self.board.boots >= wanted
            elif key == "pin":
                pin = self.board.pins[self.board.numbers[wanted[0]]]
                good = round(self.board._shown(pin)) == wanted[1]
            else:
                good = True
            if not good:
                return False
        return True

    # Commands.

    def do_ping(self, command: dict) -> object:
        """Say that the VM serves commands."""
        return {"t_us": CLOCK.now_us}

    def do_status(self, command: dict) -> object:
        """Return the board's status."""
        return self.board.status()

    def do_dump(self, command: dict) -> object:
        """Return the whole state."""
        return self.board.dump()

    def do_meter(self, command: dict) -> object:
        """Return the meter's reading, or since the mark `mark`."""
        self.board.circuit.settle_at(CLOCK.now_us)
        meter = self.board.circuit.meter
        meter.now_us = CLOCK.now_us
        return meter.read_mark(command["mark"]) if command.get("mark") else meter.read()

    def do_mark(self, command: dict) -> object:
        """Set the meter's mark `name`."""
        self.board.circuit.settle_at(CLOCK.now_us)
        self.board.circuit.meter.now_us = CLOCK.now_us
        self.board.circuit.meter.mark(command["name"])
        return {"t_us": CLOCK.now_us}

    def do_fault(self, command: dict) -> object:
        """Switch the fault `name` to `on`; with `mark`, set that mark at the same moment."""
        if command.get("mark"):
            self.do_mark({"name": command["mark"]})
        self.board.set_fault(command["name"], bool(command.get("on", True)))
        return {"t_us": CLOCK.now_us}

    def do_press(self, command: dict) -> object:
        """Press `button` ("start" or "stop"), for `ms` of virtual time if given."""
        if command.get("mark"):
            self.do_mark({"name": command["mark"]})
        self._press(command["button"], True)
        if command.get("ms"):
            release = {"cmd": "release", "button": command["button"]}
            self.do_at({"after_us": int(command["ms"] * 1000), "do": release})
        return {"t_us": CLOCK.now_us}

    def do_release(self, command: dict) -> object:
        """Release `button`."""
        self._press(command["button"], False)
        return {"t_us": CLOCK.now_us}

    def _press(self, button: str, down: bool) -> None:
        if button == "start":
            self.board.start_pressed = down
        elif button == "stop":
            self.board.circuit.press_stop(CLOCK.now_us, down)
        else:
            raise ValueError("button must be start or stop, got %r" % button)

    def do_load(self, command: dict) -> object:
        """Connect the load `spec`."""
        self.board.circuit.set_load(CLOCK.now_us, command["spec"])
        return {"t_us": CLOCK.now_us}

    def do_battery(self, command: dict) -> object:
        """Set the battery to `volt`."""
        self.board.circuit.set_battery(CLOCK.now_us, float(command["volt"]))
        return {"t_us": CLOCK.now_us}

    def do_strap(self, command: dict) -> object:
        """Set the strap `name`: range ("A", "B"), bench or maintenance (fitted or not)."""
        name, value = command["name"], command["value"]
        if name == "bench":
            self.board.circuit.set_bench_strap(CLOCK.now_us, bool(value))
        elif name in ("range", "maintenance"):
            self.board.straps[name] = value
        else:
            raise ValueError("strap must be range, bench or maintenance, got %r" % name)
        return {"t_us": CLOCK.now_us}

    def do_vbus(self, command: dict) -> object:
        """VBUS comes (`on`) or goes."""
        self.board.circuit.set_vbus(CLOCK.now_us, bool(command["on"]))
        return {"t_us": CLOCK.now_us}

    def do_plug(self, command: dict) -> object:
        """From a schedule: plug or unplug (`on`) here, and let the supervisor do its part."""
        self.do_vbus(command)
        self.send({"event": "plug", "on": bool(command["on"])})
        return None

    def do_cut(self, command: dict) -> object:
        """Cut the power now, or in the middle of the flash operation `operation` from now."""
        if command.get("operation"):
            self.board.cut_at_operation = self.board.flash_operations + int(command["operation"])
            return None
        self.board.cut()
        return None

    def do_reset(self, command: dict) -> object:
        """Pull the RUN pin low and let it go."""
        self.board.leave("run")
        return None

    def do_speed(self, command: dict) -> object:
        """Set the factor of real time; 0 for as fast as possible."""
        CLOCK.speed = float(command["speed"])
        CLOCK.anchor()
        return None

    def dump(self) -> list:
        """Return schedule and conditions for `restore`."""
        return [self.schedule, self.conditions]

    def restore(self, state: list) -> None:
        """Take over what `dump` returned."""
        self.schedule, self.conditions = state
        self._aim()


_LATER = object()
_CONDITIONS = ("current_above_ua", "current_below_ua", "charge_above_uc", "output_on", "t_us", "boots", "pin", "for_us")


def check_condition(condition: dict) -> None:
    """Raise ValueError when `condition` has a key that is not known."""
    for key in condition:
        if key not in _CONDITIONS:
            raise ValueError("unknown condition %r; known: %s" % (key, ", ".join(_CONDITIONS)))


def _first(item: list) -> int:
    return item[0]
