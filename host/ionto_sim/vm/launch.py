"""What the supervisor starts in the MicroPython Unix VM: take the board's state, become the chip, run the firmware.

Arguments: descriptor of the command pipe, descriptor of the event pipe.
"""

import sys

sys.path.insert(0, sys.argv[3])

import builtins
import gc
import io
import os
import termios

import micropython
import vfs

from ionto_sim.vm import core, flash, plain, repl, shadow_machine, shadow_select, shadow_time, stdio
from ionto_sim.vm.board import Board
from ionto_sim.vm.control import Control

CLOCK = core.CLOCK
_ISIG = 1 if sys.platform == "linux" else 0x80
_HIDDEN = "ionto_sim/vm/"


class Shadow:
    """A module with some names replaced; everything else is looked up in the original."""

    def __init__(self, original, **names):
        self.__original = original
        for name, value in names.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return getattr(self.__original, name)


def interrupts(on):
    """Let 0x03 on stdin interrupt the program, or be data."""
    mode = termios.tcgetattr(0)
    mode[3] = _ISIG if on else 0
    termios.tcsetattr(0, termios.TCSANOW, mode)


def kbd_intr(character):
    """Shadow of micropython.kbd_intr: -1 makes Ctrl-C plain data."""
    interrupts(character == 3)


def nothing(*args):
    """A call that has no meaning here."""
    return 0


def repl_print(value):
    """Show the value of an expression in the friendly REPL."""
    if value is not None:
        stdio.put(repr(value) + "\n")


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


def shadow_modules(device, config, files):
    """Put the chip's modules in place of the VM's."""
    implementation = Shadow(sys.implementation, _machine=config["machine"])
    system = Shadow(sys, platform="rp2", stdin=stdio.STDIN, stdout=stdio.STDOUT, implementation=implementation)
    uname = ("rp2", "rp2", sys.version, config["banner"], config["machine"])
    modules = {
        "machine": shadow_machine,
        "time": shadow_time,
        "utime": shadow_time,
        "select": shadow_select,
        "sys": system,
        "micropython": Shadow(micropython, kbd_intr=kbd_intr, heap_lock=nothing, heap_unlock=nothing),
        "io": Shadow(io, open=files.open),
        "gc": Shadow(gc, disable=nothing),
        "os": Shadow(os, uname=lambda: uname, sync=nothing, dupterm=nothing, system=None, getenv=None, putenv=None),
        "rp2": Shadow(None, Flash=lambda: device),
    }
    for name in [name for name in sys.modules if name.startswith("ionto_sim")]:
        del sys.modules[name]
    sys.modules.update(modules)
    sys.path[:] = ["", ".frozen", "/lib"]
    builtins.open = files.open
    builtins.print = stdio.cooked_print
    builtins.input = stdio.ask
    builtins.__repl_print__ = repl_print
    if not plain.NATIVE:
        builtins.uint = plain.uint
        builtins.ptr8 = builtins.ptr16 = builtins.ptr32 = plain.pointer


class OpenFiles:
    """Remembers open files: the VM could not close them while it collects garbage, as the chip does."""

    def __init__(self, system):
        self._files = []
        self._open = io.open
        self._plain = None if plain.NATIVE else system

    def open(self, *args, **kwargs):
        """`open`, remembered."""
        if self._plain is None:
            return self._remember(self._open(*args, **kwargs))
        self._plain.users_own = True
        try:
            return self._remember(self._open(*args, **kwargs))
        finally:
            self._plain.users_own = False

    def _remember(self, file):
        if len(self._files) > 32:
            self._files = [other for other in self._files if _is_open(other)]
        self._files.append(file)
        return file

    def close(self):
        """Close what is open, as the chip's heap sweep at a soft reset does."""
        for file in self._files:
            if _is_open(file):
                file.close()


def _is_open(file):
    try:
        file.tell()
    except (OSError, ValueError):
        return False
    return True


def main():
    """Become the chip with what the supervisor says."""
    interrupts(False)
    with open(int(sys.argv[1]), "rb") as commands, open(int(sys.argv[2]), "wb") as events:
        control = Control(commands, events)
        setup = control.read_message()
        with open(setup["config"]["image"], "r+b") as image:
            live(control, setup, image)


def live(control, setup, image):
    """Be the chip from one reset to the next; does not return."""
    config = setup["config"]
    CLOCK.control = control
    board = Board(config)
    CLOCK.board = control.board = board
    if setup["state"] is not None:
        board.restore(setup["state"], setup["fresh"])
    else:
        CLOCK.now_us = config["clock_us"]
    CLOCK.start(CLOCK.now_us, config["speed"], int(sys.argv[1]))
    board.begin(setup["kind"])
    device, system = mount(image)
    files = OpenFiles(system)
    shadow_modules(device, config, files)
    control.send({"event": "up", "t_us": CLOCK.now_us})
    console = repl.Repl(setup["mode"], config["banner"], interrupts, _HIDDEN)
    try:
        console.run_file("boot.py")
        if console.mode == "friendly":
            console.run_file("main.py")
        while True:
            try:
                console.loop()
            except KeyboardInterrupt:
                pass
    except repl.SoftReset:
        pass
    stdio.put("MPY: soft reboot\n")
    files.close()
    control.send({"event": "mode", "mode": console.mode})
    board.leave("soft")


main()
