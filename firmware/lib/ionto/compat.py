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
else:
    ptr32 = object  # the viper emitter knows this annotation by its name; elsewhere it only has to exist

__all__ = ("CPYTHON", "const", "micropython", "ptr32")
