"""Keeps an emulated Pico alive: runs its chip, carries its port, serves control clients. One thread, one loop."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from typing import Any

from ionto_sim import image
from ionto_sim.commands import Commands
from ionto_sim.config import Paths, SimConfig
from ionto_sim.control_server import Client, ControlServer
from ionto_sim.errors import SimStartError
from ionto_sim.port import Port

from .chip import Chip
from .line import Line
from .wiring import Wiring

_START_S = 120.0
_LOOK_S = 0.02
_KEEP_S = 1.0
_HUNG_NANOS = 100_000  # time passes in steps of this while the chip executes nothing
_UF2_MAGIC = b"UF2\nWQ]\x9e"
_OFFICIAL = "`ionto firmware fetch` gets the official one"
_CONDITION_NANOS = 100_000  # how often conditions are looked at


class _Clock:
    """The virtual time as `Commands` want it; setting `next_us` has them looked at soon."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._alarm = chip.clock.create_alarm(self._look)
        self.commands: Commands | None = None

    @property
    def now_us(self) -> int:
        return self._chip.now_us

    @property
    def next_us(self) -> int:
        return self._chip.now_us

    @next_us.setter
    def next_us(self, at_us: int) -> None:
        self._alarm.schedule(max(0, at_us - self.now_us) * 1000)

    def _look(self) -> None:
        commands = self.commands
        assert commands is not None
        commands.run_due(self.now_us)
        if commands.conditions:
            commands.board.circuit.settle_at(self.now_us)
            commands.check_conditions(self.now_us)
        if commands.conditions:
            self._alarm.schedule(_CONDITION_NANOS)
        elif commands.schedule:
            self.next_us = commands.pending_us


class _EmulatedCommands(Commands):
    """The commands that the emulated Pico serves besides those of every board."""

    def __init__(self, clock: _Clock, supervisor: EmulatedSupervisor) -> None:
        super().__init__(clock, supervisor.send)
        clock.commands = self
        self.board = supervisor.wiring
        self._supervisor = supervisor

    def do_status(self, command: dict[str, Any]) -> object:
        """Return the board's status and where it is."""
        return {**self.board.status(), **self._supervisor.about()}

    def do_console(self, command: dict[str, Any]) -> object:
        """Return the recent output of the device."""
        return self._supervisor.line.console.decode("utf-8", "replace")

    def do_plug(self, command: dict[str, Any]) -> object:
        """Plug the USB cable in or out (`on`)."""
        self._supervisor.plug(bool(command.get("on", True)))
        return {"port": str(self._supervisor.paths.port)}

    def do_power(self, command: dict[str, Any]) -> object:
        """Switch the power on."""
        self._supervisor.power_on()
        return None

    def check_speed(self, command: dict[str, Any]) -> None:
        """A number."""
        float(command["speed"])

    def do_speed(self, command: dict[str, Any]) -> object:
        """Set the factor of real time that virtual time does not exceed; 0 for none."""
        self._supervisor.chip.set_speed(float(command["speed"]))
        return None

    def do_freeze(self, command: dict[str, Any]) -> object:
        """Let virtual time stand still (`on`) or go on."""
        self._supervisor.freeze(bool(command["on"]))
        return self.now()

    def do_fork(self, command: dict[str, Any]) -> object:
        """Let a second Pico go on from this very moment in another `state_dir`."""
        return self._supervisor.fork(command["state_dir"])

    def do_stop(self, command: dict[str, Any]) -> object:
        """End."""
        self._supervisor.stopping = True
        return None


class EmulatedSupervisor:
    """Runs one emulated Pico from `config`; `start`, then `step` for ever, then `close`."""

    def __init__(self, config: SimConfig) -> None:
        self.config = config
        self.paths = Paths(config.state_dir)
        self.stopping = False
        self._frozen = False
        setup = config.for_vm()
        self.chip = Chip(_image(config.image), speed=setup["speed"])
        self.chip.unique_id = bytes.fromhex(setup["unique_id"])
        self.wiring = Wiring(self.chip, setup["values"], setup["load"])
        self.wiring.strap("range", setup["variant"])
        self.wiring.strap("bench", setup["bench_strap"])
        self.wiring.strap("maintenance", setup["maintenance"])
        self.wiring.set_vbus(setup["plugged"])
        self.wiring.on_cut = self._cut
        self.line = Line(self.chip, Port(self.paths.port))
        self.commands = _EmulatedCommands(_Clock(self.chip), self)
        self._control = ControlServer(self.paths, self._command)
        self._asked: dict[int, tuple[Client, Any]] = {}
        self._next_id = 1
        self._kept_operations = 0
        self._kept_s = 0.0

    # Life.

    def start(self) -> None:
        """Take the state directory, boot until USB is up, make port and socket appear. SimStartError if it is not."""
        self._control.lock()
        if not self.paths.image.exists():
            image.create_blank(self.paths.image)
        self.chip.load_file_system(self.paths.image.read_bytes())
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if self.config.plugged:
            self.line.port.plug()
        if self.config.powered:
            try:
                self.chip.run(lambda: self.chip.connected, wall_s=_START_S)
            except TimeoutError as error:
                raise SimStartError(
                    f"the image {self.config.image} did not come up on USB ({error}); `ionto firmware show` says "
                    "whether it is the official one"
                ) from error
        else:
            self.wiring.cut()
        self._control.listen()

    def close(self) -> None:
        """End: keep the flash, leave nothing behind but the state directory."""
        self._keep()
        self.line.unplug()
        self._control.close()

    def _keep(self) -> None:
        """Write the flash into the state directory."""
        self._kept_operations, self._kept_s = self.chip.flash_operations, time.monotonic()
        self.paths.image.write_bytes(self.chip.file_system())

    def fork(self, state_dir: str) -> dict[str, Any]:
        """Split this process; the child goes on with the same board in `state_dir`, the cable in a port of its own."""
        pid = os.fork()
        if pid:
            return {"pid": pid}
        plugged = self.line.port.descriptor >= 0
        self._control.forget()
        self.line.port.forget()
        self._asked.clear()
        self.commands.conditions = [item for item in self.commands.conditions if isinstance(item[1], dict)]
        self.paths = Paths(state_dir)
        self._control = ControlServer(self.paths, self._command)
        self._control.lock()
        self.line.move(Port(self.paths.port))
        if plugged:
            self.line.port.plug()
        self.freeze(False)
        self._control.listen()
        return {}

    def freeze(self, frozen: bool) -> None:
        """Let virtual time stand still, so that nothing happens and no processor is used, or go on."""
        self._frozen = frozen
        self.chip.set_speed(self.chip.speed)

    # The loop.

    def step(self, timeout_s: float) -> None:
        """Run the chip for about 5 ms of wall time and serve everything that is ready; wait if it is to wait."""
        wait_s = timeout_s if self._frozen else min(timeout_s, self._patience())
        before = time.monotonic()
        poll = select.poll()
        self._control.register(poll)
        self.line.register(poll)
        for descriptor, _ in poll.poll(wait_s * 1000):
            self._control.take(descriptor)
        if self._frozen:
            return
        self._advance(time.monotonic() - before)
        self.line.carry()
        if self.chip.flash_operations != self._kept_operations and time.monotonic() > self._kept_s + _KEEP_S:
            self._keep()

    def _patience(self) -> float:
        """Return how long virtual time has to wait for the wall's, at most as long as a port can go unseen."""
        return min(self.chip.ahead_s(), _LOOK_S) if self.chip.powered else _LOOK_S

    def _advance(self, waited_s: float) -> None:
        chip = self.chip
        if not chip.powered:
            chip.pass_time(waited_s * 1e9)
        elif chip.hung:
            for _ in range(10):
                if chip.hung:
                    chip.pass_time(_HUNG_NANOS)
        else:
            chip.run_batch()

    # Clients.

    def _command(self, client: Client, message: dict[str, Any]) -> None:
        request, self._next_id = self._next_id, self._next_id + 1
        self._asked[request] = (client, message.get("id"))
        self.commands.answer({**message, "id": request})

    def send(self, message: dict[str, Any]) -> None:
        """Send an answer to whom asked; one that a forked process owes nobody goes nowhere."""
        if message.get("event") == "failed":
            self._control.report(message["error"])
            return
        client, client_id = self._asked.pop(message["id"], (None, None))
        if client is not None:
            client.send({**message, "id": client_id})

    def about(self) -> dict[str, Any]:
        """Return what the supervisor adds to a status."""
        return {
            "powered": self.chip.powered,
            "plugged": self.line.port.descriptor >= 0,
            "host_open": self.line.port.host_open,
            "crashes": 0,
            "pid": os.getpid(),
            "port": str(self.paths.port),
            "variant": self.config.variant,
        }

    # Cable and power.

    def plug(self, present: bool) -> None:
        """Plug or unplug the USB cable."""
        self.wiring.set_vbus(present)
        if not present:
            self.line.unplug()
        elif self.chip.powered:
            self.line.port.plug()

    def _cut(self) -> None:
        """The power went."""
        self.line.unplug()
        self._keep()

    def power_on(self) -> None:
        """Connect the supply again."""
        if not self.chip.powered:
            self.wiring.power_on()
            if self.wiring.circuit.vbus:
                self.line.port.plug()


def _image(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise SimStartError(f"the MicroPython image {name} is not a file; {_OFFICIAL}")
    with path.open("rb") as stream:
        if stream.read(len(_UF2_MAGIC)) != _UF2_MAGIC:
            raise SimStartError(f"the MicroPython image {name} is not a UF2 image; {_OFFICIAL}")
    return path
