"""The virtual Pico for tests and tools: `VirtualPico` starts one, `SimClient` talks to one that runs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ionto_host.patience import patient

from . import errors, image
from .config import Paths, SimConfig
from .errors import SimCommandError, SimError, SimGoneError, SimStartError, SimTimeoutError, SimUnsupportedError

_START_S = 15.0
_ANSWER_S = 10.0
_CLOSE_S = 2.0


@dataclass(frozen=True)
class MeterReading:
    """The independent meter since it was made: virtual time us, current uA, charge uC.

    `peak_ua` is the greatest current that lasted; `spike_ua` the greatest of any instant, such as the microseconds in
    which the output closes and the sink's amplifier has not yet followed.
    """

    t_us: int
    now_ua: float
    charge_uc: float
    signed_uc: float
    peak_ua: float
    on_us: int
    last_on_us: int
    hot_switches: int
    spike_ua: float = 0.0


@dataclass(frozen=True)
class MarkReading:
    """The independent meter since a mark.

    `t_below_us` is the time from the mark until the current went below 10 uA to stay, None while it flows; `on_us`
    the time for which more than that flowed.
    """

    name: str
    t_us: int
    elapsed_us: int
    charge_uc: float
    signed_uc: float
    peak_ua: float
    now_ua: float
    on_us: int
    t_below_us: int | None


@dataclass(frozen=True)
class LoopTimingReading:
    """The pulses of the loop timing pin: their number, periods and widths in us."""

    periods: int
    period_mean_us: float
    period_min_us: float
    period_max_us: float
    width_mean_us: float
    width_max_us: float


class SimClient:
    """Control of the virtual Pico that runs in `state_dir`. SimGoneError when none does."""

    def __init__(self, state_dir: str | Path) -> None:
        self.paths = Paths(state_dir)
        self._connection = self._connect()
        self._file = self._connection.makefile("rwb")
        self._next_id = 0

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(os.path.realpath(self.paths.socket))
        except OSError as error:
            connection.close()
            raise SimGoneError(f"no simulator runs in {self.paths.root}; start one with: ionto sim") from error
        return connection

    @property
    def port(self) -> str:
        """The serial port to open."""
        return str(self.paths.port)

    @property
    def device(self) -> str:
        """The port with its link resolved, which changes with every plug; mpremote reads it without pauses."""
        return os.path.realpath(self.paths.port)

    def request(self, cmd: str, timeout_s: float = _ANSWER_S, **fields: Any) -> Any:
        """Send a command and return its result. SimCommandError when refused, SimTimeoutError when not answered.

        Like all of the host, it waits longer with `ionto_host.patience`.
        """
        self._next_id += 1
        message = {"cmd": cmd, "id": self._next_id, **fields}
        try:
            self._connection.settimeout(patient(timeout_s))
            self._file.write(json.dumps(message).encode() + b"\n")
            self._file.flush()
            answer = self._read_answer(self._next_id)
        except TimeoutError as error:
            self._reconnect()
            raise SimTimeoutError(f"the virtual Pico did not answer {cmd!r} within {timeout_s} s") from error
        except (OSError, ValueError) as error:
            raise SimGoneError(f"the simulator in {self.paths.root} has ended; start it again") from error
        if not answer["ok"]:
            raise SimCommandError(f"the virtual Pico refused {cmd!r}: {answer['error']}")
        return answer["result"]

    def _read_answer(self, wanted: int) -> dict[str, Any]:
        while True:
            line = self._file.readline()
            if not line:
                raise ConnectionError
            answer = json.loads(line)
            if answer.get("id") == wanted:
                return answer

    def _reconnect(self) -> None:
        self.disconnect()
        self._connection = self._connect()
        self._file = self._connection.makefile("rwb")

    def freeze(self, on: bool = True) -> int:
        """Let an emulated Pico's virtual time stand still, or go on; return it in us. A fork of it goes on at once."""
        return self.request("freeze", on=on)["t_us"]

    def fork(self, state_dir: str | Path, timeout_s: float = _ANSWER_S) -> SimClient:
        """Return the control of a second Pico that goes on from this one's present moment in `state_dir`.

        Only an emulated Pico can be doubled. The copy ends with the first, or by `stop`.
        """
        self.request("fork", state_dir=str(state_dir))
        wait_until(lambda: Paths(state_dir).socket.exists(), patient(timeout_s))
        return SimClient(state_dir)

    def stop(self) -> None:
        """End the simulator, and the connection."""
        self.request("stop")
        self.disconnect()

    def disconnect(self) -> None:
        """End the connection, not the simulator."""
        with suppress(OSError):
            self._file.close()
        self._connection.close()

    # Looking.

    def status(self) -> dict[str, Any]:
        """Return virtual time, true current, pins, faults and more; see sim_api."""
        return self.request("status")

    @property
    def console(self) -> str:
        """The device's recent output, up to 64 kB."""
        return self.request("console")

    def meter(self) -> MeterReading:
        """Return the independent meter's reading."""
        return MeterReading(**self.request("meter"))

    def since(self, mark: str) -> MarkReading:
        """Return the meter's reading since `mark`."""
        return MarkReading(**self.request("meter", mark=mark))

    def mark(self, name: str) -> int:
        """Set the meter's mark `name` now; return the virtual time in us."""
        return self.request("mark", name=name)["t_us"]

    def listen(self) -> int:
        """Listen to the loop timing pin from now on; return the virtual time in us."""
        return self.request("timing", on=True)["t_us"]

    def heard(self) -> LoopTimingReading:
        """Return what was heard since `listen`, and listen no more; SimCommandError when nothing was."""
        return LoopTimingReading(**self.request("timing", on=False))

    def wait(self, timeout_s: float = 10.0, **when: Any) -> int:
        """Wait until the condition `when` holds; return the virtual time in us.

        Keys, all of which must hold: current_above_ua, current_below_ua, charge_above_uc, output_on, t_us, boots,
        pin=[name, level]; with for_us they must hold that long. SimTimeoutError after `timeout_s` of wall time.
        """
        try:
            return self.request("wait", timeout_s=timeout_s, when=when)["t_us"]
        except SimTimeoutError as error:
            raise SimTimeoutError(f"{when} did not hold within {timeout_s} s; status: {self.status()}") from error

    # Doing.

    def fault(self, name: str, on: bool = True, mark: str | None = None) -> int:
        """Switch a fault of `faults.TABLE`, setting `mark` at the same moment; return the virtual time in us."""
        return self.request("fault", name=name, on=on, mark=mark)["t_us"]

    def press_start(self, ms: float = 0, mark: str | None = None) -> int:
        """Press START, for `ms` of virtual time; 0 keeps it pressed until `release`."""
        return self.request("press", button="start", ms=ms, mark=mark)["t_us"]

    def press_stop(self, ms: float = 0, mark: str | None = None) -> int:
        """Press STOP, for `ms` of virtual time; 0 keeps it pressed until `release`."""
        return self.request("press", button="stop", ms=ms, mark=mark)["t_us"]

    def release(self, button: str) -> int:
        """Release "start" or "stop"."""
        return self.request("release", button=button)["t_us"]

    def set_load(self, spec: Any) -> int:
        """Connect a load (a spec of `ionto_sim.load`)."""
        return self.request("load", spec=spec)["t_us"]

    def set_battery(self, volt: float) -> int:
        """Set the battery voltage."""
        return self.request("battery", volt=volt)["t_us"]

    def strap(self, name: str, value: Any) -> int:
        """Set the strap "range" ("A" or "B"), "bench" or "maintenance" (True: fitted)."""
        return self.request("strap", name=name, value=value)["t_us"]

    def at(self, do: Mapping[str, Any], t_us: int | None = None, after_us: int = 0, **when: Any) -> None:
        """Schedule the command `do` at a virtual time, after a time, or when a condition of `wait` first holds.

        SimCommandError at once for what no board could do; for what fails when its time has come, at the next command.
        """
        if when:
            self.request("at", do=dict(do), when=when)
        elif t_us is not None:
            self.request("at", do=dict(do), t_us=t_us)
        else:
            self.request("at", do=dict(do), after_us=after_us)

    def cancel(self) -> None:
        """Forget everything scheduled."""
        self.request("cancel")

    def unplug(self) -> None:
        """Pull the USB cable: the port vanishes, VBUS goes."""
        self.request("plug", on=False)

    def plug(self) -> str:
        """Plug the USB cable in; return the port."""
        return self.request("plug", on=True)["port"]

    def reset(self) -> None:
        """Pull the RUN pin."""
        self.request("reset")

    def power_cut(self, flash_operation: int = 0, mark: str | None = None) -> None:
        """Cut the power now, setting `mark` at the same moment, or in the middle of the nth flash erase or program
        from now; stays off.
        """
        self.request("cut", operation=flash_operation, mark=mark)

    def power_on(self) -> None:
        """Switch the power on again."""
        self.request("power")

    def set_speed(self, speed: float | str) -> None:
        """Set the factor of real time, or "max"."""
        self.request("speed", speed=SimConfig(speed=speed).factor())


class VirtualPico(SimClient):
    """Starts a virtual Pico and ends it; a context manager.

    `state_dir` None makes a temporary one. `firmware` (a directory, or `{path: content}`) is written into the flash
    image before the first boot. Other settings as in `SimConfig`: `image` makes it an emulated Pico. SimStartError
    when it does not come up.
    """

    def __init__(
        self,
        state_dir: str | Path | None = None,
        firmware: str | Path | Mapping[str, bytes] | None = None,
        **settings: Any,
    ) -> None:
        self._temporary = tempfile.mkdtemp(prefix="ionto-pico-") if state_dir is None else None
        self.config = SimConfig(state_dir=str(self._temporary or state_dir), **settings)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._install(firmware)
            self._start()
            super().__init__(self.config.state_dir)
        except BaseException:
            self._stop_process()
            self._clean()
            raise

    def _install(self, firmware: str | Path | Mapping[str, bytes] | None) -> None:
        if firmware is None:
            return
        paths = Paths(self.config.state_dir)
        paths.root.mkdir(parents=True, exist_ok=True)
        files = firmware if isinstance(firmware, Mapping) else image.firmware_files(Path(firmware))
        image.install(paths.image, files)

    def _start(self) -> None:
        if os.name != "posix":
            raise SimUnsupportedError("the virtual Pico needs Linux or macOS; on Windows run it in WSL")
        parents = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in parents if part)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ionto_sim.supervisor", self.config.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the simulator ended at once; see above"}
        if "error" in answer:
            kind = getattr(errors, answer.get("type", ""), SimStartError)
            raise kind(answer["error"])

    def close(self) -> None:
        """End the simulator; the state stays in a state directory that was given.

        SimCommandError, when all is ended, if a command that was scheduled failed and no later one has told it.
        """
        if self._process is None:
            return
        failures = self._failures()
        self.disconnect()
        self._stop_process()
        self._clean()
        if failures:
            raise SimCommandError(f"a command scheduled before failed: {'; '.join(failures)}")

    def _failures(self) -> list[str]:
        """Return what scheduled commands have failed; of a simulator that has ended nothing is known."""
        try:
            return self.request("failures", timeout_s=_CLOSE_S)
        except SimError:
            return []

    def _stop_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _clean(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> VirtualPico:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except SimCommandError:
            if error is None:  # otherwise that one is told
                raise


def wait_until(condition: Any, timeout_s: float = 5.0, period_s: float = 0.01) -> None:
    """Call `condition` until it returns something true; SimTimeoutError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SimTimeoutError(f"the condition did not come true within {timeout_s} s")
        time.sleep(period_s)


__all__ = ["LoopTimingReading", "MarkReading", "MeterReading", "SimClient", "SimError", "VirtualPico", "wait_until"]
