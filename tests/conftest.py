"""What every tier has in common: each run refuses unknown hazards and leaves its results for `make trace`."""

import os
import signal

import pytest

os.environ.setdefault("IONTO_CONFIG", os.devnull)  # the settings of whoever runs the tests are their own

pytest_plugins = ("verification.hazards.plugin",)


@pytest.hookimpl(optionalhook=True)  # labgrid's environment has no pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: many tests wait for a virtual Pico."""
    return (os.cpu_count() or 1) + 1


def pytest_configure() -> None:
    """Take Ctrl-C again where a shell started the tests in the background and so with SIGINT ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
