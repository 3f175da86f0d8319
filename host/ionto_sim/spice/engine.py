"""libngspice, stepped from Python: one circuit in this process, its elements changed between two steps.

    engine = Engine(deck)
    engine.set("IA1_gp22", 3.3 / 40)      from now on
    engine.advance(0.002)                 to exactly 2 ms
    engine.value("sns")                   V there and then

Nothing here calls back from ngspice for a value, and nothing starts a thread: `advance` is ngspice's own `stop` and
`resume`, and a change is its `alter`. So a process may call `os.fork()` between two calls, and parent and child each
go on with a circuit of their own, from the same state (tests/spice/test_engine.py proves it). One process has one
circuit at a time; a second Engine ends the first.

Only the newest point is kept (`.save none`): what is wanted of the points between is summed up in a `Watch` as they
come.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ionto_sim.spice.drawing import LOAD_CURRENT, Deck, with_values
from ionto_sim.spice.errors import INSTALL, SpiceFailedError, SpiceMissingError
from ionto_sim.spice.mutations import Mutation

_LIBRARY = "IONTO_LIBNGSPICE"  # another library than the system's
_STEP_S = 1e-3
_LONGEST_S = 5e-3  # step, where nothing moves
_END_S = 1e5
_KEPT_S = 0.02  # how far back a mean may reach
_SHORT_S = 3e-7
_PROGRESS_S, _TRIES = 1e-6, 3
_LEAST_S = 4e-7  # a time closer than this is now
_SAME_S = 1e-10  # times closer than this are one
_MESSAGES = 60
_FORGET_EVERY = 100

_SendChar = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
_SendStat = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
_Exit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_bool, ctypes.c_bool, ctypes.c_int, ctypes.c_void_p)


class _Vector(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("flags", ctypes.c_short),
        ("real", ctypes.POINTER(ctypes.c_double)),
        ("complex", ctypes.c_void_p),
        ("length", ctypes.c_int),
    ]


_SendData = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
_SendInit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


_GROUND = ctypes.c_double(0.0)


class Watch:
    """A value over time: its integral, its greatest size, the greatest size of its mean over a whole millisecond.

    `mean` looks back at most 20 ms. SI units.
    """

    def __init__(self, plus: str, minus: str, values: Mapping[str, ctypes.c_double]) -> None:
        self._names = plus.lower(), minus.lower()
        self.bind(values)
        self.integral = 0.0
        self.peak = 0.0
        self.peak_ms = 0.0
        self._at = self._last = 0.0
        self._edge = 0.0  # the millisecond that runs began then
        self._edge_integral = 0.0
        self._points: deque[tuple[float, float]] = deque(((0.0, 0.0),))
        self.begin(0.0)

    def bind(self, values: Mapping[str, ctypes.c_double]) -> None:
        """Read from `values` from now on; ground is 0."""
        self._plus, self._minus = (values.get(name, _GROUND) for name in self._names)

    def now(self) -> float:
        """Return the value at the newest point."""
        return self._plus.value - self._minus.value

    def begin(self, at: float) -> None:
        """Start at time `at`, where nothing has been summed up yet."""
        self._at, self._last = at, self.now()
        self._edge, self._edge_integral = at, self.integral

    def take_peak(self) -> float:
        """Return the peak since it was taken last."""
        peak, self.peak = self.peak, abs(self._last)
        return peak

    def clear_peaks(self) -> None:
        """Forget the peaks; a millisecond that runs counts from now."""
        self.peak, self.peak_ms = abs(self._last), 0.0
        self._edge, self._edge_integral = self._at, self.integral

    def point(self, at: float) -> None:
        """Take in a point that ngspice has accepted."""
        value, before = self.now(), self._integral_before(at)
        while at >= self._edge + _STEP_S - _SAME_S:
            edge = min(self._edge + _STEP_S, at)
            there = self.integral + before * (edge - self._at) / (at - self._at) if at > self._at else self.integral
            self.peak_ms = max(self.peak_ms, abs(there - self._edge_integral) / _STEP_S)
            self._edge, self._edge_integral = edge, there
        self.integral += before
        self._at, self._last = at, value
        if abs(value) > self.peak:
            self.peak = abs(value)
        points = self._points
        points.append((at, self.integral))
        while points[0][0] < at - _KEPT_S:
            points.popleft()

    def _integral_before(self, at: float) -> float:
        return (at - self._at) * (self._last + self.now()) / 2

    def integral_at(self, at: float) -> float:
        """Return the integral until `at`, at most 20 ms ago; ValueError for a time that is forgotten or to come."""
        late = None
        for time, total in reversed(self._points):
            if time <= at + _SAME_S:
                if late is None or time >= at - _SAME_S:
                    return total
                return total + (late[1] - total) * (at - time) / (late[0] - time)
            late = (time, total)
        raise ValueError(f"nothing is known of {at:g} s any more")

    def mean(self, start: float, end: float) -> float:
        """Return the mean from `start` to `end` in s."""
        return (self.integral_at(end) - self.integral_at(start)) / (end - start)


class Engine:
    """A running transient of `deck`; SpiceFailedError, with ngspice's message, when ngspice gives up.

    It begins with every capacitor empty, as when the cell is put in, or with the node voltages in `initial`: a sound
    circuit rests after 50 ms. (An operating point is not asked for: with switches that have two, ngspice finds
    neither.) Where it gives up in the middle, as in about one of a hundred switch-ons, it is made to begin again from
    its last point; `restarts` counts that.
    """

    def __init__(self, deck: Deck, initial: Mapping[str, float] | None = None, end_s: float = _END_S) -> None:
        self.deck = deck
        self.time = 0.0
        self.points = 0
        self._values: dict[str, ctypes.c_double] = {}
        self.restarts = 0
        self._watches: list[Watch] = []
        self._elements: dict[str, float] = {}
        self._origin = 0.0  # our time at the zero of ngspice's
        self._end_s = end_s
        self._library = library()
        self._begin(initial or {})
        self.load = self.watch(LOAD_CURRENT)

    def _begin(self, initial: Mapping[str, float]) -> None:
        self._library.use(self)
        given = [f".ic v({name})={volt:.12g}" for name, volt in initial.items()]
        self._load([*with_values(self.deck.lines, self._elements), *given], self._end_s)

    def _begin_again(self) -> None:
        """Go on from the last point with a new transient: what ngspice cannot step across, it can begin behind."""
        volts = {name: value.value for name, value in self._values.items() if "#" not in name and name != "time"}
        self.restarts += 1
        self._origin = self.time
        self._library.forget(self)
        watches, self._watches = self._watches, []
        self._begin(volts)
        self._watches = watches
        for watch in watches:
            watch.bind(self._values)
            watch.point(self.time)

    def _load(self, lines: Sequence[str], end_s: float) -> None:
        library = self._library
        library.circuit([*lines, ".save none", f".tran {_STEP_S:g} {end_s:g} 0 {_LONGEST_S:g} uic", ".end"])
        library.command("stop when time > 0")
        library.command("run")
        self._values = library.vectors()
        if "time" not in self._values:
            raise SpiceFailedError(f"ngspice did not start: {library.said()}")
        self._clock = self._values["time"]
        self.time = self._origin + self._clock.value

    def _point(self) -> None:
        """Take in a point that ngspice has accepted."""
        self.points += 1
        if self._watches:
            at = self._origin + self._clock.value
            for watch in self._watches:
                watch.point(at)

    # What people call.

    def value(self, name: str) -> float:
        """Return the newest voltage of a node or current of a source ("vload#branch"); KeyError for another name."""
        return self._values[name.lower()].value

    def names(self) -> Iterable[str]:
        """Return the names that `value` knows."""
        return self._values

    def watch(self, plus: str, minus: str = "0") -> Watch:
        """Return a new watch of the voltage between two nodes, or of a current; KeyError for another name."""
        for name in (plus, minus):
            if name != "0":
                self.value(name)
        watch = Watch(plus, minus, self._values)
        watch.begin(self.time)
        self._watches.append(watch)
        return watch

    def set(self, element: str, value: float) -> None:
        """Give an element of the deck another value from now on: ohm, farad, or V or A of a source."""
        self._elements[element] = value
        parameter = " dc" if element[0] in "VIvi" else ""
        self._library.command(f"alter {element}{parameter} = {value:.12g}")

    def set_all(self, changes: Mapping[str, float]) -> None:
        """Give several elements other values from now on."""
        for element, value in changes.items():
            self.set(element, value)

    def switch(self, mutation: Mutation) -> None:
        """Let an armed mutation happen now; KeyError when the deck was not made with it."""
        self.set_all(self.deck.switches[mutation])

    def unswitch(self, mutation: Mutation) -> None:
        """Let an armed mutation be undone now."""
        self.set_all({element: self.deck.sound[element] for element in self.deck.switches[mutation]})

    def advance(self, until_s: float) -> None:
        """Let the circuit run until `until_s`, or at most 0.3 us less; SpiceFailedError when ngspice does not get
        there.

        Between a point and one that it is told, ngspice leaves out steps shorter than 5e-5 of the longest.
        """
        tries = 0
        while until_s > self.time + _LEAST_S:
            before = self.time
            self._resume(until_s)
            if self.time >= until_s - _SHORT_S:
                break
            tries = 0 if self.time > before + _PROGRESS_S else tries + 1
            if tries > _TRIES:
                why = f"ngspice stopped at {self.time:.9g} s of {until_s:.9g} s: {self._library.said()}"
                raise SpiceFailedError(why)
            self._begin_again()
        if self.time > until_s + _SHORT_S:
            raise SpiceFailedError(f"ngspice ran to {self.time:.9g} s, and was told {until_s:.9g} s")

    def _resume(self, until_s: float) -> None:
        library, until = self._library, until_s - self._origin
        library.command("delete all")
        library.breakpoint(until)
        library.command(f"stop when time > {until - _SHORT_S:.15g}")
        library.command("resume")
        self.time = self._origin + self._clock.value

    def close(self) -> None:
        """Forget the circuit; the process may make another."""
        self._library.forget(self)


class _Library:
    """libngspice as it is loaded once in a process."""

    def __init__(self, name: str) -> None:
        try:
            self._lib = ctypes.CDLL(name)
        except OSError as error:
            raise SpiceMissingError(f"libngspice cannot be loaded ({error}); install it: {INSTALL}") from error
        self._engine: Any = None
        self._commands = 0
        self._said: deque[str] = deque(maxlen=_MESSAGES)
        self._callbacks = (_SendChar(self._hear), _SendStat(_ignore), _Exit(self._exits))
        self._data = (_SendData(self._take), _SendInit(self._begins))
        self._lib.ngSpice_SetBkpt.argtypes = [ctypes.c_double]
        self._lib.ngSpice_CurPlot.restype = ctypes.c_char_p
        self._lib.ngSpice_AllVecs.argtypes = [ctypes.c_char_p]
        self._lib.ngSpice_AllVecs.restype = ctypes.POINTER(ctypes.c_char_p)
        self._lib.ngGet_Vec_Info.argtypes = [ctypes.c_char_p]
        self._lib.ngGet_Vec_Info.restype = ctypes.POINTER(_Vector)
        self._lib.ngSpice_Init(*self._callbacks, *self._data, None, None)
        for command in ("set num_threads=1", "set nomoremode", "set noaskquit"):
            self.command(command)

    # What ngspice calls.

    def _hear(self, text: bytes, _ident: int, _user: int) -> int:
        self._said.append(text.decode("ascii", "replace").split(" ", 1)[-1])
        return 0

    def _exits(self, status: int, _now: bool, _quit: bool, _ident: int, _user: int) -> int:
        self._said.append(f"ngspice wanted to exit with {status}")
        return 0

    def _take(self, _values: int, _count: int, _ident: int, _user: int) -> int:
        if self._engine is not None:
            self._engine._point()
        return 0

    def _begins(self, _info: int, _ident: int, _user: int) -> int:
        return 0

    # What the engine calls.

    def use(self, engine: Engine) -> None:
        """Let the points of the next circuit go to `engine`."""
        if self._engine is not None:
            self.forget(self._engine)
        self._engine = engine

    def forget(self, engine: Engine) -> None:
        """Remove the circuit of `engine`, if it is still the one that is loaded."""
        if self._engine is engine:
            self._engine = None
            for command in ("delete all", "remcirc", "destroy all"):
                self.command(command)

    def command(self, text: str) -> None:
        """Give ngspice a command; SpiceFailedError when it refuses it outright."""
        self._commands += 1
        if self._commands % _FORGET_EVERY == 0:
            self._lib.ngSpice_Command(None)  # lets ngspice forget the commands it was given, 200 bytes each
        if self._lib.ngSpice_Command(text.encode("ascii")):
            raise SpiceFailedError(f"ngspice refuses {text!r}: {self.said()}")

    def circuit(self, lines: Sequence[str]) -> None:
        """Give ngspice a netlist; SpiceFailedError when it refuses it."""
        self._said.clear()
        array = (ctypes.c_char_p * (len(lines) + 1))(*(line.encode("ascii") for line in lines), None)
        if self._lib.ngSpice_Circ(array):
            raise SpiceFailedError(f"ngspice refuses the circuit: {self.said()}")

    def vectors(self) -> dict[str, ctypes.c_double]:
        """Return where ngspice keeps the newest value of each node and source, by name."""
        plot = self._lib.ngSpice_CurPlot()
        names: Iterable[bytes | None] = self._lib.ngSpice_AllVecs(plot)
        found: dict[str, ctypes.c_double] = {}
        for name in iter(iter(names).__next__, None):
            info = self._lib.ngGet_Vec_Info(name)
            if info and info.contents.real:
                where = ctypes.cast(info.contents.real, ctypes.c_void_p).value or 0
                found[_plain(name.decode())] = ctypes.c_double.from_address(where)
        return found

    def breakpoint(self, at_s: float) -> None:
        """Let a point fall on `at_s`."""
        self._lib.ngSpice_SetBkpt(at_s)

    def said(self) -> str:
        """Return what ngspice said last that tells why."""
        told = [line for line in self._said if line.strip() and not line.startswith(_CHATTER)]
        why = [line for line in told if "rror" in line or "arning" in line or "too small" in line]
        return "; ".join((why or told)[-4:]) or "nothing"


_CHATTER = ("Doing analysis", "Using ", "doAnalyses: pause", "simulation interrupted", "Note: ", "No. of Data Rows")
_loaded: _Library | None = None


def _ignore(_text: bytes, _ident: int, _user: int) -> int:
    return 0


def library() -> _Library:
    """Return libngspice, loaded at the first call; SpiceMissingError says how to install it."""
    global _loaded
    if _loaded is None:
        name = os.environ.get(_LIBRARY) or ctypes.util.find_library("ngspice")
        if name is None:
            raise SpiceMissingError(f"libngspice is not installed; install it: {INSTALL}")
        _loaded = _Library(name)
    return _loaded


def _plain(name: str) -> str:
    """Return a vector's name as the deck has it: ngspice writes a node that begins with a digit as V(3v3)."""
    name = name.lower()
    return name[2:-1] if name.startswith("v(") else name
