"""The chip's modules in place of the VM's: what the firmware imports as `machine`, `time`, `sys` and so on.

Nothing here knows descriptors or terminals, so that a VM in a page of a browser can use it as well.
"""

import builtins
import gc
import io
import os
import sys

import micropython

from . import plain, shadow_machine, shadow_select, shadow_time, stdio


class Shadow:
    """A module with some names replaced; everything else is looked up in the original."""

    def __init__(self, original, **names):
        self.__original = original
        for name, value in names.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return getattr(self.__original, name)


def nothing(*args):
    """A call that has no meaning here."""
    return 0


def repl_print(value):
    """Show the value of an expression in the friendly REPL."""
    if value is not None:
        stdio.put(repr(value) + "\n")


def put_in_place(config, files, interrupts, device):
    """Put the chip's modules in place of the VM's.

    `interrupts(on)` lets Ctrl-C interrupt or be data, `device` is the flash, `files.open` becomes `open`.
    """
    names = _system_modules(config)
    names.update(
        {
            "machine": shadow_machine,
            "time": shadow_time,
            "utime": shadow_time,
            "select": shadow_select,
            "micropython": Shadow(
                micropython,
                kbd_intr=lambda character: interrupts(character == 3),
                heap_lock=nothing,
                heap_unlock=nothing,
            ),
            "io": Shadow(io, open=files.open),
            "gc": Shadow(gc, disable=nothing),
            "rp2": Shadow(None, Flash=lambda: device),
        }
    )
    for name in [name for name in sys.modules if name.startswith("ionto_sim")]:
        del sys.modules[name]
    sys.modules.update(names)
    sys.path[:] = ["", ".frozen", "/lib"]
    _fill_builtins(files)


def _system_modules(config):
    implementation = Shadow(sys.implementation, _machine=config["machine"])
    system = Shadow(sys, platform="rp2", stdin=stdio.STDIN, stdout=stdio.STDOUT, implementation=implementation)
    uname = ("rp2", "rp2", sys.version, config["banner"], config["machine"])
    chip_os = Shadow(os, uname=lambda: uname, sync=nothing, dupterm=nothing, system=None, getenv=None, putenv=None)
    return {"sys": system, "os": chip_os}


def _fill_builtins(files):
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
