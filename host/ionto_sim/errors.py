"""What can go wrong with the virtual Pico. Every message names the next action."""


class SimError(Exception):
    """Base of all errors of the virtual Pico."""


class SimUnsupportedError(SimError):
    """Raised at start when no MicroPython Unix VM can run here."""


class SimStartError(SimError):
    """Raised at start when the VM or its supervisor did not come up, or the state directory is in use."""


class SimCommandError(SimError):
    """Raised when the virtual Pico refuses a control command (unknown fault, bad load, no such mark)."""


class SimTimeoutError(SimError):
    """Raised when a condition did not hold, or an answer did not come, within the time given."""


class SimGoneError(SimError):
    """Raised when the supervisor behind a client has ended."""
