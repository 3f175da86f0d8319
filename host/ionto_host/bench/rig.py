"""One bench, put together from its file: the board, its meter, load, switches and clock, real or simulated."""

from __future__ import annotations

import hashlib
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionto import protocol
from ionto_host.bench import benchfile, instruments, loads, switching
from ionto_host.bench.benchfile import EMULATED, RELAYS, BenchFile
from ionto_host.bench.record import Row
from ionto_host.board import firmware_files, flashing, micropython_image
from ionto_host.board.meters import Ask, Meter
from ionto_host.device.answers import OFF_UA, Hello, Status, ended_in_fault, fault_error
from ionto_host.device.client import Device
from ionto_host.errors import (
    BenchError,
    IontoError,
    LackingError,
    MissingPartError,
    NoAnswerError,
    NoDeviceError,
    SafetyError,
    TransportError,
)
from ionto_host.logs.sessionfile import Session
from ionto_host.patience import patient
from ionto_host.transport import simulators
from ionto_host.transport.ports import PortFinder, resolve

if TYPE_CHECKING:
    from ionto_sim.client import SimClient

OFF_WITHIN_S = 0.2  # of the dead-man at its worst tolerance, and some more
PORT_BACK_S = 15.0
_POLL_S = 0.01
_METER_ZERO_READINGS = 20


@dataclass(frozen=True)
class Person:
    """Somebody at the bench: `ask` for a reading in mA, `act` tells what to do and waits until it is done."""

    ask: Ask
    act: switching.Act


@contextmanager
def _on_interrupt(act: Callable[[int, Any], object]) -> Iterator[None]:
    """Let Ctrl-C do `act` during the caller's work, unless it is ignored or goes to another thread.

    What `act` has put in its own place stays.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, act)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is act:
            signal.signal(signal.SIGINT, before)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait for the caller's work, which makes the board safe: KeyboardInterrupt comes after it."""
    pressed: list[int] = []
    with _on_interrupt(lambda number, _: pressed.append(number)):
        yield
    if pressed:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Let the first Ctrl-C end the caller's work, and none after it what makes the board safe and writes the report."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _on_interrupt(interrupt):
        yield


def capabilities(bench: BenchFile, person: bool) -> frozenset[str]:
    """Return what the bench can do, in the words of the marker `capability`, without touching anything."""
    usable = {name for name, spec in bench.switches.items() if spec.kind != "person" or person}
    found = {f"switch {name}" for name in usable}
    if bench.load.kind == RELAYS or (bench.load.kind == "decade" and (person or bench.simulated)):
        found.add("load to choose from")
    if bench.load.kind == RELAYS or (bench.load.kind == "decade" and bench.simulated):
        found.add("load that changes by itself")
    if bench.meter.kind != "typed":
        found.add("automatic meter")
    elif person:
        found.add("meter")
    if bench.strap:
        found.add("bench strap")
    if bench.battery:
        found.add("battery")
    if bench.timing is not None or bench.simulated:
        found.add("loop timing instrument")
    if bench.simulated:
        found |= {"fault injection", "meter"}
    return frozenset(found | ({"meter"} if "automatic meter" in found else set()))


class Clock:
    """The bench's time: that of this computer."""

    def now_s(self) -> float:
        """Return the time, s of an arbitrary beginning: the one that `Meter.sample` stamps with."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Let `seconds` of the bench's time pass."""
        time.sleep(seconds)

    @contextmanager
    def real_time(self, factor: float = 1.0) -> Iterator[None]:
        """Let the bench's time run no faster than `factor` times real time around the caller's work."""
        yield


class SimClock(Clock):
    """Virtual time."""

    def __init__(self, pico: SimClient, speed: str) -> None:
        self._pico, self._speed = pico, speed

    def now_s(self) -> float:
        """Return virtual time in s."""
        with simulators.errors():
            return self._pico.meter().t_us / 1e6

    def pause(self, seconds: float) -> None:
        """Let virtual time pass; it stands still while the simulator's power is off."""
        with simulators.errors():
            if self._pico.status().get("powered", True):
                self._pico.wait(timeout_s=max(10.0, 4 * seconds), t_us=round((self.now_s() + seconds) * 1e6))

    @contextmanager
    def real_time(self, factor: float = 1.0) -> Iterator[None]:
        """Slow the simulator down around the caller's work; an emulated one is slower than that anyway."""
        self._pico.set_speed(factor)
        try:
            yield
        finally:
            self._pico.set_speed(self._speed if self._speed == "max" else float(self._speed))


class Rig:
    """A bench that is ready to be used. A context manager; leaving it makes the board safe.

    `device` is the open board; `pico` the control of a simulated one, None of a real one.
    """

    def __init__(self, bench: BenchFile, tell: Callable[[str], None]) -> None:
        self.bench = bench
        self.tell = tell
        self.pico: SimClient | None = None
        self.clock = Clock()
        self.meter: Meter
        self.load: loads.Load
        self.switches: dict[str, switching.Switch] = {}
        self.capabilities: frozenset[str] = frozenset()
        self.meter_zero_ua = 0.0
        self.known: Hello | None = None  # who the board is
        self.firmware_sha256 = ""  # of the manifest of its files, from its last log
        self.first = True  # nothing was done with it yet
        self.checked = False  # the wiring was found to be as the file says
        self.judge_log: Callable[[Session], list[Row]] | None = None  # what the test wants of its last log
        self._switched: dict[str, bool] = {}  # what each switch was last set to
        self._port = ""
        self._finder: PortFinder | None = None
        self._device: Device | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self.close()
        except SafetyError:
            if not isinstance(error, SafetyError):  # which says it already
                raise

    def close(self) -> None:
        """Make the board safe, let go of everything, and end a simulated one; `SafetyError` when it is not safe."""
        with uninterrupted():
            try:
                self.make_safe()
            except SafetyError:
                with suppress(Exception):  # that there is current is what has to be said
                    self.close_parts()
                raise
            except IontoError as error:
                self.tell(error.message)
            self.close_parts()

    def close_parts(self) -> None:
        """Let go of everything, and end a simulated board."""
        self.let_go()
        self._stack.close()

    # The board.

    @property
    def port(self) -> str:
        """The board's port now; it may have another name after a restart."""
        return self._finder.current() if self._finder else self._port

    @property
    def device(self) -> Device:
        """The board, opened when it is not."""
        if self._device is None:
            self._device = Device.open(self.port)
        return self._device

    def let_go(self) -> None:
        """Close the port; a session goes on."""
        if self._device is not None:
            self._device.close()
            self._device = None

    def wait_for_board(self, within_s: float = PORT_BACK_S) -> Device:
        """Return the board once its port is there and it answers; the error of the last try after `within_s`."""
        self.let_go()
        end = time.monotonic() + patient(within_s)
        while True:
            try:
                return self.device
            except (TransportError, NoDeviceError):
                if time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def until(
        self, done: Callable[[Status], bool], what: str, within_s: float = 30.0, fault_expected: bool = False
    ) -> Status:
        """Return the first status that is `done`; `NoAnswerError` after `within_s`, `DeviceFaultError` for a fault."""
        end = time.monotonic() + patient(within_s)
        while True:
            status = self.device.status()
            if done(status):
                return status
            if ended_in_fault(status) and not fault_expected:
                raise fault_error(status)
            if time.monotonic() > end:
                raise NoAnswerError(f"{what} did not come in {within_s:g} s: the board is in {status.state_name}")
            time.sleep(_POLL_S)

    # What may be done to it.

    def switch(self, name: str, on: bool) -> None:
        """Switch `name` of `benchfile.SWITCHES`; `LackingError` when the bench cannot."""
        if name not in self.switches:
            raise LackingError(f"switch {name}")
        if name in ("usb", "power") and not on:
            self.let_go()
        self._switched[name] = on
        self.switches[name].set(on)

    def rest_switches(self) -> None:
        """Put everything that was switched back to where it rests; a person is asked only for what is not there.

        Every switch is tried; the first one's error comes afterwards.
        """
        failed: list[Exception] = []
        for name, switch in self.switches.items():
            resting = switching.RESTING.get(name, False)
            by_person = not self.bench.simulated and self.bench.switches[name].kind == "person"
            if by_person and self._switched.get(name, resting) == resting:
                continue
            try:
                switch.set(resting)
                self._switched[name] = resting
            except Exception as error:  # of whatever library is below it
                failed.append(error)
        if failed:
            raise failed[0]

    def inject(self, fault: str, on: bool = True) -> None:
        """Switch a fault of the simulator; `LackingError` on a real bench."""
        if self.pico is None:
            raise LackingError("fault injection")
        self.pico.fault(fault, on)

    def loop_timing(self, seconds: float) -> dict[str, float]:
        """Return what the instrument on the loop timing pin says of `seconds`: period and width, us.

        A simulated one knows the extremes as well. `LackingError` without an instrument.
        """
        if self.pico is not None:
            self.pico.listen()
            self.clock.pause(seconds)
            return dict(vars(self.pico.heard()))
        spec = self.bench.timing
        if spec is None:
            raise LackingError("loop timing instrument")
        with closing(instruments.open_scpi(spec.resource)) as port:
            return {
                "period_mean_us": instruments.scpi_number(port, spec.period_query) * 1e6,
                "width_mean_us": instruments.scpi_number(port, spec.width_query) * 1e6,
            }

    # Safety.

    def make_safe(self) -> None:
        """End whatever runs; `SafetyError` when current is seen afterwards, or nobody can say."""
        with suppress(IontoError):
            self.device.abort()
        with suppress(IontoError):  # a simulator that has ended
            self.clock.pause(OFF_WITHIN_S)
        self.check_off()

    def check_off(self) -> None:
        """Ask the meter and the board: `SafetyError` when one of them sees current, or neither answers.

        A meter that fails beside a board that answers is the meter's own error. A board may be without its cable.
        """
        seen: list[str] = []
        failed: list[Exception] = []
        for ask in (self._seen_by_meter, self._seen_by_board):
            try:
                seen.append(ask())
            except Exception as error:  # of whatever library is below it: the other one is asked all the same
                failed.append(error)
        if any(seen):
            raise SafetyError("; ".join(filter(None, seen)))
        if not seen:
            raise SafetyError(
                f"nobody could confirm that the output is off: {'; '.join(map(str, failed))}",
                "Press STOP, take the load off, and look at the meter.",
            )
        for error in failed:
            if not isinstance(error, (TransportError, NoDeviceError, LackingError)):
                raise error

    def _seen_by_meter(self) -> str:
        """Return what is wrong by the meter, "" for nothing; `LackingError` for a meter that a person reads."""
        if not self.meter.automatic:
            raise LackingError("automatic meter")
        seen_ua = sorted(self.meter.read_ua() for _ in range(3))[1] - self.meter_zero_ua
        return f"{self.meter.name} sees {seen_ua / 1000:.3f} mA with the output off" if abs(seen_ua) > OFF_UA else ""

    def _seen_by_board(self) -> str:
        """Return what is wrong by the board, "" for nothing."""
        status = self.device.settled_status()
        if status.flag(protocol.FLAG_OUTPUT_ON):
            return f"the board is in {status.state_name} with the output on"
        return "the board measures current with the output off" if status.current_when_off else ""

    def zero_meter(self) -> float:
        """Take what the meter shows now, with the output off, as its zero; return it in uA.

        `SafetyError` when that is no zero but a current.
        """
        count = _METER_ZERO_READINGS if self.meter.automatic else 1
        readings = [self.meter.read_ua() for _ in range(count)]
        self.meter_zero_ua = sum(readings) / count
        if abs(self.meter_zero_ua) > OFF_UA:
            raise SafetyError(f"{self.meter.name} shows {self.meter_zero_ua / 1000:.3f} mA with the output off")
        return self.meter_zero_ua


def build(bench: BenchFile, tell: Callable[[str], None], person: Person | None = None, port: str | None = None) -> Rig:
    """Return the rig of `bench`; `port` (a path or pyserial URL) stands in for that of its file."""
    rig = Rig(bench, tell)
    try:
        if bench.simulated:
            with simulators.errors():
                _simulate(rig, port)
        else:
            _connect(rig, person, port)
        rig.capabilities = capabilities(bench, person is not None)
    except BaseException:
        rig.close_parts()
        raise
    return rig


def _connect(rig: Rig, person: Person | None, port: str | None) -> None:
    bench, act = rig.bench, person.act if person else None
    rig._port = resolve(port or bench.port)
    rig._finder = PortFinder(rig._port)
    rig.meter = instruments.open_real(bench.meter, person.ask if person else None)
    rig._stack.callback(rig.meter.close)
    rig.switches = switching.real_switches(bench.switches, bench.relay_bridge, act)
    apply: Callable[[float], None] | None = None
    if bench.load.kind == RELAYS:
        made = {ohm: switching.real_switch("load", spec, bench.relay_bridge, act) for ohm, spec in bench.load.relays}
        relays = {ohm: switch for ohm, switch in made.items() if switch is not None}
        for relay in relays.values():
            rig._stack.callback(relay.set, False)
        apply = loads.by_relays(relays)
    elif bench.load.kind == benchfile.DECADE and act:
        apply = loads.by_person(act)
    rig.load = loads.Load(bench.load, apply)


def _simulate(rig: Rig, port: str | None) -> None:
    bench = rig.bench
    if port and not bench.sim.state_dir:
        raise BenchError(
            f"the bench is a simulated one with a board of its own; {port} was not touched",
            "Leave out the port, or name the bench file of that board (docs/bench.md).",
        )
    client = _simulator()
    if bench.sim.state_dir:
        pico, speed = client.SimClient(bench.sim.state_dir), bench.sim.speed
        rig._stack.callback(pico.disconnect)
        pico.set_load(_true_ohm(bench, bench.load.choices_ohm[0]))
        pico.set_speed(speed if speed == "max" else float(speed))
    else:
        pico, speed = _start(rig, client)
    rig.pico, rig.clock = pico, SimClock(pico, str(speed))
    rig._port = port or (pico.port if bench.port in benchfile.SIMULATED else bench.port)
    probe = client.SimClient(pico.paths.root)  # a connection of its own: the meter is also read in a thread
    rig._stack.callback(probe.disconnect)
    rig.meter = instruments.SimMeter(probe, bench.meter, bench.sim)
    rig.switches = {name: switching.SimSwitch(name, pico) for name in bench.switches}
    rig.load = loads.Load(bench.load, lambda ohm: pico.set_load(_true_ohm(bench, ohm)))
    rig.wait_for_board()


def _start(rig: Rig, client: Any) -> tuple[Any, str | float]:
    """Start the simulator of the bench, which ends with it; return its control and its speed."""
    bench, sim = rig.bench, rig.bench.sim
    folder = Path(rig._stack.enter_context(tempfile.TemporaryDirectory(prefix="ionto-bench-")))
    settings: dict[str, Any] = {"variant": bench.variant, "values": sim.values, "unique_id": _board_id(bench)}
    speed: str | float = sim.speed
    if bench.port == EMULATED:
        speed, settings["image"] = 1.0, str(micropython_image.find(None).path)
    settings |= {"bench_strap": sim.bench_strap, "speed": speed, "load": _true_ohm(bench, bench.load.choices_ohm[0])}
    files = _files(bench)
    pico = client.VirtualPico(state_dir=folder, firmware=files, **settings)
    rig._stack.callback(pico.close)
    if files is None:
        flashing.flash(pico.port, flashing.Watch(), self_test=False)
    return pico, speed


def _files(bench: BenchFile) -> dict[str, bytes] | None:
    """Return what a simulated board's flash begins with; None for a blank one, which is flashed as a real one is."""
    return firmware_files.build(firmware_files.RP2040_MPY).contents() if bench.port == EMULATED else None


def _true_ohm(bench: BenchFile, ohm: float) -> float:
    """Return what hangs on the simulated board where the file says `ohm`."""
    return bench.sim.load_ohm or ohm * (1 + bench.sim.load_error_ppm / 1e6)


def _board_id(bench: BenchFile) -> str:
    """Return the id of the simulated board, the same for every run of a bench of that name."""
    return "e6" + hashlib.sha256(bench.name.encode()).hexdigest()[:14]


def _simulator() -> Any:
    try:
        return import_module("ionto_sim.client")
    except ImportError as error:
        raise MissingPartError(
            f"the virtual Pico does not run here: {error}", "Install the extra: pip install 'iontopico[sim]'."
        ) from error
