"""Stand-in for MicroPython's `micropython` module on CPython: its code emitters and constants are identities."""


def native(function):
    """Return `function` unchanged: CPython has no native emitter."""
    return function


viper = native


def const(value):
    """Return `value`: MicroPython's compile-time constant marker."""
    return value


def kbd_intr(character):
    """Do nothing: on CPython no byte of a port interrupts."""
