"""Commands of the control endpoint: at once, at a virtual time, or when a condition first holds.

Runs on both Pythons, beside the circuit: in the virtual Pico's VM and in the emulator's process. An answer carries
the `id` of its command and `ok`, `result` or `error`.
"""

from . import load as loads
from .compat import NEVER_US
from .timing import PinTiming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LATER = object()
_WRONG = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)  # what a wrong command raises
_BUTTONS = ("start", "stop")
_STRAPS = ("range", "bench", "maintenance")
_CONDITIONS = ("current_above_ua", "current_below_ua", "charge_above_uc", "output_on", "t_us", "boots", "pin", "for_us")


class Commands:
    """The commands on one board.

    `clock` has `now_us` and `next_us`, which is set to have `run_due` and `check_conditions` called soon. `board`
    has `circuit`, `boots`, `status`, `shown`, `listen`, `check_fault`, `set_fault`, `press`, `strap`, `reset`,
    `cut` and `cut_at`. What a command that was scheduled raises is sent as an event "failed": the firmware, in the
    middle of which it is done, has no part in it.
    """

    def __init__(self, clock: "Any", send: "Callable[[dict], None]") -> None:
        self.clock = clock
        self.send = send
        self.board: Any = None
        self.schedule = []  # [t_us, command], earliest first
        self.conditions = []  # [condition, command or answer id, since when it holds]
        self.pending_us = NEVER_US
        self.timing = None

    def answer(self, message: dict) -> None:
        """Do the command `message` and answer it."""
        reply = {"id": message.get("id")}
        try:
            self.check(message)
            result = self.do(message)
            if result is _LATER:
                return
            reply["ok"] = True
            reply["result"] = result
        except _WRONG as error:
            reply["ok"] = False
            reply["error"] = "%s: %s" % (type(error).__name__, _words(error))
        self.send(reply)

    def do(self, command: dict) -> object:
        """Do one command and return its result."""
        return getattr(self, "do_" + command["cmd"])(command)

    # Before anything is done.

    def check(self, command: dict) -> None:
        """Raise what is wrong with `command`, as far as it can be said now: one of `_WRONG`."""
        if not isinstance(command, dict):
            raise ValueError("a command is an object with cmd, got %r" % (command,))
        name = command["cmd"]
        if getattr(self, "do_" + name, None) is None:
            raise ValueError("unknown command %r" % name)
        look = getattr(self, "check_" + name, None)
        if look is not None:
            look(command)

    def _check_later(self, command: dict) -> None:
        self.check(command)
        if command["cmd"] == "wait":
            raise ValueError("nobody waits for the answer of a wait that is scheduled")

    def check_at(self, command: dict) -> None:
        """A time or a condition, and a command that can be done."""
        if "when" in command:
            self._check_condition(command["when"])
        elif not isinstance(command["t_us"] if "t_us" in command else command["after_us"], (int, float)):
            raise ValueError("t_us and after_us are numbers of us")
        self._check_later(command["do"])

    def check_all(self, command: dict) -> None:
        """Every one of them, before the first is done."""
        for each in command["do"]:
            self._check_later(each)

    def check_wait(self, command: dict) -> None:
        """A condition."""
        self._check_condition(command["when"])

    def check_fault(self, command: dict) -> None:
        """A fault that the board can have."""
        self.board.check_fault(command["name"])

    def check_load(self, command: dict) -> None:
        """A load that can be made."""
        loads.Load(command["spec"])

    def check_battery(self, command: dict) -> None:
        """A number."""
        float(command["volt"])

    def check_press(self, command: dict) -> None:
        """A button, and a time that is a number."""
        _check_name("button", command["button"], _BUTTONS)
        int((command.get("ms") or 0) * 1000)

    def check_release(self, command: dict) -> None:
        """A button."""
        _check_name("button", command["button"], _BUTTONS)

    def check_strap(self, command: dict) -> None:
        """A strap and its value."""
        _check_name("strap", command["name"], _STRAPS)
        if command["name"] == "range":
            _check_name("range", command["value"], ("A", "B"))
        bool(command["value"])

    def check_cut(self, command: dict) -> None:
        """A number of flash operations, if any."""
        int(command.get("operation") or 0)

    def check_mark(self, command: dict) -> None:
        """A name."""
        if not isinstance(command["name"], str):
            raise ValueError("a mark has a name, got %r" % (command["name"],))

    def check_timing(self, command: dict) -> None:
        """On or off."""
        bool(command["on"])

    def _check_condition(self, condition: dict) -> None:
        """Known keys, each with a value that it can be held against."""
        for key in condition:
            if key not in _CONDITIONS:
                raise ValueError("unknown condition %r; known: %s" % (key, ", ".join(_CONDITIONS)))
            self._holds({key: condition[key]})
        if not isinstance(condition.get("for_us", 0), (int, float)):
            raise ValueError("for_us is a number of us")

    def now(self) -> dict:
        """Return the result of most commands: when it was done, in us."""
        return {"t_us": self.clock.now_us}

    # Schedule.

    def do_at(self, command: dict) -> object:
        """Do `do` at `t_us` or `after_us` from now, or when `when` first holds."""
        if "when" in command:
            self.conditions.append([command["when"], command["do"], -1])
        else:
            at = command["t_us"] if "t_us" in command else self.clock.now_us + command["after_us"]
            self.schedule.append([at, command["do"]])
            self.schedule.sort(key=_first)
            self.aim()
        self.clock.next_us = self.clock.now_us
        return None

    def do_all(self, command: dict) -> object:
        """Do every command of the list `do`, at the same moment."""
        for each in command["do"]:
            self.do(each)
        return self.now()

    def do_wait(self, command: dict) -> object:
        """Answer when `when` holds."""
        self.conditions.append([command["when"], command["id"], -1])
        self.clock.next_us = self.clock.now_us
        return _LATER

    def do_cancel(self, command: dict) -> object:
        """Forget everything scheduled and every condition."""
        self.schedule = []
        self.conditions = []
        self.aim()
        return None

    def aim(self) -> None:
        """Work out when the schedule is due next."""
        self.pending_us = self.schedule[0][0] if self.schedule else NEVER_US

    def run_due(self, now_us: int) -> None:
        """Do what was scheduled until now."""
        while self.schedule and self.schedule[0][0] <= now_us:
            command = self.schedule.pop(0)[1]
            self.aim()
            self._do_later(command)

    def _do_later(self, command: dict) -> None:
        try:
            self.do(command)
        except _WRONG as error:
            self.send({"event": "failed", "error": "%s: %s" % (command["cmd"], _words(error))})

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
                self._do_later(action)
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
                good = self.clock.now_us >= wanted
            elif key == "boots":
                good = self.board.boots >= wanted
            elif key == "pin":
                good = round(self.board.shown(wanted[0])) == wanted[1]
            else:
                good = True
            if not good:
                return False
        return True

    # Looking.

    def do_ping(self, command: dict) -> object:
        """Say that the board serves commands."""
        return self.now()

    def do_status(self, command: dict) -> object:
        """Return the board's status."""
        return self.board.status()

    def do_meter(self, command: dict) -> object:
        """Return the meter's reading, or since the mark `mark`."""
        meter = self._meter()
        return meter.read_mark(command["mark"]) if command.get("mark") else meter.read()

    def do_mark(self, command: dict) -> object:
        """Set the meter's mark `name`."""
        self._meter().mark(command["name"])
        return self.now()

    def do_timing(self, command: dict) -> object:
        """Listen to the loop timing pin from now on (`on`), or return what was heard and listen no more."""
        if command["on"]:
            self.timing = PinTiming()
            self.board.listen(self.timing)
            return self.now()
        self.board.listen(None)
        heard = self.timing
        self.timing = None
        if heard is None:
            raise ValueError("nothing listened to the loop timing pin")
        return heard.read()

    def _meter(self) -> "Any":
        """Return the meter, brought to now."""
        circuit = self.board.circuit
        circuit.settle_at(self.clock.now_us)
        circuit.meter.now_us = self.clock.now_us
        return circuit.meter

    # Doing.

    def do_fault(self, command: dict) -> object:
        """Switch the fault `name` to `on`; with `mark`, set that mark at the same moment."""
        if command.get("mark"):
            self.do_mark({"name": command["mark"]})
        self.board.set_fault(command["name"], bool(command.get("on", True)))
        return self.now()

    def do_press(self, command: dict) -> object:
        """Press `button` ("start" or "stop"), for `ms` of virtual time if given."""
        if command.get("mark"):
            self.do_mark({"name": command["mark"]})
        self.board.press(command["button"], True)
        if command.get("ms"):
            release = {"cmd": "release", "button": command["button"]}
            self.do_at({"after_us": int(command["ms"] * 1000), "do": release})
        return self.now()

    def do_release(self, command: dict) -> object:
        """Release `button`."""
        self.board.press(command["button"], False)
        return self.now()

    def do_load(self, command: dict) -> object:
        """Connect the load `spec`."""
        self.board.circuit.set_load(self.clock.now_us, command["spec"])
        return self.now()

    def do_battery(self, command: dict) -> object:
        """Set the battery to `volt`."""
        self.board.circuit.set_battery(self.clock.now_us, float(command["volt"]))
        return self.now()

    def do_strap(self, command: dict) -> object:
        """Set the strap `name`: range ("A", "B"), bench or maintenance (fitted or not)."""
        self.board.strap(command["name"], command["value"])
        return self.now()

    def do_cut(self, command: dict) -> object:
        """Cut the power now, setting the mark `mark`, or in the middle of the flash operation `operation` from now."""
        if command.get("mark"):
            self.do_mark({"name": command["mark"]})
        if command.get("operation"):
            self.board.cut_at(int(command["operation"]))
        else:
            self.board.cut()
        return None

    def do_reset(self, command: dict) -> object:
        """Pull the RUN pin low and let it go."""
        self.board.reset()
        return None


def _check_name(what: str, name: object, known: tuple) -> None:
    if name not in known:
        raise ValueError("%s must be %s, got %r" % (what, " or ".join(known), name))


def _words(error: Exception) -> str:
    return ", ".join([str(arg) for arg in error.args])


def _first(item: list) -> int:
    return item[0]
