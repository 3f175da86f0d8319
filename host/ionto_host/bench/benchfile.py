"""`bench.toml`: what one bench consists of. Nothing is guessed: what the file does not name, the bench lacks.

Every problem is told with file, line, field, value and range, all of them at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from ionto.ina219 import PGA_RANGES_MV
from ionto_host.errors import BenchFileError
from ionto_host.library.reader import DataFile, Problem
from ionto_host.units import printable

VIRTUAL, EMULATED = "virtual", "emulated"
SIMULATED = (VIRTUAL, EMULATED)
SWITCHES = {
    "usb": "the USB cable: off is unplugged",
    "power": "the battery: off is no power",
    "stop": "the STOP button: on is pressed",
    "start": "the START button: on is pressed",
    "lift": "the load's circuit: on is lifted (open)",
    "heartbeat": "the heartbeat wire from the Pico to the dead-man: on is interrupted",
}
FIXED, DECADE, RELAYS = "fixed", "decade", "relay"
METER_KINDS = ("ina219", "scpi", "typed", "sim")
BRIDGES = ("mcp2221", "ft232h")
SWITCH_KINDS = ("person", "command", "relay", "sim")
LOAD_SWITCH_KINDS = ("command", "relay")  # the load changes while current flows, in an instant
MAX_METER_NAME = 40  # of a board's calibration record
_BOARD_ID = re.compile(r"[0-9a-f]{16}")
_MAX_SHOWN = 60  # characters of a wrong value


@dataclass(frozen=True)
class SwitchSpec:
    """How something is switched: by a person, by two commands, by a relay on a bridge's pin, or in a simulator."""

    kind: str
    on: str = ""
    off: str = ""
    pin: str = ""
    active_low: bool = False


@dataclass(frozen=True)
class LoadSpec:
    """The load: `ohm` of a fixed resistor, the range of a decade box, or the resistors that relays choose from."""

    kind: str
    tolerance_ppm: int
    ohm: float = 0.0
    low_ohm: float = 0.0
    high_ohm: float = 0.0
    relays: tuple[tuple[float, SwitchSpec], ...] = ()

    def offers(self, ohm: float) -> bool:
        """Return True when the load can be `ohm`."""
        if self.kind == FIXED:
            return ohm == self.ohm
        if self.kind == DECADE:
            return self.low_ohm <= ohm <= self.high_ohm
        return any(ohm == choice for choice, _ in self.relays)

    @property
    def choices_ohm(self) -> tuple[float, ...]:
        """The resistors there are; of a decade box its two ends."""
        if self.kind == FIXED:
            return (self.ohm,)
        if self.kind == DECADE:
            return (self.low_ohm, self.high_ohm)
        return tuple(sorted(choice for choice, _ in self.relays))


@dataclass(frozen=True)
class MeterSpec:
    """The reference meter: which, how it is reached, what it promises (ppm of the reading, uA, range in uA)."""

    kind: str
    name: str
    range_ua: float
    gain_ppm: float
    offset_ua: float
    bridge: str = "mcp2221"
    address: int = 0x41
    shunt_ohm: float = 10.0
    pga_range_mv: int = 80
    resource: str = ""
    query: str = "MEAS:CURR:DC?"
    setup: tuple[str, ...] = ()
    baud: int = 9_600
    backend: str = "@py"


@dataclass(frozen=True)
class TimingSpec:
    """An instrument on the loop timing pin: SCPI queries for period and width of the pulses, in s."""

    resource: str
    period_query: str = "MEAS:PER?"
    width_query: str = "MEAS:PWID?"


@dataclass(frozen=True)
class SimSpec:
    """What the simulated bench is really like, which its file may get wrong.

    With `state_dir` it is a simulator that runs already, which the port may reach by way of another host.
    """

    state_dir: str = ""
    speed: str = "max"
    load_error_ppm: int = 0
    load_ohm: float = 0.0  # what hangs there whatever the file says; 0: what it says
    bench_strap: bool = True
    meter_in_series: bool = True
    meter_reversed: bool = False
    meter_offset_ua: float = 0.0
    meter_gain_ppm: float = 0.0
    meter_noise_ua: float = 0.0
    seed: int = 1
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchFile:
    """A bench. `port` is that of `ionto --port`, or "virtual" or "emulated"; `room` is free text by name."""

    path: Path
    name: str
    port: str
    variant: str
    strap: bool
    battery: bool
    load: LoadSpec
    meter: MeterSpec
    switches: dict[str, SwitchSpec]
    room: dict[str, str]
    relay_bridge: str = BRIDGES[0]
    board_id: str = ""  # 16 hex digits, lower case; "": any board
    timing: TimingSpec | None = None
    sim: SimSpec = SimSpec()

    @property
    def simulated(self) -> bool:
        """True when no hardware is touched."""
        return self.port in SIMULATED or bool(self.sim.state_dir)


def _words(value: Any, words: Callable[[Any], str] = str) -> str:
    """Return `value` as printable text, also a whole number of thousands of digits, which Python does not write."""
    try:
        return printable(words(value))
    except ValueError:
        return "a number of thousands of digits"


def _shown(value: Any) -> str:
    """Return a wrong value in words, of bounded length: numbers as they are written, all else as Python does."""
    text = _words(value, str if isinstance(value, Decimal) else repr)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _finite(value: Any) -> float | None:
    """Return a TOML number as a float; None for anything else, and for what no float is."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


class _Table:
    """One table of the file; every reader notes what is wrong and returns a harmless value then."""

    def __init__(self, file: DataFile, name: str, body: Any, known: tuple[str, ...]) -> None:
        self._file, self._name = file, name
        self.body: dict[str, Any] = body if isinstance(body, dict) else {}
        if not isinstance(body, dict):
            file.complain(name, f"{name} has to be a table [{name}]")
        for key in self.body:
            if key not in known:
                self.complain(key, f"unknown field {printable(key)}; known: {', '.join(known)}")

    def complain(self, key: str, text: str) -> None:
        where = f"{self._name}.{key}" if self._name else key
        self._file.complain(where, f"{where}: {text}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.body.get(key, default)
        if isinstance(value, str) and value.isprintable() and (value or default == ""):
            return value
        self.complain(key, "missing" if value is None else f"{_shown(value)} is no text in quotes")
        return ""

    def word(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.body.get(key, default)
        if value in allowed:
            return str(value)
        self.complain(key, f"{'missing' if value is None else _shown(value)}; one of {', '.join(allowed)}")
        return allowed[0]

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self.body.get(key, default)
        if isinstance(value, bool):
            return value
        self.complain(key, "missing; true or false" if value is None else f"{_shown(value)}; true or false")
        return False

    def number(self, key: str, low: float, high: float, unit: str, default: float | None = None) -> float:
        value = self.body.get(key, default)
        number = _finite(value)
        if number is not None and low <= number <= high:
            return number
        self.complain(
            key, f"{'missing' if value is None else _shown(value)}; a number from {low:g} to {high:g} {unit}".rstrip()
        )
        return low

    def whole(self, key: str, low: int, high: int, unit: str, default: int) -> int:
        number = self.number(key, low, high, unit, default)
        if number != int(number):
            self.complain(key, f"{number:g}; a whole number from {low} to {high} {unit}".rstrip())
        return int(number)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.body.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) and item.isprintable() for item in value):
            return tuple(value)
        self.complain(key, "a list of texts is expected")
        return ()


_TOP = ("name", "board", "load", "meter", "relays", "switch", "room", "timing", "sim")
_BOARD = ("port", "board_id", "variant", "bench_strap", "battery")


def read(path: Path) -> BenchFile:
    """Return the bench in the file `path`; `BenchFileError` with everything that is wrong with it."""
    if not path.is_file():
        raise BenchFileError(
            f"there is no bench file {path}", "Copy examples/bench.toml and describe your bench in it."
        )
    problems: list[Problem] = []
    file = DataFile(path, problems)
    bench = None if problems else _bench(file)
    if bench is None or problems:
        lines = [problem.words() for problem in problems]
        raise BenchFileError("\n  ".join([f"{path} does not describe a bench:", *lines]), problems=lines)
    return bench


def _bench(file: DataFile) -> BenchFile:
    top = _Table(file, "", file.table, _TOP)
    board = _Table(file, "board", top.body.get("board", {}), _BOARD)
    port = board.text("port")
    sim = _sim(file, top.body.get("sim", {}))
    simulated = port in SIMULATED or bool(sim.state_dir)
    if "sim" in top.body and not simulated:
        file.complain(
            "sim", f'sim: board.port is {port!r}; only a port "virtual" or "emulated" has a [sim] without state_dir'
        )
    timing = _timing(file, top.body["timing"]) if "timing" in top.body else None
    load = _load(file, top.body.get("load", {}), simulated)
    meter = _meter(file, top.body.get("meter", {}), simulated)
    switches = _switches(file, top.body.get("switch", {}), simulated)
    _one_relay_a_pin(file, load, switches)
    return BenchFile(
        path=file.path,
        name=top.text("name"),
        port=port,
        variant=board.word("variant", ("A", "B")),
        strap=board.flag("bench_strap"),
        battery=board.flag("battery", default=False),
        load=load,
        meter=meter,
        switches=switches,
        room=_room(file, top.body.get("room", {})),
        relay_bridge=_relay_bridge(file, top.body.get("relays", {}), meter),
        board_id=_board_id(board),
        timing=timing,
        sim=sim,
    )


def _board_id(board: _Table) -> str:
    name = board.text("board_id", "").lower()
    if name and not _BOARD_ID.fullmatch(name):
        board.complain("board_id", f"{_shown(name)}; 16 hex digits, as `ionto info` says them")
    return name


def _relay_bridge(file: DataFile, body: Any, meter: MeterSpec) -> str:
    """Return the bridge that the relays are on; Blinka knows only one in a process."""
    table = _Table(file, "relays", body, ("bridge",))
    of_meter = meter.bridge if meter.kind == "ina219" else ""
    name = table.word("bridge", BRIDGES, of_meter or BRIDGES[0])
    if of_meter and name != of_meter:
        table.complain("bridge", f"{name!r}; the meter is on {of_meter!r}, and one run can use one bridge only")
    return name


def _one_relay_a_pin(file: DataFile, load: LoadSpec, switches: dict[str, SwitchSpec]) -> None:
    """Complain about a pin that would switch two things at once."""
    used: dict[str, str] = {}
    named = [(f"load.relays, {ohm:g} ohm", spec) for ohm, spec in load.relays]
    for name, spec in [*named, *((f"switch.{name}", spec) for name, spec in switches.items())]:
        if not spec.pin:
            continue
        if spec.pin in used:
            file.complain(name.partition(",")[0], f"{name}: pin {spec.pin} is that of {used[spec.pin]} already")
        used.setdefault(spec.pin, name)


def _load(file: DataFile, body: Any, simulated: bool) -> LoadSpec:
    table = _Table(file, "load", body, ("kind", "tolerance_percent", "ohm", "low_ohm", "high_ohm", "relays"))
    kind = table.word("kind", (FIXED, DECADE, RELAYS))
    tolerance_ppm = round(table.number("tolerance_percent", 0, 20, "%") * 10_000)
    if kind == FIXED:
        return LoadSpec(kind, tolerance_ppm, ohm=table.number("ohm", 100, 1_000_000, "ohm"))
    if kind == DECADE:
        low, high = (table.number(key, 100, 1_000_000, "ohm") for key in ("low_ohm", "high_ohm"))
        if low >= high:
            table.complain("high_ohm", f"{high:g} ohm; more than low_ohm, {low:g} ohm")
        return LoadSpec(kind, tolerance_ppm, low_ohm=low, high_ohm=high)
    return LoadSpec(kind, tolerance_ppm, relays=_relays(file, table, simulated))


def _relays(file: DataFile, table: _Table, simulated: bool) -> tuple[tuple[float, SwitchSpec], ...]:
    rows = table.body.get("relays")
    if not isinstance(rows, list) or not rows:
        table.complain("relays", "a list of tables [[load.relays]] with ohm and how each is switched is expected")
        return ()
    kinds = (*LOAD_SWITCH_KINDS, "sim") if simulated else LOAD_SWITCH_KINDS
    found: dict[float, SwitchSpec] = {}
    for row in rows:
        entry = _Table(file, "load.relays", row, ("ohm", *_SWITCH_FIELDS))
        before = len(file.problems)
        ohm, spec = entry.number("ohm", 100, 1_000_000, "ohm"), _switch(entry, kinds)
        if ohm in found and len(file.problems) == before:
            entry.complain("ohm", f"{ohm:g} ohm is that of another relay already; each resistor once")
        found[ohm] = spec
    return tuple(found.items())


_METER_FIELDS = ("kind", "name", "range_ma", "uncertainty_percent", "uncertainty_ua")
_METER_OWN = {
    "ina219": ("bridge", "address", "shunt_ohm", "pga_range_mv"),
    "scpi": ("resource", "query", "setup", "baud", "backend"),
    "typed": (),
    "sim": (),
}


def _meter(file: DataFile, body: Any, simulated: bool) -> MeterSpec:
    kind = body.get("kind") if isinstance(body, dict) else None
    table = _Table(file, "meter", body, (*_METER_FIELDS, *_METER_OWN.get(str(kind), ())))
    kind = table.word("kind", METER_KINDS)
    if (kind == "sim") != simulated:
        table.complain("kind", f'{kind!r}; "sim" is the meter of a port "virtual" or "emulated", and of no other')
    name = table.text("name")
    if len(name) > MAX_METER_NAME:
        table.complain("name", f"{len(name)} characters; at most {MAX_METER_NAME}, which a board keeps")
    spec: dict[str, Any] = {
        "range_ua": table.number("range_ma", 0.1, 10_000, "mA") * 1_000,
        "gain_ppm": table.number("uncertainty_percent", 0, 5, "%") * 10_000,
        "offset_ua": table.number("uncertainty_ua", 0, 1_000, "uA"),
    }
    if kind == "ina219":
        spec["address"] = table.whole("address", 0x40, 0x4F, "(0x40 to 0x4f)", default=0x41)
        spec["shunt_ohm"] = table.number("shunt_ohm", 0.001, 100, "ohm", default=10.0)
        pga = table.whole("pga_range_mv", 40, 320, "mV", default=80)
        if pga not in PGA_RANGES_MV:
            table.complain("pga_range_mv", f"{pga}; one of {', '.join(map(str, PGA_RANGES_MV))}")
        reach_ua = pga * 1_000 / spec["shunt_ohm"]
        if spec["range_ua"] > reach_ua * 1.001:
            reach = f"{pga} mV over {spec['shunt_ohm']:g} ohm reach {reach_ua / 1_000:g} mA"
            table.complain("range_ma", f"{spec['range_ua'] / 1_000:g} mA; {reach}")
        return MeterSpec(kind, name, bridge=table.word("bridge", BRIDGES), pga_range_mv=pga, **spec)
    if kind == "scpi":
        return MeterSpec(
            kind,
            name,
            resource=table.text("resource"),
            query=table.text("query", MeterSpec.query),
            setup=table.texts("setup"),
            baud=table.whole("baud", 300, 4_000_000, "", default=MeterSpec.baud),
            backend=table.text("backend", MeterSpec.backend),
            **spec,
        )
    return MeterSpec(kind, name, **spec)


_SWITCH_FIELDS = ("kind", "on", "off", "pin", "active_low")


def _switch(table: _Table, kinds: tuple[str, ...] = SWITCH_KINDS) -> SwitchSpec:
    kind = table.word("kind", kinds)
    if kind == "command":
        return SwitchSpec(kind, on=table.text("on"), off=table.text("off"))
    if kind == "relay":
        return SwitchSpec(kind, pin=table.text("pin"), active_low=table.flag("active_low", default=False))
    return SwitchSpec(kind)


def _switches(file: DataFile, body: Any, simulated: bool) -> dict[str, SwitchSpec]:
    top = _Table(file, "switch", body, tuple(SWITCHES))
    found: dict[str, SwitchSpec] = {}
    for name, entry in top.body.items():
        if name not in SWITCHES:
            continue
        table = _Table(file, f"switch.{name}", entry, _SWITCH_FIELDS)
        found[name] = _switch(table)
        if (found[name].kind == "sim") != simulated:
            table.complain("kind", f'{found[name].kind!r}; "sim" belongs to a port "virtual" or "emulated"')
    return found


def _room(file: DataFile, body: Any) -> dict[str, str]:
    if not isinstance(body, dict):
        file.complain("room", "room has to be a table [room] of free fields")
        return {}
    return {printable(str(key)): _words(value) for key, value in body.items()}


def _timing(file: DataFile, body: Any) -> TimingSpec:
    table = _Table(file, "timing", body, ("resource", "period_query", "width_query"))
    return TimingSpec(
        table.text("resource"),
        table.text("period_query", TimingSpec.period_query),
        table.text("width_query", TimingSpec.width_query),
    )


def _speed(table: _Table) -> str:
    """Return the speed of a simulator, which `SimConfig.factor` refuses as well: a factor, or "max"."""
    value = table.body.get("speed", SimSpec.speed)
    try:
        good = value == "max" or 0 < float(value) < math.inf
    except (TypeError, ValueError, OverflowError):
        good = False
    if isinstance(value, bool) or not good:
        table.complain("speed", f'{_shown(value)}; "max" or a factor above 0')
        return SimSpec.speed
    return str(value)


def _sim(file: DataFile, body: Any) -> SimSpec:
    known = tuple(SimSpec.__dataclass_fields__)
    named = tuple(name.replace("_ppm", "_percent") for name in known)
    table = _Table(file, "sim", body, named)
    values = table.body.get("values", {})
    numbers = {str(key): _finite(value) for key, value in values.items()} if isinstance(values, dict) else {"": None}
    if None in numbers.values():
        table.complain("values", "a table of numbers is expected")
    return SimSpec(
        state_dir=table.text("state_dir", ""),
        speed=_speed(table),
        load_error_ppm=round(table.number("load_error_percent", -50, 50, "%", default=0) * 10_000),
        load_ohm=table.number("load_ohm", 0, 1e12, "ohm", default=0),
        bench_strap=table.flag("bench_strap", default=True),
        meter_in_series=table.flag("meter_in_series", default=True),
        meter_reversed=table.flag("meter_reversed", default=False),
        meter_offset_ua=table.number("meter_offset_ua", -1_000, 1_000, "uA", default=0),
        meter_gain_ppm=table.number("meter_gain_percent", -10, 10, "%", default=0) * 10_000,
        meter_noise_ua=table.number("meter_noise_ua", 0, 1_000, "uA", default=0),
        seed=table.whole("seed", 0, 2**31, "", default=1),
        values={key: number for key, number in numbers.items() if number is not None},
    )
