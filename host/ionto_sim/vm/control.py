"""The VM's end of the pipes to the supervisor, with the commands that only a VM has.

A message is a 4-byte little-endian length and a JSON object with `cmd` and `id`; the answer is a JSON line.
"""

import json
import struct

from ..commands import Commands
from .core import CLOCK


class Control(Commands):
    """Both pipes to the supervisor, the schedule and the conditions."""

    def __init__(self, commands: object, events: object) -> None:
        super().__init__(CLOCK, self._write)
        self._in = commands
        self._out = events
        self._header = bytearray(4)

    def _write(self, message: dict) -> None:
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

    def do_dump(self, command: dict) -> object:
        """Return the whole state."""
        return self.board.dump()

    def do_vbus(self, command: dict) -> object:
        """VBUS comes (`on`) or goes."""
        self.board.set_vbus(bool(command["on"]))
        return self.now()

    def check_plug(self, command: dict) -> None:
        """In or out."""
        bool(command["on"])

    def do_plug(self, command: dict) -> object:
        """From a schedule: plug or unplug (`on`) here, and let the supervisor do its part."""
        self.do_vbus(command)
        self.send({"event": "plug", "on": bool(command["on"])})
        return None

    def check_speed(self, command: dict) -> None:
        """A number."""
        float(command["speed"])

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
        self.aim()
