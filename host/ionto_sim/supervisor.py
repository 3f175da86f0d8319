"""Keeps a virtual Pico alive: starts and kills the VM as the chip resets, bridges its port, serves control clients.

One thread, one poll loop. Clients speak JSON lines over the Unix socket of the state directory.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .errors import SimError, SimUnsupportedError

try:
    from .control_server import Client, ControlServer
except ImportError as error:
    raise SimUnsupportedError("the virtual Pico needs Linux or macOS; on Windows run it in WSL") from error

from . import image
from .bootrom import BootRom
from .bridge import Bridge
from .compat import NEVER_US
from .config import Paths, SimConfig
from .meter import Meter
from .port import Port
from .spice import process as spice_process
from .spice.process import SpiceProcess
from .vmprocess import VmProcess, command, sources

_LOOK_S = 0.02
_ANSWER_S = 1.0
_CUT_S = 0.5
_CHECKPOINT_S = 1.0
_CRASHES = 3
_CRASH_WINDOW_S = 10.0
_OFF_AFTER = ("cut", "bootloader")
_WITHOUT_ANSWER = ("reset", "cut")


class Supervisor:
    """Runs one virtual Pico from `config`; `start`, then `step` for ever, then `close`."""

    def __init__(self, config: SimConfig) -> None:
        self.config = config
        self.paths = Paths(config.state_dir)
        self.vm_config = config.for_vm()
        self.port = Port(self.paths.port)
        self.bridge = Bridge(self.port)
        self.rom = BootRom(self.paths.bootsel)
        self.crashes = 0
        self.stopping = False
        self._vm: VmProcess | None = None
        self._state: dict[str, Any] | None = None
        self._mode = "friendly"
        self._boot = "power"
        self._events = b""
        self._control = ControlServer(self.paths, self._command)
        self._outstanding: dict[int, tuple[Client | None, Any, dict[str, Any]]] = {}
        self._asked = -1
        self._checkpoint_s = 0.0
        self._next_id = 1
        self._crash_times: list[float] = []
        self._cut_deadline = 0.0
        self._sources = Path()
        self._spice: SpiceProcess | None = None

    # Life.

    def start(self) -> None:
        """Take the state directory, make port and socket appear, power on. SimStartError when it is in use."""
        command()
        if self.config.circuit == "spice":
            spice_process.check()
        self._control.lock()
        self._sources = sources(self.paths.root / "vm")
        self.paths.errors.unlink(missing_ok=True)
        if self.config.circuit == "spice":
            self._spice = SpiceProcess(self.paths.root, self.paths.errors)
        if not self.paths.image.exists():
            image.create_blank(self.paths.image)
        if self.paths.state.exists():
            self._state = json.loads(self.paths.state.read_text())
        self._control.listen()
        self.rom.hide()
        if self.config.bootsel:
            self.rom.show()
            return
        if self.config.plugged:
            self.port.plug()
        if self.config.powered:
            self._spawn("resume" if self.config.resume and self._state is not None else "power", fresh=True)

    def _spawn(self, kind: str, fresh: bool = False) -> None:
        """Start the VM after a reset of `kind`; `fresh` lets the settings win over the state."""
        self.vm_config["plugged"] = self.port.descriptor >= 0
        if self._spice is not None:
            self.vm_config["spice"] = self._spice.connect()
        setup = {"config": self.vm_config, "state": self._state, "kind": kind, "mode": self._mode, "fresh": fresh}
        self._vm = VmProcess(setup, self._sources, self.paths.errors)
        self._events = b""
        self._checkpoint_s = time.monotonic()
        for _, _, message in self._outstanding.values():
            self._vm.send(message)

    def close(self) -> None:
        """End: keep the state, kill the VM, leave nothing behind but the state directory."""
        if self._vm is not None:
            self._save_running()
            self._end_vm()
        if self._spice is not None:
            self._spice.close()
        if self._state is not None:
            self._state["schedule"] = [[], []]
            self.paths.state.write_text(json.dumps(self._state))
        self.port.unplug()
        self.rom.hide()
        self._control.close()

    def _save_running(self) -> None:
        """Ask the running VM for its state, and take what it last gave if it does not answer."""
        request = self._ask({"cmd": "dump"}, None, None)
        deadline = time.monotonic() + _ANSWER_S
        while request in self._outstanding and self._vm is not None and time.monotonic() < deadline:
            self.step(0.05)

    # The loop.

    def step(self, timeout_s: float) -> None:
        """Serve everything that is ready, waiting at most `timeout_s`."""
        wait = min(timeout_s, self._patience())
        for descriptor, event in self._poll().poll(wait * 1000):
            self._serve(descriptor, event)
        self.port.look()
        self.bridge.carry(self._vm)
        if self._cut_deadline and time.monotonic() > self._cut_deadline:
            self._force_off()
        if self.rom.shown and self.rom.look():
            self.port.plug()
            self._spawn("run" if self._state is not None else "power", fresh=self._state is None)
        if self._vm is not None and time.monotonic() > self._checkpoint_s + _CHECKPOINT_S:
            self._checkpoint()

    def _patience(self) -> float:
        """Return how long the loop may sleep without looking at what cannot be polled."""
        patience = min(_LOOK_S * 5 if self.rom.shown else _CHECKPOINT_S, self.bridge.patience_s())
        if self.port.descriptor >= 0 and not self.port.host_open:
            patience = min(patience, _LOOK_S)
        if self._cut_deadline:
            patience = min(patience, 0.05)
        return patience

    def _poll(self) -> select.poll:
        poll = select.poll()
        self._control.register(poll)
        self.bridge.register(poll, self._vm)
        if self._vm is not None:
            poll.register(self._vm.events, select.POLLIN)
        return poll

    def _serve(self, descriptor: int, event: int) -> None:
        vm = self._vm
        if vm is not None and descriptor == vm.events:
            self._read_events(vm)
        elif vm is not None and descriptor == vm.stdout:
            self.bridge.take_output(_read(vm.stdout))
        elif descriptor == self.port.descriptor:
            self.bridge.take_input(event, vm)
        else:
            self._control.take(descriptor)

    # The VM.

    def _read_events(self, vm: VmProcess) -> None:
        data = _read(vm.events)
        if not data:
            self._crashed()
            return
        *lines, self._events = (self._events + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "event" in message:
                self._on_event(message)
            else:
                self._on_answer(message)

    def _on_event(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "leave":
            self._reset(message["kind"], message["state"])
        elif event == "checkpoint":
            self._state = message["state"]
        elif event == "mode":
            self._mode = message["mode"]
        elif event == "failed":
            self._control.report(message["error"])
        elif event == "plug":
            self._plug(message["on"], tell=False)

    def _end_vm(self, soft: bool = False) -> None:
        """Kill the VM and keep what it wrote; after a `soft` reset also what it had not read."""
        vm, self._vm = self._vm, None
        assert vm is not None
        self.bridge.vm_ended(vm, vm.kill(), soft)
        vm.close()
        self._cut_deadline = 0.0

    def _reset(self, kind: str, state: dict[str, Any]) -> None:
        """The chip resets: kill the VM and, unless it is off now, start it again."""
        self._state = state
        self._end_vm(kind == "soft")
        if kind != "soft":
            self._mode = "friendly"
        self._settle_outstanding(state, kind in _OFF_AFTER)
        if kind in _OFF_AFTER:
            self._boot = "power" if kind == "cut" else "run"
            if kind == "bootloader":
                self._enter_rom()
        else:
            self._spawn(kind)

    def _enter_rom(self) -> None:
        """The boot ROM has no serial port; it shows a drive instead."""
        self.port.unplug()
        self.bridge.unplugged()
        self.rom.show()

    def _settle_outstanding(self, state: dict[str, Any], off: bool) -> None:
        """Answer or keep the commands that the old VM did not answer."""
        waiting = [item[1] for item in state["schedule"][1]]
        for request, (_, _, message) in list(self._outstanding.items()):
            if message["cmd"] in _WITHOUT_ANSWER:
                self._on_answer({"id": request, "ok": True, "result": {"t_us": state["now_us"]}})
            elif off:
                self._on_answer({"id": request, **self._answer_while_off(message)})
            elif request in waiting:
                self._outstanding[request] = (*self._outstanding[request][:2], {"cmd": "ping", "id": 0})

    def _crashed(self) -> None:
        """The VM ended by itself, which a chip cannot."""
        self._end_vm()
        self.crashes += 1
        now = time.monotonic()
        self._crash_times = [at for at in self._crash_times if now - at < _CRASH_WINDOW_S] + [now]
        with self.paths.errors.open("ab") as file:
            file.write(b"the VM ended unexpectedly, after:\n" + self.bridge.console[-2000:] + b"\n")
        if len(self._crash_times) >= _CRASHES:
            text = self.paths.errors.read_text(errors="replace")[-1000:]
            raise SimError(f"the VM keeps ending unexpectedly; report this: {text}")
        self._spawn("run" if self._state is not None else "power")

    def _force_off(self) -> None:
        """The VM did not heed a power cut: it is off all the same, with the state it last gave."""
        self._end_vm()
        self._boot = "power"
        if self._state is not None:
            self._settle_outstanding(self._state, True)

    def _checkpoint(self) -> None:
        """Ask for the state from time to time; a VM that has not answered for long is stuck in a loop of Python."""
        now = time.monotonic()
        if self._asked not in self._outstanding:
            self._checkpoint_s = now
            self._asked = self._ask({"cmd": "dump"}, None, None)
        elif now > self._checkpoint_s + self.config.stuck_s and self._state is not None:
            self._checkpoint_s = now
            if self._state["watchdog_us"] < NEVER_US:
                self._reset("stuck", self._state)

    # Clients.

    def _command(self, client: Client, message: dict[str, Any]) -> None:
        """Serve a client's command here or in the VM."""
        name = message.get("cmd", "")
        own = getattr(self, f"_do_{name}", None)
        try:
            if own is not None:
                result = own(message)
            elif self._vm is None:
                result = self._while_off(message)
            else:
                if name == "cut" and not message.get("operation"):
                    self._cut_deadline = time.monotonic() + _CUT_S
                self._ask(message, client, message.get("id"))
                return
        except (SimError, OSError, KeyError) as error:
            client.send({"id": message.get("id"), "ok": False, "error": str(error)})
            return
        client.send({"id": message.get("id"), "ok": True, "result": result})

    def _ask(self, message: dict[str, Any], client: Client | None, client_id: Any) -> int:
        """Send a command to the VM under an id of our own; return the id."""
        request, self._next_id = self._next_id, self._next_id + 1
        message = {**message, "id": request}
        self._outstanding[request] = (client, client_id, message)
        if self._vm is not None:
            self._vm.send(message)
        return request

    def _on_answer(self, message: dict[str, Any]) -> None:
        request = message["id"]
        client, client_id, original = self._outstanding.pop(request, (None, None, {}))
        if original.get("cmd") == "status" and message.get("ok"):
            message["result"].update(self._about())
        if client is not None:
            client.send({**message, "id": client_id})
        elif original.get("cmd") == "dump" and message.get("ok"):
            self._state = message["result"]

    def _about(self) -> dict[str, Any]:
        """Return what the supervisor adds to a status."""
        return {
            "powered": self._vm is not None,
            "plugged": self.port.descriptor >= 0,
            "host_open": self.port.host_open,
            "crashes": self.crashes,
            "pid": self._vm.pid if self._vm is not None else None,
            "port": str(self.paths.port),
            "variant": self.config.variant,
        }

    def _answer_while_off(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a command that the power cut overtook."""
        try:
            return {"ok": True, "result": self._while_off(message)}
        except (SimError, KeyError) as error:
            return {"ok": False, "error": str(error)}

    def _while_off(self, message: dict[str, Any]) -> Any:
        """Serve what can be served without power."""
        name = message.get("cmd")
        if name == "status":
            now = self._state["now_us"] if self._state else 0
            return {"t_us": now, "current_ua": 0.0, "output_on": False, **self._about()}
        if name in ("meter", "mark") and self._state is not None:
            meter = Meter()
            meter.restore(self._state["circuit"]["meter"])
            if name == "mark":
                meter.mark(message["name"])
                self._state["circuit"]["meter"] = meter.dump()
                return {"t_us": meter.now_us}
            return meter.read_mark(message["mark"]) if message.get("mark") else meter.read()
        raise SimError("the power is off; power on first")

    def _do_power(self, message: dict[str, Any]) -> Any:
        if self.rom.shown:
            self.rom.hide()
            self.port.plug()
        if self._vm is None:
            self._spawn(self._boot)
        return None

    def _do_plug(self, message: dict[str, Any]) -> Any:
        self._plug(bool(message.get("on", True)), tell=True)
        return {"port": str(self.paths.port)}

    def _plug(self, on: bool, tell: bool) -> None:
        """Plug or unplug the USB cable; `tell` the board unless it told us."""
        if tell and self._vm is not None:
            self._ask({"cmd": "vbus", "on": on}, None, None)
        if on:
            self.port.plug()
        else:
            self.port.unplug()
            self.bridge.unplugged()

    def _do_console(self, message: dict[str, Any]) -> Any:
        return self.bridge.console.decode("utf-8", "replace")

    def _do_stop(self, message: dict[str, Any]) -> Any:
        self.stopping = True
        return None


def _read(descriptor: int) -> bytes:
    """Return what a non-blocking descriptor holds."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


class AnySupervisor(Protocol):
    """What runs a Pico of either kind."""

    paths: Paths
    stopping: bool

    def start(self) -> None:
        """Bring it up."""
        ...

    def step(self, timeout_s: float) -> None:
        """Go on, waiting at most `timeout_s`."""
        ...

    def close(self) -> None:
        """End it."""
        ...


def _supervisor(config: SimConfig) -> AnySupervisor:
    """Return the supervisor for a virtual Pico or, with an image, an emulated one."""
    if not config.image:
        return Supervisor(config)
    try:
        from .emulator.supervisor import EmulatedSupervisor
    except ImportError as error:
        raise SimUnsupportedError(
            f"the emulated Pico needs more packages ({error}); install them: pip install 'iontopico[emulator]'"
        ) from error
    return EmulatedSupervisor(config)


def run_foreground(config: SimConfig, on_ready: Callable[[dict[str, Any]], None], parent: int = -1) -> None:
    """Run a Pico until SIGINT, SIGTERM, a stop command, or the end of the descriptor `parent`.

    `on_ready` is called once with `port` and `state_dir`. SimError when it cannot start or cannot go on.
    """
    supervisor = _supervisor(config)
    supervisor.start()
    previous = {number: signal.signal(number, _stopper(supervisor)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        on_ready({"port": str(supervisor.paths.port), "state_dir": str(supervisor.paths.root)})
        while not supervisor.stopping:
            supervisor.step(0.2)
            if parent >= 0 and select.select([parent], [], [], 0)[0]:
                break
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        supervisor.close()


def _stopper(supervisor: AnySupervisor) -> Callable[[int, Any], None]:
    """Return a signal handler that lets the loop end."""

    def stop(number: int, frame: Any) -> None:
        supervisor.stopping = True

    return stop


def main() -> int:
    """Entry of the subprocess behind `client.VirtualPico`: settings as the only argument, JSON answers on stdout."""

    def ready(information: dict[str, Any]) -> None:
        print(json.dumps({"ready": information}), flush=True)

    try:
        run_foreground(SimConfig.from_json(sys.argv[1]), ready, parent=0)
    except SimError as error:
        print(json.dumps({"error": str(error), "type": type(error).__name__}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
