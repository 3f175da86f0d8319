"""The virtual Picos of this user: starting one, finding those that run, controlling one.

Everything of `ionto_sim` is imported where it is used, since it is not there on every platform.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from ionto_host.errors import (
    AmbiguousDeviceError,
    MissingPartError,
    NoDeviceError,
    SimulatorError,
    UsageError,
)

if TYPE_CHECKING:
    from ionto_sim.client import SimClient
    from ionto_sim.config import SimConfig


_EXTRA = "Install the extra: pipx install 'iontopico[sim]'."
_SIM_HELP = "See `ionto sim --help`."


@dataclass(frozen=True)
class Running:
    """A virtual Pico that runs: the process, its port, state folder and serial number."""

    pid: int
    port: str
    state_dir: str
    serial_number: str


def data_folder() -> Path:
    """Return the folder of this user's virtual Picos: IONTO_SIMS, or one in the user data folder."""
    named = os.environ.get("IONTO_SIMS")
    return Path(named) if named else Path(platformdirs.user_data_dir("ionto", appauthor=False)) / "sims"


def running() -> list[Running]:
    """Return the virtual Picos that run, oldest first; forgets those that ended without a word."""
    found: list[Running] = []
    folder = data_folder() / "running"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            entry = Running(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            continue
        if _alive(entry.pid):
            found.append(entry)
        else:
            path.unlink(missing_ok=True)
    return found


def bootsel_folders() -> list[Path]:
    """Return the drives that running simulators in BOOTSEL show."""
    states = [entry.state_dir for entry in running()]
    if not states:
        return []
    from ionto_sim.config import Paths

    return [path for state_dir in states if (path := Paths(state_dir).bootsel).is_dir()]


def _alive(pid: int) -> bool:
    """Return True when the process `pid` is there; elsewhere than on POSIX no virtual Pico runs."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def configuration(
    state_dir: Path | None,
    *,
    load: str,
    speed: str,
    erase: bool,
    image: Path | None = None,
    bootsel: bool = False,
    **options: Any,
) -> SimConfig:
    """Return the settings of a virtual Pico, or of an emulated one on `image`; with `erase` its flash is made blank."""
    found = "" if image is None else str(image)
    with errors():
        from ionto_sim.config import Paths, SimConfig

        folder = state_dir or data_folder() / ("emulated" if image else "default")
        config = SimConfig(
            state_dir=str(folder), load=load_spec(load), speed=_speed(speed), image=found, bootsel=bootsel, **options
        )
        config.for_vm()
    if erase:
        for path in (Paths(folder).image, Paths(folder).state):
            path.unlink(missing_ok=True)
    return config


def load_spec(text: str) -> Any:
    """Return the load that `text` says: a number of ohms, JSON, or a word; `UsageError` for anything else."""
    with errors():
        from ionto_sim.load import normal_spec
    try:
        spec = json.loads(text) if text.startswith("{") else _number_or_word(text)
        normal_spec(spec)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the load is {text!r}: {error}", _SIM_HELP) from error
    return spec


def _number_or_word(text: str) -> float | str:
    try:
        ohm = float(text)
    except ValueError:
        return text
    if not math.isfinite(ohm):
        raise ValueError("not a finite resistance")
    return ohm


def _speed(text: str) -> str:
    """Return the speed `text`, a factor or "max"; `UsageError` for anything else."""
    try:
        good = text == "max" or 0 < float(text) < math.inf
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"speed must be 'max' or a factor above 0, got {text!r}", _SIM_HELP)
    return text


def has_ended(folder: Path) -> bool:
    """Return True when `folder` is that of a virtual Pico that does not run: nobody listens to its control."""
    if not (folder / "flash.img").is_file() or not (folder / "lock").is_file():
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(os.path.realpath(folder / "control.sock"))
    except OSError:
        return True
    return False


def run(config: SimConfig, ready: Callable[[str], None]) -> None:
    """Run a virtual Pico in the foreground until a signal; `ready(port)` is called when it is up."""
    entry = data_folder() / "running" / f"{os.getpid()}.json"

    def up(information: dict[str, Any]) -> None:
        serial_number = str(config.for_vm()["unique_id"])
        port = information["port"]
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(json.dumps(vars(Running(os.getpid(), port, information["state_dir"], serial_number))))
        ready(port)

    try:
        with errors():
            from ionto_sim.supervisor import run_foreground

            run_foreground(config, up)
    finally:
        entry.unlink(missing_ok=True)


@contextmanager
def connect(state_dir: Path | None) -> Iterator[SimClient]:
    """Yield the control of the virtual Pico in `state_dir`, or of the only one that runs."""
    folder = str(state_dir) if state_dir else _only_one().state_dir
    with errors():
        from ionto_sim.client import SimClient

        client = SimClient(folder)
        try:
            yield client
        finally:
            client.disconnect()


def serve_meter(folder: str, tcp_port: int, ready: Callable[[str], None]) -> None:
    """Serve the meter of the virtual Pico in `folder` by SCPI until a signal; `ready(VISA resource)` is called then.

    `UsageError` for a TCP port that cannot be had.
    """
    with errors():
        from ionto_sim.scpi import MeterServer

        try:
            server = MeterServer(folder, ("127.0.0.1", tcp_port))
        except OSError as error:
            raise UsageError(f"cannot listen at TCP port {tcp_port}: {error}", _SIM_HELP) from error
    with server, stopped_by_signals(lambda: threading.Thread(target=server.shutdown).start()):
        ready(server.resource)
        server.serve_forever(poll_interval=0.1)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGINT and SIGTERM instead of being interrupted."""
    previous = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _only_one() -> Running:
    entries = running()
    if not entries:
        raise NoDeviceError("no virtual Pico runs", "Start one in another terminal: ionto sim")
    if len(entries) > 1:
        folders = ", ".join(entry.state_dir for entry in entries)
        raise AmbiguousDeviceError(f"{len(entries)} virtual Picos run: {folders}", "Choose with --state-dir.")
    return entries[0]


def folder_of(port: str) -> Path:
    """Return the state folder of the virtual Pico at `port`; `NoDeviceError` where none is."""
    for entry in running():
        if entry.port == port:
            return Path(entry.state_dir)
    raise NoDeviceError(f"no virtual Pico is at {port}", "Its own meter measures a virtual Pico only.")


def faults() -> dict[str, str]:
    """Return the fault switches of a virtual Pico with what each does."""
    with errors():
        from ionto_sim.faults import describe

        return describe()


@contextmanager
def errors() -> Iterator[None]:
    """Turn the errors of the simulator, and its absence, into those of the host tool."""
    try:
        yield
    except ImportError as error:
        raise MissingPartError(f"the virtual Pico does not run here: {error}", _EXTRA) from error
    except Exception as error:
        if not type(error).__module__.startswith("ionto_sim"):
            raise
        from ionto_sim.errors import SimGoneError

        if isinstance(error, SimGoneError):
            raise NoDeviceError(str(error), "`ionto devices` lists what runs.") from error
        raise SimulatorError(str(error)) from error
