"""What a bench can switch (cable, battery, buttons, load): by a person, by a command, by a relay, or in a model."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ionto_host.bench.benchfile import SWITCHES, SwitchSpec
from ionto_host.bench.instruments import bridge, library, on_bridge
from ionto_host.errors import BenchError
from ionto_host.transport import simulators

if TYPE_CHECKING:
    from ionto_sim.client import SimClient

Act = Callable[[str], None]  # tells a person what to do and waits until it is done
_COMMAND_S = 30.0
_WORDS = {
    "usb": ("Plug the USB cable in", "Pull the USB cable out"),
    "power": ("Switch the battery on", "Switch the battery off"),
    "stop": ("Press STOP and keep it pressed", "Let go of STOP"),
    "start": ("Press START and keep it pressed", "Let go of START"),
    "lift": ("Open the load's circuit: pull one electrode lead", "Close the load's circuit again"),
    "heartbeat": ("Interrupt the heartbeat wire", "Connect the heartbeat wire again"),
}
RESTING = {"usb": True, "power": True}  # what is on when nothing is tested; the others are off


class Switch(Protocol):
    """Something that is on or off; what that means for each is in `benchfile.SWITCHES`."""

    def set(self, on: bool) -> None:
        """Switch it, and return when it is done."""
        ...


class PersonSwitch:
    """A person does it."""

    def __init__(self, name: str, act: Act) -> None:
        self._words = _WORDS[name]
        self._act = act

    def set(self, on: bool) -> None:
        """Say what to do and wait."""
        self._act(self._words[0 if on else 1])


class CommandSwitch:
    """A command does it, such as `uhubctl` for the power of a USB socket."""

    def __init__(self, name: str, spec: SwitchSpec) -> None:
        self._name, self._spec = name, spec

    def set(self, on: bool) -> None:
        """Run the command; `BenchError` when it fails."""
        command = self._spec.on if on else self._spec.off
        try:
            done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=_COMMAND_S, check=False)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise BenchError(f"switch {self._name}: `{command}` did not run: {error}") from error
        if done.returncode:
            text = (done.stderr or done.stdout).strip()
            raise BenchError(f"switch {self._name}: `{command}` ended with exit code {done.returncode}: {text}")


class RelaySwitch:
    """A relay on a pin of the USB bridge `bridge_name`, by Blinka's digitalio."""

    def __init__(self, name: str, spec: SwitchSpec, bridge_name: str) -> None:
        board = bridge(bridge_name)
        digital = library("digitalio")
        self._bridge = bridge_name
        self._words = f"switch {name}: the relay on pin {spec.pin} of the {bridge_name.upper()} does not switch"
        if not hasattr(board, spec.pin):
            raise BenchError(f"switch {name}: the bridge has no pin {spec.pin!r}")
        with on_bridge(self._bridge, self._words):
            self._line = digital.DigitalInOut(getattr(board, spec.pin))
            self._line.direction = digital.Direction.OUTPUT
        self._inverted = spec.active_low
        self.set(RESTING.get(name, False))

    def set(self, on: bool) -> None:
        """Drive the pin; `BenchError` when the bridge does not."""
        with on_bridge(self._bridge, self._words):
            self._line.value = on != self._inverted


class SimSwitch:
    """The same in a simulated bench."""

    def __init__(self, name: str, pico: SimClient) -> None:
        self._name, self._pico = name, pico

    def set(self, on: bool) -> None:
        """Do it to the model."""
        with simulators.errors():
            self._set(on)

    def _set(self, on: bool) -> None:
        pico, name = self._pico, self._name
        if name == "usb":
            pico.plug() if on else pico.unplug()
        elif name == "power":
            pico.power_on() if on else pico.power_cut()
        elif name == "lift":
            pico.fault("electrode_lift", on)
        elif name == "heartbeat":
            pico.fault("heartbeat_stuck_low", on)
        elif on:
            (pico.press_stop if name == "stop" else pico.press_start)(0)
        else:
            pico.release(name)


def real_switches(specs: dict[str, SwitchSpec], relay_bridge: str, act: Act | None) -> dict[str, Switch]:
    """Return the switches of a real bench that can be used here: without `act` those of a person cannot."""
    return {
        name: made for name, spec in specs.items() if (made := real_switch(name, spec, relay_bridge, act)) is not None
    }


def real_switch(name: str, spec: SwitchSpec, relay_bridge: str, act: Act | None) -> Switch | None:
    """Return one switch; None when a person would have to do it and nobody can be asked."""
    assert name in SWITCHES or name == "load"
    if spec.kind == "command":
        return CommandSwitch(name, spec)
    if spec.kind == "relay":
        return RelaySwitch(name, spec, relay_bridge)
    return PersonSwitch(name, act) if act else None
