"""The circuit in ngspice. Without libngspice these tests do not run, and say what to type."""

from __future__ import annotations

import os

import pytest

from ionto_sim.spice import engine
from ionto_sim.spice.errors import SpiceMissingError

os.environ.setdefault("IONTO_PATIENCE", "20")  # ngspice is no faster than the board, and has one core beside the VM's


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stop before the first test where libngspice is missing."""
    try:
        engine.library()
    except SpiceMissingError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
