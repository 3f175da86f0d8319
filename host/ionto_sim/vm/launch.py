"""What the supervisor starts in the MicroPython Unix VM: take the board's state, become the chip, run the firmware.

Arguments: descriptor of the command pipe, descriptor of the event pipe.
"""

import sys

sys.path.insert(0, sys.argv[3])

import os
import termios

import vfs

from ionto_sim.vm import core, flash, plain, repl, shadows, stdio
from ionto_sim.vm.board import Board
from ionto_sim.vm.control import Control

CLOCK = core.CLOCK
_ISIG = 1 if sys.platform == "linux" else 0x80
_HIDDEN = "ionto_sim/vm/"


def interrupts(on):
    """Let 0x03 on stdin interrupt the program, or be data."""
    mode = termios.tcgetattr(0)
    mode[3] = _ISIG if on else 0
    termios.tcsetattr(0, termios.TCSANOW, mode)


def mount(image):
    """Mount the flash image on `/` in place of the host's files; reformat it as _boot.py does if that fails."""
    device = flash.Flash(image)
    vfs.umount("/")
    try:
        system = vfs.VfsLfs2(device, progsize=256)
    except OSError:
        vfs.VfsLfs2.mkfs(device, progsize=256)
        system = vfs.VfsLfs2(device, progsize=256)
    if not plain.NATIVE:
        system = plain.PlainSource(system)
    vfs.mount(system, "/")
    os.chdir("/")
    return device, system


class Chip:
    """The chip from one reset to the next: `begin()`, `tick()` until it is False, `end()`."""

    def __init__(self, control, setup):
        self._control = control
        self._setup = setup
        self._config = setup["config"]
        self._programs = ["boot.py", "main.py"]

    def begin(self, image):
        """Come out of reset with the flash `image` (an open file): the board, its clock, its modules."""
        self._power(CLOCK)
        device, system = mount(image)
        self._files = shadows.OpenFiles(system)
        shadows.put_in_place(self._config, self._files, interrupts, device)
        self._control.send({"event": "up", "t_us": CLOCK.now_us})
        self._console = repl.Repl(self._setup["mode"], self._config["banner"], interrupts, _HIDDEN)

    def _power(self, clock):
        setup, config = self._setup, self._config
        clock.control = self._control
        self._board = clock.board = self._control.board = Board(config)
        if setup["state"] is not None:
            self._board.restore(setup["state"], setup["fresh"])
        else:
            clock.now_us = config["clock_us"]
        clock.start(clock.now_us, config["speed"], int(sys.argv[1]))
        self._board.begin(setup["kind"])

    def tick(self):
        """Do what the chip does next: boot.py, main.py, then the REPL; False when a soft reset ends it."""
        console = self._console
        try:
            if not self._programs:
                console.loop()
                return True
            program = self._programs.pop(0)
            if program != "main.py" or console.mode == "friendly":
                console.run_file(program)
        except KeyboardInterrupt:
            pass
        except repl.SoftReset:
            return False
        return True

    def end(self):
        """Reset softly; does not return."""
        stdio.put("MPY: soft reboot\n")
        self._files.close()
        self._control.send({"event": "mode", "mode": self._console.mode})
        self._board.leave("soft")


def main():
    """Become the chip with what the supervisor says."""
    interrupts(False)
    with open(int(sys.argv[1]), "rb") as commands, open(int(sys.argv[2]), "wb") as events:
        control = Control(commands, events)
        setup = control.read_message()
        with open(setup["config"]["image"], "r+b") as image:
            chip = Chip(control, setup)
            chip.begin(image)
            while chip.tick():
                pass
            chip.end()


main()
