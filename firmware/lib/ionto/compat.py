"""What the device package uses of MicroPython, on both Pythons.

On the device this is MicroPython's own `micropython` module; on CPython its stand-in, so that one source serves
the board, the virtual Pico and the unit tests.
"""

import sys

CPYTHON = sys.implementation.name == "cpython"

if CPYTHON:
    from ionto import cpython as micropython
    from ionto.cpython import const
else:
    import micropython
    from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array

    ptr32 = array[int]
    ptr8 = bytearray | memoryview
else:
    # The viper emitter knows these annotations by name; elsewhere they only have to exist.
    ptr32 = ptr8 = object

__all__ = ("const", "micropython", "ptr8", "ptr32")
