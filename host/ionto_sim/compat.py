"""What the models use of MicroPython, on both Pythons."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Emitters:
    """Stand-in for MicroPython's module on CPython: its code emitters change nothing."""

    @staticmethod
    def native(function: "Any") -> "Any":
        """Return `function` unchanged."""
        return function


micropython: "Any" = _Emitters
try:
    import micropython as _module

    micropython = _module
except ImportError:
    pass

_MICROPYTHON = sys.implementation.name == "micropython"
NEVER_US = 1 << 61  # later than any virtual time; still a small int in a 64-bit MicroPython


def make_room(instance: object, count: int) -> None:
    """Let `instance`, still without attributes, have a hash table for `count` of them.

    MicroPython fills tables to the brim, and a method call looks in the full table first: twice the room for the
    attributes makes the models half as slow again. Deleted from the end of the table, names leave no trace.
    """
    if not _MICROPYTHON:
        return
    for index in range(count):
        setattr(instance, "room%d" % index, None)
    for name in reversed(list(instance.__dict__)):
        delattr(instance, name)


class Noise:
    """Seeded, reproducible noise: roughly normal, from a table walked by a counter; `state` (int) is all of it."""

    def __init__(self, seed: int) -> None:
        self.state = seed & 0x7FFFFFFF or 1
        self._table = _normal_table()

    @micropython.native
    def next(self) -> int:
        """Return the next sample; its standard deviation is 1024."""
        state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        self.state = state
        return self._table[state >> 22]


def _normal_table() -> list:
    """Return 512 values of standard deviation 1024: sums of twelve uniform numbers, less their mean."""
    state = 12345
    table = []
    for _ in range(512):
        total = 0
        for _ in range(12):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            total += state >> 21
        table.append(total - 6138)
    return table
